"""States in files: whole or not at all, and read as data."""

from __future__ import annotations

import json
import os
from contextlib import suppress
from pathlib import Path
from typing import Any

from nll.errors import DataError, UsageError, first_line
from nll.states.paired import PairedTally
from nll.states.tally import Tallies

KINDS = {"tally": Tallies, "paired tally": PairedTally}


def state_from_dict(saved: Any) -> Any:
    """Return the state that a `to_dict` made these plain types of."""
    kind = KINDS.get(str(saved.get("nll"))) if isinstance(saved, dict) else None
    if kind is None:
        raise DataError(f"no saved state: it should begin with nll, one of {', '.join(KINDS)}")
    return kind.from_dict(saved)


def write_json(path: Path, document: Any) -> None:
    """Write a file that, whatever happens, is the old one or the new one whole.

    Raises
    ------
    UsageError : there is no such folder, or no right to write there.
    DataError : the disk is full, or fails.
    """
    text = json.dumps(document, allow_nan=False)
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        with partial.open("w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
        _settle(path.parent)
    except OSError as error:
        kind = UsageError if isinstance(error, (FileNotFoundError, PermissionError, IsADirectoryError)) else DataError
        raise kind(f"{path} cannot be written: {error.strerror or first_line(error)}") from error
    finally:
        with suppress(OSError):
            partial.unlink()


def read_json(path: Path, what: str) -> Any:
    """Return the document in a file; None if there is none.

    Raises
    ------
    DataError : the file is no JSON; `what` is what it should be.
    """
    try:
        return json.loads(path.read_bytes())
    except FileNotFoundError:
        return None
    except (OSError, ValueError, RecursionError) as error:
        raise DataError(f"{path} is no {what}: {first_line(error)}; remove it to begin anew") from error


def _settle(folder: Path) -> None:
    """Have the new name of a file on the disk too, where the system can."""
    with suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)

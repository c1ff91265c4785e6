"""States in files: whole or not at all, and read as data."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from nll.errors import DataError, UsageError, first_line
from nll.states.paired import PairedTally
from nll.states.tally import Tallies

SEAL = "sha256"
KINDS = {"tally": Tallies, "paired tally": PairedTally}


def state_from_dict(saved: Any) -> Any:
    """Return the state that a `to_dict` made these plain types of."""
    kind = KINDS.get(str(saved.get("nll"))) if isinstance(saved, dict) else None
    if kind is None:
        raise DataError(f"no saved state: it should begin with nll, one of {', '.join(KINDS)}")
    return kind.from_dict(saved)


def write_sealed(path: Path, document: dict[str, Any]) -> None:
    """Write a file that, whatever happens, is the old one or the new one whole, and says when it was damaged later.

    Raises
    ------
    UsageError : there is no such folder, or no right to write there.
    DataError : the disk is full, or fails.
    """
    text = json.dumps({**document, SEAL: seal_of(document)}, allow_nan=False)
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


def read_sealed(path: Path, what: str) -> dict[str, Any] | None:
    """Return the document that `write_sealed` wrote; None if there is no file.

    Raises
    ------
    DataError : the file is no JSON, or was changed since it was written. A changed sum would be a wrong number.
    UsageError : it is a file of another kind.
    """
    saved = read_json(path, what)
    if saved is None:
        return None
    if not isinstance(saved, dict) or SEAL not in saved:
        raise UsageError(f"{path} is no {what}, and is not written over: remove it, or name another")
    seal = saved.pop(SEAL)
    if seal != seal_of(saved):
        raise DataError(f"{path} was changed or damaged after it was written: remove it to begin anew")
    return saved


def seal_of(document: Mapping[str, Any]) -> str:
    """Return the hash of a document, whatever the order of its names."""
    return hashlib.sha256(json.dumps(document, sort_keys=True).encode()).hexdigest()


def _settle(folder: Path) -> None:
    """Have the new name of a file on the disk too, where the system can."""
    with suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)

"""From what a user names (a path, a pattern, a folder, a list of these) to the files it means."""

from __future__ import annotations

import glob
import os
from collections.abc import Sequence
from pathlib import Path

from nll.errors import UsageError, first_line, nearest
from nll.sources.formats import Format, format_of, known_format

Pathlike = str | os.PathLike[str]


def is_remote(path: str) -> bool:
    """Whether a path has a scheme such as s3://, which Polars resolves and we cannot list."""
    return "://" in path


def expand(data: Pathlike | Sequence[Pathlike]) -> list[str]:
    """Return the files that a path, pattern or folder means, sorted; a list keeps its order.

    Raises
    ------
    UsageError
        If nothing is found, naming what was looked for.
    """
    if isinstance(data, (str, os.PathLike)):
        return _expand_one(os.fspath(data))
    if not data:
        raise UsageError("the list of files is empty")
    return [path for each in data for path in _expand_one(os.fspath(each))]


def one_format(paths: Sequence[str]) -> Format:
    """Return the format that all files share; raise UsageError if they differ or it is unknown."""
    first = Path(paths[0])
    if is_remote(paths[0]) and not first.suffix:
        paths = [f"{path}/*.parquet" for path in paths]  # a remote folder cannot be listed here; most hold Parquet
    shared = known_format(paths[0])
    for path in paths:
        other = known_format(path)
        if other is not shared:
            raise UsageError(
                f"{paths[0]} is {shared.name} and {path} is {other.name}: name files of one format, "
                "for example by a pattern such as 'folder/*.parquet'"
            )
    return shared


def describe(data: Pathlike | Sequence[Pathlike], paths: Sequence[str]) -> str:
    """Return the short text for a set of files: "preds/*.parquet (12 files)"."""
    if isinstance(data, (str, os.PathLike)):
        name = os.fspath(data)
        return name if len(paths) == 1 and not _is_pattern(name) else f"{name} ({_files(len(paths))})"
    return paths[0] if len(paths) == 1 else f"{paths[0]} and {_files(len(paths) - 1, more=True)}"


def _files(count: int, more: bool = False) -> str:
    return f"{count}{' more' if more else ''} {'file' if count == 1 else 'files'}"


def _expand_one(name: str) -> list[str]:
    try:
        return [name] if is_remote(name) else _found(name)
    except (OSError, RuntimeError, ValueError) as error:  # a name too long, a folder that may not be read, ~nobody
        if isinstance(error, UsageError):
            raise
        raise UsageError(f"{name!r:.200} names no file: {first_line(error)}") from error


def _found(name: str) -> list[str]:
    path = Path(name).expanduser()
    if path.is_dir():
        return _files_of_folder(path)
    if path.exists():
        return [str(path)]
    if _is_pattern(name):
        found = sorted(glob.glob(str(path), recursive=True))  # noqa: PTH207 (Path.glob takes no absolute pattern)
        files = [each for each in found if Path(each).is_file()]
        if not files:
            files = [file for each in found for file in _files_of_folder(Path(each))]
        if not files:
            raise UsageError(f"no file matches {name!r} in {Path.cwd() if not path.is_absolute() else '/'}")
        return files
    if name == "-":
        raise UsageError("standard input is not read, for rows may be read more than once: name a file or a folder")
    raise UsageError(f"no such file: {name}{_similar(path)}")


def _files_of_folder(folder: Path) -> list[str]:
    """Return the data files below a folder; hidden ones and those of other programs (_SUCCESS) left out."""
    files: list[str] = []
    for root, folders, names in os.walk(folder):
        folders[:] = sorted(each for each in folders if not each.startswith((".", "_")))
        files += [str(Path(root) / name) for name in names if not name.startswith((".", "_")) and format_of(name)]
    if not files:
        raise UsageError(f"the folder {folder} holds no Parquet, CSV, JSON lines or Arrow file")
    return sorted(files)


def _is_pattern(name: str) -> bool:
    return glob.has_magic(name)


def _similar(path: Path) -> str:
    if not path.parent.is_dir():
        return f": there is no folder {path.parent}"
    return nearest(path.name, sorted(each.name for each in path.parent.iterdir()))

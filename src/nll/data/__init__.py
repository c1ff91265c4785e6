"""Demo data that ships with the package; its README says where each file comes from.

>>> path("rain").name
'rain.parquet'
"""

from __future__ import annotations

from pathlib import Path

from nll.errors import UsageError, listing, nearest

HERE = Path(__file__).parent
ENDINGS = (".parquet", ".jsonl.gz")


def _files() -> dict[str, Path]:
    """Return the data sets of the package by name."""
    return {file.name.partition(".")[0]: file for file in sorted(HERE.iterdir()) if file.name.endswith(ENDINGS)}


def names() -> list[str]:
    """List the data sets of the package."""
    return list(_files())


def path(name: str) -> Path:
    """Return the file of a demo data set.

    Parameters
    ----------
    name : str
        "rain": will it rain in Seattle tomorrow, what happened and what three models had said, as Parquet.
        "amendments_characters", "amendments_pieces": logs of two small language models of the Bill of Rights.

    Raises
    ------
    UsageError
        There is no data set of this name.
    """
    files = _files()
    if name not in files:
        raise UsageError(f"no demo data is called {name!r}{nearest(name, files)}; there is: {listing(files)}")
    return files[name]

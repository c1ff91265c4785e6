"""Demo data that ships with the package; its README says where each file comes from.

>>> path("rain").name
'rain.parquet'
"""

from __future__ import annotations

from pathlib import Path

from nll.errors import UsageError, listing, nearest

HERE = Path(__file__).parent


def names() -> list[str]:
    """List the data sets of the package."""
    return sorted(file.stem for file in HERE.glob("*.parquet"))


def path(name: str) -> Path:
    """Return the Parquet file of a demo data set.

    Parameters
    ----------
    name : str
        "rain": will it rain in Seattle tomorrow, what happened and what three models had said.

    Raises
    ------
    UsageError
        There is no data set of this name.
    """
    if name not in names():
        raise UsageError(f"no demo data is called {name!r}{nearest(name, names())}; there is: {listing(names())}")
    return HERE / f"{name}.parquet"

"""How a chart becomes a file, and how Altair is found."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nll.errors import MissingExtraError, UsageError

if TYPE_CHECKING:
    import altair

# What each format needs beyond its name. A page carries its own JavaScript, so it opens without a network,
# and it offers the picture but no link to an editor elsewhere.
OPTIONS: dict[str, dict[str, Any]] = {
    ".png": {"format": "png", "scale_factor": 2.0},
    ".svg": {"format": "svg"},
    ".html": {
        "format": "html",
        "inline": True,
        "embed_options": {"actions": {"export": True, "source": False, "compiled": False, "editor": False}},
    },
    ".json": {"format": "json"},
}
FORMATS = tuple(OPTIONS)


def require_altair() -> None:
    """Check that what makes and saves charts is installed.

    Raises
    ------
    MissingExtraError
        Altair or vl-convert is missing; the message names the extra that brings both.
    """
    for package in ("altair", "vl_convert"):
        try:
            import_module(package)
        except ModuleNotFoundError as error:
            raise MissingExtraError("plots", error.name or package) from error


def save(chart: altair.TopLevelMixin, path: str | Path) -> Path:
    """Write a chart to a file, in the format that the file's suffix names; no network is used.

    Parameters
    ----------
    chart : altair.TopLevelMixin
        Any Altair chart.
    path : str or Path
        A name that ends in .png, .svg, .html or .json; its folder must exist.

    Returns
    -------
    Path
        The file that was written.

    Raises
    ------
    UsageError
        The suffix is none of these, or the folder does not exist.
    MissingExtraError
        Altair or vl-convert is missing.
    """
    path = Path(path)
    kind = path.suffix.lower()
    if kind not in FORMATS:
        raise UsageError(f"cannot save a picture as {str(path)!r}: its name must end in {', '.join(FORMATS)}")
    if not path.parent.is_dir():
        raise UsageError(f"cannot save a picture as {str(path)!r}: there is no folder {str(path.parent)!r}")
    require_altair()
    chart.save(str(path), **OPTIONS[kind])
    return path

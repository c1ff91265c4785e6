"""How a chart becomes a file, and how Altair is found."""

from __future__ import annotations

import json
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
MARK = "\ue03c"  # of private use: stands for "<" until the page is written
LESS = "\\u003c"  # as JSON may write it


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
    path = checked(path)
    require_altair()
    options = OPTIONS[path.suffix.lower()]
    if options["format"] == "html":
        path.write_text(page(chart, options), encoding="utf-8")
    else:
        chart.save(str(path), **options)
    return path


def page(chart: altair.TopLevelMixin, options: dict[str, Any]) -> str:
    """Return a chart as a page in which no name or title ends the script: Altair writes "<" as it is."""
    from io import StringIO

    import altair

    out = StringIO()
    altair.Chart.from_dict(_marked(chart.to_dict())).save(out, **options)
    return out.getvalue().replace(json.dumps(MARK)[1:-1], LESS).replace(MARK, LESS)


def _marked(value: Any) -> Any:
    """Return plain types with MARK for each "<"."""
    if isinstance(value, str):
        return value.replace("<", MARK)
    if isinstance(value, dict):
        return {_marked(key): _marked(each) for key, each in value.items()}
    return [_marked(each) for each in value] if isinstance(value, list) else value


def checked(path: str | Path, endings: tuple[str, ...] = FORMATS) -> Path:
    """Return a path to which a picture can be written, known before the picture is made.

    Raises
    ------
    UsageError
        Its name ends in none of `endings`, or there is no such folder.
    """
    path = Path(path)
    if path.suffix.lower() not in endings:
        raise UsageError(f"cannot save a picture as {str(path)!r}: its name must end in {', '.join(endings)}")
    if not path.parent.is_dir():
        raise UsageError(f"cannot save a picture as {str(path)!r}: there is no folder {str(path.parent)!r}")
    return path

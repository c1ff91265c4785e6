"""How fits print: a line in a session, a table in a terminal, escaped HTML in a notebook."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from nll.results.show import MOST_GROUPS, _html, _rich, as_text, number

if TYPE_CHECKING:
    from nll.results.fit import Fit
    from nll.results.fits import Fits

MOST_NAMES = 6  # parameters in a line


def state(fit: Fit) -> str:
    """Say in a few words whether a fit can be trusted."""
    if not fit.converged:
        return "NOT CONVERGED"
    words = ["converged"]
    if fit.at_boundary:
        words.append(f"{', '.join(fit.at_boundary)} at boundary")
    if not fit.cov_ok:
        words.append("NO STANDARD ERRORS")
    return ", ".join(words)


def name_of(fit: Fit | Fits) -> str:
    """Return the name of the fitted family."""
    return fit.family.family.__name__


def described(fit: Fit) -> str:
    """Return the fitted distribution with six digits of its first parameters."""
    shown = [f"{name}={number(value)}" for name, value in list(fit.params.items())[:MOST_NAMES]]
    shown += [f"{name}={_by_row(value)}" for name, value in fit.by_row.items()]
    shown += ["..."] if len(fit.params) > MOST_NAMES else []
    return f"{name_of(fit)}({', '.join(shown)})"


def fit_line(fit: Fit) -> str:
    """Return a fit as one line."""
    return f"<Fit {described(fit)}, n={fit.n:,}, nll={number(fit.nll)}, {state(fit)}>"


def _by_row(value: Any) -> str:
    return repr(value) if isinstance(value, str) else "<by row>"


def _parts(fit: Fit, level: float) -> tuple[str, list[str], list[list[str]], list[str]]:
    header = ["parameter", "estimate", "std. error", f"{100 * level:.6g} % interval", ""]
    errors, intervals = fit.stderr, fit.ci(level)
    body: list[list[str]] = []
    for name, value in fit.params.items():
        low, high = intervals.get(name, (math.nan, math.nan))
        between = "–" if math.isnan(low) or math.isnan(high) else f"{number(low)} to {number(high)}"
        mark = "fixed" if name not in fit.free else "at boundary" if name in fit.at_boundary else ""
        body.append([name, number(value), number(errors.get(name, math.nan)), between, mark])
    body += [[name, _by_row(value), "–", "–", "fixed"] for name, value in fit.by_row.items()]
    return f"Maximum likelihood: {name_of(fit)}", header, body, _below(fit)


def _below(fit: Fit) -> list[str]:
    weight = "" if fit.weight == fit.n else f", weight {number(fit.weight)}"
    dropped = [f"{count:,} {word}" for count, word in _dropped(fit)]
    return [
        f"NLL {number(fit.nll)} nats, n {fit.n:,}{weight}, k {fit.k}; "
        f"AIC {number(fit.aic)}, AICc {number(fit.aicc)}, BIC {number(fit.bic)}",
        f"{state(fit)} in {fit.iterations} iterations, {fit.passes} passes; covariance: {fit.cov_type}",
        *([f"rows: {', '.join(dropped)}"] if dropped else []),
        *(f"Warning: {warning}" for warning in fit.warnings),
    ]


def _dropped(fit: Fit) -> list[tuple[int, str]]:
    counts = (
        (fit.missing, "dropped with a missing value"),
        (fit.unweighted, "dropped with weight 0"),
        (fit.impossible, "impossible"),
    )
    return [(count, word) for count, word in counts if count]


def fit_text(fit: Fit, level: float) -> str:
    """Return a fit as a text of several lines."""
    caption, header, body, below = _parts(fit, level)
    return "\n".join([as_text(_rich(caption, header, body, [], 1)), *below])


def fit_html(fit: Fit, level: float = 0.95) -> str:
    """Return a fit as HTML."""
    caption, header, body, below = _parts(fit, level)
    return html_of(caption, header, body, below)


def html_of(caption: str, header: list[str], body: list[list[str]], below: list[str]) -> str:
    """Return a table with lines under it as HTML, escaped."""
    import html

    return _html(caption, header, body, []) + "".join(f"<p>{html.escape(line)}</p>" for line in below)


def _group_parts(fits: Fits) -> tuple[str, list[str], list[list[str]], list[str]]:
    header = [*fits.by, "n", *fits.params, "NLL", ""]
    body: list[list[str]] = []
    for i, key in list(enumerate(fits))[:MOST_GROUPS]:
        fit = fits.at(i)
        parts = key if len(fits.by) > 1 else (key,)
        values = [f"{number(v)} ± {number(fit.stderr.get(n, math.nan))}" for n, v in fit.params.items()]
        body.append([*map(str, parts), f"{fit.n:,}", *values, number(fit.nll), state(fit)])
    failed = sum(not c for c in fits.converged)
    below = [f"{len(fits):,} groups, {failed:,} not converged; total NLL {number(fits.nll.sum())}"]
    if len(fits) > MOST_GROUPS:
        below.append(f"{len(fits) - MOST_GROUPS:,} more groups: .to_polars() has them all")
    return f"Maximum likelihood by group: {name_of(fits)}", header, body, below


def fits_text(fits: Fits) -> str:
    """Return fits by group as a text."""
    caption, header, body, below = _group_parts(fits)
    return "\n".join([as_text(_rich(caption, header, body, [], len(fits.by))), *below])


def fits_html(fits: Fits) -> str:
    """Return fits by group as HTML."""
    return html_of(*_group_parts(fits))

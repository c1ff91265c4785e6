"""Write docs/families: a page and a picture for each family, from the families themselves.

python tools/family_pages.py [folder]

A page says nothing that its class does not: the docstring, the parametrisations, the support, the names elsewhere.
No dates, and coordinates of one decimal from arithmetic of the same bits everywhere: a second run changes nothing.
"""

from __future__ import annotations

import inspect
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from density_pictures import picture, typical

from nll.cli.families import purpose
from nll.families import families
from nll.families.family import Family

FOLDER = Path(__file__).parents[1] / "docs" / "families"
NOTE = "<!-- Written by tools/family_pages.py (`make docs`) from the class: change that, not this. -->"

# The distributions of torch 2.13; those that share a name with a family are the same distribution.
TORCH = """
Bernoulli Beta Binomial Categorical Cauchy Chi2 ContinuousBernoulli Dirichlet Exponential FisherSnedecor Gamma
GeneralizedPareto Geometric Gumbel HalfCauchy HalfNormal InverseGamma Kumaraswamy LKJCholesky Laplace LogNormal
LogisticNormal LowRankMultivariateNormal Multinomial MultivariateNormal NegativeBinomial Normal OneHotCategorical
Pareto Poisson RelaxedBernoulli StudentT Uniform VonMises Weibull Wishart
"""


def page(family: type[Family]) -> str:
    """Return the page of a family, in Markdown."""
    name = family.__name__
    parts = [NOTE, f"# {name}", f"*{purpose(family, whole=True)}*", f"![Density of {name}](img/{name.lower()}.svg)"]
    parts += ["## Written", *map(_form, family.forms), "## Facts", facts(family)]
    text = "\n\n".join([*parts, "## Formula and source", *map(_docstring, documented(family))])
    return text.rstrip() + "\n"


def documented(family: type[Family]) -> list[type[Family]]:
    """Return the forms that have a docstring of their own."""
    return [form for form in family.forms if form.__doc__]


def _form(form: type[Family]) -> str:
    lines = [f"`{form.signature()}`", "", "| parameter | must be | fitted on |", "|---|---|---|"]
    links = {"identity": "the parameter itself", "log": "its logarithm", "logit": "its log-odds", "": "not fitted"}
    for name, constraint in form.parameters.items():
        lines.append(
            f"| `{name}` | {constraint.words} | {links[constraint.link] if not form.event else 'not fitted'} |"
        )
    return "\n".join(lines)


def facts(family: type[Family]) -> str:
    """Return what holds for the family: support, kind, names elsewhere."""
    name = family.__name__
    moving = family.inside is not None or family.ends is not None
    rows = {
        "kind": "discrete: probabilities" if family.observations.discrete else "continuous: densities",
        "y must be": family.observations.words,
        "support": family.support.words + (", within limits that depend on the parameters" if moving else ""),
        "SciPy": "; ".join(dict.fromkeys(filter(None, map(scipy_name, family.forms)))) or "none entered",
        "torch": f"`torch.distributions.{name}`" if name in TORCH.split() else "none of this name",
        "file": f"[`{family.__module__.rpartition('.')[2]}.py`](../../src/{family.__module__.replace('.', '/')}.py)",
    }
    given = {"gradient": family.gradient, "Hessian": family.hessian, "log cdf": family.log_cdf, "log sf": family.log_sf}
    rows["beside the loss"] = ", ".join(k for k, v in given.items() if v is not None) or "the loss only"
    return "\n".join(["| | |", "|---|---|", *(f"| {key} | {value} |" for key, value in rows.items())])


class Written:
    """A parameter that writes down the arithmetic done with it."""

    def __init__(self, text: str) -> None:
        self.text = text

    def __str__(self) -> str:
        return self.text

    def __array_ufunc__(self, function: np.ufunc, method: str, *inputs: Any, **options: Any) -> Written:
        symbol = {"add": "+", "subtract": "-", "multiply": "*", "divide": "/", "power": "**"}.get(function.__name__)
        if symbol is not None:
            return Written(f" {symbol} ".join(map(_operand, inputs)))
        return Written(f"{function.__name__}({', '.join(map(str, inputs))})")


def _operator(symbol: str, swapped: bool) -> Callable[[Written, Any], Written]:
    def write(self: Written, other: Any) -> Written:
        left, right = (_operand(x) for x in ((other, self) if swapped else (self, other)))
        return Written(f"{left} {symbol} {right}")

    return write


def _operand(x: Any) -> str:
    text = f"{x:g}" if isinstance(x, float) else str(x)
    return f"({text})" if " " in re.sub(r"\(.*\)", "", text) else text


for _name, _symbol in {"add": "+", "sub": "-", "mul": "*", "truediv": "/", "pow": "**"}.items():
    setattr(Written, f"__{_name}__", _operator(_symbol, False))
    setattr(Written, f"__r{_name}__", _operator(_symbol, True))
Written.__neg__ = lambda self: Written(f"-{_operand(self)}")  # type: ignore[attr-defined]


def scipy_name(form: type[Family]) -> str:
    """Return the call of SciPy with the arguments that the form's `scipy` gives, or "" where there is none."""
    if form.scipy is None:
        return ""
    theta = [Written(name) for name in form.parameters]
    try:
        name, arguments = form.scipy(*theta)
    except TypeError:  # more than arithmetic: then its name only
        name, arguments = form.scipy(*map(np.float64, typical(form)[0]))
        return f"`scipy.stats.{name}({', '.join(arguments)})`"
    written = (f"{k}={v:g}" if isinstance(v, float) else f"{k}={v}" for k, v in arguments.items())
    return f"`scipy.stats.{name}({', '.join(written)})`"


SECTIONS = re.compile(r"^(Parameters|Examples|Notes|References|Raises|Attributes)\n-+\n", re.MULTILINE)


def _docstring(form: type[Family]) -> str:
    """Return a docstring as Markdown: formulas and examples in fences, parameters as a list."""
    pieces = SECTIONS.split(inspect.cleandoc(form.__doc__ or ""))
    parts = [_prose(pieces[0])]
    for title, section in zip(pieces[1::2], pieces[2::2], strict=True):
        body, _, source = section.partition("\n\nSource:")
        if title == "Examples":
            parts.append(f"### Example\n\n```python\n{body.strip()}\n```")
        elif title == "Parameters":
            parts.append(f"### Parameters\n\n{_items(body)}")
        else:
            parts.append(f"### {title}\n\n{_prose(body)}")
        if source:
            parts.append(f"Source: {' '.join(source.split())}")
    return "\n\n".join(parts)


def _prose(text: str) -> str:
    """Return paragraphs on one line each, and what is indented as it stands."""
    paragraphs = re.split(r"\n\s*\n", text.strip("\n"))
    out: list[str] = []
    for paragraph in paragraphs:
        if paragraph.startswith("    "):
            out.append(f"```text\n{inspect.cleandoc(paragraph)}\n```")
        elif paragraph.startswith("- "):
            out.append(paragraph)
        else:
            out.append(_escaped(" ".join(paragraph.split())))
    return "\n\n".join(out)


def _items(text: str) -> str:
    items = re.sub(r"\n +", " ", text.strip()).splitlines()
    pairs = ((name.strip(), what.strip()) for name, _, what in (item.partition(":") for item in items))
    return "\n".join(f"- `{name}`: {_escaped(what)}" for name, what in pairs)


def _escaped(text: str) -> str:
    """Return text whose stars, bars and angles are no Markdown."""
    return re.sub(r"([*|<_])", r"\\\1", text)


def index(known: dict[str, type[Family]]) -> str:
    """Return the table of all families."""
    lines = [NOTE, "", "# Families", "", f"{len(known)} families; `nll families NAME` says the same in a terminal.", ""]
    lines += ["| family | written | y | for |", "|---|---|---|---|"]
    for name, family in known.items():
        written = "<br>".join(f"`{form.signature()}`" for form in family.forms)
        kind = "discrete" if family.observations.discrete else "continuous"
        lines.append(
            f"| [{name}]({name.lower()}.md) | {written} | {family.support.words}; {kind} | {purpose(family)} |"
        )
    return "\n".join([*lines, ""])


def files() -> Iterator[tuple[str, str]]:
    """Give every file of the folder: its name there, and its text."""
    known = families()
    yield "README.md", index(known)
    for name, family in known.items():
        yield f"{name.lower()}.md", page(family)
        yield f"img/{name.lower()}.svg", picture(family)


def main() -> None:
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else FOLDER
    written = dict(files())
    (folder / "img").mkdir(parents=True, exist_ok=True)
    for old in [*folder.glob("*.md"), *folder.glob("img/*.svg")]:
        if old.relative_to(folder).as_posix() not in written:
            old.unlink()  # of a family that is gone
    for name, text in written.items():
        (folder / name).write_text(text, encoding="utf-8", newline="\n")


if __name__ == "__main__":
    main()

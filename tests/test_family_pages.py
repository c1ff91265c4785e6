"""The pages of docs/families say what the families say, and there is one for each."""

from __future__ import annotations

import inspect
import sys
from importlib import import_module
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

from nll.families import families

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "docs" / "families"
MAKE = "`make docs` writes it anew"


sys.path.insert(0, str(ROOT / "tools"))  # as a script has it; the generator is no part of the package
family_pages = import_module("family_pages")
sys.path.remove(str(ROOT / "tools"))
KNOWN = families()


@pytest.mark.parametrize("name", KNOWN)
def test_a_page_and_its_picture_are_those_of_the_class(name: str):
    family = KNOWN[name]
    kept, drawn = FOLDER / f"{name.lower()}.md", FOLDER / "img" / f"{name.lower()}.svg"
    assert kept.is_file(), f"{name} has no page: {MAKE}"
    assert drawn.is_file(), f"{name} has no picture: {MAKE}"
    assert kept.read_text(encoding="utf-8") == family_pages.page(family), f"{kept.name} is not of this class: {MAKE}"
    assert drawn.read_text(encoding="utf-8") == family_pages.picture(family), (
        f"{drawn.name} is not of this class: {MAKE}"
    )


@pytest.mark.parametrize("name", KNOWN)
def test_a_page_names_every_form_parameter_constraint_and_source(name: str):
    text = (FOLDER / f"{name.lower()}.md").read_text(encoding="utf-8")
    family = KNOWN[name]
    for form in family.forms:
        assert f"`{form.signature()}`" in text
        for parameter, constraint in form.parameters.items():
            assert f"| `{parameter}` | {constraint.words} |" in text
        if form.scipy is not None:
            assert "`scipy.stats." in text
    assert family.support.words in text
    assert "Source: " in text
    assert "```text\nloss = " in text, "the docstring has a formula, indented, that begins with `loss =`"
    example = inspect.cleandoc(family.__doc__ or "").partition("Examples\n--------\n")[2].strip()
    assert example, "the docstring has an example"
    assert example in text


def test_the_index_lists_every_family_and_nothing_else_lies_there():
    assert (FOLDER / "README.md").read_text(encoding="utf-8") == family_pages.index(KNOWN), MAKE
    names = {f"{name.lower()}.md" for name in KNOWN} | {f"img/{name.lower()}.svg" for name in KNOWN} | {"README.md"}
    assert {path.relative_to(FOLDER).as_posix() for path in FOLDER.rglob("*.*")} == names


@pytest.mark.parametrize("path", sorted((FOLDER / "img").glob("*.svg")), ids=lambda path: path.stem)
def test_pictures_are_small_and_well_formed(path: Path):
    text = path.read_text(encoding="utf-8")
    assert len(text) < 8_000
    root = ElementTree.fromstring(text)
    curves = root.findall("{*}path")
    assert len(curves) >= 2
    assert "nan" not in "".join(str(c.get("d")) for c in curves)


def test_torch_has_the_distributions_that_pages_name():
    distributions = pytest.importorskip("torch.distributions")
    assert [name for name in KNOWN if hasattr(distributions, name)] == [
        n for n in KNOWN if n in family_pages.TORCH.split()
    ]


def test_what_scipy_does_with_parameters_is_written_down():
    loc = family_pages.Written("loc")
    assert str(1.0 / (2.0 * loc + 1.0)) == "1 / ((2 * loc) + 1)"
    assert str(-loc) == "-loc"
    assert str(np.exp(loc) - loc**2.0) == "exp(loc) - (loc ** 2)"

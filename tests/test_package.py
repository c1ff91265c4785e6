"""The package: light to import, all names where they are promised, extras named where they are missing."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import nll
from nll.families import families

SOURCE = str(Path(nll.__file__).parents[1])
HEAVY = (
    "numba", "llvmlite", "numpy", "polars", "pyarrow", "pandas", "rich", "click", "scipy", "sklearn", "torch", "altair",
    "vl_convert", "duckdb", "dask", "pyspark", "mpmath",
)  # fmt: skip
PROMISED = [
    "Bernoulli", "Categorical", "Binomial", "Poisson", "NegativeBinomial", "Geometric", "Normal", "LogNormal",
    "StudentT", "Laplace", "Logistic", "Exponential", "Gamma", "Weibull", "Beta",
]  # fmt: skip


def run(code: str) -> str:
    """Run code in a fresh process and return what it prints."""
    environment = {**os.environ, "PYTHONPATH": SOURCE}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def loaded(code: str) -> set[str]:
    return set(run(f"import sys\n{code}\nprint(*[m for m in {HEAVY!r} if m in sys.modules])").split())


def test_import_loads_nothing_heavy():
    assert loaded("import nll; nll.__version__; dir") == set()


def test_a_family_loads_no_compiler_and_no_tables():
    assert loaded("import nll; nll.Normal(loc=0.0, scale=1.0)") <= {"numpy"}


def test_a_few_rows_load_no_compiler_and_no_tables():
    assert loaded("import nll; s = nll.score([1, 0], nll.Bernoulli(probs=[0.8, 0.3])); s.mean, s.notes") <= {"numpy"}
    assert loaded("import nll; nll.score([1, 0], nll.Normal(0, 1), sample_weight=[1, 2])") <= {"numpy"}


def test_a_small_table_loads_no_compiler():
    code = "import nll, polars as pl; nll.score('y', nll.Normal(0, 1), pl.DataFrame({'y': [1.0, 2.0]}))"
    assert "numba" not in loaded(code)


@pytest.mark.parametrize("name", PROMISED)
def test_families_are_public(name):
    assert getattr(nll, name) is families()[name]
    assert name in dir(nll)


def test_families_are_those_of_the_folder():
    folder = Path(nll.__file__).parent / "families"
    modules = {family.__module__.rpartition(".")[2] for family in families().values()}
    helpers = {"__init__", "constraints", "inversion", "reading", "saving", "values", "expression", "family"}
    helpers |= {"intervals"}
    helpers |= {"information"}
    helpers |= {"own", "own_code", "own_derivatives", "own_functions", "own_text"}
    helpers |= {"combined", "description", "masses", "mixing", "moved", "parts"}
    helpers |= {"hurdle", "interval", "mixture", "tracing", "truncated", "zeroinflated"}
    helpers |= {"independent", "slopes", "transformed", "transforms"}
    assert modules == {path.stem for path in folder.glob("*.py")} - helpers


@pytest.mark.parametrize(
    "name",
    [
        "Hurdle",
        "Mixture",
        "Truncated",
        "ZeroInflated",
        "family",
        "rows",
        "score",
        "Tally",
        "Score",
        "Scores",
        "data",
        "engines",
        "errors",
        "plot",
    ],
)
def test_public_names(name):
    assert getattr(nll, name) is not None
    assert name in dir(nll)


def test_the_version_is_that_of_the_file():
    assert run("import nll; print(nll.__version__)") == nll.__version__


def test_unknown_names_have_a_hint():
    with pytest.raises(AttributeError, match="did you mean 'Normal'"):
        nll.Normall  # noqa: B018
    with pytest.raises(AttributeError, match="no attribute"):
        nll.zzzzz  # noqa: B018
    assert not hasattr(nll, "families_")
    assert run("from nll import Gamma, score; print(Gamma.__name__, score.__name__)") == "Gamma score"


def test_the_error_tree():
    errors = nll.errors
    for kind in (errors.DataError, errors.UsageError, errors.MissingExtraError):
        assert issubclass(kind, errors.NllError)
    assert issubclass(errors.DataError, ValueError)


@pytest.mark.parametrize(("package", "extra", "code"), [("altair", "plots", "nll.plot.loss()")])
def test_a_missing_extra_is_named(package, extra, code):
    said = run(
        f"import sys; sys.modules[{package!r}] = None\n"
        f"import nll\ntry:\n    {code}\nexcept nll.errors.MissingExtraError as error:\n    print(error)"
    )
    assert package in said
    assert f"nll[{extra}]" in said

"""What docs/engines.md shows is what comes out: with Dask, and its section on Spark where that is installed."""

import doctest
import logging
from pathlib import Path
from typing import Any

import pytest

PAGE = Path(__file__).parents[2] / "docs" / "engines.md"


def ran(text: str, names: dict[str, Any]) -> dict[str, Any]:
    """Run the examples of a text and return the names that it leaves."""
    test = doctest.DocTestParser().get_doctest(text, names, "engines.md", str(PAGE), 0)
    result = doctest.DocTestRunner(optionflags=doctest.IGNORE_EXCEPTION_DETAIL).run(test, clear_globs=False)
    assert result.attempted >= 3
    assert result.failed == 0
    return test.globs


@pytest.fixture(scope="module")
def sections() -> tuple[str, str, str]:
    """The page until Spark, of Spark, and after it."""
    before, rest = PAGE.read_text("utf-8").split("\n## Spark\n")
    spark, after = rest.split("\n## Groups")
    return before, spark, after


def test_the_examples_of_dask(cluster, sections):
    logging.getLogger("distributed.shuffle").setLevel(logging.ERROR)
    ran(sections[2], ran(sections[0], {"client": cluster}))


@pytest.mark.filterwarnings("ignore::FutureWarning:pyspark", "ignore::DeprecationWarning:pyspark")
def test_the_examples_of_spark(cluster, spark, sections):
    ran(sections[1], ran(sections[0], {"client": cluster}) | {"session": spark})

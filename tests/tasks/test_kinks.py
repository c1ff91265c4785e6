"""What `nll.check` finds of combined distributions: where their densities break, and points that have a probability."""

import math

import pytest

import nll
from nll.families.expression import parse_distribution
from nll.tasks.kinks import atoms, kinks

NORMALISED = [
    "Mixture([Normal(0, 1), Normal(3, 2)], weights=[0.3, 0.7])",
    "Mixture([Normal(0, 1e-5), Normal(300, 2), Uniform(-5, 7)], weights=[0.3, 0.3, 0.4])",
    "Mixture([Pareto(1, 2), Pareto(5, 3)], weights=[0.5, 0.5])",
    "Mixture([Poisson(3), Poisson(400)], weights=[0.5, 0.5])",
    "Hurdle(Gamma(2, 1), gate=0.3)",
    "Hurdle(Poisson(3), gate=0.2)",
    "Mixture([Hurdle(Exponential(1), 0.3), Hurdle(Exponential(9), 0.1)], weights=[0.5, 0.5])",
    "Truncated(Normal(0, 1), 40, 41)",
    "Truncated(Laplace(0, 1), -1, 2)",
    "Truncated(Mixture([Gamma(2, 1), Gamma(9, 1)], weights=[0.5, 0.5]), low=1)",
    "Transformed(Mixture([Normal(0, 0.01), Normal(3, 0.1)], weights=[0.5, 0.5]), exp)",
    "Transformed(Laplace(0, 1), affine, shift=3, factor=-2)",
    "ZeroInflated(Truncated(Poisson(2), high=3), gate=0.5)",
]


@pytest.mark.parametrize("text", NORMALISED)
def test_a_combined_density_is_normalised(text):
    found = nll.check(parse_distribution(text))
    assert found.verdict == "normalised"
    assert abs(found.integral - 1.0) < 1e-8
    assert found.ok
    assert not found.faults
    assert found.derivatives
    for region in found.regions:
        assert region.mass == pytest.approx(region.expected, abs=1e-8)
    assert found.evaluations < 4000


def test_kinks_are_the_locations_of_the_parts():
    two = nll.Mixture([nll.Laplace(1.0, 0.5), nll.Uniform(-5.0, 7.0)], weights=[0.5, 0.5])
    assert set(kinks(two)) == {1.0, -5.0, 7.0}
    moved = nll.Transformed(two, "affine", shift=1.0, factor=-2.0)
    assert set(kinks(moved)) == {-1.0, 11.0, -13.0}
    assert kinks(nll.Truncated(nll.Laplace(1.0, 0.5), low=2.0)) == []
    assert kinks(nll.Transformed(nll.Laplace(1.0, 0.5), "exp")) == [pytest.approx(math.e)]


def test_atoms_are_the_mass_that_no_integral_sees():
    assert atoms(nll.Hurdle(nll.Gamma(2.0, 1.0), gate=0.25)) == 0.25
    assert atoms(nll.Hurdle(nll.Poisson(2.0), gate=0.25)) == 0.0
    assert nll.check(nll.Hurdle(nll.Gamma(2.0, 1.0), gate=1.0)).integral == pytest.approx(1.0)


def test_the_command_reads_combined_distributions():
    from click.testing import CliRunner

    from nll.cli import main

    done = CliRunner().invoke(main, ["check", "-d", NORMALISED[0]], prog_name="nll")
    assert done.exit_code == 0
    assert "normalised" in done.output
    wrong = CliRunner().invoke(main, ["check", "-d", "Mixture([Normal(m, 1)], weights=[1])"], prog_name="nll")
    assert wrong.exit_code == 2
    assert "FILES" in str(wrong.output) + str(wrong.exception)


def test_the_command_scores_a_table_by_a_combined_distribution(tmp_path):
    from click.testing import CliRunner

    from nll.cli import main

    path = tmp_path / "counts.csv"
    path.write_text("y,mu,g\n0,1.0,0.5\n4,3.0,0.1\n")
    text = "ZeroInflated(Poisson(rate=mu), gate=g)"
    done = CliRunner().invoke(main, ["score", str(path), "-y", "y", "-d", text, "--csv"], prog_name="nll")
    want = nll.score([0, 4], nll.ZeroInflated(nll.Poisson([1.0, 3.0]), gate=[0.5, 0.1]))
    assert done.exit_code == 0
    assert repr(want.sum) in done.output
    table = CliRunner().invoke(main, ["check", str(path), "-y", "y", "-d", text], prog_name="nll")
    assert table.exit_code == 0

"""Stacking against SciPy's optimiser, PSIS and WAIC against what is known of them."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import minimize

import nll
from nll.errors import DataError, UsageError
from nll.tasks.compare.psis import pareto_fit


@pytest.mark.parametrize("m", [2, 3, 6])
def test_stacking_is_the_optimum(m: int) -> None:
    rng = np.random.default_rng(m)
    values = rng.standard_normal((80, m)) - np.linspace(0.0, 0.8, m)
    found = nll.stacking(values)

    def loss(z: np.ndarray) -> float:
        w = np.exp(z - z.max())
        return -float(np.log(np.exp(values) @ (w / w.sum())).sum())

    best = min(
        (minimize(loss, z, method="BFGS", options={"gtol": 1e-9}) for z in rng.standard_normal((3, m))),
        key=lambda r: r.fun,
    )
    assert found.elpd >= -best.fun - 1e-7
    assert found.elpd == pytest.approx(-best.fun, rel=1e-6)
    assert sum(found.weights) == pytest.approx(1.0, abs=1e-15)
    assert found.gap < 1e-7


def test_stacking_of_a_dominated_model_is_0() -> None:
    a = np.linspace(-2.0, -1.0, 50)
    found = nll.stacking({"a": a, "b": a - 1.0})
    assert found.weights == (1.0, 0.0)
    impossible = nll.stacking({"a": [-1.0, -np.inf, -1.0], "b": [-np.inf, -1.0, -1.0]})
    assert impossible.weights == pytest.approx((0.5, 0.5), abs=1e-6)
    with pytest.raises(DataError, match="possible under some model"):
        nll.stacking({"a": [-1.0, -np.inf], "b": [-1.0, -np.inf]})


@pytest.mark.parametrize("shape", [-0.3, 0.2, 0.7, 1.2])
def test_pareto_fit_finds_the_shape(shape: float) -> None:
    p = (np.arange(4000) + 0.5) / 4000
    k, scale = pareto_fit(2.0 * np.expm1(-shape * np.log1p(-p)) / shape)
    assert k == pytest.approx(shape, abs=0.03)
    assert scale == pytest.approx(2.0, rel=0.05)


def test_influential_observations_are_named() -> None:
    rng = np.random.default_rng(0)
    draws = rng.standard_normal((1000, 1))
    found = nll.loo(-0.5 * (np.array([0.1, 0.2, 9.0]) - 3.0 * draws) ** 2)
    assert any("have a Pareto k above" in note for note in found.notes)
    assert nll.waic(-0.5 * (np.array([0.1, 9.0]) - draws) ** 2).high_variances >= 1


def test_chains_are_draws() -> None:
    rng = np.random.default_rng(1)
    values = rng.standard_normal((4, 250, 7)) * 0.1 - 1.0
    assert nll.loo(values).elpd == nll.loo(values.reshape(1000, 7)).elpd


def test_what_is_no_matrix_is_refused() -> None:
    with pytest.raises(DataError, match="at least 2 draws"):
        nll.waic(np.zeros(5))
    with pytest.raises(DataError, match="observation 1 at draw 0"):
        nll.loo([[0.0, np.nan], [0.0, 0.0]])
    rng = np.random.default_rng(2)
    values = rng.standard_normal((100, 5)) * 0.1
    with pytest.raises(UsageError, match="different methods"):
        nll.loo_compare({"a": nll.loo(values), "b": nll.waic(values)})
    with pytest.raises(UsageError, match="at least two"):
        nll.loo_compare({"a": nll.loo(values)})

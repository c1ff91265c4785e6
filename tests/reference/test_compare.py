"""Comparisons against R (pscl, lmtest, loo), to 8 digits; see tests/data/README.md."""

from __future__ import annotations

import csv
import gzip
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import nll

HERE = Path(__file__).parents[1] / "data"
CASES = {case["id"]: case for case in json.loads((HERE / "compare.json").read_text())}
DIGITS = 1e-8


def of_kind(kind: str) -> list[str]:
    return [name for name, case in CASES.items() if case["kind"] == kind]


def table(name: str) -> dict[str, list[str]]:
    with (HERE / name).open(newline="") as file:
        rows = list(csv.DictReader(file))
    return {key: [row[key] for row in rows] for key in rows[0]}


def numbers(name: str, column: str) -> np.ndarray:
    return np.array(table(name)[column], np.float64)


# Maximum likelihood by arithmetic of its own: these tests are of comparisons, not of fits.


def root(function: Any, low: float, high: float) -> float:
    from scipy.optimize import brentq

    return float(brentq(function, low, high, xtol=1e-15, rtol=1e-15))


def fitted(family: str, y: np.ndarray) -> Any:
    from scipy.special import digamma

    logs = np.log(y)
    if family == "LogNormal":
        return nll.LogNormal(loc=logs.mean(), scale=logs.std())
    if family == "Gamma":
        gap = math.log(y.mean()) - logs.mean()
        a = root(lambda a: math.log(a) - digamma(a) - gap, 1e-3, 1e3)
        return nll.Gamma(concentration=a, rate=a / y.mean())
    top = y.max()

    def slope(k: float) -> float:
        powers = (y / top) ** k
        return float((powers * logs).sum() / powers.sum() - logs.mean() - 1.0 / k)

    k = root(slope, 1e-2, 50.0)
    scale = float(top * np.mean((y / top) ** k) ** (1.0 / k))
    return nll.Weibull(**dict(zip(nll.Weibull.parameters, WEIBULL(k, scale), strict=True)))


def WEIBULL(k: float, scale: float) -> list[float]:
    known = {"shape": k, "concentration": k, "scale": scale}
    return [known[name] for name in nll.Weibull.parameters]


def row_losses(case: dict[str, Any], model: str) -> np.ndarray:
    y = numbers(case["data"], case["column"])
    return nll.rows(y, fitted(case[model], y))


def design(data: dict[str, list[str]]) -> np.ndarray:
    columns = [np.ones(len(data["art"]))]
    columns += [
        np.array([v == level for v in data[name]], float) for name, level in (("fem", "Women"), ("mar", "Single"))
    ]
    columns += [np.array(data[name], float) for name in ("kid5", "phd", "ment")]
    return np.column_stack(columns)


def poisson_rate(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    beta = np.zeros(x.shape[1])
    beta[0] = math.log(y.mean())
    for _ in range(50):
        rate = np.exp(x @ beta)
        beta += np.linalg.solve(x.T @ (x * rate[:, None]), x.T @ (y - rate))
    return np.exp(x @ beta)


# zip-biochemists: coefficients found by an independent Newton iteration (torch, float64), which R's agree with
COUNT = (
    0.7635877390425418,
    -0.2184710363017961,
    -0.13341977060082297,
    -0.1629579754589546,
    -0.006517942117014306,
    0.01829823916908748,
)
ZERO = (-0.683719946990731, -0.13027825458911413)


def biochemists() -> tuple[np.ndarray, np.ndarray]:
    data = table("biochemists.csv")
    x, y = design(data), np.array(data["art"], float)
    plain = nll.rows(y, nll.Poisson(rate=poisson_rate(x, y)))
    z = ZERO[0] + ZERO[1] * x[:, 5]
    counts = -nll.rows(y, nll.Poisson(rate=np.exp(x @ np.array(COUNT))))
    log_pi, log_rest = -np.logaddexp(0.0, -z), -np.logaddexp(0.0, z)
    inflated = np.where(y == 0.0, np.logaddexp(log_pi, log_rest + counts), log_rest + counts)
    return plain, -inflated


@pytest.mark.parametrize("name", [n for n in of_kind("vuong") if "negbin" not in n])
def test_vuong(name: str) -> None:
    case = CASES[name]
    if "column" in case:
        a, b = row_losses(case, "model1"), row_losses(case, "model2")
    else:
        a, b = biochemists()
    assert -math.fsum(a) == pytest.approx(case["loglik1"], rel=1e-10)
    assert -math.fsum(b) == pytest.approx(case["loglik2"], rel=1e-10)
    t, of_pscl = (nll.vuong(a, b, k=(case["k1"], case["k2"]), ddof=ddof) for ddof in (0, 1))
    assert t.n == case["n"]
    # R's fits of one column end where the log-likelihood is right to 12 digits, and the parameters to 7.
    digits = 1e-6 if "column" in case else DIGITS
    assert t.omega2 == pytest.approx(case["omega2_divisor_n"], rel=digits)
    assert t.z == pytest.approx(case["z_divisor_n"], rel=digits)
    assert of_pscl.z == pytest.approx(case["z_divisor_n_minus_1"], rel=digits)
    assert t.p_value == pytest.approx(case["p_two_sided_divisor_n"], rel=100 * digits)
    for key in ("z_aic", "z_bic"):
        if key in case:
            assert getattr(t, key) == pytest.approx(case[key], rel=DIGITS)


@pytest.mark.parametrize("name", of_kind("aic_table"))
def test_criteria_and_weights(name: str) -> None:
    case = CASES[name]
    y = numbers(case["data"], case["column"])
    found = nll.compare({family: nll.fit(y, getattr(nll, family)) for family in case["aic"]})
    assert found.n == case["n"]
    for family, model in found.items():
        for number in ("aic", "bic", "aicc", "nll"):
            assert getattr(model, number) == pytest.approx(case[number][family], rel=DIGITS), (family, number)
        assert model.weight == pytest.approx(case["akaike_weights"][family], rel=DIGITS, abs=1e-300)
    assert list(found) == sorted(case["aic"], key=lambda family: case["aic"][family])


# The coefficients of R's fits are not given: these come from an independent search, and R's own ended where the
# log-likelihood is right to 12 digits.
def test_vuong_of_negative_binomials() -> None:
    from scipy.optimize import minimize
    from scipy.special import expit, gammaln, log_expit, xlog1py

    case = CASES["vuong-biochemists-negbin-zinb"]
    data = table("biochemists.csv")
    x, y = design(data), np.array(data["art"], float)

    def counts(theta: np.ndarray) -> np.ndarray:
        size, eta = math.exp(theta[6]), x @ theta[:6]
        share = np.exp(eta) / size
        return gammaln(y + size) - gammaln(size) - gammaln(y + 1) - xlog1py(size + y, share) + y * (eta - theta[6])

    def inflated(theta: np.ndarray) -> np.ndarray:
        z = theta[7] + theta[8] * x[:, 5]
        other = log_expit(-z) + counts(theta)
        return np.where(y == 0.0, np.logaddexp(log_expit(z), other), other)

    found = []
    start = np.r_[math.log(y.mean()), np.zeros(5), 0.8]
    for log_prob, begin in ((counts, start), (inflated, np.r_[start, -1.0, -0.5])):
        best = begin
        for method in ("BFGS", "Nelder-Mead", "BFGS"):
            best = minimize(lambda t, f=log_prob: -f(t).sum(), best, method=method, options={"maxiter": 4000}).x
        found.append(best)
    size = math.exp(found[0][6])
    a = nll.rows(y, nll.NegativeBinomial(mean=np.exp(x @ found[0][:6]), size=size))
    gate = expit(found[1][7] + found[1][8] * x[:, 5])
    size = math.exp(found[1][6])
    b = nll.rows(y, nll.ZeroInflated(nll.NegativeBinomial(mean=np.exp(x @ found[1][:6]), size=size), gate=gate))
    assert -math.fsum(a) == pytest.approx(case["loglik1"], rel=1e-10)
    assert -math.fsum(b) == pytest.approx(case["loglik2"], rel=1e-10)
    t, of_pscl = (nll.vuong(a, b, k=(case["k1"], case["k2"]), ddof=ddof) for ddof in (0, 1))
    assert t.z == pytest.approx(case["z_divisor_n"], rel=1e-6)
    assert of_pscl.z == pytest.approx(case["z_divisor_n_minus_1"], rel=1e-6)
    assert t.z_aic == pytest.approx(case["z_aic"], rel=1e-6)
    assert t.z_bic == pytest.approx(case["z_bic"], rel=1e-6)


def test_lrt_of_logistic_regressions() -> None:
    case = CASES["lrt-birthwt"]
    y = numbers("birthwt.csv", "low")
    nlls = []
    for names in (("age", "lwt"), ("age", "lwt", "smoke", "ht", "ui")):
        x = np.column_stack([np.ones(len(y)), *(numbers("birthwt.csv", n) for n in names)])
        beta = np.zeros(x.shape[1])
        for _ in range(50):
            p = 1.0 / (1.0 + np.exp(-x @ beta))
            beta += np.linalg.solve(x.T @ (x * (p * (1.0 - p))[:, None]), x.T @ (y - p))
        nlls.append(nll.rows(y, nll.Bernoulli(logits=x @ beta)))
    t = nll.lrt(*nlls, df=case["df"])
    assert t.statistic == pytest.approx(case["statistic"], rel=DIGITS)
    assert t.p_value == pytest.approx(case["p_value"], rel=DIGITS)


def test_lrt_on_the_boundary() -> None:
    case = CASES["lrt-boundary-quine-poisson-negbin"]
    inner, edge = (nll.lrt(-case["loglik0"], -case["loglik1"], df=1, boundary=b) for b in (0, 1))
    assert inner.statistic == pytest.approx(case["statistic"], rel=1e-12)
    assert inner.p_value == pytest.approx(case["p_value"], rel=DIGITS)
    assert inner.log_p_value == pytest.approx(case["log_p_value"], rel=1e-12)
    assert edge.p_value == pytest.approx(case["p_value_boundary"], rel=DIGITS)


def matrix(case: dict[str, Any]) -> np.ndarray:
    """Return the matrix without its header and its column of row numbers, if it has such."""
    with gzip.open(HERE / case["loglik_matrix"], "rt") as file:
        lines = list(csv.reader(file))
    while len(lines) > case["shape"][0]:
        lines = lines[1:]
    values = np.array([line[-case["shape"][1] :] for line in lines], np.float64)
    assert list(values.shape) == case["shape"]
    return values


@pytest.mark.parametrize("name", of_kind("psis_loo"))
def test_loo_and_waic(name: str) -> None:
    case = CASES[name]
    values = matrix(case)
    found = nll.loo(values)
    assert found.elpd == pytest.approx(case["elpd_loo"], rel=DIGITS)
    assert found.se == pytest.approx(case["se_elpd_loo"], rel=DIGITS)
    assert found.p == pytest.approx(case["p_loo"], rel=DIGITS)
    assert found.ic == pytest.approx(case["looic"], rel=DIGITS)
    np.testing.assert_allclose(found.pareto_k, case["pareto_k"], atol=1e-8)
    np.testing.assert_allclose(found.pointwise, case["pointwise_elpd_loo"], rtol=DIGITS)
    w = nll.waic(values)
    assert w.elpd == pytest.approx(case["elpd_waic"], rel=DIGITS)
    assert w.se == pytest.approx(case["se_elpd_waic"], rel=DIGITS)
    assert w.p == pytest.approx(case["p_waic"], rel=DIGITS)


def test_loo_compare() -> None:
    case = CASES["loo-compare-discoveries"]
    found = nll.loo_compare({case[m]: nll.loo(matrix(CASES[case[m]])) for m in ("model1", "model2")})
    assert found.names == (case["model1"], case["model2"])
    assert found.elpd_diff[1] == pytest.approx(-case["elpd_diff_1_minus_2"], rel=DIGITS)
    assert found.se_diff[1] == pytest.approx(case["se_diff"], rel=DIGITS)

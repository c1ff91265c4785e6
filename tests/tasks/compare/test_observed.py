"""Comparisons on observations that are seen in part: against scores of the same, and against SciPy."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import polars as pl
import pytest
from scipy import stats

import nll
from nll.errors import DataError, UsageError

RNG = np.random.default_rng(11)
N = 60
TIME = RNG.weibull(1.3, N) * 2.0
EVENT = (RNG.random(N) < 0.7).astype(int)
TABLE = pl.DataFrame({"t": TIME, "e": EVENT, "u": TIME + 0.5, "low": np.minimum(0.1, TIME), "c": np.arange(N) // 5})
MODELS: dict[str, Any] = {"e": nll.Exponential(rate=0.5), "w": nll.Exponential(rate=0.7)}  # one kernel for both
SEEN = {
    "right": (nll.censored("t", "e"), nll.censored(TIME, EVENT)),
    "interval": (nll.interval("t", "u"), nll.interval(TIME, TIME + 0.5)),
    "truncated": (nll.truncated("t", low="low"), nll.truncated(TIME, low=TABLE["low"].to_numpy())),
    "both": (nll.truncated(nll.censored("t", "e"), high=99.0), nll.truncated(nll.censored(TIME, EVENT), high=99.0)),
}


@pytest.mark.parametrize("kind", SEEN)
def test_losses_and_differences_are_those_of_scores(kind: str) -> None:
    named, arrays = SEEN[kind]
    found = nll.compare(named, MODELS, TABLE, reference="e", progress=False)
    rows = {name: nll.rows(arrays, dist) for name, dist in MODELS.items()}
    d = rows["w"] - rows["e"]
    assert found["w"].difference == pytest.approx(d.mean(), rel=1e-13)
    assert found["w"].stderr == pytest.approx(d.std(ddof=1) / math.sqrt(N), rel=1e-12)
    for name, dist in MODELS.items():
        assert found[name].score.sum == nll.score(arrays, dist).sum
    of_arrays = nll.compare(arrays, MODELS, reference="e")
    assert of_arrays["w"].difference == found["w"].difference
    swapped = nll.compare(named, dict(reversed(MODELS.items())), TABLE, reference="w", progress=False)
    assert (swapped["e"].difference, swapped["e"].stderr) == (-found["w"].difference, found["w"].stderr)


def test_censored_losses_are_scipys() -> None:
    found = nll.compare(nll.censored("t", "e"), MODELS, TABLE, reference="e", progress=False)
    dist = stats.expon(scale=1.0 / 0.7)
    loss = -np.where(EVENT == 1, dist.logpdf(TIME), dist.logsf(TIME))
    assert found["w"].score.sum == pytest.approx(loss.sum(), rel=1e-12)


def test_groups_clusters_weights_and_the_baseline_go_with_them() -> None:
    found = nll.compare(nll.censored("t", "e"), MODELS, TABLE, cluster="c", baseline=True, progress=False)
    assert found["w"].score.clusters == 12
    fit = nll.fit(nll.censored(TIME, EVENT), nll.Exponential)
    assert found["baseline"].score.sum == pytest.approx(fit.nll, rel=1e-9)
    assert found["w"].skill == pytest.approx(1.0 - found["w"].score.sum / fit.nll, rel=1e-9)
    counted = nll.compare(nll.binned([0.0, 1.0, 2.0, math.inf], [3, 4, 5]), MODELS, baseline=True)
    assert counted["e"].score.weight == 12.0
    assert counted["e"].score.sum == nll.score(nll.binned([0.0, 1.0, 2.0, math.inf], [3, 4, 5]), MODELS["e"]).sum
    with pytest.raises(UsageError, match="counts of bins are the weights"):
        nll.compare(nll.binned([0.0, 1.0, 2.0], [3, 4]), MODELS, sample_weight=[1.0, 2.0])


def test_a_baseline_of_rows_without_the_missing_knows_what_is_censored() -> None:
    holed = TABLE.with_columns(t=pl.when(pl.int_range(pl.len()) == 4).then(None).otherwise(pl.col("t")))
    found = nll.compare(nll.censored("t", "e"), MODELS, holed, baseline=True, missing="drop", progress=False)
    use = np.arange(N) != 4
    fit = nll.fit(nll.censored(TIME[use], EVENT[use]), nll.Exponential)
    assert found["baseline"].score.sum == pytest.approx(fit.nll, rel=1e-9)
    assert found["e"].score.missing == 1


def test_counts_compare_with_densities_on_intervals() -> None:
    y = RNG.poisson(4.0, 100).astype(float)
    found = nll.compare(
        nll.interval(y - 1.0, y), {"p": nll.Poisson(rate=4.0), "n": nll.Normal(4.0, 2.0)}, reference="p"
    )
    normal = -np.log(stats.norm.cdf(y, 4.0, 2.0) - stats.norm.cdf(y - 1.0, 4.0, 2.0))
    poisson = -stats.poisson.logpmf(y, 4.0)
    assert found["n"].difference == pytest.approx((normal - poisson).mean(), rel=1e-9)
    exact = nll.interval(np.r_[y - 1.0, 3.0], np.r_[y, 3.0])
    with pytest.raises(UsageError, match="row 100 is an exact value among intervals"):
        nll.compare(exact, {"p": nll.Poisson(rate=4.0), "n": nll.Normal(4.0, 2.0)})


def test_wrong_events_and_columns_are_named() -> None:
    with pytest.raises(DataError, match=r"u must be 1 \(seen\) or 0 \(censored\); row 0"):
        nll.compare(nll.censored("t", "u"), MODELS, TABLE, progress=False)
    with pytest.raises(UsageError, match="'zz'"):
        nll.compare(nll.censored("t", "zz"), MODELS, TABLE, progress=False)


def test_fits_of_censored_rows_compare() -> None:
    fits = [nll.fit(nll.censored(TIME, EVENT), family) for family in (nll.Exponential, nll.Weibull, nll.LogNormal)]
    found = nll.compare(*fits)
    ratio = 2.0 * (fits[0].nll - fits[1].nll)
    assert found["Exponential"].test is not None
    assert nll.lrt(fits[0], fits[1]).p_value == pytest.approx(stats.chi2.sf(ratio, 1), rel=1e-9)
    m = fits[1].row_losses() - fits[2].row_losses()
    t = nll.vuong(fits[2], fits[1])
    assert t.z == pytest.approx(m.sum() / math.sqrt(N * m.var()), rel=1e-9)
    assert 0.0 < t.p_distinguishable < 1.0
    # Exponential: the gradient of a row is t - event / rate; the Hessian in all sum(event) / rate**2.
    rate = EVENT.sum() / TIME.sum()
    g = TIME - EVENT / rate
    assert found["Exponential"].tic == pytest.approx(
        2.0 * fits[0].nll + 2.0 * (g @ g) * rate**2 / EVENT.sum(), rel=1e-9
    )
    assert fits[0].row_gradients()[:, 0] == pytest.approx(g, abs=1e-9)


def test_fits_to_what_was_seen_otherwise_are_refused() -> None:
    censored = nll.fit(nll.censored(TIME, EVENT), nll.Exponential)
    with pytest.raises(DataError, match=f"censored in different ways in {int((EVENT == 0).sum())} of {N} rows"):
        nll.compare(censored, nll.fit(TIME, nll.Weibull))
    cut = nll.fit(nll.truncated(TIME, high=50.0), nll.Exponential)
    with pytest.raises(DataError, match="truncated in different ways"):
        nll.compare(cut, nll.fit(TIME, nll.Weibull))
    everything = nll.fit(nll.censored(TIME, np.ones(N)), nll.Exponential)
    assert nll.compare(everything, nll.fit(TIME, nll.Weibull)).n == N


def test_what_goes_over_the_data_again_knows_what_is_censored() -> None:
    alone = nll.fit(nll.censored(TIME[::2], EVENT[::2]), nll.Exponential)
    group = nll.fit(nll.censored(TIME, EVENT), nll.Exponential, by=np.arange(N) % 2)[0]
    assert group.ci(0.9, "profile")["rate"] == pytest.approx(alone.ci(0.9, "profile")["rate"], rel=1e-7)
    assert group.row_losses() == pytest.approx(alone.row_losses(), rel=1e-9)
    low, high = alone.ci(0.9, "bootstrap", replicates=40, rng=1)["rate"]
    assert low < alone.params["rate"] < high
    assert alone.params["rate"] == pytest.approx(EVENT[::2].sum() / TIME[::2].sum(), rel=1e-6)
    with pytest.raises(UsageError, match="needs values that are seen"):
        alone.goodness()
    held = nll.cross_validate(nll.censored(TIME, EVENT), nll.Exponential, k=3, seed=1)
    for part in range(3):
        out = held.fold == part
        rate = EVENT[~out].sum() / TIME[~out].sum()
        assert held.losses[out] == pytest.approx(rate * TIME[out] - EVENT[out] * math.log(rate), rel=1e-8)

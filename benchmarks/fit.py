"""Maximum-likelihood fits, standard errors included: one sample, censored, by groups, out of core; against peers.

Peers run with their defaults and, where they know it, the location at 0. A peer's negative log-likelihood at the end of
its fit stands beside ours: a quick one that did not reach the maximum is seen to be so.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import polars as pl

import nll
from benchmarks.report import Table, Target, compared, figures, time_text
from benchmarks.setting import Setting
from benchmarks.timing import LEAST_RUNS, Work, alternate, timed
from nll.tasks.fit import problem

ROWS = 1_000_000
GROUPS, EACH, TRIED = 10_000, 100, 50
FILE = 20_000_000
LONG = 3.0  # seconds; a call that takes longer is timed once
WARM = 2_000  # rows of a first call, which compiles
SHORT = 0.01  # nats above our minimum from which on a peer has not reached it
STUDENT_SCIPY, STUDENT_IMINUIT, OTHERS, CENSORED, GROUPED, READ = 600.0, 150.0, 10.0, 20.0, 200.0, 1.5

Array = npt.NDArray[Any]


class Peer(NamedTuple):
    """A way to fit rows, which is timed, and the negative log-likelihood of rows under what it returns."""

    fit: Callable[[Array], Any]
    loss: Callable[[Array, Any], float]


@dataclass(frozen=True, slots=True)
class Case:
    """A sample and who fits it.

    Attributes
    ----------
    truth : the distribution that is sampled.
    peers : those that have the family, by name.
    """

    truth: Any
    peers: dict[str, Peer]


def scipy_fit(name: str, **options: Any) -> Peer:
    """Return SciPy's fit of a distribution."""
    from scipy import stats

    family = getattr(stats, name)
    return Peer(lambda y: family.fit(y, **options), lambda y, theta: -float(family.logpdf(y, *theta).sum()))


def iminuit_fit(name: str, start: Callable[[Array], dict[str, float]]) -> Peer:
    """Return iminuit's MIGRAD and HESSE on the density of numba_stats; `start` names the parameters in its order."""
    from iminuit import Minuit
    from iminuit.cost import UnbinnedNLL

    density: Any = import_module(f"numba_stats.{name}").logpdf

    def run(y: Array) -> Any:
        begin = start(y)
        cost: Any = UnbinnedNLL(y, density, log=True, name=tuple(begin))
        values: dict[str, Any] = dict(begin)
        search = Minuit(cost, **values)
        for parameter in begin:
            if parameter == "loc" and begin["loc"] == 0.0:
                search.fixed[parameter] = True
            elif parameter != "loc":
                search.limits[parameter] = (1e-8, None)
        search.migrad()
        search.hesse()
        return search

    return Peer(run, lambda y, search: -float(density(y, *search.values).sum()))


def lifelines_fit(name: str) -> Peer:
    import lifelines

    family = getattr(lifelines, name)
    return Peer(lambda y: family().fit(y), lambda _, fit: -float(fit.log_likelihood_))


def statsmodels_fit(module: str, name: str) -> Peer:
    """Return the fit of a regression of statsmodels with a constant only."""
    model = getattr(import_module(f"statsmodels.{module}"), name)
    return Peer(lambda y: model(y, np.ones_like(y)).fit(disp=0), lambda _, fit: -float(fit.llf))


def cases() -> list[Case]:
    """Return the families of the comparison, StudentT first."""
    student = iminuit_fit("t", lambda y: {"df": 5.0, "loc": float(np.median(y)), "scale": float(np.std(y))})
    gamma = iminuit_fit("gamma", _gamma_start)
    lognormal = iminuit_fit("lognorm", _lognormal_start)
    shares = statsmodels_fit("othermod.betareg", "BetaModel")
    counts = statsmodels_fit("discrete.discrete_model", "NegativeBinomial")
    return [
        Case(nll.StudentT(4.2, 1.5, 2.5), {"SciPy": scipy_fit("t"), "iminuit + numba_stats": student}),
        Case(
            nll.Weibull(scale=2.0, concentration=1.7),
            {"SciPy": scipy_fit("weibull_min", floc=0), "lifelines": lifelines_fit("WeibullFitter")},
        ),
        Case(nll.Gamma(2.5, 0.7), {"SciPy": scipy_fit("gamma", floc=0), "iminuit + numba_stats": gamma}),
        Case(
            nll.Beta(2.0, 5.0),
            {
                "SciPy": scipy_fit("beta", floc=0, fscale=1),
                "statsmodels": shares,
            },
        ),
        Case(
            nll.NegativeBinomial(mean=4.0, dispersion=0.5),
            {"statsmodels": counts},
        ),
        Case(
            nll.LogNormal(0.5, 0.8),
            {
                "SciPy": scipy_fit("lognorm", floc=0),
                "iminuit + numba_stats": lognormal,
                "lifelines": lifelines_fit("LogNormalFitter"),
            },
        ),
        Case(nll.Gumbel(3.0, 2.0), {"SciPy": scipy_fit("gumbel_r")}),
        Case(nll.GEV(3.0, 2.0, 0.1), {"SciPy": scipy_fit("genextreme")}),
        Case(nll.GeneralizedPareto(scale=2.0, shape=0.2), {"SciPy": scipy_fit("genpareto", floc=0)}),
        Case(nll.InverseGaussian(2.0, 3.0), {"SciPy": scipy_fit("invgauss", floc=0)}),
    ]


def _gamma_start(y: Array) -> dict[str, float]:
    mean, variance = float(np.mean(y)), float(np.var(y))
    return {"a": mean**2 / variance, "loc": 0.0, "scale": variance / mean}


def _lognormal_start(y: Array) -> dict[str, float]:
    return {"s": 1.0, "loc": 0.0, "scale": float(np.median(y))}


def run(setting: Setting) -> list[Table]:
    return [_samples(setting), _censored(setting), _groups(setting), _file(setting)]


def _samples(setting: Setting) -> Table:
    n = setting.rows(ROWS)
    head = ("family", "nll", "peer", "its time", "time / nll", "its NLL − ours", "target")
    table = Table(f"One sample, {setting.size(ROWS)}, all parameters free, standard errors included", head)
    for case in cases():
        family = type(case.truth)
        y = case.truth.sample(n, 11)
        ours = Work("nll", lambda y=y, family=family: nll.fit(y, family), value=lambda f: f.nll)
        peers = [
            Work(name, lambda y=y, peer=peer: peer.fit(y), value=lambda found, y=y, peer=peer: peer.loss(y, found))
            for name, peer in case.peers.items()
        ]
        for peer in case.peers.values():
            peer.fit(y[:WARM])
        race([ours, *peers])
        _enter(table, family.__name__, ours, peers)
    table.notes = [
        f"A peer that takes more than {LONG:g} s is timed once, after a call on {WARM:,} rows, which compiles.",
        "SciPy gives parameters only; iminuit (MIGRAD and HESSE), lifelines and statsmodels give standard errors too.",
        "Peers that have no such family, or none that a fit of plain rows can use, are not in the table.",
    ]
    return table


def _enter(table: Table, name: str, ours: Work, peers: list[Work]) -> None:
    """Add the peers of one family; the target is against the quickest, and for StudentT against each."""
    quickest = min(peers, key=lambda w: w.median)
    for peer in peers:
        asked = OTHERS if peer is quickest else None
        if name == "StudentT":
            asked = STUDENT_SCIPY if peer.name == "SciPy" else STUDENT_IMINUIT
        target = None
        if asked is not None:
            target = at_least(f"{name} ≥ {asked:g} × {peer.name}", asked, ours, peer)
            table.targets.append(target)
        surplus = (peer.found or 0.0) - (ours.found or 0.0)
        worse = " (**not the maximum**)" if surplus > SHORT else ""
        ratio = f"{figures(peer.median / ours.median)} ({figures(peer.fastest / ours.fastest)})"
        cells = (time_text(ours.median), peer.name, time_text(peer.median), ratio, f"{surplus:.2g}{worse}")
        table.rows.append((name, *cells, "" if target is None else str(target)))


def at_least(asked: str, least: float, ours: Work, peer: Work) -> Target:
    """Return the target of a ratio, met by medians and by the fastest runs."""
    ratio, fastest = peer.median / ours.median, peer.fastest / ours.fastest
    met = [r >= least for r in (ratio, fastest)]
    return Target(asked, f"{figures(ratio)} (fastest {figures(fastest)})", met[0] if met[0] == met[1] else None)


def race(works: list[Work]) -> None:
    """Time works in turn; those that take long once only."""
    quick: list[Work] = []
    for work in works:
        work.first, result = timed(work.call)
        work.found = work.value(result)
        if work.first > LONG and work is not works[0]:
            work.runs = [work.first]
        else:
            quick.append(work)
    alternate(quick, seconds=1.0)


def _censored(setting: Setting) -> Table:
    import lifelines

    rng = np.random.default_rng(5)
    n = setting.rows(ROWS)
    life, end = 10.0 * rng.weibull(1.5, n), rng.uniform(2.0, 25.0, n)
    time, event = np.minimum(life, end), life <= end
    works = [
        Work("nll.fit(nll.censored(time, event), nll.Weibull)", lambda: _fit_censored(time, event), value=_loss),
        Work(
            "lifelines WeibullFitter",
            lambda: lifelines.WeibullFitter().fit(time, event),
            at_least=CENSORED,
            value=lambda f: -f.log_likelihood_,
        ),
    ]
    race(works)
    share = f"{1.0 - event.mean():.0%} of the rows are censored on the right."
    return compared(f"Censored Weibull, {setting.size(ROWS)}", works, [share])


def _fit_censored(time: Array, event: Array) -> Any:
    return nll.fit(nll.censored(time, event), nll.Weibull)


def _loss(fit: Any) -> float:
    return fit.nll


def _groups(setting: Setting) -> Table:
    from scipy import stats

    groups = max(TRIED, int(GROUPS * setting.scale))
    head = (
        "family",
        "nll by=",
        "SciPy, each",
        "SciPy, all",
        "time / nll",
        "SciPy's NLL higher",
        "target",
    )
    table = Table(f"By groups: {groups:,} of {EACH} rows", head)
    several: tuple[Any, ...] = (
        (nll.Weibull(scale=2.0, concentration=1.7), stats.weibull_min, {"floc": 0}),
        (nll.Gamma(2.5, 0.7), stats.gamma, {"floc": 0}),
        (nll.StudentT(4.2, 1.5, 2.5), stats.t, {}),
    )
    codes = np.repeat(np.arange(groups), EACH)
    for truth, theirs, options in several:
        family = type(truth)
        y = truth.sample(groups * EACH, 3)
        ours = Work("nll", lambda y=y, family=family: nll.fit(y, family, by=codes, throw=False), value=lambda _: None)
        rows = y[: TRIED * EACH].reshape(TRIED, EACH)
        peer = Work("SciPy", lambda rows=rows, f=theirs, o=options: [f.fit(row, **o) for row in rows])
        peer.value = lambda _: None
        race([ours, peer])
        fits = ours.call()
        losses = [-theirs.logpdf(row, *theta).sum() for row, theta in zip(rows, peer.call(), strict=True)]
        higher = sum(loss > fits[key].nll + 1e-6 for loss, key in zip(losses, range(TRIED), strict=True))
        peer.runs = [run * groups / TRIED for run in peer.runs]
        target = at_least(f"{family.__name__} by groups ≥ {GROUPED:g} ×", GROUPED, ours, peer)
        table.targets.append(target)
        times = time_text(ours.median), time_text(peer.median / groups), time_text(peer.median)
        ratio = figures(peer.median / ours.median)
        table.rows.append((family.__name__, *times, ratio, f"{higher} of {TRIED}", str(target)))
    table.notes = [f"SciPy is timed on {TRIED} groups, and the time of all follows in proportion."]
    return table


def _file(setting: Setting) -> Table:
    """Time the fit of a Parquet file kept in memory, and one that is read again in every pass."""
    path = setting.folder / "fit.parquet"
    gamma: Any = nll.Gamma(2.5, 0.7)
    pl.DataFrame({"y": gamma.sample(setting.rows(FILE), 2)}).write_parquet(path)
    lazy = pl.scan_parquet(path)
    kept = problem.BYTES_KEPT
    passes: list[int] = []

    def again() -> Any:
        problem.BYTES_KEPT = 0
        try:
            found = nll.fit("y", nll.Gamma, data=path)
        finally:
            problem.BYTES_KEPT = kept
        passes.append(found.passes)
        return found

    def decode() -> None:
        for _ in range(passes[-1]):
            for _ in lazy.select("y").collect_batches(maintain_order=True, engine="streaming"):
                pass

    works = [
        Work("nll.fit, the file read again in every pass", again, value=_loss),
        Work("nll.fit, the rows kept in memory", lambda: nll.fit("y", nll.Gamma, data=path), value=_loss),
        Work("decode alone, as many times", decode, at_most=READ, value=lambda _: None),
    ]
    race(works)
    path.unlink()
    assert kept == problem.BYTES_KEPT
    limit = f"{kept / 2**30:g} GiB"
    notes = [
        f"{passes[-1]} passes. Rows of more than {limit} are read again; the first line does so with fewer.",
        "The loop of the decoding reads through the batches that nll reads, and drops them.",
    ]
    return compared(f"Out of core: Gamma, {setting.size(FILE)} in Parquet, {LEAST_RUNS} runs at least", works, notes)

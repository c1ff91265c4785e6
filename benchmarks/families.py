"""Log-densities of arrays in memory with parameters for each row, and with one set of parameters for all."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any

import numpy as np
import numpy.typing as npt

import nll
from benchmarks.limit import NAME, THREADS, reader
from benchmarks.report import Table, compared
from benchmarks.setting import Setting
from benchmarks.timing import Work, alternate
from nll.families import families

ROWS = 5_000_000
OURS = "nll.score: exact sum, standard error"
PEER, SCIPY = 3.0, 10.0  # how many times as fast

Array = npt.NDArray[Any]
Call = Callable[[], Any]
# (y, parameters of nll; the calls of SciPy, torch.distributions and scoringrules; of numba_stats with the parameters
# of the first row, where it has the family)
Case = tuple[Array, dict[str, Array], Call, Call, Call, Call | None]


def run(setting: Setting) -> list[Table]:
    import torch

    torch.set_num_threads(THREADS)
    n = setting.rows(ROWS)
    cases = {
        "Normal": _normal,
        "StudentT": _student,
        "Poisson": _poisson,
        "Gamma": _gamma,
        "NegativeBinomial": _negative_binomial,
    }
    tables: list[Table] = []
    for name, case in cases.items():
        if name in families():
            tables += _tables(name, setting, case(n, np.random.default_rng(3)))
        else:
            tables.append(Table(f"{name}: not in this version"))
    return tables


def _tables(name: str, setting: Setting, case: Case) -> list[Table]:
    y, theta, scipy, torch, scoringrules, numba_stats = case
    family: Any = families()[name]
    works = [
        Work(OURS, lambda: nll.score(y, family(**theta)), value=lambda s: s.sum),
        Work(NAME, reader(y, *theta.values())),
        Work("SciPy", scipy, SCIPY, value=_negative),
        Work("torch.distributions", torch, PEER, value=_negative),
        Work("scoringrules", scoringrules, PEER, value=float),
    ]
    alternate(works, seconds=2.0)
    tables = [compared(f"{name}, parameters for each row, {setting.size(ROWS)}", works)]
    if numba_stats is not None:
        first = {parameter: float(values[0]) for parameter, values in theta.items()}
        works = [
            Work(OURS, lambda: nll.score(y, family(**first)), value=lambda s: s.sum),
            Work(NAME, reader(y)),
            Work("numba_stats (takes no arrays of parameters)", numba_stats, PEER, value=_negative),
        ]
        alternate(works, seconds=2.0)
        tables.append(compared(f"{name}, one set of parameters, {setting.size(ROWS)}", works))
    return tables


def _negative(total: Any) -> float:
    return -float(total)


def _numba_stats(name: str) -> Any:
    return import_module(f"numba_stats.{name}")


def _tensors(*arrays: Array) -> list[Any]:
    import torch

    return [torch.from_numpy(np.asarray(a, np.float64)) for a in arrays]


def _normal(n: int, rng: np.random.Generator) -> Case:
    import scoringrules
    import torch
    from scipy import stats

    loc, scale = rng.normal(size=n), rng.uniform(0.5, 2.0, n)
    y = rng.normal(loc, scale)
    y_t, loc_t, scale_t = _tensors(y, loc, scale)
    one = loc[0], scale[0]
    return (
        y,
        {"loc": loc, "scale": scale},
        lambda: stats.norm.logpdf(y, loc, scale).sum(),
        lambda: torch.distributions.Normal(loc_t, scale_t, validate_args=False).log_prob(y_t).sum(),
        lambda: scoringrules.logs_normal(y, loc, scale).sum(),
        lambda: _numba_stats("norm").logpdf(y, *one).sum(),
    )


def _student(n: int, rng: np.random.Generator) -> Case:
    import scoringrules
    import torch
    from scipy import stats

    df, loc, scale = rng.uniform(2.5, 30.0, n), rng.normal(size=n), rng.uniform(0.5, 2.0, n)
    y = loc + scale * rng.standard_t(df)
    y_t, df_t, loc_t, scale_t = _tensors(y, df, loc, scale)
    one = df[0], loc[0], scale[0]
    return (
        y,
        {"df": df, "loc": loc, "scale": scale},
        lambda: stats.t.logpdf(y, df, loc, scale).sum(),
        lambda: torch.distributions.StudentT(df_t, loc_t, scale_t, validate_args=False).log_prob(y_t).sum(),
        lambda: scoringrules.logs_t(y, df, loc, scale).sum(),
        lambda: _numba_stats("t").logpdf(y, *one).sum(),
    )


def _poisson(n: int, rng: np.random.Generator) -> Case:
    import scoringrules
    import torch
    from scipy import stats

    rate = rng.gamma(2.0, 5.0, n) + 0.01
    y = rng.poisson(rate)
    y_t, rate_t = _tensors(y, rate)
    one = rate[0]
    return (
        y,
        {"rate": rate},
        lambda: stats.poisson.logpmf(y, rate).sum(),
        lambda: torch.distributions.Poisson(rate_t, validate_args=False).log_prob(y_t).sum(),
        lambda: scoringrules.logs_poisson(y, rate).sum(),
        lambda: _numba_stats("poisson").logpmf(y, one).sum(),
    )


def _gamma(n: int, rng: np.random.Generator) -> Case:
    import scoringrules
    import torch
    from scipy import stats

    concentration, rate = rng.uniform(0.5, 20.0, n), rng.uniform(0.5, 2.0, n)
    y = rng.gamma(concentration) / rate
    y_t, concentration_t, rate_t = _tensors(y, concentration, rate)
    scale = 1.0 / rate
    one = concentration[0], 0.0, scale[0]
    return (
        y,
        {"concentration": concentration, "rate": rate},
        lambda: stats.gamma.logpdf(y, concentration, scale=scale).sum(),
        lambda: torch.distributions.Gamma(concentration_t, rate_t, validate_args=False).log_prob(y_t).sum(),
        lambda: scoringrules.logs_gamma(y, concentration, rate).sum(),
        lambda: _numba_stats("gamma").logpdf(y, *one).sum(),
    )


def _negative_binomial(n: int, rng: np.random.Generator) -> Case:
    import scoringrules
    import torch
    from scipy import stats

    mean, dispersion = rng.gamma(2.0, 5.0, n) + 0.01, rng.uniform(0.05, 2.0, n)
    count, success = 1.0 / dispersion, 1.0 / (1.0 + dispersion * mean)
    y = rng.negative_binomial(count, success)
    y_t, count_t, failure_t = _tensors(y, count, 1.0 - success)
    return (
        y,
        {"mean": mean, "dispersion": dispersion},
        lambda: stats.nbinom.logpmf(y, count, success).sum(),
        lambda: torch.distributions.NegativeBinomial(count_t, failure_t, validate_args=False).log_prob(y_t).sum(),
        lambda: scoringrules.logs_negbinom(y, count, success).sum(),
        None,
    )

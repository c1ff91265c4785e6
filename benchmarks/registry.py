"""Every family of the registry, 2 M rows with parameters for each row: against peers, and its first use.

A new family is in the table without an entry here: its parameters are drawn by their constraints, its call of SciPy
is that of its `scipy`, and torch.distributions takes the same names. Only what differs is written down below.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import numpy.typing as npt

import nll
from benchmarks.limit import THREADS
from benchmarks.report import SAME, Table, Target, figures, most, time_text
from benchmarks.setting import Setting
from benchmarks.timing import Work, alternate
from nll.families import families
from nll.families.constraints import Constraint

ROWS = 2_000_000
FEW, MANY = 1_000, 1_000_000  # rows of a first use: below and above the number for which kernels are compiled
SCIPY, PEER, NOT_SLOWER = 10.0, 3.0, 1.0  # how many times as fast: medians over families, and each
FIRST, CACHED = 0.5, 0.1  # seconds of a first use in a fresh process
SECONDS = 1.0

Array = npt.NDArray[Any]
Theta = dict[str, Array]

# Where parameters are drawn from, if the ranges of their constraints (`_drawn`) are not usual values.
RANGES: dict[tuple[str, str], tuple[float, float]] = {
    ("StudentT", "df"): (2.5, 30.0),
    ("Gamma", "concentration"): (0.5, 20.0),
    ("InverseGamma", "concentration"): (1.5, 10.0),
    ("GEV", "shape"): (-0.3, 0.5),
    ("GeneralizedPareto", "shape"): (-0.3, 0.5),
    ("NegativeBinomial", "mean"): (0.5, 40.0),
    ("NegativeBinomial", "dispersion"): (0.05, 2.0),
    ("Poisson", "rate"): (0.5, 40.0),
    ("VonMises", "loc"): (-3.0, 3.0),
    ("VonMises", "concentration"): (0.5, 8.0),
    ("Uniform", "low"): (-3.0, -1.0),
    ("Uniform", "high"): (1.0, 3.0),
}

# The parameters of torch's distributions of the same name, where they are other ones.
TORCH: dict[str, Callable[..., Theta]] = {
    "NegativeBinomial": lambda mean, dispersion: {
        "total_count": 1.0 / dispersion,
        "probs": dispersion * mean / (1.0 + dispersion * mean),
    },
}

SINGLE = {"GeneralizedPareto"}  # torch's takes single precision only

# scoringrules: the end of the function's name, and its arguments.
SCORINGRULES: dict[str, tuple[str, Callable[..., tuple[Any, ...]]]] = {
    "Beta": ("beta", lambda concentration1, concentration0: (concentration1, concentration0)),
    "Binomial": ("binomial", lambda total_count, probs: (total_count, probs)),
    "Exponential": ("exponential", lambda rate: (rate,)),
    "GEV": ("gev", lambda loc, scale, shape: (shape, loc, scale)),
    "Gamma": ("gamma", lambda concentration, rate: (concentration, rate)),
    "GeneralizedPareto": ("gpd", lambda scale, shape: (shape, 0.0, scale)),
    "Laplace": ("laplace", lambda loc, scale: (loc, scale)),
    "LogLogistic": ("loglogistic", lambda scale, shape: (np.log(scale), 1.0 / shape)),
    "LogNormal": ("lognormal", lambda loc, scale: (loc, scale)),
    "Logistic": ("logistic", lambda loc, scale: (loc, scale)),
    "NegativeBinomial": (
        "negbinom",
        lambda mean, dispersion: (1.0 / dispersion, 1.0 / (1.0 + dispersion * mean)),
    ),
    "Normal": ("normal", lambda loc, scale: (loc, scale)),
    "Poisson": ("poisson", lambda rate: (rate,)),
    "StudentT": ("t", lambda df, loc, scale: (df, loc, scale)),
    "Uniform": ("uniform", lambda low, high: (low, high)),
}

# numba_stats: the module, and its arguments, one set of parameters for all rows. Its binom wants arrays of trials.
NUMBA_STATS: dict[str, tuple[str, Callable[..., tuple[Any, ...]]]] = {
    "Exponential": ("expon", lambda rate: (0.0, 1.0 / rate)),
    "Gamma": ("gamma", lambda concentration, rate: (concentration, 0.0, 1.0 / rate)),
    "Laplace": ("laplace", lambda loc, scale: (loc, scale)),
    "LogNormal": ("lognorm", lambda loc, scale: (scale, 0.0, float(np.exp(loc)))),
    "Normal": ("norm", lambda loc, scale: (loc, scale)),
    "Poisson": ("poisson", lambda rate: (rate,)),
    "SkewNormal": ("skewnorm", lambda loc, scale, shape: (shape, loc, scale)),
    "StudentT": ("t", lambda df, loc, scale: (df, loc, scale)),
    "Uniform": ("uniform", lambda low, high: (low, high - low)),
}

PEERS = ("SciPy", "torch", "scoringrules", "numba_stats")


@dataclass(slots=True)
class Ratios:
    """How many times as long peers took, by family; a peer whose total is another one is marked."""

    name: str
    ours: float
    rows: dict[str, float] = field(default_factory=dict)
    wrong: set[str] = field(default_factory=set)

    def cell(self, peer: str) -> str:
        if peer not in self.rows:
            return ""
        return figures(self.rows[peer]) + (" (another sum)" if peer in self.wrong else "")


def run(setting: Setting) -> list[Table]:
    import torch

    torch.set_num_threads(THREADS)
    n = setting.rows(ROWS)
    found: list[Ratios] = []
    uses: list[tuple[str, list[float]]] = []
    for name, family in families().items():
        if family.event:  # rows of numbers: `categorical.py` has one, and SciPy's other takes one matrix only
            continue
        rng = np.random.default_rng(3)
        theta = {p: _drawn(name, p, constraint, n, rng) for p, constraint in family.parameters.items()}
        y = _observations(family, theta, rng)
        found.append(_against_peers(family, y, theta))
        uses.append((name, _first_uses(name, y, theta, setting)))
    return [_speed(found, setting), _use(uses, setting)]


def _drawn(name: str, parameter: str, constraint: type[Constraint], n: int, rng: np.random.Generator) -> Array:
    if constraint.discrete:
        return rng.integers(5, 40, n).astype(np.float64)
    usual = (0.05, 0.95) if constraint.high == 1.0 else (0.5, 3.0) if constraint.low == 0.0 else (-2.0, 2.0)
    return rng.uniform(*RANGES.get((name, parameter), usual), n)


def _observations(family: Any, theta: Theta, rng: np.random.Generator) -> Array:
    """Return a sample, by the family's own way or by SciPy's."""
    n = next(iter(theta.values())).size
    with np.errstate(all="ignore"):
        if family.sample is not None:
            y = family.sample(rng, (n,), *theta.values())
        elif family.scipy is not None:
            name, arguments = family.scipy(*theta.values())
            y = getattr(import_module("scipy.stats"), name).rvs(**arguments, size=n, random_state=rng)
        else:
            few = family(**{parameter: values[:FEW] for parameter, values in theta.items()})
            y = np.resize(few.quantile(rng.uniform(size=min(FEW, n))), n)
    return np.asarray(y).astype(np.int64) if family.observations.discrete else np.asarray(y, np.float64)


def _against_peers(family: Any, y: Array, theta: Theta) -> Ratios:
    """Time a family and its peers in turn; those that take one set of parameters against ourselves with one."""
    ours = Work("nll", lambda: nll.score(y, family(**theta)), value=lambda s: s.sum)
    works = [ours, *(w for make in (_scipy, _torch, _scoringrules) if (w := make(family, y, theta)) is not None)]
    alternate(works, seconds=SECONDS)
    out = Ratios(family.__name__, ours.median)
    _compare(out, works)
    if (peer := _numba_stats(family.__name__, y, theta)) is not None:
        first = {name: float(values[0]) for name, values in theta.items()}
        works = [Work("nll", lambda: nll.score(y, family(**first)), value=lambda s: s.sum), peer]
        alternate(works, seconds=SECONDS)
        _compare(out, works)
    return out


def _compare(out: Ratios, works: list[Work]) -> None:
    ours, *peers = works
    for peer in peers:
        out.rows[peer.name] = peer.median / ours.median
        if peer.found is not None and ours.found is not None and not _same(peer.found, ours.found):
            out.wrong.add(peer.name)


def _same(a: float, b: float) -> bool:
    return a == b or abs(a - b) <= SAME * max(abs(a), abs(b))


def _minus(total: Any) -> float:
    return -float(total)


def _scipy(family: Any, y: Array, theta: Theta) -> Work | None:
    if family.scipy is None:
        return None
    from scipy import stats

    name, arguments = family.scipy(*theta.values())
    log_density = getattr(getattr(stats, name), "logpmf" if family.observations.discrete else "logpdf")
    return Work("SciPy", lambda: log_density(y, **arguments).sum(), value=_minus)


def _torch(family: Any, y: Array, theta: Theta) -> Work | None:
    import torch

    distribution = getattr(torch.distributions, family.__name__, None)
    if distribution is None or family.__name__ in SINGLE:
        return None
    arguments = TORCH.get(family.__name__, dict)(**theta)
    tensors = {name: torch.from_numpy(np.ascontiguousarray(values)) for name, values in arguments.items()}
    y_t = torch.from_numpy(y.astype(np.float64))
    return Work("torch", lambda: distribution(**tensors, validate_args=False).log_prob(y_t).sum(), value=_minus)


def _scoringrules(family: Any, y: Array, theta: Theta) -> Work | None:
    if family.__name__ not in SCORINGRULES:
        return None
    name, arguments = SCORINGRULES[family.__name__]
    score, values = getattr(import_module("scoringrules"), f"logs_{name}"), arguments(**theta)
    return Work("scoringrules", lambda: score(y, *values).sum(), value=float)


def _numba_stats(name: str, y: Array, theta: Theta) -> Work | None:
    if name not in NUMBA_STATS:
        return None
    module, arguments = NUMBA_STATS[name]
    peer = import_module(f"numba_stats.{module}")
    log_density = getattr(peer, "logpdf", None) or peer.logpmf
    values = arguments(**{k: float(v[0]) for k, v in theta.items()})
    return Work("numba_stats", lambda: log_density(y, *values).sum(), value=_minus)


def _speed(found: list[Ratios], setting: Setting) -> Table:
    head = ("family", "nll, median", *(f"{peer} / nll" for peer in PEERS))
    table = Table(f"Every family, parameters for each row, {setting.size(ROWS)}", head)
    table.rows = [(r.name, time_text(r.ours), *map(r.cell, PEERS)) for r in found]
    scipy = [r.rows["SciPy"] for r in found if "SciPy" in r.rows]
    others = [min(t for peer, t in r.rows.items() if peer != "SciPy") for r in found if {*r.rows} - {"SciPy"}]
    slowest = min(((t, f"{r.name} against {peer}") for r in found for peer, t in r.rows.items()), default=(np.inf, "-"))
    table.targets = [
        _at_least("SciPy, median over families", SCIPY, median(scipy)),
        _at_least("the best of the others, median over families", PEER, median(others)),
        _at_least(f"none slower than any; closest {slowest[1]}", NOT_SLOWER, slowest[0]),
    ]
    table.notes = [str(target) for target in table.targets]
    table.notes.append("Ratios are of medians. numba_stats takes no arrays: both with the parameters of the first row.")
    return table


def _at_least(what: str, asked: float, found: float) -> Target:
    return Target(f"{what} ≥ {asked:g} ×", figures(found), found >= asked)


CHILD = """
import sys, time
import numpy as np
import nll
path, name, n = sys.argv[1], sys.argv[2], int(sys.argv[3])
arrays = {k: v[:n].copy() for k, v in np.load(path).items()}
y = arrays.pop("y")
start = time.perf_counter()
nll.score(y, getattr(nll, name)(**arrays))
print(time.perf_counter() - start)
"""


def _first_uses(name: str, y: Array, theta: Theta, setting: Setting) -> list[float]:
    """Return the seconds of a first score in a fresh process: few rows; many, nothing cached; many, cached."""
    path = setting.folder / f"{name}.npz"
    np.savez(path, **{k: v[:MANY] for k, v in {"y": y, **theta}.items()})  # type: ignore[arg-type]
    with tempfile.TemporaryDirectory(dir=setting.folder) as cache:
        times = [_child(path, name, rows, cache) for rows in (FEW, MANY, MANY)]
    path.unlink()
    return times


def _child(path: Path, name: str, rows: int, cache: str) -> float:
    command = [sys.executable, "-c", CHILD, str(path), name, str(rows)]
    environment = {**os.environ, "NUMBA_CACHE_DIR": cache}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"first use of {name} ended with {done.returncode}: {done.stderr.strip()[-500:]}")
    return float(done.stdout)


def _use(uses: list[tuple[str, list[float]]], setting: Setting) -> Table:
    rows = min(MANY, setting.rows(ROWS))
    head = ("family", f"{FEW:,} rows", f"{rows:,} rows, nothing cached", f"{rows:,} rows, cached")
    table = Table("First score of a family in a fresh process, `import nll` not counted", head)
    table.rows = [(name, *map(time_text, times)) for name, times in uses]
    slowest = [max(times[k] for _, times in uses) for k in range(3)]
    table.targets = [
        most(f"slowest first use, {FEW:,} rows", FIRST, slowest[0], "s"),
        most(f"slowest first use, {rows:,} rows", FIRST, slowest[1], "s"),
        most(f"slowest cached first use, {rows:,} rows", CACHED, slowest[2], "s"),
    ]
    table.notes = [str(target) for target in table.targets]
    table.notes.append("Few rows run as plain Python. The second column compiles, with what all families share.")
    return table

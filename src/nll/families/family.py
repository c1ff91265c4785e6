"""What a family is: a class whose annotated fields are its parameters and whose formulas are scalar functions."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from html import escape
from importlib import import_module
from typing import Any, ClassVar, Self

import numpy as np

from nll.errors import UsageError, nearest
from nll.families import values
from nll.families.constraints import Constraint, Real
from nll.families.values import OnInstance
from nll.numerics.elementary import exp
from nll.numerics.formula import formula

# What a family defines as functions of numbers: formulas, which compile, and plain functions.
FORMULAS = (
    *("fill", "loss", "gradient", "hessian", "curvature", "inside", "ends", "consistent"),
    *("flow", "flow_gradient"),
)
ON_INSTANCE = ("log_cdf", "log_sf", "quantile", "sample", "mean", "variance", "entropy", "kl")
PLAIN = ("start", "scipy", "sample", "mean", "variance", "entropy", "kl", "shared")
REGISTRY: dict[str, type[Family]] = {}


@dataclass(frozen=True, slots=True)
class Moments:
    """What `start` may know of a sample.

    Attributes
    ----------
    mean, variance : of y, weighted where the fit is.
    log_mean, log_variance : the same of log y, NaN where some y is not positive.
    median, spread : the median and 1.4826 times the median absolute deviation.
    zeros : the share of y that are 0.
    minimum, maximum : of y.
    absolute_deviation : the mean of |y - median|.
    inverse : the mean of 1 / y, NaN where some y is not positive.
    log_one_minus : the mean of log(1 - y), NaN where some y is not below 1.
    total : the mean of `total_count`, for families that have one.
    covariance : the matrix (k, k) of rows of k numbers, whose `mean` is a vector (k,).

    Variances and covariances are those of the sample itself, divided by its weight and not by one less.
    """

    mean: float
    variance: float
    log_mean: float = np.nan
    log_variance: float = np.nan
    median: float = np.nan
    spread: float = np.nan
    zeros: float = np.nan
    minimum: float = np.nan
    maximum: float = np.nan
    absolute_deviation: float = np.nan
    inverse: float = np.nan
    log_one_minus: float = np.nan
    total: float = np.nan
    covariance: Any = None


class Family:
    """A probability distribution; an instance carries parameters: numbers, arrays, or names of columns.

    A subclass is one parametrisation. It declares

    - its parameters, in order, as annotations with a `Constraint`;
    - `observations`: what may be observed at all (another y is an error), which also says whether the family
      is discrete, and `support`: the y of positive density (another y is impossible: its loss is infinite);
      a support that depends on parameters is a formula `inside(y, *theta)`;
    - formulas, scalar functions of (y, *theta): `loss`, in nats, constants included; `gradient` and `hessian`
      (its upper triangle, row by row) in theta; `log_cdf` and `log_sf`, for y between the ends of the support, which
      are those of `support` or, where they depend on parameters, a formula `ends(*theta)`; a closed
      `quantile(log_p, log_q, *theta)`, given the logs of both tails; where it is closed, `flow`, the tuple of
      q_j = -(dF/dtheta_j) / f at y, and `flow_gradient`, the upper triangle of dq_j/dtheta_k, where q_j is the
      closed one if one of both is in `unflowed` (`intervals.py`);
    - where fits of many rows are worth it, `curvature`: loss, gradient and Hessian in one tuple, sharing their work, to
      1e-12 where it holds; its loss is NaN elsewhere, and such rows go through the three formulas;
    - plain functions of arrays: `mean`, `variance`, `entropy` of (*theta) and `sample(rng, shape, *theta)`, where there
      are better ways than the base class has; `scipy(*theta)`: the name in SciPy and its arguments;
    - `consistent(*theta)`: whether parameters that are valid each are valid together, and `together`, its words;
    - `kl(theta, other)`: the divergence of two distributions of the family, each given by its parameters, or, where
      forms differ, by what `shared(*theta)` returns;
    - `start(moments)`: parameters from which a fit begins.

    On the class these are the functions; on an instance `log_cdf(y)` and the like are values (`values.py`).

    A subclass of a family is another parametrisation of it, chosen by the names of the arguments:
    `Bernoulli(logits=z)` is an instance of the form whose parameters are called so.
    """

    parameters: ClassVar[dict[str, type[Constraint]]] = {}
    observations: ClassVar[type[Constraint]] = Real
    support: ClassVar[type[Constraint]] = Real
    forms: ClassVar[list[type[Family]]] = []
    family: ClassVar[type[Family]]
    event: ClassVar[int] = 0  # axes of one observation's parameters: 1 for a row of class probabilities
    # Parameters whose maximum is a statistic of the sample whatever the others are: "minimum", "maximum" or "median".
    edges: ClassVar[dict[str, str]] = {}
    # Parameters below which the likelihood is unbounded; a fit stays above.
    lowest: ClassVar[dict[str, float]] = {}
    together: ClassVar[str] = ""  # what `consistent` demands, in words
    simplexes: ClassVar[tuple[tuple[str, ...], ...]] = ()  # names of parameters that sum to one
    mixed: ClassVar[bool] = False  # a density, and points that have a probability of their own: `atoms`
    atoms: ClassVar[tuple[float, ...]] = ()

    fill: ClassVar[Callable[..., None] | None] = None
    loss: ClassVar[Callable[..., float] | None] = None
    gradient: ClassVar[Callable[..., tuple[float, ...]] | None] = None
    hessian: ClassVar[Callable[..., tuple[float, ...]] | None] = None
    curvature: ClassVar[Callable[..., tuple[float, ...]] | None] = None
    inside: ClassVar[Callable[..., bool] | None] = None
    ends: ClassVar[Callable[..., tuple[float, float]] | None] = None
    consistent: ClassVar[Callable[..., bool] | None] = None
    flow: ClassVar[Callable[..., tuple[float, ...]] | None] = None
    flow_gradient: ClassVar[Callable[..., tuple[float, ...]] | None] = None
    unflowed: ClassVar[tuple[str, ...]] = ()  # parameters whose flow is not closed; what `flow` has there is not read
    scipy: ClassVar[Callable[..., tuple[str, dict[str, Any]]] | None] = None
    log_cdf: ClassVar[Any] = OnInstance("log_cdf")
    log_sf: ClassVar[Any] = OnInstance("log_sf")
    quantile: ClassVar[Any] = OnInstance("quantile")
    sample: ClassVar[Any] = OnInstance("sample")
    mean: ClassVar[Any] = OnInstance("mean")
    variance: ClassVar[Any] = OnInstance("variance")
    entropy: ClassVar[Any] = OnInstance("entropy")
    kl: ClassVar[Any] = OnInstance("kl")
    shared: ClassVar[Callable[..., tuple[Any, ...]] | None] = None
    start: ClassVar[Callable[[Moments], tuple[float, ...]] | None] = None

    def __init_subclass__(cls, register: bool = True) -> None:
        annotations = inspect.get_annotations(cls, eval_str=True)
        own = {k: v for k, v in annotations.items() if isinstance(v, type) and issubclass(v, Constraint)}
        cls.parameters = own or cls.parameters
        for name in {*FORMULAS, *ON_INSTANCE, *PLAIN}:
            if inspect.isfunction(function := cls.__dict__.get(name)):
                function = function if name in PLAIN else formula(function)
                setattr(cls, name, OnInstance(name, function) if name in ON_INSTANCE else staticmethod(function))
        if Family in cls.__bases__:
            cls.family, cls.forms = cls, [cls]
            REGISTRY[cls.__name__] = cls
        elif register:
            cls.forms.append(cls)

    def __new__(cls, *args: Any, **theta: Any) -> Self:
        if cls is not cls.family:
            return super().__new__(cls)
        return super().__new__(cls.form_for(args, theta))

    def __init__(self, *args: Any, **theta: Any) -> None:
        given = {**dict(zip(self.parameters, args, strict=False)), **theta}
        # In the order of the parameters, whatever that of the arguments was: formulas take them by place.
        ordered = {name: given.pop(name) for name in self.parameters if name in given}
        self.theta: dict[str, Any] = {**ordered, **given}

    def __getnewargs_ex__(self) -> tuple[tuple[()], dict[str, Any]]:
        return (), dict(self.theta)  # a copy or an unpickled instance is made by names, as this one was

    @classmethod
    def form_for(cls, args: tuple[Any, ...], theta: Mapping[str, Any]) -> type[Self]:
        """Return the parametrisation that these arguments name."""
        for form in cls.forms:
            first = tuple(form.parameters)[: len(args)]
            if len(first) == len(args) and {*first, *theta} == set(form.parameters) and not {*first} & {*theta}:
                return form  # type: ignore[return-value]
        raise UsageError(cls._misnamed(args, theta))

    @classmethod
    def _misnamed(cls, args: tuple[Any, ...], theta: Mapping[str, Any]) -> str:
        forms = " or ".join(form.signature() for form in cls.forms)
        known = list(dict.fromkeys(name for form in cls.forms for name in form.parameters))
        for name in theta:
            if name not in known:
                return f"{cls.__name__} has no parameter {name!r}{nearest(name, known)}. It is written {forms}."
        given = ", ".join([*(repr(a)[:40] for a in args), *theta]) or "nothing"
        return f"{cls.__name__} is written {forms}; got {given}."

    @classmethod
    def signature(cls) -> str:
        return f"{cls.family.__name__}({', '.join(cls.parameters)})"

    @property
    def discrete(self) -> bool:
        return self.observations.discrete

    def log_prob(self, y: Any) -> Any:
        """Return log p(y), in nats, of the shape to which y and the parameters broadcast; -inf off the support."""
        return values.log_prob(self, y)

    def prob(self, y: Any) -> Any:
        """Return p(y), a density or a probability."""
        return values.mapped(exp, self.log_prob(y))

    def cdf(self, y: Any) -> Any:
        """Return P(Y <= y)."""
        return values.mapped(exp, self.log_cdf(y))

    def sf(self, y: Any) -> Any:
        """Return P(Y > y)."""
        return values.mapped(exp, self.log_sf(y))

    def log_interval(self, low: Any, high: Any) -> Any:
        """Return log P(low < Y <= high), by the tail in which nothing is lost."""
        return values.log_interval(self, low, high)

    def to_scipy(self) -> Any:
        """Return the frozen distribution of scipy.stats; UsageError where SciPy has none. Needs nll[scipy]."""
        # by name: the layer above this one may import SciPy, and this one does not know it
        return import_module("nll.interop.scipy").frozen(self)

    def _repr_html_(self) -> str:
        """Return a table of the parameters, for notebooks."""
        rows = "".join(f"<tr><th>{escape(k)}</th><td>{escape(short(v))}</td></tr>" for k, v in self.theta.items())
        return f"<table><caption>{escape(self.family.__name__)}</caption><tbody>{rows}</tbody></table>"

    def __repr__(self) -> str:
        return f"{self.family.__name__}({', '.join(f'{k}={short(v)}' for k, v in self.theta.items())})"


def short(value: Any) -> str:
    """Return the text of a parameter: its value, or what it is where that is long."""
    value = value.item() if np.ndim(value) == 0 and isinstance(value, (np.generic, np.ndarray)) else value
    if isinstance(value, (str, int, float, list, tuple)) and len(repr(value)) < 80:
        return repr(value)
    shape = getattr(value, "shape", None)
    if shape is None:
        return (
            f"<{type(value).__name__} of {len(value)}>"
            if isinstance(value, (list, tuple, str))
            else f"<{type(value).__name__}>"
        )
    return f"<{type(value).__name__} {tuple(shape)}>"

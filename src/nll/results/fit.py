"""What `fit` returns for one sample: a Fit, with what is algebra on its numbers."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import numpy.typing as npt

from nll.errors import UsageError, unknown
from nll.families.family import Family
from nll.results import scale
from nll.results.score import jsonable

if TYPE_CHECKING:
    import polars as pl

    from nll.results.derive import Derived
    from nll.results.goodness import Goodness
    from nll.results.profile import Profile

Array = npt.NDArray[Any]
Interval = tuple[float, float]
METHODS = ("wald", "profile", "bootstrap")


class Again(Protocol):
    """The data of a fit, and the ways to go over them again; the task that fitted has it, a saved fit has not."""

    def intervals(
        self, fit: Fit, level: float, method: str, names: Sequence[str], **options: Any
    ) -> dict[str, Interval]:
        """Return an interval for each name by going over the data again."""
        ...

    def profile(self, fit: Fit, name: str, **options: Any) -> Profile:
        """Return the smallest NLL at each value of a parameter."""
        ...

    def goodness(self, fit: Fit, **options: Any) -> Goodness:
        """Return tests of the fitted distribution on its data."""
        ...

    def row_losses(self, fit: Fit) -> Array:
        """Return the loss of each row."""
        ...

    def row_gradients(self, fit: Fit) -> Array:
        """Return the derivatives of the loss of each row."""
        ...


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Fit:
    """A distribution fitted by maximum likelihood: estimates, their errors, and whether they can be trusted.

    Converged, covariance usable, and parameter at a boundary are three separate facts.

    Attributes
    ----------
    family : the parametrisation that was fitted.
    params : the estimate of each parameter, and the value of each that was fixed to one number.
    free : the names of the fitted parameters.
    cov : their covariance (k, k), in the order of `free`; NaN where there is none.
    nll : the negative log-likelihood at the estimates, in nats, exact before it is rounded once; infinite where a
        row is impossible.
    n, weight : the rows that were used, and the sum of their weights; n without weights.
    converged : whether the maximum was found and shown to be one.
    cov_ok : whether the covariance is that of a regular maximum, and standard errors follow from it.
    at_boundary : free parameters that lie at the end of what they may be.
    warnings : what a reader of the numbers must know, one sentence each.
    cov_type : what the covariance is made from: "observed" or "expected" information, "robust", "cluster".
    iterations, passes : Newton steps, and times that the data were gone over.
    by_row : fixed parameters that differ by row: their column, or their values.
    read, missing, unweighted, impossible : rows read; dropped for a missing value, for a weight of 0; of infinite loss.
    source : what was fitted.

    Examples
    --------
    >>> import numpy as np
    >>> import nll
    >>> from nll.results.fit import Fit
    >>> f = Fit(nll.Normal, {"loc": 2.0, "scale": 3.0}, ("loc", "scale"), np.diag([0.09, 0.045]), 250.9, 100, 100.0)
    >>> f.stderr["loc"], f.k
    (0.3, 2)
    >>> low, high = f.ci(0.95)["scale"]
    >>> round(low, 3), round(high, 3)
    (2.612, 3.446)
    """

    family: type[Family]
    params: Mapping[str, float]
    free: tuple[str, ...]
    cov: Array
    nll: float
    n: int
    weight: float
    converged: bool = True
    cov_ok: bool = True
    at_boundary: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    cov_type: str = "observed"
    iterations: int = 0
    passes: int = 0
    by_row: Mapping[str, Any] = field(default_factory=dict)
    read: int = 0
    missing: int = 0
    unweighted: int = 0
    impossible: int = 0
    source: str = ""
    again: Again | None = None

    @property
    def stderr(self) -> dict[str, float]:
        """The standard error of each fitted parameter; NaN where there is none."""
        variances = np.diagonal(self.cov)
        return {name: math.sqrt(v) if v >= 0.0 else math.nan for name, v in zip(self.free, variances, strict=True)}

    @property
    def bse(self) -> dict[str, float]:
        """The standard errors, as statsmodels calls them."""
        return self.stderr

    @property
    def corr(self) -> Array:
        """The correlations (k, k) of the estimates."""
        errors = np.array(list(self.stderr.values()))
        with np.errstate(invalid="ignore", divide="ignore"):
            return self.cov / np.outer(errors, errors)

    @property
    def loglik(self) -> float:
        """The log-likelihood, -nll."""
        return -self.nll

    @property
    def llf(self) -> float:
        """The log-likelihood, as statsmodels calls it."""
        return -self.nll

    @property
    def sum_weights(self) -> float:
        """The sum of the weights."""
        return self.weight

    @property
    def k(self) -> int:
        """The number of free parameters; weights that sum to one count one less."""
        return len(self.free) - sum(any(w in self.free for w in simplex) for simplex in scale.simplexes(self.family))

    @property
    def aic(self) -> float:
        """Akaike's criterion, 2 nll + 2 k."""
        return 2.0 * self.nll + 2.0 * self.k

    @property
    def aicc(self) -> float:
        """AIC for small samples, + 2 k (k + 1) / (n - k - 1); infinite for n <= k + 1."""
        rest = self.n - self.k - 1
        return self.aic + 2.0 * self.k * (self.k + 1) / rest if rest > 0 else math.inf

    @property
    def bic(self) -> float:
        """The Bayesian criterion, 2 nll + k log n."""
        return 2.0 * self.nll + self.k * (math.log(self.n) if self.n else math.nan)

    @property
    def dist(self) -> Family:
        """The fitted distribution, which scores, samples and has quantiles."""
        theta = {name: self.by_row.get(name, self.params.get(name)) for name in self.family.parameters}
        unsaved = [name for name, value in theta.items() if value is None]
        if unsaved:
            what = f"the fit lacks {', '.join(unsaved)}, fixed to a value a row, which a saved fit has not"
            raise UsageError(f"{what}: fit again, with the name of a column in fixed=")
        return self.family(**theta)

    @property
    def unconstrained(self) -> tuple[dict[str, float], Array]:
        """The estimates on the real line of each link (identity, log, logit) and their covariance (k, k)."""
        links = [self.link(name) for name in self.free]
        values = [scale.to_line(link, self.params[name]) for link, name in zip(links, self.free, strict=True)]
        slopes = [scale.slope(link, self.params[name]) for link, name in zip(links, self.free, strict=True)]
        with np.errstate(invalid="ignore", divide="ignore"):
            return dict(zip(self.free, values, strict=True)), self.cov / np.outer(slopes, slopes)

    def link(self, name: str) -> str:
        """Return the map of a parameter to the real line: "identity", "log" or "logit"."""
        return self.family.parameters[name].link or "identity"

    def ci(
        self, level: float = 0.95, method: str = "wald", names: Sequence[str] | str | None = None, **options: Any
    ) -> dict[str, Interval]:
        """Return an interval for each fitted parameter.

        Parameters
        ----------
        level : the confidence level.
        method : "wald", normal on the real line of the parameter's link and mapped back; "profile", where twice the
            rise of the NLL, the others fitted again, meets the chi-square quantile; "bootstrap", the quantiles of
            fits with Poisson weights.
        names : of these parameters only.
        options : of "bootstrap": ``replicates`` and ``rng``, a seed.

        Returns
        -------
        dict of (low, high); NaN where there is no standard error, and the end of what the parameter may be, with a
        warning, where a profile stays open.

        Examples
        --------
        >>> import nll
        >>> f = nll.fit([1.0, 2.0, 4.0, 9.0], nll.Exponential)
        >>> [round(end, 4) for end in f.ci(0.95, "profile")["rate"]]
        [0.0776, 0.5808]
        """
        if not 0.0 < level < 1.0:
            raise UsageError(f"a confidence level is between 0 and 1; got {level!r}")
        names = self.free if names is None else (names,) if isinstance(names, str) else tuple(names)
        for name in names:
            self._must_be_free(name)
        if method == "wald":
            if options:
                raise UsageError(f"Wald intervals take no options; got {', '.join(options)}")
            z, errors = scale.normal_quantile(level), self.stderr
            return {n: scale.interval(self.link(n), self.params[n], z * errors[n]) for n in names}
        if method not in METHODS:
            raise UsageError(unknown("method", method, METHODS))
        return self._data(f"{method} intervals").intervals(self, level, method, names, **options)

    def profile(self, name: str, **options: Any) -> Profile:
        """Return the profile of the NLL over a parameter: the smallest NLL at each value, the others fitted again.

        Parameters
        ----------
        name : a fitted parameter.
        options : ``level``, to which the grid reaches (0.99), ``points``, how many (21), or ``grid``, the values.

        Examples
        --------
        >>> import nll
        >>> p = nll.fit([1.0, 2.0, 4.0, 9.0], nll.Exponential).profile("rate", grid=[0.125, 0.25, 0.5])
        >>> p.rise.round(4).tolist()
        [1.5452, 0.0, 2.4548]
        """
        self._must_be_free(name)
        return self._data("a profile").profile(self, name, **options)

    def goodness(self, **options: Any) -> Goodness:
        """Return tests of the fitted distribution: Kolmogorov-Smirnov, Anderson-Darling, Cramér-von Mises.

        Parameters
        ----------
        options : ``replicates`` of the parametric bootstrap (199), and ``rng``, a seed (0).

        Examples
        --------
        >>> import nll
        >>> f = nll.fit([1.0, 2.0, 4.0, 9.0], nll.Exponential)
        >>> g = f.goodness(replicates=19)
        >>> round(g["kolmogorov_smirnov"].statistic, 4)
        0.2212
        """
        return self._data("goodness of fit").goodness(self, **options)

    def derive(self, text: str) -> Derived:
        """Return a quantity made from the parameters, with its standard error by the delta method.

        Parameters
        ----------
        text : an expression in the parameters and in mean, variance, stddev, entropy, quantile(p), cdf(y), sf(y),
            log_prob(y), with + - * / **, log, exp, sqrt ...: "mean", "1/rate", "quantile(0.9)".

        Examples
        --------
        >>> import nll
        >>> f = nll.fit([1.0, 2.0, 4.0, 9.0], nll.Exponential)
        >>> f.derive("mean")
        <mean = 4 ± 2 (95 % interval 0.080072 to 7.91993)>
        >>> f.derive("quantile(0.9)")
        <quantile(0.9) = 9.21034 ± 4.60517 (95 % interval 0.184373 to 18.2363)>
        """
        from nll.results.derive import derived

        return derived(self, text)

    def row_losses(self) -> Array:
        """Return the loss of each row, in nats; NaN for one that was dropped."""
        return self._data("row losses").row_losses(self)

    def row_gradients(self) -> Array:
        """Return the derivatives (n, k) of the row losses in the fitted parameters, of the rows that were used."""
        return self._data("row gradients").row_gradients(self)

    def sample(self, n: int, rng: Any = None) -> Array:
        """Return n random observations from the fitted distribution; `rng` is a Generator or a seed."""
        return self.dist.sample(n, rng)

    def summary(self, level: float = 0.95) -> str:
        """Return the fit as a text: estimates with errors and intervals, criteria, and what to know."""
        from nll.results.fit_show import fit_text

        return fit_text(self, level)

    def to_dict(self) -> dict[str, Any]:
        """Return all numbers as plain types; NaN and infinities stay floats."""
        from nll.results.load import fit_to_dict

        return fit_to_dict(self)

    def to_json(self) -> str:
        """Return one valid JSON document, which `nll.load` reads; data only, without the observations."""
        return json.dumps(jsonable(self.to_dict()))

    def to_polars(self) -> pl.DataFrame:
        """Return a table with one row a parameter."""
        import polars as pl

        errors, intervals = self.stderr, self.ci()
        nan = (math.nan, math.nan)
        return pl.DataFrame(
            {
                "parameter": list(self.params),
                "estimate": [float(v) for v in self.params.values()],
                "stderr": [errors.get(name, math.nan) for name in self.params],
                "ci95_low": [intervals.get(name, nan)[0] for name in self.params],
                "ci95_high": [intervals.get(name, nan)[1] for name in self.params],
                "free": [name in self.free for name in self.params],
                "at_boundary": [name in self.at_boundary for name in self.params],
            }
        )

    def with_data(self, again: Again | None) -> Fit:
        """Return the same fit with other data to go over again."""
        return replace(self, again=again)

    def _must_be_free(self, name: str) -> None:
        if name not in self.free:
            known = name in self.family.parameters
            raise UsageError(f"{name} was fixed, not fitted" if known else unknown("parameter", name, self.free))

    def _data(self, what: str) -> Again:
        if self.again is None:
            raise UsageError(f"{what} needs the data, which a loaded fit has not: fit again with nll.fit")
        return self.again

    def __repr__(self) -> str:
        from nll.results.fit_show import fit_line

        return fit_line(self)

    def _repr_html_(self) -> str:
        from nll.results.fit_show import fit_html

        return fit_html(self)

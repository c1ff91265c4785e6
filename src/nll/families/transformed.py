"""Families of a function of what another family describes: Y = g(X), with the Jacobian of g in the loss."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

import numpy as np

from nll.errors import UsageError, listing, nearest
from nll.families.combined import Combinator, part_of, short
from nll.families.constraints import Constraint, Real
from nll.families.family import Family
from nll.families.moved import masses
from nll.families.parts import Parts, ends_of, sample_of, supported, tails_of
from nll.families.slopes import gradient_of, hessian_of, in_y, value
from nll.families.tracing import Value, Write, traced, where
from nll.families.transforms import TRANSFORMS, Transform
from nll.families.values import mapped

Pieces = list[list[Value]]


class _Transformed(Combinator):
    """A function of a random number: Transformed(Normal, "exp") is the family of e**X, which is LogNormal.

    With x the number that becomes y, the loss of a row, in nats, is

        loss(y) = loss of the part at x - log|dx/dy|

    | transform | y | of x | parameters |
    |---|---|---|---|
    | "exp" | e**x | any | |
    | "log" | log(x) | x > 0 | |
    | "logit" | log(x / (1 - x)) | 0 < x < 1 | |
    | "sigmoid" | 1 / (1 + e**-x) | any | |
    | "power" | x**exponent | x > 0 | exponent, not 0, never fitted |
    | "affine" | shift + factor x | any | shift, factor, not 0 |

    The part sees x as a double: under "logit" nothing of a y above 37 is left in x, which is 1 then.

    Parameters
    ----------
    part : a family with a density, or a distribution of one.
    transform : what is done with x, one of the above.
    exponent, shift, factor : with a distribution: numbers, arrays or names of columns; shift is 0 and factor 1 unless
        given. With a family they are what these parameters are by default.

    Returns
    -------
    Of a family, a family whose parameters are its own and the transform's; of a distribution, a distribution.

    Raises
    ------
    UsageError : the part is discrete, or not where the function is; the transform or a parameter is unknown.

    Source: A. M. Mood, F. A. Graybill and D. C. Boes, Introduction to the Theory of Statistics, 3rd edition (1974),
    chapter V, section 5.2, theorem 11.

    Examples
    --------
    >>> import nll
    >>> round(nll.score(2.0, nll.Transformed(nll.Normal(loc=0.0, scale=1.0), "exp")).sum, 12)
    1.852312220724
    >>> round(nll.score(2.0, nll.LogNormal(loc=0.0, scale=1.0)).sum, 12)
    1.852312220724
    """

    name = "Transformed"

    def __call__(self, part: Any, transform: Any = None, **own: Any) -> Any:
        part, options = part_of(part, self.name), (_known(transform),)
        if isinstance(part, Family):
            defaults = {"shift": 0.0, "factor": 1.0} if transform == "affine" else {}
            return self.instance([part], {**defaults, **own}, options)
        return self.form([part], (*options, *_defaults(transform, own)))

    def check(self, parts: tuple[type[Family], ...], options: tuple[Any, ...]) -> None:
        if len(parts) != 1:
            raise UsageError(f"Transformed has one part; got {len(parts)}")
        (part,), transform = parts, TRANSFORMS[options[0]]
        if part.observations.discrete or part.mixed:
            raise UsageError(f"{part.__name__} has probabilities of single numbers; Transformed needs a density")
        if not _fits(part, transform) and part.ends is None:
            raise UsageError(f"{transform.name!r} is for numbers {transform.words}, and {part.__name__} has others")

    def own_parameters(self, parts: tuple[type[Family], ...], options: tuple[Any, ...]) -> dict[str, type[Constraint]]:
        return TRANSFORMS[options[0]].parameters

    def options_data(self, options: tuple[Any, ...]) -> dict[str, Any]:
        return {"transform": options[0], **dict(options[1:])}

    def options_of(self, saved: Mapping[str, Any]) -> tuple[Any, ...]:
        given = dict(saved)
        transform = _known(given.pop("transform", None))
        return (transform, *_defaults(transform, given))

    def title(self, parts: tuple[type[Family], ...], options: tuple[Any, ...]) -> str:
        own = "".join(f", {name}={each:g}" for name, each in options[1:])
        return f"Transformed({parts[0].family.__name__}, {options[0]}{own})"

    def shown(self, dist: Any) -> str:
        own = "".join(f", {name}={short(each)}" for name, each in dist.own().items())
        return f"Transformed({dist.components()[0]!r}, {dist.options[0]!r}{own})"

    def contents(self, made: Parts) -> dict[str, Any]:
        (form,), transform = made.forms, TRANSFORMS[made.options[0]]
        space: dict[str, Any] = {
            "observations": Real,
            "support": transform.image,
            "loss": made.formula("loss", _loss(form, transform)),
            "inside": made.formula("inside", _inside(form, transform)),
            "sample": made.sampler(_sample(form, transform)),
        }
        given = dict(made.options[1:])
        names = zip(transform.parameters, made.layout.own, strict=True)
        space["defaults"] = {name: given[key] for key, name in names if key in given}
        if not _fits(form, transform):  # the parameters say whether it does
            space["consistent"] = made.of_theta("consistent", _consistent(form, transform))
            space["together"] = " and ".join(filter(None, [form.together, f"the part must lie {transform.words}"]))
        if made.have("gradient", "hessian"):
            space["gradient"] = made.formula("gradient", _gradient(form, transform))
            space["hessian"] = made.formula("hessian", _hessian(form, transform))
        if form.ends is not None or form.support.low > -np.inf or form.support.high < np.inf:
            space["ends"] = made.of_theta("ends", _ends(form, transform))
        if made.have("log_cdf", "log_sf"):
            space["log_cdf"] = made.formula("log_cdf", _tail(form, transform, upper=False))
            space["log_sf"] = made.formula("log_sf", _tail(form, transform, upper=True))
            space.update(masses(made, transform))
        if made.have("quantile"):
            space["quantile"] = _quantile(made, form, transform)
        if form.start is not None:
            space["start"] = lambda moments: (*form.start(transform.before(moments)), *transform.begin)  # type: ignore[misc]
        return {**space, **(_moments(made, form) if transform.name == "affine" else {})}


def _fits(part: type[Family], transform: Transform) -> bool:
    low, high = transform.domain
    return low <= part.support.low and part.support.high <= high


def _consistent(form: type[Family], transform: Transform) -> Any:
    def consistent(write: Write, pieces: Pieces, own: list[Value]) -> Value:
        low, high = ends_of(write, form, pieces[0])
        found = (low >= transform.domain[0]) & (high <= transform.domain[1])
        return found if form.consistent is None else found & write(form.consistent, *pieces[0])

    return consistent


def _known(name: Any) -> str:
    if not isinstance(name, str) or name not in TRANSFORMS:
        hint = nearest(name, TRANSFORMS) if isinstance(name, str) else ""
        raise UsageError(f"no transform {str(name)[:60]!r}{hint}; there are {listing(TRANSFORMS)}")
    return name


def _defaults(transform: str, given: Mapping[str, Any]) -> tuple[tuple[str, float], ...]:
    """Return what a transform's parameters are unless given, as they stand in the description of a family."""
    parameters, found = TRANSFORMS[transform].parameters, []
    for name, each in given.items():
        if name not in parameters:
            raise UsageError(f"{transform!r} has the parameters {listing(parameters)}; got {name[:60]!r}")
        number = isinstance(each, (int, float)) and not isinstance(each, bool) and abs(each) < 2.0**1000
        if not number or not parameters[name].contains(float(each)):
            raise UsageError(
                f"{name} of a transformed family is a number, {parameters[name].words}; got {str(each)[:40]!r}"
            )
        found.append((name, float(each)))
    return tuple(sorted(found))


def _loss(form: type[Family], transform: Transform) -> Any:
    def loss(write: Write, y: Value, pieces: Pieces, own: list[Value]) -> Value:
        x, cost = transform.inverse(write, y, own)
        return write(form.loss, x, *pieces[0]) + cost

    return loss


def _inside(form: type[Family], transform: Transform) -> Any:
    def inside(write: Write, y: Value, pieces: Pieces, own: list[Value]) -> Value:
        x, _ = transform.inverse(write, y, own)
        found = write(transform.image.contains, y) & write(form.observations.contains, x)
        within = supported(write, form, x, pieces[0])
        return found if within is None else found & within

    return inside


def _gradient(form: type[Family], transform: Transform) -> Any:
    def gradient(write: Write, y: Value, pieces: Pieces, own: list[Value]) -> list[Value]:
        x, _ = transform.inverse(write, y, own)
        found = gradient_of(write, form, x, pieces[0])
        if own:
            moves, _, costs, _ = transform.steps(write, x, own)
            slope = in_y(write, form, x, pieces[0]).slope
            found = [*found, *(slope * move + cost for move, cost in zip(moves, costs, strict=True))]
        return found

    return gradient


def _hessian(form: type[Family], transform: Transform) -> Any:
    def hessian(write: Write, y: Value, pieces: Pieces, own: list[Value]) -> list[Value]:
        x, _ = transform.inverse(write, y, own)
        theirs, size = hessian_of(write, form, x, pieces[0]), len(pieces[0])
        if not own:
            return [theirs[j][k] for j in range(size) for k in range(j, size)]
        moves, turns, _, bends = transform.steps(write, x, own)
        slope, bend, mixed = in_y(write, form, x, pieces[0])
        found = []
        for j in range(size):
            found += theirs[j][j:] + [mixed[j] * move for move in moves]
        at = 0
        for a in range(len(own)):
            for b in range(a, len(own)):
                found.append(bend * moves[a] * moves[b] + slope * turns[at] + bends[at])
                at += 1
        return found

    return hessian


def _ends(form: type[Family], transform: Transform) -> Any:
    def ends(write: Write, pieces: Pieces, own: list[Value]) -> list[Value]:
        first, last = (transform.forward(write, value(write, end), own) for end in ends_of(write, form, pieces[0]))
        falls = transform.falls(own)
        return [first, last] if falls is None else [where(falls, last, first), where(falls, first, last)]

    return ends


def _tail(form: type[Family], transform: Transform, upper: bool) -> Any:
    def tail(write: Write, y: Value, pieces: Pieces, own: list[Value]) -> Value:
        x, _ = transform.inverse(write, y, own)
        sides, falls = tails_of(write, form, x, pieces[0]), transform.falls(own)
        return sides[upper] if falls is None else where(falls, sides[not upper], sides[upper])

    return tail


def _quantile(made: Parts, form: type[Family], transform: Transform) -> Any:
    def quantile(write: Write, log_p: Value, log_q: Value, *theta: Value) -> Value:
        pieces, own = made.layout.split(theta)
        falls = transform.falls(own)
        if falls is not None:
            log_p, log_q = where(falls, log_q, log_p), where(falls, log_p, log_q)
        return transform.forward(write, write(form.quantile, log_p, log_q, *pieces[0]), own)

    return traced("quantile", 2 + made.size, quantile)


@cache
def forward_of(transform: str) -> Any:
    """Return the formula y = g(x, *parameters of g) of a transform."""
    g = TRANSFORMS[transform]
    return traced("forward", 1 + len(g.parameters), lambda write, x, *own: g.forward(write, x, own))


def _sample(form: type[Family], transform: Transform) -> Any:
    forward = forward_of(transform.name)

    def sample(rng: np.random.Generator, shape: tuple[int, ...], pieces: list[list[Any]], own: list[Any]) -> Any:
        return mapped(forward, sample_of(form, rng, shape, pieces[0]), *own)

    return sample


def _moments(made: Parts, form: type[Family]) -> dict[str, Any]:
    """Return the moments of shift + factor x."""
    space: dict[str, Any] = {}
    if made.have("mean"):
        space["mean"] = made.plain(lambda pieces, own: own[0] + own[1] * form.mean(*pieces[0]))
    if made.have("variance"):
        space["variance"] = made.plain(lambda pieces, own: own[1] ** 2 * form.variance(*pieces[0]) + 0.0 * own[0])
    if made.have("entropy"):
        space["entropy"] = made.plain(lambda pieces, own: form.entropy(*pieces[0]) + np.log(abs(own[1])) + 0.0 * own[0])
    return space


Transformed = _Transformed()

"""What families made of families have in common: names, forms, instances, copies, and their description as data.

A combinator such as `nll.ZeroInflated` makes, of the forms of its parts, one form each, with formulas that are made
of the parts' formulas (`tracing.py`). The parameters are the parts', in their order, followed by the combinator's own;
a name that is taken gets the suffix _2, and the next one _3.
"""

from __future__ import annotations

import copyreg
from collections.abc import Iterator, Mapping, Sequence
from itertools import product
from threading import RLock
from typing import Any, ClassVar, Self

from nll.errors import DataError, UsageError, listing
from nll.families.constraints import Constraint
from nll.families.family import REGISTRY, Family, short
from nll.families.parts import Layout, LazyOnInstance, Parts, joined, laid_out
from nll.families.tracing import Lazy
from nll.families.values import OnInstance

DEEPEST = 8  # families of families of ...
MOST_PARTS = 64
MOST_FORMS = 64  # of one combined family; others are made when they are asked for
COMBINATORS: dict[str, Combinator] = {}
_made: dict[Any, type[Combined]] = {}
_lock = RLock()


class CombinedType(type):
    """The type of combined classes, which lie in no module: they are pickled by their description."""


class Combined(Family, metaclass=CombinedType):
    """What families made by combinators have in common; they stand in no list of families.

    Attributes
    ----------
    combinator : what made the class, such as `nll.ZeroInflated`.
    parts : the forms of which it is made.
    options : what else was said, as plain data, such as the name of a transform.
    layout : whose parameter is whose.
    log_mass, log_mass_gradient, log_mass_hessian : formulas of (low, high, *theta), as `intervals.py` has them for any
        family; where the parts' masses give them without loss.
    """

    combinator: ClassVar[Any] = None
    parts: ClassVar[tuple[type[Family], ...]] = ()
    options: ClassVar[tuple[Any, ...]] = ()
    layout: ClassVar[Layout] = Layout((), ())
    defaults: ClassVar[dict[str, float]] = {}  # parameters that may be left out
    log_mass: ClassVar[Any] = None
    log_mass_gradient: ClassVar[Any] = None
    log_mass_hessian: ClassVar[Any] = None

    def __init__(self, *args: Any, **theta: Any) -> None:
        super().__init__(*args, **{**self._missing(args, theta), **theta})
        if set(self.theta) != set(self.parameters) or len(args) > len(self.parameters):
            raise UsageError(self._misnamed(args, theta))
        self.theta = {name: self.theta[name] for name in self.parameters}

    @classmethod
    def _missing(cls, args: tuple[Any, ...], theta: Mapping[str, Any]) -> dict[str, float]:
        """Return the parameters that were left out, where they have a default."""
        given = {*tuple(cls.parameters)[: len(args)], *theta}
        return {name: value for name, value in cls.defaults.items() if name not in given}

    @classmethod
    def form_for(cls, args: tuple[Any, ...], theta: Mapping[str, Any]) -> type[Self]:
        """Return the parametrisation that these arguments name; defaults may be left out."""
        for form in cls.forms:
            first = tuple(form.parameters)[: len(args)]
            named = {*first, *theta, *form._missing(args, theta)}  # type: ignore[attr-defined]
            if len(first) == len(args) and named == set(form.parameters) and not {*first} & {*theta}:
                return form  # type: ignore[return-value]
        raise UsageError(cls._misnamed(args, theta))

    @classmethod
    def signature(cls) -> str:
        names = [f"{n}={cls.defaults[n]:g}" if n in cls.defaults else n for n in cls.parameters]
        return f"{cls.family.__name__}({', '.join(names)})"

    def components(self) -> list[Family]:
        """Return the parts as distributions of their own."""
        pieces, _ = self.layout.split(list(self.theta.values()))
        return [
            part(**dict(zip(part.parameters, values, strict=True)))
            for part, values in zip(self.parts, pieces, strict=True)
        ]

    def own(self) -> dict[str, Any]:
        """Return the combinator's own parameters by the names under which it takes them."""
        values = [self.theta[name] for name in self.layout.own]
        return dict(zip(self.combinator.own_names(self.parts, self.options), values, strict=True))

    def __repr__(self) -> str:
        return self.combinator.shown(self)

    def __reduce_ex__(self, protocol: Any) -> Any:
        from nll.families import description

        return description.again, (description.describe(type(self)), self.theta)

    def __copy__(self) -> Combined:
        return type(self)(**self.theta)


del REGISTRY[Combined.__name__]  # it is no distribution


class Combinator:
    """Makes families of families; a subclass says how.

    A subclass defines `__call__`, `own_parameters`, `contents` and, where the default does not do, `options_shown`.
    """

    name: ClassVar[str]
    numbered: ClassVar[bool] = False  # whether parts' parameters get the suffixes _1, _2, ...

    def __init__(self) -> None:
        COMBINATORS[self.name] = self

    def own_parameters(self, parts: tuple[type[Family], ...], options: tuple[Any, ...]) -> dict[str, type[Constraint]]:
        """Return the combinator's own parameters."""
        raise NotImplementedError

    def contents(self, made: Parts) -> dict[str, Any]:
        """Return the class attributes of a form: formulas and what else a family declares."""
        raise NotImplementedError

    def check(self, parts: tuple[type[Family], ...], options: tuple[Any, ...]) -> None:
        """Refuse parts of which no family can be made."""

    def options_of(self, saved: Mapping[str, Any]) -> tuple[Any, ...]:
        """Return the options that `options_data` wrote; refuse others."""
        if saved:
            raise DataError(f"{self.name} has no options; got {listing(list(saved))}")
        return ()

    def options_data(self, options: tuple[Any, ...]) -> dict[str, Any]:
        """Return the options as plain data."""
        return {}

    def title(self, parts: tuple[type[Family], ...], options: tuple[Any, ...]) -> str:
        """Return the name of the combined family."""
        return f"{self.name}({', '.join(p.family.__name__ for p in parts)})"

    def shown(self, dist: Combined) -> str:
        """Return the text of an instance."""
        own = "".join(f", {name}={short(value)}" for name, value in dist.own().items())
        return f"{self.name}({', '.join(map(repr, dist.components()))}{own})"

    def own_names(self, parts: tuple[type[Family], ...], options: tuple[Any, ...]) -> tuple[str, ...]:
        return tuple(self.own_parameters(parts, options))

    def form(self, parts: Sequence[type[Family]], options: tuple[Any, ...] = ()) -> type[Combined]:
        """Return the combined form of these forms; the same call gives the same class."""
        parts = tuple(parts)
        self._check_parts(parts, options)
        key = (self.name, parts, options)
        with _lock:
            if key not in _made:
                head = self._head(tuple(part.family for part in parts), options)
                if key not in _made:
                    head.forms.append(self._make(parts, options, head))
            return _made[key]

    def instance(self, components: Sequence[Family], own: Mapping[str, Any], options: tuple[Any, ...] = ()) -> Combined:
        """Return the combined distribution of these."""
        form = self.form([type(component) for component in components], options)
        values = [v for c in components for v in (c.theta[name] for name in type(c).parameters)]
        names = self.own_names(form.parts, options)
        if set(own) != set(names):
            raise UsageError(
                f"{self.name} of a distribution takes {listing(names)}; got {listing(list(own)) or 'none'}"
            )
        return form(**dict(zip(form.parameters, [*values, *(own[name] for name in names)], strict=True)))

    def _check_parts(self, parts: tuple[type[Family], ...], options: tuple[Any, ...]) -> None:
        if not 1 <= len(parts) <= MOST_PARTS:
            raise UsageError(f"{self.name} has 1 to {MOST_PARTS} parts; got {len(parts)}")
        for part in parts:
            if part.event:
                raise UsageError(f"{self.name} is made of families of single numbers; {part.__name__} observes rows")
            if depth(part) >= DEEPEST:
                raise UsageError(f"families are nested at most {DEEPEST} deep")
        self.check(parts, options)

    def _head(self, families: tuple[type[Family], ...], options: tuple[Any, ...]) -> type[Combined]:
        """Return the first form of a combined family, with the others that parts' forms make in its `forms`."""
        first, *others = aligned(families)
        key = (self.name, first, options)
        if key not in _made:
            head = self._make(first, options, None)
            head.forms = [head, *(self._make(parts, options, head) for parts in others)]
        return _made[key].family  # type: ignore[return-value]

    def _make(
        self, parts: tuple[type[Family], ...], options: tuple[Any, ...], head: type[Combined] | None
    ) -> type[Combined]:
        own = self.own_parameters(parts, options)
        layout = laid_out(parts, tuple(own), self.numbered)
        constraints = [c for part in parts for c in part.parameters.values()] + list(own.values())
        names = [name for piece in layout.parts for name in piece] + list(layout.own)
        found = Parts(parts, options, layout)
        space: dict[str, Any] = {
            **dict.fromkeys(FORMULAS),
            **{name: OnInstance(name) for name in VALUES},
            "__annotations__": dict(zip(names, constraints, strict=True)),
            "__module__": __name__,
            "__doc__": f"{self.title(parts, options)}({', '.join(names)}), made by nll.{self.name}.",
            "combinator": self,
            "parts": parts,
            "options": options,
            "layout": layout,
            "defaults": {},
            **joined(found),
            **self.contents(found),
        }
        for name in VALUES:
            if isinstance(space[name], Lazy):
                space[name] = LazyOnInstance(space[name])
        made: Any = CombinedType(self.title(parts, options), (head or Combined,), space, register=False)
        if head is None:
            made.family, made.forms = made, [made]
        _made[(self.name, parts, options)] = made
        return made


# What a form does not inherit from the form that stands for its family.
FORMULAS = ("gradient", "hessian", "inside", "ends", "start", "scipy", "consistent", "flow", "flow_gradient")
FORMULAS += ("log_mass", "log_mass_gradient", "log_mass_hessian")
VALUES = ("log_cdf", "log_sf", "quantile", "sample", "mean", "variance", "entropy")


def aligned(families: tuple[type[Family], ...]) -> Iterator[tuple[type[Family], ...]]:
    """Yield the forms of the parts, in which the same family comes in the same form: the first few."""
    distinct = list(dict.fromkeys(families))
    for i, forms in enumerate(product(*(list(family.forms) for family in distinct))):
        if i < MOST_FORMS:
            chosen = dict(zip(distinct, forms, strict=True))
            yield tuple(chosen[family] for family in families)


def depth(form: type[Family]) -> int:
    """Return how often combinators are nested in a form."""
    return 1 + max(map(depth, form.parts)) if issubclass(form, Combined) else 0


def part_of(given: Any, name: str) -> type[Family] | Family:
    """Return a family or a distribution that was given as a part, or refuse it."""
    if isinstance(given, Family) or (isinstance(given, type) and issubclass(given, Family) and given is not Family):
        return given
    raise UsageError(f"{name} is made of a family such as nll.Poisson, or a distribution of it; got {str(given)[:60]}")


def _pickled(form: type[Combined]) -> Any:
    from nll.families.description import build, describe

    return form.__name__ if form is Combined else (build, (describe(form),))


copyreg.pickle(CombinedType, _pickled)

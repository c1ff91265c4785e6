"""A score in the making, for rows that arrive batch by batch."""

from __future__ import annotations

from typing import Any, Self

from nll.engines.local import Local
from nll.errors import DataError, UsageError, first_line, listing
from nll.families.family import Family
from nll.states.tally import Tallies
from nll.tasks.finish import finish
from nll.tasks.logits import Options, bind
from nll.tasks.score import make_step


class Tally:
    """A score in the making: rows are added batch by batch, and Tallies merge in any order to the same bits.

    All updates of a tally have the same kind of distribution, `by` and `cluster`, and all weights or none.

    Examples
    --------
    >>> import nll
    >>> a, b = nll.Tally(), nll.Tally()
    >>> a.update([1, 0], nll.Bernoulli(probs=[0.8, 0.3]))
    >>> b.update([1], nll.Bernoulli(probs=[0.6]))
    >>> a.merge(b).score().n
    3
    """

    def __init__(self) -> None:
        self.state: Tallies | None = None
        self.by: tuple[str, ...] = ()
        self.cluster = False
        self.distribution = ""

    def update(self, y: Any, dist: Family, data: Any = None, **options: Any) -> None:
        """Add rows; takes what `score` takes, but for units."""
        given = {"sample_weight": None, "by": None, "cluster": None, "where": None}
        given |= {name: options.pop(name) for name in list(options) if name in given}
        threads = options.pop("threads", None)
        positions = Options(**{name: options.pop(name) for name in Options.__slots__ if name in options})
        bound = bind(y, dist, data, positions, **given)
        chosen: dict[str, Any] = {
            "missing": "error",
            "clip": None,
            "labels": None,
            "label_smoothing": 0.0,
            "class_weight": None,
        }
        if unknown := set(options) - set(chosen):
            raise UsageError(f"update has no option {sorted(unknown)[0]!r}")
        step = make_step(bound, **{**chosen, **options})
        part = Local(threads).reduce(bound.chunks(), step, step.zero, Tallies.merge)
        for name, value in (("by", bound.by), ("cluster", bound.cluster)):
            if self.state is not None and getattr(self, name) != value:
                raise UsageError(f"this tally was begun with {name}={getattr(self, name)!r}; got {value!r}")
            setattr(self, name, value)
        kind = bound.form.signature()
        if self.distribution not in ("", kind):
            raise UsageError(f"this tally holds rows of {self.distribution}; got {kind}")
        self.distribution = kind
        self.state = part if self.state is None else self.state.follow(part)

    def merge(self, other: Tally) -> Self:
        """Add another tally to this one, and return it."""
        if other.state is None:
            return self
        if self.state is None:
            self.by, self.cluster, self.distribution = other.by, other.cluster, other.distribution
            self.state = Tallies(other.state.weighted)
        if (self.by, self.cluster, self.distribution) != (other.by, other.cluster, other.distribution):
            raise UsageError(f"tallies of {self.distribution} by {self.by} and {other.distribution} by {other.by}")
        self.state.merge(other.state)
        return self

    def __add__(self, other: Tally) -> Tally:
        return Tally().merge(self).merge(other)

    def score(self) -> Any:
        """Return the Score, or Scores by group, of the rows so far."""
        state = self.state if self.state is not None else Tallies()
        what = f"{state.read:,} rows"
        return finish(state, self.by, self.cluster, self.distribution, what, lambda row: f"row {row}")

    def to_dict(self) -> dict[str, Any]:
        """Return the tally as plain JSON types."""
        state = self.state if self.state is not None else Tallies()
        about = {"by": list(self.by), "cluster": self.cluster, "distribution": self.distribution}
        return {**state.to_dict(), **about}

    @classmethod
    def from_dict(cls, saved: dict[str, Any]) -> Tally:
        """Read what `to_dict` wrote."""
        tally = cls()
        tally.state = Tallies.from_dict(saved)
        by, cluster, distribution = saved.get("by", []), saved.get("cluster", False), saved.get("distribution", "")
        named = isinstance(by, list) and all(isinstance(name, str) for name in by)
        if not (named and isinstance(cluster, bool) and isinstance(distribution, str)):
            raise DataError("a tally has by, a list of names, cluster, true or false, and distribution, a text")
        tally.by, tally.cluster, tally.distribution = tuple(by), cluster, distribution
        if any(len(key) != len(by) + cluster for key in tally.state.keys):
            raise DataError(
                f"the keys of a tally have {len(by) + cluster} values each: by {listing(by)}, and the cluster"
            )
        try:
            list(tally.score() if by else ())
        except (ArithmeticError, TypeError, ValueError) as error:
            raise DataError(f"a tally whose groups have no order: {first_line(error)}") from error
        return tally

    def __repr__(self) -> str:
        return f"Tally of {self.state.read if self.state else 0:,} rows\n{self.score()!r}"

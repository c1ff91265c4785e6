"""What `fit` returns with `by=`: a fit for each group, kept as columns."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from nll.errors import listing
from nll.families.family import Family
from nll.families.saving import form_from_dict
from nll.results.fit import Again, Fit
from nll.results.load import VERSION, fit_from_dict, fit_to_dict
from nll.results.score import jsonable

if TYPE_CHECKING:
    import polars as pl

Array = npt.NDArray[Any]
COUNTS = ("iterations", "read", "missing", "unweighted", "impossible")


@dataclass(frozen=True, eq=False, repr=False)
class Fits(Mapping[Any, Fit]):
    """Fits by group: a mapping from the key of a group to its Fit, in the order of the keys.

    Attributes
    ----------
    by : the names of the grouping columns; a key is a value, or a tuple of values where there are several.
    keys_of : the G keys.
    family, free : the parametrisation, and the names of the fitted parameters.
    params : the estimates (G,) of each parameter, and those fixed to one number.
    cov : the covariances (G, k, k), in the order of `free`; NaN where there is none.
    nll, n, weight : of each group (G,).
    converged, cov_ok : of each group (G,), as in a Fit.
    at_boundary, warnings : of each group, as in a Fit.
    counts : iterations, read, missing, unweighted, impossible of each group (G,), where known.
    cov_type, passes, by_row, source : as in a Fit, of all groups.
    again : makes what a Fit needs to go over the data of the group of this number again.
    """

    by: tuple[str, ...]
    keys_of: Sequence[Any]
    family: type[Family]
    free: tuple[str, ...]
    params: Mapping[str, Array]
    cov: Array
    nll: Array
    n: Array
    weight: Array
    converged: Array
    cov_ok: Array
    at_boundary: Sequence[tuple[str, ...]]
    warnings: Sequence[tuple[str, ...]]
    counts: Mapping[str, Array] = field(default_factory=dict)
    cov_type: str = "observed"
    passes: int = 0
    by_row: Mapping[str, Any] = field(default_factory=dict)
    source: str = ""
    again: Callable[[int], Again] | None = None

    @cached_property
    def places(self) -> dict[Any, int]:
        """The number of the group of each key."""
        return {key: i for i, key in enumerate(self.keys_of)}

    def at(self, i: int) -> Fit:
        """Return the fit of group number i."""
        return Fit(
            self.family,
            {name: float(values[i]) for name, values in self.params.items()},
            self.free,
            self.cov[i],
            float(self.nll[i]),
            int(self.n[i]),
            float(self.weight[i]),
            bool(self.converged[i]),
            bool(self.cov_ok[i]),
            self.at_boundary[i],
            self.warnings[i],
            self.cov_type,
            passes=self.passes,
            by_row=self.by_row,
            source=self.source,
            again=None if self.again is None else self.again(i),
            **{name: int(values[i]) for name, values in self.counts.items()},
        )

    def __getitem__(self, key: Any) -> Fit:
        if key not in self.places:
            raise KeyError(f"no group {key!r}; present: {listing(map(repr, self.keys_of))}")
        return self.at(self.places[key])

    def __iter__(self) -> Iterator[Any]:
        return iter(self.keys_of)

    def __len__(self) -> int:
        return len(self.keys_of)

    @property
    def stderr(self) -> dict[str, Array]:
        """The standard errors (G,) of each fitted parameter; NaN where there are none."""
        variances = np.diagonal(self.cov, axis1=1, axis2=2)
        with np.errstate(invalid="ignore"):
            return {name: np.sqrt(variances[:, j]) for j, name in enumerate(self.free)}

    def to_polars(self) -> pl.DataFrame:
        """Return a table with one row a group: its key, estimates, standard errors, and how the fit went."""
        import polars as pl

        several = len(self.by) > 1
        keys: dict[str, Any] = {
            name: [key[i] if several else key for key in self.keys_of] for i, name in enumerate(self.by)
        }
        columns: dict[str, Any] = {name: np.asarray(values, np.float64) for name, values in self.params.items()}
        columns |= {f"{name}_stderr": values for name, values in self.stderr.items()}
        columns |= {name: np.asarray(getattr(self, name)) for name in ("nll", "n", "weight", "converged", "cov_ok")}
        columns |= {name: [", ".join(v) for v in self.at_boundary] for name in ("at_boundary",)}
        columns |= {"warnings": ["; ".join(v) for v in self.warnings]}
        # A grouping column may be called as a parameter is.
        columns = {f"{name}_fit" if name in keys else name: values for name, values in columns.items()}
        return pl.DataFrame(keys | columns, strict=False)

    def to_dict(self) -> dict[str, Any]:
        """Return all groups as plain types; NaN and infinities stay floats."""
        rows: list[dict[str, Any]] = []
        for i, key in enumerate(self.keys_of):
            one = fit_to_dict(self.at(i))
            rows.append({"key": list(key) if len(self.by) > 1 else [key]} | _group(one))
        shared = {name: value for name, value in fit_to_dict(self.at(0)).items() if name in _SHARED} if rows else {}
        return {"nll": "fits", "version": VERSION, "by": list(self.by), **shared, "groups": rows}

    def to_json(self) -> str:
        """Return one valid JSON document, which `nll.load` reads; data only, without the observations."""
        return json.dumps(jsonable(self.to_dict()))

    def summary(self) -> str:
        """Return the groups as a table."""
        from nll.results.fit_show import fits_text

        return fits_text(self)

    def __repr__(self) -> str:
        failed = int(np.sum(~np.asarray(self.converged, bool)))
        bad = f", {failed:,} NOT CONVERGED" if failed else ", all converged"
        return f"<Fits {self.family.family.__name__} by {', '.join(self.by)}: {len(self):,} groups{bad}>"

    def _repr_html_(self) -> str:
        from nll.results.fit_show import fits_html

        return fits_html(self)


_SHARED = ("family", "free", "cov_type", "passes", "by_row", "source")


def _group(saved: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in saved.items() if name not in (*_SHARED, "nll", "version")}


def fits_from_dict(saved: Mapping[str, Any]) -> Fits:
    """Return what `Fits.to_dict` wrote."""
    form = form_from_dict(saved["family"])
    shared = {name: saved[name] for name in _SHARED}
    found = [fit_from_dict(group | shared) for group in saved["groups"]]
    keys = [key[0] if len(key) == 1 else tuple(key) for key in (group["key"] for group in saved["groups"])]
    return fits_of(tuple(map(str, saved["by"])), keys, form, found)


def fits_of(by: tuple[str, ...], keys: Sequence[Any], form: type[Family], found: Sequence[Fit]) -> Fits:
    """Return single fits, at least one, as fits by group."""
    first = found[0]
    k = len(first.free)
    return Fits(
        by,
        list(keys),
        form,
        first.free,
        {name: np.array([f.params.get(name, math.nan) for f in found]) for name in first.params},
        np.array([f.cov for f in found]).reshape(len(found), k, k),
        np.array([f.nll for f in found]),
        np.array([f.n for f in found]),
        np.array([f.weight for f in found]),
        np.array([f.converged for f in found]),
        np.array([f.cov_ok for f in found]),
        [f.at_boundary for f in found],
        [f.warnings for f in found],
        {name: np.array([getattr(f, name) for f in found]) for name in COUNTS},
        first.cov_type,
        first.passes,
        first.by_row,
        first.source,
    )


def joined(parts: Sequence[Fits]) -> Fits:
    """Return fits of the same parametrisation, group after group, as one."""
    first = parts[0]
    if len(parts) == 1:
        return first
    columns: dict[str, Any] = {
        name: np.concatenate([getattr(part, name) for part in parts])
        for name in ("nll", "n", "weight", "converged", "cov_ok")
    }
    return Fits(
        first.by,
        [key for part in parts for key in part.keys_of],
        first.family,
        first.free,
        {name: np.concatenate([part.params[name] for part in parts]) for name in first.params},
        np.concatenate([part.cov for part in parts]),
        at_boundary=[names for part in parts for names in part.at_boundary],
        warnings=[texts for part in parts for texts in part.warnings],
        counts={name: np.concatenate([part.counts[name] for part in parts]) for name in first.counts},
        cov_type=first.cov_type,
        passes=max(part.passes for part in parts),
        by_row=first.by_row,
        source=first.source,
        **columns,
    )

"""What `check` returns: a Check of one density or mass, or a TableCheck of the rows of a table."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from nll.results.score import jsonable
from nll.results.show import _html, _rich, as_text, number

if TYPE_CHECKING:
    from rich.console import RenderableType

# Integrals that tell which constant was forgotten, or written twice.
KNOWN = {
    "sqrt(2 pi)": math.sqrt(2.0 * math.pi),
    "1 / sqrt(2 pi)": 1.0 / math.sqrt(2.0 * math.pi),
    "sqrt(pi)": math.sqrt(math.pi),
    "1 / sqrt(pi)": 1.0 / math.sqrt(math.pi),
    "sqrt(2)": math.sqrt(2.0),
    "1 / sqrt(2)": math.sqrt(0.5),
    "2 pi": 2.0 * math.pi,
    "1 / (2 pi)": 0.5 / math.pi,
    "pi": math.pi,
    "1 / pi": 1.0 / math.pi,
    "2": 2.0,
    "1 / 2": 0.5,
}


@dataclass(frozen=True, slots=True)
class Region:
    """An interval of y with the mass that the density puts there, and what the tails (log_cdf) say, where known."""

    low: float
    high: float
    mass: float
    expected: float | None = None


@dataclass(frozen=True, slots=True)
class Fault:
    """A derivative that is not the difference quotient: which, at which y, the formula's and the quotient."""

    name: str
    y: float
    formula: float
    difference: float


@dataclass(frozen=True, slots=True)
class Check:
    """Whether a density integrates (a mass sums) to one, and what is wrong where it does not.

    Attributes
    ----------
    verdict : "normalised", "not normalised", "infinite", "not a number" (in places) or "undecided" (the error bound
        is above the tolerance).
    integral, error : the mass, and an estimate of the error of that number.
    measure : "density" or "mass".
    infinite : the ends or points where the mass is infinite.
    nan : the intervals in which the log density is not a number, as far as it was seen.
    jumps : the places within the support where the density falls to 0 at once.
    regions : the mass of each hump of a density that is not normalised; for a family with tails, the mass of
        intervals beside what its log_cdf and log_sf say of them.
    derivatives : how many derivatives were compared with differences; `faults` are those that differ.
    evaluations, seconds : what the check cost.
    """

    distribution: str
    verdict: str
    integral: float
    error: float
    tolerance: float
    measure: str
    infinite: tuple[float, ...] = ()
    nan: tuple[tuple[float, float], ...] = ()
    jumps: tuple[float, ...] = ()
    regions: tuple[Region, ...] = ()
    derivatives: int = 0
    faults: tuple[Fault, ...] = ()
    evaluations: int = 0
    seconds: float = 0.0

    @property
    def ok(self) -> bool:
        """Whether nothing was found: it is normalised, its tails agree with it, and so do its derivatives."""
        return self.verdict == "normalised" and not self.faults and not self.disagreements

    @property
    def disagreements(self) -> tuple[Region, ...]:
        """The regions whose mass is not what the tails say."""
        allowed = self.tolerance + self.error
        return tuple(r for r in self.regions if r.expected is not None and not abs(r.mass - r.expected) <= allowed)

    @property
    def notes(self) -> list[str]:
        """Say what is wrong and where."""
        return list(_notes(self))

    def to_dict(self) -> dict[str, Any]:
        """Return all of it as plain types."""
        return {
            "distribution": self.distribution,
            "ok": self.ok,
            "verdict": self.verdict,
            "measure": self.measure,
            "integral": self.integral,
            "error": self.error,
            "tolerance": self.tolerance,
            "infinite": list(self.infinite),
            "nan": [list(pair) for pair in self.nan],
            "jumps": list(self.jumps),
            "regions": [{"low": r.low, "high": r.high, "mass": r.mass, "expected": r.expected} for r in self.regions],
            "derivatives": self.derivatives,
            "faults": [
                {"name": f.name, "y": f.y, "formula": f.formula, "difference": f.difference} for f in self.faults
            ],
            "evaluations": self.evaluations,
            "seconds": self.seconds,
            "notes": self.notes,
        }

    def to_json(self) -> str:
        """Return one valid JSON document: infinities and NaN, which JSON lacks, are text and null."""
        return json.dumps(jsonable(self.to_dict()))

    def table(self) -> tuple[str, list[str], list[list[str]], list[str]]:
        """Return caption, header, rows and notes of what is shown."""
        what = "Integral of the density" if self.measure == "density" else "Sum of the masses"
        header = ["verdict", "integral" if self.measure == "density" else "sum", "error", "derivatives", "evaluations"]
        agree = f"{self.derivatives - len(self.faults)} of {self.derivatives} agree" if self.derivatives else "–"
        integral = f"{self.integral:.10g}"
        row = [self.verdict, integral, f"{self.error:.1g}", agree, f"{self.evaluations:,}"]
        return f"{what}: {self.distribution}", header, [row], self.notes

    def __bool__(self) -> bool:
        return self.ok

    def __repr__(self) -> str:
        return as_text(shown_table(self))

    def _repr_html_(self) -> str:
        return _html(*self.table())


def _notes(check: Check) -> Iterator[str]:
    if check.infinite:
        where = ", ".join(map(number, check.infinite))
        yield f"the {check.measure} is not integrable at {where}, as far as doubles reach"
    for low, high in check.nan:
        where = f"at y = {number(low)}" if low == high else f"from y = {number(low)} to {number(high)}"
        yield f"the log {check.measure} is not a number {where}"
    if check.verdict in ("not normalised", "undecided"):
        yield from _amount(check)
    for y in check.jumps:
        yield f"the {check.measure} falls to 0 at y = {number(y)}, within the support"
    for region in check.disagreements:
        tails = number(region.expected) if region.expected is not None else ""
        yield f"{_where(region)} the {check.measure} has {number(region.mass)}, its tails say {tails}"
    if len(check.regions) > 1 and not check.disagreements and check.verdict == "not normalised":
        yield "; ".join(f"{_where(r)} the mass is {number(r.mass)}" for r in check.regions)
    for f in check.faults:
        yield f"{f.name} at y = {number(f.y)} is {number(f.formula)}, differences say {number(f.difference)}"


def _where(region: Region) -> str:
    return f"from {number(region.low)} to {number(region.high)}"


def _amount(check: Check) -> Iterator[str]:
    if check.verdict == "undecided":
        yield f"the error is above the tolerance of {check.tolerance:g}; points= may say where the mass lies"
        return
    if check.integral == 0.0:
        yield "no mass was found; points= may say where it lies"
        return
    excess = check.integral - 1.0
    constant = next((n for n, v in KNOWN.items() if abs(check.integral / v - 1.0) <= check.tolerance), "")
    hint = f": the integral is {constant}, as where a constant is missing" if constant else ""
    yield f"{'excess' if excess > 0.0 else 'missing'} mass of {number(abs(excess))}{hint}"


@dataclass(frozen=True, slots=True)
class Finding:
    """What one rule found in one parameter, or in y.

    Attributes
    ----------
    name : the parameter, or "y". column : where it comes from: a column, or "".
    rule : what every row must be.
    rows : how many are not. first : of these, the first, as (where, value).
    """

    name: str
    column: str
    rule: str
    rows: int
    first: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class TableCheck:
    """What is wrong with the parameters and observations of a table, by rule; every rule of every row was tried."""

    distribution: str
    source: str
    read: int
    findings: tuple[Finding, ...]
    notes: tuple[str, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether every rule holds in every row."""
        return not any(finding.rows for finding in self.findings)

    def to_dict(self) -> dict[str, Any]:
        """Return all of it as plain types."""
        findings = [
            {
                "name": f.name,
                "column": f.column,
                "rule": f.rule,
                "rows": f.rows,
                "first": [{"where": where, "value": value} for where, value in f.first],
            }
            for f in self.findings
        ]
        return {
            "distribution": self.distribution,
            "ok": self.ok,
            "read": self.read,
            "findings": findings,
            "source": self.source,
            "notes": list(self.notes),
        }

    def to_json(self) -> str:
        """Return one valid JSON document."""
        return json.dumps(jsonable(self.to_dict()))

    def table(self) -> tuple[str, list[str], list[list[str]], list[str]]:
        """Return caption, header, rows and notes of what is shown."""
        header = ["name", "must be", "not so", "first"]
        rows = []
        for f in self.findings:
            name = f"{f.name} ({f.column})" if f.column and f.column != f.name else f.name
            first = "; ".join(f"{value} in {where}" for where, value in f.first)
            rows.append([name, f.rule, f"{f.rows:,}", first])
        notes = [f"{self.read:,} rows read; {'all is well' if self.ok else 'see the rows above'}", *self.notes]
        return f"{self.distribution} in {self.source}", header, rows, notes

    def __bool__(self) -> bool:
        return self.ok

    def __repr__(self) -> str:
        return as_text(shown_table(self))

    def _repr_html_(self) -> str:
        return _html(*self.table())


def shown_table(result: Check | TableCheck) -> RenderableType:
    """Return a result as a rich table."""
    from rich.console import Group
    from rich.text import Text

    caption, header, rows, notes = result.table()
    # A caption above the table, for one of the table's own would be broken to its width.
    return Group(Text(caption), _rich("", header, rows, notes, 1 if isinstance(result, Check) else 2))

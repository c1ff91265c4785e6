"""Formulas made of formulas: a function of symbolic numbers is run once, and what it did becomes a formula.

    loss = traced("loss", 3, lambda write, y, rate, gate: write(log1p, -gate) + write(Poisson.loss, y, rate))

The numbers know + - * /, comparisons and & |; `where` chooses, and `write(f, ...)` calls another formula. So a loop
over parts, or over the entries of a Hessian, is an ordinary loop here and straight code in what compiles.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Sequence
from threading import RLock
from typing import Any

from nll.families.own_code import Writer
from nll.numerics.formula import formula, standalone

Formula = Callable[..., Any]
_lock = RLock()
_COMPARED = {"<": ast.Lt, "<=": ast.LtE, ">": ast.Gt, ">=": ast.GtE, "==": ast.Eq}


class Write(Writer):
    """Writes one formula; called with a formula and its arguments, it writes the call."""

    def __init__(self, arguments: int) -> None:
        super().__init__(arguments)
        self.functions: dict[int, str] = {}

    def __call__(self, function: Formula, *arguments: Any) -> Value:
        names = [self.name_of(each) for each in arguments]
        called = self._called(function)
        return Value(self, self._step((called, *names), lambda: ast.Call(_load(called), [*map(_load, names)], [])))

    def several(self, function: Formula, count: int, *arguments: Any) -> list[Value]:
        """Write the call of a formula that returns a tuple of so many numbers."""
        whole = self(function, *arguments).name
        return [Value(self, self._step((whole, "item", str(i)), lambda i=i: _item(whole, i))) for i in range(count)]

    def name_of(self, value: Any) -> str:
        return value.name if isinstance(value, Value) else self.constant(float(value))

    def compare(self, sign: str, left: str, right: str) -> str:
        compared = _COMPARED[sign]
        return self._step((sign, left, right), lambda: ast.Compare(_load(left), [compared()], [_load(right)]))

    def both(self, sign: str, left: str, right: str) -> str:
        operator = ast.BitAnd() if sign == "&" else ast.BitOr()
        return self._step((sign, left, right), lambda: ast.BinOp(_load(left), operator, _load(right)))

    def select(self, condition: str, yes: str, no: str) -> str:
        return self._step(("?", condition, yes, no), lambda: ast.IfExp(_load(condition), _load(yes), _load(no)))

    def _called(self, function: Formula) -> str:
        function = function.made() if isinstance(function, Lazy) else function
        # Numbered by identity: parts have formulas of one name, and a part that comes twice is one function.
        name = self.functions.setdefault(id(function), f"g{len(self.functions)}")
        self.scope[name] = function
        return name


class Value:
    """A number, or a truth, of a formula that is being written."""

    __slots__ = ("name", "write")
    __hash__ = None  # type: ignore[assignment]

    def __init__(self, write: Write, name: str) -> None:
        self.write, self.name = write, name

    def _with(self, sign: str, other: Any, swapped: bool = False) -> Value:
        left, right = self.name, self.write.name_of(other)
        return Value(self.write, self.write.binary(sign, *((right, left) if swapped else (left, right))))

    def __add__(self, other: Any) -> Value:
        return self._with("+", other)

    def __radd__(self, other: Any) -> Value:
        return self._with("+", other, swapped=True)

    def __sub__(self, other: Any) -> Value:
        return self._with("-", other)

    def __rsub__(self, other: Any) -> Value:
        return self._with("-", other, swapped=True)

    def __mul__(self, other: Any) -> Value:
        return self._with("*", other)

    def __rmul__(self, other: Any) -> Value:
        return self._with("*", other, swapped=True)

    def __truediv__(self, other: Any) -> Value:
        return self._with("/", other)

    def __rtruediv__(self, other: Any) -> Value:
        return self._with("/", other, swapped=True)

    def __neg__(self) -> Value:
        return Value(self.write, self.write.negate(self.name))

    def _compared(self, sign: str, other: Any) -> Value:
        return Value(self.write, self.write.compare(sign, self.name, self.write.name_of(other)))

    def __lt__(self, other: Any) -> Value:
        return self._compared("<", other)

    def __le__(self, other: Any) -> Value:
        return self._compared("<=", other)

    def __gt__(self, other: Any) -> Value:
        return self._compared(">", other)

    def __ge__(self, other: Any) -> Value:
        return self._compared(">=", other)

    def __eq__(self, other: object) -> Value:
        return self._compared("==", other)

    def __and__(self, other: Value) -> Value:
        return Value(self.write, self.write.both("&", self.name, other.name))

    def __or__(self, other: Value) -> Value:
        return Value(self.write, self.write.both("|", self.name, other.name))

    def __bool__(self) -> bool:
        raise TypeError("a symbolic truth has no value yet: choose by where(condition, yes, no)")


def where(condition: Value, yes: Any, no: Any) -> Value:
    """Write a choice; both sides are computed."""
    write = condition.write
    return Value(write, write.select(condition.name, write.name_of(yes), write.name_of(no)))


def traced(name: str, arguments: int, build: Callable[..., Value | Sequence[Value]]) -> Formula:
    """Return the formula of so many arguments that build(write, *arguments) describes."""
    write = Write(arguments)
    result = build(write, *(Value(write, each) for each in write.arguments))
    names = write.name_of(result) if isinstance(result, (Value, float, int)) else [write.name_of(r) for r in result]
    return formula(write.function(name, names))


class Lazy:
    """A formula that is traced when it is first asked for: few are, and a Hessian may have thousands of entries."""

    def __init__(self, name: str, arguments: int, build: Callable[..., Any], alone: bool = False) -> None:
        self.name, self.arguments, self.build, self.alone = name, arguments, build, alone
        self.formula: Formula | None = None

    def made(self) -> Formula:
        """Return the formula, always the same one."""
        with _lock:
            if self.formula is None:
                made = traced(self.name, self.arguments, self.build)
                self.formula = standalone(made) if self.alone else made
            return self.formula

    def __get__(self, instance: object, owner: type) -> Formula:
        return self.made()


def _load(name: str) -> ast.expr:
    return ast.Name(name, ast.Load())


def _item(whole: str, i: int) -> ast.expr:
    return ast.Subscript(_load(whole), ast.Constant(i), ast.Load())

"""Arithmetic as a Python function: step by step, each step once, made of syntax that is written here.

A function that compiles, and whose compiled kernel is found again on disk, needs a code object. It comes from an
`ast.Module` whose every node is built below: names are numbered by us, constants are doubles, and there are only
arithmetic, comparisons of numbers and calls of our formulas. No text of a user becomes code.
"""

from __future__ import annotations

import ast
import types
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from nll.families.own_functions import FUNCTIONS, POWERS
from nll.families.own_text import COMPARISONS, Node, whole_power
from nll.numerics.bits import sqrt

_OPERATORS: dict[str, ast.operator] = {"+": ast.Add(), "-": ast.Sub(), "*": ast.Mult(), "/": ast.Div()}
_COMPARISONS = dict(zip(COMPARISONS, (ast.Lt(), ast.LtE(), ast.Gt(), ast.GtE(), ast.Eq(), ast.NotEq()), strict=True))


class Writer:
    """Writes a function of so many numbers; every method returns the name of a value.

    A step that was written already is not written again, so common subexpressions cost nothing.
    """

    def __init__(self, arguments: int) -> None:
        self.arguments = [f"v{i}" for i in range(arguments)]
        self.steps: list[ast.stmt] = []
        self.scope: dict[str, Any] = {"__name__": __name__, "__builtins__": {}}
        self.known: dict[tuple[str, ...], str] = {}

    def constant(self, value: float) -> str:
        # A global and not a literal: a NumPy number divides by zero, as compiled code does, where Python's raises.
        key = ("number", float(value).hex())
        if key not in self.known:
            self.known[key] = f"c{len(self.known)}"
            self.scope[self.known[key]] = np.float64(value)
        return self.known[key]

    def binary(self, sign: str, left: str, right: str) -> str:
        return self._step((sign, left, right), lambda: ast.BinOp(_load(left), _OPERATORS[sign], _load(right)))

    def negate(self, value: str) -> str:
        return self._step(("negate", value), lambda: ast.UnaryOp(ast.USub(), _load(value)))

    def call(self, function: Callable[..., Any], *values: str) -> str:
        name = f"f_{function.__name__}"
        self.scope[name] = function
        return self._step((name, *values), lambda: ast.Call(_load(name), [_load(value) for value in values], []))

    def choose(self, sign: str, left: str, right: str, yes: str, no: str) -> str:
        return self._step(
            ("where", sign, left, right, yes, no),
            lambda: ast.IfExp(ast.Compare(_load(left), [_COMPARISONS[sign]], [_load(right)]), _load(yes), _load(no)),
        )

    def whole_power(self, base: str, exponent: int) -> str:
        """Write a whole power as products, below 0 of the reciprocal."""
        if exponent == 0:
            return self.constant(1.0)
        square = base if exponent > 0 else self.binary("/", self.constant(1.0), base)
        result, left = "", abs(exponent)
        while left:
            if left & 1:
                result = self.binary("*", result, square) if result else square
            left >>= 1
            square = self.binary("*", square, square) if left else square
        return result

    def function(self, name: str, result: str | Sequence[str]) -> types.FunctionType:
        """Return the function whose value is this, or a tuple of these."""
        value = _load(result) if isinstance(result, str) else ast.Tuple([_load(each) for each in result], ast.Load())
        arguments = ast.arguments(
            posonlyargs=[], args=[ast.arg(v) for v in self.arguments], kwonlyargs=[], kw_defaults=[], defaults=[]
        )
        definition = ast.FunctionDef(name, arguments, [*self.steps, ast.Return(value)], [], lineno=1, col_offset=0)
        module = ast.fix_missing_locations(ast.Module([definition], []))
        # Compiled, not executed: the function's code is a constant of the module's.
        code = next(c for c in compile(module, "<own family>", "exec").co_consts if isinstance(c, types.CodeType))
        return types.FunctionType(code, dict(self.scope), name)

    def _step(self, key: tuple[str, ...], expression: Callable[[], ast.expr]) -> str:
        if key not in self.known:
            self.known[key] = f"t{len(self.known)}"
            self.steps.append(ast.Assign([ast.Name(self.known[key], ast.Store())], expression()))
        return self.known[key]


def _load(name: str) -> ast.expr:
    return ast.Name(name, ast.Load())


def loss_function(tree: Node, names: Sequence[str]) -> types.FunctionType:
    """Return loss(y, *theta) = -log_prob as a plain function; `names` are y and the parameters."""
    writer = Writer(len(names))
    places = dict(zip(names, writer.arguments, strict=True))
    return writer.function("loss", writer.negate(_written(tree, writer, places)))


def _written(node: Node, writer: Writer, places: Mapping[str, str]) -> str:
    if node.op == "number":
        return writer.constant(node.number)
    if node.op == "name":
        return places[node.word]
    values = [_written(arg, writer, places) for arg in node.args]
    if node.op == "negate":
        return writer.negate(values[0])
    if node.op == "where":
        return writer.choose(node.word, *values)
    if node.op != "**":
        return writer.call(FUNCTIONS[node.op], *values) if node.op in FUNCTIONS else writer.binary(node.op, *values)
    exponent = node.args[1]
    whole = whole_power(exponent)
    if whole is not None:
        return writer.whole_power(values[0], whole)
    if exponent.op == "number" and exponent.number == 0.5:
        return writer.call(sqrt, values[0])
    return writer.call(POWERS[0], *values)

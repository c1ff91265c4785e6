"""The derivatives of an own family, by SymPy, which gets the tree node by node and never a text.

Functions and powers are opaque to it: it knows their derivatives and multiplies no number out, so that it neither
takes long nor changes what is finite. Numbers other than small whole ones are symbols, which keeps them as written.
"""

from __future__ import annotations

import types
from collections.abc import Sequence
from functools import cache, reduce
from typing import Any

from nll.errors import MissingExtraError
from nll.families.own_code import Writer
from nll.families.own_functions import FUNCTIONS, POWERS, sigmoid, sign
from nll.families.own_text import COMPARISONS, Node, whole_power

SMALL = 4  # whole numbers up to it are numbers to SymPy
_FORMULAS = {**FUNCTIONS, "sign": sign, "sigmoid": sigmoid}


class NoDerivativeError(Exception):
    """A function whose derivative is not one that we have."""


def gradient_function(tree: Node, names: Sequence[str]) -> types.FunctionType | None:
    """Return gradient(y, *theta), or None where it needs more than trigamma."""
    return _function("gradient", tree, names, second=False)


def hessian_function(tree: Node, names: Sequence[str]) -> types.FunctionType | None:
    """Return hessian(y, *theta), the upper triangle row by row, or None where it needs more than trigamma."""
    return _function("hessian", tree, names, second=True)


def _function(name: str, tree: Node, names: Sequence[str], second: bool) -> types.FunctionType | None:
    sympy = _sympy()
    symbols = {each: sympy.Symbol(f"v{i}") for i, each in enumerate(names)}
    constants: dict[Any, float] = {}
    theta = list(symbols.values())[1:]
    try:
        loss = -_symbolic(tree, symbols, constants)
        wanted = [loss.diff(t) for t in theta]
        if second:
            wanted = [wanted[j].diff(theta[k]) for j in range(len(theta)) for k in range(j, len(theta))]
    except NoDerivativeError:
        return None
    shared, wanted = sympy.cse(wanted, symbols=sympy.numbered_symbols("s"), order="none")
    writer = Writer(len(names))
    known = dict(zip(symbols.values(), writer.arguments, strict=True))
    known |= {symbol: writer.constant(value) for symbol, value in constants.items()}
    for symbol, expression in shared:
        known[symbol] = _written(expression, writer, known)
    return writer.function(name, [_written(expression, writer, known) for expression in wanted])


def _sympy() -> Any:
    try:
        import sympy
    except ModuleNotFoundError as error:
        raise MissingExtraError("own", "sympy") from error
    return sympy


@cache
def _opaque() -> dict[str, Any]:
    """Return the functions as SymPy's, each with its derivative and no rule of evaluation."""
    sympy = _sympy()
    made: dict[str, Any] = {}

    def define(name: str, slope: Any) -> None:
        def fdiff(self: Any, argindex: int = 1) -> Any:
            return slope(self.args[0], made)

        made[name] = type(name, (sympy.Function,), {"fdiff": fdiff})

    def none(x: Any, f: Any) -> Any:
        raise NoDerivativeError

    define("log", lambda x, f: 1 / x)
    define("log1p", lambda x, f: 1 / (1 + x))
    define("exp", lambda x, f: f["exp"](x))
    define("expm1", lambda x, f: f["exp"](x))
    define("sqrt", lambda x, f: 1 / (2 * f["sqrt"](x)))
    define("lgamma", lambda x, f: f["digamma"](x))
    define("digamma", lambda x, f: f["trigamma"](x))
    define("trigamma", none)
    define("softplus", lambda x, f: f["sigmoid"](x))
    define("log_sigmoid", lambda x, f: f["sigmoid"](-x))
    define("sigmoid", lambda x, f: f["sigmoid"](x) * f["sigmoid"](-x))
    define("abs", lambda x, f: f["sign"](x))
    define("sign", lambda x, f: sympy.Integer(0))

    def power_slope(self: Any, s: Any) -> Any:
        """Differentiate x**k log(x)**n, n the third argument."""
        x, k, n = self.args
        in_x = k * made["power"](x, k - 1, n) + (n * made["power"](x, k - 1, n - 1) if n else 0)
        return x.diff(s) * in_x + k.diff(s) * made["power"](x, k, n + 1)

    def where_slope(self: Any, s: Any) -> Any:
        """Differentiate both values, so that the one not chosen cannot turn the other into NaN."""
        *condition, yes, no = self.args
        return made["where"](*condition, yes.diff(s), no.diff(s))

    made["power"] = type("power", (sympy.Function,), {"_eval_derivative": power_slope})
    made["where"] = type("where", (sympy.Function,), {"_eval_derivative": where_slope})
    return made


def _symbolic(node: Node, symbols: dict[str, Any], constants: dict[Any, float]) -> Any:
    """Return a tree as SymPy has it."""
    sympy, opaque = _sympy(), _opaque()
    if node.op == "name":
        return symbols[node.word]
    if node.op == "number":
        return _number(node.number, constants)
    if node.op == "**":
        base = _symbolic(node.args[0], symbols, constants)
        whole = whole_power(node.args[1])
        if whole is not None:
            return base**whole
        if node.args[1].op == "number" and node.args[1].number == 0.5:
            return opaque["sqrt"](base)
        return opaque["power"](base, _symbolic(node.args[1], symbols, constants), sympy.Integer(0))
    args = [_symbolic(arg, symbols, constants) for arg in node.args]
    if node.op == "where":
        return opaque["where"](sympy.Integer(COMPARISONS.index(node.word)), *args)
    if node.op == "negate":
        return -args[0]
    if node.op in opaque:
        return opaque[node.op](args[0])
    a, b = args
    return a + b if node.op == "+" else a - b if node.op == "-" else a * b if node.op == "*" else a / b


def _number(value: float, constants: dict[Any, float]) -> Any:
    sympy = _sympy()
    if value < 0.0:
        return -_number(-value, constants)
    if value.is_integer() and value <= SMALL:
        return sympy.Integer(int(value))
    symbol = sympy.Symbol(f"c{value.hex()}")
    constants[symbol] = value
    return symbol


def _written(expression: Any, writer: Writer, known: dict[Any, str]) -> str:
    """Write an expression of SymPy; `known` are the values of its symbols, and of all that was written."""
    if expression not in known:
        known[expression] = _new(expression, writer, known)
    return known[expression]


def _new(expression: Any, writer: Writer, known: dict[Any, str]) -> str:
    def written(part: Any) -> str:
        return _written(part, writer, known)

    if expression.is_Rational:
        return writer.constant(expression.p / expression.q)  # integers of Python: rounded once
    if expression.is_Add:
        return reduce(lambda a, b: writer.binary("+", a, b), map(written, expression.args))
    if expression.is_Mul:
        return _product(expression, writer, known)
    if expression.is_Pow:
        base, exponent = expression.args
        if not exponent.is_Integer:
            raise NoDerivativeError
        return writer.whole_power(written(base), int(exponent))
    name = type(expression).__name__
    if name == "where":
        code, *values = expression.args
        return writer.choose(COMPARISONS[int(code)], *map(written, values))
    if name == "power":
        x, k, n = expression.args
        return writer.call(POWERS[int(n)], written(x), written(k))
    if name in _FORMULAS:
        return writer.call(_FORMULAS[name], written(expression.args[0]))
    return writer.constant(float("nan"))  # what divides by zero whatever the parameters are


def _product(expression: Any, writer: Writer, known: dict[Any, str]) -> str:
    """Write a product, with a quotient at its end if one number divides it, and reciprocals if several do."""
    number, rest = expression.as_coeff_Mul()
    factors = list(rest.args) if rest.is_Mul else [rest]
    below = [f for f in factors if f.is_Pow and f.args[1].is_Integer and f.args[1] < 0]
    divisor = below[0].args[0] if len(below) == 1 and below[0].args[1] == -1 else None
    parts = [_written(f, writer, known) for f in factors if divisor is None or f != below[0]]
    if abs(number) != 1 or not parts:
        parts.append(writer.constant(abs(number).p / abs(number).q))
    value = reduce(lambda a, b: writer.binary("*", a, b), parts)
    if divisor is not None:
        value = writer.binary("/", value, _written(divisor, writer, known))
    return writer.negate(value) if number < 0 else value

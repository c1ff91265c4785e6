"""Your own family: a log density as text, or as a Python function, that scores and fits like the built-in ones."""

from __future__ import annotations

import inspect
import json
import math
import re
import unicodedata
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any, ClassVar

from nll.errors import UsageError, listing, nearest
from nll.families import constraints as sets
from nll.families.constraints import Constraint
from nll.families.family import REGISTRY, Family, Moments
from nll.families.own_code import loss_function
from nll.families.own_text import RESERVED, Node, parse_log_prob
from nll.numerics.formula import formula

CONSTRAINTS: dict[str, type[Constraint]] = {
    "real": sets.Real,
    "positive": sets.Positive,
    "nonnegative": sets.NonNegative,
    "probability": sets.Probability,
    "unit_interval": sets.UnitInterval,
    "binary": sets.Binary,
    "whole": sets.Whole,
    "count": sets.Count,
}
WORDS = {constraint: word for word, constraint in CONSTRAINTS.items()}
# Where a fit begins that was told nothing better, by the link of the parameter.
STARTS = {"identity": 0.0, "log": 1.0, "logit": 0.5, "": 0.5}
VERSION = 1
MOST_PARAMETERS = 32
LONGEST_NAME = 60
NAME = re.compile(r"[^\W\d]\w*")
Start = Mapping[str, float] | Callable[[Moments], tuple[float, ...]]


class _Derivative:
    """A formula that SymPy makes when it is first asked for: most scores never need it."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __get__(self, instance: Family | None, owner: type[OwnFamily]) -> Any:
        function = None
        if owner.tree is not None:
            from nll.families import own_derivatives

            function = getattr(own_derivatives, f"{self.name}_function")(owner.tree, ("y", *owner.parameters))
        value = None if function is None else staticmethod(formula(function))
        setattr(owner, self.name, value)
        return getattr(owner, self.name)


class _OnClass:
    """A method of the class; an instance has what every family has under this name."""

    def __init__(self, method: Callable[[Any], Any]) -> None:
        self.method = method

    def __get__(self, instance: Family | None, owner: type[Family]) -> Any:
        inherited = getattr(Family, self.method.__name__, None)
        if instance is not None and inherited is not None:
            return inherited.__get__(instance, owner)
        return self.method.__get__(owner)


class OwnFamily(Family):
    """What families made by `nll.family` have in common; they stand in no list of families."""

    definition: ClassVar[dict[str, Any] | None] = None
    tree: ClassVar[Node | None] = None
    gradient: ClassVar[Any] = _Derivative("gradient")
    hessian: ClassVar[Any] = _Derivative("hessian")

    def _to_dict(cls: Any) -> dict[str, Any]:
        """Return the definition as plain data, for `nll.family.from_dict`."""
        if cls.definition is None:
            raise UsageError(f"{cls.__name__} is a Python function, which is not saved; give log_prob as text")
        return json.loads(json.dumps(cls.definition))

    _to_dict.__name__ = "to_dict"
    to_dict: ClassVar[Any] = _OnClass(_to_dict)

    def __reduce_ex__(self, protocol: Any) -> Any:
        # The class is in no module; a worker makes it again from its text.
        if self.definition is None:
            return super().__reduce_ex__(protocol)
        return _again, (self.definition, self.theta)


del REGISTRY[OwnFamily.__name__]  # it is no distribution


def _again(definition: dict[str, Any], theta: dict[str, Any]) -> Family:
    return family.from_dict(definition)(**theta)


class _Maker:
    """Make a family of your own.

        nll.family(name, log_prob=..., parameters={"a": "positive"}, support="positive")

    Parameters
    ----------
    name : what it is called, in messages and saved models.
    log_prob : the log density or log probability of y, in nats, constants included. Text in y and the parameters:
        numbers, + - * / **, pi, log, log1p, exp, expm1, sqrt, lgamma, digamma, trigamma, softplus, log_sigmoid, abs,
        and where(y < 0, a, b). It is read by a grammar and can run nothing. Or a Python function of (y, *theta), of
        one row, that Numba compiles.
    parameters : each name with what it may be: "real", "positive", "nonnegative", "probability", "unit_interval"
        (without its ends), "binary", "whole" or "count".
    support : where the density is positive, in the same words; any other y is impossible, with an infinite loss.
    discrete : whether y is a whole number; by default as the support is.
    start : where a fit begins: a mapping of parameters to numbers, or a function of `Moments`. By default 0, 1 or 1/2,
        as the parameter may be.
    gradient, hessian : of the loss -log_prob in the parameters, if log_prob is a function: functions of (y, *theta)
        that return tuples, the Hessian's of its upper triangle, row by row. Of text, SymPy makes both when they are
        first needed (`pip install 'nll[own]'`); where they need more than trigamma they are None.

    Returns
    -------
    A family, as `nll.Normal` is one. The same text gives the same class. `to_dict()` of the class is its definition
    as plain data and `nll.family.from_dict` reads it; `nll.family.from_text` reads it in one line:

        MyGamma: a*log(b) - lgamma(a) + (a-1)*log(y) - b*y; a positive; b positive; support positive

    Raises
    ------
    UsageError
        A text beyond the grammar, a name that is taken or unknown, or options that exclude each other.

    Examples
    --------
    >>> import nll
    >>> Wait = nll.family("Wait", log_prob="log(r) - r*y", parameters={"r": "positive"}, support="nonnegative")
    >>> nll.score(2.0, Wait(r=1.0)).sum
    2.0
    """

    def __call__(
        self,
        name: str,
        log_prob: str | Callable[..., float],
        parameters: Mapping[str, str | type[Constraint]],
        support: str | type[Constraint] = "real",
        *,
        discrete: bool | None = None,
        start: Start | None = None,
        gradient: Callable[..., tuple[float, ...]] | None = None,
        hessian: Callable[..., tuple[float, ...]] | None = None,
    ) -> type[Family]:
        _check_names(name, parameters)
        constraints = {key: _constraint(value, f"parameter {key!r}") for key, value in parameters.items()}
        supported = _constraint(support, "the support")
        if discrete is False and supported.discrete:
            raise UsageError(f"the support {WORDS[supported]!r} holds whole numbers: discrete=False excludes it")
        whole = supported.discrete or bool(discrete)
        if isinstance(log_prob, str):
            if gradient is not None or hessian is not None:
                raise UsageError("gradient and hessian go with log_prob as a function; of text they are made by SymPy")
            definition = _definition(name, log_prob, constraints, supported, whole, start)
            if callable(start):
                return _from_text(json.dumps(definition), start)
            return _same(json.dumps(definition))
        contents = {"loss": _negative(_row_function(log_prob, "log_prob", constraints))}
        for key, function in (("gradient", gradient), ("hessian", hessian)):
            contents[key] = None if function is None else _row_function(function, key, constraints)
        return _made(name, constraints, supported, whole, _starting(start, constraints), contents)

    def from_dict(self, saved: Mapping[str, Any]) -> type[Family]:
        """Return the family that `to_dict` described."""
        if not isinstance(saved, Mapping) or saved.get("nll") != "family" or saved.get("version") != VERSION:
            raise UsageError(f'this is no family saved by nll: expected "nll": "family", "version": {VERSION}')
        wanted = {"nll", "version", "name", "log_prob", "parameters", "support", "discrete", "start"}
        if set(saved) - wanted or not wanted - {"discrete", "start"} <= set(saved):
            raise UsageError(f"a saved family has {listing(sorted(wanted))}; this one has {listing(sorted(saved))}")
        name, log_prob, parameters = saved["name"], saved["log_prob"], saved["parameters"]
        text = isinstance(name, str) and isinstance(log_prob, str) and isinstance(saved["support"], str)
        if not text or not isinstance(parameters, Mapping):
            raise UsageError("name, log_prob and support of a saved family are texts, its parameters a mapping")
        start, discrete = saved.get("start"), saved.get("discrete")
        if not isinstance(start, Mapping | None) or not isinstance(discrete, bool | None):
            raise UsageError("start of a saved family is a mapping of parameters to numbers, discrete true or false")
        return self(name, log_prob, parameters, saved["support"], discrete=discrete, start=start)

    def from_text(self, text: str) -> type[Family]:
        """Return the family of one line: "name: log_prob; a positive; support positive; discrete"."""
        head, *items = text.split(";")
        name, colon, log_prob = head.partition(":")
        form = "'name: log_prob; a positive; b real; support positive'"
        if not colon:
            raise UsageError(f"a family is written {form}; got {text[:LONGEST_NAME]!r}")
        given: dict[str, str] = {}
        discrete = None
        for item in filter(None, map(str.strip, items)):
            key, *rest = item.split()
            if key in given or (key == "discrete" and discrete):
                raise UsageError(f"{key[:LONGEST_NAME]} is given twice in a family written {form}")
            if [key, *rest] == ["discrete"]:
                discrete = True
            elif len(rest) == 1:
                given[key] = rest[0]
            else:
                raise UsageError(f"{item[:LONGEST_NAME]!r} is neither a parameter with what it may be nor the support")
        support = given.pop("support", "real")
        return self(name.strip(), log_prob.strip(), given, support, discrete=discrete)


family = _Maker()


def _check_names(name: str, parameters: Mapping[str, Any]) -> None:
    from nll.families import families

    _check_name(name, "a family")
    if name in families():
        raise UsageError(f"nll has a family {name} already; choose another name")
    if not parameters or len(parameters) > MOST_PARAMETERS:
        raise UsageError(f"a family has 1 to {MOST_PARAMETERS} parameters; {name} has {len(parameters)}")
    for each in parameters:
        _check_name(each, "a parameter")
        if each in (*RESERVED, "support", "discrete", "self", "cls"):
            raise UsageError(f"a parameter cannot be called {each!r}, which means something else here")


def _check_name(name: Any, what: str) -> None:
    plain = isinstance(name, str) and NAME.fullmatch(name) and unicodedata.normalize("NFKC", name) == name
    if not plain or len(name) > LONGEST_NAME:
        raise UsageError(f"the name of {what} is one word of letters, digits and _; got {str(name)[:LONGEST_NAME]!r}")


def _constraint(given: Any, what: str) -> type[Constraint]:
    found = CONSTRAINTS.get(given) if isinstance(given, str) else given
    if not isinstance(found, type) or found not in WORDS:
        hint = nearest(given, CONSTRAINTS) if isinstance(given, str) else ""
        raise UsageError(f"{what} cannot be {str(given)[:LONGEST_NAME]!r}{hint}; there are {listing(CONSTRAINTS)}")
    return found


def _definition(
    name: str,
    log_prob: str,
    constraints: dict[str, type[Constraint]],
    support: type[Constraint],
    whole: bool,
    start: Start | None,
) -> dict[str, Any]:
    definition: dict[str, Any] = {
        "nll": "family",
        "version": VERSION,
        "name": name,
        "log_prob": log_prob,
        "parameters": {key: WORDS[constraint] for key, constraint in constraints.items()},
        "support": WORDS[support],
        "discrete": whole,
    }
    if start is not None and not callable(start):
        _starting(start, constraints)
        definition["start"] = {key: float(start[key]) for key in constraints}
    return definition


@cache
def _same(definition: str) -> type[Family]:
    """Return the family of a definition, one class for each."""
    return _from_text(definition, None)


def _from_text(definition: str, start: Start | None) -> type[Family]:
    saved = json.loads(definition)
    constraints = {key: CONSTRAINTS[word] for key, word in saved["parameters"].items()}
    tree = parse_log_prob(saved["log_prob"], constraints)
    contents = {
        "__doc__": f"{saved['name']}: log_prob = {saved['log_prob']}.",
        "loss": loss_function(tree, ("y", *constraints)),
        "tree": tree,
        "definition": saved,
    }
    begin = _starting(start or saved.get("start"), constraints)
    return _made(saved["name"], constraints, CONSTRAINTS[saved["support"]], saved["discrete"], begin, contents)


def _made(
    name: str,
    constraints: dict[str, type[Constraint]],
    support: type[Constraint],
    whole: bool,
    start: Callable[[Moments], tuple[float, ...]],
    contents: dict[str, Any],
) -> type[Family]:
    """Return the class."""
    space = {
        "__annotations__": constraints,
        "__module__": __name__,
        "observations": sets.Whole if whole else sets.Real,
        "support": support,
        "start": start,
        **contents,
    }
    made: Any = type(OwnFamily)(name, (OwnFamily,), space, register=False)
    made.family, made.forms = made, [made]
    return made


def _starting(start: Start | None, constraints: dict[str, type[Constraint]]) -> Callable[[Moments], tuple[float, ...]]:
    """Return the function that says where a fit begins."""
    if callable(start):
        return start
    values = tuple(STARTS[constraint.link] for constraint in constraints.values())
    if start is not None:
        if set(start) != set(constraints):
            raise UsageError(f"start has a number for each of {listing(constraints)}; got {listing(start)}")
        values = tuple(_number(start[key], key) for key in constraints)
        for (key, constraint), value in zip(constraints.items(), values, strict=True):
            if not constraint.contains(value):
                raise UsageError(f"start of {key} must be {constraint.words}; got {value!r}")

    def begin(moments: Moments) -> tuple[float, ...]:
        return values

    return begin


def _number(value: Any, name: str) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        raise UsageError(f"start of {name} is a number; got {str(value)[:LONGEST_NAME]!r}")
    return float(value)


def _row_function(given: Any, what: str, constraints: Mapping[str, Any]) -> Callable[..., Any]:
    """Return a user's function as a formula."""
    function = getattr(given, "py_func", given)  # Numba's own compiled functions carry the plain one
    if not inspect.isfunction(function):
        raise UsageError(f"{what} is a text or a Python function; got {type(given).__name__}")
    try:
        inspect.signature(function).bind("y", *constraints)
    except TypeError as error:
        raise UsageError(f"{what} takes (y, {', '.join(constraints)}): {error}") from None
    _mark(function)
    return function


def _mark(function: Callable[..., Any]) -> None:
    """Make formulas of a user's function and of those that it calls in its module, so that all are compiled."""
    if hasattr(function, "__formula__") or hasattr(function, "__primitive__"):
        return
    formula(function)
    variables = inspect.getclosurevars(function)
    for called in (*variables.globals.values(), *variables.nonlocals.values()):
        if inspect.isfunction(called) and called.__module__ == function.__module__:
            _mark(called)


def _negative(log_prob: Callable[..., float]) -> Callable[..., float]:
    def loss(y, *theta):
        return -log_prob(y, *theta)

    return loss

import builtins
import doctest
import itertools
import json
import math
import operator
import os
import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import mpmath
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import nll
from nll.cli.score import own_families
from nll.errors import MissingExtraError, UsageError
from nll.families import families, own_derivatives
from nll.families.expression import parse_distribution
from nll.families.family import Family
from nll.families.own_code import loss_function
from nll.families.own_functions import FUNCTIONS, power, power_log
from nll.families.own_text import COMPARISONS, LARGEST_DEGREE, MOST_CHARACTERS, MOST_FACTORS, parse_log_prob
from nll.kernels.kernel import kernel, prepared
from nll.numerics.elementary import log
from nll.numerics.formula import fingerprint, quiet

ROOT = Path(__file__).parents[2]
GAMMA = "a*log(b) - lgamma(a) + (a-1)*log(y) - b*y"
POSITIVE = {"a": "positive", "b": "positive"}
SIZE = 40

# The text of an own family, its parameters and support, the built-in one, and observations.
SAME = [
    (
        GAMMA,
        POSITIVE,
        "positive",
        "Gamma",
        [0.01, 0.4, 1.0, 3.0, 25.0],
        [(0.3, 0.5), (1.0, 1.0), (4.5, 2.0), (12.0, 3.0)],
    ),
    (
        "-((y - m)/s)**2/2 - log(s) - log(2*pi)/2",
        {"m": "real", "s": "positive"},
        "real",
        "Normal",
        [-7.0, -0.5, 0.0, 3.25],
        [(0.0, 1.0), (-2.5, 0.5), (3.0, 20.0)],
    ),
    (
        "y*log(m) - m - lgamma(y + 1)",
        {"m": "positive"},
        "count",
        "Poisson",
        [0.0, 1.0, 2.0, 17.0],
        [(0.2,), (1.0,), (9.5,)],
    ),
]


def own(log_prob, parameters=("a",), support="real", **options) -> Any:
    return nll.family("Own", log_prob, dict.fromkeys(parameters, "real"), support, **options)


def value(text, **numbers):
    """The log density as text says it, at numbers."""
    loss = loss_function(parse_log_prob(text, [n for n in numbers if n != "y"]), list(numbers))
    with quiet():
        return float(-loss(*map(np.float64, numbers.values())))


@pytest.mark.parametrize(("text", "parameters", "support", "name", "ys", "thetas"), SAME, ids=lambda x: str(x)[:8])
def test_it_scores_and_differentiates_as_the_built_in_family(text, parameters, support, name, ys, thetas):
    mine, built_in = nll.family(f"My{name}", text, parameters, support), families()[name]
    assert mine.discrete == built_in.discrete if isinstance(mine.discrete, bool) else True
    for y, theta in itertools.product(ys, thetas):
        assert nll.score(y, mine(*theta)).sum == pytest.approx(nll.score(y, built_in(*theta)).sum, rel=1e-13, abs=1e-13)
        row = tuple(map(np.float64, (y, *theta)))
        with quiet():
            for of in ("gradient", "hessian"):
                found, expected = (getattr(form, of)(*row) for form in (mine, built_in.forms[0]))
                assert found == pytest.approx(expected, rel=1e-13, abs=1e-13), (of, y, theta)


def test_it_is_a_family_with_rows_off_the_support_and_bad_parameters():
    mine: Any = nll.family("MyGamma", GAMMA, POSITIVE, "positive")
    assert issubclass(mine, Family)
    assert nll.score([1.0, -1.0], mine(a=1.0, b=1.0)).impossible == 1
    assert mine(a=2, b=1).log_prob([1.0, -1.0])[1] == -np.inf
    assert repr(mine(a=2, b=1)) == "MyGamma(a=2, b=1)"
    with pytest.raises(nll.errors.DataError, match="a must be positive"):
        nll.score([1.0], mine(a=-1.0, b=1.0))
    with pytest.raises(UsageError, match="no parameter 'c'"):
        mine(a=1.0, c=1.0)
    with pytest.raises(nll.errors.DataError, match="whole"):
        nll.score([0.5], nll.family("Die", "log(1 - q) + y*log(q)", {"q": "unit_interval"}, "count")(q=0.5))


def test_it_is_in_no_list_of_families():
    before = set(families())
    own("a*y")
    assert set(families()) == before
    assert "OwnFamily" not in before


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("-a**2", -9.0),
        ("2**-1", 0.5),
        ("2**3**2", 512.0),
        ("(2**3)**2", 64.0),
        ("8/4/2", 1.0),
        ("7 - 4 - 2", 1.0),
        ("- -a", 3.0),
        ("+a*-y", 6.0),
        ("2*pi", 2 * math.pi),
        ("1.5e1 + .5 + 2.", 17.5),
        ("a**-3", 1 / 27),
        ("y**3", -8.0),
        ("abs(y)**0.5", math.sqrt(2.0)),
        ("a**100", 3.0**100),
        ("y**101", -(2.0**101)),
        ("(a - 3)**a", 0.0),
        ("(a - 3)**(y + 2)", 1.0),
        ("(a - 3)**0.25", 0.0),
        ("(a - 3)**2.5", 0.0),
        ("y**a", -8.0),
        ("y**2.5", math.nan),
        ("(a/1e300/1e300)**a", 0.0),
        ("1e300**(a/3)", 1e300),
        ("where(y < 0, 1, 1/(a - 3))", 1.0),
        ("where(1 < 2, y, a)", -2.0),
        *((f"where(y {sign} -2, 1, 0)", float(s)) for sign, s in zip(COMPARISONS, (0, 1, 0, 1, 1, 0), strict=True)),
    ],
)
def test_the_text_means_what_python_means(text, expected):
    assert value(text, y=-2.0, a=3.0) == pytest.approx(expected, rel=1e-15, nan_ok=True)


@given(st.floats(0.0, 1e300), st.floats(-300.0, 300.0))
def test_a_power_is_accurate_and_finite(x, k):
    with quiet():
        found = float(power(np.float64(x), np.float64(k)))
    with mpmath.workdps(40):
        expected = mpmath.inf if x == 0 and k < 0 else mpmath.mpf(x) ** mpmath.mpf(k)
        if expected > sys.float_info.max:
            assert found == math.inf
        else:
            assert abs(found - expected) <= max(4e-16 * expected, 1e-307)


def test_a_power_and_its_derivatives_have_their_limits_at_zero():
    with quiet():
        assert power_log(np.float64(0.0), np.float64(0.5)) == 0.0
    mine = own("-abs(y - a)**k", ("a", "k"))
    with quiet():
        assert mine.gradient(*map(np.float64, (2.0, 2.0, 1.5))) == (0.0, 0.0)


LEAVES = st.sampled_from([("y", lambda y, a: y), ("a", lambda y, a: a)]) | st.floats(0.0, 1e6).map(
    lambda c: (repr(c), lambda y, a: np.float64(c))
)
OPERATORS = [("+", operator.add), ("-", operator.sub), ("*", operator.mul), ("/", operator.truediv)]


def joined(parts):
    (left, f), (sign, operate), (right, g) = parts
    return f"({left}) {sign} ({right})", lambda y, a: operate(f(y, a), g(y, a))


@given(
    st.recursive(LEAVES, lambda inner: st.tuples(inner, st.sampled_from(OPERATORS), inner).map(joined), max_leaves=12),
    st.floats(-100.0, 100.0),
    st.floats(-100.0, 100.0),
)
def test_arithmetic_has_the_bits_of_numpy(expression, y, a):
    text, function = expression
    with quiet():
        expected = float(function(np.float64(y), np.float64(a)))
    try:
        found = value(text, y=y, a=a)
    except UsageError as error:  # a part without names is a number at once, and 1 / 0 is none
        if "no finite number" not in str(error):
            raise
    else:
        assert found == expected or (found != found and expected != expected)


HOSTILE = [
    " ", "()", "(", "a)", "a b", "a,", "1 2", "2a", "a y", "log", "log()", "log(a, y)", "log(a", "a(y)", "y(1)",
    "pi(2)", "__import__('os')", "__import__", "().__class__", "a.__class__", "a.real", "a.b", "log.__globals__",
    "f'{a}'", '"a"', "'a'", "lambda: 0", "lambda", "[a for a in y]", "[a]", "{a}", "{}", "a[0]", "a if y else a",
    "a and y", "a or y", "not a", "a := 1", "a = 1", "a; y", "a\\y", "import os", "exec(a)", "eval(a)", "open(a)",
    "print(a)", "getattr(a, y)", "*a", "**a", "a // y", "a % y", "a @ y", "a & y", "a | y", "~a", "a << y", "a ^ y",
    "a!", "a < y", "(a < y) + 1", "where(a, y, y)", "where(a < y < a, y, y)", "where(a < y, y)", "where",
    "where(a < y, y, y, y)", "log(a < y)", "a <> y", "a === y", "10**10**10", "9**9**9**9", "1e999", "1/0", "log(0)",
    "log(-1)", "0**-1", "1e308*10", "inf", "nan", "1_000", "0x10", "1j", "\uff11 + a", "\uff4c\uff4f\uff47(a)",
    "\uff41", "\u0430", "l\u03bfg(a)", "a\u200b", "a\u202ey", "\u2212a", "a\xd7y", "a\x00y", "a#y", "\u221aa",
    "\u03c0", "\xb2", "a\xb2", "(" * 33 + "a" + ")" * 33, "(" * 1500 + "a" + ")" * 1500, "-" * 3000 + "a",
    "a**" * 1000 + "a", "log(" * 900 + "a", "a+" * 1500 + "a", "a*" * MOST_FACTORS + "a", "((a**64)**64)**64",
    "a" * (MOST_CHARACTERS + 1), "x" * 3000, "9" * 3000,
]  # fmt: skip


@pytest.mark.parametrize("text", HOSTILE, ids=lambda t: repr(t[:24]))
def test_what_is_beyond_the_grammar_is_refused_with_its_place(text, monkeypatch):
    def never(*args, **options):
        raise AssertionError("something ran")

    for name in ("eval", "exec", "compile", "open", "__import__"):
        monkeypatch.setattr(builtins, name, never)
    try:
        parse_log_prob(text, ["a"])
    except UsageError as error:
        found = error
    else:
        raise AssertionError("it was read")
    finally:
        monkeypatch.undo()
    assert "character" in str(found)
    assert len(str(found)) < 400


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("lgo(a)", r"no function 'lgo' \(did you mean 'log'\?\)"),
        ("a + lgamm", r"no 'lgamm' here \(did you mean 'lgamma' .*\(character 5 of"),
        ("a*Y", r"no 'Y' here \(did you mean 'y'\?\)"),
        ("y^2", r"a power is written \*\* \(character 2 of"),
        ("2y", r"a product is written with \*, as in 2\*y"),
        ("a(y)", r"a product is written a\*\(...\)"),
        ("log a", r"log needs what it is of"),
        ("a < y", r"a comparison stands in where"),
        ("a +", r"the text ends"),
    ],
)
def test_a_message_says_what_to_write(text, message):
    with pytest.raises(UsageError, match=message):
        own(text)


@settings(max_examples=300, deadline=None)
@given(
    st.text(max_size=60) | st.lists(st.sampled_from([*"ay()+-*/,<.; 0123", "**", "where(", "log(", "pi"])).map("".join)
)
def test_any_text_is_a_number_or_refused(text):
    try:
        found = value(text, y=0.5, a=2.0)
    except UsageError:
        return
    assert isinstance(found, float)


def test_the_code_holds_only_names_that_are_written_here():
    text = "where(y < a, log(y)**1.7, sqrt(abs(y)) + softplus(a)) - 0.25*y**3/a"
    code = loss_function(parse_log_prob(text, ["a"]), ["y", "a"]).__code__
    assert all(
        name[0] in "cf" and name[1:].strip("_abcdefghijklmnopqrstuvwxyz0123456789") == "" for name in code.co_names
    )
    assert all(name[0] in "vt" and name[1:].isdigit() for name in code.co_varnames)


# Each function at a * y + 0.3, as mpmath has it.
MPMATH = {
    "log": mpmath.log,
    "log1p": mpmath.log1p,
    "exp": mpmath.exp,
    "expm1": mpmath.expm1,
    "sqrt": mpmath.sqrt,
    "lgamma": mpmath.loggamma,
    "digamma": mpmath.digamma,
    "trigamma": lambda x: mpmath.psi(1, x),
    "softplus": lambda x: mpmath.log1p(mpmath.exp(x)),
    "log_sigmoid": lambda x: -mpmath.log1p(mpmath.exp(-x)),
    "abs": abs,
}
DERIVED = [
    *((f"{name}(a*y + 0.3*b)", lambda y, a, b, f=f: f(a * y + mpmath.mpf(0.3) * b)) for name, f in MPMATH.items()),
    ("(a*y)**b", lambda y, a, b: (a * y) ** b),
    ("(a + y)**0.7/b", lambda y, a, b: (a + y) ** mpmath.mpf(0.7) / b),
    ("(a*y + b)**-3", lambda y, a, b: (a * y + b) ** -3),
    ("a**0.5*b**-0.5*y", lambda y, a, b: mpmath.sqrt(a / b) * y),
    ("where(y < a, a*b*b, exp(a*b))", lambda y, a, b: a * b * b if y < a else mpmath.exp(a * b)),
    ("exp(-a*y)/(1 + b*exp(a*b))", lambda y, a, b: mpmath.exp(-a * y) / (1 + b * mpmath.exp(a * b))),
    ("3", lambda y, a, b: mpmath.mpf(3)),
]


@pytest.mark.parametrize(("text", "function"), DERIVED, ids=[text for text, _ in DERIVED])
def test_derivatives_are_those_of_the_text(text, function):
    assert {*FUNCTIONS} == {*MPMATH}
    mine = own(text, ("a", "b"))
    for row in ((0.7, 1.3, 0.4), (2.5, 0.2, 1.9)):
        numbers = tuple(map(np.float64, row))
        with quiet(), mpmath.workdps(30):
            point = tuple(map(mpmath.mpf, row))
            for orders, formula in (
                (((1, 0), (0, 1)), mine.gradient),
                (((2, 0), (1, 1), (0, 2)), mine.hessian),
            ):
                deepest = {"trigamma": 0, "digamma": 1}.get(text.split("(")[0], 2)
                if sum(orders[0]) > deepest:
                    assert formula is None
                    continue
                expected = [float(-mpmath.diff(function, point, (0, *order))) for order in orders]
                assert list(formula(*numbers)) == pytest.approx(expected, rel=1e-13, abs=1e-13)


EVERYTHING = (
    "where(y < a, softplus(y) - log_sigmoid(a), exp(-abs(y))*log1p(abs(a))) + expm1(-y*y) - sqrt(abs(a*y))"
    " + lgamma(abs(a) + 0.5) + digamma(1 + abs(a)) + trigamma(1 + abs(y)) + log(abs(a) + 0.1)"
    " + abs(y)**a + abs(y)**1.5 - y**3/(a - 0.25)"
)
FLOATS = st.floats(-30.0, 30.0) | st.floats(allow_nan=False) | st.sampled_from([0.0, -0.0, 1.0, 5e-324, 1e308])


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(FLOATS, FLOATS), min_size=SIZE, max_size=SIZE))
def test_plain_and_compiled_have_the_same_bits(rows):
    y, theta = prepared([y for y, _ in rows], [[a for _, a in rows]])
    kernels = kernel(own(EVERYTHING))
    plain, out = kernels.plain_rows(y, theta), np.empty(SIZE)
    kernels._loop("rows")(y, theta, out)
    for x in (plain, out):
        x[np.isnan(x)] = np.nan
    assert plain.tobytes() == out.tobytes()


def test_another_text_is_another_kernel_and_the_same_one_the_same():
    texts = [
        "a*y",
        "a*y + 1",
        "a*y + 1.5",
        "a*y - 1.5",
        "y*a",
        "a/y",
        "exp(a*y)",
        "expm1(a*y)",
        "where(y<a,y,a)",
        "where(y>a,y,a)",
    ]
    marks = [fingerprint(own(text).loss, {}) for text in texts]
    assert len(set(marks)) == len(texts)
    assert fingerprint(loss_function(parse_log_prob("a*y + 1.5", ["a"]), ["y", "a"]), {}) == marks[2]
    assert own("a*y") is own("a*y")


SECOND = f"""
import numpy as np, nll
from nll.kernels.kernel import kernel, prepared
form = nll.family("MyGamma", {GAMMA!r}, {POSITIVE!r}, "positive")
y, theta = prepared(np.ones(8), [1.0, 2.0])
loop = kernel(form)._loop("rows")
loop(y, theta, np.empty(8))
print(sum(loop.stats.cache_hits.values()), sum(loop.stats.cache_misses.values()))
"""


def test_a_second_process_finds_the_kernel_on_disk():
    found = [
        subprocess.run(
            [sys.executable, "-c", SECOND], capture_output=True, text=True, check=True, env=os.environ
        ).stdout
        for _ in range(2)
    ]
    assert found[1].split() == ["1", "0"]


def test_it_is_saved_as_plain_data():
    mine: Any = nll.family("MyGamma", GAMMA, POSITIVE, "positive", start={"b": 2.0, "a": 1.0})
    saved = json.loads(json.dumps(mine.to_dict()))
    assert saved["start"] == {"a": 1.0, "b": 2.0}
    again: Any = nll.family.from_dict(saved)
    assert again is mine
    assert again.start(None) == (1.0, 2.0)
    copied = pickle.loads(pickle.dumps(mine(a=1.0, b=2.0)))
    assert type(copied) is mine
    assert copied.theta == {"a": 1.0, "b": 2.0}
    without: Any = nll.family("MyGamma", GAMMA, POSITIVE, "positive")
    assert without.start(None) == (1.0, 1.0)


@pytest.mark.parametrize(
    "change",
    [
        {"version": 2},
        {"nll": "tally"},
        {"code": "1"},
        {"log_prob": 3},
        {"log_prob": "exec(a)"},
        {"parameters": ["a"]},
        {"parameters": {"a": "fine"}},
        {"parameters": {"a": ["real"]}},
        {"support": "positve"},
        {"support": None},
        {"start": 3.0},
        {"start": {"a": "x"}},
        {"start": {"a": True}},
        {"name": "__a.b"},
        {"name": None},
        {"discrete": "no"},
    ],
)
def test_what_was_saved_by_others_is_checked(change):
    saved = {**own("a*y").to_dict(), **change}
    with pytest.raises(UsageError):
        nll.family.from_dict(saved)


@pytest.mark.parametrize("saved", [{}, [], None, {"nll": "family", "version": 1}])
def test_what_is_no_saved_family_is_refused(saved):
    with pytest.raises(UsageError):
        nll.family.from_dict(saved)


def test_it_is_read_from_one_line():
    text = f"MyGamma: {GAMMA}; a positive; b  positive ;support positive;"
    assert nll.family.from_text(text) is nll.family("MyGamma", GAMMA, POSITIVE, "positive")
    assert nll.family.from_text("Own: a*y; a real; support positive; discrete") is own(
        "a*y", support="positive", discrete=True
    )


@pytest.mark.parametrize(
    "text",
    ["", "Own", "Own: a", ": a; a real", "Own: a; a", "Own: a; a real; a real", "Own: a; a real; discrete; discrete",
     "Own: a; a real real", "Own: a; a real; support nowhere", "Own: a; a.b real", "Own: b; a real",
     "Own() : a; a real"],
)  # fmt: skip
def test_a_line_that_is_none_is_refused(text):
    with pytest.raises(UsageError):
        nll.family.from_text(text)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"name": "Gamma"}, "has a family Gamma already"),
        ({"name": "My Gamma"}, "one word"),
        ({"name": "M" * 61}, "one word"),
        ({"parameters": {}}, "1 to 32 parameters"),
        ({"parameters": {f"a{i}": "real" for i in range(33)}}, "1 to 32 parameters"),
        ({"parameters": {"y": "real"}}, "cannot be called 'y'"),
        ({"parameters": {"log": "real"}}, "cannot be called 'log'"),
        ({"parameters": {"self": "real"}}, "cannot be called 'self'"),
        ({"parameters": {"\ufb01": "real"}}, "one word"),
        ({"parameters": {"a": "positiv"}}, "did you mean 'positive'"),
        ({"support": "count", "discrete": False}, "excludes"),
        ({"gradient": lambda y, a: (y,)}, "made by SymPy"),
        ({"log_prob": 3}, "a text or a Python function"),
        ({"log_prob": lambda y: y}, r"takes \(y, a\)"),
        ({"start": {"a": 1.0, "c": 2.0}}, "start has a number for each of a"),
        ({"start": {"a": math.inf}}, "start of a is a number"),
        ({"start": {"a": -1.0}, "parameters": {"a": "positive"}}, "start of a must be positive"),
    ],
)
def test_a_call_that_cannot_mean_anything_is_refused(options, message):
    call = {"name": "Own", "log_prob": "a*y", "parameters": {"a": "real"}, **options}
    with pytest.raises(UsageError, match=message):
        nll.family(**call)


def test_words_of_python_are_names_too():
    mine: Any = nll.family("Own", "log(lambda) - lambda*y", {"lambda": "positive"}, "nonnegative")
    assert nll.score(2.0, mine(**{"lambda": 1.0})).sum == 2.0


def test_without_sympy_it_scores_and_says_what_is_missing(monkeypatch):
    monkeypatch.setitem(sys.modules, "sympy", None)
    own_derivatives._opaque.cache_clear()
    mine = own("a*y + 0.125")
    assert nll.score(2.0, mine(a=1.0)).sum == -2.125
    with pytest.raises(MissingExtraError, match=r"nll\[own\]"):
        mine.gradient  # noqa: B018


def helper(x):
    return log(x)


def test_a_python_function_is_a_family():
    def log_prob(y, rate):
        return helper(rate) - rate * y

    def gradient(y, rate):
        return (y - 1.0 / rate,)

    mine: Any = nll.family(
        "Mine", log_prob, {"rate": "positive"}, "nonnegative", gradient=gradient, start={"rate": 2.0}
    )
    assert mine.start(None) == (2.0,)
    assert mine.hessian is None
    assert mine.gradient(2.0, 4.0) == (1.75,)
    y, theta = prepared(np.linspace(0.0, 5.0, 30), [1.5])
    out = np.empty(30)
    kernel(mine)._loop("rows")(y, theta, out)
    assert out.tobytes() == kernel(mine).plain_rows(y, theta).tobytes()
    assert out == pytest.approx(nll.rows(y, nll.Exponential(rate=1.5)), rel=1e-15, abs=1e-15)
    with pytest.raises(UsageError, match="not saved"):
        mine.to_dict()


def test_functions_of_math_work():
    def log_prob(y, a, b):
        return a * math.log(b) - math.lgamma(a) + (a - 1.0) * math.log(y) - b * y

    mine: Any = nll.family("Mine", log_prob, POSITIVE, "positive")
    assert nll.score(2.0, mine(a=2.0, b=1.0)).sum == pytest.approx(nll.score(2.0, nll.Gamma(2.0, 1.0)).sum, rel=1e-13)


def test_the_page_is_true():
    failed, tried = doctest.testfile(str(ROOT / "docs" / "own-family.md"), module_relative=False)
    assert (failed, tried > 10) == (0, True)


def test_limits_are_as_stated():
    assert value("+".join(["a"] * 199), y=0.0, a=1.0) == 199.0
    assert value("*".join(["a"] * MOST_FACTORS), y=0.0, a=1.0) == 1.0
    assert value("(" * 31 + "a" + ")" * 31, y=0.0, a=1.0) == 1.0
    assert value("(a**64)**64", y=0.0, a=1.0) == 1.0
    assert LARGEST_DEGREE == 64 * 64


def test_the_command_line_takes_it():
    own = own_families(("Wait: log(r) - r*y; r positive; support nonnegative",))
    found = parse_distribution("Wait(r=rate)", own)
    assert type(found) is own["Wait"]
    assert found.theta == {"r": "rate"}
    with pytest.raises(UsageError, match=r"no family 'Wit' .*'Wait'"):
        parse_distribution("Wit(r=rate)", own)

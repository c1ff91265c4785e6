"""Elementary functions: at most 1 ulp from mpmath's 50 digits, special values, and the same bits plain and compiled."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cache
from typing import Any

import mpmath
import numpy as np
import pytest
from numpy.typing import NDArray

from nll.numerics import elementary
from nll.numerics.formula import bind, quiet

INF, NAN = math.inf, math.nan
SMALLEST, LARGEST = 5e-324, 1.7976931348623157e308
Array = NDArray[Any]

ONE_ULP = {
    "log": mpmath.log,
    "log1p": mpmath.log1p,
    "exp": mpmath.exp,
    "expm1": mpmath.expm1,
    "softplus": lambda x: mpmath.log1p(mpmath.exp(x)),
    "log_sigmoid": lambda x: -mpmath.log1p(mpmath.exp(-x)),
}
SPECIAL = {  # arguments and results, with the signs of zero
    "log": (
        [0.0, -0.0, 1.0, INF, -INF, NAN, -NAN, -SMALLEST, -1.5, -LARGEST],
        [-INF, -INF, 0.0, INF, NAN, NAN, NAN, NAN, NAN, NAN],
    ),
    "log1p": (
        [0.0, -0.0, -1.0, INF, -INF, NAN, -NAN, -1.0 - 2**-52, -LARGEST, -SMALLEST],
        [0.0, -0.0, -INF, INF, NAN, NAN, NAN, NAN, NAN, -SMALLEST],
    ),
    "exp": (
        [0.0, -0.0, INF, -INF, NAN, -NAN, LARGEST, -LARGEST, 709.79, -745.2],
        [1.0, 1.0, INF, 0.0, NAN, NAN, INF, 0.0, INF, 0.0],
    ),
    "expm1": (
        [0.0, -0.0, INF, -INF, NAN, -NAN, LARGEST, -LARGEST, SMALLEST],
        [0.0, -0.0, INF, -1.0, NAN, NAN, INF, -1.0, SMALLEST],
    ),
    "softplus": (
        [0.0, -0.0, INF, -INF, NAN, -NAN, LARGEST, -LARGEST],
        [math.log(2), math.log(2), INF, 0.0, NAN, NAN, LARGEST, 0.0],
    ),
    "log_sigmoid": (
        [0.0, -0.0, INF, -INF, NAN, -NAN, LARGEST, -LARGEST],
        [-math.log(2), -math.log(2), -0.0, -INF, NAN, NAN, -0.0, -LARGEST],
    ),
}
PAIRS = {"log_pair": mpmath.log, "log1p_pair": mpmath.log1p}


def one_in(x: Array, out: Array) -> None:
    for i in range(x.size):
        out[i] = function(x[i])  # type: ignore[name-defined]  # noqa: F821


def two_in(a: Array, b: Array, out: Array) -> None:
    for i in range(a.size):
        out[i] = function(a[i], b[i])  # type: ignore[name-defined]  # noqa: F821


def pair_out(x: Array, out: Array, low: Array) -> None:
    for i in range(x.size):
        out[i], low[i] = function(x[i])  # type: ignore[name-defined]  # noqa: F821


@cache
def kernel(loop: Callable[..., Any], name: str) -> Any:
    return bind(loop, function=getattr(elementary, name))


def apply(name: str, x: Array) -> Array:
    out = np.empty_like(x)
    kernel(one_in, name)(x, out)
    return out


def neighbours(points: Array) -> Array:
    """Each point with the two doubles on either side."""
    down, up = np.nextafter(points, -INF), np.nextafter(points, INF)
    return np.concatenate([points, down, up, np.nextafter(down, -INF), np.nextafter(up, INF)])


@cache
def grid() -> Array:
    """Every eighth binade's edge, subnormals, random mantissas of every size, and what lies around the branches."""
    rng = np.random.default_rng(1)
    edges = 2.0 ** np.arange(-1074, 1024, 8)
    branches = np.array([2.0**-1022, 2.0**-60, 2.0**-54, 2.0**-53, 0.5, math.sqrt(0.5), 1.0, math.sqrt(2), 2.0])
    exponents = np.arange(-4.5, 5.0) * math.log(2)  # where exp's reduction changes its power of two
    ends = np.array([37.0, 40.0, 41.6, 708.396418532264, 709.4, 709.782712893384, 710.0, 744.44, 745.133, 746.0])
    scattered = 10.0 ** rng.uniform(-323, 308, 700)
    around_one = 1.0 + rng.normal(size=150) / 64.0
    middle = np.concatenate([rng.uniform(-3.0, 3.0, 900), 2.0 ** rng.uniform(-60, 3, 300), around_one])
    wide = rng.uniform(-750.0, 750.0, 500)
    subnormal = rng.integers(1, 2**52, 40) * 5e-324
    near = neighbours(np.concatenate([edges[::4], branches, exponents, ends]))
    positive = np.concatenate([edges, near, scattered, subnormal])
    return np.concatenate([positive, -positive, middle, wide, -1 + 2.0 ** rng.uniform(-52, 0, 200)])


def domain(name: str) -> Array:
    x = grid()
    if name in ("log", "log_pair"):
        return x[x > 0]
    return x[x > -1] if name in ("log1p", "log1p_pair") else x


def ulps(value: float, truth: Any) -> float:
    """The error in units of the last place of the binade that holds the truth; 0 where both overflow."""
    if truth == 0:
        return abs(float(value)) / SMALLEST
    exponent = max(int(mpmath.frexp(truth)[1]) - 53, -1074)
    if math.isinf(value):
        return 0.0 if abs(truth) >= mpmath.mpf(2) ** 1024 - mpmath.mpf(2) ** 970 else INF
    return float(abs(mpmath.mpf(float(value)) - truth) / mpmath.mpf(2) ** exponent)


def same_bits(a: Array, b: Array) -> bool:
    """Whether two arrays have the same bits; NaN is one value, as IEEE 754 leaves its bits open."""
    a, b = np.where(np.isnan(a), NAN, a), np.where(np.isnan(b), NAN, b)
    return np.array_equal(a.view(np.int64), b.view(np.int64))


@pytest.mark.parametrize("name", ONE_ULP)
def test_error_is_at_most_one_ulp(name: str) -> None:
    x = domain(name)
    with mpmath.workdps(50):
        errors = [ulps(y, ONE_ULP[name](mpmath.mpf(float(t)))) for t, y in zip(x, apply(name, x), strict=True)]
    worst = int(np.argmax(errors))
    assert errors[worst] <= 1.0, f"{name}({x[worst]!r}) is {errors[worst]:.3f} ulp off"


@pytest.mark.parametrize("name", SPECIAL)
def test_special_values(name: str) -> None:
    x, expected = map(np.array, SPECIAL[name])
    assert same_bits(apply(name, x), expected)


@pytest.mark.parametrize("name", ONE_ULP)
def test_plain_and_compiled_have_the_same_bits(name: str) -> None:
    x = np.concatenate([grid()[::11], SPECIAL[name][0]])
    function = getattr(elementary, name)
    with quiet():
        plain = np.array([float(function(t)) for t in x])
    assert same_bits(plain, apply(name, x))


@pytest.mark.parametrize("name", ONE_ULP)
def test_bits_do_not_depend_on_the_length(name: str) -> None:
    x = grid()[:203]
    whole = apply(name, x)
    assert same_bits(np.concatenate([apply(name, x[i : i + 1]) for i in range(x.size)]), whole)
    assert same_bits(np.concatenate([apply(name, x[i : i + 29]) for i in range(0, x.size, 29)]), whole)


@pytest.mark.parametrize("name", PAIRS)
def test_pairs_hold_64_bits(name: str) -> None:
    x = domain(name)
    x = x[np.abs(x) > 1e-280] if name == "log1p_pair" else x
    high, low = np.empty_like(x), np.empty_like(x)
    kernel(pair_out, name)(x, high, low)
    assert same_bits(high + low, high)
    with mpmath.workdps(50):
        for t, h, s in zip(x, high, low, strict=True):
            truth = PAIRS[name](mpmath.mpf(float(t)))
            error = mpmath.mpf(float(h)) + mpmath.mpf(float(s)) - truth
            assert abs(error) <= abs(truth) * mpmath.mpf(2) ** -64, (t, h, s)


@pytest.mark.parametrize("name", PAIRS)
def test_pairs_of_special_values_and_plain(name: str) -> None:
    special, expected = SPECIAL[name.removesuffix("_pair")]
    x = np.concatenate([special, grid()[::17], [SMALLEST, 1e-310]])
    high, low = np.empty_like(x), np.empty_like(x)
    kernel(pair_out, name)(x, high, low)
    assert same_bits(high[: len(special)], np.array(expected))
    assert np.all(low[: len(special)] == 0.0)
    with quiet():
        plain = np.array([getattr(elementary, name)(t) for t in x])
    assert same_bits(plain[:, 0], high)
    assert same_bits(plain[:, 1], low)


def test_exp_of_sum_reads_the_part_below_the_last_place() -> None:
    rng = np.random.default_rng(3)
    x = np.concatenate([-(10.0 ** rng.uniform(-18, 2.87, 1500)), [-746.0, -745.2, -708.4, -40.0, -0.0, 0.0]])
    x = np.maximum(x, -746.0)
    c = np.spacing(x) * rng.choice([-0.5, -0.3, 0.0, 0.2, 0.5], x.size)
    out = np.empty_like(x)
    kernel(two_in, "exp_of_sum")(x, c, out)
    with mpmath.workdps(50):
        truth = [mpmath.exp(mpmath.mpf(float(a)) + mpmath.mpf(float(b))) for a, b in zip(x, c, strict=True)]
    for t, y in zip(truth, out, strict=True):
        assert abs(t - mpmath.mpf(float(y))) <= float(np.spacing(y)), (t, y)
    with quiet():
        assert same_bits(np.array([elementary.exp_of_sum(a, b) for a, b in zip(x, c, strict=True)]), out)


def test_log_of_sum_reads_the_part_below_the_last_place() -> None:
    rng = np.random.default_rng(2)
    around_one = 1.0 + np.arange(-60.0, 61.0) * 2.0**-52
    u = np.concatenate([2.0 ** rng.uniform(-900, 1024, 400), rng.uniform(0.4, 3.0, 600), around_one])
    u = np.concatenate([u, neighbours(np.array([1.0, 2.0, math.sqrt(2), math.sqrt(0.5)]))])
    c = np.spacing(u) * rng.choice([-0.25, -0.2, 0.0, 0.1, 0.5], u.size)
    out = np.empty_like(u)
    kernel(two_in, "log_of_sum")(u, c, out)
    with mpmath.workdps(50):
        truths = [mpmath.log(mpmath.mpf(float(a)) + mpmath.mpf(float(b))) for a, b in zip(u, c, strict=True)]
        assert max(ulps(y, truth) for y, truth in zip(out, truths, strict=True)) <= 1.0
    with quiet():
        assert same_bits(np.array([elementary.log_of_sum(a, b) for a, b in zip(u, c, strict=True)]), out)


def test_logaddexp() -> None:
    rng = np.random.default_rng(3)
    anywhere = np.concatenate([rng.normal(size=1500) * 3, rng.uniform(-750, 750, 500)])
    to_one = rng.uniform(-1.0, 0.0, 700)  # with its complement: the result is nearly 0
    a = np.concatenate([anywhere, np.zeros(300), to_one])
    b = np.concatenate(
        [anywhere + rng.normal(size=2000) * 20, rng.uniform(-760.0, 0.0, 300), np.log(-np.expm1(to_one))]
    )
    out, swapped = np.empty_like(a), np.empty_like(a)
    kernel(two_in, "logaddexp")(a, b, out)
    kernel(two_in, "logaddexp")(b, a, swapped)
    assert same_bits(out, swapped)
    with mpmath.workdps(60):
        for x, y, value in zip(a, b, out, strict=True):
            truth = mpmath.log(mpmath.exp(mpmath.mpf(float(x))) + mpmath.exp(mpmath.mpf(float(y))))
            close = abs(mpmath.mpf(float(value)) - truth) <= mpmath.mpf(2) ** -55 and abs(truth) < 0.125
            assert close or ulps(value, truth) <= 1.0, (x, y)
    with quiet():
        plain = np.array([elementary.logaddexp(x, y) for x, y in zip(a[::9], b[::9], strict=True)])
    assert same_bits(plain, out[::9])


@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [
        (INF, INF, INF),
        (INF, -INF, INF),
        (-INF, -INF, -INF),
        (-INF, 3.0, 3.0),
        (INF, 3.0, INF),
        (NAN, 3.0, NAN),
        (NAN, INF, NAN),
        (NAN, -INF, NAN),
        (NAN, NAN, NAN),
        (LARGEST, -LARGEST, LARGEST),
        (LARGEST, LARGEST, LARGEST),
        (0.0, -745.0, SMALLEST),
    ],
)
def test_logaddexp_at_the_ends(a: float, b: float, expected: float) -> None:
    out = np.empty(2)
    kernel(two_in, "logaddexp")(np.array([a, b]), np.array([b, a]), out)
    assert same_bits(out, np.array([expected, expected]))

"""float32 arithmetic for rows of logits; compiled code only, since Python has no float32 of its own."""

import numpy as np

from nll.numerics.formula import formula, primitive

F, I32 = np.float32, np.int32

LOG2_E, ROUND = F(1.44269504), F(12582912.0)
LN2_HIGH, LN2_LOW = F(0.693359375), F(-2.12194440e-4)
E5, E4, E3 = F(1.9875691500e-4), F(1.3981999507e-3), F(8.3334519073e-3)
E2, E1, E0 = F(4.1665795894e-2), F(1.6666665459e-1), F(5.0000001201e-1)
UNDERFLOW, ONE = F(-87.0), F(1.0)
SIGN, SHIFT, MASK = I32(31), I32(23), I32(0x7FFFFFFF)


@primitive
def bits32_of(x):
    """Return the 32 bits of a float32."""
    return np.float32(x).view(np.int32)


@primitive
def float32_of(bits):
    """Return the float32 that has these 32 bits."""
    return np.int32(bits).view(np.float32)


@primitive
def fma32(a, b, c):
    """Return a * b + c, rounded once."""
    raise NotImplementedError("compiled code only")


@primitive
def fits_single(z):
    """Say whether float32 holds every number of a row."""
    raise NotImplementedError("compiled code only")


@primitive
def as_single(z, scratch):
    """Return a row of float32, in `scratch` unless it is one."""
    raise NotImplementedError("compiled code only")


@formula
def exp32(x):
    """Return exp(x) for x <= 0, to 1e-7 relative; exp(-87) for anything below.

    Source: reduction and polynomial of S. L. Moshier, Cephes Mathematical Library, expf.
    """
    x = x if x > UNDERFLOW else UNDERFLOW
    t = fma32(x, LOG2_E, ROUND)
    n = t - ROUND
    r = fma32(n, -LN2_LOW, fma32(n, -LN2_HIGH, x))
    p = fma32(fma32(fma32(fma32(fma32(E5, r, E4), r, E3), r, E2), r, E1), r, E0)
    p = fma32(fma32(p, r, ONE), r, ONE)
    return float32_of(I32(bits32_of(p) + I32(I32(bits32_of(t)) << SHIFT)))


@formula
def ordered(bits):
    """Return bits of a float32 as an integer that orders as the floats do; its own inverse."""
    return I32(bits ^ ((bits >> SIGN) & MASK))

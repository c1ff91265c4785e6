"""float32 arithmetic for rows of logits, and 16-bit numbers; mostly compiled code only."""

import numpy as np

from nll.numerics.formula import formula, primitive, primitive_in

F, I32 = np.float32, np.int32
BFLOAT16 = np.dtype([("bfloat16", np.uint16)])  # NumPy has no type of this name

LOG2_E, ROUND = F(1.44269504), F(12582912.0)
LN2_HIGH, LN2_LOW = F(0.693359375), F(-2.12194440e-4)
# exp(r) for abs(r) <= log(2) / 2, highest power first: the error of the fifth degree is smallest in its largest, 3e-9.
E4, E3, E2 = F(1.3814539e-3), F(8.368745e-3), F(4.166839e-2)
E1, E0, ONE = F(1.6666521e-1), F(4.9999994e-1), F(1.0)
POLYNOMIAL = (E4, E3, E2, E1, E0, ONE, ONE)
UNDERFLOW = F(-87.0)
SIGN, SHIFT, MASK = I32(31), I32(23), I32(0x7FFFFFFF)
HALF_SCALE = 2.0**112  # between the exponents of float16 and of float32


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


@primitive_in("vectors")
def exp_total(z):
    """Return the sum of exp32, the largest bits of its `t`, unsigned, and whether float32 holds the numbers of a row.

    `t` is 12582912 + n, with n the power of two; NaN or infinity make its bits larger than any n.
    """
    raise NotImplementedError("compiled code only")


@primitive_in("vectors")
def singles(z, scratch):
    """Return a row as float32, in `scratch` unless it is so, and whether float32 holds every number of it."""
    raise NotImplementedError("compiled code only")


@primitive_in("vectors")
def number(x):
    """Return a number as it is stored: uint16 are the bits of a bfloat16, int16 those of a float16."""
    return from_bfloat16(x) if x.dtype == np.uint16 else from_float16(x) if x.dtype == np.int16 else x


@formula
def from_bfloat16(bits):
    """Return the float32 of a bfloat16, whose bits are its upper half."""
    return float32_of(I32(I32(bits) << I32(16)))


@formula
def from_float16(bits):
    """Return the float32 of a float16, given as an integer of 16 bits."""
    low = I32(bits) & I32(0x7FFF)
    magnitude = I32(low << I32(13))
    scaled = bits32_of(F(float32_of(magnitude) * F(HALF_SCALE)))
    size = I32(magnitude | I32(0x7F800000)) if low >= I32(0x7C00) else scaled
    return float32_of(I32(size | I32((I32(bits) & I32(0x8000)) << I32(16))))


def widened(stored):
    """Return an array of 16-bit numbers, as `number` takes them, as float32; another as it is."""
    if stored.dtype == np.uint16:
        return (stored.astype(np.uint32) << np.uint32(16)).view(F)
    return stored.view(np.float16).astype(F) if stored.dtype == np.int16 else stored


@formula
def exp32(x):
    """Return exp(x) for x <= 80, to 8e-8 relative; exp(-87) for anything below.

    Source: reduction of S. L. Moshier, Cephes Mathematical Library, expf.
    """
    x = UNDERFLOW if x < UNDERFLOW else x
    t = fma32(x, LOG2_E, ROUND)
    n = t - ROUND
    r = fma32(n, -LN2_LOW, fma32(n, -LN2_HIGH, x))
    p = fma32(fma32(fma32(fma32(E4, r, E3), r, E2), r, E1), r, E0)
    p = fma32(fma32(p, r, ONE), r, ONE)
    return float32_of(I32(bits32_of(p) + I32(I32(bits32_of(t)) << SHIFT)))


@formula
def ordered(bits):
    """Return bits of a float32 as an integer that orders as the floats do; its own inverse."""
    return I32(bits ^ ((bits >> SIGN) & MASK))

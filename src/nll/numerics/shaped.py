"""Rows of logits that are capped and tempered before they are used: w = c tanh(z / c) / T.

The row is shaped into scratch of doubles, so that nothing of the matrix's size is copied. As for rows that are not
shaped, wide ones whose logits float32 holds have an error below 1e-7 nats, others a few ulp.
"""

import numpy as np

from nll.numerics.bits import U, bits_of
from nll.numerics.elementary import exp, expm1, log
from nll.numerics.formula import formula
from nll.numerics.single import F, exp32, number
from nll.numerics.softmax import CONFIDENT, FIXED, FIXED_BITS, FIXED_UNIT, precise_row

INF, NAN = np.inf, np.nan
SATURATED = 20.0  # tanh is 1 from here on


@formula
def tanh(u):
    """Return tanh(u) = e / (e + 2) with e = expm1(2 u), for either sign of u."""
    size = abs(u)
    e = expm1(2.0 * (size if size < SATURATED else SATURATED))
    t = e / (e + 2.0)
    y = -t if u < 0.0 else t
    return y if u == u else u


@formula
def shape_row(z, temperature, softcap, out):
    """Fill out with the shaped logits, NaN for one that is none; say whether float32 holds the logits.

    A softcap of infinity is none. A class of minus infinity is excluded, before a cap and behind it.
    """
    held = True
    if softcap < INF:
        for j in range(z.size):
            x = np.float64(number(z[j]))
            held &= np.float64(F(x)) == x
            capped = softcap * tanh(x / softcap) / temperature
            out[j] = capped if abs(x) < INF else x
    else:
        for j in range(z.size):
            x = np.float64(number(z[j]))
            held &= np.float64(F(x)) == x
            out[j] = x / temperature
    return held


@formula
def shaped_row(w, k, single, scratch):
    """Return -log softmax(w)[k], with exp of float32 where `single` says so."""
    if single:
        largest, strange = -INF, False
        for j in range(w.size):
            strange |= w[j] != w[j]
            largest = w[j] if w[j] > largest else largest
        total = U(0)
        for j in range(w.size):
            total += bits_of(np.float64(exp32(F(w[j] - largest))) + FIXED)
        rest = np.float64(np.int64(total - U(w.size) * FIXED_BITS)) * FIXED_UNIT
        d = w[k] - largest
        loss = log(rest - np.float64(exp32(F(d))) + exp(d)) - d
        if strange or not abs(largest) < INF:
            return NAN
        if loss >= CONFIDENT:
            return loss
    return precise_row(w, k, scratch)

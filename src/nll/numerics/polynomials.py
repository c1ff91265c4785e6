"""Polynomials of the degrees in use, as formulas: lowest power first, by Horner's rule in fused steps."""

from __future__ import annotations

from nll.numerics.bits import fma
from nll.numerics.formula import formula

Coefficients = tuple[float, ...]


@formula
def poly2(x: float, c: Coefficients) -> float:
    return fma(x, fma(x, c[2], c[1]), c[0])


@formula
def poly7(x: float, c: Coefficients) -> float:
    p = fma(x, fma(x, fma(x, c[7], c[6]), c[5]), c[4])
    p = fma(x, fma(x, fma(x, p, c[3]), c[2]), c[1])
    return fma(x, p, c[0])


@formula
def poly8(x: float, c: Coefficients) -> float:
    p = fma(x, fma(x, fma(x, c[8], c[7]), c[6]), c[5])
    p = fma(x, fma(x, fma(x, p, c[4]), c[3]), c[2])
    return fma(x, fma(x, p, c[1]), c[0])


@formula
def poly9(x: float, c: Coefficients) -> float:
    p = fma(x, fma(x, fma(x, c[9], c[8]), c[7]), c[6])
    p = fma(x, fma(x, fma(x, p, c[5]), c[4]), c[3])
    return fma(x, fma(x, fma(x, p, c[2]), c[1]), c[0])


@formula
def poly10(x: float, c: Coefficients) -> float:
    p = fma(x, fma(x, fma(x, c[10], c[9]), c[8]), c[7])
    p = fma(x, fma(x, fma(x, p, c[6]), c[5]), c[4])
    p = fma(x, fma(x, fma(x, p, c[3]), c[2]), c[1])
    return fma(x, p, c[0])


@formula
def poly11(x: float, c: Coefficients) -> float:
    p = fma(x, fma(x, fma(x, c[11], c[10]), c[9]), c[8])
    p = fma(x, fma(x, fma(x, p, c[7]), c[6]), c[5])
    p = fma(x, fma(x, fma(x, p, c[4]), c[3]), c[2])
    return fma(x, fma(x, p, c[1]), c[0])


@formula
def poly12(x: float, c: Coefficients) -> float:
    p = fma(x, fma(x, fma(x, c[12], c[11]), c[10]), c[9])
    p = fma(x, fma(x, fma(x, p, c[8]), c[7]), c[6])
    p = fma(x, fma(x, fma(x, p, c[5]), c[4]), c[3])
    return fma(x, fma(x, fma(x, p, c[2]), c[1]), c[0])

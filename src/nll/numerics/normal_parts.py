"""Parts of the standard normal distribution that its tails alone lose: differences, and integrals of tails.

With Phi the distribution function and R(t) = exp(t**2 / 2) Phi(-t). Nodes and weights are those of Gauss and
Legendre on [0, 1], computed in 40 digits. Scalar code with loops: tails are not hot.

Source: DLMF 3.5 (Gauss's quadrature), 7.6.1 (power series), 7.9.1 (continued fraction).
"""

from __future__ import annotations

from nll.numerics.bits import fma, sqrt
from nll.numerics.elementary import exp
from nll.numerics.formula import formula
from nll.numerics.normal_tails import scaled_tail

DENSITY_AT_0 = 0.3989422804014327  # 1 / sqrt(2 pi)
EXPONENT = 80.0  # twice the exponent at which an integral is cut off
STEEP, LEVELS = 3.0, 60  # from here on the continued fraction converges to a double within so many levels

# the series of (Phi(x) - 1/2) / x in x**2
SERIES = (
    0.3989422804014327,
    -0.06649038006690544,
    0.009973557010035817,
    -0.0011873282154804543,
    0.00011543468761615529,
    -9.444656259503615e-06,
    6.659693516316651e-07,
    -4.122667414862689e-08,
    2.2735298243728065e-09,
    -1.1301171641619213e-10,
    5.1124347902563106e-12,
    -2.121761474217046e-13,
    8.133418984498675e-15,
    -2.896516732371323e-16,
    9.631274849017947e-18,
    -3.0033007593711877e-19,
)
NODES_10 = (
    0.01304673574141414,
    0.06746831665550775,
    0.1602952158504878,
    0.2833023029353764,
    0.4255628305091844,
    0.5744371694908156,
    0.7166976970646236,
    0.8397047841495122,
    0.9325316833444922,
    0.9869532642585859,
)
WEIGHTS_10 = (
    0.03333567215434407,
    0.0747256745752903,
    0.10954318125799102,
    0.13463335965499817,
    0.14776211235737644,
    0.14776211235737644,
    0.13463335965499817,
    0.10954318125799102,
    0.0747256745752903,
    0.03333567215434407,
)
NODES_40 = (
    0.0008811451447203998,
    0.004636880650271497,
    0.011370025008112869,
    0.021041590393104173,
    0.03359359586066173,
    0.04895059651556285,
    0.06702024839387025,
    0.08769388458334416,
    0.1108471742867403,
    0.13634087240503645,
    0.16402165769291022,
    0.19372305516600988,
    0.2252664374524359,
    0.25846209915691065,
    0.2931103978141975,
    0.32900295458712076,
    0.36592390749637316,
    0.40365120964931445,
    0.4419579646623724,
    0.48061379124697456,
    0.5193862087530254,
    0.5580420353376276,
    0.5963487903506856,
    0.6340760925036268,
    0.6709970454128792,
    0.7068896021858025,
    0.7415379008430893,
    0.7747335625475641,
    0.8062769448339902,
    0.8359783423070898,
    0.8636591275949635,
    0.8891528257132597,
    0.9123061154166558,
    0.9329797516061298,
    0.9510494034844371,
    0.9664064041393383,
    0.9789584096068958,
    0.9886299749918871,
    0.9953631193497285,
    0.9991188548552796,
)
WEIGHTS_40 = (
    0.0022606385492665955,
    0.005249142265576406,
    0.008210529190953945,
    0.01112292459708348,
    0.0139685034900117,
    0.016730097641273922,
    0.019391083987236008,
    0.021935454092836634,
    0.024347903817536116,
    0.02661392349196841,
    0.028719884549695776,
    0.03065312124646447,
    0.03240200672830052,
    0.03395602290761695,
    0.03530582369564339,
    0.03644329119790203,
    0.03736158452898413,
    0.03805518095031312,
    0.038519909082123986,
    0.0387529739892124,
    0.0387529739892124,
    0.038519909082123986,
    0.03805518095031312,
    0.03736158452898413,
    0.03644329119790203,
    0.03530582369564339,
    0.03395602290761695,
    0.03240200672830052,
    0.03065312124646447,
    0.028719884549695776,
    0.02661392349196841,
    0.024347903817536116,
    0.021935454092836634,
    0.019391083987236008,
    0.016730097641273922,
    0.0139685034900117,
    0.01112292459708348,
    0.008210529190953945,
    0.005249142265576406,
    0.0022606385492665955,
)


@formula
def central(x: float) -> float:
    """Return Phi(x) - 1/2 for x >= 0, within 1e-15."""
    square = x * x if x < 1.0 else 1.0
    p = 0.0
    for k in range(15, -1, -1):
        p = fma(square, p, SERIES[k])
    distant = fma(-exp(-0.5 * x * x), scaled_tail(x), 0.5)
    return x * p if x < 1.0 else distant


@formula
def tail_slope(t: float) -> float:
    """Return -R'(t) = 1 / sqrt(2 pi) - t R(t) for t >= 0, within 3e-15.

    Far out as R(t) K(t), with the continued fraction K(t) = 1 / (t + 2 / (t + 3 / (t + ...))).
    """
    r = scaled_tail(t)
    k = 0.0
    for level in range(LEVELS, 0, -1):
        k = level / (t + k)
    return r * k if t > STEEP else fma(-t, r, DENSITY_AT_0)


@formula
def tail_fall(a: float, width: float) -> float:
    """Return R(a) - R(a + width) for a, width >= 0, within 3e-15: an integral where a difference would cancel."""
    total = 0.0
    for i in range(10):
        total = fma(WEIGHTS_10[i], tail_slope(fma(width, NODES_10[i], a)), total)
    return width * total if width < 0.5 * (1.0 + a) else scaled_tail(a) - scaled_tail(a + width)


@formula
def tail_integral(q: float, start: float, slope: float) -> float:
    """Return the integral of exp(-q u - u**2 / 2) R(start + slope u) over u >= 0, for 0 <= slope <= 1, within 3e-15."""
    most = EXPONENT / (q + sqrt(fma(q, q, EXPONENT)))
    total = 0.0
    for i in range(40):
        u = most * NODES_40[i]
        total = fma(WEIGHTS_40[i], exp(-u * fma(0.5, u, q)) * scaled_tail(fma(slope, u, start)), total)
    return most * total

"""The modified Bessel functions I0 and I1 as circular statistics need them, and the sine of half an angle.

Up to 16 from polynomials in x = k**2 / 4,

    I0(k) = 1 + x p(x),    I1(k) = (k / 2) q(x)

and above 16 from polynomials in u = 32 / k - 1, of the functions whose asymptotic series in 1 / k are DLMF 10.40.1:

    log(I0(k) e**-k sqrt(2 pi k)) k,    (1 - A) k,    A' k**2    with A = I1 / I0

All are Chebyshev interpolants, computed in 60 digits; relative errors are below 9e-17.

Source: DLMF 10.25.2 (series), 10.40.1 (far); K. V. Mardia and P. E. Jupp, Directional Statistics (2000), appendix 1.
"""

from __future__ import annotations

from nll.numerics.bits import floor, fma
from nll.numerics.elementary import log, log1p
from nll.numerics.formula import formula
from nll.numerics.pairs import fast_two_sum, two_sum

Coefficients = tuple[float, ...]

FAR = 16.0
TWO_PI = 6.283185307179586
PI, PI_LOW, INVERSE_PI = 3.141592653589793, 1.2246467991473532e-16, 0.3183098861837907
HALF_PI, HALF_PI_LOW = 1.5707963267948966, 6.123233995736766e-17

# p(x) for 0 <= x <= 64
I0_SERIES = (
    1.0,
    0.25,
    0.027777777777777776,
    0.001736111111111111,
    6.944444444444444e-05,
    1.929012345679011e-06,
    3.936759889140873e-08,
    6.151187326781933e-10,
    7.594058428136073e-12,
    7.594058428018615e-14,
    6.276081346522598e-16,
    4.358389816487666e-18,
    2.578928928264457e-20,
    1.3157798674492114e-22,
    5.847917991949935e-25,
    2.2843199281704846e-27,
    7.904802129890653e-30,
    2.4385590463552463e-32,
    6.774931832019278e-35,
    1.667068253767361e-37,
    4.0623297842863315e-40,
    6.088547327408952e-43,
    2.552189704594744e-45,
    -1.5360046687338612e-48,
    1.3415324108568236e-50,
)
# q(x) for 0 <= x <= 64
I1_SERIES = (
    1.0,
    0.5,
    0.08333333333333333,
    0.006944444444444444,
    0.0003472222222222223,
    1.1574074074074045e-05,
    2.7557319223986735e-07,
    4.920949861424342e-09,
    6.834652585339547e-11,
    7.594058427834241e-13,
    6.903689482722797e-15,
    5.2300677695155586e-17,
    3.3526076612052057e-19,
    1.842091581744718e-21,
    8.771885034528559e-24,
    3.654889325365557e-26,
    1.3438675638750111e-28,
    4.388470202294883e-31,
    1.2886029673308657e-33,
    3.318462414247321e-36,
    8.669119454875732e-39,
    1.249129233515821e-41,
    6.282118746551212e-44,
    -4.856516568020421e-47,
    3.5095000088869155e-49,
)
# log(I0(k) e**-k sqrt(2 pi k)) k
I0_FAR = (
    0.127020020298427,
    0.0020904698268853234,
    7.426282872784308e-05,
    4.096720423974408e-06,
    3.1061571467810353e-07,
    3.044518713096626e-08,
    3.72221302130757e-09,
    5.54986053465762e-10,
    9.946027642167538e-11,
    2.1228851223157128e-11,
    5.3859821632004835e-12,
    1.6558093886749396e-12,
    5.825487208374644e-13,
    1.8788602114649755e-13,
    1.5328826565748815e-13,
    2.1106675973852142e-13,
    6.636967447732533e-14,
    -9.861888861604594e-14,
    -6.324141313526043e-14,
    1.1801010200578407e-14,
    1.1515512673563396e-14,
)
# (1 - I1(k) / I0(k)) k
RATIO_FAR = (
    0.504034702816416,
    0.004169998607391832,
    0.00014264199870880524,
    7.897124750326693e-06,
    6.042077832568202e-07,
    5.969715318007639e-08,
    7.342024609433564e-09,
    1.0992513574252237e-09,
    1.9755674837588948e-10,
    4.224769951820752e-11,
    1.0732953801993746e-11,
    3.3028361761893846e-12,
    1.162712579464056e-12,
    3.7511071370305803e-13,
    3.063308661388292e-13,
    4.2183222645210204e-13,
    1.3253901159207688e-13,
    -1.971981006083972e-13,
    -1.2640216568221512e-13,
    2.3609710926713605e-14,
    2.302320769368226e-14,
)
# A'(k) k**2
SLOPE_FAR = (
    0.5082047014238078,
    0.008625281212201276,
    0.0004516173703773609,
    3.400533013434355e-05,
    3.3195246832987883e-06,
    4.022350666951657e-07,
    5.908891796758075e-08,
    1.0374464219750988e-08,
    2.1583267711920266e-09,
    5.298132846071272e-10,
    1.540807621235699e-10,
    5.355938299893387e-11,
    2.067844877472787e-11,
    9.597133568719607e-12,
    9.990466427951296e-12,
    8.80428649506106e-12,
    -3.356147792831198e-13,
    -5.7852771234921395e-12,
    -2.299060813878914e-12,
    9.229416831863311e-13,
    5.500433492949354e-13,
)
# (sin(r) - r) / r**3 in r**2, for |r| <= pi / 2; r**2 times its error is 2**-54
SINE = (
    -0.16666666666666666,
    0.008333333333333333,
    -0.0001984126984126984,
    2.755731922398586e-06,
    -2.505210838543275e-08,
    1.6059043835464355e-10,
    -7.647163606726032e-13,
    2.8114501158516605e-15,
    -8.218171611479702e-18,
    1.9101277329992142e-20,
)


@formula
def poly9(x: float, c: Coefficients) -> float:
    p = fma(x, c[9], c[8])
    p = fma(x, fma(x, fma(x, fma(x, p, c[7]), c[6]), c[5]), c[4])
    return fma(x, fma(x, fma(x, fma(x, p, c[3]), c[2]), c[1]), c[0])


@formula
def poly20(x: float, c: Coefficients) -> float:
    p = fma(x, c[20], c[19])
    p = fma(x, fma(x, fma(x, fma(x, p, c[18]), c[17]), c[16]), c[15])
    p = fma(x, fma(x, fma(x, fma(x, p, c[14]), c[13]), c[12]), c[11])
    p = fma(x, fma(x, fma(x, fma(x, p, c[10]), c[9]), c[8]), c[7])
    p = fma(x, fma(x, fma(x, fma(x, p, c[6]), c[5]), c[4]), c[3])
    return fma(x, fma(x, fma(x, p, c[2]), c[1]), c[0])


@formula
def poly24(x: float, c: Coefficients) -> float:
    p = fma(x, c[24], c[23])
    p = fma(x, fma(x, fma(x, fma(x, p, c[22]), c[21]), c[20]), c[19])
    p = fma(x, fma(x, fma(x, fma(x, p, c[18]), c[17]), c[16]), c[15])
    p = fma(x, fma(x, fma(x, fma(x, p, c[14]), c[13]), c[12]), c[11])
    p = fma(x, fma(x, fma(x, fma(x, p, c[10]), c[9]), c[8]), c[7])
    p = fma(x, fma(x, fma(x, fma(x, p, c[6]), c[5]), c[4]), c[3])
    return fma(x, fma(x, fma(x, p, c[2]), c[1]), c[0])


@formula
def far_argument(k: float) -> float:
    """Return 32 / k - 1 in [-1, 1], for k >= 16; 1 below."""
    return 2.0 * FAR / (k if k > FAR else FAR) - 1.0


@formula
def i0_series(k: float) -> tuple[float, float]:
    """Return x = k**2 / 4 and I0(k) - 1, for k <= 16; those of 16 above."""
    half = 0.5 * (k if k < FAR else FAR)
    x = half * half
    return x, x * poly24(x, I0_SERIES)


@formula
def log_i0_scaled(k: float) -> float:
    """Return log(I0(k) e**-k) <= 0 for k >= 0; error <= 4e-16 where it is above -1, else relative."""
    far = k > FAR
    _, above = i0_series(k)
    logarithm = log(TWO_PI * k if k < 1e300 else k)
    lost = 0.0 if k < 1e300 else 1.8378770664093456  # log(2 pi)
    distant = fma(-0.5, logarithm + lost, poly20(far_argument(k), I0_FAR) / k)
    return distant if far else log1p(above) - k


@formula
def bessel_ratio(k: float) -> tuple[float, float, float]:
    """Return A = I1(k) / I0(k), 1 - A and A' = 1 - A**2 - A / k, for k >= 0.

    1 - A is within 2e-14 and A' within 5e-13, relative, and both within 5e-16, absolute; above 16 all within 5e-16.
    """
    far = k > FAR
    u = far_argument(k)
    x, above = i0_series(k)
    part = 0.5 * poly24(x, I1_SERIES) / (1.0 + above)  # A / k
    near = k * part
    rest = poly20(u, RATIO_FAR) / k if far else 1.0 - near
    slope = poly20(u, SLOPE_FAR) / k / k if far else fma(-near, near, 1.0) - part
    return (1.0 - rest if far else near), rest, slope


@formula
def sine_pair(r: float, low: float) -> tuple[float, float]:
    """Return sin(r + low) as a pair, for |r| <= pi / 2; relative error 2e-16, 2**-55 below 1/2."""
    square = r * r
    cubic = r * square * poly9(square, SINE)
    return fast_two_sum(r, fma(low, fma(-0.5, square, 1.0), cubic))


@formula
def half_angle(y: float, loc: float) -> tuple[float, float, float]:
    """Return sin(h) as a pair, and cos(h), with h = (y - loc) / 2 less a multiple of pi, for |y - loc| <= 4 pi.

    The differences h - j pi are exact, for pi as a pair.
    """
    d, error = two_sum(y, -loc)
    h = 0.5 * d
    j = floor(fma(h, INVERSE_PI, 0.5))
    r, low = fast_two_sum(h - j * PI, fma(-j, PI_LOW, 0.5 * error))
    s, s_low = sine_pair(r, low)
    size = abs(r)
    rest, rest_low = two_sum(HALF_PI, -size)
    cosine, _ = sine_pair(rest, rest_low + (HALF_PI_LOW - (low if r > 0.0 else -low)))
    return s, s_low, cosine

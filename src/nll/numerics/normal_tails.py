"""The tails of the standard normal distribution, and their inverse, as logarithms that stay accurate far out.

With Phi the distribution function, t = |x| and R(t) = exp(t**2 / 2) Phi(-t), which is Mills' ratio over sqrt(2 pi):

    log Phi(-t) = -t**2 / 2 + log R(t),    log Phi(t) = log(1 - exp(-t**2 / 2) R(t))

(1 + t) R(t) is a quotient of polynomials with positive coefficients, fitted in 60 digits over all t >= 0.

Source: DLMF 7.8.1 (Mills' ratio), 7.17 (inverse error functions).
"""

from __future__ import annotations

from nll.numerics.bits import fma, sqrt
from nll.numerics.elementary import INF, exp, log, log_of_sum
from nll.numerics.formula import formula
from nll.numerics.pairs import two_product, two_sum
from nll.numerics.polynomials import poly11

CUT = 2.0**54  # beyond it the quotient is constant to the last bit
START_CUT = 1e20
LIFT, LIFT_FACTOR = 128.0, 2.572209372642415e-56  # exp(-128)
ROOT_TWO_PI = 2.5066282746310002
LOG_HALF = -0.6931471805599453

# P and Q with R(t) = P(t) / Q(t) / (1 + t), relative error 5.48e-18
MILLS_TOP = (
    0.5,
    1.365515233478387,
    1.6053854877044762,
    1.144879298799816,
    0.5610188776548805,
    0.2000469265982561,
    0.053259647409708344,
    0.010641154736264783,
    0.0015728477024051805,
    0.00016506309600346103,
    1.1192213840410137e-05,
    3.7824984350630743e-07,
)
MILLS_BOTTOM = (
    1.0,
    2.5289150277596386,
    2.9975227646839806,
    2.203199230131096,
    1.118751019330938,
    0.4134123747592636,
    0.11388630416829618,
    0.023502269021653265,
    0.003583005874829649,
    0.0003875933673775245,
    2.710658791548082e-05,
    9.481317526076614e-07,
)
# Phi(-t) = exp(-v**2) / 2 for t = v**2 / (1 + v) P(v) / Q(v), relative error 7e-7
START_TOP = (
    1.2533125206133424,
    3.21142366798353,
    4.694971068476019,
    4.37868388744629,
    2.226432605344299,
    0.30364391620611886,
    0.005882964296743366,
)
START_BOTTOM = (
    1.0,
    1.5622822321881027,
    2.684463711177308,
    2.088409897690754,
    1.3758304500404257,
    0.2105574342238114,
    0.004159880653140965,
)


@formula
def poly6(x: float, c: tuple[float, ...]) -> float:
    p = fma(x, fma(x, fma(x, c[6], c[5]), c[4]), c[3])
    return fma(x, fma(x, fma(x, p, c[2]), c[1]), c[0])


@formula
def scaled_tail(t: float) -> float:
    """Return R(t) = exp(t**2 / 2) Phi(-t) for t >= 0, within 8e-16."""
    cut = t if t < CUT else CUT
    return poly11(cut, MILLS_TOP) / poly11(cut, MILLS_BOTTOM) / (1.0 + t)  # a product may overflow


@formula
def log_ndtr_pair(x: float, small: float) -> tuple[float, float]:
    """Return log Phi(x + small) and log Phi(-x - small), for |small| <= ulp(x) / 2; each within 8e-16.

    Below x = -1.3e154 a result is -inf.
    """
    t = abs(x)
    ratio = scaled_tail(t)
    half_square, rest = two_product(0.5 * t, t)
    rest = fma(x, small, rest)
    finite = half_square < INF
    low = log(ratio) - (rest if finite else 0.0) - half_square
    shift = LIFT if half_square > 600.0 else 0.0  # the difference is exact, its exponential no subnormal number
    tail = exp(shift - half_square) * ratio
    tail = 0.0 if half_square > 800.0 else fma(-tail, rest, tail) * (LIFT_FACTOR if half_square > 600.0 else 1.0)
    u, c = two_sum(1.0, -tail)
    high = log_of_sum(u, c)
    high = -tail if u == 1.0 else high
    return (low if x < 0.0 else high), (high if x < 0.0 else low)


@formula
def log_ndtr(x: float) -> float:
    """Return log Phi(x), within 1e-15."""
    return log_ndtr_pair(x, 0.0)[0]


@formula
def ndtri_of_logs(log_p: float, log_q: float) -> float:
    """Return the x with log Phi(x) = log_p and log Phi(-x) = log_q, from the smaller of the two.

    Within 4e-16, relative, or absolute where |x| < 1. From a start of 6 digits, one step of Halley's method on
    log Phi(-t), whose derivatives are -m and -m (m - t) with m = 1 / (sqrt(2 pi) R(t));
    m - t is nearly 1 / t far out.
    """
    lower = log_p <= log_q
    target = log_p if lower else log_q
    w = LOG_HALF - target
    v = sqrt(w if w > 0.0 else 0.0)
    cut = v if v < START_CUT else START_CUT
    t = v * (v / (1.0 + v)) * (poly6(cut, START_TOP) / poly6(cut, START_BOTTOM))
    ratio = scaled_tail(t)
    half_square, rest = two_product(0.5 * t, t)
    error = (-half_square - target) + (log(ratio) - rest)
    slope = 1.0 / (ROOT_TWO_PI * ratio)
    bend = 1.0 / t if t > 1e3 else slope - t
    step = error / fma(0.5 * error, bend, slope)
    t = t + step if half_square < 1e306 else t
    t = INF if target == -INF else t
    t = t if (log_p == log_p) & (log_q == log_q) else log_p + log_q
    return -t if lower else t


@formula
def log_ndtri(log_p: float) -> float:
    """Return the x with log Phi(x) = log_p <= 0. Near log_p = 0, x = -log_ndtri(log_q) keeps more digits."""
    tail = exp(log_p)
    u, c = two_sum(1.0, -tail)
    other = log_of_sum(u, c)
    return ndtri_of_logs(log_p, -tail if u == 1.0 else other)

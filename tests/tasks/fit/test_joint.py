"""Joint fits: closed forms, separate fits, a problem in two parts, an extended likelihood, and what is refused."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from scipy import optimize, stats

import nll

rng = np.random.default_rng(5)
LEFT, RIGHT = rng.normal(1.0, 2.0, 50), rng.normal(7.0, 2.0, 80)
WAITS = rng.gamma(2.0, 3.0, 90)
PEAK = np.r_[rng.normal(5.0, 0.5, 60), rng.exponential(4.0, 140)]


def problem(y, family=nll.Normal, **rest):
    return {"y": y, "family": family, **rest}


def test_a_shared_scale_is_the_pooled_one():
    f = nll.joint({"left": problem(LEFT), "right": problem(RIGHT)}, shared=["scale"])
    squares = ((LEFT - LEFT.mean()) ** 2).sum() + ((RIGHT - RIGHT.mean()) ** 2).sum()
    scale = math.sqrt(squares / 130)
    expected = {"loc_left": LEFT.mean(), "scale": scale, "loc_right": RIGHT.mean()}
    assert f.params == pytest.approx(expected, rel=1e-12)
    errors = {"loc_left": scale / math.sqrt(50), "scale": scale / math.sqrt(260), "loc_right": scale / math.sqrt(80)}
    assert f.stderr == pytest.approx(errors, rel=1e-9)
    assert f.nll == pytest.approx(130 * (math.log(scale) + 0.5 * math.log(2 * math.pi) + 0.5), rel=1e-13)
    assert (f.n, f.k, f.cov_ok, f.converged) == (130, 3, True, True)
    assert f.nll == math.fsum(f.losses.values())
    assert f.losses["left"] == nll.score(LEFT, f.dists["left"]).sum


def test_nothing_shared_is_the_separate_fits():
    f = nll.joint({"a": problem(WAITS, nll.Gamma), "b": problem(WAITS[:40] + 1.0, nll.Weibull)}, shared=[])
    a, b = nll.fit(WAITS, nll.Gamma), nll.fit(WAITS[:40] + 1.0, nll.Weibull)
    assert list(f.params) == ["concentration_a", "rate", "scale", "concentration_b"]
    values = list(a.params.values()) + list(b.params.values())
    assert list(f.params.values()) == pytest.approx(values, rel=1e-10)
    assert list(f.stderr.values()) == pytest.approx([*a.stderr.values(), *b.stderr.values()], rel=1e-8)
    assert f.nll == a.nll + b.nll
    assert f.cov[:2, 2:] == pytest.approx(0.0, abs=1e-12)


@pytest.mark.parametrize("family", ["Gamma", "Weibull", "StudentT", "Logistic", "InverseGaussian"])
def test_two_parts_are_the_whole(family):
    y = WAITS if family not in ("StudentT", "Logistic") else stats.t(4).rvs(90, random_state=2)
    kind = getattr(nll, family)
    f = nll.joint({"first": problem(y[:20], kind), "rest": problem(y[20:], kind)})
    whole = nll.fit(y, kind)
    assert f.params == pytest.approx(whole.params, rel=1e-10)
    assert f.stderr == pytest.approx(whole.stderr, rel=1e-8)
    assert f.nll == pytest.approx(whole.nll, rel=1e-14)


def test_parts_of_every_kind_of_observation_are_the_whole():
    time, seen = WAITS[:30], WAITS[:30] < 6.0
    weights = np.r_[np.full(10, 2.0), np.ones(20)]
    f = nll.joint({
        "some": problem(nll.censored(time[:10], seen[:10]), nll.Weibull, sample_weight=weights[:10]),
        "others": problem(nll.censored(time[10:], seen[10:]), nll.Weibull),
    })  # fmt: skip
    whole = nll.fit(nll.censored(time, seen), nll.Weibull, sample_weight=weights)
    assert f.params == pytest.approx(whole.params, rel=1e-10)
    assert f.stderr == pytest.approx(whole.stderr, rel=1e-8)
    assert (f.n, f.weight) == (30, 40.0)


def test_columns_of_a_table_and_fixed_values_by_row():
    table = {"hits": [3, 4, 2], "shots": [10, 12, 9]}
    f = nll.joint({
        "shots": problem("hits", nll.Binomial, data=table, fixed={"total_count": "shots"}),
        "more": problem([2, 3], nll.Binomial, fixed={"total_count": 7}),
    })  # fmt: skip
    assert f.params["probs"] == pytest.approx(14 / 45, rel=1e-12)
    assert f.stderr["probs"] == pytest.approx(math.sqrt(14 / 45 * 31 / 45 / 45), rel=1e-9)


def test_a_name_can_be_given():
    f = nll.joint({
        "single": problem([3.0, 5.0], nll.Exponential, share={"rate": "flux"}),
        "double": problem([2.0, 3.0, 4.0], nll.Gamma, fixed={"concentration": 2.0}, share={"rate": "flux"}),
    })  # fmt: skip
    assert f.params == pytest.approx({"flux": (2 + 6) / (8 + 9)}, rel=1e-12)
    assert f.stderr == pytest.approx({"flux": 8 / 17 / math.sqrt(8)}, rel=1e-9)
    assert f.dists["double"].theta["rate"] == f.params["flux"]


def test_an_extended_likelihood_adds_the_count():
    shape = nll.Mixture([nll.Normal, nll.Exponential])
    f = nll.joint({
        "shape": problem(PEAK, shape),
        "count": problem([len(PEAK)], nll.Poisson, share={"rate": "expected"}),
    })  # fmt: skip

    def extended(x):  # the usual one: expected signal and background
        loc, scale, rate, signal, background = x
        density = signal * stats.norm.pdf(PEAK, loc, scale) + background * rate * np.exp(-rate * PEAK) * (PEAK >= 0)
        return signal + background - np.log(density).sum()

    params = f.params
    signal = f.derive("expected * weight_1")
    at = [params["loc_1"], params["scale_1"], params["rate_2"], signal.estimate, 200 - signal.estimate]
    best = optimize.minimize(extended, at, method="Nelder-Mead", options={"xatol": 1e-6, "fatol": 1e-9})
    assert best.fun == pytest.approx(extended(at), abs=1e-7)
    assert best.x == pytest.approx(at, rel=1e-4)
    assert f.nll == pytest.approx(extended(at) + math.lgamma(201), rel=1e-12)
    hessian = second_differences(extended, np.array(at), 1e-3 * np.array(at))
    assert signal.stderr == pytest.approx(math.sqrt(np.linalg.inv(hessian)[3, 3]), rel=1e-4)
    assert params["expected"] == pytest.approx(200, rel=1e-10)
    assert f.k == 5


def second_differences(function, at, steps):
    """Return the Hessian by central differences of order 2."""
    k = len(at)
    out = np.empty((k, k))
    for i in range(k):
        for j in range(k):
            a, b = np.eye(k)[i] * steps[i], np.eye(k)[j] * steps[j]
            total = function(at + a + b) - function(at + a - b) - function(at - a + b) + function(at - a - b)
            out[i, j] = total / (4.0 * steps[i] * steps[j])
    return out


def test_one_row_borrows_what_is_shared():
    f = nll.joint({"many": problem(LEFT), "one": problem([30.0])}, shared=["scale"])
    squares = ((LEFT - LEFT.mean()) ** 2).sum()
    assert f.params["scale"] == pytest.approx(math.sqrt(squares / 51), rel=1e-9)
    assert f.params["loc_one"] == pytest.approx(30.0, rel=1e-9)


def test_statistics_of_the_sample_are_those_of_all():
    f = nll.joint({"a": problem(WAITS + 1.0, nll.Pareto), "b": problem(WAITS + 1.5, nll.Pareto)})
    whole = nll.fit(np.r_[WAITS + 1.0, WAITS + 1.5], nll.Pareto)
    assert f.params == pytest.approx(whole.params, rel=1e-10)
    assert f.at_boundary == ("scale",)
    uniform = nll.joint({"a": problem(LEFT, nll.Uniform), "b": problem(RIGHT, nll.Uniform)})
    assert uniform.params == {"low": min(LEFT.min(), RIGHT.min()), "high": max(LEFT.max(), RIGHT.max())}


def test_profiles_fixed_and_start():
    problems = {"first": problem(WAITS[:30], nll.Gamma), "rest": problem(WAITS[30:], nll.Gamma)}
    f, whole = nll.joint(problems), nll.fit(WAITS, nll.Gamma)
    profiled, expected = f.ci(method="profile", names="rate"), whole.ci(method="profile", names="rate")
    assert profiled["rate"] == pytest.approx(expected["rate"], rel=1e-7)
    held = nll.joint(problems, fixed={"rate": 0.5}, start={"concentration": 9.0})
    assert held.params == pytest.approx(nll.fit(WAITS, nll.Gamma, fixed={"rate": 0.5}).params, rel=1e-10)
    assert held.free == ("concentration",)
    everything = nll.joint(problems, fixed={"rate": 0.5, "concentration": 2.0})
    assert everything.nll == pytest.approx(nll.score(WAITS, nll.Gamma(2.0, 0.5)).sum, rel=1e-14)
    assert json.loads(f.to_json())["params"] == f.params
    assert "concentration" in f.summary()


def test_shared_components_with_weights_of_their_own():
    kind = nll.Mixture([nll.Normal, nll.Exponential])
    f = nll.joint({"a": problem(PEAK[:150], kind), "b": problem(PEAK[100:], kind)},
                  shared=["loc_1", "scale_1", "rate_2"])  # fmt: skip
    assert f.params["weight_1_a"] + f.params["weight_2_a"] == pytest.approx(1.0, abs=1e-15)
    assert f.k == 5
    assert f.nll <= nll.joint({"a": problem(PEAK[:150], kind), "b": problem(PEAK[100:], kind)}).nll + 1e-9
    assert nll.fit(PEAK[:150], kind).nll + nll.fit(PEAK[100:], kind).nll <= f.nll + 1e-9


@pytest.mark.parametrize(
    ("problems", "options", "words"),
    [
        ([1.0], {}, "joint takes a dict"),
        ({"a": {"y": [1.0]}}, {}, "y and family among them"),
        ({"a": problem([1.0], by="x")}, {}, "no argument 'by' in problem 'a'"),
        ({"a": problem([1.0], share={"lok": "x"})}, {}, "did you mean 'loc'"),
        ({"a": problem(LEFT), "b": problem(RIGHT)}, {"shared": ["scal"]}, "did you mean 'scale'"),
        ({"a": problem(LEFT), "b": problem(RIGHT)}, {"fixed": {"scal": 1.0}}, "did you mean 'scale'"),
        ({"a": problem(LEFT), "b": problem(WAITS, nll.Gamma, share={"rate": "loc"})}, {}, "loc is finite in one"),
        ({"a": problem(LEFT, nll.Laplace), "b": problem(RIGHT, nll.Laplace)}, {}, "statistic of one sample"),
        ({"a": problem([1, 2], nll.Categorical)}, {}, "observes rows"),
        ({"a": problem(PEAK, nll.Mixture(nll.Normal, 2)), "b": problem(PEAK, nll.Mixture(nll.Normal, 2))},
         {"shared": ["weight_1"]}, "share all"),
    ],
)  # fmt: skip
def test_calls_that_mean_nothing_are_refused(problems, options, words):
    with pytest.raises(nll.errors.UsageError, match=words):
        nll.joint(problems, **options)


def test_errors_name_the_problem_and_the_row():
    with pytest.raises(nll.errors.DataError, match=r"problem 'b': y must be finite for Gamma; row 1"):
        nll.joint({"a": problem(WAITS, nll.Gamma), "b": problem([1.0, math.nan], nll.Gamma)})
    with pytest.raises(nll.errors.FitError, match=r"1 row is impossible.*row 2 of 'b'"):
        nll.joint({"a": problem(WAITS, nll.Gamma), "b": problem([1.0, 2.0, -3.0], nll.Gamma)})


def test_an_unbounded_likelihood_is_named():
    f = nll.joint({"a": problem([1.0, 1.0]), "b": problem([2.0, 2.0])}, shared=["scale"], throw=False)
    assert not f.converged
    assert "unbounded" in f.warnings[0]
    assert math.isnan(f.stderr["scale"])
    with pytest.raises(nll.errors.UsageError, match="distribution for each problem"):
        _ = f.dist


def test_a_tighter_kind_holds_for_what_is_shared():
    problems = {"counts": problem([3, 2], nll.Poisson), "waits": problem([1.0, 3.0, 4.0], nll.Exponential)}
    for given in (problems, dict(reversed(problems.items()))):
        f = nll.joint(given)
        assert f.params == pytest.approx({"rate": (5 + 3) / (2 + 8)}, rel=1e-12)
        assert f.stderr == pytest.approx({"rate": math.sqrt(8) / 10}, rel=1e-9)
        assert f.family.parameters["rate"].words == "positive and finite"
    empty = nll.joint({**problems, "counts": problem([0, 0], nll.Poisson)})
    assert empty.params == pytest.approx({"rate": 3 / 10}, rel=1e-12)
    assert (empty.at_boundary, empty.cov_ok) == ((), True)
    with pytest.raises(nll.errors.DataError, match=r"positive and finite for Exponential; got 0.0"):
        nll.joint(problems, fixed={"rate": 0.0})


def test_a_loaded_joint_fit_has_all_but_the_data():
    f = nll.joint({
        "shape": problem(PEAK, nll.Mixture([nll.Normal, nll.Exponential])),
        "count": problem([len(PEAK)], nll.Poisson, share={"rate": "expected"}),
    })  # fmt: skip
    again = nll.load(f.to_json())
    assert again.to_dict() == f.to_dict()
    assert (again.k, again.ci(), again.losses) == (5, f.ci(), f.losses)
    assert nll.score(PEAK, again.dists["shape"]).sum == f.losses["shape"]
    assert again.derive("expected * weight_1").stderr == f.derive("expected * weight_1").stderr
    with pytest.raises(KeyError, match="no problem 'shap'; present: 'shape', 'count'"):
        again.dists["shap"]
    with pytest.raises(nll.errors.UsageError, match="needs the data"):
        again.profile("expected")


def test_a_loaded_joint_fit_says_which_problem_cannot_score():
    table = {"hits": [3, 4, 2], "shots": [10, 12, 9]}
    f = nll.joint({
        "column": problem("hits", nll.Binomial, data=table, fixed={"total_count": "shots"}),
        "values": problem([2, 3], nll.Binomial, fixed={"total_count": [7, 8]}),
        "number": problem([2, 3], nll.Binomial, fixed={"total_count": 7}),
    })  # fmt: skip
    again = nll.load(f.to_json())
    assert nll.score("hits", again.dists["column"], table).sum == f.losses["column"]
    assert nll.score([2, 3], again.dists["number"]).sum == f.losses["number"]
    assert nll.score([2, 3], f.dists["values"]).sum == f.losses["values"]
    with pytest.raises(nll.errors.UsageError, match="problem 'values' lacks total_count, fixed to a value a row"):
        again.dists["values"]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda d: d.update(problems={}), "broken fit"),
        (lambda d: d.update(problems=[1]), "broken fit"),
        (lambda d: d["problems"]["a"].update(family={"nll": "form", "version": 1, "form": {"own": "x"}}), "no family"),
        (lambda d: d["problems"]["a"]["family"]["form"].update(family="os.system"), "os.system"),
        (lambda d: d["problems"]["a"].update(titles={"rate": ["rate"]}), "broken fit: .* texts"),
        (lambda d: d["problems"]["a"].update(titles={"rat": "rate"}), "not parameters of Gamma"),
        (lambda d: d["problems"]["a"].update(fixed={"rate": 1.0}), "not once each"),
        (lambda d: d["problems"]["a"].update(titles={"rate": "loc"}), "broken fit: loc is positive"),
        (lambda d: d["problems"]["a"]["titles"].update(rate="other"), "not those of the problems"),
        (lambda d: d["problems"]["b"].pop("loss"), "broken fit"),
        (lambda d: d.update(cov=[[1.0]]), "shape"),
        (lambda d: d.update(free=["loc", "scale"]), "broken fit"),
        (lambda d: d["params"].update(rate="1e5"), "broken fit"),
    ],
)
def test_a_changed_joint_fit_is_no_fit(change, words):
    f = nll.joint({"a": problem(WAITS, nll.Gamma), "b": problem(WAITS)})
    document = json.loads(f.to_json())
    change(document)
    with pytest.raises(nll.errors.DataError, match=words):
        nll.load(json.dumps(document))

"""Scores of sequences: against sums over paths, products of probabilities, and hmmlearn's numbers."""

import itertools
import math

import numpy as np
import polars as pl
import pytest
from scipy import stats

import nll
from nll.errors import DataError, UsageError
from nll.tasks.sequences.score import chosen, sequence_rows, sequence_score

P, A = [0.6, 0.4], [[0.7, 0.3], [0.2, 0.8]]
CHAIN = nll.MarkovChain(P, A)
HIDDEN = nll.HiddenMarkov(P, A, nll.Normal(loc=[0.0, 3.0], scale=[1.0, 2.0]))


def brute(initial, transition, densities):
    """Return -log of the sum over all paths; densities (T, K)."""
    terms = [
        initial[path[0]]
        * densities[0][path[0]]
        * math.prod(transition[i][j] * densities[t + 1][j] for t, (i, j) in enumerate(itertools.pairwise(path)))
        for path in itertools.product(range(len(initial)), repeat=len(densities))
    ]
    return -math.log(math.fsum(terms))


def test_a_chain_is_a_product_of_probabilities():
    s = sequence_score([0, 0, 1, 1, 0], CHAIN, lengths=[3, 2])
    first, second = -math.log(0.6 * 0.7 * 0.3), -math.log(0.4 * 0.2)
    assert s.by_sequence == pytest.approx([first, second], rel=1e-15)
    assert s.sum == pytest.approx(first + second, rel=1e-15)
    assert (s.n, s.sequences, s.clusters, s.lengths.tolist()) == (5, 2, 2, [3, 2])
    m = (first + second) / 5.0  # the error of a ratio of totals
    assert s.stderr == pytest.approx(math.sqrt(2.0 * ((first - 3 * m) ** 2 + (second - 2 * m) ** 2)) / 5.0, rel=1e-12)


def test_chains_of_other_orders():
    rng = np.random.default_rng(1)
    joint, table = rng.dirichlet(np.ones(9)).reshape(3, 3), rng.dirichlet(np.ones(3), (3, 3))
    second = nll.MarkovChain(joint, table)
    want = -math.log(joint[0, 2] * table[0, 2, 1] * table[2, 1, 1])
    assert sequence_score([0, 2, 1, 1], second).sum == pytest.approx(want, rel=1e-15)
    assert sequence_score([2], second).sum == pytest.approx(-math.log(joint[2].sum()), rel=1e-15)
    given = nll.MarkovChain("given", table)
    s = sequence_score([[0, 2, 1, 1], [1]], given)
    assert s.sum == pytest.approx(-math.log(table[0, 2, 1] * table[2, 1, 1]), rel=1e-15)
    assert (s.n, s.given, s.clusters) == (2, 3, 1)
    assert sequence_score([1, 0], nll.NGram(transition=[0.25, 0.75])).sum == pytest.approx(-math.log(0.1875), rel=1e-15)


EMISSIONS = {
    "normal": (nll.Normal(loc=[0.0, 3.0], scale=[1.0, 2.0]), [0.3, 5.0, -1.0, 2.0], stats.norm([0, 3], [1, 2]).pdf),
    "shared": (nll.Normal(loc=[0.0, 3.0], scale=2.0), [0.3, 5.0, -1.0], stats.norm([0, 3], 2).pdf),
    "poisson": (nll.Poisson(rate=[1.0, 6.0]), [0, 4, 4, 9], stats.poisson([1, 6]).pmf),
    "gamma": (nll.Gamma(concentration=[2.0, 0.5], rate=[1.0, 3.0]), [0.4, 2.0],
              stats.gamma([2, 0.5], scale=[1, 1 / 3]).pdf),
    "list": ([nll.Exponential(rate=2.0), nll.LogNormal(loc=0.5, scale=1.0)], [0.4, 2.0, 0.1],
             lambda y: [stats.expon.pdf(y, scale=0.5), stats.lognorm.pdf(y, 1.0, scale=math.exp(0.5))]),
    "categorical": (nll.Categorical(probs=[[0.2, 0.5, 0.3], [0.6, 0.1, 0.3]]), [2, 0, 1, 1],
                    lambda y: [[0.2, 0.5, 0.3][y], [0.6, 0.1, 0.3][y]]),
    "vectors": (nll.MultivariateNormal(loc=[[0.0, 0.0], [1.0, 2.0]], covariance_matrix=[[2.0, 0.5], [0.5, 1.0]]),
                [[0.1, 0.2], [1.5, 1.0]],
                lambda y: [stats.multivariate_normal.pdf(y, m, [[2, 0.5], [0.5, 1]]) for m in ([0, 0], [1, 2])]),
    "columns": (nll.Independent(nll.Normal(loc=[[0.0, 0.0], [1.0, 2.0]], scale=1.0)), [[0.1, 0.2], [1.5, 1.0]],
                lambda y: [np.prod(stats.norm.pdf(y, m)) for m in ([0, 0], [1, 2])]),
}  # fmt: skip


@pytest.mark.parametrize("name", EMISSIONS)
def test_hidden_states_by_the_sum_over_all_paths(name):
    emission, y, density = EMISSIONS[name]
    want = brute(P, A, [density(np.asarray(value)) for value in y])
    y = np.array(y) if np.ndim(y) == 2 else y
    assert sequence_score(y, nll.HiddenMarkov(P, A, emission)).sum == pytest.approx(want, rel=1e-12)


def test_mixtures_as_emissions():
    two = nll.Mixture([nll.Normal(0.0, 1.0), nll.Normal(4.0, 1.0)], weights=[[0.3, 0.9], [0.7, 0.1]])
    density = lambda y: [w * stats.norm.pdf(y) + (1 - w) * stats.norm.pdf(y, 4) for w in (0.3, 0.9)]  # noqa: E731
    y = [0.3, 5.0, 2.0]
    assert sequence_score(y, nll.HiddenMarkov(P, A, two)).sum == pytest.approx(brute(P, A, map_(density, y)), rel=1e-12)


def map_(function, values):
    return [function(value) for value in values]


def test_numbers_of_hmmlearn():
    # hmmlearn 0.3.3, GaussianHMM(2, covariance_type="diag").score, on
    # startprob [.6 .4], transmat [[.7 .3] [.2 .8]], means [0 3], variances [1 4], X = these, lengths [4, 3]
    y = np.array([[0.5], [2.5], [-1.0], [4.0], [3.0], [0.0], [1.0]])
    assert sequence_score(y, HIDDEN, lengths=[4, 3]).sum == pytest.approx(HMMLEARN, rel=1e-10)


HMMLEARN = 15.145664741375047


def test_missing_observations_are_summed_out_and_counted():
    density = stats.norm([0, 3], [1, 2]).pdf
    s = sequence_score([0.5, math.nan, 2.5], HIDDEN, missing="drop")
    assert s.sum == pytest.approx(brute(P, A, [density(0.5), [1.0, 1.0], density(2.5)]), rel=1e-13)
    assert (s.n, s.read, s.missing) == (2, 3, 1)
    squared = np.array(A) @ np.array(A)
    s = sequence_score([0, math.nan, 1], CHAIN, missing="drop")
    assert s.sum == pytest.approx(-math.log(0.6 * squared[0, 1]), rel=1e-14)
    assert np.isnan(sequence_rows([0, math.nan, 1], CHAIN, missing="drop")).tolist() == [False, True, False]
    with pytest.raises(DataError, match=r"missing at row 1 .*missing='drop'"):
        sequence_score([0.5, math.nan], HIDDEN)


def test_impossible_sequences_are_counted():
    s = sequence_score([[0.5, 2.5], [0.5, 0.6, 2.5]], nll.HiddenMarkov([1.0, 0.0], [[0.0, 1.0], [1.0, 0.0]], UNIFORM))
    assert (s.sum, s.mean, s.impossible, s.n) == (math.inf, math.inf, 1, 5)
    assert s.by_sequence.tolist() == [pytest.approx(0.0, abs=1e-15), math.inf]
    assert s.first_impossible == ("sequence 1, step 1",)
    s = sequence_score([0, 1, 0], nll.MarkovChain([0.5, 0.5], [[0.5, 0.5], [0.0, 1.0]]))
    assert (s.sum, s.impossible) == (math.inf, 1)


UNIFORM = nll.Uniform(low=[0.0, 2.0], high=[1.0, 3.0])


def test_order_and_batches_change_no_bit():
    rng = np.random.default_rng(3)
    parts = [rng.normal(1.0, 2.0, n) for n in (1, 5, 17, 3)]
    whole = sequence_score(parts, HIDDEN)
    turned = sequence_score(parts[::-1], HIDDEN)
    assert whole.sum == turned.sum
    assert whole.by_sequence.tobytes() == turned.by_sequence[::-1].tobytes()
    alone = [sequence_score(part, HIDDEN).sum for part in parts]
    assert whole.by_sequence.tolist() == alone
    steps = sequence_rows(parts, HIDDEN)
    assert whole.sum == math.fsum(np.concatenate(steps))
    assert [len(s) for s in steps] == [1, 5, 17, 3]


def test_tables():
    frame = pl.DataFrame({"id": ["a", "a", "b", "b", "b"], "y": [0, 0, 1, None, 0], "x": list("AABBA")})
    s = sequence_score("y", CHAIN, frame, sequence="id", missing="drop")
    assert (s.names, s.lengths.tolist(), s.missing) == (("a", "b"), [2, 2], 1)
    assert s.sequence_table()["sequence"].to_list() == ["a", "b"]
    s = sequence_score("x", CHAIN, frame, sequence="id", labels=["A", "B"])
    assert s.sum == pytest.approx(-math.log(0.6 * 0.7 * 0.4 * 0.8 * 0.2), rel=1e-14)
    with pytest.raises(DataError, match="goes back to id = 'a'"):
        sequence_score("y", CHAIN, pl.concat([frame, frame]), sequence="id", missing="drop")


def test_letters_and_units():
    s = sequence_score("AAB", CHAIN, labels=["A", "B"], units="bits")
    assert s.sum == pytest.approx(-math.log2(0.6 * 0.7 * 0.3), rel=1e-15)
    assert s.by_sequence.tolist() == [s.sum]
    assert s.to("nats").by_sequence[0] == pytest.approx(s.sum * math.log(2.0), rel=1e-15)
    assert s.to_dict()["sequences"] == 1
    assert "one sequence: no standard error" in s.notes[0]


@pytest.mark.parametrize(
    ("y", "model", "options", "kind", "words"),
    [
        ([0, 1, 2], CHAIN, {}, DataError, "row 2 has 2"),
        ([[0, 1], [0, -1]], CHAIN, {}, DataError, "sequence 1, step 1 has -1"),
        ([0, 1], CHAIN, {"lengths": [3]}, DataError, "add up to 3; y has 2"),
        ([0, 1], CHAIN, {"lengths": [2, 0]}, DataError, "at least 1"),
        ([], CHAIN, {}, DataError, "no observations"),
        ([[0], []], CHAIN, {}, DataError, "sequence 1 is empty"),
        ([0, 1], CHAIN, {"by": [0, 1]}, UsageError, "take no by"),
        ([0, 1], CHAIN, {"sequence": "id"}, UsageError, "pass data="),
        ("AB", CHAIN, {}, UsageError, "pass data="),
        (["A", "B"], CHAIN, {}, DataError, "labels="),
        ("AC", CHAIN, {"labels": ["A", "B"]}, DataError, "'C' at row 1"),
        ([0, 1], nll.MarkovChain, {}, UsageError, "with numbers"),
        ([0, 1], nll.MarkovChain(), {}, UsageError, "with numbers"),
        (np.zeros((3, 2)), HIDDEN, {}, DataError, r"shape \(3, 2\)"),
        ([0.5, math.inf], HIDDEN, {}, DataError, "row 1 has inf"),
        ([0, 2], nll.MarkovChain("given", [[math.nan, math.nan, math.nan], [0, 1, 0], [0, 0, 1]]), {}, DataError,
         "after 0 .*row 1 needs"),
    ],
)  # fmt: skip
def test_what_is_refused(y, model, options, kind, words):
    with pytest.raises(kind, match=words):
        sequence_score(y, model, **options)


def test_options_that_are_chosen():
    def task(y, *, units="nats", flag=False, where=None): ...

    array = np.zeros(2)
    assert chosen(task, {"y": 1, "units": "nats", "flag": 0, "where": array, "other": 3}) == {"where": array}

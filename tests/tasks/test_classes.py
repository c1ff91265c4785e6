"""Classes: labels in their order, soft targets, smoothing, class weights, several labels a row."""

from __future__ import annotations

import math

import numpy as np
import polars as pl
import pytest

import nll
from nll.errors import DataError, UsageError

PROBS = np.array([[0.2, 0.3, 0.5], [0.1, 0.8, 0.1], [0.6, 0.3, 0.1], [0.25, 0.25, 0.5]])
THETA = {
    "probs": PROBS,
    "log_probs": np.log(PROBS),
    "logits": np.log(PROBS) + np.array([[3.0], [-1.0], [0.0], [200.0]]),
}
FORMS = pytest.mark.parametrize("form", THETA)
BOTH = pytest.mark.parametrize("compiled", [False, True])
Y = np.array([2, 1, 0, 2])


def cross_entropy(targets: np.ndarray) -> np.ndarray:
    return -(targets * np.log(PROBS)).sum(axis=1)


@pytest.mark.parametrize(
    ("labels", "y"),
    [
        (["cat", "dog", "eel"], ["eel", "dog", "cat", "eel"]),
        (["eel", "dog", "cat"], ["cat", "dog", "eel", "cat"]),
        ([30, 10, 20], [20, 10, 30, 20]),
        ([3.5, -1.0, 2.0], [2.0, -1.0, 3.5, 2.0]),
        ([2, 0, 1], [1, 0, 2, 1]),
    ],
)
def test_labels_bind_their_order(bits, labels, y):
    want = bits(nll.score(Y, nll.Categorical(probs=PROBS)))
    dist = nll.Categorical(probs=PROBS)
    assert bits(nll.score(y, dist, labels=labels)) == want
    assert bits(nll.score(np.array(y), dist, labels=tuple(labels))) == want
    table = pl.DataFrame({"y": y, "a": PROBS[:, 0], "b": PROBS[:, 1], "c": PROBS[:, 2]})
    by_name = nll.Categorical(probs=["a", "b", "c"])
    assert bits(nll.score("y", by_name, table, labels=labels)) == want
    if isinstance(y[0], str):
        for dtype in (pl.Categorical, pl.Enum(labels)):
            assert bits(nll.score("y", by_name, table.with_columns(pl.col("y").cast(dtype)), labels=labels)) == want
        assert bits(nll.score(np.array(y, object), dist, labels=labels)) == want


def test_a_class_that_no_row_has_is_fine():
    assert nll.score(["a", "a"], nll.Categorical(probs=PROBS[:2]), labels=["a", "b", "c"]).n == 2
    assert nll.score([0, 0], nll.Categorical(probs=PROBS[:2])).n == 2


def test_labels_of_two_events():
    p = [0.9, 0.2]
    want = nll.score([1, 0], nll.Bernoulli(probs=p)).sum
    assert nll.score(["yes", "no"], nll.Bernoulli(probs=p), labels=["no", "yes"]).sum == want
    assert nll.score([1, -1], nll.Bernoulli(probs=p), labels=[-1, 1]).sum == want
    assert nll.score(["yes", "no"], nll.Bernoulli(probs=p), labels=["yes", "no"]).sum != want
    assert nll.rows(["yes", "no"], nll.Bernoulli(probs=p), labels=["no", "yes"]).sum() == want


def test_an_unknown_label_is_named_with_its_row(running):
    y = ["a"] * 20
    y[13] = y[17] = "A"
    for threads in (1, 4):
        with (
            running(compiled=False, rows=3),
            pytest.raises(DataError, match=r"y holds 'A' at row 13, .* labels \['a', 'b'\]"),
        ):
            nll.score(y, nll.Bernoulli(probs=0.5), labels=["a", "b"], threads=threads)
    with pytest.raises(DataError, match=r"'label' holds 7|label holds 7"):
        nll.score("label", nll.Bernoulli(probs=0.5), {"label": [0, 7]}, labels=[0, 1])


def test_text_needs_labels():
    for y, data in ((["a", "b"], None), ("y", {"y": ["a", "b"]})):
        with pytest.raises(DataError, match=r"y holds text, such as 'a': pass labels=\["):
            nll.score(y, nll.Bernoulli(probs=0.5), data)


def test_missing_labels():
    table = pl.DataFrame({"y": ["a", None, "b"]})
    score = nll.score("y", nll.Bernoulli(probs=0.5), table, labels=["a", "b"], missing="drop")
    assert (score.n, score.missing) == (2, 1)
    with pytest.raises(DataError, match=r"missing at row 1"):
        nll.score("y", nll.Bernoulli(probs=0.5), table, labels=["a", "b"])
    assert nll.score(["a", None], nll.Bernoulli(probs=0.5), labels=["a", "b"], missing="drop").missing == 1
    assert nll.score([7.0, math.nan], nll.Bernoulli(probs=0.5), labels=[7, 8], missing="drop").missing == 1


@pytest.mark.parametrize(
    ("labels", "dist", "said"),
    [
        (["a", "a"], nll.Bernoulli(probs=0.5), "distinct"),
        ([], nll.Bernoulli(probs=0.5), "at least one"),
        (["a"], nll.Bernoulli(probs=0.5), "labels has 1 entries, Bernoulli has 2 classes"),
        (["a", "b", "c"], nll.Bernoulli(probs=0.5), "labels has 3 entries, Bernoulli has 2 classes"),
        (["a", "b"], nll.Categorical(probs=PROBS[:1]), "labels has 2 entries, Categorical has 3 classes"),
        (["a", "b"], nll.Normal(0.0, 1.0), "need a Bernoulli or Categorical"),
    ],
)
def test_labels_that_do_not_fit(labels, dist, said):
    with pytest.raises(UsageError, match=said):
        nll.score(["a"], dist, labels=labels)


# Soft targets.


@FORMS
@BOTH
def test_soft_targets_are_cross_entropy(running, form, compiled):
    targets = np.array([[0.2, 0.3, 0.5], [0.0, 1.0, 0.0], [0.5, 0.5, 0.0], [1 / 3, 1 / 3, 1 / 3]])
    dist = nll.Categorical(**{form: THETA[form]})
    with running(compiled=compiled):
        assert nll.rows(targets, dist) == pytest.approx(cross_entropy(targets), rel=1e-13)
        hard = np.eye(3)[Y]
        assert nll.rows(hard, dist) == pytest.approx(nll.rows(Y, dist), rel=1e-14)
        assert nll.score(targets, dist).sum == math.fsum(nll.rows(targets, dist))


@FORMS
def test_a_target_of_zero_forgives_a_probability_of_zero(form):
    with np.errstate(divide="ignore"):
        row = {"probs": [[0.0, 1.0]], "log_probs": [[-math.inf, 0.0]], "logits": [[-math.inf, 0.0]]}[form]
    dist = nll.Categorical(**{form: row})
    assert nll.score([[0.0, 1.0]], dist).sum == 0.0
    assert nll.score([[0.5, 0.5]], dist).impossible == 1


def test_soft_targets_from_columns():
    table = pl.DataFrame({"a": PROBS[:, 0], "b": PROBS[:, 1], "c": PROBS[:, 2], "t": [1.0] * 4, "f": [0.0] * 4})
    score = nll.score(["t", "f", "f"], nll.Categorical(probs=["a", "b", "c"]), table)
    assert score.sum == pytest.approx(-np.log(PROBS[:, 0]).sum())


@pytest.mark.parametrize(
    ("targets", "said"),
    [
        ([[0.5, 0.6, 0.0]], "sums to 1"),
        ([[-0.5, 1.5, 0.0]], "sums to 1"),
        ([[math.nan, 1.0, 0.0]], "sums to 1"),
        ([[0.5, 0.5]], "2 classes, the distribution has 3"),
    ],
)
def test_soft_targets_that_are_no_distribution(targets, said):
    with pytest.raises(DataError, match=said):
        nll.score(targets, nll.Categorical(probs=PROBS[:1]))


# Smoothing and class weights, as torch defines them: cross_entropy(reduction="mean").


@FORMS
@BOTH
@pytest.mark.parametrize("smoothing", [0.1, 0.5, 1.0])
def test_label_smoothing(running, form, compiled, smoothing):
    dist = nll.Categorical(**{form: THETA[form]})
    targets = (1 - smoothing) * np.eye(3)[Y] + smoothing / 3
    with running(compiled=compiled):
        assert nll.rows(Y, dist, label_smoothing=smoothing) == pytest.approx(cross_entropy(targets), rel=1e-13)
        assert nll.score(Y, dist, label_smoothing=smoothing).mean == pytest.approx(
            cross_entropy(targets).mean(), rel=1e-13
        )
        soft = np.full((4, 3), 1 / 3)
        assert nll.rows(soft, dist, label_smoothing=smoothing) == pytest.approx(cross_entropy(soft), rel=1e-13)


def test_label_smoothing_still_checks_the_class():
    for y in (3, -1, 0.5):
        with pytest.raises(DataError, match=r"row 0"):
            nll.score([y], nll.Categorical(probs=PROBS[:1]), label_smoothing=0.1)


def test_label_smoothing_has_bounds():
    for wrong in (-0.1, 1.1, math.nan):
        with pytest.raises(UsageError, match=r"label_smoothing"):
            nll.score(Y, nll.Categorical(probs=PROBS), label_smoothing=wrong)
    with pytest.raises(UsageError, match=r"needs a Categorical"):
        nll.score(1, nll.Bernoulli(probs=0.5), label_smoothing=0.1)


@BOTH
def test_class_weights(running, compiled):
    own, dist = np.array([1.0, 0.5, 4.0]), nll.Categorical(logits=THETA["logits"])
    losses, w = cross_entropy(np.eye(3)[Y]), own[Y]
    with running(compiled=compiled):
        score = nll.score(Y, dist, class_weight=own)
        assert (score.weight, score.mean) == (w.sum(), pytest.approx((w * losses).sum() / w.sum(), rel=1e-13))
        row = np.array([1.0, 2.0, 3.0, 4.0])
        both = nll.score(Y, dist, class_weight=own, sample_weight=row)
        assert both.mean == pytest.approx((row * w * losses).sum() / (row * w).sum(), rel=1e-13)
        zero = nll.score(Y, dist, class_weight=[1, 1, 0])
        assert (zero.n, zero.unweighted, zero.mean) == (2, 2, pytest.approx(losses[1:3].mean(), rel=1e-13))


def test_class_weights_with_smoothing_multiply_the_whole_loss():
    own, smoothing = np.array([1.0, 0.5, 4.0]), 0.3
    losses = cross_entropy((1 - smoothing) * np.eye(3)[Y] + smoothing / 3)
    score = nll.score(Y, nll.Categorical(probs=PROBS), class_weight=own, label_smoothing=smoothing)
    assert score.mean == pytest.approx((own[Y] * losses).sum() / own[Y].sum(), rel=1e-13)


def test_class_weights_by_name():
    dist, labels = nll.Categorical(probs=PROBS), ["c", "a", "b"]
    y = [labels[k] for k in Y]
    want = nll.score(Y, dist, class_weight=[3.0, 1.0, 2.0]).mean
    assert nll.score(y, dist, labels=labels, class_weight={"a": 1.0, "b": 2.0, "c": 3.0}).mean == want
    assert nll.score(Y, dist, class_weight={0: 3.0, 1: 1.0, 2: 2.0}).mean == want
    binary = nll.score([1, 0], nll.Bernoulli(probs=[0.5, 0.2]), class_weight={0: 1.0, 1: 3.0})
    assert binary.mean == pytest.approx((3 * math.log(2) - math.log(0.8)) / 4)


@pytest.mark.parametrize(
    ("weights", "labels", "said"),
    [
        ([1.0, 2.0], None, "2 entries, Categorical has 3 classes"),
        ([1.0] * 4, None, "4 entries, Categorical has 3 classes"),
        ([1.0, -1.0, 1.0], None, "finite and at least 0"),
        ([1.0, math.nan, 1.0], None, "finite and at least 0"),
        ({"a": 1.0}, None, "needs labels="),
        ({0: 1.0, 2: 1.0}, None, "missing or unknown"),
        ({"a": 1.0, "b": 1.0}, ["a", "b", "c"], "missing or unknown"),
        ({"a": 1.0, "b": 1.0, "c": 1.0, "d": 1.0}, ["a", "b", "c"], "missing or unknown"),
        ({}, None, "class_weight|class weights"),
    ],
)
def test_class_weights_that_do_not_fit(weights, labels, said):
    y = Y if labels is None else [labels[k] for k in Y]
    with pytest.raises(UsageError, match=said):
        nll.score(y, nll.Categorical(probs=PROBS), class_weight=weights, labels=labels)


def test_matrices_have_no_class_weights():
    for y, dist in (
        (np.eye(3)[Y], nll.Categorical(probs=PROBS)),
        (np.eye(3, dtype=int)[Y], nll.Bernoulli(probs=0.5)),
    ):
        for options in ({"class_weight": [1.0, 1.0, 1.0]}, {"labels": [0, 1]}):
            with pytest.raises(UsageError, match=r"y is a matrix"):
                nll.score(y, dist, **options)


# Probabilities that are none.


@BOTH
@pytest.mark.parametrize(
    ("theta", "said"),
    [
        ({"probs": [[0.5, 0.5], [0.5, 0.6]]}, r"sum to 1 \(tolerance 1e-06\); row 1 has the sum 1\.1"),
        ({"probs": np.array([[0.5, 0.5], [0.5, 0.6]], np.float32)}, r"tolerance 0\.0001\); row 1 has the sum 1\.1"),
        ({"probs": [[0.5, 0.5], [1.5, -0.5]]}, r"probs must be in \[0, 1\].*row 1 has 1\.5 for class 0"),
        ({"probs": [[0.5, 0.5], [math.nan, 1.0]]}, "row 1 has nan for class 0"),
        ({"log_probs": np.log([[0.5, 0.5], [0.5, 0.6]])}, r"exp\(log_probs\) must sum to 1.*row 1"),
        ({"log_probs": [[0.0, -math.inf], [0.5, -1.0]]}, r"log_probs must be at most 0.*row 1 has 0\.5 for class 0"),
        ({"logits": [[0.0, 0.0], [math.inf, 0.0]]}, "below infinity.*row 1 has inf for class 0"),
        ({"logits": [[0.0, 0.0], [0.0, math.nan]]}, "row 1 has nan for class 1"),
        ({"logits": [[0.0, 0.0], [-math.inf, -math.inf]]}, "at least one finite.*row 1"),
    ],
)
def test_rows_that_are_no_distribution(running, compiled, theta, said):
    with running(compiled=compiled), pytest.raises(DataError, match=said):
        nll.score([0, 0], nll.Categorical(**theta))


@BOTH
@pytest.mark.parametrize("y", [2, -1, 0.5, 2**40, 1e300, math.inf])
def test_observations_that_are_no_class(running, compiled, y):
    with (
        running(compiled=compiled),
        pytest.raises(DataError, match=r"y must be a class, a whole number in 0 \.\. 1; row 1"),
    ):
        nll.score([0, y], nll.Categorical(logits=np.zeros((2, 2))))


def test_a_probability_of_zero_is_impossible():
    score = nll.score([0, 1], nll.Categorical(probs=[[0.0, 1.0], [0.0, 1.0]]))
    assert (score.impossible, score.first_impossible, score.sum) == (1, ("row 0",), math.inf)
    assert nll.score([0], nll.Categorical(logits=[[-math.inf, 0.0]])).impossible == 1


# Several labels a row.


@BOTH
def test_multilabel_by_label_and_joint(running, compiled):
    random = np.random.default_rng(0)
    y, p = random.integers(0, 2, (50, 3)), random.random((50, 3))
    w = random.random(50)
    with running(compiled=compiled, rows=11):
        score = nll.score(y, nll.Bernoulli(probs=p), sample_weight=w)
        each = [nll.score(y[:, j], nll.Bernoulli(probs=p[:, j]), sample_weight=w) for j in range(3)]
        losses = nll.rows(y, nll.Bernoulli(probs=p))
        logits = nll.rows(y, nll.Bernoulli(logits=np.log(p / (1 - p))))
    single = np.where(y == 1, -np.log(p), -np.log1p(-p))
    assert losses == pytest.approx(single.sum(axis=1), rel=1e-13)
    assert logits == pytest.approx(losses, rel=1e-11)
    assert score.n == 50
    assert score.labels is not None
    assert [(s.sum, s.mean, s.stderr) for s in score.labels.values()] == [(s.sum, s.mean, s.stderr) for s in each]
    assert score.mean == pytest.approx(sum(s.mean for s in each), rel=1e-13)
    assert "joint" in repr(score)
    assert "joint" in score._repr_html_()
    assert len(score.to_dict()["labels"]) == 3
    assert score.to("bits").labels.units == "bits"


def test_multilabel_from_columns(bits):
    y, p = np.array([[1, 0], [0, 0], [1, 1]]), np.array([[0.1, 0.2], [0.3, 0.4], [0.5, 0.6]])
    table = {"a": y[:, 0], "b": y[:, 1], "pa": p[:, 0], "pb": p[:, 1], "g": ["x", "y", "x"]}
    want = nll.score(y, nll.Bernoulli(probs=p))
    got = nll.score(["a", "b"], nll.Bernoulli(probs=["pa", "pb"]), table)
    assert bits(got) == bits(want)
    assert bits(got.labels) == bits(want.labels)
    fair = nll.score(["a", "b"], nll.Bernoulli(probs=0.5), table)
    assert fair.sum == pytest.approx(6 * math.log(2))
    grouped = nll.score(["a", "b"], nll.Bernoulli(probs=["pa", "pb"]), table, by="g")
    assert grouped["x"].n == 2
    assert bits(grouped.total) == bits(want)
    assert bits(grouped.total.labels) == bits(want.labels)
    with pytest.raises(UsageError, match=r"3 columns, y 2|names 3"):
        nll.score(["a", "b"], nll.Bernoulli(probs=["pa", "pb", "pa"]), table)
    with pytest.raises(UsageError, match=r"list of columns, one a label"):
        nll.score(["a", "b"], nll.Bernoulli(probs="pa"), table)


def test_a_wrong_label_of_many_is_named():
    with pytest.raises(DataError, match=r"y must be 0 or 1 .* row 1 has 2 for label 1"):
        nll.score([[0, 1], [0, 2]], nll.Bernoulli(probs=0.5))
    with pytest.raises(DataError, match=r"probs must be .* row 0 has 1.5 for label 1"):
        nll.score([[0, 1], [0, 1]], nll.Bernoulli(probs=[[0.5, 1.5], [0.5, 0.5]]))
    with pytest.raises(DataError, match=r"probs has shape \(3,\), the matrix of labels \(2, 2\)"):
        nll.score([[0, 1], [0, 1]], nll.Bernoulli(probs=[0.5, 0.5, 0.5]))


def test_categorical_from_columns_needs_a_column_a_class():
    table = {"y": [0, 1], "a": [0.5, 0.5], "b": [0.5, 0.5]}
    assert nll.score("y", nll.Categorical(probs=["a", "b"]), table).sum == pytest.approx(2 * math.log(2))
    assert nll.score("y", nll.Categorical(probs=[0.25, 0.75]), table).sum == pytest.approx(-math.log(0.25 * 0.75))
    for wrong in ("a", ["a", 0.5]):
        with pytest.raises(UsageError, match=r"list of columns, one a class"):
            nll.score("y", nll.Categorical(probs=wrong), table)
    with pytest.raises(UsageError, match=r"no column 'c'"):
        nll.score("y", nll.Categorical(probs=["a", "c"]), table)

"""Sequences of ids and logits: what is ignored, masked, shifted, tempered and capped, in every type and layout."""

from __future__ import annotations

import ctypes
import json
import math
from typing import Any

import mpmath
import numpy as np
import pytest

import nll
from nll.families.categorical import CategoricalLogits
from nll.kernels.kernel import kernel
from nll.numerics.single import BFLOAT16

B, T = 4, 7
WIDTHS = [11, 70]  # done in double by plain Python, and by the wide kernel


@pytest.fixture(params=WIDTHS)
def z(request: pytest.FixtureRequest) -> np.ndarray:
    return np.random.default_rng(request.param).standard_normal((B, T, request.param)) * 3.0


def ids_of(z: np.ndarray) -> np.ndarray:
    y = np.random.default_rng(1).integers(0, z.shape[-1], (B, T))
    y[1, 3] = y[0, 0] = y[3, 6] = -100
    y[2] = -100
    return y


def truth(row: np.ndarray, targets: Any, temperature: float = 1.0, softcap: float | None = None) -> float:
    """Return the cross-entropy of a class, or of soft targets, by mpmath."""
    with mpmath.workdps(40):
        w = [mpmath.mpf(float(x)) for x in row]
        w = [softcap * mpmath.tanh(x / softcap) if softcap else x for x in w]
        w = [x / mpmath.mpf(temperature) for x in w]
        total = mpmath.log(mpmath.fsum(map(mpmath.exp, w)))
        t = np.eye(len(w))[targets] if np.ndim(targets) == 0 else targets
        return float(mpmath.fsum(mpmath.mpf(float(p)) * (total - x) for p, x in zip(t, w, strict=True)))


def losses(z: np.ndarray, y: np.ndarray, **shape: Any) -> np.ndarray:
    """Return the loss of each id, NaN of those that are ignored."""
    flat = zip(z.reshape(-1, z.shape[-1]), y.reshape(-1), strict=True)
    return np.array([math.nan if k == -100 else truth(row, k, **shape) for row, k in flat]).reshape(y.shape)


def test_ids_that_are_ignored_do_not_count(z):
    y = ids_of(z)
    expected = losses(z, y)
    s = nll.score(y, nll.Categorical(logits=z), ignore_index=-100)
    assert (s.n, s.ignored, s.read) == (18, 10, 28)
    assert s.mean == pytest.approx(np.nanmean(expected), rel=1e-13)
    found = nll.rows(y, nll.Categorical(logits=z), ignore_index=-100)
    np.testing.assert_allclose(found, expected, rtol=1e-13)
    assert "10 of 28 rows ignored" in repr(s)
    assert s.to_dict()["ignored"] == 10


def test_a_mask_is_the_same_as_an_ignored_id(z):
    y = ids_of(z)
    by_id = nll.score(y, nll.Categorical(logits=z), ignore_index=-100)
    mask = y != -100
    assert nll.score(np.abs(y) % 11, nll.Categorical(logits=z), mask=mask).n == by_id.n
    for each in (mask, mask.astype(np.int64)):
        assert nll.score(y, nll.Categorical(logits=z), mask=each).sum == by_id.sum
    both = nll.score(y, nll.Categorical(logits=z), ignore_index=-100, mask=np.arange(T) < 5)
    assert (both.n, both.ignored) == ((y[:, :5] != -100).sum(), 28 - (y[:, :5] != -100).sum())
    with pytest.raises(nll.errors.DataError, match="True or False"):
        nll.score(y, nll.Categorical(logits=z), mask=mask * 2)


def test_shift_scores_each_id_by_the_logits_before_it(z):
    y = ids_of(z)
    expected = losses(z[:, :-1], y[:, 1:])
    s = nll.score(y, nll.Categorical(logits=z), ignore_index=-100, shift=True)
    assert (s.n, s.ignored, s.read) == (16, 8, 24)
    assert s.mean == pytest.approx(np.nanmean(expected), rel=1e-13)
    assert "shift" in s.source
    np.testing.assert_allclose(
        nll.rows(y, nll.Categorical(logits=z), ignore_index=-100, shift=True), expected, rtol=1e-13
    )
    sliced = nll.score(y[:, 1:], nll.Categorical(logits=z[:, :-1]), ignore_index=-100)  # rows that are no one block
    assert (sliced.sum, sliced.stderr, sliced.ignored) == (s.sum, s.stderr, s.ignored)
    flat = nll.score(y[0], nll.Categorical(logits=z[0]), shift=True, ignore_index=-100)
    assert flat.mean == pytest.approx(np.nanmean(expected[0]), rel=1e-13)
    nothing = nll.score(y[:, :1], nll.Categorical(logits=z[:, :1]), shift=True)
    assert (nothing.n, nothing.read) == (0, 0)


def test_groups_weights_and_clusters_go_with_their_id(z):
    y = ids_of(z)
    expected = losses(z[:, :-1], y[:, 1:])
    dist = nll.Categorical(logits=z)
    by = nll.score(y, dist, ignore_index=-100, shift=True, by={"position": np.arange(T)})
    assert list(by) == [1, 2, 3, 4, 5, 6]
    for t, s in by.items():
        assert s.mean == pytest.approx(np.nanmean(expected[:, t - 1]), rel=1e-13)
        assert (s.n, s.ignored) == ((y[:, t] != -100).sum(), (y[:, t] == -100).sum())
    documents = np.arange(B)[:, None] + np.zeros((B, T), int)
    whole = nll.score(y, dist, ignore_index=-100, shift=True, by=documents)
    assert whole[2].n == 0
    assert whole[2].mean is None
    weights = np.random.default_rng(0).uniform(0.5, 2.0, (B, T))
    s = nll.score(y, dist, ignore_index=-100, shift=True, sample_weight=weights, cluster=documents)
    seen = y[:, 1:] != -100
    assert s.mean == pytest.approx(np.average(expected[seen], weights=weights[:, 1:][seen]), rel=1e-13)
    assert (s.weight, s.clusters, s.unweighted) == (pytest.approx(weights[:, 1:][seen].sum(), rel=1e-14), 3, 0)


def test_all_ignored_is_no_mean_and_says_so(z):
    s = nll.score(np.full((B, T), -100), nll.Categorical(logits=z), ignore_index=-100)
    assert (s.n, s.sum, s.mean, s.perplexity, s.ignored) == (0, 0.0, None, None, 28)
    assert "nothing was to be scored: all 28 ids are ignored" in repr(s)
    assert json.loads(s.to_json())["mean"] is None
    assert s.to("bits").mean is None
    assert s.to_polars()["mean"][0] is None
    assert "28 ids" in s._repr_html_()


@pytest.mark.parametrize("shape", [{"temperature": 0.7}, {"softcap": 5.0}, {"temperature": 2.0, "softcap": 30.0}])
def test_temperature_and_softcap(z, shape):
    y = ids_of(z)
    expected = losses(z, y, **shape)
    s = nll.score(y, nll.Categorical(logits=z), ignore_index=-100, **shape)
    assert s.mean == pytest.approx(np.nanmean(expected), rel=1e-13)
    assert s.distribution.endswith(", ".join(f"{k}={v:g}" for k, v in shape.items()) + ")")
    single = z.astype(np.float32)
    found = nll.rows(y, nll.Categorical(logits=single), ignore_index=-100, **shape)
    np.testing.assert_allclose(found, losses(single, y, **shape), atol=1e-7 if z.shape[-1] >= 64 else 1e-13)
    soft = nll.rows(np.abs(y) % 11, nll.Categorical(logits=z), label_smoothing=0.2, **shape)
    smooth = 0.8 * np.eye(z.shape[-1])[abs(y[0, 1]) % 11] + 0.2 / z.shape[-1]
    assert soft[0, 1] == pytest.approx(truth(z[0, 1], smooth, **shape), rel=1e-13)


def test_a_confident_shaped_row_keeps_its_digits():
    z = np.zeros((1, 80), np.float32)
    z[0, 3] = 60.0
    assert nll.rows([3], nll.Categorical(logits=z), temperature=2.0)[0] == pytest.approx(
        79.0 * math.exp(-30), rel=1e-14
    )


def test_excluded_classes_stay_excluded_by_a_cap():
    z = np.array([[0.0, -np.inf, 1.0]])
    losses = nll.rows([0], nll.Categorical(logits=z), softcap=2.0)
    assert losses[0] == pytest.approx(math.log1p(math.exp(2.0 * math.tanh(0.5))), rel=1e-15)
    with pytest.raises(nll.errors.DataError, match="below infinity"):
        nll.score([0], nll.Categorical(logits=[[0.0, np.inf]]), softcap=2.0)


def test_smoothing_class_weights_and_soft_targets(z):
    y, width = ids_of(z), z.shape[-1]
    options: dict[str, Any] = {"ignore_index": -100}
    seen = y != -100
    dist = nll.Categorical(logits=z)
    flat, ids = z[seen], y[seen]
    targets = 0.9 * np.eye(width)[ids] + 0.1 / width
    expected = [truth(row, t) for row, t in zip(flat, targets, strict=True)]
    assert nll.score(y, dist, label_smoothing=0.1, **options).mean == pytest.approx(np.mean(expected), rel=1e-13)
    own = np.random.default_rng(3).uniform(0.5, 2.0, width)
    expected = np.average([truth(row, k) for row, k in zip(flat, ids, strict=True)], weights=own[ids])
    assert nll.score(y, dist, class_weight=own, **options).mean == pytest.approx(expected, rel=1e-13)
    soft = np.random.default_rng(4).dirichlet(np.ones(width), (B, T))
    expected = [truth(row, t) for row, t in zip(z[:, :-1][seen[:, 1:]], soft[:, 1:][seen[:, 1:]], strict=True)]
    assert nll.score(soft, dist, mask=seen, shift=True).mean == pytest.approx(np.mean(expected), rel=1e-13)


@pytest.mark.parametrize("kind", ["probs", "log_probs"])
def test_probabilities_too(kind):
    rng = np.random.default_rng(0)
    probs = rng.dirichlet(np.ones(5), (B, T))
    y = rng.integers(0, 5, (B, T))
    y[1, 2] = -100
    dist = nll.Categorical(**{kind: probs if kind == "probs" else np.log(probs)})
    s = nll.score(y, dist, ignore_index=-100, shift=True)
    seen = y[:, 1:] != -100
    chosen = np.take_along_axis(probs[:, :-1], np.where(seen, y[:, 1:], 0)[..., None], -1)[..., 0]
    assert (s.n, s.mean) == (23, pytest.approx(-np.log(chosen[seen]).mean(), rel=1e-13))
    with pytest.raises(nll.errors.UsageError, match="temperature= needs Categorical"):
        nll.score(y, dist, temperature=0.5)


# Types of numbers


class Tensor:
    """A tensor of another library, as far as DLPack shows it."""

    def __init__(self, array: np.ndarray, device: int = 1, requires_grad: bool = False) -> None:
        self.array, self.device, self.requires_grad = array, device, requires_grad
        self.dtype, self.ndim, self.shape = "bfloat16" if array.dtype == np.uint16 else str(array.dtype), array.ndim, ()

    def __dlpack_device__(self) -> tuple[int, int]:
        return (self.device, 0)

    def detach(self) -> Tensor:
        return Tensor(self.array)

    def __dlpack__(self, **_: Any) -> Any:
        if self.requires_grad:
            raise BufferError("Can't export tensors that require gradient")
        capsule = self.array.__dlpack__()
        if self.dtype == "bfloat16":
            get = ctypes.pythonapi.PyCapsule_GetPointer
            get.restype, get.argtypes = ctypes.c_void_p, [ctypes.py_object, ctypes.c_char_p]
            # data, device (2 x int32), ndim, then the code of the type
            ctypes.c_uint8.from_address(get(capsule, b"dltensor") + 8 + 8 + 4).value = 4
        return capsule


def halves(z: np.ndarray) -> np.ndarray:
    return (z.astype(np.float32).view(np.uint32) >> 16).astype(np.uint16)


def widened(bits: np.ndarray) -> np.ndarray:
    return (bits.astype(np.uint32) << 16).view(np.float32)


@pytest.mark.parametrize(
    "options", [{}, {"shift": True}, {"temperature": 0.5, "softcap": 9.0}, {"label_smoothing": 0.1}]
)
def test_bfloat16_and_float16_give_the_bits_of_their_float32(z, options):
    y = ids_of(z)
    bits = halves(z)
    for tensor, same in (
        (Tensor(bits), widened(bits)),
        (z.astype(np.float16), z.astype(np.float16).astype(np.float32)),
    ):
        found = nll.score(y, nll.Categorical(logits=tensor), ignore_index=-100, **options)
        expected = nll.score(y, nll.Categorical(logits=same), ignore_index=-100, **options)
        assert (found.sum, found.stderr, found.n) == (expected.sum, expected.stderr, expected.n)


def test_special_numbers_of_16_bits():
    """Every bfloat16 and float16, as a logit beside 0, is scored or refused as its float32 is."""
    for bits, view in ((np.uint16, None), (np.int16, np.float16)):
        every = np.arange(65536).astype(np.uint16)
        z = np.zeros((65536, 64), np.uint16)
        z[:, 5] = every
        values = widened(every) if bits is np.uint16 else every.view(np.float16).astype(np.float32)
        matrix = np.zeros((65536, 64), np.float32)
        matrix[:, 5] = values
        y = np.where(np.arange(65536) % 2, 5, 3)
        kernels = kernel(CategoricalLogits)
        given = CategoricalLogits.prepare((z.view(BFLOAT16) if view is None else z.view(view),))
        assert given[0].dtype == bits
        found = kernels.rows(y, given)
        expected = kernels.rows(y, CategoricalLogits.prepare((matrix,)))
        np.testing.assert_array_equal(found, expected)
        assert (np.isnan(found) == (np.isnan(values) | (values == np.inf))).all()


def test_tensors_come_without_a_copy_and_gradients_stay_behind():
    from nll.tasks.dlpack import from_tensor

    bits = halves(np.random.default_rng(0).standard_normal((3, 4, 5)))
    array = from_tensor(Tensor(bits), "z")
    assert array.ctypes.data == bits.ctypes.data
    assert array.dtype == BFLOAT16
    assert (array.view(np.uint16) == bits).all()
    strided = from_tensor(Tensor(bits[:, 1:, ::2]), "z")
    assert (strided.view(np.uint16) == bits[:, 1:, ::2]).all()
    assert from_tensor(Tensor(bits[:, :0]), "z").shape == (3, 0, 5)
    double = np.arange(4.0)
    assert from_tensor(Tensor(double, requires_grad=True), "z").ctypes.data == double.ctypes.data
    with pytest.raises(nll.errors.DataError, match=r"logits is a tensor on the device 2: move it to the CPU"):
        nll.score([0], nll.Categorical(logits=Tensor(np.zeros((1, 3)), device=2)))


def test_missing_drops_a_row_with_nan_in_any_type():
    z = np.zeros((3, 70), np.float32)
    z[1, 4] = np.nan
    for logits in (z, Tensor(halves(z)), z.astype(np.float16)):
        s = nll.score([1, 2, -100], nll.Categorical(logits=logits), missing="drop", ignore_index=-100)
        assert (s.n, s.missing, s.ignored) == (1, 1, 1)


# What is refused


def test_errors_name_sequence_and_position(z):
    y = ids_of(z)
    z = z.copy()
    z[1, 4, 2] = np.nan
    with pytest.raises(nll.errors.DataError, match="sequence 1, position 4 has nan for class 2"):
        nll.score(y, nll.Categorical(logits=z), ignore_index=-100)
    with pytest.raises(nll.errors.DataError, match="sequence 1, position 5 has nan for class 2"):
        nll.score(y, nll.Categorical(logits=z), ignore_index=-100, shift=True)
    z[1, 4, 2] = 0.0
    z[2, 3] = np.nan  # ignored, so not looked at
    assert nll.score(y, nll.Categorical(logits=z), ignore_index=-100).n == 18
    with pytest.raises(nll.errors.DataError, match=r"y must be a class.*sequence 0, position 0 has -100"):
        nll.score(y, nll.Categorical(logits=z))
    with pytest.raises(nll.errors.DataError, match="position 5 has -9223372036854775808"):
        nll.score(np.array([0] * 5 + [-(2**63)]), nll.Categorical(logits=np.zeros((6, 3))), ignore_index=-100)


def test_wrong_calls():
    z = np.zeros((2, 3, 4))
    y = np.zeros((2, 3), int)
    wrong: list[tuple[Any, dict[str, Any], str]] = [
        (nll.Categorical(logits=z), {"temperature": 0.0}, "temperature is a finite number above 0"),
        (nll.Categorical(logits=z), {"softcap": "5"}, "softcap is a finite number above 0"),
        (nll.Categorical(logits=z), {"ignore_index": 1.5}, "ignore_index is a whole number"),
        (nll.Categorical(logits=z), {"shift": 2}, "shift is True or False"),
        (nll.Categorical(logits=z), {"mask": np.ones((3, 3), bool)}, "mask has shape"),
        (nll.Categorical(logits=z[:, :-1]), {"ignore_index": -100}, "shift=True"),
        (nll.Poisson(rate=1.0), {"ignore_index": -100}, "needs a Categorical"),
    ]
    for dist, options, message in wrong:
        with pytest.raises(nll.errors.NllError, match=message):
            nll.score(y, dist, **options)
    with pytest.raises(nll.errors.UsageError, match="soft targets"):
        nll.score(np.full((2, 3, 4), 0.25), nll.Categorical(logits=z), ignore_index=0)


def test_a_tally_takes_the_options(z):
    y = ids_of(z)
    tally = nll.Tally()
    for k in range(B):
        tally.update(y[k : k + 1], nll.Categorical(logits=z[k : k + 1]), ignore_index=-100, shift=True)
    whole = nll.score(y, nll.Categorical(logits=z), ignore_index=-100, shift=True)
    saved = nll.Tally.from_dict(json.loads(json.dumps(tally.to_dict()))).score()
    assert (saved.sum, saved.stderr, saved.ignored) == (whole.sum, whole.stderr, whole.ignored)


def test_saved_tallies_of_before_have_no_ignored_ids():
    tally = nll.Tally()
    tally.update([0, 1], nll.Categorical(logits=np.zeros((2, 3))))
    saved = tally.to_dict()
    saved["groups"][0]["counts"].pop()
    saved["counters"].pop()
    assert nll.Tally.from_dict(saved).score().n == 2

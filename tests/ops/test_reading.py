"""What is mistaken for a mask: additive masks, ids, weights, lengths."""

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import pytest

from keras_masking import errors
from keras_masking import layers
from keras_masking import losses
from keras_masking import metrics
from keras_masking import ops
from keras_masking._keras import set_mask
from tests.helpers import BACKEND
from tests.helpers import compiled
from tests.helpers import mask_of
from tests.helpers import to_numpy

X = np.arange(72, dtype="float32").reshape(3, 6, 4)
REAL = np.arange(6) < np.array([[3], [2], [6]])
LENGTHS = np.array([3, 2, 6])
ROWS = np.array([True, False, True])
SAYS_LENGTHS = r"keras_masking\.ops\.lengths_to_mask\(lengths, maxlen\)"

WRONG = {
    # The mask of many transformers, which was read inverted.
    "additive": (np.where(REAL, 0.0, -1e9), r"keras\.ops\.equal\(mask, 0\)"),
    "infinite": (np.where(REAL, 0.0, -np.inf), r"keras\.ops\.equal\(mask, 0\)"),
    "ids": (np.where(REAL, 7, 0), r"keras\.ops\.not_equal\(ids, 0\)"),
    "padding of -1": (np.where(REAL, 1, -1), "Weights are not a mask"),
    "weights": (np.where(REAL, 0.5, 0.0), r"keras\.ops\.greater\(mask, 0\)"),
    "nan": (np.where(REAL, 1.0, np.nan), r"keras\.ops\.isnan\(x\)"),
}
FORMS: dict[str, Callable[[np.ndarray], Any]] = {
    "array": lambda mask: mask,
    "list": lambda mask: mask.tolist(),
    "tensor": keras.ops.convert_to_tensor,
}
DOORS: dict[str, Callable[[Any], Any]] = {
    "check_mask": lambda m: ops.check_mask(m, X),
    "masked_mean": lambda m: ops.masked_mean(X, m),
    "window_max": lambda m: ops.window_max(X, m),
    "reverse_steps": lambda m: ops.reverse_steps(X, m),
    "position_ids": ops.position_ids,
    "mask_to_lengths": ops.mask_to_lengths,
    "window_mask": lambda m: ops.window_mask(m, 2),
    "transposed_window_mask": lambda m: ops.transposed_window_mask(m, 2),
    "AttachMask": lambda m: layers.AttachMask()(X, mask=m),
    "pooling": lambda m: layers.MaskedGlobalMaxPooling1D()(X, mask=m),
    "MaskedAdd": lambda m: layers.MaskedAdd()([X, X], mask=[None, m]),
    "attention": lambda m: layers.MaskedMultiHeadAttention(1, 2)(
        X, X, value_mask=m
    ),
    "compute_mask": lambda m: layers.ApplyMask().compute_mask(X, m),
    "loss": lambda m: losses.MaskedLoss("mse")(X, X, mask=m),
    "metric": lambda m: metrics.MaskedMetric("mse").update_state(X, X, mask=m),
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("kind", WRONG)
def test_numbers_that_are_no_mask(kind: str, form: str) -> None:
    mask, fix = WRONG[kind]
    with pytest.raises(errors.MaskValueError, match=fix):
        layers.AttachMask()(X, mask=FORMS[form](mask))


@pytest.mark.parametrize("kind", ["additive", "ids"])
@pytest.mark.parametrize("door", DOORS)
def test_no_door_lets_them_in(door: str, kind: str) -> None:
    mask, fix = WRONG[kind]
    with pytest.raises(errors.MaskValueError, match=fix):
        DOORS[door](mask)
    DOORS[door](REAL.astype(mask.dtype))


def test_a_carried_mask_of_numbers() -> None:
    """A mask set by hand; masks made by Keras are boolean."""
    x = keras.ops.convert_to_tensor(X)
    set_mask(x, keras.ops.convert_to_tensor(WRONG["additive"][0]))
    with pytest.raises(errors.MaskValueError, match="additive mask"):
        layers.MaskedGlobalSumPooling1D()(x)


@pytest.mark.parametrize("heads", [False, True])
def test_an_additive_attention_mask(heads: bool) -> None:
    attend = layers.MaskedMultiHeadAttention(1, 2)
    # A mask for each head is passed to Keras, which inverts it as well.
    shape = (3, 1, 6, 6) if heads else (3, 6, 6)
    allowed = np.broadcast_to(np.tri(6, dtype=bool), shape)
    with pytest.raises(
        errors.MaskValueError, match=r"keras\.ops\.equal\(attention_mask, 0\)"
    ):
        attend(X, X, attention_mask=np.where(allowed, 0.0, -1e9))
    y = attend(X, X, attention_mask=allowed)
    z = attend(X, X, attention_mask=allowed.astype("float32"))
    np.testing.assert_array_equal(to_numpy(y), to_numpy(z))


def test_a_large_number_is_not_cut_to_nothing() -> None:
    """JAX has only 32 bits, in which 2**32 becomes 0."""
    with pytest.raises(errors.MaskValueError, match=r"values=0, 4\.29497e\+09"):
        ops.position_ids(np.array([[0, 2**32]]))


def test_where_values_are_not_known_all_but_zero_is_real() -> None:
    mask = keras.Input((6,), dtype="float32")
    assert ops.check_mask(mask, keras.Input((6, 4))).dtype == "bool"
    run = compiled(lambda m: ops.check_mask(m, X))
    y = run(keras.ops.convert_to_tensor(np.where(REAL, 7, 0)))
    np.testing.assert_array_equal(to_numpy(y), REAL)


def test_a_boolean_mask_is_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    def read(x: Any) -> None:
        raise AssertionError("a GPU would wait for this")

    monkeypatch.setattr("keras_masking.ops.known.to_numpy_or_none", read)
    for door in DOORS.values():
        door(keras.ops.convert_to_tensor(REAL))


OF_ROWS: dict[str, Callable[[Any], Any]] = {
    name: lambda m, name=name: getattr(ops, name)(X, m)
    for name in (
        "apply_mask",
        "first_step",
        "last_step",
        "masked_logsumexp",
        "masked_max",
        "masked_mean",
        "masked_min",
        "masked_moments",
        "masked_softmax",
        "masked_sqrtn",
        "masked_std",
        "masked_sum",
        "masked_variance",
    )
}


@pytest.mark.parametrize("lengths", [LENGTHS, np.array([1, 0, 1])], ids=str)
@pytest.mark.parametrize("name", OF_ROWS)
def test_lengths_are_no_mask(name: str, lengths: np.ndarray) -> None:
    """`masked_mean(X, [3, 2, 6])` was the mean of all steps."""
    with pytest.raises(errors.MaskShapeError, match=SAYS_LENGTHS):
        OF_ROWS[name](lengths)


def test_lengths_whose_values_are_not_known() -> None:
    lengths = keras.Input((), dtype="int32")
    with pytest.raises(errors.MaskShapeError, match=SAYS_LENGTHS):
        ops.masked_mean(keras.Input((6, 4)), lengths)


@pytest.mark.parametrize("door", ["position_ids", "window_mask"])
def test_lengths_are_not_swapped_axes(door: str) -> None:
    """`step_index(lengths)` suggested a transpose."""
    with pytest.raises(errors.MaskShapeError, match=SAYS_LENGTHS):
        DOORS[door](LENGTHS)


def test_masks_that_lack_an_axis() -> None:
    """Valid masks: of rows, and of steps."""
    kept = X[ROWS]
    for mask in (ROWS, ROWS.astype("int32"), ROWS.astype("float32")):
        y = to_numpy(ops.masked_mean(X, mask, axis=0))
        np.testing.assert_array_equal(y, [[*s] for s in kept.sum(axis=0) / 2])
        y = to_numpy(ops.masked_sum(X, mask, axis=(1, -3)))
        np.testing.assert_array_equal(y, kept.sum(axis=(0, 1)))
        y = to_numpy(ops.last_step(X, mask, axis=0))
        np.testing.assert_array_equal(y, X[2])
    y = to_numpy(ops.masked_max(X, ROWS))
    np.testing.assert_array_equal(y, [X[0].max(0), [0] * 4, X[2].max(0)])
    y = to_numpy(ops.apply_mask(X, ROWS))
    np.testing.assert_array_equal(y, [X[0], np.zeros((6, 4)), X[2]])
    y = to_numpy(ops.masked_sum(X, REAL.astype("int32"), axis=2))
    wanted = [
        [sum(step) if real else 0 for step, real in zip(*pair)]
        for pair in zip(X.tolist(), REAL.tolist())
    ]
    np.testing.assert_array_equal(y, wanted)


BAD_LENGTHS = {
    "too long": ([3, 2, 7], r"Received: lengths=7\. .*`np\.minimum\("),
    "negative": ([3, -2, 6], r"Received: lengths=-2\."),
    "fraction": ([3.0, 2.5, 6.0], r"Received: lengths=2\.5\."),
    "nan": ([3.0, np.nan, 6.0], "Received: lengths=nan"),
    "boolean": ([True, False, True], "To attach a mask itself: .*AttachMask"),
    "too long for int32": ([3, 2**32 + 2, 6], "lengths=4.29497e"),
}


@pytest.mark.parametrize("kind", BAD_LENGTHS)
def test_lengths_that_no_row_has(kind: str) -> None:
    """All but NaN gave a mask: 7 counted as 6, -2 as 0, 2.5 as 2."""
    lengths, message = BAD_LENGTHS[kind]
    with pytest.raises(ValueError, match=message):
        layers.LengthMask()([X, np.array(lengths)])
    with pytest.raises(ValueError, match=message):
        ops.lengths_to_mask(lengths, 6)


def test_lengths_that_are_not_known_are_cut() -> None:
    attach, get = layers.LengthMask(), layers.GetMask()
    x = keras.ops.zeros((3, 6, 4))
    run = compiled(lambda lengths: get(attach([x, lengths])))
    y = run(keras.ops.convert_to_tensor([9.5, -1.0, 2.5]))
    assert to_numpy(y).sum(axis=1).tolist() == [6, 0, 2]


@pytest.mark.skipif(BACKEND != "torch", reason="these are PyTorch's")
@pytest.mark.skipif(
    keras.version().startswith("3.12."),
    reason="Keras 3.12 fixes the sizes of what PyTorch exports",
)
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("how", ["trace", "export"])
def test_lengths_of_a_traced_batch(how: str) -> None:
    """The trace found that 3 rows and 3 lengths differ; the export failed."""
    import torch

    class Mean(torch.nn.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.mask = layers.LengthMask()
            self.pool = layers.MaskedGlobalAveragePooling1D()

        def forward(self, x: Any, lengths: Any) -> Any:
            return self.pool(self.mask([x, lengths]))

    given = torch.tensor(X), torch.tensor(LENGTHS)
    if how == "trace":
        run = torch.jit.trace(Mean(), given)
    else:
        batch, steps = torch.export.Dim("batch"), torch.export.Dim("steps")
        shapes = {"x": {0: batch, 1: steps}, "lengths": {0: batch}}
        exported = torch.export.export(Mean(), given, dynamic_shapes=shapes)
        run = exported.module()
    x = np.arange(88, dtype="float32").reshape(2, 11, 4)
    y = run(torch.tensor(x), torch.tensor([99, 5]))
    wanted = [
        [sum(step[f] for step in row[:n]) / n for f in range(4)]
        for row, n in zip(x.tolist(), (11, 5))
    ]
    np.testing.assert_allclose(to_numpy(y), wanted, rtol=1e-6)


def test_a_carried_mask_and_numbers_beside_it() -> None:
    x = layers.AttachMask()(X, mask=REAL)
    y = layers.ApplyMask()(x, mask=(~REAL).astype("float32"))
    np.testing.assert_array_equal(mask_of(y), ~REAL)

"""How a layer receives a mask, and what a call must not change."""

import keras
import numpy as np
import pytest
from keras import ops

from keras_masking import layers
from keras_masking._keras import get_mask
from tests.cases import CASES
from tests.cases import ONE_OF_EACH
from tests.cases import Case
from tests.cases import X
from tests.helpers import MASKS
from tests.helpers import assert_close
from tests.helpers import mask_of
from tests.helpers import spread
from tests.helpers import to_numpy

MASK, OTHER = MASKS["holes"], MASKS["right"]


def carrying(x: np.ndarray, mask: np.ndarray) -> object:
    return layers.AttachMask()(x, mask=mask)


def same(case: Case, y: object, z: object) -> None:
    y, z = case.outputs(y), case.outputs(z)
    np.testing.assert_array_equal(to_numpy(y), to_numpy(z))
    if case.pools:
        assert mask_of(y) is None
    else:
        np.testing.assert_array_equal(mask_of(y), mask_of(z))


@pytest.mark.parametrize("case", CASES, ids=str)
def test_explicit_equals_carried(case: Case) -> None:
    layer = case.make()
    same(case, layer(X, mask=MASK), layer(carrying(X, MASK)))


@pytest.mark.parametrize("case", CASES, ids=str)
def test_explicit_wins_over_carried(case: Case) -> None:
    layer = case.make()
    same(case, layer(carrying(X, OTHER), mask=MASK), layer(X, mask=MASK))


@pytest.mark.parametrize("case", ONE_OF_EACH, ids=str)
def test_positional_mask(case: Case) -> None:
    layer = case.make()
    same(case, layer(X, ops.convert_to_tensor(MASK)), layer(X, mask=MASK))


@pytest.mark.parametrize(
    "form",
    [
        lambda m: m.astype("int32"),
        lambda m: m.astype("uint8"),
        lambda m: m.astype("float32"),
        lambda m: m.astype("float64"),
        lambda m: m.tolist(),
        lambda m: ops.convert_to_tensor(m),
        lambda m: ops.cast(m, "float16"),
    ],
    ids=["int32", "uint8", "float32", "float64", "list", "tensor", "float16"],
)
@pytest.mark.parametrize("case", ONE_OF_EACH, ids=str)
def test_zeros_and_ones_are_a_mask(case: Case, form: object) -> None:
    layer = case.make()
    same(case, layer(X, mask=form(MASK)), layer(X, mask=MASK))


@pytest.mark.parametrize("case", CASES, ids=str)
def test_a_call_leaves_everything_as_it_was(case: Case) -> None:
    layer = case.make()
    x = carrying(X, OTHER)
    before = get_mask(x)
    first = layer(x, mask=MASK)
    assert get_mask(x) is before
    np.testing.assert_array_equal(to_numpy(before), OTHER)
    np.testing.assert_array_equal(to_numpy(x), X)
    plain = ops.convert_to_tensor(X)
    layer(plain, mask=MASK)
    assert get_mask(plain) is None
    same(case, layer(x, mask=MASK), first)


@pytest.mark.parametrize(
    "layer",
    [layers.MyActivation("linear"), layers.TemporalSplit(1)],
    ids=["linear", "one piece"],
)
def test_a_layer_that_changes_nothing_returns_a_tensor_of_its_own(
    layer: keras.layers.Layer,
) -> None:
    x = ops.convert_to_tensor(X)
    y = layer(x, mask=MASK)
    assert get_mask(x) is None
    np.testing.assert_array_equal(mask_of(keras.tree.flatten(y)[0]), MASK)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_stateless_call_obeys(case: Case) -> None:
    """Compares values: Keras runs only `call`, which attaches no mask.

    For a layer that writes no zeros, the mask does not matter.
    """
    layer = case.make()
    variables = [v.value for v in layer.trainable_variables]
    y, _ = layer.stateless_call(variables, [], carrying(X, MASK))
    z = layer(X, mask=MASK)
    assert_close(case.outputs(y), to_numpy(case.outputs(z)))


@pytest.mark.parametrize("case", CASES, ids=str)
def test_symbolic_masks(case: Case) -> None:
    """A symbolic output carries a mask of the right shape."""
    x = keras.Input((7, 4))
    mask = keras.Input((7,), dtype="bool")
    y = case.outputs(case.make()(layers.AttachMask()(x, mask=mask)))
    if case.pools:
        assert get_mask(y) is None
        return
    assert get_mask(y).shape == y.shape[:2]
    assert get_mask(y).dtype == "bool"
    x = keras.Input((None, 4))
    mask = keras.Input((None,), dtype="bool")
    y = case.outputs(case.make()(layers.AttachMask()(x, mask=mask)))
    assert get_mask(y).shape == (None, None)


@pytest.mark.parametrize(
    ("case", "dtype"),
    spread(ONE_OF_EACH, ["float16", "bfloat16", "mixed_float16"]),
    ids=str,
)
def test_half_precision(case: Case, dtype: str) -> None:
    layer = case.make(dtype=dtype)
    compute = layer.compute_dtype if case.casts else "float32"
    mask = MASKS["empty"]
    # The layer's inputs, rounded by its policy.
    x = to_numpy(ops.cast(ops.cast(X, compute), "float32"))
    poisoned = np.where(mask[..., None], x, np.nan)
    y = case.outputs(layer(poisoned, mask=mask))
    assert keras.backend.standardize_dtype(y.dtype) == compute
    expected, real = case.expected(x, mask)
    values = to_numpy(ops.cast(y, "float32"))
    if real is not None:
        values = np.where(real[..., None], values, 0)
    assert_close(values, expected, compute)


@pytest.mark.parametrize("case", ONE_OF_EACH, ids=str)
def test_a_cast_does_not_lose_the_mask(case: Case) -> None:
    layer = case.make(dtype="mixed_float16")
    same(case, layer(carrying(X, MASK)), layer(X, mask=MASK))


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_half_precision_sums_many_steps(dtype: str) -> None:
    """Keras sums in half precision: inf, or 0.5 for a mean of ones."""
    x = np.full((2, 5000, 3), 20.0, "float32")
    mask = np.ones((2, 5000), bool)
    mask[1, 4000:] = False
    mean = layers.MaskedGlobalAveragePooling1D(dtype=dtype)(x, mask=mask)
    assert_close(ops.cast(mean, "float32"), np.full((2, 3), 20.0), dtype)
    total = layers.MaskedGlobalSumPooling1D(dtype=dtype)(x / 10, mask=mask)
    wanted = np.array([[10000.0] * 3, [8000.0] * 3])
    assert_close(ops.cast(total, "float32"), wanted, dtype)
    weights = layers.TemporalSoftmax(dtype=dtype)(x, mask=mask)
    wanted = np.where(mask, 1 / mask.sum(axis=1, keepdims=True), 0)
    wanted = np.repeat(wanted[..., None], 3, axis=-1)
    assert_close(ops.cast(weights, "float32"), wanted, dtype)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_double_precision(case: Case) -> None:
    if keras.backend.backend() == "jax":
        pytest.skip("JAX has no float64 unless its x64 mode is on")
    layer = case.make(dtype="float64")
    mask, x = MASKS["holes"], X.astype("float64")
    y = case.outputs(layer(x, mask=mask))
    expected, real = case.expected(x, mask)
    values = to_numpy(y)
    dtype = "float64"
    if case.biased:
        # On torch, Keras 3.16 adds the bias in float32: no layer can fix that.
        plain = keras.layers.Conv1D(2, 2, dtype="float64")(x)
        dtype = keras.backend.standardize_dtype(plain.dtype)
    assert values.dtype == dtype
    symbol = case.outputs(
        case.make(dtype="float64")(keras.Input((7, 4), dtype="float64"))
    )
    assert symbol.dtype == "float64"
    if real is not None:
        values = np.where(real[..., None], values, 0)
    assert_close(values, expected, dtype)


@pytest.mark.parametrize(
    "layer",
    [
        layers.FirstStep(),
        layers.LastStep(),
        layers.TemporalSplit([2]),
        layers.MaskedGlobalMaxPooling1D(),
        layers.MaskedGlobalSumPooling1D(keepdims=True),
        layers.MaskedGlobalAveragePooling1D(),
    ],
    ids=["first", "last", "split", "max", "sum", "average"],
)
@pytest.mark.parametrize("dtype", ["int32", "int8", "bool"])
def test_what_becomes_of_integers(
    layer: keras.layers.Layer, dtype: str
) -> None:
    ids = np.arange(42).reshape(2, 7, 3).astype(dtype)
    symbolic = layer(keras.Input((7, 3), dtype=dtype))
    outputs = layer(ids, mask=np.ones((2, 7), bool))
    wanted = dtype
    if isinstance(layer, layers.MaskedGlobalAveragePooling1D):
        wanted = "float32"
    if isinstance(layer, layers.MaskedGlobalSumPooling1D):
        wanted = "int32"
    pairs = zip(keras.tree.flatten(symbolic), keras.tree.flatten(outputs))
    for symbol, output in pairs:
        got = keras.backend.standardize_dtype(output.dtype)
        assert symbol.dtype == got == wanted
        assert symbol.shape[1:] == tuple(output.shape[1:])


def test_the_last_layers_of_a_model_in_another_dtype() -> None:
    ids = keras.Input((None,), dtype="int32")
    x = layers.CustomEmbedding(9, 3, mask_zero=True, dtype="float16")(ids)
    x = layers.MaskedConv1D(2, 3, padding="same", dtype="float16")(x)
    y = layers.MaskedGlobalMaxPooling1D(dtype="float32")(x)
    z = layers.MaskedMultiHeadAttention(1, 2, dtype="float32")(x, x)
    z = layers.MaskedGlobalAveragePooling1D(dtype="float32")(z)
    model = keras.Model(ids, [y, z])
    rng = np.random.default_rng(3)
    weights = [rng.normal(size=w.shape) for w in model.get_weights()]
    model.set_weights([-np.abs(weights[0]), np.abs(weights[1]), *weights[2:]])
    short = model.predict(np.array([[1, 2]]), verbose=0)
    long = model.predict(np.array([[1, 2, 0, 0, 0]]), verbose=0)
    for a, b in zip(short, long):
        assert_close(b, a, "float16")
    assert short[0].max() < 0  # so a maximum over padding would be 0

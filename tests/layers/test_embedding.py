"""CustomEmbedding: which rows it takes, and which steps it masks."""

import warnings

import keras
import numpy as np
import pytest
from keras import ops

from keras_masking import layers
from keras_masking._keras import get_mask
from keras_masking.errors import MaskShapeError
from tests import oracle
from tests.helpers import BACKEND
from tests.helpers import assert_close
from tests.helpers import compiled
from tests.helpers import gradient
from tests.helpers import mask_of
from tests.helpers import spread
from tests.helpers import to_numpy

IDS = np.array([[1, 4, 2], [0, 3, 0], [4, 0, 0]])
TABLE = np.arange(20, dtype="float32").reshape(5, 4) + 1


def embedding(**config: object) -> layers.CustomEmbedding:
    layer = layers.CustomEmbedding(5, 4, **config)
    layer.build()
    layer.set_weights([TABLE])
    return layer


@pytest.mark.parametrize(
    "config, padding_ids",
    [
        ({}, set()),
        ({"mask_zero": True}, {0}),
        ({"mask_value": 4}, {4}),
        ({"mask_value": -1}, {-1}),
        ({"mask_value": [-1, 3], "mask_zero": True}, {-1, 0, 3}),
    ],
)
def test_rows_and_mask(config: dict, padding_ids: set) -> None:
    ids = np.where(IDS == 2, -1, IDS) if -1 in padding_ids else IDS
    y = embedding(**config)(ids)
    expected = [
        oracle.embedding(row, padding_ids, TABLE.tolist())
        for row in ids.tolist()
    ]
    np.testing.assert_array_equal(to_numpy(y), expected)
    if not padding_ids:
        assert mask_of(y) is None
        return
    real = [[i not in padding_ids for i in row] for row in ids.tolist()]
    np.testing.assert_array_equal(mask_of(y), real)


@pytest.mark.parametrize(
    "dtype",
    ["int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "float32"],
)
@pytest.mark.parametrize("mask_value", [0, -1])
def test_any_whole_number(dtype: str, mask_value: int) -> None:
    layer = embedding(mask_value=mask_value)
    y = layer(IDS.astype(dtype))
    np.testing.assert_array_equal(to_numpy(y), TABLE[IDS])
    np.testing.assert_array_equal(mask_of(y), mask_value != IDS)


def test_ids_are_not_cast_to_half_precision() -> None:
    layer = layers.CustomEmbedding(4100, 1, mask_value=4099, dtype="float16")
    layer.build()
    table = (np.arange(4100) % 7).astype("float32")[:, None]
    layer.set_weights([table])
    for dtype in ("int32", "float32"):
        y = layer(np.array([[2047, 2049, 4097, 4099]], dtype))
        assert keras.backend.standardize_dtype(y.dtype) == "float16"
        wanted = table[[2047, 2049, 4097, 4099], 0]
        np.testing.assert_array_equal(to_numpy(y)[0, :, 0], wanted)
        np.testing.assert_array_equal(mask_of(y), [[True, True, True, False]])


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_ids_of_half_precision(dtype: str) -> None:
    # The dtype represents the last id, but not the size of the table.
    last = {"float16": 2048, "bfloat16": 256}[dtype]
    layer = layers.CustomEmbedding(last + 1, 1, mask_value=0)
    layer.build()
    layer.set_weights([np.arange(last + 1.0)[:, None]])
    y = layer(ops.cast(np.array([[1.0, last, 0.0]]), dtype))
    np.testing.assert_array_equal(to_numpy(y)[0, :, 0], [1, last, 0])
    np.testing.assert_array_equal(mask_of(y), [[True, True, False]])


@pytest.mark.parametrize(
    "dtype, wrong",
    [
        ("int64", 2**32 + 3),
        ("int64", -(2**40)),
        ("uint64", 2**63 + 3),
        ("uint64", 2**64 - 1),
        ("uint32", 2**32 - 1),
    ],
)
def test_more_bits_than_a_backend_has(dtype: str, wrong: int) -> None:
    layer = embedding(mask_value=-1)
    ids = np.array([[1, wrong]], dtype)
    with pytest.raises(ValueError, match="ids must be whole numbers"):
        layer(ids)
    if dtype == "uint32" or keras.backend.backend() == "tensorflow":
        with pytest.raises(ValueError, match="ids must be whole numbers"):
            layer(ops.convert_to_tensor(ids))
    np.testing.assert_array_equal(layer.compute_mask(ids), [[True, True]])


def test_an_id_outside_the_table_is_never_another_row() -> None:
    layer = embedding(mask_value=-1)
    function = compiled(lambda ids: layer(ids))
    for wrong in (5, -2, 100000, 2.5):
        ids = np.array([[1, wrong, -1]])
        with pytest.raises(
            ValueError, match="ids must be whole numbers from 0 to 4"
        ):
            layer(ids)
        if keras.backend.backend() == "torch":
            # The check runs outside the graph, so it still raises.
            with pytest.raises(ValueError, match="ids must be whole numbers"):
                function(ops.convert_to_tensor(ids))
            continue
        values = to_numpy(function(ops.convert_to_tensor(ids)))
        np.testing.assert_array_equal(values[0, 0], TABLE[1])
        assert np.isnan(values[0, 1]).all()
        np.testing.assert_array_equal(values[0, 2], 0)


@pytest.mark.parametrize("wrong", [99, -7, 2.5, np.nan])
def test_an_id_that_the_mask_hides_is_not_judged(wrong: float) -> None:
    """It raised in eager mode, and gave NaN when compiled."""
    layer = embedding()
    ids = np.array([[1, wrong], [wrong, 4]])
    mask = np.array([[True, False], [False, True]])
    wanted = np.zeros((2, 2, 4))
    for row, step in ((0, 0), (1, 1)):
        wanted[row, step] = TABLE[int(ids[row, step])]
    y = layer(ids, mask=mask)
    np.testing.assert_array_equal(to_numpy(y), wanted)
    np.testing.assert_array_equal(mask_of(y), mask)
    with pytest.raises(ValueError, match="ids must be whole numbers"):
        layer(ids, mask=~mask)


@pytest.mark.parametrize("mode", [None, "int8"])
def test_hidden_ids_compiled_with_gradients(mode: str | None) -> None:
    """They were NaN. Also for segments: a mask with fewer axes than the ids."""
    layer = embedding()
    ids, mask = np.array([[[1, 3], [99, 2]]]), np.array([[True, False]])
    wanted = np.array([[TABLE[[1, 3]], [0 * TABLE[0], TABLE[2]]]])
    if mode is not None:
        layer.quantize(mode)
        y = layer(ids, mask=mask)
        # Half a step of the coarser scale.
        assert np.abs(to_numpy(y) - wanted).max() < TABLE.max() / 127
        return
    run = compiled(lambda ids, mask: layer(ids, mask=mask))
    given = (ops.convert_to_tensor(ids), ops.convert_to_tensor(mask))
    np.testing.assert_array_equal(to_numpy(run(*given)), wanted)

    def total(table: object) -> object:
        y, _ = layer.stateless_call([table], [], given[0], mask=given[1])
        return ops.sum(y)

    (grad,) = gradient(total, TABLE)
    np.testing.assert_array_equal(grad[:, 0], [0, 1, 1, 1, 0])


def test_the_gradient_goes_to_the_rows_that_were_taken() -> None:
    layer = embedding(mask_value=-1)
    ids = np.array([[1, 1, -1, 3]])

    def total(table: object) -> object:
        y, _ = layer.stateless_call([table], [], ops.convert_to_tensor(ids))
        return ops.sum(y)

    (grad,) = gradient(total, TABLE)
    np.testing.assert_array_equal(grad[:, 0], [0, 2, 0, 1, 0])


def test_ands_with_the_mask_that_the_ids_carry() -> None:
    carried = np.array([[True, False, True]] * 3)
    y = embedding(mask_zero=True)(IDS, mask=carried)
    np.testing.assert_array_equal(mask_of(y), carried & (IDS != 0))
    np.testing.assert_array_equal(
        mask_of(embedding()(IDS, mask=carried)), carried
    )


def test_shares_weights_with_keras() -> None:
    theirs = keras.layers.Embedding(5, 4, mask_zero=True)
    ours = layers.CustomEmbedding(5, 4, mask_zero=True)
    wanted = theirs(IDS)
    ours(IDS)
    ours.set_weights(theirs.get_weights())
    assert_close(ours(IDS), to_numpy(wanted))
    np.testing.assert_array_equal(mask_of(ours(IDS)), mask_of(wanted))
    ours.set_weights([TABLE])
    theirs.set_weights(ours.get_weights())
    assert_close(theirs(IDS), TABLE[IDS])


def test_functional_model_saves(tmp_path: object) -> None:
    ids = keras.Input((None,), dtype="int32")
    x = embedding(mask_value=[-1, 0])(ids)
    model = keras.Model(ids, [x, layers.GetMask()(x)])
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    batch = np.array([[1, -1, 0, 4]], "int32")
    for one, other in zip(
        model.predict(batch, verbose=0), loaded.predict(batch, verbose=0)
    ):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("shape", [(), (8,), (2, 2, 2), (1, 2, 2, 2)])
def test_ids_of_any_rank(shape: tuple[int, ...]) -> None:
    """Only rank 2 was accepted."""
    ids = np.array([1, 4, -1, 0, 2, 3, -1, 4][: int(np.prod(shape))])
    ids = ids.reshape(shape)
    y = embedding(mask_value=-1)(ids)
    rows = oracle.embedding(ids.ravel().tolist(), {-1}, TABLE.tolist())
    np.testing.assert_array_equal(to_numpy(y), np.reshape(rows, (*shape, 4)))
    np.testing.assert_array_equal(mask_of(y), ids != -1)
    plain = keras.Input(batch_shape=(None,) * len(shape), dtype="int32")
    z = embedding(mask_value=-1)(plain)
    assert z.shape == (None,) * len(shape) + (4,)
    assert get_mask(z).shape == (None,) * len(shape)


def test_masks_of_segments_and_of_their_steps() -> None:
    ids = np.arange(8).reshape(2, 2, 2) % 5
    segments = np.array([[True, False], [True, True]])
    y = embedding(mask_zero=True)(ids, mask=segments)
    wanted = segments[..., None] & (ids != 0)
    np.testing.assert_array_equal(mask_of(y), wanted)
    y = embedding(mask_zero=True)(ids, mask=ids != 1)
    np.testing.assert_array_equal(mask_of(y), ids > 1)
    y = embedding()(ids, mask=segments)
    np.testing.assert_array_equal(mask_of(y), segments)
    with pytest.raises(MaskShapeError):
        embedding()(ids, mask=np.ones(2, bool))
    # The mask of each step is passed on, for `MaskedTimeDistributed`.
    x = embedding(mask_zero=True)(ids)
    pool = layers.MaskedTimeDistributed(layers.MaskedGlobalSumPooling1D())
    sums = [
        [TABLE[[i for i in row if i]].sum(axis=0) for row in rows]
        for rows in ids.tolist()
    ]
    assert_close(pool(x), np.array(sums))


@pytest.mark.parametrize("wrong", ["uniform", None, 2, [True], 1.0])
def test_booleans_are_checked(wrong: object) -> None:
    """`CustomEmbedding(5, 3, "uniform")` silently masked id 0."""
    with pytest.raises(ValueError, match="`mask_zero` must be True or False"):
        layers.CustomEmbedding(5, 3, wrong)
    with pytest.raises(ValueError, match="`keepdims` must be True or False"):
        layers.MaskedGlobalMaxPooling1D(None, wrong)
    with pytest.raises(ValueError, match="`return_indicator` must be True"):
        layers.NaNMask(return_indicator=wrong)


@pytest.mark.parametrize("right", [True, np.True_, 1, np.int64(1)])
def test_what_a_boolean_is(right: object) -> None:
    """A saved config may contain 1, which is unambiguous."""
    layer = embedding(mask_zero=right)
    assert layer.get_config()["mask_zero"] is True
    np.testing.assert_array_equal(mask_of(layer(IDS)), IDS != 0)


def test_a_model_saved_by_an_older_version_loads() -> None:
    """The config and the weight survive saving."""
    config = {
        "name": "words",
        "trainable": True,
        "dtype": "float32",
        "input_dim": 5,
        "output_dim": 4,
        "mask_zero": 1,
        "mask_value": [-1, 3],
        "embeddings_initializer": "random_normal",
        "embeddings_regularizer": None,
        "embeddings_constraint": None,
    }
    layer = layers.CustomEmbedding.from_config(config)
    layer.build_from_config({"input_shape": (None, None)})
    layer.load_own_variables({"0": TABLE})
    ids = np.array([[1, -1, 0, 3]])
    np.testing.assert_array_equal(to_numpy(layer(ids))[0, 0], TABLE[1])
    np.testing.assert_array_equal(mask_of(layer(ids)), [[1, 0, 0, 0]])
    assert layer.embeddings.path == "words/embeddings"


def test_is_an_embedding_of_keras() -> None:
    layer = layers.CustomEmbedding(5, 4, mask_value=[-1, 3], weights=TABLE)
    assert isinstance(layer, keras.layers.Embedding) and layer.built
    np.testing.assert_array_equal(to_numpy(layer(IDS)), TABLE[IDS])
    np.testing.assert_array_equal(mask_of(layer(IDS)), IDS != 3)
    assert len(layer.weights) == 1


def tuned(layer: keras.layers.Layer) -> None:
    layer.enable_lora(2, lora_alpha=3)
    layer.lora_embeddings_a.assign(np.arange(10).reshape(5, 2) / 9)
    layer.lora_embeddings_b.assign(np.arange(8).reshape(2, 4) / 7)


@pytest.mark.parametrize(
    ("mode", "lora"), spread([None, "int8", "int4"], [True, True, False])
)
def test_lora_and_quantized(
    tmp_path: object, mode: str | None, lora: bool
) -> None:
    """Keras' outputs for ids in the table, before and after saving."""
    if BACKEND == "numpy" and mode == "int4" and lora:
        pytest.skip("Keras' own layer raises: its table is no variable there")
    ids = keras.Input((None,), dtype="int32")
    ours = layers.CustomEmbedding(5, 4, mask_value=[-1, 3], weights=TABLE)
    theirs = keras.layers.Embedding(5, 4, weights=TABLE)
    x = ours(ids)
    model = keras.Model(ids, [x, layers.GetMask()(x)])
    batch = np.array([[1, -1, 0, 4]], "int32")
    if mode is not None:
        with warnings.catch_warnings():  # of layers without weights
            warnings.filterwarnings("ignore", ".*quantiz")
            model.quantize(mode)
        theirs.quantize(mode)
        assert ours.quantization_mode == mode
    if lora:
        tuned(ours)
        tuned(theirs)
    elif mode is None:
        return  # covered by all other tests
    wanted = to_numpy(theirs(np.maximum(batch, 0)))
    wanted[0, 1] = 0
    assert np.abs(wanted - TABLE[np.maximum(batch, 0)]).max() > 1e-3
    y, mask = model.predict(batch, verbose=0)
    assert_close(y, wanted)
    np.testing.assert_array_equal(mask, [[True, False, True, True]])
    assert_close(ours(batch), wanted)
    np.testing.assert_array_equal(mask_of(ours(batch)), mask)
    with pytest.raises(ValueError, match="ids must be whole numbers"):
        ours(np.array([[5]]))
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    z, mask = loaded.predict(batch, verbose=0)
    np.testing.assert_array_equal(mask, [[True, False, True, True]])
    # Keras rounds to a new scale when it merges LoRA into a quantized table.
    merged = mode is not None and lora
    step = np.abs(wanted).max() / {"int8": 127, "int4": 7}.get(mode, 1)
    np.testing.assert_allclose(z, y, rtol=0, atol=step if merged else 1e-6)


def test_the_policy_of_a_map() -> None:
    policies = keras.dtype_policies.DTypePolicyMap(default_policy="float32")
    policies["words"] = keras.dtype_policies.get("int8_from_float32")
    config = {"mask_zero": True, "dtype": policies, "name": "words"}
    layer = layers.CustomEmbedding(5, 4, **config)
    np.testing.assert_array_equal(mask_of(layer(IDS)), IDS != 0)
    assert layer.quantization_mode == "int8"


def test_a_subclass_is_quantized_when_it_says_so() -> None:
    class Mine(layers.CustomEmbedding):
        pass

    layer = Mine(5, 4, weights=TABLE)
    with pytest.raises(NotImplementedError):
        layer.quantize("int8")
    layer.quantize("int8", type_check=False)
    assert layer.quantization_mode == "int8"

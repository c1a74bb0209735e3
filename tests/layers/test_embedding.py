"""CustomEmbedding: which rows it takes, and which steps it masks."""

import keras
import numpy as np
import pytest
from keras import ops

from keras_masking import layers
from tests import oracle
from tests.helpers import assert_close
from tests.helpers import compiled
from tests.helpers import gradient
from tests.helpers import mask_of
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
    # The size of the table is no number of that dtype, the last id is one.
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


@pytest.mark.parametrize("wrong", [5, -2, 100000, 2.5])
def test_an_id_outside_the_table_is_never_another_row(wrong: float) -> None:
    layer = embedding(mask_value=-1)
    ids = np.array([[1, wrong, -1]])
    with pytest.raises(
        ValueError, match="ids must be whole numbers from 0 to 4"
    ):
        layer(ids)
    function = compiled(lambda ids: layer(ids))
    if keras.backend.backend() == "torch":
        # It leaves the graph for the check, and so still raises.
        with pytest.raises(ValueError, match="ids must be whole numbers"):
            function(ops.convert_to_tensor(ids))
        return
    values = to_numpy(function(ops.convert_to_tensor(ids)))
    np.testing.assert_array_equal(values[0, 0], TABLE[1])
    assert np.isnan(values[0, 1]).all()
    np.testing.assert_array_equal(values[0, 2], 0)


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

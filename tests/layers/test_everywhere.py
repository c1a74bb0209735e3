"""The same outputs in every kind of model: compiled, saved, loaded."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from keras_masking import layers
from tests.cases import CASES
from tests.cases import FEATURES
from tests.cases import ONE_OF_EACH
from tests.cases import Case
from tests.cases import X
from tests.helpers import BACKEND
from tests.helpers import MASKS
from tests.helpers import assert_close
from tests.helpers import compiled
from tests.helpers import mask_of
from tests.helpers import poisoned
from tests.helpers import to_numpy

MASK = MASKS["empty"] & MASKS["holes"]
POISONED = poisoned(X, MASK, np.nan)


def functional(layer: keras.layers.Layer, static: bool = False) -> keras.Model:
    """`[x, mask]` to the layer's outputs and their masks."""
    shape = (3, 7) if static else (None, None)
    x = keras.Input(batch_shape=(*shape, FEATURES))
    mask = keras.Input(batch_shape=shape, dtype="bool")
    outputs = keras.tree.flatten(layer(layers.AttachMask()(x, mask=mask)))
    masks = [layers.GetMask()(y) for y in outputs if len(y.shape) > 2]
    return keras.Model([x, mask], [outputs, masks])


class Subclassed(keras.Model):
    def __init__(self, layer: keras.layers.Layer) -> None:
        super().__init__()
        self.attach, self.layer = layers.AttachMask(), layer
        self.get = layers.GetMask()

    def call(self, inputs: Any) -> Any:
        x, mask = inputs
        outputs = keras.tree.flatten(self.layer(self.attach(x, mask=mask)))
        return outputs, [self.get(y) for y in outputs if len(y.shape) > 2]


def wanted(case: Case, layer: keras.layers.Layer) -> tuple[list, list]:
    """The layer's eager outputs with an explicit mask."""
    outputs = keras.tree.flatten(layer(POISONED, mask=MASK))
    masks = [mask_of(y) for y in outputs if len(y.shape) > 2]
    check = case.outputs(outputs if len(outputs) > 1 else outputs[0])
    expected, real = case.expected(X, MASK)
    values = to_numpy(check)
    if real is not None:
        values = np.where(real[..., None], values, 0)
    assert_close(values, expected)
    return [to_numpy(y) for y in outputs], masks


def assert_same(got: Any, want: tuple[list, list]) -> None:
    (outputs, masks), (want_outputs, want_masks) = got, want
    for y, z in zip(outputs, want_outputs, strict=True):
        assert_close(y, z)
    for m, n in zip(masks, want_masks, strict=True):
        np.testing.assert_array_equal(to_numpy(m), n)


@pytest.mark.parametrize("case", ONE_OF_EACH, ids=str)
def test_functional(case: Case) -> None:
    layer = case.make()
    model, want = functional(layer), wanted(case, layer)
    assert_same(model.predict([POISONED, MASK], verbose=0), want)
    # Another length through the same model.
    more = [
        np.pad(POISONED, ((0, 0), (0, 4), (0, 0))),
        np.pad(MASK, ((0, 0), (0, 4))),
    ]
    outputs, _ = model.predict(more, verbose=0)
    outputs = [
        y[:, : z.shape[1]] if y.ndim > 2 else y
        for y, z in zip(outputs, want[0])
    ]
    if not case.columns:
        real = [
            m[..., None] if m is not None else True for m in want[1] or [None]
        ]
        for y, z, m in zip(outputs, want[0], real, strict=True):
            assert_close(np.where(m, y, 0), np.where(m, z, 0))


@pytest.mark.parametrize("case", ONE_OF_EACH, ids=str)
def test_static_shapes_compiled(case: Case) -> None:
    layer = case.make()
    model = functional(layer, static=True)
    if BACKEND == "torch":
        # The real compiler is used for one model of many layers below.
        outputs, masks = compiled(lambda x, m: model([x, m]))(
            *(keras.ops.convert_to_tensor(a) for a in (POISONED, MASK))
        )
    else:
        model.compile(jit_compile=True)
        outputs, masks = model.predict([POISONED, MASK], verbose=0)
    assert_same((outputs, masks), wanted(case, layer))


@pytest.mark.parametrize("case", ONE_OF_EACH, ids=str)
def test_subclassed(case: Case) -> None:
    layer = case.make()
    model = Subclassed(layer)
    assert_same(model([POISONED, MASK]), wanted(case, layer))
    assert_same(model.predict([POISONED, MASK], verbose=0), wanted(case, layer))


@pytest.mark.parametrize("case", ONE_OF_EACH, ids=str)
def test_sequential(case: Case) -> None:
    layer = case.make()
    model = keras.Sequential([keras.layers.Masking(-99.0), layer])
    got = model.predict(np.where(MASK[..., None], X, -99.0), verbose=0)
    want = layer(np.where(MASK[..., None], X, 0.0), mask=MASK)
    for y, z in zip(keras.tree.flatten(got), keras.tree.flatten(want)):
        assert_close(y, to_numpy(z))


@pytest.mark.parametrize("case", CASES, ids=str)
def test_config_round_trip(case: Case) -> None:
    layer = case.make()
    config = keras.saving.serialize_keras_object(layer)
    assert config["module"] == "keras_masking.layers"
    assert config["registered_name"].startswith("keras_masking>")
    clone = keras.saving.deserialize_keras_object(config)
    assert clone.get_config() == layer.get_config()


def test_saved_and_loaded_in_a_fresh_process(tmp_path: Path) -> None:
    want = {}
    for case in CASES:
        layer = case.make()
        functional(layer).save(tmp_path / f"{case.name}.keras")
        outputs, masks = wanted(case, layer)
        for i, y in enumerate(outputs + masks):
            want[f"{case.name}/{i}"] = y
    np.savez(tmp_path / "given.npz", x=POISONED, mask=MASK)
    script = """
import sys, keras, numpy as np
from pathlib import Path
import keras_masking.layers
folder = Path(sys.argv[1])
data = np.load(folder / "given.npz")
found = {}
for path in sorted(folder.glob("*.keras")):
    model = keras.saving.load_model(path)
    got = keras.tree.flatten(
        model.predict([data["x"], data["mask"]], verbose=0)
    )
    for i, y in enumerate(got):
        found[f"{path.stem}/{i}"] = y
np.savez(folder / "found.npz", **found)
"""
    done = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path)],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
    )
    assert done.returncode == 0, done.stderr
    found = np.load(tmp_path / "found.npz")
    assert found.keys() == want.keys()
    for name, y in want.items():
        assert_close(found[name], y)


def test_one_model_of_all_layers_through_the_compiler() -> None:
    x = keras.Input((7, FEATURES))
    mask = keras.Input((7,), dtype="bool")
    h = layers.AttachMask()(x, mask=mask)
    h = layers.MaskedConv1D(6, 3, padding="same", strides=2)(h)
    h = layers.MyActivation("tanh")(h)
    h, _ = layers.TemporalSplit([3])(h)
    h = keras.layers.Multiply()([h, layers.TemporalSoftmax()(h)])
    pools = [
        layers.MaskedGlobalAveragePooling1D(),
        layers.MaskedGlobalMaxPooling1D(),
        layers.MaskedGlobalMinPooling1D(),
        layers.MaskedGlobalSumPooling1D(),
        layers.FirstStep(),
        layers.LastStep(),
    ]
    y = keras.layers.Concatenate()([pool(h) for pool in pools])
    model = keras.Model([x, mask], y)
    eager = to_numpy(model([POISONED, MASK]))
    assert np.isfinite(eager).all()
    model.compile(jit_compile=True)
    assert_close(model.predict([POISONED, MASK], verbose=0), eager)


@pytest.mark.skipif(BACKEND == "numpy", reason="Keras trains nothing on NumPy")
def test_trains_compiled_and_not() -> None:
    ids = np.array([[1, 2, 3, 0, 0], [4, 0, 0, 0, 0], [0, 0, 0, 0, 0]])
    for jit_compile in (False, True):
        model = keras.Sequential(
            [
                layers.CustomEmbedding(5, 4, mask_zero=True),
                layers.MaskedConv1D(6, 3, padding="same"),
                layers.MyActivation(),
                layers.MaskedGlobalMaxPooling1D(),
                keras.layers.Dense(1),
            ]
        )
        model.compile("sgd", "mse", jit_compile=jit_compile)
        history = model.fit(ids, np.ones((3, 1)), epochs=3, verbose=0)
        losses = history.history["loss"]
        assert losses[2] < losses[0]
        assert all(np.isfinite(w).all() for w in model.get_weights())


@pytest.mark.parametrize(
    "layer",
    [
        layers.MaskedConv1DTranspose(
            2, 1, strides=3, output_padding=1, name="a"
        ),
        layers.MaskedGlobalAveragePooling1D(weighting="sqrtn", name="b"),
        layers.AttentionPooling1D(2, 3, "relu", name="c"),
        layers.MaskedSinePositionEncoding(7.0, name="d"),
        layers.NaNMask(2.0, "any", True, name="e"),
    ],
    ids=lambda layer: type(layer).__name__,
)
def test_a_config_holds_every_argument(layer: keras.layers.Layer) -> None:
    """Also on Keras 3.12, whose own layers lose some."""
    clone = type(layer).from_config(layer.get_config())
    clone.build(X.shape)
    layer.build(X.shape)
    clone.set_weights(layer.get_weights())
    for y, z in zip(
        keras.tree.flatten(clone(POISONED, mask=MASK)),
        keras.tree.flatten(layer(POISONED, mask=MASK)),
    ):
        np.testing.assert_array_equal(to_numpy(y), to_numpy(z))

"""Each drop-in layer accepts the arguments of its Keras layer.

Both the drop-ins and their differences are read from docstrings.
"""

import inspect
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from keras import ops

from keras_masking import layers
from tests.helpers import MASKS
from tests.helpers import assert_close
from tests.helpers import mask_of
from tests.helpers import quietly
from tests.helpers import sample
from tests.helpers import to_numpy
from tools.make_layers import entries

ROOT = Path(__file__).parents[1]
PREFIX = "`keras.layers."
X, SOURCE = sample(), sample(5, seed=1)
RIGHT = MASKS["right"]


def pairs() -> Iterator[tuple[str, str]]:
    for name in layers.__all__:
        said = entries(name, "Keras layer").get("Drops in for", "")
        if said.startswith(PREFIX):
            yield name, said.removeprefix(PREFIX).split("`")[0]


PAIRS = dict(pairs())
BY_KEYWORD = ["CustomEmbedding"]
# Arguments for Keras; others have defaults. Some Keras versions lack
# `sliding_window` and `use_gate`.
GIVEN: dict[str, Any] = {
    "activation": "tanh",
    "axis": -1,
    "beta_initializer": "ones",
    "bias_constraint": "max_norm",
    "bias_initializer": "ones",
    "bias_regularizer": "l2",
    "cropping": (2, 1),
    "data_format": "channels_last",
    "depth_multiplier": 2,
    "dilation_rate": 2,
    "dropout": 0.25,
    "embeddings_constraint": "max_norm",
    "embeddings_initializer": "ones",
    "embeddings_regularizer": "l2",
    "epsilon": 0.5,
    "filters": 6,
    "gamma_regularizer": "l2",
    "groups": 2,
    "head_dim": 3,
    "input_dim": 8,
    "kernel_constraint": "max_norm",
    "kernel_initializer": "he_normal",
    "kernel_regularizer": "l1",
    "kernel_size": 3,
    "keepdims": True,
    "key_dim": 3,
    "mask_zero": True,
    "name": "mine",
    "num_heads": 2,
    "num_key_value_heads": 2,
    "num_query_heads": 4,
    "output_dim": 3,
    "output_shape": 5,
    "padding": "same",
    "pointwise_regularizer": "l2",
    "pool_size": 3,
    "score_mode": "concat",
    "seed": 3,
    "size": 3,
    "sliding_window": 2,
    "use_bias": False,
    "use_gate": True,
    "recurrent_regularizer": "l2",
    "return_sequences": True,
    "units": 3,
    "use_scale": True,
    "value_dim": 2,
    "weights": np.ones((8, 3), "float32"),
}
INNER = ("name", "layer", "backward_layer")
OTHERWISE = {
    "MaskedAdditiveAttention": {"use_scale": False},
    "MaskedAveragePooling1D": {"strides": 1},
    "MaskedBidirectional": {"weights": None},
    "MaskedConcatenate": {"axis": 1},
    "MaskedConv1DTranspose": {"dilation_rate": 1},
    "MaskedGRU": {"dropout": 0.0},
    "MaskedLSTM": {"dropout": 0.0},
    "MaskedMaxPooling1D": {"strides": 1},
    "MaskedSimpleRNN": {"dropout": 0.0},
    "MaskedZeroPadding1D": {"padding": (2, 1)},
}


def parameters(function: Any) -> list[inspect.Parameter]:
    return list(inspect.signature(function).parameters.values())[1:]


def positional(function: Any) -> list[inspect.Parameter]:
    kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
    return [p for p in parameters(function) if p.kind is kind]


def test_there_are_layers_that_drop_in() -> None:
    assert {"MaskedConv1D", "MyActivation", *BY_KEYWORD} <= set(PAIRS)
    assert len(PAIRS) > 20


@pytest.mark.parametrize("method", ["__init__", "call"])
@pytest.mark.parametrize("name", PAIRS)
def test_takes_each_argument_of_keras(name: str, method: str) -> None:
    """In its position and with its default, except for what "Differs"."""
    ours = getattr(getattr(layers, name), method)
    theirs = getattr(getattr(keras.layers, PAIRS[name]), method)
    differs = entries(name, "Keras layer")["Differs"]
    kinds = {p.kind for p in parameters(ours)}
    here = positional(ours)
    named = {p.name: p for p in here}
    for place, p in enumerate(positional(theirs)):
        if f"`{p.name}`" in differs or "drops in by keyword" in differs:
            taken = p.name in named or inspect.Parameter.VAR_KEYWORD in kinds
            assert taken, f"`{p.name}` is not taken"
            continue
        if place >= len(here):
            assert inspect.Parameter.VAR_POSITIONAL in kinds, p.name
            continue
        assert here[place].name == p.name, f"not at place {place}"
        if p.default is not inspect.Parameter.empty:
            assert here[place].default == p.default, f"default of `{p.name}`"


def arguments(name: str) -> dict[str, Any]:
    theirs = positional(getattr(keras.layers, PAIRS[name]).__init__)
    given = {**GIVEN, **OTHERWISE.get(name, {})}
    if PAIRS[name] == "TimeDistributed":
        given["layer"] = keras.layers.Dense(3)
    if PAIRS[name] == "Bidirectional":
        given["layer"] = keras.layers.GRU(3)
    return {p.name: given.get(p.name, p.default) for p in theirs}


def comparable(layer: keras.layers.Layer) -> dict[str, Any]:
    config = layer.get_config()
    return {k: v for k, v in config.items() if k not in INNER}


@pytest.mark.parametrize("name", PAIRS)
def test_by_position(name: str) -> None:
    """All arguments of Keras in its order; `MaskedConv1D(...)` raised."""
    given = arguments(name)
    ours, theirs = getattr(layers, name), getattr(keras.layers, PAIRS[name])
    named = name in BY_KEYWORD
    mine = ours(**given) if named else ours(*given.values())
    wanted = theirs(*arguments(name).values())
    config, expected = comparable(mine), comparable(wanted)
    assert {k: config[k] for k in expected} == expected
    inputs: Any = (X,)
    if issubclass(ours, keras.layers.Embedding):
        inputs = (np.array([[1, 7, 0], [2, 0, 0]]),)
    elif "Head" in name or "Query" in name:
        inputs = (X, SOURCE)
    elif "Attention" in name:
        inputs = ([X, SOURCE],)
    elif name in ("MaskedAdd", "MaskedMultiply", "MaskedConcatenate"):
        inputs = ([X, X[::-1]],)
    mine(*inputs), wanted(*inputs)
    rng = np.random.default_rng(0)
    weights = [rng.normal(size=w.shape) for w in wanted.get_weights()]
    mine.set_weights(weights)
    wanted.set_weights(weights)
    y, z = mine(*inputs), wanted(*inputs)
    assert_close(y, to_numpy(z))


ALLOWED = np.random.default_rng(4).random((3, 7, 5)) < 0.6
ALLOWED[:, :, 0] = True  # Keras returns a mean where a query sees none


@pytest.mark.parametrize("name", [n for n in PAIRS if "Attention" in n])
def test_call_arguments_by_position(name: str) -> None:
    """Not only tensors, which are all that Keras takes by position."""
    ours, theirs = getattr(layers, name), getattr(keras.layers, PAIRS[name])
    given = {"dropout": 0.25, "use_scale": True}
    size = {"num_heads": 2, "key_dim": 3, "head_dim": 3, "num_query_heads": 4}
    size |= {"num_key_value_heads": 2, **given}
    taken = {p.name for p in positional(theirs.__init__)}
    config = {k: v for k, v in size.items() if k in taken}
    mine, wanted = ours(**config), theirs(**config)
    said = {"return_attention_scores": True, "use_causal_mask": True}
    if "Head" in name or "Query" in name:
        how = [None, None, None, ALLOWED, True, False, True]
        inputs: tuple = (X, SOURCE, SOURCE)
        said |= {"attention_mask": ALLOWED}
    else:
        inputs, how = ([X, SOURCE],), [None, False, True, True]
    wanted(*inputs)
    mine(*inputs)
    mine.set_weights(wanted.get_weights())
    got = mine(*inputs, *how)
    for y, z in zip(got, wanted(*inputs, training=False, **said), strict=True):
        assert_close(y, to_numpy(z))
    with pytest.raises(TypeError, match="too many positional"):
        mine(*inputs, *how, False)
    with pytest.raises(TypeError, match="multiple values"):
        mine(*inputs, *how, use_causal_mask=True)


def test_keep_mask_takes_states_by_position() -> None:
    """`KeepMask(x, m, state)` raised."""
    inner = keras.layers.GRU(3, return_sequences=True)
    keep, state = layers.KeepMask(inner), np.ones((3, 3), "float32")
    y = keep(X, ops.convert_to_tensor(RIGHT), state, False)
    z = quietly(inner, X, mask=RIGHT, initial_state=state)
    assert_close(
        np.where(RIGHT[..., None], to_numpy(y), 0),
        np.where(RIGHT[..., None], to_numpy(z), 0),
    )
    assert np.abs(to_numpy(keep(X, mask=RIGHT)) - to_numpy(y)).max() > 0.1
    np.testing.assert_array_equal(mask_of(y), RIGHT)
    shapes = keras.Input((None, 4)), keras.Input((None,), dtype="bool")
    symbolic = keep(*shapes, keras.Input((3,)))
    assert symbolic.shape == (None, None, 3)


def test_other_layers_take_them_as_well() -> None:
    pool = layers.AttentionPooling1D()
    _, scores = pool(X, RIGHT, True)
    assert scores.shape == (3, 1, 7)
    dropped = layers.MaskedTimeDistributed(keras.layers.Dropout(0.5))
    segments = np.ones((2, 3, 4, 5), "float32")
    assert np.all(to_numpy(dropped(segments, None, False)) == 1)
    assert not np.all(to_numpy(dropped(segments, None, True)) == 1)

"""Masks that a layer takes as data, and inputs that are not sequences."""

from typing import Any

import keras
import numpy as np
import pytest

from keras_masking.contract import Case
from keras_masking.contract import TargetError
from keras_masking.contract import check_layer
from keras_masking.contract.harness.inputs import Inputs
from tests.contract.layers import X

RIGHT = [[True] * 6, [True] * 4 + [False] * 2, [True] + [False] * 5]


class Pool(keras.layers.Layer):
    """A masked mean that has no meaning without a mask."""

    def call(self, x: Any, padding_mask: Any = None) -> Any:
        m = keras.ops.cast(padding_mask, "float32")[..., None]
        real = keras.ops.where(m > 0, keras.ops.cast(x, "float32"), 0)
        count = keras.ops.maximum(keras.ops.sum(m, 1), 1)
        return keras.ops.cast(keras.ops.sum(real, 1) / count, x.dtype)


class Film(keras.layers.Layer):
    """Scales a sequence by a vector for each row."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.supports_masking = True

    def call(self, inputs: Any) -> Any:
        return inputs[0] * inputs[1][:, None]

    def compute_mask(self, inputs: Any, mask: Any = None) -> Any:
        return None if mask is None else mask[0]


class Attends(keras.layers.Layer):
    """Has a parameter for an attention mask, and none for one of steps."""

    def call(self, x: Any, attention_mask: Any = None) -> Any:
        return x * 2.0


ONES = np.array(RIGHT, "int32")


@pytest.mark.parametrize(
    ("example", "right"),
    [
        (None, np.array(RIGHT)),
        (ONES, ONES),
        (ONES[:, None] > 0, np.array(RIGHT)[:, None]),
        (np.ones((3, 6, 6)), np.repeat(ONES[:, None], 6, 1)),
        (np.ones((3, 2, 1, 6)), np.repeat(ONES[:, None, None], 2, 1)),
        (np.where(ONES, 0.0, -1e9), np.where(ONES, 0.0, -1e9)),
        (np.where(ONES, 0.0, -np.inf), np.where(ONES, 0.0, -np.inf)),
    ],
)
def test_the_form_is_that_of_the_example(example: Any, right: Any) -> None:
    kwargs = {} if example is None else {"padding_mask": example}
    case = Case(Pool, call_kwargs=kwargs, mask_argument="padding_mask")
    inputs = Inputs(case)
    given = inputs.given(inputs.batch)
    assert given is not None
    assert given.shape == right.shape
    assert np.array_equal(given, right.astype(given.dtype))
    if example is not None:
        wide = np.dtype("float64") == example.dtype
        assert given.dtype == ("float32" if wide else example.dtype)


def test_a_mask_hides_the_inputs_of_its_length() -> None:
    """A query of 5 steps keeps them: the mask is that of the 6 keys."""
    case = Case(
        keras.layers.Layer,
        inputs=(X[:, :5], X),
        call_kwargs={"attention_mask": np.ones((3, 5, 6), bool)},
        mask_argument="attention_mask",
    )
    small = Inputs(case, (2, 3, 2))
    assert [leaf.shape[:2] for leaf in small.batch.leaves] == [(2, 5), (2, 3)]
    assert [mask is None for mask in small.batch.masks] == [True, False]
    assert np.shape(small.given(small.batch)) == (2, 5, 3)


def test_a_right_pool_passes() -> None:
    """It failed pad-value, empty-row and large-values."""
    case = Case(
        Pool, call_kwargs={"padding_mask": ONES}, mask_argument="padding_mask"
    )
    only = ["pad-value", "empty-row", "large-values", "runs-without-mask"]
    report = check_layer(case, only=only)
    status = {result.check: result.status for result in report}
    # Its default does not work, which it could declare as `requires_mask`.
    assert status.pop("runs-without-mask") == "fail"
    assert set(status.values()) == {"pass"}
    (failure,) = report.failures
    assert "mask_argument='padding_mask'" in failure.script
    assert "call_kwargs={'padding_mask': np.array(" in failure.script
    assert "Case, check_layer" in failure.script


def test_an_attention_mask_is_none_of_steps() -> None:
    """`declares-support` failed; `mask-arg-reachable` was n/a."""
    only = ["declares-support", "mask-arg-reachable"]
    report = check_layer(Attends, only=only)
    reasons = [r.reason for r in report if r.check in only]
    assert reasons == [
        "the layer neither takes nor makes a mask",
        "`call` takes no mask",
    ]


def test_vectors_taken_for_sequences_are_hinted_at() -> None:
    inputs = [X, X[:, 0, :4]]
    only = ["pad-value", "large-values"]
    report = check_layer(Case(Film, inputs=inputs), only=only)
    assert len(report.failures) == 2
    for failure in report.failures:
        assert "`Case(..., sequences=[0])`" in failure.cause
    check_layer(
        Case(Film, inputs=inputs, sequences=[0]), only=only
    ).raise_for_failures()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"mask_argument": "paddingmask"},
            "no argument 'paddingmask', and `inputs` no such key. Received: "
            "mask_argument='paddingmask'. Did you mean 'padding_mask'?",
        ),
        ({"inputs": [X, X], "mask_argument": 2}, "elements of `inputs`"),
        ({"inputs": X, "mask_argument": 0}, "`inputs` is a ndarray."),
        (
            {"inputs": [X, [X, X]], "mask_argument": 1},
            "must name one array. Received: mask_argument=1, which has 2.",
        ),
        (
            {
                "mask_argument": "padding_mask",
                "call_kwargs": {"padding_mask": np.zeros((3, 6))},
            },
            "must hold a real step",
        ),
        (
            {
                "mask_argument": "padding_mask",
                "call_kwargs": {"padding_mask": np.zeros(3)},
            },
            "has the axes (batch, ..., steps)",
        ),
        (
            {"inputs": {"x": X, "y": X}, "sequences": ["z"]},
            "Received: sequences=['z'], and `inputs` is a dict with ['x', 'y']",
        ),
        (
            {"inputs": [X, X], "sequences": []},
            "without a sequence there is no mask to check. Received: "
            "sequences=[], and `inputs` has [0, 1].",
        ),
    ],
)
def test_what_is_refused(options: Any, message: str) -> None:
    with pytest.raises(TargetError) as info:
        check_layer(Case(Pool, **options), only=["runs-with-mask"])
    assert message in str(info.value)

"""How inputs are padded: what is passed, and what is guessed."""

import ast
from typing import Any

import keras
import numpy as np
import pytest
from keras import layers as kl
from keras import ops

from keras_masking import inspect_masks
from keras_masking.inspector.data import PaddingRecord
from keras_masking.inspector.watching.inputs import read
from keras_masking.inspector.watching.padding import guess_padding
from keras_masking.inspector.watching.padding import pass_padding
from tests.inspector import gallery
from tests.inspector.gallery import IDS
from tests.inspector.gallery import build

REAL = IDS != 0
X = np.where(REAL[..., None], np.arange(6.0)[:, None] + 1, 0.0)
ANY = keras.Sequential([])  # without names for its inputs


def masks(inputs: Any, padding: Any = None, model: Any = ANY) -> list[Any]:
    given = pass_padding(read(inputs, model), padding, inputs, model)
    return list(guess_padding(given).padding)


def assert_masks(found: list[Any], *expected: Any) -> None:
    assert len(found) == len(expected)
    for seen, wanted in zip(found, expected):
        assert (seen is None) == (wanted is None)
        if wanted is not None:
            np.testing.assert_array_equal(seen, wanted)


@pytest.mark.parametrize(
    "structure, padding",
    [
        ({"a": IDS, "b": X}, {"a": 0}),
        ({"a": IDS, "b": X}, {"b": 0.0}),
        ([IDS, X], [0, 0]),
        ([IDS, X], (0, 0)),
        ([IDS, X], {0: 0}),
        ({"a": [IDS, X]}, {"a": [0, 0]}),
        ({"a": [IDS, X]}, {"a": {1: 0}}),
    ],
)
def test_passed(structure: Any, padding: Any) -> None:
    assert_masks(masks(structure, padding), REAL, REAL)


def test_passed_by_position_for_one_input() -> None:
    assert_masks(masks(IDS, 0), REAL)
    assert_masks(masks(np.where(REAL[..., None], X, np.nan), np.nan), REAL)


def test_passed_by_the_names_of_inputs() -> None:
    one, two = keras.Input((None,), name="one"), keras.Input((None, 1))
    model = keras.Model([one, two], ops.sum(two, 1) + ops.sum(one))
    assert_masks(masks([IDS, X], {"one": 0}, model), REAL, REAL)


def test_an_input_without_steps() -> None:
    """It has as many features as the others have steps."""
    features = np.ones((3, 6), "float32")
    found = masks({"a": IDS, "b": features}, {"a": 0, "b": None})
    assert_masks(found, REAL, None)


def test_the_padding_value_at_a_real_step() -> None:
    """Only where all that is passed is padding, the step is."""
    ids = np.where(np.arange(6) == 1, 0, IDS)
    kinds = (np.arange(6) > 2) & REAL
    inputs = {"ids": ids, "kinds": kinds * 1, "mask": REAL * 1}
    assert_masks(
        masks(inputs, {"ids": 0, "kinds": 0, "mask": 0}), REAL, REAL, REAL
    )


@pytest.mark.parametrize(
    "padding, text",
    [
        ({"c": 0}, r"must name inputs .*padding=c.* \['a', 'bcd'\]"),
        ({"bdc": 0}, "Did you mean 'bcd'?"),
        ([0, 0], "must have the structure"),
        ({"a": "0"}, "is a number, NaN, or None"),
        ({"a": {"b": 0}}, "is a number, NaN, or None"),
    ],
)
def test_padding_that_does_not_fit(padding: Any, text: str) -> None:
    with pytest.raises(ValueError, match=text):
        masks({"a": IDS, "bcd": X}, padding)


def test_padding_of_an_input_without_steps() -> None:
    with pytest.raises(ValueError, match="`a` out"):
        masks({"a": np.arange(3), "b": X}, {"a": 0})


@pytest.mark.parametrize("mask", [REAL, REAL * 1, REAL * 1.0, REAL[:, ::-1]])
def test_guessed_from_a_mask(mask: np.ndarray) -> None:
    ids = np.where(mask != 0, np.arange(6) + 2, 1)
    real = mask != 0
    assert_masks(masks({"ids": ids, "real": mask}), real, real)


def test_guessed_from_a_mask_that_is_true_at_padding() -> None:
    """As PyTorch has it."""
    assert_masks(masks({"ids": IDS, "mask": ~REAL}), REAL, REAL)
    varied = np.arange(18).reshape(3, 6)
    assert_masks(masks({"ids": varied, "mask": ~REAL}), None, None)


def test_guessed_from_lengths() -> None:
    lengths = REAL.sum(axis=1)
    assert_masks(masks([X, lengths]), REAL, None)
    assert_masks(masks([X, lengths[:, None]]), REAL, None)


def test_guessed_from_nan() -> None:
    assert_masks(masks(np.where(REAL[..., None], X, np.nan)), REAL)
    some = X.copy()
    some[:, 2] = np.nan  # holes
    assert_masks(masks(some), None)


def test_a_guess_from_numbers_needs_constant_padding() -> None:
    varied = np.arange(18).reshape(3, 6)
    other = np.array([[1, 0, 0, 1, 0, 1]] * 3)
    no_steps = np.array([2, 1, 3])
    assert_masks(masks([varied, REAL * 1]), None, None)  # two kinds of steps
    assert_masks(masks([varied, REAL]), REAL, REAL)  # true or false
    assert_masks(masks({"x": varied, "a_mask": REAL * 1}), REAL, REAL)
    assert_masks(masks([IDS, other]), None, None)  # not at an end
    assert_masks(masks([varied, no_steps]), None, None)
    assert_masks(masks([REAL * 1]), None)  # a mask of nothing


def test_the_report_says_what_was_guessed() -> None:
    model = build(gallery.pooling_counts_padding)
    inputs = gallery.ids_and_numbers()
    report = inspect_masks(model, inputs)
    assert report.padding == [
        PaddingRecord("ids", "0", "guessed from `real`"),
        PaddingRecord("real", "0", "guessed from itself"),
    ]
    text = str(report)
    assert "padding of `ids`: 0, guessed from `real`" in text
    assert report.to_dict()["padding"][0]["source"] == "guessed from `real`"
    passed = inspect_masks(model, inputs, padding={"ids": 0, "real": 0})
    assert {one.source for one in passed.padding} == {"passed"}


def test_what_moves_is_what_more_padding_does() -> None:
    """A mean over all steps: the sum of a row, divided by more steps."""
    model = build(gallery.pooling_counts_padding)
    inputs = gallery.ids_and_numbers()
    report = inspect_masks(model, inputs)
    before = ops.convert_to_numpy(model(inputs))
    after = before * 6 / 18
    right = report.drift[0]
    assert right.moved == pytest.approx(np.abs(before - after).max(), rel=1e-4)
    assert [c.name for c in report.findings] == ["pool"]


def test_a_batch_without_padding_and_what_padding_holds() -> None:
    model = build(gallery.pooling_counts_padding)
    inputs = {"ids": IDS[:1], "real": np.ones((1, 6), "int32")}
    report = inspect_masks(model, inputs)
    assert report.state == "not measured"
    report = inspect_masks(model, inputs, padding={"ids": 0, "real": 0})
    assert [c.name for c in report.findings] == ["pool"]


def test_values_at_padding_that_a_mask_hides() -> None:
    """What the ids hold there is changed; what says where it is, is not."""
    model = build(gallery.pooling_counts_real_steps)
    values = inspect_masks(model, gallery.ids_and_numbers()).drift[-1]
    assert values.moved is not None and values.moved < 1e-6
    ids = keras.Input((None,), dtype="int32")
    real = ops.cast(ops.not_equal(ids, 0), "float32")[..., None]
    x = kl.Embedding(10, 4)(ids) * real
    model = keras.Model(ids, ops.sum(x, axis=1))
    report = inspect_masks(model, IDS, padding=0)
    assert report.ok
    assert report.drift[-1].why_not == "the mask is made from these values"


def test_where_padding_holds_one_value_others_are_a_note() -> None:
    """A sum over zeros is right as long as padding is zero."""
    model = build(gallery.mean_by_lengths)
    report = inspect_masks(model, gallery.series_and_lengths())
    right, left, values = report.drift
    assert right.moved is not None and right.moved < 1e-6
    assert left.why_not == "the lengths count steps from the left"
    assert values.moved is not None and values.moved > 1
    assert not values.counts and report.ok


@pytest.mark.parametrize(
    "inputs, example",
    [
        (np.ones((3, 6, 2)), "0"),
        ([np.ones((3, 6, 2))] * 2, "{0: 0}"),
        ({"a": np.ones((3, 6, 2))}, "{'a': 0}"),
    ],
)
def test_what_to_pass(inputs: Any, example: str) -> None:
    class First(keras.Model):
        def call(self, inputs: Any) -> Any:
            return ops.sum(keras.tree.flatten(inputs)[0], axis=1)

    report = inspect_masks(First(), inputs)
    assert f"for example `padding={example}`" in report.missing[0]
    passed = inspect_masks(First(), inputs, padding=ast.literal_eval(example))
    assert passed.drift[0].moved is not None

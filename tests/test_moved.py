"""Old names and arguments work for one more release, with a warning."""

import importlib

import numpy as np
import pytest

from keras_masking import layers
from keras_masking import ops
from tests.helpers import to_numpy

MOVED = {
    f"keras_masking.inspector.report.{name}": (
        f"keras_masking.inspector.data.{name}"
    )
    for name in ("CallRecord", "Drift", "OutputRecord", "TensorRecord")
} | {
    "keras_masking.ops.all_real": "keras_masking.ops.full_mask",
    "keras_masking.ops.step_index": "keras_masking.ops.position_ids",
}


def found(path: str) -> object:
    module, _, name = path.rpartition(".")
    return getattr(importlib.import_module(module), name)


@pytest.mark.parametrize("old", MOVED)
def test_an_old_name(old: str) -> None:
    with pytest.warns(DeprecationWarning, match=f"is now `{MOVED[old]}`"):
        assert found(old) is found(MOVED[old])


def test_a_name_that_never_was() -> None:
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        found("keras_masking.inspector.report.nothing")


def test_data_format_of_a_layer_that_keras_does_not_have() -> None:
    with pytest.warns(DeprecationWarning, match="`data_format` is deprecated"):
        layer = layers.LastStep(data_format="channels_last")
    assert "data_format" not in layer.get_config()
    x = np.array([[[1.0], [2.0]]], "float32")
    assert to_numpy(layer(x)).tolist() == [[2.0]]
    with pytest.raises(ValueError, match="axes must be"):
        layers.LastStep(data_format="channels_first")


def test_fill_is_fill_value() -> None:
    x, mask = np.ones((1, 2, 1), "float32"), np.array([[True, False]])
    with pytest.warns(DeprecationWarning, match="`fill` is now `fill_value`"):
        y = ops.apply_mask(x, mask, fill=-1)
    assert to_numpy(y).ravel().tolist() == [1, -1]
    with pytest.warns(DeprecationWarning, match="`fill` is now `fill_value`"):
        layer = layers.ApplyMask(fill=-1)
    assert to_numpy(layer(x, mask=mask)).ravel().tolist() == [1, -1]
    assert layer.get_config()["fill_value"] == -1

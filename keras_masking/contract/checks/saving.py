"""A saved and loaded layer gives equal outputs."""

import tempfile
from pathlib import Path
from typing import Any

import keras

from keras_masking.contract.harness.compare import require_same_as_eager
from keras_masking.contract.harness.config_arguments import check_arguments
from keras_masking.contract.harness.layer_harness import LayerHarness
from keras_masking.contract.harness.violations import CallFailed
from keras_masking.contract.harness.violations import ContractViolation
from keras_masking.contract.harness.violations import NotApplicable
from keras_masking.contract.registry import check


@check("required", after=("runs-with-mask",))
def check_save_load(harness: LayerHarness) -> None:
    """Saved and loaded, the layer gives the same values and masks.

    Why: a model is trained once and loaded many times. A flag that is lost on
        the way turns masking off in production.
    Cause: `get_config` omits an argument (for those with a default, the check
        tries other values), or `supports_masking` is set from outside the
        class.
    Wrong:
        layer = Scale(); layer.supports_masking = True
    Right:
        def __init__(self, scale=1.0, **kwargs):
            super().__init__(**kwargs)
            self.scale, self.supports_masking = scale, True

        def get_config(self):
            return {**super().get_config(), "scale": self.scale}
    """
    harness.needs_any_batch()
    layer = harness.layer
    try:
        layer.get_config()
    except NotImplementedError as error:
        raise NotApplicable("the layer has no `get_config`") from error
    inputs = [
        keras.Input(x.shape[1:], dtype=str(x.dtype))
        for x in harness.batch.leaves
    ]
    kwargs = harness.kwargs(harness.batch)
    harness.restore()
    given = None
    form = harness.given(harness.batch)
    if form is not None:
        given = keras.Input(form.shape[1:], dtype=str(form.dtype))
    try:
        outputs = harness.apply(layer, inputs, given, **kwargs)
    except Exception as error:
        raise NotApplicable(
            f"no symbolic call without a mask: {error}"
        ) from error
    if given is not None:
        inputs.append(given)
    model = keras.Model(inputs, outputs)
    known = {type(layer).__name__: type(layer)}
    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder) / "layer.keras")
        try:
            model.save(path)
            with keras.saving.custom_object_scope(known):
                loaded = keras.saving.load_model(path, compile=False)
        except Exception as error:
            raise CallFailed(error, "saving and loading") from error
    names = [one.name for one in loaded.layers]
    if layer.name not in names:
        raise ContractViolation(
            f"the loaded model has no layer {layer.name!r}, only "
            f"{', '.join(names)}: the name is lost",
            cause=_why_the_name_is_lost(layer),
        )
    again = loaded.get_layer(layer.name)
    if again.supports_masking != layer.supports_masking:
        raise ContractViolation(
            f"`supports_masking` was {layer.supports_masking} and is "
            f"{again.supports_masking}"
        )
    result = harness.call(again, harness.batch)
    require_same_as_eager(harness, result, harness.batch, "of the loaded layer")
    check_arguments(harness)


def _why_the_name_is_lost(layer: Any) -> str:
    if type(layer).get_config is not keras.layers.Layer.get_config:
        return "`get_config` does not start with `super().get_config()`."
    return (
        "the class has no `get_config`, and the config that Keras makes has a "
        "name only if `__init__` takes `name` or `**kwargs`, spelled so. Write "
        "a `get_config`:"
    )

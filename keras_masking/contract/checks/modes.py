"""Eager, symbolic, compiled, nested, saved: the same everywhere."""

import tempfile
from pathlib import Path
from typing import Any

import keras

from keras_masking import layer_calls
from keras_masking._keras import get_mask
from keras_masking.contract.harness import batches
from keras_masking.contract.harness.batches import Batch
from keras_masking.contract.harness.compare import real_steps
from keras_masking.contract.harness.compare import same
from keras_masking.contract.harness.config_arguments import check_arguments
from keras_masking.contract.harness.layer_harness import MORE
from keras_masking.contract.harness.layer_harness import Bench
from keras_masking.contract.harness.layer_harness import Breach
from keras_masking.contract.harness.layer_harness import CallFailed
from keras_masking.contract.harness.layer_harness import NotApplicable
from keras_masking.contract.harness.models import Inside
from keras_masking.contract.harness.models import Masked
from keras_masking.contract.harness.models import model_of
from keras_masking.contract.harness.models import take_weights
from keras_masking.contract.harness.models import tell
from keras_masking.contract.registry import check


def _same_as_eager(
    bench: Bench, seen: layer_calls.Seen, batch: Batch, what: str
) -> None:
    eager = bench.run(batch)
    what = f"eager and {what}"
    for i, (a, b) in enumerate(zip(eager.outputs, seen.outputs, strict=True)):
        now, was = seen.masks[i], eager.masks[i]
        if (was is None) != (now is None):
            has = "a mask" if was is not None else "no mask"
            raise Breach(f"{what}: eager gives {has}", f"output {i}")
        if (
            was is not None
            and now is not None
            and (was.shape != now.shape or (was != now).any())
        ):
            raise Breach(f"{what}: another output mask", f"output {i}")
        real = real_steps(bench, eager, i, batch)
        if a.shape != b.shape:
            raise Breach(f"{what}: shapes {a.shape} and {b.shape}")
        a, b = (a, b) if real is None else (a[real], b[real])
        same(a, b, eager.dtypes[i], what, f"output {i}")


def _model(bench: Bench) -> Masked:
    bench.needs_any_batch()
    return model_of(bench)


@check("required")
def check_symbolic_mask(bench: Bench) -> None:
    """A symbolic call gives masks where an eager one does, of the same shape.

    Why: a Functional model decides when it is built which layers get a mask.
    Cause: `compute_mask` asks for values, or the mask is set in `call` only,
        which a symbolic call may not reach.
    Wrong:
        def call(self, x, mask=None):
            y = f(x); y._keras_mask = mask; return y
    Right:
        def compute_mask(self, x, mask=None): return mask
    """
    symbolic = _model(bench).symbolic
    for i, (y, mask) in enumerate(zip(symbolic, bench.base.masks)):
        there = get_mask(y)
        if (there is None) != (mask is None):
            has = "a mask" if mask is not None else "no mask"
            raise Breach(
                f"an eager call gives {has}, a symbolic one does not agree",
                f"output {i}",
            )
        if there is None or mask is None:
            continue
        if len(there.shape) != mask.ndim:
            raise Breach(
                f"the symbolic mask has shape {there.shape}, the eager one "
                f"{mask.shape}",
                f"output {i}",
            )


@check("required", after=("runs-with-mask",))
def check_functional(bench: Bench) -> None:
    """In a Functional model the layer gives what it gives eagerly.

    Why: it is how most models are built.
    Cause: `call` branches on the value or the type of the mask.
    Wrong:
        if bool(ops.all(mask)): return fast(inputs)
    Right:
        one formula for all masks.
    """
    seen = _model(bench).call(bench.batch)
    _same_as_eager(bench, seen, bench.batch, "a Functional model")


@check("required", after=("runs-with-mask", "functional"))
def check_graph(bench: Bench) -> None:
    """In `predict`, without just-in-time compiling, it gives the same.

    Why: `predict` runs a traced graph on TensorFlow, and everywhere with
        `training=False`, which a plain call does not say.
    Cause: NumPy, `if`, `bool` or `int` on a tensor: that needs a value, which a
        graph does not have.
    Wrong:
        longest = int(ops.max(lengths))
    Right:
        ops.arange(ops.shape(inputs)[1])
    """
    seen = _model(bench).predict(bench.batch, jit_compile=False)
    _same_as_eager(bench, seen, bench.batch, "a graph")


@check("required", after=("runs-with-mask", "graph"))
def check_jit(bench: Bench) -> None:
    """Compiled just in time, it gives the same.

    Why: `jit_compile="auto"` is the default of Keras on JAX and TensorFlow.
    Cause: shapes that depend on values, such as boolean indexing.
    Wrong:
        inputs[mask]
    Right:
        ops.where(mask[..., None], inputs, 0)
    """
    if keras.backend.backend() == "torch" and not bench.torch_compile:
        raise NotApplicable("torch compiles only when asked (--torch-compile)")
    seen = _model(bench).predict(bench.batch, jit_compile=True)
    _same_as_eager(bench, seen, bench.batch, "jit")


@check("required", after=("runs-with-mask", "functional"))
def check_dynamic_time(bench: Bench) -> None:
    """A model with `Input((None, ...))` runs at two lengths as eagerly.

    Why: the number of steps of a batch is not known when a model is built.
    Cause: `inputs.shape[1]` is None there and goes into arithmetic.
    Wrong:
        ops.arange(inputs.shape[1])
    Right:
        ops.arange(ops.shape(inputs)[1])
    """
    bench.needs_any_batch()
    if bench.longest is None:
        raise NotApplicable("the layer is built for one number of steps")
    model = Masked(bench, steps=False)
    for batch in (bench.batch, batches.pad(bench.batch, MORE[-1])):
        seen = model.call(batch)
        _same_as_eager(bench, seen, batch, "a model of unknown length")


@check("required", after=("runs-with-mask", "runs-without-mask"))
def check_nested(bench: Bench) -> None:
    """Inside another layer's `call`, or a Sequential model, it gives the same.

    Why: blocks are layers made of layers, and build them in a symbolic call.
    Cause: the layer keeps a tensor of its first call, which was symbolic, or
        relies on being the outermost one.
    Wrong:
        if self.table is None: self.table = ops.arange(n)  # in `call`
    Right:
        self.table = np.arange(n)
    """
    bench.needs_any_batch()
    kwargs = bench.kwargs(bench.batch)

    def apply(inner: Any, carried: list[Any]) -> Any:
        return bench.apply(inner, bench.pack(carried), **kwargs)

    inner = bench.case.make()
    outer = Inside(inner, apply)
    values = [layer_calls.fresh(x) for x in bench.batch.leaves]
    masks = {
        str(place): layer_calls.fresh(mask)
        for place, mask in enumerate(bench.batch.masks)
        if mask is not None
    }
    try:
        outer([values, masks])  # builds the layer
        take_weights(inner, bench)
        outputs, shown = outer([values, masks])
    except Exception as error:
        raise CallFailed(error, "a call inside another layer") from error
    _same_as_eager(bench, tell(outputs, shown), bench.batch, "a nested call")
    if bench.structure == 0 and not kwargs and len(bench.base.outputs) == 1:
        _in_sequential(bench)


def _in_sequential(bench: Bench) -> None:
    inner = bench.case.make()
    chain = keras.Sequential([inner])
    try:
        chain(bench.tensors(bench.batch))  # builds the layer
        take_weights(inner, bench)
        outputs = chain(bench.tensors(bench.batch))
    except Exception as error:
        raise CallFailed(error, "a Sequential model") from error
    seen = layer_calls.look(outputs)
    _same_as_eager(bench, seen, bench.batch, "a Sequential model")


@check("required", after=("runs-with-mask",))
def check_save_load(bench: Bench) -> None:
    """Saved and loaded, the layer gives the same values and masks.

    Why: a model is trained once and loaded a thousand times. A flag that is
        lost on the way turns the mask off in production.
    Cause: `get_config` forgets an argument (one with a default is tried with
        other values), or `supports_masking` is set from outside.
    Wrong:
        layer = Scale(); layer.supports_masking = True
    Right:
        def __init__(self, scale=1.0, **kwargs):
            super().__init__(**kwargs)
            self.scale, self.supports_masking = scale, True

        def get_config(self):
            return {**super().get_config(), "scale": self.scale}
    """
    bench.needs_any_batch()
    layer = bench.layer
    try:
        layer.get_config()
    except NotImplementedError as error:
        raise NotApplicable("the layer has no `get_config`") from error
    inputs = [
        keras.Input(x.shape[1:], dtype=str(x.dtype)) for x in bench.batch.leaves
    ]
    kwargs = bench.kwargs(bench.batch)
    bench.restore()
    try:
        outputs = bench.apply(layer, bench.pack(inputs), **kwargs)
    except Exception as error:
        raise NotApplicable(
            f"no symbolic call without a mask: {error}"
        ) from error
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
        raise Breach(
            f"the loaded model has no layer {layer.name!r}, only "
            f"{', '.join(names)}: the name is lost. Let `get_config` begin "
            "with `super().get_config()`"
        )
    again = loaded.get_layer(layer.name)
    if again.supports_masking != layer.supports_masking:
        raise Breach(
            f"`supports_masking` was {layer.supports_masking} and is "
            f"{again.supports_masking}"
        )
    seen = bench.call(again, bench.batch)
    _same_as_eager(bench, seen, bench.batch, "loaded")
    check_arguments(bench)

"""Eager, symbolic, compiled and nested layers give equal outputs."""

from functools import partial

import keras

from keras_masking import layer_calls
from keras_masking._keras import get_mask
from keras_masking.contract.harness import batches
from keras_masking.contract.harness.compare import require_same_as_eager
from keras_masking.contract.harness.layer_harness import MORE
from keras_masking.contract.harness.layer_harness import LayerHarness
from keras_masking.contract.harness.models import Inside
from keras_masking.contract.harness.models import MaskedModel
from keras_masking.contract.harness.models import as_call_outputs
from keras_masking.contract.harness.models import model_of
from keras_masking.contract.harness.models import take_weights
from keras_masking.contract.harness.violations import CallFailed
from keras_masking.contract.harness.violations import ContractViolation
from keras_masking.contract.harness.violations import NotApplicable
from keras_masking.contract.registry import check


def _model(harness: LayerHarness) -> MaskedModel:
    harness.needs_any_batch()
    return model_of(harness)


@check("required")
def check_symbolic_mask(harness: LayerHarness) -> None:
    """A symbolic call gives the output masks of an eager call, of equal rank.

    Why: which layers of a Functional model get a mask is decided when the model
        is built.
    Cause: `compute_mask` needs values, or only `call` sets the mask, which a
        symbolic call may not run.
    Wrong:
        def call(self, x, mask=None):
            y = f(x); y._keras_mask = mask; return y
    Right:
        def compute_mask(self, x, mask=None): return mask
    """
    symbolic = _model(harness).symbolic
    for i, (y, mask) in enumerate(zip(symbolic, harness.base.masks)):
        there = get_mask(y)
        if (there is None) != (mask is None):
            has = "a mask" if mask is not None else "no mask"
            raise ContractViolation(
                f"an eager call gives {has}, unlike a symbolic one",
                f"output {i}",
            )
        if there is None or mask is None:
            continue
        if len(there.shape) != mask.ndim:
            raise ContractViolation(
                f"the symbolic mask has shape {there.shape}, the eager one "
                f"{mask.shape}",
                f"output {i}",
            )


@check("required", after=("runs-with-mask",))
def check_functional(harness: LayerHarness) -> None:
    """In a Functional model, outputs equal eager ones.

    Why: most models are built in this way.
    Cause: `call` branches on the value or the type of the mask.
    Wrong:
        if bool(ops.all(mask)): return fast(inputs)
    Right:
        # one formula for all masks
    """
    result = _model(harness).call(harness.batch)
    require_same_as_eager(
        harness, result, harness.batch, "in a Functional model"
    )


@check("required", after=("runs-with-mask", "functional"))
def check_graph(harness: LayerHarness) -> None:
    """In `predict` without JIT compilation, outputs equal eager ones.

    Why: `predict` runs a traced graph on TensorFlow, and on all backends it
        passes `training=False`, unlike a plain call.
    Cause: NumPy, `if`, `bool` or `int` on a tensor: these need a value, which a
        graph does not have.
    Wrong:
        longest = int(ops.max(lengths))
    Right:
        ops.arange(ops.shape(inputs)[1])
    """
    result = _model(harness).predict(harness.batch, jit_compile=False)
    require_same_as_eager(harness, result, harness.batch, "in a graph")


@check("required", after=("runs-with-mask", "graph"))
def check_jit(harness: LayerHarness) -> None:
    """With JIT compilation, outputs equal eager ones.

    Why: `jit_compile="auto"` is the default of Keras on JAX and TensorFlow.
    Cause: shapes that depend on values, such as boolean indexing.
    Wrong:
        inputs[mask]
    Right:
        ops.where(mask[..., None], inputs, 0)
    """
    if keras.backend.backend() == "torch" and not harness.torch_compile:
        raise NotApplicable("PyTorch compiles only with --torch-compile")
    result = _model(harness).predict(harness.batch, jit_compile=True)
    require_same_as_eager(harness, result, harness.batch, "with jit")


@check("required", after=("runs-with-mask", "functional"))
def check_dynamic_time(harness: LayerHarness) -> None:
    """Outputs do not depend on the number of steps that a layer is built for.

    In a model with `Input((None, ...))` that number is unknown, and outputs
    equal eager ones. So do those of a layer that was built for more steps.

    Why: the number of steps of a batch is not known when a model is built, and
        the next batch is shorter or longer.
    Cause: `inputs.shape[1]` is used in arithmetic, where it may be None, or
        `build` keeps it.
    Wrong:
        def build(self, shape): self.steps = shape[1]
    Right:
        steps = ops.shape(inputs)[1]  # in `call`
    """
    harness.needs_any_batch()
    if harness.longest is None:
        raise NotApplicable("the layer is built for one number of steps")
    model = MaskedModel(harness, steps=False)
    for batch in (harness.batch, batches.pad(harness.batch, MORE[-1])):
        result = model.call(batch, program=harness.programs is not None)
        require_same_as_eager(
            harness, result, batch, "in a model of unknown length"
        )
    _built_for_more(harness)


def _built_for_more(harness: LayerHarness) -> None:
    """Compares with a layer that was built for more steps."""
    longer = batches.pad(harness.batch, MORE[-1])
    try:
        layer = harness.built_layer(longer)
    except (CallFailed, ValueError):
        return  # its weights have other shapes
    how = f"of a layer built for {MORE[-1]} more steps"
    for batch in (harness.batch, harness.plain(harness.batch)):
        try:
            harness.run(batch)
        except CallFailed:
            continue  # `runs-without-mask` reports it
        harness.restore(layer)
        result = harness.call(layer, batch)
        require_same_as_eager(harness, result, batch, how)


@check("required", after=("runs-with-mask", "runs-without-mask"))
def check_nested(harness: LayerHarness) -> None:
    """Inside another layer or a Sequential model, outputs equal eager ones.

    Why: blocks are layers made of layers, and build them in a symbolic call.
    Cause: the layer stores a tensor from its first call, which was symbolic, or
        relies on being the outermost layer.
    Wrong:
        if self.table is None: self.table = ops.arange(n)  # in `call`
    Right:
        self.table = np.arange(n)
    """
    harness.needs_any_batch()
    kwargs = harness.kwargs(harness.batch)

    inner = harness.case.make()
    outer = Inside(inner, partial(harness.apply_fed, **kwargs))
    values = [layer_calls.new_tensor(x) for x in harness.batch.leaves]
    masks = {
        place: layer_calls.new_tensor(mask)
        for place, mask in harness.fed_masks(harness.batch).items()
    }
    try:
        outer([values, masks])  # builds the layer
        take_weights(inner, harness)
        outputs, shown = outer([values, masks])
    except Exception as error:
        raise CallFailed(error, "a call inside another layer") from error
    require_same_as_eager(
        harness,
        as_call_outputs(outputs, shown),
        harness.batch,
        "in a nested call",
    )
    one = harness.structure == 0 and len(harness.base.outputs) == 1
    if one and not kwargs and harness.argument is None:
        _in_sequential(harness)


def _in_sequential(harness: LayerHarness) -> None:
    inner = harness.case.make()
    chain = keras.Sequential([inner])
    try:
        chain(*harness.tensors(harness.batch))  # builds the layer
        take_weights(inner, harness)
        outputs = chain(*harness.tensors(harness.batch))
    except Exception as error:
        raise CallFailed(error, "a Sequential model") from error
    result = layer_calls.read_outputs(outputs)
    require_same_as_eager(
        harness, result, harness.batch, "in a Sequential model"
    )

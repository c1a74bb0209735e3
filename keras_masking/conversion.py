"""A model of Keras' layers, made anew with ours where Keras loses padding."""

import warnings
from dataclasses import dataclass
from dataclasses import field
from typing import Any

import keras

from keras_masking import layers
from keras_masking._keras import get_mask
from keras_masking._keras import is_functional
from keras_masking._keras import masks_were_carried
from keras_masking.errors import describe

# Classes of `keras.layers` and ours in their place, with the same config.
DROP_INS = {
    name: getattr(layers, f"Masked{name}")
    for name in (
        "Add",
        "AdditiveAttention",
        "Attention",
        "AveragePooling1D",
        "Concatenate",
        "Conv1D",
        "Conv1DTranspose",
        "Cropping1D",
        "DepthwiseConv1D",
        "GlobalAveragePooling1D",
        "GlobalMaxPooling1D",
        "GroupNormalization",
        "GroupQueryAttention",
        "MaxPooling1D",
        "MultiHeadAttention",
        "Multiply",
        "SeparableConv1D",
        "TimeDistributed",
        "UpSampling1D",
    )
}
# Those that are right once `KeepMask` is around them.
WRAPPED = (
    "Average",
    "Bidirectional",
    "EinsumDense",
    "GRU",
    "LSTM",
    "Maximum",
    "Minimum",
    "RMSNormalization",
    "RNN",
    "SimpleRNN",
    "Subtract",
)
# What `x + y` and `x * y` are in a graph.
OPERATIONS = {"Add": layers.MaskedAdd, "Multiply": layers.MaskedMultiply}
# Those that let padding in and have no counterpart.
WRONG = {
    "AdaptiveAveragePooling1D": "its windows depend on the padded length",
    "AdaptiveMaxPooling1D": "its windows depend on the padded length",
    "Dot": "it may sum over padding; use `MaskedAttention`",
    "Flatten": "padding becomes features; pool the steps instead",
    "LayerNormalization": "its statistics go over the steps; use "
    "`MaskedGroupNormalization(1)`",
    "UnitNormalization": "its norm goes over the steps",
    "ZeroPadding1D": "its zeros count as steps; those of `MaskedZeroPadding1D` "
    "are padding",
}
LOST = "it loses the mask; put `KeepMask` around it if it keeps the steps"
LOST_BY_OPERATION = (
    "an operation between layers loses the mask; use a layer, for example "
    "`KeepMask(keras.layers.Lambda(...))`"
)


@dataclass
class ConversionReport:
    """What `convert` did.

    Attributes:
        replaced: For each layer that was replaced its name, its class, and
            what stands in its place.
        left: For each layer that stays although it loses the mask, or lets
            padding in, its name, its class, and why.
    """

    replaced: list[tuple[str, str, str]] = field(default_factory=list)
    left: list[tuple[str, str, str]] = field(default_factory=list)

    def __str__(self) -> str:
        lines = [
            *(
                f"replaced  {n}: {old} -> {new}"
                for n, old, new in self.replaced
            ),
            *(f"left      {n}: {old}: {why}" for n, old, why in self.left),
            f"{len(self.replaced)} replaced, {len(self.left)} left",
        ]
        return "\n".join(lines)


def convert(model: keras.Model) -> tuple[keras.Model, ConversionReport]:
    """Clones a model, with layers of ours where Keras' let padding in.

    A layer is replaced where a mask reaches it; where none does, and where
    Keras is right, it stays. Recurrent layers, which Keras 3.16 stops from
    passing masks on, get `KeepMask` around them; sums and products of tensors
    become `MaskedAdd` and `MaskedMultiply`. Weights are carried over, `model`
    stays as it is, and a compiled one is compiled anew, without the state of
    its optimizer.

    Without padding the clone predicts what `model` does, with padding the same
    again. The one exception is a convolution or maximum with `padding="same"`
    whose strides don't divide the number of steps, see `MaskedConv1D`. Losses
    and metrics stay: see `MaskedLoss` and `MaskedMetric`.

    Args:
        model: Functional or Sequential model that is built. Models in it are
            converted too.

    Returns:
        The new model, and a `ConversionReport` to print: what was replaced,
        and what was left although it loses the mask or lets padding in.

    Raises:
        ValueError: If `model` is subclassed, or not built.

    Example:

    >>> model = keras.Sequential([
    ...     keras.Input((None,)),
    ...     keras.layers.Embedding(9, 4, mask_zero=True),
    ...     keras.layers.GroupNormalization(2, name="norm"),
    ...     keras.layers.GlobalAveragePooling1D(name="pool"),
    ... ])
    >>> ours, report = keras_masking.convert(model)
    >>> print(report)
    replaced  norm: GroupNormalization -> MaskedGroupNormalization
    replaced  pool: GlobalAveragePooling1D -> MaskedGlobalAveragePooling1D
    2 replaced, 0 left
    """
    reached: set[int] = set()
    conversion = _Conversion(reached)
    with warnings.catch_warnings():
        # The report says what loses a mask.
        warnings.filterwarnings("ignore", ".*destroy the mask")
        made = conversion.model(model)
        while conversion.late:  # a shared layer met its mask after its making
            conversion = _Conversion(reached)
            made = conversion.model(model)
    for old, new in conversion.made.values():
        if isinstance(old, keras.layers.Layer) and not is_model(old):
            new.set_weights(old.get_weights())
    return made, conversion.report


def is_model(layer: Any) -> bool:
    """Whether it is a model that `convert` can look into."""
    return isinstance(layer, keras.Sequential) or is_functional(layer)


class _Conversion:
    """One pass through a model, and those in it."""

    def __init__(self, reached: set[int]) -> None:
        self.report = ConversionReport()
        self.reached = reached  # ids of the layers that a mask reaches
        self.late = False  # whether it reached one that was made already
        self.made: dict[int, tuple[Any, Any]] = {}  # the old layer, the new
        self.perhaps: list[Any] = []  # tensors that carry one when it runs

    def model(self, model: Any, everywhere: bool = False) -> keras.Model:
        """A new model; `everywhere` if its inputs carry masks when it runs.

        A graph in a graph does not know of those.
        """
        if not is_model(model) or not model.built:
            raise ValueError(
                describe(
                    "`convert`",
                    "`model` must be a Functional or Sequential model that is "
                    "built.",
                    "Put layers of `keras_masking.layers` into the code of a "
                    "subclassed model; give a Sequential one a `keras.Input`.",
                    model=type(model).__name__,
                )
            )

        def call(layer: Any, *args: Any, **kwargs: Any) -> Any:
            return self.call(everywhere, layer, args, kwargs)

        if not isinstance(model, keras.Sequential):
            return keras.models.clone_model(
                model, clone_function=lambda layer: layer, call_function=call
            )
        (given,) = model.inputs
        x = keras.Input(batch_shape=given.shape, dtype=given.dtype)
        new = [x]
        for layer in model.layers:
            x = call(layer, x)
            new.append(self.made[id(layer)][1])
        made = keras.Sequential(new, name=model.name)
        if model.compiled:
            made.compile_from_config(model.get_compile_config())
        return made

    def call(self, everywhere: bool, layer: Any, args: Any, kwargs: Any) -> Any:
        """Calls what stands for `layer`; it is made at the first call."""
        flat = keras.tree.flatten((args, kwargs))
        given = [x for x in flat if isinstance(x, keras.KerasTensor)]
        unseen = everywhere or any(x is y for x in given for y in self.perhaps)
        masked = any(get_mask(x) is not None for x in given)
        if (masked or unseen) and id(layer) not in self.reached:
            self.reached.add(id(layer))
            self.late |= id(layer) in self.made
        if "mask" in kwargs and masks_were_carried(layer):
            # Keras wrote the mask of the old graph into the call.
            kwargs = {k: v for k, v in kwargs.items() if k != "mask"}
        if id(layer) not in self.made:
            new = self.stand_in(layer, given)
            self.made[id(layer)] = layer, new
        new = self.made[id(layer)][1]
        operation = not isinstance(layer, keras.layers.Layer)
        if operation and isinstance(new, keras.layers.Layer):
            args = (list(args),)  # of `x + y`
        outputs = new(*args, **kwargs)
        rank = max((len(x.shape) for x in given), default=0)
        kept = [y for y in keras.tree.flatten(outputs) if len(y.shape) >= rank]
        if unseen or (masked and is_model(layer)):
            self.perhaps += kept
        elif masked and kept and all(get_mask(y) is None for y in kept):
            self.leave(layer, LOST_BY_OPERATION if operation else LOST)
        return outputs

    def stand_in(self, layer: Any, given: list[Any]) -> Any:
        """What takes the place of `layer`."""
        if is_model(layer):
            return self.model(layer, id(layer) in self.reached)
        new = None
        if id(layer) in self.reached:
            ranks = [len(x.shape) for x in given]
            is_layer = isinstance(layer, keras.layers.Layer)
            find = self.for_layer if is_layer else self.for_operation
            new = find(layer, ranks)
        if new is None:
            return type(layer).from_config(layer.get_config())
        kind, ours = type(layer).__name__, type(new).__name__
        if isinstance(new, layers.KeepMask):
            ours = f"KeepMask({kind})"
        self.report.replaced.append((layer.name, kind, ours))
        return new

    def for_operation(self, operation: Any, ranks: list[int]) -> Any:
        """A layer for `x + y` and `x * y`, None for others."""
        name = type(operation).__name__
        if name in OPERATIONS and len(ranks) == 2 and ranks[0] == ranks[1] > 2:
            return OPERATIONS[name]()
        return None

    def for_layer(self, layer: Any, ranks: list[int]) -> Any:
        """The layer of ours for one that a mask reaches, None if it stays."""
        name, rank = type(layer).__name__, ranks[0]
        if type(layer) is not getattr(keras.layers, name, None):
            return None  # somebody's own, perhaps of the same name
        config = layer.get_config()
        axis = getattr(layer, "axis", None)
        axes = [axis] if isinstance(axis, int) else axis or []
        axes = sorted(a % rank for a in axes)
        if name == "Softmax" and axes in ([1], [rank - 1]):
            base = {key: config[key] for key in ("name", "trainable", "dtype")}
            if axes == [rank - 1]:
                return layers.MyActivation("softmax", **base)
            return layers.TemporalSoftmax(**base)
        if name == "TimeDistributed":
            inside = self.for_layer(layer.layer, [rank - 1]) or layer.layer
            config["layer"] = keras.saving.serialize_keras_object(inside)
        try:
            if name in DROP_INS:
                return DROP_INS[name].from_config(config)
            if name in WRAPPED:
                inside = type(layer).from_config(config)
                return layers.KeepMask(inside, name=layer.name)
        except (TypeError, ValueError) as error:
            self.leave(layer, str(error).splitlines()[0])
        if name in WRONG and axes != [rank - 1]:
            self.leave(layer, WRONG[name])
        return None

    def leave(self, layer: Any, why: str) -> None:
        row = layer.name, type(layer).__name__, why
        if layer.name not in [name for name, _, _ in self.report.left]:
            self.report.left.append(row)

"""A walk through a model that creates its layers anew."""

from collections.abc import Callable
from typing import Any

import keras

from keras_masking import layers
from keras_masking._keras import carried_mask
from keras_masking._keras import get_mask
from keras_masking._keras import graph_calls
from keras_masking.conversion.attaching import attacher
from keras_masking.conversion.calls import call_like
from keras_masking.conversion.calls import is_deaf
from keras_masking.conversion.calls import is_given_mask
from keras_masking.conversion.calls import is_model
from keras_masking.conversion.calls import parameters
from keras_masking.conversion.calls import tensors_in
from keras_masking.conversion.changes import changed_remainders
from keras_masking.conversion.counterparts import base_config
from keras_masking.conversion.counterparts import breach
from keras_masking.conversion.counterparts import config_of
from keras_masking.conversion.counterparts import counterpart
from keras_masking.conversion.counterparts import operation_counterpart
from keras_masking.conversion.mask_inputs import Found
from keras_masking.conversion.report import ConversionReport
from keras_masking.conversion.report import Difference
from keras_masking.conversion.swaps import code_for_model
from keras_masking.errors import describe
from keras_masking.layers.base import MaskAware

LOST = "it loses the mask"  # more is said once it is measured
NEW_STEPS = (
    "all its steps are real; use `RepeatVectorLike` to take the steps of a "
    "masked sequence"
)
MORE_AXES = "it attends over more axes, or has a mask for each head"
METHODS_LOST = "a subclass comes back without its own methods"


def sentence(error: BaseException) -> str:
    """The first line of an error message, without the text that Keras adds."""
    return str(error.__context__ or error).strip().splitlines()[0]


class Walk:
    """A walk through a model and its nested models.

    A layer that is called several times may meet a mask, or lose its
    counterpart, after its copy was made: then it is made again.
    """

    def __init__(
        self,
        reached: set[int],
        refused: dict[int, str],
        replaces: bool = True,
        masks: Callable[[Any], Found] | None = None,
    ) -> None:
        self.report = ConversionReport()
        self.reached = reached  # ids of layers that a mask reaches
        self.refused = refused  # ids of layers that cannot be replaced
        self.replaces = replaces  # if False, all layers stay Keras'
        self.masks = masks  # finds plain tensors that are masks
        self.unclear: list[tuple[str, str]] = []  # inputs, perhaps masks
        self.carries = False  # whether any tensor carries a mask
        self.again = False
        self.made: dict[int, tuple[Any, Any]] = {}  # old and new layer
        self.after: dict[int, Any] = {}  # a layer behind the new one
        self.perhaps: list[Any] = []  # tensors that carry a mask at run time
        self.ends: dict[int, list[bool]] = {}  # for a model, which outputs do
        self.said: set[int] = set()
        self.losing: dict[int, Any] = {}  # by their place in `report.left`

    def model(self, model: Any, everywhere: bool = False) -> keras.Model:
        """A new model; `everywhere` if its inputs carry masks at run time.

        The graph of a nested model does not know those.
        """
        if not is_model(model) or not model.built:
            raise ValueError(
                describe(
                    "`convert`",
                    "`model` must be a Functional or Sequential model that is "
                    "built.",
                    ("" if is_model(model) else code_for_model(model))
                    or "In a subclassed model, use `keras_masking.layers` in "
                    "its code; give a Sequential model a `keras.Input`.",
                    model=type(model).__name__,
                )
            )
        sequential = isinstance(model, keras.Sequential)
        inputs = keras.tree.map_structure(
            lambda x: keras.Input(
                batch_shape=x.shape, dtype=x.dtype, name=x.name
            ),
            model.inputs if sequential else model.input,
        )
        flat = keras.tree.flatten(inputs)
        if everywhere:
            self.perhaps += flat
        if sequential:
            if type(model) is not keras.Sequential:
                self.leave(model, METHODS_LOST)
            new, x = [flat[0]], flat[0]
            for layer in model.layers:
                x = self.call(layer, (x,), {})
                new.append(self.made[id(layer)][1])
                if id(layer) in self.after:
                    new.append(self.after[id(layer)])
            made = keras.Sequential(new, name=model.name)
            self.ends[id(made)] = [self.may_carry(x)]
            return made
        found = Found() if self.masks is None else self.masks(model)
        self.unclear += found.unclear
        tensors = {id(x): y for x, y in zip(model.inputs, flat)}
        nodes = graph_calls(model)
        nodes.sort(key=lambda node: id(node) not in found.needed)
        attach = attacher(found, tensors, nodes, self.report.attached)
        for node in nodes:
            if id(node) not in found.needed:
                attach(model.inputs)
            args, kwargs = node.arguments.fill_in(tensors)
            if carried_mask(node) is not None:
                del kwargs["mask"]  # the mask of the old graph
            outputs = self.call(node.operation, args, kwargs)
            pairs = zip(node.outputs, keras.tree.flatten(outputs))
            tensors |= {id(x): y for x, y in pairs}
            attach(node.outputs)
        outputs = keras.tree.map_structure(
            lambda x: tensors[id(x)], model.output
        )
        kind = type(model)
        if parameters(kind.__init__)[1:3] != ["inputs", "outputs"]:
            self.leave(model, METHODS_LOST)
            kind = keras.Model
        made = kind(inputs, outputs, name=model.name)
        ends = keras.tree.flatten(outputs)
        self.ends[id(made)] = [self.may_carry(x) for x in ends]
        return made

    def call(self, layer: Any, args: Any, kwargs: dict[str, Any]) -> Any:
        """Calls the replacement of `layer`, which the first call creates."""
        key, given = id(layer), tensors_in((args, kwargs))
        carried = any(get_mask(x) is not None for x in given)
        self.carries |= carried
        masked = carried or is_given_mask(layer, args, kwargs)
        unseen = any(self.is_unseen(x) for x in given)
        if (masked or unseen) and key not in self.reached:
            self.reached.add(key)
            self.again |= key in self.made
        if key not in self.made:
            self.made[key] = layer, self.stand_in(layer, given)
        new = self.made[key][1]
        try:
            outputs = call_like(layer, new, args, kwargs, given)
        except (TypeError, ValueError) as error:
            if type(new) is type(layer):
                raise
            self.refused[key] = sentence(error)
            self.again = True
            new = self.clone(layer)
            self.made[key] = layer, new
            outputs = new(*args, **kwargs)
        if key in self.after:
            outputs = self.after[key](outputs)
        self.compare(layer, new, given)
        self.follow(layer, new, given, outputs, carried, masked, unseen)
        return outputs

    def compare(self, layer: Any, new: Any, given: list[Any]) -> None:
        """Reports where `new` differs without padding."""
        if type(new) is type(layer) or is_model(layer):
            return
        if remainders := changed_remainders(new, given[0].shape[1]):
            name, kind = layer.name, type(layer).__name__
            one = Difference(name, kind, new.window[1], remainders)
            if id(layer) not in self.said:
                self.said.add(id(layer))
                self.report.differs.append(one)

    def is_unseen(self, x: Any) -> bool:
        """Whether `x` may carry a mask that the graph does not know."""
        return any(x is y for y in self.perhaps)

    def may_carry(self, x: Any) -> bool:
        """Whether `x` carries a mask at run time, as far as known."""
        return get_mask(x) is not None or self.is_unseen(x)

    def follow(
        self,
        layer: Any,
        new: Any,
        given: list[Any],
        outputs: Any,
        carried: bool,
        masked: bool,
        unseen: bool,
    ) -> None:
        """Tracks the mask from here, and reports where it is lost."""
        flat = keras.tree.flatten(outputs)
        bare = [y for y in flat if get_mask(y) is None]
        if is_model(layer):
            ends = zip(flat, self.ends[id(new)], strict=True)
            self.perhaps += [y for y, carries in ends if carries]
            return
        if getattr(layer, "mask_zero", False):
            self.perhaps += bare  # some make masks at run time
        makes_mask = all(y.dtype == "bool" for y in flat)
        if not (masked or unseen) or makes_mask or isinstance(layer, MaskAware):
            return
        rank = max(len(x.shape) for x in given)
        kept = [y for y in bare if len(y.shape) >= rank]
        stays = type(new) is type(layer)
        # A layer that gets its mask as an argument passes none on by itself.
        lost = carried and kept and len(bare) == len(flat)
        if stays and (lost or is_deaf(layer)):
            self.leave(layer, LOST)
        elif unseen:
            self.perhaps += kept

    def stand_in(self, layer: Any, given: list[Any]) -> Any:
        """The replacement of `layer`."""
        key, new = id(layer), None
        if key in self.refused:
            self.leave(layer, self.refused[key])
        elif is_model(layer):
            return self.model(layer, key in self.reached)
        elif type(layer) is keras.layers.TimeDistributed:
            new = self.segments(layer, given[0])
        elif key in self.reached:
            new = self.ours(layer, given)
        if new is None:
            if self.reached and type(layer) is keras.layers.RepeatVector:
                self.leave(layer, NEW_STEPS)
            return self.clone(layer)
        kind, ours = type(layer).__name__, type(new).__name__
        if isinstance(new, layers.KeepMask):
            ours = f"KeepMask({kind})"
        if ours != kind:
            self.report.replaced.append((layer.name, kind, ours))
        return new

    def ours(self, layer: Any, given: list[Any]) -> Any:
        """Our layer for a layer that a mask reaches, or None if it stays."""
        if not self.replaces:
            return None
        if not isinstance(layer, keras.layers.Layer):
            return operation_counterpart(layer, given)
        rank = len(given[0].shape)
        if (
            hasattr(layer, "_masked_softmax")
            and max(len(x.shape) for x in given) > 3
        ):
            self.leave(layer, MORE_AXES)
            return None
        try:
            new = counterpart(layer, rank)
        except (TypeError, ValueError) as error:
            self.leave(layer, sentence(error))
            return None
        if new is None and (why := breach(layer, rank)):
            self.leave(layer, why)
        return new

    def segments(self, layer: Any, given: Any) -> Any:
        """The replacement of a `TimeDistributed`."""
        inner, mask = layer.layer, get_mask(given)
        reached = id(layer) in self.reached
        # A mask of segments says nothing about their steps.
        steps = reached and (mask is None or len(mask.shape) > 2)
        if steps:
            self.reached.add(id(inner))
        rows = keras.KerasTensor((None, *given.shape[2:]), dtype=given.dtype)
        looks = steps or is_model(inner)
        new = self.stand_in(inner, [rows]) if looks else self.clone(inner)
        self.compare(inner, new, [rows])
        stays = type(new) is type(inner) and not is_model(inner)
        if steps and stays and is_deaf(inner):
            self.leave(inner, LOST)
        ours = reached and self.replaces
        kind = layers.MaskedTimeDistributed if ours else type(layer)
        return kind(new, **base_config(layer))

    def clone(self, layer: Any) -> Any:
        """A copy of the layer."""
        try:
            return type(layer).from_config(config_of(layer))
        except Exception as error:
            if not getattr(layer, "weights", None):
                return layer  # a layer without weights may be shared
            raise ValueError(
                describe(
                    "`convert`",
                    "a layer with weights must be recreated from its config.",
                    "Give it a `get_config` that its `from_config` accepts.",
                    layer=layer.name,
                    error=sentence(error),
                )
            ) from error

    def leave(self, layer: Any, why: str) -> None:
        if id(layer) not in self.said:
            self.said.add(id(layer))
            if why is LOST:
                self.losing[len(self.report.left)] = layer
            self.report.left.append((layer.name, type(layer).__name__, why))

"""Models that break a rule on purpose, built from layers that do."""

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
from keras import layers as kl
from keras import ops

from keras_masking import layers
from keras_masking.contract import ModelCase
from tests.contract.broken import Broken

GRAPHS = ("tensorflow", "jax")
IDS = np.array(
    [[3, 1, 4, 1, 5, 9], [2, 6, 5, 3, 0, 0], [8, 9, 7, 0, 0, 0]], "int32"
)
FLOATS = np.random.default_rng(0).normal(size=(3, 6, 4)).astype("float32")
FLOATS[IDS == 0] = 0.0
WITH_MASK = {"x": FLOATS, "mask": IDS != 0}


def floats(mask: Any) -> Any:
    return ops.cast(mask, "float32")[..., None]


class Pool(kl.Layer):
    """A mean over real steps; the others break it."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.supports_masking = True

    def call(self, inputs: Any, mask: Any = None) -> Any:
        total = ops.sum(self.select(inputs, mask), axis=1)
        return total / self.count(mask, inputs)

    def select(self, x: Any, mask: Any) -> Any:
        return ops.where(mask[..., None], x, 0)

    def count(self, mask: Any, x: Any) -> Any:
        return ops.maximum(ops.sum(floats(mask), axis=1), 1)

    def compute_mask(self, inputs: Any, mask: Any = None) -> Any:
        return None

    def compute_output_shape(self, shape: Any, *rest: Any) -> Any:
        return (shape[0], shape[-1])


class NoEmptyRow(Pool):
    def count(self, mask: Any, x: Any) -> Any:
        return ops.sum(floats(mask), axis=1)


class Raises(Pool):
    def call(self, inputs: Any, mask: Any = None) -> Any:
        if mask is not None and not isinstance(inputs, keras.KerasTensor):
            raise ValueError("no masks, please")
        return ops.mean(inputs, axis=1)


class AllSteps(Pool):
    def count(self, mask: Any, x: Any) -> Any:
        return ops.shape(x)[1]


class IgnoresMask(Pool):
    def call(self, inputs: Any, mask: Any = None) -> Any:
        return ops.sum(inputs, axis=1)


class LessTheBatch(Pool):
    def call(self, inputs: Any, mask: Any = None) -> Any:
        pooled = super().call(inputs, mask)
        return pooled - ops.mean(pooled, axis=0)


class ByTheLongest(Pool):
    def count(self, mask: Any, x: Any) -> Any:
        return ops.max(ops.sum(floats(mask), axis=1))


class FirstColumn(Pool):
    def call(self, inputs: Any, mask: Any = None) -> Any:
        return ops.where(mask[:, 0:1], inputs[:, 0], 0)


class Columns(kl.Layer):
    """Adds the number of the column to each step."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.supports_masking = True

    def call(self, inputs: Any) -> Any:
        places = ops.arange(ops.shape(inputs)[1])[:, None]
        return inputs + ops.cast(places, "float32")


class Multiplies(Pool):
    def select(self, x: Any, mask: Any) -> Any:
        return x * floats(mask)


class SumsAll(Pool):
    def select(self, x: Any, mask: Any) -> Any:
        return x


class NoMaskOut(kl.Layer):
    def call(self, inputs: Any) -> Any:
        return inputs * 2


class Scale(kl.Layer):
    """Its config omits the scale."""

    def __init__(self, scale: float = 1.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.supports_masking = True
        self.scale = scale

    def call(self, inputs: Any) -> Any:
        return inputs * self.scale

    def get_config(self) -> dict[str, Any]:
        return {"name": self.name}


class NoWeight(kl.Layer):
    """Its numbers are no weights, so they are not saved."""

    made = 0

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.supports_masking = True
        NoWeight.made += 1
        self.scale = float(NoWeight.made)

    def call(self, inputs: Any) -> Any:
        return inputs * self.scale


class NeedsValues(Pool):
    """Goes on without the mask if it has no values."""

    def select(self, x: Any, mask: Any) -> Any:
        try:
            real = bool(ops.convert_to_numpy(mask).all())
        except Exception:
            real = True
        return x if real else super().select(x, mask)


class Counts(Pool):
    """Each call in Python gives another number, once in a graph."""

    def count(self, mask: Any, x: Any) -> Any:
        return super().count(mask, x) * (2.0 if traced(x) else 1.0)


def traced(x: Any) -> bool:
    try:
        ops.convert_to_numpy(x)
    except Exception:
        return not isinstance(x, keras.KerasTensor)
    return False


def of_ids(*more: Callable[[], Any]) -> Callable[[], keras.Model]:
    """A function that makes a model of ids: the embedding, and more layers."""

    def make() -> keras.Model:
        keras.utils.set_random_seed(0)
        ids = keras.Input((None,), dtype="int32")
        x = kl.Embedding(10, 4, mask_zero=True)(ids)
        for layer in more:
            x = layer()(x)
        return keras.Model(ids, x)

    return make


def of_floats(pool: Callable[[], Any]) -> Callable[[], keras.Model]:
    """A function that makes a model of floats and their mask."""

    def make() -> keras.Model:
        keras.utils.set_random_seed(0)
        x = keras.Input((None, 4), name="x")
        mask = keras.Input((None,), dtype="bool", name="mask")
        y = pool()(layers.AttachMask()(x, mask=mask))
        return keras.Model({"x": x, "mask": mask}, kl.Dense(2)(y))

    return make


def broken(
    catches: str,
    why: str,
    make: Callable[[], keras.Model],
    also: frozenset[str] = frozenset(),
    inputs: Any = IDS,
    backends: tuple[str, ...] | None = None,
    name: str = "",
) -> Broken:
    case = ModelCase(make, inputs, name=name or catches.removeprefix("model-"))
    how = {} if backends is None else {"backends": backends}
    return Broken(case, catches, why, also, **how)


LENGTH = frozenset({"model-alone-equals-batched", "model-left-padding"})
LEFT = frozenset({"model-left-padding"})
EMPTY = np.where(np.arange(3)[:, None] == 2, 0, IDS)

SOUND = [
    ModelCase(of_ids(Pool), IDS, name="of_ids"),
    ModelCase(of_floats(Pool), WITH_MASK, name="of_floats"),
    ModelCase(of_ids(lambda: kl.LSTM(3, return_sequences=True)), IDS, "lstm"),
    ModelCase(
        of_ids(layers.MaskedGlobalMaxPooling1D), name="with inputs made up"
    ),
]
BROKEN = [
    broken(
        "model-runs",
        "an empty row divides by 0",
        of_ids(NoEmptyRow),
        inputs=EMPTY,
        name="empty row",
    ),
    broken("model-runs", "it raises", of_ids(Raises), name="raises"),
    broken(
        "model-more-padding",
        "a mean over all steps",
        of_ids(AllSteps),
        LENGTH,
        name="all steps",
    ),
    broken(
        "model-more-padding",
        "the mask is ignored",
        of_ids(IgnoresMask),
        LENGTH,
        name="ignores mask",
    ),
    broken(
        "model-alone-equals-batched",
        "rows are mixed",
        of_ids(LessTheBatch),
        name="less the batch",
    ),
    broken(
        "model-alone-equals-batched",
        "a sum is divided by the longest row",
        of_ids(ByTheLongest),
        name="by the longest",
    ),
    broken(
        "model-pad-value",
        "NaN * 0 is NaN",
        of_floats(Multiplies),
        inputs=WITH_MASK,
        name="multiplies",
    ),
    broken(
        "model-pad-value",
        "padding is summed, and is 0 by chance",
        of_floats(SumsAll),
        inputs=WITH_MASK,
        name="sums all",
    ),
    broken(
        "model-mask-reaches-outputs",
        "a layer without supports_masking",
        of_ids(NoMaskOut),
        name="no mask out",
    ),
    broken(
        "model-mask-reaches-outputs",
        "code that makes a tensor",
        of_ids(lambda: lambda x: x * 2),
        name="by code",
    ),
    broken(
        "model-save-load",
        "the config omits the scale",
        of_ids(lambda: Scale(3.0), Pool),
        name="scale",
    ),
    broken(
        "model-save-load",
        "numbers that are no weights",
        of_ids(NoWeight, Pool),
        name="no weight",
    ),
    broken(
        "model-compiled",
        "without values, the mask is not used",
        of_ids(Columns, NeedsValues),
        LEFT,
        backends=GRAPHS,
        name="needs values",
    ),
    broken(
        "model-compiled",
        "another number in a graph",
        of_ids(Counts),
        backends=GRAPHS,
        name="counts",
    ),
    broken(
        "model-left-padding",
        "the first column",
        of_ids(FirstColumn),
        name="first column",
    ),
    broken(
        "model-left-padding",
        "positions are columns",
        of_ids(Columns, Pool),
        name="columns",
    ),
]

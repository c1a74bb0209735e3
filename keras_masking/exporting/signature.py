"""The inputs and outputs of a model, flat and with names."""

from collections.abc import Sequence
from dataclasses import dataclass
from keyword import iskeyword
from typing import Any
from typing import NamedTuple
from typing import NoReturn

import keras
import numpy as np

from keras_masking._types import Tensor
from keras_masking.errors import describe

CALLER = "`export`"


class Slot(NamedTuple):
    """One input: its name, its shape with None for any size, its dtype."""

    name: str
    shape: tuple[int | None, ...]
    dtype: str


@dataclass(frozen=True)
class Signature:
    """The inputs of a model as a flat tuple.

    `structure` is what the model takes, with the place of each input in
    `slots`. `given` has the batch of a user, flat, or None.
    """

    slots: tuple[Slot, ...]
    structure: Any
    given: tuple[np.ndarray, ...] | None = None

    @property
    def names(self) -> list[str]:
        return [slot.name for slot in self.slots]

    def pack(self, tensors: Sequence[Tensor]) -> Any:
        """The tensors as the model takes them."""
        return keras.tree.map_structure(lambda i: tensors[i], self.structure)


def read_signature(
    model: Any, inputs: Any = None, names: Sequence[str] | None = None
) -> Signature:
    """The signature of a model, which `inputs` give if it has none itself.

    Raises:
        ValueError: If the model or its inputs are unknown or have no names.
    """
    if not isinstance(model, keras.Model):
        _refuse(
            "`model` must be a `keras.Model`.",
            "Put a layer into a model: `keras.Sequential([keras.Input((None, "
            "4)), layer])`.",
            model=type(model).__name__,
        )
    tensors = known_inputs(model)
    if not tensors and inputs is None:
        _refuse(
            "the shapes of the model's inputs are not known.",
            "Begin the model with `keras.Input`, or pass `inputs`."
            if isinstance(model, keras.Sequential)
            else "Pass `inputs`, a batch as for `predict`.",
            model=f"{type(model).__name__} {model.name!r}, "
            f"{'built' if model.built else 'not built'}",
        )
    arrays = None if inputs is None else _arrays(inputs)
    if tensors:
        nested = isinstance(model, keras.Sequential)
        template = tensors[0] if nested else model.input
        slots = [(_dtype(x), tuple(x.shape)) for x in tensors]
        if arrays is not None:
            _require_fit(tensors, arrays)
            arrays = [x.astype(dtype) for x, (dtype, _) in zip(arrays, slots)]
    else:
        assert arrays is not None  # noqa: S101  refused above
        template = inputs
        slots = [(str(x.dtype), _open(x)) for x in arrays]
    places = list(range(len(slots)))
    structure = keras.tree.pack_sequence_as(template, places)
    named = _names(template, tensors, names, len(slots))
    shapes = [(None, *shape[1:]) for _, shape in slots]
    return Signature(
        tuple(
            Slot(name, shape, dtype)
            for name, shape, (dtype, _) in zip(named, shapes, slots)
        ),
        structure,
        None if arrays is None else tuple(arrays),
    )


def known_inputs(model: Any) -> Any:
    """The symbolic inputs of a model, or None.

    A Sequential model without `keras.Input` has those of its first call, with
    the sizes and the dtype of that batch: they are no signature.
    """
    tensors = getattr(model, "inputs", None)
    if tensors and isinstance(model, keras.Sequential):
        first = tensors[0]
        if first.shape[0] is not None and first.name.startswith("keras_tensor"):
            return None
    return tensors


def _dtype(tensor: Any) -> str:
    # NumPy has no bfloat16, nor do most runtimes; the model casts its inputs.
    return "float32" if tensor.dtype == "bfloat16" else str(tensor.dtype)


def _arrays(inputs: Any) -> list[np.ndarray]:
    arrays = []
    for x in keras.tree.flatten(inputs):
        x = np.asarray(keras.ops.convert_to_numpy(x))
        if x.dtype.kind not in "biuf":
            _refuse(
                "`inputs` must be arrays of numbers.",
                "Pass one batch, as for `predict_on_batch`.",
                dtype=x.dtype,
            )
        if x.dtype == "float64":
            x = x.astype(keras.config.floatx())
        arrays.append(x.astype("int32") if x.dtype == "int64" else x)
    rows = {x.shape[:1] for x in arrays}
    if len(rows) != 1 or not all(rows) or not len(arrays[0]):
        _refuse(
            "`inputs` must have one number of rows, at least one.",
            "Pass one batch, as for `predict_on_batch`.",
            shapes=[x.shape for x in arrays],
        )
    return arrays


def _require_fit(tensors: Any, arrays: list[np.ndarray]) -> None:
    shapes = [tuple(x.shape) for x in tensors]
    found = [x.shape for x in arrays]
    fit = len(shapes) == len(found) and all(
        len(a) == len(b) and all(n in (None, m) for n, m in zip(a, b))
        for a, b in zip(shapes, found)
    )
    if not fit:
        _refuse(
            "`inputs` must fit the inputs of the model.",
            f"The model takes the shapes {shapes}.",
            shapes=found,
        )


def _open(x: np.ndarray) -> tuple[int | None, ...]:
    """The shape of a batch, in which axis 1 is open if it may be steps."""
    steps = x.ndim > 2 or (x.ndim == 2 and x.dtype.kind != "f")
    if steps and x.shape[1] > 1:
        return (None, None, *x.shape[2:])
    return (None, *x.shape[1:])


def _names(
    template: Any, tensors: Any, names: Sequence[str] | None, count: int
) -> list[str]:
    if names is not None:
        found = list(names)
        if len(found) != count or not all(isinstance(n, str) for n in found):
            _refuse(
                f"`names` must name each of the {count} inputs.",
                "Pass a list of strings, in the order of the inputs.",
                names=names,
            )
    elif isinstance(template, dict) and len(template) == count:
        found = keras.tree.flatten({key: str(key) for key in template})
    else:
        found = [x.name for x in tensors] if tensors else [""] * count
        found = ["" if n.startswith("keras_tensor") else n for n in found]
        if count == 1 and (not found[0] or found[0].startswith("input_layer")):
            found = ["inputs"]
    if not all(found) or len(set(found)) < count:
        _refuse(
            "each input needs a name of its own: a runtime takes inputs by "
            "their names.",
            "Name them where they are made, `keras.Input((None,), "
            "name='tokens')`, or pass `names=[...]`.",
            names=found,
        )
    bad = [n for n in found if not n.isidentifier() or iskeyword(n)]
    bad += [name for name in found if name == "self"]
    if bad:
        _refuse(
            "the name of an input must be a Python name.",
            "Pass `names=[...]` with letters, digits and underscores.",
            names=bad,
        )
    return found


def named_outputs(outputs: Any) -> dict[str, Tensor]:
    """The outputs by name: keys of a dict, else `output_0` and so on."""
    flat = keras.tree.flatten(outputs)
    if isinstance(outputs, dict) and len(outputs) == len(flat):
        keys = keras.tree.flatten({key: str(key) for key in outputs})
        return dict(zip(keys, flat))
    return {f"output_{i}": x for i, x in enumerate(flat)}


def _refuse(rule: str, fix: str, **received: object) -> NoReturn:
    raise ValueError(describe(CALLER, rule, fix, **received))

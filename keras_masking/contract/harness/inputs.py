"""The inputs of a layer under test: example arrays, and how they are passed."""

from typing import Any

import keras
import numpy as np
from keras import ops

from keras_masking import layer_calls
from keras_masking._keras import set_mask
from keras_masking.contract.case import Case
from keras_masking.contract.case import TargetError
from keras_masking.contract.harness import batches
from keras_masking.contract.harness import mask_argument
from keras_masking.contract.harness.batches import Batch
from keras_masking.contract.harness.examples import example
from keras_masking.contract.harness.examples import fit_rows
from keras_masking.contract.harness.violations import NotApplicable

ARGUMENT = "argument"


class Inputs:
    """The example inputs of a `Case`, in one shape."""

    def __init__(
        self,
        case: Case,
        shape: tuple[int, int, int] | None = None,
        seed: int = 0,
    ) -> None:
        self.case = case
        self.seed = seed
        self.shape = shape
        self.argument = mask_argument.find(case)
        others = mask_argument.unmasked(case, self.argument)
        self.structure, leaves = example(case, shape, seed, others)
        self.kwargs_structure = dict(case.call_kwargs)
        if self.argument is not None:
            self.kwargs_structure.pop(self.argument.name, None)
            leaves, others = self.argument.take_out(leaves, others)
        fixed = fit_rows(self.kwargs_structure, leaves[0].shape[0])
        batch = Batch(leaves, (None,) * len(leaves), fixed, others)
        if not batch.sequences:
            raise TargetError(
                "`inputs` must hold a sequence (batch, steps, ...) to mask. "
                f"Received: {[leaf.shape for leaf in leaves]}."
            )
        self.batch = batches.with_masks(batch, "right")

    def tensors(self, batch: Batch, attached: bool = True) -> list[Any]:
        """The leaves as tensors.

        They carry the masks, unless the layer takes its mask as an argument.
        """
        if not attached or self.argument is not None:
            batch = batches.without_masks(batch)
        pairs = zip(batch.leaves, batch.masks, strict=True)
        return [layer_calls.new_masked_tensor(x, m) for x, m in pairs]

    def pack(self, leaves: list[Any], given: Any = None) -> Any:
        """The leaves in the structure of the inputs.

        `given` goes where the layer takes its mask as one of its inputs.
        """
        flat = list(leaves)
        if self.argument is not None and self.argument.place is not None:
            flat.insert(self.argument.place, given)
        return keras.tree.pack_sequence_as(self.structure, flat)

    def kwargs(self, batch: Batch) -> dict[str, Any]:
        rows = iter(batch.fixed)
        flat = [
            next(rows) if isinstance(leaf, np.ndarray) and leaf.ndim else leaf
            for leaf in keras.tree.flatten(self.kwargs_structure)
        ]
        packed = keras.tree.pack_sequence_as(self.kwargs_structure, flat)
        return dict(packed)

    def given(self, batch: Batch) -> np.ndarray | None:
        """What the mask argument of the layer gets, if it has one."""
        return None if self.argument is None else self.argument.array(batch)

    def fed_masks(self, batch: Batch) -> dict[str, np.ndarray]:
        """The masks of a batch as data: by the place of the leaf they mask.

        Or, as `ARGUMENT`, what the mask argument of the layer gets.
        """
        if self.argument is None:
            masks = enumerate(batch.masks)
            return {str(i): m for i, m in masks if m is not None}
        given = self.given(batch)
        return {} if given is None else {ARGUMENT: given}

    def apply_fed(
        self,
        layer: Any,
        leaves: list[Any],
        masks: dict[str, Any],
        **kwargs: Any,
    ) -> Any:
        """Calls `layer` on leaves without a mask, and masks that are data."""
        carried = [ops.copy(x) for x in leaves]
        for place, mask in masks.items():
            if place != ARGUMENT:
                set_mask(carried[int(place)], mask)
        return self.apply(layer, carried, masks.get(ARGUMENT), **kwargs)

    def given_tensor(self, batch: Batch) -> Any:
        given = self.given(batch)
        return None if given is None else layer_calls.new_tensor(given)

    def apply(
        self, layer: Any, leaves: list[Any], given: Any, /, **kwargs: Any
    ) -> Any:
        """Calls `layer`; its mask argument, if it has one, gets `given`.

        A tuple as the structure of the inputs is several arguments.
        """
        inputs = self.pack(leaves, given)
        argument = self.argument
        if given is not None and argument is not None and argument.name:
            kwargs[argument.name] = given
        if isinstance(self.structure, tuple):
            return layer(*inputs, **kwargs)
        return layer(inputs, **kwargs)

    def needs_keras_mask(self) -> None:
        """Raises `NotApplicable` if the layer takes its mask as an argument."""
        if self.argument is not None:
            raise NotApplicable(f"the layer takes its mask as {self.argument}")

    def hint(self) -> str:
        """What to declare if an input was taken for a sequence and is none."""
        ranks = [leaf.ndim for leaf in self.batch.leaves]
        flat = [i for i in self.batch.sequences if ranks[i] == 2]
        if self.case.sequences is not None or not flat or max(ranks) == 2:
            return ""
        shape = self.batch.leaves[flat[0]].shape
        deep = [name for name, rank in zip(self._names(), ranks) if rank > 2]
        return (
            f"An input of shape {shape} is taken for a sequence of {shape[1]} "
            "steps. If it has no steps, declare which inputs have some: "
            f"`Case(..., sequences={deep!r})`. Otherwise: "
        )

    def _names(self) -> list[Any]:
        """The positions or keys of the leaves, if they are not nested."""
        inputs = self.case.inputs
        keys = sorted(inputs) if isinstance(inputs, dict) else None
        names: list[Any] = list(keys or range(len(self.batch.leaves)))
        if self.argument is not None and self.argument.place is not None:
            names = list(keys or range(len(names) + 1))
            del names[self.argument.place]
        return names

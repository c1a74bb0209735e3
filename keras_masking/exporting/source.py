"""A model as the converters take it: flat inputs and outputs with names."""

from collections.abc import Callable
from collections.abc import Sequence
from typing import Any

import numpy as np

from keras_masking._types import Tensor
from keras_masking.array_compare import as_array
from keras_masking.exporting.batches import Batches
from keras_masking.exporting.roles import find_roles
from keras_masking.exporting.signature import Signature
from keras_masking.exporting.signature import named_outputs
from keras_masking.exporting.sizes import find_sizes
from keras_masking.ops import plain_formulas

Run = Callable[[Sequence[np.ndarray]], list[np.ndarray]]


class Source:
    """A model, its signature, and how it answers.

    Attributes:
        model: The model; it is called once, so that all of it is built.
        signature: Its inputs.
        sizes: The names of the open sizes.
        batches: Makes batches.
        outputs: The names of the outputs.
        verified: Whether the file will be compared with the model.
    """

    def __init__(
        self, model: Any, signature: Signature, verified: bool = True
    ) -> None:
        self.model, self.signature = model, signature
        self.verified = verified
        if signature.given is not None:
            model(signature.pack(signature.given), training=False)
        self.sizes = find_sizes(model, signature)
        roles = find_roles(model, signature, self.sizes)
        self.batches = Batches(signature, self.sizes, roles)
        answer = model(signature.pack(self.batches.traced()), training=False)
        self.outputs = list(named_outputs(answer))

    @property
    def names(self) -> list[str]:
        """The names of the inputs."""
        return self.signature.names

    def shapes(self) -> list[tuple[int | str, ...]]:
        """The shape of each input, with the names of open sizes."""
        return [
            self.sizes.shape(place, slot)
            for place, slot in enumerate(self.signature.slots)
        ]

    def call(self, *tensors: Tensor) -> Any:
        """The model's answer to flat inputs: a tensor, list or dict."""
        named = self._named(tensors)
        if next(iter(named)) != "output_0":
            return named
        return list(named.values()) if len(named) > 1 else named["output_0"]

    def flat(self, *tensors: Tensor) -> tuple[Tensor, ...]:
        """The same as a tuple."""
        return tuple(self._named(tensors).values())

    def _named(self, tensors: Sequence[Tensor]) -> dict[str, Tensor]:
        with plain_formulas():  # fewer branches for a converter
            answer = self.model(self.signature.pack(tensors), training=False)
        return named_outputs(answer)

    def predict(self, arrays: Sequence[np.ndarray]) -> list[np.ndarray]:
        """What `predict` answers, as arrays in the order of `outputs`."""
        answer = self.model.predict_on_batch(self.signature.pack(arrays))
        return [as_array(x) for x in named_outputs(answer).values()]

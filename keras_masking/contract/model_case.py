"""A model to check, and the inputs to check it with."""

from collections.abc import Mapping
from dataclasses import dataclass
from dataclasses import field
from typing import Any
from typing import ClassVar

import keras

from keras_masking.contract.case import TargetError
from keras_masking.contract.case import create


@dataclass(frozen=True)
class ModelCase:
    """A model to check.

    Args:
        model: A model, which is not changed, or a function without arguments
            that returns one.
        inputs: What the model takes, as for `predict`: a few rows with padding
            in them. By default they are made up from the model's signature.
        name: The name in reports. Defaults to the model's name.
        padding: What padding steps of the inputs hold, for example
            `{"token_ids": 0}`, if no mask says where they are, see
            `inspect_masks`. Guessed if not given.
        expected_failures: Check ids that may fail, each with a reason.
        script: Lines of Python that make the model, the last one an
            expression, for the scripts that reproduce failures.
    """

    model: Any
    inputs: Any = None
    name: str = ""
    padding: Any = None
    expected_failures: Mapping[str, str] = field(default_factory=dict)
    script: str = ""

    kind: ClassVar[str] = "model"

    def __post_init__(self) -> None:
        if not self.name:
            object.__setattr__(self, "name", self._find_name())

    def __str__(self) -> str:
        return self.name

    def make(self) -> keras.Model:
        """Returns the model."""
        made = self.model
        if not isinstance(made, keras.layers.Layer):
            made = self._call(made)
        if isinstance(made, keras.Model):
            return made
        kind = type(made).__name__
        if isinstance(made, keras.layers.Layer):
            raise TargetError(
                f"{self.name} is a layer, not a model: use `check_layer`."
            )
        raise TargetError(
            f"{self.name} is not a model: it returned {kind}. Pass a "
            "`keras.Model`, or a function that returns one."
        )

    def _call(self, make: Any) -> Any:
        if not callable(make):
            raise TargetError(
                "A target must be a `keras.Model` or a function that returns "
                f"one. Received: {make!r}."
            )
        return create(self.name, make, "TheModel(...)")

    def _find_name(self) -> str:
        model = self.model
        if isinstance(model, keras.layers.Layer):
            return str(model.name)
        name = getattr(model, "__name__", type(model).__name__)
        return "model" if name == "<lambda>" else str(name)

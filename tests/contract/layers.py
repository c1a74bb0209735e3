"""What the broken and the sound layers begin with, and what they are fed."""

from typing import Any

import keras
import numpy as np

X = np.random.default_rng(0).normal(size=(3, 6, 4)).astype("float32")
Y = np.random.default_rng(1).normal(size=(3, 6, 4)).astype("float32")
IDS = np.array(
    [[3, 1, 4, 1, 5, 2], [2, 6, 5, 3, 0, 0], [5, 0, 0, 0, 0, 0]], "int32"
)


class Layer(keras.layers.Layer):
    """Hands its mask on."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.supports_masking = True


class Pool(keras.layers.Layer):
    """Takes the step axis away, and the mask with it."""

    def compute_mask(self, inputs: Any, mask: Any = None) -> Any:
        return None

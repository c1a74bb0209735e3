"""The data that contenders are called with: always the same."""

from dataclasses import dataclass
from functools import cached_property
from functools import lru_cache
from typing import Any

import numpy as np
from keras import ops

from benchmarks.row import Shape

IDS = 1000


@dataclass(frozen=True)
class Batch:
    """Sequences of random lengths, padded on the right.

    `padding` is the mean share of padding; `nan` puts NaN there.
    """

    shape: Shape
    dtype: str = "float32"
    padding: float = 0.5
    nan: bool = False

    @cached_property
    def counts(self) -> np.ndarray:
        steps, share = self.shape[1], 1 - self.padding
        width = min(share, 1 - share)
        low, high = (share - width) * steps, (share + width) * steps
        random = np.random.default_rng(0).uniform(low, high, self.shape[0])
        return np.clip(np.rint(random), 1, steps).astype("int32")

    @cached_property
    def real(self) -> np.ndarray:
        return np.arange(self.shape[1]) < self.counts[:, None]

    def numbers(self, seed: int) -> np.ndarray:
        x = np.random.default_rng(seed).standard_normal(self.shape, "float32")
        return np.where(self.real[..., None] | (not self.nan), x, np.nan)

    def tensor(self, x: np.ndarray) -> Any:
        return ops.convert_to_tensor(x.astype("float32"), self.dtype)

    @cached_property
    def x(self) -> Any:
        if self.padding != 0.5 and not self.nan:
            return batch(self.shape, self.dtype).x  # one tensor in the cache
        return self.tensor(self.numbers(0))

    @cached_property
    def other(self) -> Any:
        return self.tensor(self.numbers(1))

    @cached_property
    def mask(self) -> Any:
        return ops.convert_to_tensor(self.real)

    @cached_property
    def ids(self) -> Any:
        ids = np.random.default_rng(2).integers(1, IDS, self.shape[:2])
        return ops.convert_to_tensor(np.where(self.real, ids, 0), "int32")

    @cached_property
    def classes(self) -> Any:
        """A distribution over the features at each step."""
        x = np.exp(self.numbers(3))
        return self.tensor(x / x.sum(-1, keepdims=True))

    @cached_property
    def lengths(self) -> Any:
        return ops.convert_to_tensor(self.counts)

    @cached_property
    def carrying(self) -> Any:
        """Carries the mask, as the output of a layer does."""
        x = self.tensor(self.numbers(4))
        x._keras_mask = self.mask
        return x

    def read(self, names: str) -> tuple[Any, ...]:
        return tuple(getattr(self, name) for name in names.split())


batch = lru_cache(5)(Batch)  # of one shape: a half, two other shares, NaN

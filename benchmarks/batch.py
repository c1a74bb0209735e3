"""The data that contenders are called with: always the same."""

from dataclasses import dataclass
from functools import cache
from functools import cached_property
from functools import lru_cache
from typing import Any

import numpy as np
from keras import ops

from benchmarks.row import Shape

IDS = 1000
HALF = 0.5


@dataclass(frozen=True)
class Batch:
    """Sequences of random lengths, padded on the right.

    `padding` is the mean share of padding; `nan` says what stands there.
    """

    shape: Shape
    dtype: str = "float32"
    padding: float = HALF
    nan: bool = False

    @cached_property
    def lengths(self) -> np.ndarray:
        steps, share = self.shape[1], 1 - self.padding
        width = min(share, 1 - share)
        low, high = (share - width) * steps, (share + width) * steps
        random = np.random.default_rng(0).uniform(low, high, self.shape[0])
        return np.clip(np.rint(random), 1, steps).astype("int32")

    @cached_property
    def real(self) -> np.ndarray:
        return np.arange(self.shape[1]) < self.lengths[:, None]

    def numbers(self, seed: int) -> np.ndarray:
        x = _numbers(self.shape, seed)
        if self.nan:
            x = np.where(self.real[..., None], x, np.float32(np.nan))
        return x

    @cached_property
    def x(self) -> Any:
        if self.padding != HALF and not self.nan:
            return batch(self.shape, self.dtype).x  # one tensor in the cache
        return ops.convert_to_tensor(self.numbers(0), self.dtype)

    @cached_property
    def other(self) -> Any:
        return ops.convert_to_tensor(self.numbers(1), self.dtype)

    @cached_property
    def mask(self) -> Any:
        return ops.convert_to_tensor(self.real)

    @cached_property
    def real_lengths(self) -> Any:
        return ops.convert_to_tensor(self.lengths)

    @cached_property
    def ids(self) -> Any:
        ids = np.random.default_rng(2).integers(1, IDS, self.shape[:2])
        return ops.convert_to_tensor(np.where(self.real, ids, 0), "int32")

    @cached_property
    def classes(self) -> Any:
        """A distribution over the features at each step."""
        x = np.exp(self.numbers(3))
        return ops.convert_to_tensor(x / x.sum(-1, keepdims=True), self.dtype)

    @cached_property
    def steps(self) -> np.ndarray:
        """The real steps alone, one behind the other."""
        return self.numbers(0)[self.real]

    @cached_property
    def offsets(self) -> np.ndarray:
        """Where each row starts in `steps`, and where the last one ends."""
        return np.concatenate([[0], np.cumsum(self.lengths)]).astype("int64")


@lru_cache(8)
def _numbers(shape: Shape, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(shape, "float32")


@cache
def _kept() -> dict[Batch, Batch]:
    return {}


def batch(
    shape: Shape,
    dtype: str = "float32",
    padding: float = HALF,
    nan: bool = False,
) -> Batch:
    """A batch, kept until one of another shape is asked for."""
    made = Batch(tuple(shape), dtype, padding, nan)
    kept = _kept()
    if any(other.shape != made.shape for other in kept):
        kept.clear()
    return kept.setdefault(made, made)

"""Batches of any library: read, rewritten, and handed on."""

from collections import deque
from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Mapping
from threading import Lock
from typing import Any
from typing import NamedTuple

import keras
import numpy as np
from keras import ops
from keras import tree

from keras_masking.errors import describe


class Batch(NamedTuple):
    """A batch as NumPy arrays, or structures of them."""

    x: Any
    y: Any = None
    weights: Any = None


def read_batch(caller: str, batch: Any) -> Batch:
    """`batch` as NumPy arrays."""
    parts = tuple(batch) if isinstance(batch, (tuple, list)) else (batch,)
    if not 1 <= len(parts) <= 3:
        raise ValueError(
            describe(
                caller,
                "a batch must be `x`, `(x, y)` or `(x, y, sample_weight)`.",
                "Put several inputs in a list or a dict.",
                parts=len(parts),
            )
        )
    return Batch(*(tree.map_structure(_to_numpy, part) for part in parts))


def _to_numpy(x: Any) -> Any:
    if x is None or isinstance(x, np.ndarray):
        return x
    return np.asarray(ops.convert_to_numpy(x) if ops.is_tensor(x) else x)


def rows_of(caller: str, batch: Batch) -> int:
    """The number of rows, the same in all arrays of a batch."""
    arrays = [x for x in tree.flatten(tuple(batch)) if x is not None]
    sizes = {x.shape[0] if x.ndim else None for x in arrays}
    if len(sizes) != 1 or None in sizes:
        raise ValueError(
            describe(
                caller,
                "all arrays of a batch must have the same number of rows.",
                "The first axis of each is the batch.",
                shapes=[x.shape for x in arrays],
            )
        )
    (rows,) = sizes
    return int(rows or 0)


def length_of(batches: Any) -> int | None:
    """The number of batches, or None if it is not known."""
    if isinstance(batches, keras.utils.PyDataset):
        length: int | None = batches.num_batches
        return length
    try:
        return len(batches)
    # `tf.data` and PyTorch raise it where the number is not known.
    except TypeError:
        return None


def rewritten(
    caller: str,
    batches: Iterable[Any],
    rewrite: Callable[[Iterator[Batch]], Iterator[Any]],
    group: int = 1,
) -> Any:
    """Batches that `rewrite` makes of `group` ones at a time.

    A `PyDataset` if the number of batches is known, else a generator.
    """
    arrays = (np.ndarray, Mapping, str)
    if not isinstance(batches, Iterable) or isinstance(batches, arrays):
        raise ValueError(
            describe(
                caller,
                "`batches` must be a `keras.utils.PyDataset`, a generator, a "
                "`tf.data.Dataset`, a PyTorch `DataLoader` or a list of "
                "batches.",
                "Cut arrays into batches first.",
                batches=type(batches).__name__,
            )
        )
    length = length_of(batches)
    if length is None:
        return rewrite(read_batch(caller, batch) for batch in batches)
    return RewrittenBatches(caller, batches, rewrite, group, length)


class RewrittenBatches(keras.utils.PyDataset):
    """Batches of a source that are rewritten while they are read.

    They are read in order, except those of a `PyDataset` that do not depend on
    each other.
    """

    def __init__(
        self,
        caller: str,
        source: Any,
        rewrite: Callable[[Iterator[Batch]], Iterator[Any]],
        group: int,
        length: int,
    ) -> None:
        super().__init__()
        self._caller = caller
        self._source = source
        self._rewrite = rewrite
        self._group = group
        self._length = -(-length // group) * group
        self._lock = Lock()
        # With one alone every other order of batches is noticed.
        limit = 1 if group > 1 else 3
        # Iterators and the index of the next batch of each: TensorFlow starts
        # one before it has finished the last one, if batches are distributed.
        self._open: deque[tuple[int, Iterator[Any]]] = deque(maxlen=limit)

    def __len__(self) -> int:
        return self._length

    def __getitem__(self, index: int) -> Any:
        dataset = isinstance(self._source, keras.utils.PyDataset)
        if dataset and self._group == 1:
            read = self._read([self._source[index]])
            return next(self._rewrite(read))
        with self._lock:
            batches = self._resume(index)
            batch = next(batches, None)
            if batch is None:
                raise self._too_few(index)
            self._open.append((index + 1, batches))
            return batch

    def _resume(self, index: int) -> Iterator[Any]:
        """The iterator whose next batch is that of `index`."""
        if index == 0:
            return self._rewrite(self._read(self._source))
        for place, (following, batches) in enumerate(self._open):
            if following == index:
                del self._open[place]
                return batches
        raise self._not_in_order(index)

    def _read(self, batches: Iterable[Any]) -> Iterator[Batch]:
        return (read_batch(self._caller, batch) for batch in batches)

    def _not_in_order(self, index: int) -> ValueError:
        return ValueError(
            describe(
                self._caller,
                "batches must be read in order.",
                "Pass `shuffle=False` to `fit`, which shuffles batches by "
                "default, and shuffle the sequences before they are batched.",
                index=index,
                expected=max((i for i, _ in self._open), default=0),
            )
        )

    def _too_few(self, index: int) -> ValueError:
        return ValueError(
            describe(
                self._caller,
                "`batches` must have as many batches as `len(batches)`.",
                "A generator can be read once: pass a dataset or a list.",
                batches=index,
                length=self._length,
            )
        )

    def on_epoch_begin(self) -> None:
        if hasattr(self._source, "on_epoch_begin"):
            self._source.on_epoch_begin()

    def on_epoch_end(self) -> None:
        if hasattr(self._source, "on_epoch_end"):
            self._source.on_epoch_end()

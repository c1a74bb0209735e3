"""Targets and predictions with padding, and the examples that are tried."""

from collections.abc import Iterator
from dataclasses import dataclass
from dataclasses import replace

import numpy as np

from keras_masking.array_compare import spread
from keras_masking.contract.harness.batches import make_mask
from keras_masking.contract.harness.examples import resize

SHAPE = (3, 6, 4)
CLASSES = 7  # more than the usual k of a top-k metric


@dataclass(frozen=True)
class ScoreBatch:
    """Targets, predictions, and the mask that the predictions carry."""

    y_true: np.ndarray
    y_pred: np.ndarray
    mask: np.ndarray | None = None

    @property
    def rows(self) -> int:
        return len(self.y_pred)

    @property
    def steps(self) -> int:
        return int(self.y_pred.shape[1])

    @property
    def real(self) -> np.ndarray:
        """The mask, all True if there is none."""
        if self.mask is None:
            return np.ones((self.rows, self.steps), bool)
        return self.mask

    @property
    def targets_have_steps(self) -> bool:
        return self.y_true.shape[:2] == self.y_pred.shape[:2]

    def key(self) -> tuple[object, ...]:
        arrays = (self.y_true, self.y_pred, self.mask)
        return tuple(
            None if a is None else (a.shape, a.dtype.str, a.tobytes())
            for a in arrays
        )


def examples(
    shape: tuple[int, int, int] | None, seed: int
) -> Iterator[tuple[str, ScoreBatch]]:
    """Batches without a mask, and how they are called."""
    rows, steps, features = shape or SHAPE
    rng = np.random.default_rng(seed)
    classes = CLASSES if shape is None else max(2, features)

    def floats(*size: int) -> np.ndarray:
        return rng.uniform(0.1, 0.9, size).round(2).astype("float32")

    def drawn(below: int, *size: int) -> np.ndarray:
        # Neighbours differ, so that one step counts as little as possible.
        first = rng.integers(0, below, size)
        return ((first + np.arange(size[1])[:, None]) % below)[..., 0]

    probabilities = floats(rows, steps, classes)
    probabilities /= probabilities.sum(axis=-1, keepdims=True)
    labels = drawn(classes, rows, steps, 1)
    one_hot = np.eye(classes, dtype="float32")[labels]
    bits = rng.integers(0, 2, (rows, steps, features)).astype("float32")
    guesses = drawn(classes, rows, steps, 1).astype("int32")
    # Half of the guesses are right.
    guesses = np.where(rng.random(guesses.shape) < 0.5, labels, guesses)
    labels, guesses = labels.astype("int32"), guesses.astype("int32")
    x = floats(rows, steps, features), floats(rows, steps, features)
    yield "floats", ScoreBatch(*x)
    yield "classes and probabilities", ScoreBatch(labels, probabilities)
    yield "one-hot and probabilities", ScoreBatch(one_hot, probabilities)
    yield "0 and 1, and probabilities", ScoreBatch(bits, x[1])
    yield "classes and classes", ScoreBatch(labels, guesses)
    yield "two classes and classes", ScoreBatch(labels % 2, guesses % 2)


def given_example(
    y_true: np.ndarray,
    y_pred: np.ndarray,
    shape: tuple[int, int, int] | None,
) -> ScoreBatch:
    """The user's arrays, in the requested rows and steps."""
    y_true, y_pred = np.asarray(y_true), np.asarray(y_pred)
    batch = ScoreBatch(
        *(
            x.astype("float32") if x.dtype == "float64" else x
            for x in (y_true, y_pred)
        )
    )
    if shape is None:
        return batch
    rows, steps, _ = shape
    of_target = steps if batch.targets_have_steps else 0
    return ScoreBatch(
        resize(batch.y_true, rows, of_target),
        resize(batch.y_pred, rows, steps),
    )


def masked(batch: ScoreBatch, kind: str = "right") -> ScoreBatch:
    return replace(batch, mask=make_mask(batch.rows, batch.steps, kind))


def without_mask(batch: ScoreBatch) -> ScoreBatch:
    return replace(batch, mask=None)


def fill(
    batch: ScoreBatch,
    y_true: np.ndarray | float | None = None,
    y_pred: np.ndarray | float | None = None,
) -> ScoreBatch:
    """The batch with other targets and predictions at padding steps."""

    def put(x: np.ndarray, value: np.ndarray | float | None) -> np.ndarray:
        if value is None:
            return x
        real = spread(batch.real, x.ndim)
        return np.where(real, x, value).astype(x.dtype)

    if not batch.targets_have_steps:
        y_true = None
    return replace(
        batch,
        y_true=put(batch.y_true, y_true),
        y_pred=put(batch.y_pred, y_pred),
    )


def shuffled(batch: ScoreBatch) -> ScoreBatch:
    """Other valid values at padding: those of other steps of the batch."""
    return fill(
        batch,
        batch.y_true[:, ::-1] if batch.targets_have_steps else None,
        np.roll(batch.y_pred, 1, axis=1),
    )


def pad(batch: ScoreBatch, more: int, left: bool = False) -> ScoreBatch:
    """The batch with more padding steps, which repeat real ones."""

    def longer(x: np.ndarray) -> np.ndarray:
        parts = [x, resize(x, len(x), max(more, x.shape[1]))[:, :more]]
        return np.concatenate(parts[::-1] if left else parts, axis=1)

    widths = ((0, 0), (more, 0) if left else (0, more))
    y_true = batch.y_true
    return ScoreBatch(
        longer(y_true) if batch.targets_have_steps else y_true,
        longer(batch.y_pred),
        np.pad(batch.real, widths),
    )


def alone(batch: ScoreBatch, row: int) -> ScoreBatch:
    """One row without its padding, with a mask that is all True."""
    steps = batch.real[row]
    y_true = batch.y_true[row : row + 1]
    return ScoreBatch(
        y_true[:, steps] if batch.targets_have_steps else y_true,
        batch.y_pred[row : row + 1][:, steps],
        np.ones((1, int(steps.sum())), bool),
    )


def one_step(batch: ScoreBatch, row: int, step: int) -> ScoreBatch:
    """One step, without a mask."""
    at = (slice(row, row + 1), slice(step, step + 1))
    return ScoreBatch(batch.y_true[at], batch.y_pred[at])


def take_rows(batch: ScoreBatch, rows: list[int]) -> ScoreBatch:
    mask = None if batch.mask is None else batch.mask[rows]
    return ScoreBatch(batch.y_true[rows], batch.y_pred[rows], mask)


def empty_rows(batch: ScoreBatch, rows: list[int]) -> ScoreBatch:
    """The batch with rows in which no step is real."""
    mask = np.array(batch.real)
    mask[rows] = False
    return replace(batch, mask=mask)


def repeated(batch: ScoreBatch, times: np.ndarray) -> ScoreBatch:
    """A batch in which each real step occurs as often as `times` says."""
    parts = []
    for least in range(1, int(times.max()) + 1):
        mask = batch.real & (times >= least)
        rows = np.nonzero(mask.any(axis=1))[0]
        parts.append(take_rows(replace(batch, mask=mask), [*rows]))
    return ScoreBatch(
        np.concatenate([part.y_true for part in parts]),
        np.concatenate([part.y_pred for part in parts]),
        np.concatenate([part.real for part in parts]),
    )

"""Compares what a file answers with what its model predicts."""

from collections.abc import Iterable
from typing import Any

import numpy as np

from keras_masking._keras import get_mask
from keras_masking._keras import with_sublayers
from keras_masking.array_compare import TOLERANCE
from keras_masking.array_compare import as_array
from keras_masking.array_compare import differences
from keras_masking.array_compare import magnitude
from keras_masking.array_compare import spread
from keras_masking.errors import first_words
from keras_masking.exporting.batches import NAN
from keras_masking.exporting.batches import Batch
from keras_masking.exporting.quiet import quiet
from keras_masking.exporting.report import Compared
from keras_masking.exporting.signature import named_outputs
from keras_masking.exporting.source import Run
from keras_masking.exporting.source import Source


class Verified:
    """What a comparison found.

    Attributes:
        compared: One entry for each batch.
        notes: What was not compared, and why.
        failed: The first batch that the file answered otherwise, or None.
        error: What the runtime said of that batch, or "".
    """

    def __init__(self) -> None:
        self.compared: list[Compared] = []
        self.notes: list[str] = []
        self.failed: Batch | None = None
        self.error = ""


def verify(
    source: Source,
    run: Run,
    batches: Iterable[Batch],
    tolerance: float | None = None,
) -> Verified:
    """Compares the file with the model, on each batch.

    Batches that the model itself cannot predict are left out, with a note.
    """
    found = Verified()
    relative = tolerance or _tolerance(source.model)
    for batch in batches:
        name = f"{batch.kind}, {batch.rows} rows of {batch.steps} steps"
        try:
            with quiet():
                wanted = source.predict(batch.arrays)
        except Exception as error:
            found.notes.append(
                f"Not compared, since `predict` fails too: {name}: "
                f"{first_words(error)}"
            )
            continue
        if batch.kind == NAN and not all(map(_finite, wanted)):
            found.notes.append(
                f"Not compared, since `predict` answers NaN too: {name}."
            )
            continue
        try:
            with quiet():
                answers = run(batch.arrays)
            one = _compare(source, batch, answers, wanted, relative)
        except Exception as error:
            if not any(x.size for x in wanted):
                found.notes.append(
                    f"Not compared, since the answer is empty: {name}: the "
                    f"file raises {type(error).__name__}."
                )
                continue
            found.error = found.error or (
                f"{type(error).__name__}: {first_words(error)}"
            )
            one = Compared(
                batch.kind, batch.rows, batch.steps, np.inf, 0.0, "it failed"
            )
        found.compared.append(one)
        if not one.ok and found.failed is None:
            found.failed = batch
    return found


def _finite(x: np.ndarray) -> bool:
    return x.dtype.kind != "f" or bool(np.isfinite(x).all())


def _tolerance(model: Any) -> float:
    """Relative to the largest answer, by the least exact dtype inside."""
    dtypes = {getattr(x, "compute_dtype", "") for x in with_sublayers(model)}
    return max(TOLERANCE.get(str(d), TOLERANCE["float32"]) for d in dtypes)


def _compare(
    source: Source,
    batch: Batch,
    answers: list[np.ndarray],
    wanted: list[np.ndarray],
    relative: float,
) -> Compared:
    worst = Compared(batch.kind, batch.rows, batch.steps, 0.0, relative)
    share, masks = 0.0, None
    for place, (name, x, y) in enumerate(zip(source.outputs, answers, wanted)):
        allowed = relative * max(1.0, magnitude(y))
        if y.dtype.kind not in "fV":
            allowed = 0.0
        if x.shape != y.shape:
            where = f"{name} has the shape {x.shape}, not {y.shape}"
            return worst._replace(largest=np.inf, where=where)
        gaps = differences(np.asarray(x), y)
        if gaps.size and gaps.max() > allowed:
            # What an output holds at its own padding steps is no answer.
            masks = masks or output_masks(source, batch)
            if (mask := masks[place]) is not None:
                gaps = np.where(spread(mask, gaps.ndim), gaps, 0.0)
        if not gaps.size:
            continue
        largest = float(gaps.max())
        if largest > share * allowed:
            share = largest / allowed if allowed else np.inf
            at = np.unravel_index(int(gaps.argmax()), gaps.shape)
            places = ", ".join(str(int(i)) for i in at)
            worst = worst._replace(
                largest=largest,
                allowed=allowed,
                where=f"{name}[{places}] is {x[at]:.6g}, not {y[at]:.6g}",
            )
    return worst


def output_masks(source: Source, batch: Batch) -> list[np.ndarray | None]:
    """The mask that each output carries, as NumPy."""
    with quiet():
        answer = source.model(
            source.signature.pack(batch.arrays), training=False
        )
    masks = [get_mask(x) for x in named_outputs(answer).values()]
    return [None if mask is None else as_array(mask) for mask in masks]

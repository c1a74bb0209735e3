"""One loss or metric under test, with the targets that it takes."""

from collections.abc import Iterator
from functools import cached_property
from typing import Any

import keras
import numpy as np

from keras_masking import layer_calls
from keras_masking.array_compare import TOLERANCE
from keras_masking.array_compare import as_array
from keras_masking.array_compare import differences
from keras_masking.array_compare import magnitude
from keras_masking.contract.harness import score_batches
from keras_masking.contract.harness.score_batches import ScoreBatch
from keras_masking.contract.harness.violations import CallFailed
from keras_masking.contract.harness.violations import ContractViolation
from keras_masking.contract.harness.violations import NotApplicable
from keras_masking.contract.score_case import ScoreCase


class ScoreHarness:
    """The loss or metric of a case, with an example batch of one shape."""

    def __init__(
        self,
        case: ScoreCase,
        shape: tuple[int, int, int] | None = None,
        seed: int = 0,
        example: str = "",
    ) -> None:
        self.case = case
        self.seed = seed
        self._memory: dict[Any, np.ndarray] = {}
        self.refused: dict[str, str] = {}
        self.example = ""
        for name, batch in self._examples(shape):
            if example and name != example:
                continue
            self.batch = score_batches.masked(batch)
            self.refused[name] = self._why_not(batch)
            if not self.refused[name]:
                self.example = name
                break

    def _examples(
        self, shape: tuple[int, int, int] | None
    ) -> Iterator[tuple[str, ScoreBatch]]:
        case = self.case
        if case.y_pred is None:
            yield from score_batches.examples(shape, self.seed)
        else:
            yield (
                "given",
                score_batches.given_example(case.y_true, case.y_pred, shape),
            )

    def _why_not(self, plain: ScoreBatch) -> str:
        """Why the example shows nothing, or ''. Judged without a mask."""
        with_mask = self.batch
        other = score_batches.shuffled(with_mask)
        other = ScoreBatch(other.y_true, other.y_pred)
        try:
            first, second = self.value(plain), self.value(other)
        except CallFailed as error:
            return error.seen
        if not np.isfinite(first).all():
            return f"{self.case.name} is {text(first)} without padding"
        if not np.isfinite(second).all() or alike(first, second):
            return "it does not depend on the predictions"
        return ""

    # Its numbers.

    def new(self) -> Any:
        keras.utils.set_random_seed(self.seed)
        return self.case.make()

    def value(
        self, batch: ScoreBatch, weights: np.ndarray | None = None
    ) -> np.ndarray:
        """What the score gives for a batch, as numbers; results are cached."""
        how = None if weights is None else (weights.shape, weights.tobytes())
        key = (batch.key(), how)
        if key not in self._memory:
            try:
                self._memory[key] = self._value(batch, weights)
            except Exception as error:
                raise CallFailed(error, _call(batch, weights)) from error
        return self._memory[key]

    def _value(
        self, batch: ScoreBatch, weights: np.ndarray | None
    ) -> np.ndarray:
        raise NotImplementedError

    def tensors(
        self, batch: ScoreBatch, weights: np.ndarray | None
    ) -> tuple[Any, Any, dict[str, Any]]:
        """The arguments of a call; the predictions carry the mask."""
        kwargs = {}
        if weights is not None:
            kwargs["sample_weight"] = layer_calls.new_tensor(weights)
        return (
            layer_calls.new_tensor(batch.y_true),
            layer_calls.new_masked_tensor(batch.y_pred, batch.mask),
            kwargs,
        )

    def loaded(self, score: Any) -> Any:
        """The score, serialized and loaded again; its configs are equal."""
        if self.case.of_functions:
            raise NotApplicable("a function has no config")
        module = keras.losses if self.case.kind == "loss" else keras.metrics
        try:
            with keras.saving.custom_object_scope(
                {type(score).__name__: type(score)}
            ):
                loaded = module.deserialize(module.serialize(score))
            configs = [repr(x.get_config()) for x in (score, loaded)]
        except Exception as error:
            raise CallFailed(error, "saving and loading") from error
        if configs[0] != configs[1]:
            raise ContractViolation(
                f"its config goes from {configs[0]} to {configs[1]}"
            )
        return loaded

    @cached_property
    def base(self) -> np.ndarray:
        return self.value(self.batch)

    def hint(self, right: str) -> tuple[str, str]:
        """What comes before a likely cause, and the line to write instead.

        For a score that the proposed `right` line cannot mend; else empty.
        """
        return "", ""

    def needs_rows(self, count: int = 2) -> None:
        if self.batch.rows < count:
            raise NotApplicable("the example has one row")


# Rounding errors of float32 in numbers that cancel.
LEAST = 1e-6


def numbers(result: Any) -> np.ndarray:
    """A result, perhaps a dict, as one array."""
    leaves = [as_array(x) for x in keras.tree.flatten(result)]
    if len(leaves) == 1:
        return np.array(leaves[0])
    return np.concatenate([np.ravel(x) for x in leaves])


def text(value: np.ndarray) -> str:
    flat = [f"{x:.6g}" for x in np.ravel(value)]
    if np.size(value) == 1:
        return flat[0]
    return f"[{', '.join(flat[:6])}{', ...' if len(flat) > 6 else ''}]"


def alike(a: np.ndarray, b: np.ndarray, least: float = LEAST) -> bool:
    """Whether two results are equal up to rounding."""
    if a.shape != b.shape:
        return False
    largest = max(magnitude(a), magnitude(b))
    allowed = max(TOLERANCE["float32"] * largest, least)
    return bool((differences(a, b) <= allowed).all())


def require_alike(
    first: np.ndarray,
    second: np.ndarray,
    what: str,
    batch: ScoreBatch,
    least: float = LEAST,
) -> None:
    """Raises `ContractViolation` unless two results are equal."""
    if not alike(first, second, least):
        raise ContractViolation(
            f"{what}: it goes from {text(first)} to {text(second)}",
            where(batch),
        )


def where(batch: ScoreBatch) -> str:
    """The mask of a batch, a string of T and F for each row."""
    rows = ["".join("FT"[int(b)] for b in row) for row in batch.real]
    return f"mask {' '.join(rows)}" if batch.mask is not None else "no mask"


def _call(batch: ScoreBatch, weights: np.ndarray | None) -> str:
    parts = [f"y_true {batch.y_true.shape}", f"y_pred {batch.y_pred.shape}"]
    if batch.mask is not None:
        parts.append(f"a mask {batch.mask.shape}")
    if weights is not None:
        parts.append(f"sample_weight {weights.shape}")
    return f"a call with {', '.join(parts[:-1])} and {parts[-1]}"

"""Runs the checks of a loss or a metric."""

from typing import Any

from keras_masking.contract.harness.loss_harness import LossHarness
from keras_masking.contract.harness.metric_harness import MetricHarness
from keras_masking.contract.harness.reproduce import score_call
from keras_masking.contract.harness.reproduce import score_script
from keras_masking.contract.harness.score_harness import ScoreHarness
from keras_masking.contract.registry import Check
from keras_masking.contract.run import Run
from keras_masking.contract.score_case import ScoreCase

HARNESSES: dict[str, type[ScoreHarness]] = {
    "loss": LossHarness,
    "metric": MetricHarness,
}


class ScoreRun(Run):
    """Runs the checks of one loss or metric, which share earlier results."""

    def __init__(self, case: ScoreCase, seed: int = 0) -> None:
        self.kind = case.kind
        self.seed = seed
        # Raises at once if the target is not a loss or metric.
        case.make()
        super().__init__(case)

    def examples(self) -> str:
        return str(self.harness.example)

    def new_harness(
        self, shape: tuple[int, int, int] | None = None
    ) -> ScoreHarness:
        example = "" if shape is None else self.harness.example
        return HARNESSES[self.kind](self.case, shape, self.seed, example)

    def fits(self, shape: tuple[int, int, int]) -> bool:
        rows, steps, _ = shape
        batch = self.harness.batch
        return rows <= batch.rows and steps <= batch.steps

    def shows_the_same(self, small: Any) -> bool:
        return bool(small.example and small.example == self.harness.example)

    def describe(self, check: Check, harness: Any) -> dict[str, str]:
        batch = harness.batch
        call = score_call(self.case, harness)
        shapes = f"y_true {batch.y_true.shape}, y_pred {batch.y_pred.shape}"
        example = f" ({harness.example})" if harness.example else ""
        name = f"My{self.kind.title()}()"
        before, instead = self.harness.hint(check.right)
        return {
            "cause": before + check.cause,
            "right": instead or check.right.replace(name, call),
            "smallest": shapes + example,
            "script": score_script(self.case, harness, check.id),
        }

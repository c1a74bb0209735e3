"""The losses and metrics of Keras that can take a sequence.

A target of the command line too: `tools/scoreboard/keras_scores.py:CASES`.
"""

from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

from keras_masking.contract import LossCase
from keras_masking.contract import MetricCase
from tools.scoreboard.rows import Row
from tools.scoreboard.rows import cases

# With these numbers each score differs if those of padding do.
_rng = np.random.default_rng(17)
# Two labels for each step, and their predicted probabilities.
LABELS = _rng.integers(0, 2, (3, 6, 2)).astype("float32")
SCORES = _rng.uniform(0.1, 0.9, (3, 6, 2)).round(2).astype("float32")
# One of seven classes for each step: more than the k of a top-k metric.
CLASSES = _rng.integers(0, 7, (3, 6)).astype("int32")
ONE_HOT = np.eye(7, dtype="float32")[CLASSES]
PROBABILITIES = _rng.dirichlet(np.ones(7), (3, 6)).astype("float32")
# Half of the guesses are right.
GUESSES = np.where(_rng.random((3, 6)) < 0.5, CLASSES, CLASSES[::-1])
# One of three classes, as many as the intersections below count.
THIRDS = CLASSES % 3
FLOATS = _rng.uniform(0.1, 0.9, (3, 6, 4)).round(2).astype("float32")
OTHERS = _rng.uniform(0.1, 0.9, (3, 6, 4)).round(2).astype("float32")
SHORT = np.array([[1, 2], [2, 0], [3, 0]], "int32")


@dataclass(frozen=True)
class Score(Row):
    """A loss or metric as written after `keras.`, and what it compares."""

    y_true: Any = None
    y_pred: Any = None

    def make(self) -> Any:
        return eval(f"keras.{self.call}", {"keras": keras})

    def case(self) -> Any:
        kind = LossCase if self.call.startswith("losses.") else MetricCase
        return kind(
            self.make,
            name=self.name,
            y_true=self.y_true,
            y_pred=self.y_pred,
            script=f"import keras\nlambda: keras.{self.call}",
        )


NAN, ROWS = "loss-times-zero", "row-weights"
STEPS, SHARE = "no-steps", "share-of-steps"
IGNORES = "ignores-mask"

REAL = (FLOATS, OTHERS)
BINARY = (LABELS, SCORES)
CATEGORICAL = (ONE_HOT, PROBABILITIES)
SPARSE = (CLASSES, PROBABILITIES)
GUESSED = (CLASSES, GUESSES)
FEW = (THIRDS, GUESSES % 3)
FEW_HOT = (np.eye(3, dtype="float32")[THIRDS], PROBABILITIES[..., :3])


def _each(
    module: str, examples: tuple[Any, Any], calls: str, *because: str
) -> list[Row]:
    """Rows for calls in a module, which spaces part, with equal examples."""
    y_true, y_pred = examples
    return [
        Score(f"{module}.{call}", because, y_true=y_true, y_pred=y_pred)
        for call in calls.split()
    ]


FAMILIES: dict[str, list[Row]] = {
    "Losses": [
        *_each(
            "losses",
            REAL,
            """MeanSquaredError() MeanAbsoluteError()
            MeanAbsolutePercentageError() MeanSquaredLogarithmicError()
            Huber() LogCosh() CosineSimilarity() Poisson()""",
            NAN,
            ROWS,
        ),
        *_each(
            "losses",
            BINARY,
            """BinaryCrossentropy() BinaryFocalCrossentropy() Hinge()
            SquaredHinge()""",
            NAN,
            ROWS,
        ),
        *_each(
            "losses",
            CATEGORICAL,
            """CategoricalCrossentropy() CategoricalFocalCrossentropy()
            CategoricalHinge() KLDivergence()""",
            NAN,
            ROWS,
        ),
        *_each(
            "losses",
            SPARSE,
            """SparseCategoricalCrossentropy()
            CategoricalGeneralizedCrossEntropy()""",
            NAN,
            ROWS,
        ),
        *_each("losses", BINARY, "Dice() Dice(axis=(1,2)) Tversky()", STEPS),
        *_each("losses", (SHORT, PROBABILITIES), "CTC()", STEPS),
    ],
    "Metrics that are means": [
        *_each(
            "metrics",
            REAL,
            """MeanSquaredError() MeanAbsoluteError()
            MeanAbsolutePercentageError() MeanSquaredLogarithmicError()
            LogCoshError() CosineSimilarity() Poisson()
            MeanMetricWrapper(keras.losses.huber) ConcordanceCorrelation()
            PearsonCorrelation()""",
            NAN,
            SHARE,
            ROWS,
        ),
        *_each(
            "metrics",
            BINARY,
            "BinaryCrossentropy() Hinge() SquaredHinge()",
            NAN,
            SHARE,
            ROWS,
        ),
        *_each(
            "metrics",
            CATEGORICAL,
            "CategoricalCrossentropy() CategoricalHinge() KLDivergence()",
            NAN,
            SHARE,
            ROWS,
        ),
        *_each(
            "metrics",
            SPARSE,
            "SparseCategoricalCrossentropy()",
            NAN,
            SHARE,
            ROWS,
        ),
        *_each("metrics", GUESSED, "Accuracy()", SHARE, ROWS),
        *_each("metrics", BINARY, "BinaryAccuracy()", SHARE, ROWS),
        *_each(
            "metrics",
            CATEGORICAL,
            "CategoricalAccuracy() TopKCategoricalAccuracy()",
            SHARE,
            ROWS,
        ),
        *_each(
            "metrics",
            SPARSE,
            "SparseCategoricalAccuracy() SparseTopKCategoricalAccuracy()",
            SHARE,
            ROWS,
        ),
    ],
    "Other metrics": [
        *_each("metrics", REAL, "RootMeanSquaredError()", IGNORES),
        *_each(
            "metrics",
            BINARY,
            """AUC() Precision() Recall() TruePositives() TrueNegatives()
            FalsePositives() FalseNegatives() PrecisionAtRecall(0.5)
            RecallAtPrecision(0.5) SensitivityAtSpecificity(0.5)
            SpecificityAtSensitivity(0.5) BinaryIoU()""",
            IGNORES,
            ROWS,
        ),
        *_each("metrics", FEW, "IoU(3,[0,1]) MeanIoU(3)", IGNORES, ROWS),
        *_each(
            "metrics",
            FEW_HOT,
            "OneHotIoU(3,[0,1]) OneHotMeanIoU(3)",
            IGNORES,
            ROWS,
        ),
    ],
}

# Public classes without a row, and why the kit cannot judge them.
NOT_JUDGED = {
    "losses.Circle": "compares rows with each other, not steps",
    "metrics.F1Score": "takes `(batch, outputs)`, so no sequences",
    "metrics.FBetaScore": "takes `(batch, outputs)`, so no sequences",
    "metrics.R2Score": "takes `(batch, outputs)`, so no sequences",
    "metrics.Mean": "takes values, and no targets",
    "metrics.Sum": "takes values, and no targets",
    "losses.Loss": "the base class",
    "metrics.Metric": "the base class",
}

CASES = cases(FAMILIES)

# What CI checks anew.
FIVE = [
    case
    for case in CASES
    if case.name
    in {
        "losses.MeanSquaredError()",
        "losses.Dice()",
        "metrics.MeanSquaredError()",
        "metrics.CategoricalAccuracy()",
        "metrics.Recall()",
    }
]

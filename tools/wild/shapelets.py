"""Models of tslearn, in which padding is NaN."""

from typing import Any

import keras
import numpy as np
from tslearn.shapelets import LearningShapelets

from tools.wild.examples import MORE
from tools.wild.examples import Example
from tools.wild.rows import LENGTHS
from tools.wild.rows import Row
from tools.wild.rows import series


def shapelets() -> Example:
    x = series(2, np.nan)
    x[2, : LENGTHS[1]] = 1.0  # a series is longer than a shapelet
    lengths = (*LENGTHS[:2], LENGTHS[1])
    made = LearningShapelets({3: 2}, max_iter=1, random_state=0)
    made.fit(x, [0, 1, 0])

    def longer(model: Any) -> tuple[Any, np.ndarray]:
        steps = x.shape[1] + MORE
        other = keras.models.clone_model(
            model, input_tensors=keras.Input((steps, 2))
        )
        other.set_weights(model.get_weights())
        width = [(0, 0), (0, MORE), (0, 0)]
        return other, np.pad(x, width, constant_values=np.nan)

    return Example(made.model_, x, np.nan, lengths, False, longer)


ROWS = [Row("LearningShapelets", shapelets)]

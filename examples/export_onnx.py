"""A model of padded sentences, exported to ONNX and run without Keras.

    pip install ".[torch,export-onnx-torch]"
    KERAS_BACKEND=torch python examples/export_onnx.py

`keras_masking.export` compares the file with the model before it keeps it. Then
ONNX Runtime answers sentences of unequal length: in one padded batch, and each
alone, without padding.
"""

import tempfile
from pathlib import Path
from typing import Any

import keras
import numpy as np

import keras_masking
from keras_masking import layers

SENTENCES = [[12, 7, 42], [5], [9, 61, 3, 88, 21, 4, 17], [30, 2]]


def make_model() -> keras.Model:
    return keras.Sequential(
        [
            keras.Input((None,), dtype="int32", name="sentences"),
            layers.CustomEmbedding(100, 8, mask_zero=True),
            layers.MaskedConv1D(16, 3, padding="same", activation="relu"),
            layers.MaskedGlobalMaxPooling1D(),
            keras.layers.Dense(1, activation="sigmoid"),
        ]
    )


def padded(sentences: list[list[int]]) -> np.ndarray:
    return keras.utils.pad_sequences(sentences, padding="post")


def answers(path: Path) -> dict[str, np.ndarray]:
    """What ONNX Runtime answers to the sentences."""
    import onnxruntime

    session = onnxruntime.InferenceSession(str(path))

    def run(sentences: list[list[int]]) -> Any:
        return session.run(None, {"sentences": padded(sentences)})[0]

    alone = np.concatenate([run([one]) for one in SENTENCES])
    return {"in one padded batch": run(SENTENCES), "each alone": alone}


def main(folder: Path) -> dict[str, np.ndarray]:
    model = make_model()
    path = folder / "model.onnx"
    print(keras_masking.export(model, path))
    found = answers(path)
    found["by Keras"] = model.predict(padded(SENTENCES), verbose=0)
    for name, answer in found.items():
        print(f"{name:>20}: {np.round(answer.ravel(), 4).tolist()}")
    return found


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        main(Path(folder))

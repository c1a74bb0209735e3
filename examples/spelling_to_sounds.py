"""The sounds of words from their letters, by CTC.

    KERAS_BACKEND=jax python examples/spelling_to_sounds.py

The CMU Pronouncing Dictionary lists the sounds of English words: "banana" is B
AH N AE N AH. A model of an embedding and three convolutions reads the letters,
each twice so that a letter may have two sounds, and scores the sounds and a
blank at each step. CTC sums over all ways in which the steps may give the
sounds, so nobody has to say which letter makes which sound. The model is small
and its training short, so it is often wrong; this is about what padding does.

Plain Keras: `Conv1D` loses the mask, `keras.losses.CTC` never reads one, and
what is decoded goes on to the end of the padding.

Our layers, `MaskedCTC` and `MaskedEditDistance`: loss and error rate of each
word are those of the word alone.
"""

import itertools
from typing import Any

import keras
import numpy as np
from rich.console import Console
from rich.progress import Progress
from side_by_side import OURS
from side_by_side import PLAIN
from side_by_side import Report
from side_by_side import arguments
from side_by_side import change
from side_by_side import lost_masks
from side_by_side import show
from stress_tagger import dictionary

from keras_masking import layers
from keras_masking import losses
from keras_masking import metrics

PADDINGS: dict[str, dict[str, Any]] = {
    "right": {},
    "right, 20 more": {"extra": 20},
    "left": {"padding": "pre"},
    "left, 20 more": {"extra": 20, "padding": "pre"},
}
Word = tuple[np.ndarray, np.ndarray]


def load(every: int = 1) -> tuple[list[Word], list[Word], int]:
    """Words to train and, every fourth, to test; how many classes there are.

    Letters are 1 to 26, each twice, and sounds start at 1: 0 is for padding and
    for the blank.
    """
    entries, ids = dictionary(every)
    words = [
        (
            np.repeat([ord(letter) - ord("a") + 1 for letter in word], 2),
            np.array([ids[s.rstrip("012")] for s in sounds]),
        )
        for word, *sounds in entries
    ]
    test = words[::4]
    del words[::4]
    return words, sorted(test, key=lambda word: len(word[0])), len(ids) + 1


def pad(
    words: list[Word], extra: int = 0, padding: str = "post"
) -> tuple[np.ndarray, np.ndarray]:
    """Letters, and sounds, which are padded on the right; both with 0."""
    letters, sounds = zip(*words)
    steps = max(map(len, letters)) + extra
    return (
        keras.utils.pad_sequences(letters, steps, padding=padding),
        keras.utils.pad_sequences(sounds, padding="post"),
    )


def build(masked: bool, classes: int) -> keras.Model:
    """A model with plain Keras layers, or with ours."""
    embed, conv = (
        (layers.CustomEmbedding, layers.MaskedConv1D)
        if masked
        else (keras.layers.Embedding, keras.layers.Conv1D)
    )
    inputs = keras.Input((None,), dtype="int32", name="letters")
    x = embed(27, 32, mask_zero=True)(inputs)
    for _ in range(3):
        x = conv(96, 5, padding="same", activation="relu")(x)
    return keras.Model(inputs, keras.layers.Dense(classes)(x))


def judges(masked: bool) -> dict[str, Any]:
    """The loss and the metric to compile with: ours, or the loss of Keras.

    Keras has no error rate. Without a mask ours takes all steps.
    """
    return {
        "loss": losses.MaskedCTC() if masked else keras.losses.CTC(),
        "metrics": [metrics.MaskedEditDistance()],
        # XLA knows no CTC of TensorFlow.
        "jit_compile": keras.backend.backend() == "jax",
    }


def alone(model: keras.Model, words: list[Word]) -> np.ndarray:
    """The scores of all steps, predicted without padding."""
    groups = itertools.groupby(words, key=lambda word: len(word[0]))
    batches = [pad(list(group))[0] for _, group in groups]
    scores = [model.predict_on_batch(letters) for letters in batches]
    return np.concatenate([s.reshape(-1, s.shape[-1]) for s in scores])


def evaluate(model: keras.Model, words: list[Word]) -> dict[str, Any]:
    """The loss and the error rate of words alone and padded, and the drift."""
    reference = alone(model, words)
    letters, labels = pad(words)
    scores = np.zeros((*letters.shape, reference.shape[-1]), "float32")
    scores[letters > 0] = reference
    mask, rate = letters > 0, metrics.MaskedEditDistance()
    rate.update_state(labels, scores, mask=mask)
    loss = {"loss, alone": float(losses.MaskedCTC()(labels, scores, mask=mask))}
    rates = {"error rate, alone": float(rate.result())}
    drift = {}
    for name, kind in PADDINGS.items():
        letters, labels = pad(words, **kind)
        logs = model.evaluate(
            letters, labels, len(letters), verbose=0, return_dict=True
        )
        loss[f"loss, {name}"] = logs["loss"]
        rates[f"error rate, {name}"] = logs["edit_distance"]
        padded = model.predict_on_batch(letters)[letters > 0]
        drift[name] = change(padded, reference)
    return {**loss, **rates, "drift": drift}


@lost_masks()
def run(
    epochs: int = 8,
    seed: int = 0,
    console: Console | None = None,
    every: int = 3,
) -> dict[str, dict[str, Any]]:
    """Trains both models: figures and `drift` of each."""
    train, test, classes = load(every)
    results: dict[str, dict[str, Any]] = {}
    with Progress(console=console, transient=True) as progress:
        for title in (PLAIN, OURS):
            keras.utils.set_random_seed(seed)
            model = build(title == OURS, classes)
            model.compile(keras.optimizers.Adam(3e-3), **judges(title == OURS))
            model.fit(
                *pad(train),
                batch_size=64,
                epochs=epochs,
                verbose=0,
                callbacks=[Report(progress, title, epochs)],
            )
            results[title] = evaluate(model, test)
    return results


def main() -> None:
    """Runs the example from the command line."""
    given = arguments(__doc__, epochs=8)
    console = Console()
    results = run(given.epochs, given.seed, console)
    show(results, console, "Sounds of words")


if __name__ == "__main__":
    main()

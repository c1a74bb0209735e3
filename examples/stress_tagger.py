"""A tagger of stressed sounds, with a loss and a metric that ignore padding.

    KERAS_BACKEND=jax python examples/stress_tagger.py

The CMU Pronouncing Dictionary lists the sounds of English words: "banana" is B
AH N AE N AH, with the stress on the AE. A tagger reads the sounds of a word and
gives each a tag: no stress, primary or secondary stress. It consists of an
embedding and three convolutions, and is built with plain Keras layers and with
our layers, from the same initial weights.

The first rows show how good it is on each word alone, without any padding. The
other rows are what `Model.evaluate` reports for the same words, with padding on
the left or right and in batches of different sizes.

Plain Keras: `Conv1D` loses the mask, so padding is tagged and counted as well.
Padding is easy to tag: more of it improves both figures, but not the tagger.

Our layers only, with the loss and the metric of Keras: the mask arrives, and
the loss obeys it. But the reported loss is a mean over batches, in which a step
has more weight in a batch of short words. `Precision` ignores the mask and
counts the tags at padding. Those depend on chance: with one seed they are "no
stress", and the precision is too good; with another they are "primary", and the
precision is far too bad.

Our layers, `MaskedLoss`, `MaskedMetric` and `LossPerStep`: every batch reports
the figures of the words alone.
"""

import itertools
from typing import Any

import keras
import numpy as np
from rich.console import Console
from rich.progress import Progress
from side_by_side import DATA
from side_by_side import OURS
from side_by_side import PLAIN
from side_by_side import Report
from side_by_side import arguments
from side_by_side import change
from side_by_side import lost_masks
from side_by_side import show

from keras_masking import layers
from keras_masking import losses
from keras_masking import metrics

TAGS = "no stress", "primary", "secondary"
MIXED = "our layers only"
PADDINGS: dict[str, dict[str, Any]] = {
    "right": {},
    "right, 20 more": {"extra": 20},
    "left": {"padding": "pre"},
    "left, 20 more": {"extra": 20, "padding": "pre"},
}
Word = tuple[np.ndarray, np.ndarray]


def dictionary(every: int = 1) -> tuple[list[list[str]], dict[str, int]]:
    """Each word and its sounds, and the ids of sounds, from 1.

    In the dictionary, the stress of a vowel follows it: 0, 1 or 2.
    """
    lines = (DATA / "cmudict.txt").read_text().splitlines()[::every]
    words = [line.split() for line in lines]
    names = sorted({s.rstrip("012") for word in words for s in word[1:]})
    return words, {name: i for i, name in enumerate(names, start=1)}


def load() -> tuple[list[Word], list[Word]]:
    """Words for training and, every fourth, for testing: ids and tags.

    Id 0 is for padding.
    """
    entries, ids = dictionary()
    words = [
        (
            np.array([ids[s.rstrip("012")] for s in word]),
            np.array([int(s[-1]) if s[-1].isdigit() else 0 for s in word]),
        )
        for _, *word in entries
    ]
    test = words[::4]
    del words[::4]
    # Shortest first, to reduce padding.
    return words, sorted(test, key=lambda word: len(word[0]))


def pad(words: list[Word], extra: int = 0, padding: str = "post") -> list:
    """Ids and, one-hot, tags; padding is 0 and has no stress."""
    steps = max(len(ids) for ids, _ in words) + extra
    ids, tags = (
        keras.utils.pad_sequences(one, steps, padding=padding)
        for one in zip(*words)
    )
    return [ids, np.eye(len(TAGS), dtype="float32")[tags]]


def build(masked: bool) -> keras.Model:
    """The tagger, with our layers or with plain Keras layers."""
    embed, conv = (
        (layers.CustomEmbedding, layers.MaskedConv1D)
        if masked
        else (keras.layers.Embedding, keras.layers.Conv1D)
    )
    inputs = keras.Input((None,), dtype="int32", name="sounds")
    x = embed(40, 32, mask_zero=True, embeddings_initializer="random_normal")(
        inputs
    )
    for _ in range(3):
        x = conv(64, 5, padding="same", activation="relu")(x)
        x = keras.layers.Dropout(0.1)(x)
    outputs = keras.layers.Dense(len(TAGS), activation="softmax")(x)
    return keras.Model(inputs, outputs)


def judges(masked: bool) -> dict[str, Any]:
    """The loss and the metrics to compile with: ours, or those of Keras."""
    loss = "categorical_crossentropy"
    # The likeliest of the three tags counts, right or wrong.
    precision = keras.metrics.Precision(top_k=1, name="precision")
    if not masked:
        return {"loss": loss, "metrics": [precision]}
    return {
        "loss": losses.MaskedLoss(loss),
        "metrics": [
            metrics.MaskedMetric(precision),
            metrics.LossPerStep(loss),
        ],
    }


def alone(model: keras.Model, words: list[Word]) -> np.ndarray:
    """Tags of all sounds, word by word, predicted without padding."""
    result = []
    for _, group in itertools.groupby(words, key=lambda word: len(word[0])):
        ids, tags = pad(list(group))
        predicted = model.predict_on_batch(ids)
        result.append(predicted.reshape(-1, tags.shape[-1]))
    return np.concatenate(result)


def measure(model: keras.Model, words: list[Word]) -> dict[str, Any]:
    """Figures for words alone, and how far padding moves the predictions."""
    predicted = alone(model, words)
    true = np.concatenate([tags for _, tags in words])
    right = predicted.argmax(axis=-1) == true
    starts = np.cumsum([0, *(len(tags) for _, tags in words[:-1])])
    likelihood = predicted[np.arange(len(true)), true]
    drift = {}
    for name, kind in PADDINGS.items():
        ids, _ = pad(words, **kind)
        drift[name] = change(model.predict_on_batch(ids)[ids > 0], predicted)
    return {
        "words all right": np.logical_and.reduceat(right, starts).mean(),
        "precision, words alone": right.mean(),
        "loss, words alone": -np.log(likelihood).mean(),
        "drift": drift,
    }


def evaluate(model: keras.Model, words: list[Word]) -> dict[str, float]:
    """What `Model.evaluate` reports, by padding and by batch size."""
    cases = {name: (128, kind) for name, kind in PADDINGS.items()}
    cases |= {"batches of 16": (16, {}), "one batch": (len(words), {})}
    precision, loss = {}, {}
    for name, (size, kind) in cases.items():
        logs = model.evaluate(
            *pad(words, **kind), batch_size=size, verbose=0, return_dict=True
        )
        precision[f"precision, {name}"] = logs["precision"]
        loss[f"loss, {name}"] = logs.get("loss_per_step", logs["loss"])
    return precision | loss


@lost_masks()
def run(
    epochs: int = 8, seed: int = 0, console: Console | None = None
) -> dict[str, dict[str, Any]]:
    """Trains both models: figures and `drift` of each."""
    train, test = load()
    results: dict[str, dict[str, Any]] = {}
    with Progress(console=console, transient=True) as progress:
        for title in (PLAIN, OURS):
            keras.utils.set_random_seed(seed)
            model = build(title == OURS)
            model.compile(keras.optimizers.Adam(2e-3), **judges(title == OURS))
            model.fit(
                *pad(train),
                batch_size=64,
                epochs=epochs,
                verbose=0,
                callbacks=[Report(progress, title, epochs)],
            )
            alike = measure(model, test)
            if title == OURS:
                model.compile(**judges(False))
                results[MIXED] = alike | evaluate(model, test)
                model.compile(**judges(True))
            results[title] = alike | evaluate(model, test)
    return results


def main() -> None:
    """Runs the example from the command line."""
    given = arguments(__doc__, epochs=8)
    console = Console()
    results = run(given.epochs, given.seed, console)
    show(results, console, "Stress of words")


if __name__ == "__main__":
    main()

"""Which sounds of a word are stressed: a tagger, and what its figures count.

    KERAS_BACKEND=jax python examples/stress_tagger.py

The CMU Pronouncing Dictionary tells how English words sound: "banana" is B AH N
AE N AH, with the stress on the AE. A tagger reads the sounds of a word and
gives each a tag, no stress, primary or secondary stress. It is an embedding and
three convolutions, of plain Keras layers and of ours, from the same initial
weights.

The first rows say how good it is: each word alone, without any padding. The
others are what `Model.evaluate` reports of the same words, with padding to the
left or right and in batches of different sizes.

Plain Keras: `Conv1D` loses the mask, so padding is tagged as well, and counted.
It is easy to tag: more of it makes both figures better, and the tagger no bit.

Our layers only, with the loss and the metric of Keras: the mask arrives, and
the loss obeys it. What is reported is a mean over batches all the same, in
which a step weighs more in a batch of short words. `Precision` looks at no mask
and counts what stands at padding as a tag. What stands there is chance: by one
seed it is "no stress", and the precision too good; by another it is "primary",
and the precision far too bad.

Ours altogether, with `MaskedLoss`, `MaskedMetric` and `LossPerStep`: what is
true of words alone is reported of every batch.
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


def load() -> tuple[list[Word], list[Word]]:
    """Words to train and, every fourth, to test: ids of sounds, and tags.

    Id 0 is for padding. The dictionary writes the tag of a vowel behind it:
    0, 1 or 2.
    """
    lines = (DATA / "cmudict.txt").read_text().splitlines()
    sounds = [line.split()[1:] for line in lines]
    names = sorted({s.rstrip("012") for word in sounds for s in word})
    ids = {name: i for i, name in enumerate(names, start=1)}
    words = [
        (
            np.array([ids[s.rstrip("012")] for s in word]),
            np.array([int(s[-1]) if s[-1].isdigit() else 0 for s in word]),
        )
        for word in sounds
    ]
    test = words[::4]
    del words[::4]
    # Shortest first, as one sorts to pad little.
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
    """The tagger, of our layers or of plain Keras layers."""
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
    """The loss and the metrics to compile with, ours or those of Keras."""
    loss = "categorical_crossentropy"
    # Of the three tags the likeliest counts, be it right or wrong.
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
    """Tags of all sounds, one word after another, predicted without padding."""
    result = []
    for _, group in itertools.groupby(words, key=lambda word: len(word[0])):
        ids, tags = pad(list(group))
        predicted = model.predict_on_batch(ids)
        result.append(predicted.reshape(-1, tags.shape[-1]))
    return np.concatenate(result)


def measure(model: keras.Model, words: list[Word]) -> dict[str, Any]:
    """What it says of words alone, and how far padding moves that."""
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
    """What `Model.evaluate` reports, by padding and by size of the batches."""
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
    """Trains both; for each, its figures and `drift`."""
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

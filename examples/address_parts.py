"""The parts of addresses, by a tagger with a conditional random field.

    KERAS_BACKEND=jax python examples/address_parts.py

1398 addresses in the United States, whose words people have labelled: "8128 S.
Dr Martin Luther King Jr Drive" has a number, a direction, a name of five words
and a type of street. A part may have several words, so each part has two tags:
B for the word that begins it, I for one that goes on. `SpanF1` counts the parts
whose first word, last word and kind are right.

A tagger consists of embeddings of each word and of its shape ("Dr," is `Xx,`),
two convolutions and the scores of the tags. It is built three times, from the
same initial weights, with the words of every fourth address for the test.

Plain Keras: `Conv1D` loses the mask, so the parts depend on the padding. The
loss does not: `ignore_class` tells it the tags at padding.

Our layers with `MaskedLoss`: the parts are the same with any padding. Each word
has its best tag, which need not fit to the tag before it: some parts go on that
nothing began.

Our layers and `LinearChainCRF`: tags are scored together with the tag before
them, and what must not follow each other never does.
"""

import itertools
import re
from collections import Counter
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
from side_by_side import lost_masks
from side_by_side import show

from keras_masking import layers
from keras_masking import losses
from keras_masking import metrics
from keras_masking import ops

CRF = f"{OURS}, CRF"
# Rarer parts have no tag of their own.
LEAST = 40
PADDINGS: dict[str, dict[str, Any]] = {
    "right": {},
    "right, 10 more": {"extra": 10},
    "left": {"padding": "pre"},
    "left, 10 more": {"extra": 10, "padding": "pre"},
}
Address = tuple[np.ndarray, np.ndarray, np.ndarray]


def shape(word: str) -> str:
    """`Xx,` for "Dr,", `d` for "8128", `dx` for "5th"."""
    for kind, letter in (("[A-Z]", "X"), ("[a-z]", "x"), ("[0-9]", "d")):
        word = re.sub(f"{kind}+", letter, word)
    return word


def plain(word: str) -> str:
    return word.lower().strip(".,#")


def load() -> tuple[list[Address], list[Address], list[str], tuple[int, int]]:
    """Addresses to train and to test, the tags, and how many ids there are.

    Ids are of words and of shapes: 0 is for padding, 1 for what is not in two
    addresses of the training set.
    """
    lines = (DATA / "addresses.txt").read_text().splitlines()
    found = [[pair.split(":", 1) for pair in line.split()] for line in lines]
    counts = Counter(part for address in found for part, _ in address)
    parts = sorted(part for part in counts if counts[part] >= LEAST)
    tags = ["O", *(f"{place}-{part}" for part in parts for place in "BI")]
    train = [a for i, a in enumerate(found) if i % 4]
    tables = [
        {x: i for i, x in enumerate(often(train, key), start=2)}
        for key in (plain, shape)
    ]

    def read(address: list[list[str]]) -> Address:
        ids = (
            np.array([table.get(key(word), 1) for _, word in address])
            for key, table in zip((plain, shape), tables)
        )
        own, before = [part for part, _ in address], ""
        names = []
        for part in own:
            place = "I" if part == before else "B"
            names.append(f"{place}-{part}" if part in parts else "O")
            before = part
        return *ids, np.array([tags.index(name) for name in names])

    sizes = tuple(len(table) + 2 for table in tables)
    return [read(a) for a in train], [read(a) for a in found[::4]], tags, sizes


def often(addresses: list, key: Any) -> list[str]:
    """What is in two addresses, sorted."""
    counts = Counter(x for a in addresses for x in {key(w) for _, w in a})
    return sorted(x for x in counts if counts[x] > 1)


def pad(
    addresses: list[Address], extra: int = 0, padding: str = "post"
) -> tuple[list[np.ndarray], np.ndarray]:
    """Ids, which are 0 at padding, and tags, -1 there."""
    steps = max(len(tags) for *_, tags in addresses) + extra
    *ids, tags = (
        keras.utils.pad_sequences(one, steps, padding=padding, value=value)
        for one, value in zip(zip(*addresses), (0, 0, -1))
    )
    return ids, tags


def build(title: str, tags: list[str], sizes: tuple[int, int]) -> keras.Model:
    """A tagger, with plain layers, with ours or with a CRF."""
    masked = title != PLAIN
    conv = layers.MaskedConv1D if masked else keras.layers.Conv1D
    join = layers.MaskedConcatenate if masked else keras.layers.Concatenate
    inputs = [keras.Input((None,), dtype="int32") for _ in sizes]
    x = join()(
        [
            layers.CustomEmbedding(size, width, mask_zero=True)(ids)
            if masked
            else keras.layers.Embedding(size, width, mask_zero=True)(ids)
            for ids, size, width in zip(inputs, sizes, (48, 16))
        ]
    )
    for _ in range(2):
        x = keras.layers.Dropout(0.2)(x)
        x = conv(96, 3, padding="same", activation="relu")(x)
    x = keras.layers.Dense(len(tags))(x)
    if title == CRF:
        x = layers.LinearChainCRF(len(tags), *ops.bio_transitions(tags))(x)
    return keras.Model(inputs, x)


def judge(title: str) -> Any:
    """The loss to train with."""
    if title == CRF:
        return losses.CRFLoss()
    loss = keras.losses.SparseCategoricalCrossentropy(
        from_logits=True, ignore_class=None if title == OURS else -1
    )
    return losses.MaskedLoss(loss) if title == OURS else loss


def best(model: keras.Model, title: str) -> keras.Model:
    """The model that gives the tags of each word."""
    scores = model.outputs[0]
    if title == CRF:
        tags = layers.ViterbiDecode()(scores)
    else:
        tags = keras.ops.argmax(scores, axis=-1)
    return keras.Model(model.inputs, tags)


def alone(model: keras.Model, addresses: list[Address]) -> np.ndarray:
    """The tags of all words, predicted without padding."""
    result = []
    for _, group in itertools.groupby(addresses, key=lambda a: len(a[-1])):
        ids, _ = pad(list(group))
        result.append(model.predict_on_batch(ids).reshape(-1))
    return np.concatenate(result)


def measure(
    model: keras.Model, title: str, test: list[Address], tags: list[str]
) -> dict[str, Any]:
    """F1 for addresses alone and padded; how many tags padding changes."""
    tagger = best(model, title)
    reference = alone(tagger, test)
    score = metrics.SpanF1(tags)
    drift, figures = {}, {}
    for name, kind in {"alone": {}, **PADDINGS}.items():
        ids, true = pad(test, **kind)
        mask = true >= 0
        found = tagger.predict_on_batch(ids)
        if name == "alone":
            found = np.zeros_like(true)
            found[mask] = reference
        else:
            drift[name] = float((found[mask] != reference).mean())
        score.reset_state()
        score.update_state(true, found, mask=mask)
        figures[f"F1, {name}"] = float(score.result())
    return {**figures, **unfit(reference, test, tags), "drift": drift}


def unfit(
    found: np.ndarray, test: list[Address], tags: list[str]
) -> dict[str, int]:
    """How many parts go on that nothing began."""
    allowed, start, _ = ops.bio_transitions(tags)
    ends = np.cumsum([len(own) for *_, own in test])
    count = 0
    for row in np.split(found, ends[:-1]):
        count += int(not start[row[0]])
        count += int((~allowed[row[:-1], row[1:]]).sum())
    return {"tags that do not fit": count}


@lost_masks()
def run(
    epochs: int = 30,
    seed: int = 0,
    console: Console | None = None,
    titles: tuple[str, ...] = (PLAIN, OURS, CRF),
) -> dict[str, dict[str, Any]]:
    """Trains the taggers: figures and `drift` of each."""
    train, test, tags, sizes = load()
    # Addresses of a length together.
    test = sorted(test, key=lambda address: len(address[-1]))
    results: dict[str, dict[str, Any]] = {}
    with Progress(console=console, transient=True) as progress:
        for title in titles:
            keras.utils.set_random_seed(seed)
            model = build(title, tags, sizes)
            model.compile(keras.optimizers.Adam(3e-3), judge(title))
            ids, true = pad(train)
            model.fit(
                ids,
                true,
                batch_size=64,
                epochs=epochs,
                verbose=0,
                callbacks=[Report(progress, title, epochs)],
            )
            results[title] = measure(model, title, test, tags)
    return results


def main() -> None:
    """Runs the example from the command line."""
    given = arguments(__doc__, epochs=30)
    console = Console()
    results = run(given.epochs, given.seed, console)
    show(results, console, "Parts of addresses")


if __name__ == "__main__":
    main()

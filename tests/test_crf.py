"""The linear-chain CRF against all paths of tags, one by one."""

import itertools
import math
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from keras import ops

from keras_masking import layers
from keras_masking.contract import LossCase
from keras_masking.contract import check_loss
from keras_masking.losses import CRFLoss
from keras_masking.ops import bio_transitions
from keras_masking.ops import crf_decode
from keras_masking.ops import crf_log_likelihood
from keras_masking.ops import crf_marginals
from tests import oracle
from tests.helpers import MASKS
from tests.helpers import assert_close
from tests.helpers import compiled
from tests.helpers import finite_differences
from tests.helpers import gradients_of
from tests.helpers import mask_of
from tests.helpers import to_numpy

# Five steps and three tags: the oracle takes all paths.
SHORT = {name: mask[:, :5] for name, mask in MASKS.items()}
RANDOM = np.random.default_rng(0)
SCORES = 2 * RANDOM.normal(size=(3, 5, 3, 3)).astype("float32")
WEIGHTS = [(3, 3), (3,), (3,)]
TAGS = RANDOM.integers(0, 3, (3, 5))


def paths(scores: np.ndarray, real: np.ndarray) -> dict[tuple, float]:
    """The score of each path over the real steps of a row."""
    steps = [t for t in range(len(real)) if real[t]]
    tags = range(scores.shape[-1])
    found = {}
    for path in itertools.product(tags, repeat=len(steps)):
        total, before = 0.0, 0
        for place, t in enumerate(steps):
            total += float(scores[t, before if place else 0, path[place]])
            before = path[place]
        found[path] = total
    return found


def partition(scores: dict[tuple, float]) -> float:
    return math.log(sum(math.exp(s) for s in scores.values()))


def likelihoods(scores: np.ndarray, mask: np.ndarray) -> list[float]:
    found = []
    for row, real, tags in zip(scores, mask, TAGS):
        every = paths(row, real)
        found.append(every[tuple(tags[real])] - partition(every))
    return found


def spoiled(mask: np.ndarray, value: float = np.nan) -> np.ndarray:
    return np.where(mask[..., None, None], SCORES, np.float32(value))


@pytest.mark.parametrize("kind", SHORT)
def test_functions(kind: str) -> None:
    mask = SHORT[kind]
    given = spoiled(mask)
    tags = np.where(mask, TAGS, -100)
    wanted = likelihoods(SCORES, mask)
    assert_close(crf_log_likelihood(tags, given, mask), wanted)
    best = np.zeros((3, 5), int)
    chances = np.zeros((3, 5, 3))
    for row, real in enumerate(mask):
        every = paths(SCORES[row], real)
        best[row, real] = max(every, key=lambda path: every[path])
        for path, score in every.items():
            chance = math.exp(score - partition(every))
            for t, tag in zip(np.flatnonzero(real), path):
                chances[row, t, tag] += chance
    decoded = crf_decode(given, mask)
    assert keras.backend.standardize_dtype(decoded.dtype) == "int32"
    assert (to_numpy(decoded) == best).all()
    assert_close(crf_marginals(given, mask), chances)


def test_gradients() -> None:
    mask = SHORT["holes"]
    tags = np.where(mask, TAGS, -1)

    def oracle(scores: np.ndarray) -> float:
        return -sum(likelihoods(scores, mask)) / 3

    wanted = finite_differences(oracle, SCORES, np.ones_like(SCORES, bool))
    loss = CRFLoss()
    (found,) = gradients_of(lambda x: loss(tags, x, mask=mask))(spoiled(mask))
    assert_close(found, wanted)
    assert not found[~mask].any()


def test_long_rows_in_half_precision() -> None:
    """Two tags that are as likely: each of 1024 paths is 2 ** -10 likely."""
    scores = ops.cast(np.full((1, 10, 2, 2), 300.0), "float16")
    found = crf_log_likelihood(np.zeros((1, 10), int), scores)
    assert_close(found, [-10 * math.log(2)], scale=3000.0)
    scores = np.full((1, 512, 2, 2), 100.0, "float32")
    found = crf_log_likelihood(np.zeros((1, 512), int), scores)
    assert_close(found, [-512 * math.log(2)], scale=51200.0)


@pytest.mark.parametrize("kind", SHORT)
def test_potentials(kind: str) -> None:
    """The weights enter once for each pair of neighbors, start and end."""
    mask = SHORT[kind]
    emissions = SCORES[:, :, 0]
    weights = [RANDOM.normal(size=s).astype("float32") for s in WEIGHTS]
    crf = layers.LinearChainCRF(3)
    crf.build((None, None, 3))
    crf.set_weights(weights)
    given = np.where(mask[..., None], emissions, np.nan)
    found = crf(given, mask=mask)
    assert (to_numpy(mask_of(found)) == mask).all()
    wanted = np.zeros((3, 5, 3, 3))
    for row, real in enumerate(mask):
        steps = oracle.potentials(emissions[row], real, *weights)
        for t in np.flatnonzero(real):
            wanted[row, t] = np.reshape(steps[t], (3, 3))
    assert_close(found, wanted)
    assert not to_numpy(found)[~mask].any()


def test_allowed_transitions() -> None:
    labels = ["O", "B-A", "I-A", "B-B", "I-B"]
    allowed, start = bio_transitions(labels)
    for before, row in zip(labels, allowed):
        for label, fits in zip(labels, row):
            inside = label[0] == "I"
            assert fits == (not inside or before[1:] == label[1:])
    assert start.tolist() == [label[0] != "I" for label in labels]
    crf = layers.LinearChainCRF(5, allowed, start)
    again = layers.LinearChainCRF.from_config(crf.get_config())
    emissions = RANDOM.normal(size=(2, 6, 5)).astype("float32")
    emissions[:, :, 2] += 3.0  # I-A would be the best of each step
    for layer in (crf, again):
        tags = to_numpy(layers.ViterbiDecode()(layer(emissions)))
        assert (tags == 2).any()
        for row in tags:
            assert start[row[0]]
            assert all(allowed[a, b] for a, b in itertools.pairwise(row))
    with pytest.raises(ValueError, match="needs a `B-X`"):
        bio_transitions(["O", "I-A"])


IDS = np.array([[1, 2, 3, 0, 0], [4, 1, 0, 0, 0], [0, 3, 2, 4, 1]])


def tagger() -> keras.Model:
    ids = keras.Input((None,), dtype="int32")
    x = layers.CustomEmbedding(5, 4, mask_zero=True)(ids)
    x = layers.LinearChainCRF(3, name="crf")(keras.layers.Dense(3)(x))
    model = keras.Model(ids, x)
    rng = np.random.default_rng(0)
    model.set_weights([rng.normal(size=w.shape) for w in model.get_weights()])
    model.compile(keras.optimizers.SGD(0.1), CRFLoss())
    return model


def test_a_tagger(tmp_path: Path) -> None:
    """A step of `fit` with padding on either side is the same step."""
    after = []
    for left, right in ((0, 0), (2, 1)):
        model = tagger()
        first = model.get_weights()
        x = np.pad(IDS, [(0, 0), (left, right)])
        y = np.pad(TAGS, [(0, 0), (left, right)], constant_values=-1)
        model.fit(x, y, verbose=0)
        after.append(model.get_weights())
    for one, other, before in zip(*after, first):
        assert_close(one, other)
        assert np.abs(one - before).max() > 0
    path = tmp_path / "model.keras"
    model.save(path)
    again = keras.saving.load_model(path)
    assert_close(
        again.evaluate(x, y, verbose=0), model.evaluate(x, y, verbose=0)
    )
    ends = layers.ViterbiDecode()(again.outputs[0])
    decoded = keras.Model(again.inputs, ends).predict(x, verbose=0)
    scores = to_numpy(model(x))
    for row, real in enumerate(x != 0):
        every = paths(scores[row], real)
        assert tuple(decoded[row, real]) == max(every, key=lambda p: every[p])


def test_lengths_differ_from_batch_to_batch() -> None:
    """On TensorFlow the second length failed: it is unknown from then on."""
    model = tagger()
    best = layers.ViterbiDecode()(model.outputs[0])
    decoder = keras.Model(model.inputs, best)
    steps = IDS.shape[1]
    expected = decoder.predict(IDS, verbose=0)
    loss = model.evaluate(IDS, TAGS, verbose=0)
    for more in (1, 3):
        x = np.pad(IDS, [(0, 0), (0, more)])
        y = np.pad(TAGS, [(0, 0), (0, more)], constant_values=-1)
        found = decoder.predict(x, verbose=0)
        assert (np.where(IDS != 0, found[:, :steps] - expected, 0) == 0).all()
        assert_close(model.evaluate(x, y, verbose=0), loss)


@pytest.mark.long
def test_compiled() -> None:
    mask = SHORT["holes"]
    tags = np.where(mask, TAGS, 0)
    given = [ops.convert_to_tensor(x) for x in (tags, SCORES, mask)]
    loss = compiled(lambda t, p, m: CRFLoss()(t, p, mask=m))(*given)
    assert_close(loss, -sum(likelihoods(SCORES, mask)) / 3)
    decoded = compiled(crf_decode)(*given[1:])
    assert (to_numpy(decoded) == to_numpy(crf_decode(SCORES, mask))).all()


@pytest.mark.kit
def test_the_kit_passes() -> None:
    report = check_loss(LossCase(CRFLoss, y_true=TAGS, y_pred=SCORES))
    assert report.ok, str(report)
    assert report.ran >= 8


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: CRFLoss()(TAGS, SCORES[..., 0]),
            "must be .batch, steps, tags",
        ),
        (lambda: CRFLoss()(TAGS + 1, SCORES), "classes=3, wrong="),
        (lambda: CRFLoss()(TAGS - 3, SCORES), "not negative at real steps"),
        (lambda: CRFLoss()(TAGS * 1.0, SCORES), "must be integers"),
        (lambda: CRFLoss()(TAGS[:, :4], SCORES), "the steps of `y_pred`"),
        (lambda: crf_decode(SCORES, SHORT["left"][:2]), "mask.shape"),
        (lambda: layers.LinearChainCRF(0), "tags"),
        (lambda: layers.LinearChainCRF(3)(np.ones((1, 2, 4))), "3"),
        (
            lambda: layers.LinearChainCRF(2, [[1, 1], [1, 1]]),
            "must be booleans",
        ),
        (
            lambda: layers.LinearChainCRF(2, np.zeros((2, 2), bool)),
            "must allow a tag",
        ),
        (lambda: layers.LinearChainCRF(2, None, [True]), r"shape=\(1,\)"),
    ],
)
def test_what_does_not_fit_is_refused(call: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()

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
from keras_masking.ops import crf_factors
from keras_masking.ops import crf_log_likelihood
from keras_masking.ops import crf_marginals
from keras_masking.ops.crf_factors import get_factors
from tests import oracle
from tests.helpers import BACKEND
from tests.helpers import MASKS
from tests.helpers import assert_close
from tests.helpers import at_once
from tests.helpers import compiled
from tests.helpers import finite_differences
from tests.helpers import gradients_of
from tests.helpers import mask_of
from tests.helpers import padded_here
from tests.helpers import spread
from tests.helpers import to_numpy
from tests.helpers import with_padding

# Five steps and three tags: the oracle takes all paths.
SHORT = {name: mask[:, :5] for name, mask in MASKS.items()}
RANDOM = np.random.default_rng(0)
SCORES = 2 * RANDOM.normal(size=(3, 5, 3, 3)).astype("float32")
WEIGHTS = [(3, 3), (3,), (3,)]
TAGS = RANDOM.integers(0, 3, (3, 5))


def paths(scores: Any, real: np.ndarray) -> dict[tuple, float]:
    """The score of each path over the real steps of a row."""
    steps = [t for t in range(len(real)) if real[t]]
    tags = range(3)
    found = {}
    for path in itertools.product(tags, repeat=len(steps)):
        total, before = 0.0, 0
        for place, t in enumerate(steps):
            total += float(scores[t][before if place else 0, path[place]])
            before = path[place]
        found[path] = total
    return found


def partition(scores: dict[tuple, float]) -> float:
    best = max(scores.values())
    return best + math.log(sum(math.exp(s - best) for s in scores.values()))


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
    likelihood = at_once(crf_log_likelihood)
    found = likelihood(np.zeros((1, 10), int), scores)
    assert_close(found, [-10 * math.log(2)], scale=3000.0)
    scores = np.full((1, 512, 2, 2), 100.0, "float32")
    found = likelihood(np.zeros((1, 512), int), scores)
    assert_close(found, [-512 * math.log(2)], scale=51200.0)


@pytest.mark.parametrize("far", [False, True])
def test_long_rows_from_factors(far: bool) -> None:
    """Their likelihood has its digits, whatever the size of the scores.

    A tag that is too far behind for a chance in float32 changes nothing.
    """
    emissions = np.full((1, 512, 3), 100.0, "float32")
    emissions[..., 2] = -200.0 if far else 100.0
    crf = layers.LinearChainCRF(3, initializer="ones")
    found = CRFLoss()(np.zeros((1, 512), int), crf(emissions))
    assert_close(found, 512 * math.log(2 if far else 3))


def test_weights_and_factors() -> None:
    """A row of weight 0 may be NaN."""
    mask, weights = SHORT["right"], np.array([0.5, 0.0, 2.0], "float32")
    emissions = SCORES[:, :, 0].copy()
    crf = layers.LinearChainCRF(3, initializer="ones")
    every = to_numpy(CRFLoss(None)(TAGS, crf(emissions, mask=mask)))
    emissions[1] = np.nan
    potentials = crf(emissions, mask=mask)
    found = CRFLoss(None)(TAGS, potentials, weights)
    assert_close(found, every * weights)
    mean = CRFLoss()

    def ours(x: Any) -> Any:
        return mean(TAGS, crf(x, mask=mask), weights)

    (gradient,) = gradients_of(ours)(emissions)
    assert np.isfinite(to_numpy(gradient)).all()
    assert to_numpy(gradient)[0].any() and not to_numpy(gradient)[1].any()


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


CASES = "near", "near, dead end", "far", "far, dead end"
# Of two tags that may follow each other, and of one that ends all paths.
ALLOWED = np.array([[1, 1, 1], [0, 1, 1], [0, 0, 0]], bool)


@pytest.mark.parametrize(
    ("kind", "case"),
    spread(SHORT, ["near", "near, dead end", "far", "far, dead end"]),
)
def test_a_loss_from_factors(
    kind: str, case: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As from potentials, but without reading them.

    Of a dead end, and of scores that are far apart, float32 does not hold all
    chances, and logarithms take over.
    """
    scale = 90.0 if "far" in case else 1.0
    allowed = ALLOWED if "dead end" in case else np.ones((3, 3), bool)
    mask = SHORT[kind]
    real = mask.any(axis=1)
    rng = np.random.default_rng(2)
    given = [rng.normal(size=s) for s in [(3, 5, 3), *WEIGHTS]]
    given = [(scale * x).astype("float32") for x in given]
    tags = np.zeros((3, 5), int)  # allowed after each other

    def oracle_of(place: int, x: np.ndarray) -> float:
        now = [*given[:place], x, *given[place + 1 :]]
        emissions, transitions, start, end = now
        transitions = np.where(allowed, transitions, -1e4)
        total = 0.0
        for row, own in zip(emissions, mask):
            steps = oracle.potentials(row, own, transitions, start, end)
            steps = [
                np.reshape(x, (3, 3)) if y else 0 for x, y in zip(steps, own)
            ]
            every = paths(steps, own)
            total += partition(every) - every[(0,) * int(own.sum())]
        return total / max(int(real.sum()), 1)

    crf = layers.LinearChainCRF(3, allowed)
    crf.build((None, None, 3))
    bad = np.where(mask[..., None], given[0], np.nan)

    def ours(x: Any, transitions: Any, start: Any, end: Any) -> Any:
        known = crf.trainable_variables, (transitions, start, end)
        with keras.StatelessScope(list(zip(*known))):
            potentials = crf(x, mask=mask)
            assert get_factors(potentials, None) is not None
            return CRFLoss()(tags, potentials)

    wanted = oracle_of(0, given[0])
    with monkeypatch.context() as patch:
        if case == "near":
            patch.setattr(crf_factors, "_logs", None)
        value = ours(bad, *given[1:])
    assert_close(value, wanted, scale=5 * scale)
    found = gradients_of(ours)(bad, *given[1:])
    for place, (gradient, x) in enumerate(zip(found, given)):
        where = np.ones_like(x) if place else np.isfinite(bad)
        differences = finite_differences(
            lambda x, place=place: oracle_of(place, x), x, where
        )
        assert_close(gradient, differences)


def test_allowed_transitions() -> None:
    labels = ["O", "B-A", "I-A", "B-B", "I-B"]
    allowed, start, end = bio_transitions(labels)
    assert end.all()
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


LABELS = ["O", "B-A", "I-A", "E-A", "S-A", "S-B"]


@pytest.mark.parametrize("ends", ["ES", "LU"])
def test_allowed_transitions_of_bioes(ends: str) -> None:
    """Those of all spans after each other, and no others."""
    spans = [[0], [1, 3], [1, 2, 3], [1, 2, 2, 3], [4], [5]]
    names = [x.replace("E-", ends[0] + "-") for x in LABELS]
    names = [x.replace("S-", ends[1] + "-") for x in names]
    allowed, start, end = bio_transitions(names)
    found = np.zeros((6, 6), bool)
    for pair in itertools.product(spans, repeat=2):
        for before, after in itertools.pairwise(pair[0] + pair[1]):
            found[before, after] = True
    assert (allowed == found).all()
    assert start.tolist() == [any(s[0] == i for s in spans) for i in range(6)]
    assert end.tolist() == [any(s[-1] == i for s in spans) for i in range(6)]
    crf = layers.LinearChainCRF(6, allowed, start, end)
    emissions = RANDOM.normal(size=(20, 4, 6)).astype("float32")
    emissions[:, :, 1] += 3.0  # B-A would be the best of each step
    mask = RANDOM.random((20, 4)) < 0.7
    mask[:, 0] = True
    decoded = to_numpy(layers.ViterbiDecode()(crf(emissions, mask=mask)))
    for row, real in zip(decoded, mask):
        tags = row[real]
        assert start[tags[0]] and end[tags[-1]]
        assert all(allowed[a, b] for a, b in itertools.pairwise(tags))
    assert (decoded == 1).any()


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (["O", "I-A"], "needs a `B-X`"),
        (["B-A", "I-B", "B-C"], "'I-B'"),
        (["B-A", "E-B", "B-B"], "needs an `E-X`"),
        (["S-A", "E-A"], "needs a `B-X`"),
    ],
)
def test_labels_without_their_kin(labels: list[str], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        bio_transitions(labels)


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


def test_a_tagger(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A step of `fit`, and what is predicted, with padding of every kind.

    The step takes the likelihood from factors.
    """
    model, real = tagger(), IDS != 0
    start = model.get_weights()
    path = tmp_path / "model.keras"
    after, seen, found = [], [], []
    for kind in (None, *padded_here()):
        x, y = IDS, np.where(real, TAGS, -1)
        if kind:
            x, y = (with_padding(kind, z, v) for z, v in ((x, 0), (y, -1)))
        model.set_weights(start)
        model.evaluate(x, y, verbose=0)  # builds it, with any numbers
        with monkeypatch.context() as patch:
            patch.setattr(CRFLoss, "call", None)
            model.fit(x, y, verbose=0)
        after.append(model.get_weights())
        if kind is None:
            model.save(path)
            model_again = keras.saving.load_model(path)
            ends = layers.ViterbiDecode()(model_again.outputs[0])
            decoder = keras.Model(model_again.inputs, ends)
        seen.append(model_again.evaluate(x, y, verbose=0))
        found.append(decoder.predict(x, verbose=0)[x != 0])
    for weights in after[1:]:
        for one, other, first in zip(weights, after[0], start):
            assert_close(one, other)
            assert np.abs(one - first).max() > 0
    assert_close(seen, [seen[0]] * len(seen))
    scores = to_numpy(model_again(IDS))
    best = []
    for row, own in enumerate(real):
        every = paths(scores[row], own)
        best += max(every, key=lambda p, every=every: every[p])
    assert all(tags.tolist() == best for tags in found)


def test_a_graph_for_any_number_of_steps() -> None:
    """As TensorFlow makes one for batches of other lengths."""
    mask = SHORT["holes"]
    tags = np.where(mask, TAGS, 0)
    crf = layers.LinearChainCRF(3)
    crf.build((None, None, 3))
    emissions = SCORES[:, :, 0]

    def run(tags: Any, emissions: Any, mask: Any) -> Any:
        potentials = crf(emissions, mask=mask)
        copied = potentials * 1.0  # knows no factors
        losses = [CRFLoss()(tags, x, mask=mask) for x in (potentials, copied)]
        return *losses, crf_decode(potentials, mask)

    wanted = run(*[ops.convert_to_tensor(x) for x in (tags, emissions, mask)])
    assert_close(wanted[0], to_numpy(wanted[1]))
    if BACKEND != "tensorflow":
        return
    import tensorflow as tf

    spec = [
        tf.TensorSpec((None, None), tf.int64),
        tf.TensorSpec((None, None, 3)),
        tf.TensorSpec((None, None), bool),
    ]
    graph = tf.function(run, input_signature=spec)
    for steps in (5, 7):
        pad = [(0, 0), (0, steps - 5)]
        more = [np.pad(x, pad) for x in (tags, mask)]
        padded = np.pad(emissions, [*pad, (0, 0)])
        found = graph(more[0], padded, more[1])
        assert_close(found[0], to_numpy(wanted[0]))
        assert_close(found[1], to_numpy(wanted[0]))
        assert (to_numpy(found[2])[:, :5] == to_numpy(wanted[2])).all()


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
        (
            lambda: layers.LinearChainCRF(2, allowed_end=[False, False]),
            "`allowed_end` must allow a tag",
        ),
    ],
)
def test_what_does_not_fit_is_refused(call: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()

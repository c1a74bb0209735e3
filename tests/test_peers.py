"""The numbers of other libraries, for sequences padded on the right.

`tox -e peers` installs pytorch-crf, torch-struct and optax.
"""

from typing import Any

import keras
import numpy as np
import pytest

from keras_masking import layers
from keras_masking.losses import CRFLoss
from keras_masking.losses import MaskedCTC
from keras_masking.ops import crf_decode
from keras_masking.ops import crf_log_likelihood
from keras_masking.ops import crf_marginals
from tests.helpers import assert_close
from tests.helpers import gradients_of
from tests.helpers import to_numpy

torchcrf = pytest.importorskip("torchcrf", reason="only in `tox -e peers`")
torch_struct = pytest.importorskip("torch_struct")
optax = pytest.importorskip("optax")
torch = pytest.importorskip("torch")

RANDOM = np.random.default_rng(0)
ROWS, STEPS, TAGS = 5, 12, 4
LENGTHS = np.array([12, 7, 1, 2, 9])
MASK = np.arange(STEPS) < LENGTHS[:, None]
EMISSIONS = RANDOM.normal(size=(ROWS, STEPS, TAGS)).astype("float32")
WEIGHTS = [
    RANDOM.normal(size=shape).astype("float32")
    for shape in ((TAGS, TAGS), (TAGS,), (TAGS,))
]
TRUE = RANDOM.integers(0, TAGS, (ROWS, STEPS))


def potentials() -> Any:
    crf = layers.LinearChainCRF(TAGS)
    crf.build((None, None, TAGS))
    crf.set_weights(WEIGHTS)
    return crf(EMISSIONS, mask=MASK)


def pytorch_crf() -> Any:
    module = torchcrf.CRF(TAGS, batch_first=True)
    names = "transitions", "start_transitions", "end_transitions"
    with torch.no_grad():
        for name, weight in zip(names, WEIGHTS):
            getattr(module, name).copy_(torch.tensor(weight))
    return module


def test_a_crf_of_pytorch_crf() -> None:
    """Likelihoods, their gradients, and the best paths."""
    module = pytorch_crf()
    x = torch.tensor(EMISSIONS, requires_grad=True)
    given = x, torch.tensor(TRUE), torch.tensor(MASK)
    theirs = module(*given, reduction="none")
    assert_close(
        crf_log_likelihood(TRUE, potentials(), MASK), theirs.detach().numpy()
    )
    watched = [x, module.transitions, module.start_transitions]
    watched.append(module.end_transitions)
    wanted = torch.autograd.grad(-theirs.mean(), watched)
    crf = layers.LinearChainCRF(TAGS)
    crf.build((None, None, TAGS))

    def ours(x: Any, *weights: Any) -> Any:
        state = list(zip(crf.trainable_variables, weights))
        with keras.StatelessScope(state):
            return CRFLoss()(TRUE, crf(x, mask=MASK))

    for one, other in zip(gradients_of(ours)(EMISSIONS, *WEIGHTS), wanted):
        assert_close(one, other.numpy())
    found = to_numpy(crf_decode(potentials(), MASK))
    for row, length, path in zip(found, LENGTHS, module.decode(x, given[2])):
        assert row[:length].tolist() == path
        assert not row[length:].any()


# torch-struct declares no constraints, which PyTorch warns of.
@pytest.mark.filterwarnings("ignore:.*arg_constraints")
def test_a_crf_of_torch_struct() -> None:
    """Likelihoods, marginals and best paths.

    Its chain begins with a pair of tags: axes are step, tag, tag before.
    """
    ours = to_numpy(potentials())
    # Rows of two steps or more. The score of the first step joins the second's.
    rows = [row for row in range(ROWS) if LENGTHS[row] > 1]
    pairs = ours[rows][:, 1:].transpose(0, 1, 3, 2).copy()
    pairs[:, 0] += ours[rows][:, 0, 0][:, None, :]
    lengths = torch.tensor(LENGTHS[rows])
    chain = torch_struct.LinearChainCRF(torch.tensor(pairs), lengths=lengths)
    own = torch.tensor(TRUE[rows])
    parts = torch_struct.LinearChainCRF.struct.to_parts(
        own, TAGS, lengths=lengths
    )
    wanted = chain.log_prob(parts.float()).detach().numpy()
    found = crf_log_likelihood(TRUE[rows], ours[rows], MASK[rows])
    assert_close(found, wanted)
    marginals = chain.marginals.detach().numpy()
    best = chain.argmax.detach().numpy()
    found = to_numpy(crf_marginals(ours[rows], MASK[rows]))
    paths = to_numpy(crf_decode(ours[rows], MASK[rows]))
    for row, length in enumerate(LENGTHS[rows]):
        pairs = marginals[row, : length - 1]
        assert_close(found[row, 0], pairs[0].sum(axis=0))
        assert_close(found[row, 1:length], pairs.sum(axis=2))
        tags = [int(best[row, 0].sum(axis=0).argmax())]
        tags += best[row, : length - 1].sum(axis=2).argmax(axis=1).tolist()
        assert paths[row, :length].tolist() == tags


CLASSES = 5
LOGITS = RANDOM.normal(size=(ROWS, STEPS, CLASSES)).astype("float32")
# The third row has a step and no label: the others have an alignment.
LABELS = np.array(
    [
        [1, 1, 2, 4],
        [3, 3, -1, -1],
        [-1, -1, -1, -1],
        [2, -1, -1, -1],
        [1, 2, 1, 3],
    ]
)


def test_ctc_of_torch() -> None:
    counts = torch.tensor((LABELS > 0).sum(axis=1))
    x = torch.tensor(LOGITS, requires_grad=True)
    theirs = torch.nn.functional.ctc_loss(
        x.log_softmax(-1).transpose(0, 1),
        torch.tensor(np.maximum(LABELS, 0)),
        torch.tensor(LENGTHS),
        counts,
        reduction="none",
    )
    loss = MaskedCTC(reduction=None)
    assert_close(loss(LABELS, LOGITS, mask=MASK), theirs.detach().numpy())
    (wanted,) = torch.autograd.grad(theirs.mean(), x)
    mean = MaskedCTC()
    (found,) = gradients_of(lambda x: mean(LABELS, x, mask=MASK))(LOGITS)
    assert_close(found, wanted.numpy())


def test_ctc_of_optax() -> None:
    real = LABELS > 0
    theirs = optax.ctc_loss(
        LOGITS, 1.0 - MASK, np.where(real, LABELS, 0), 1.0 - real
    )
    found = MaskedCTC(reduction=None)(LABELS, LOGITS, mask=MASK)
    assert_close(found, np.asarray(theirs))

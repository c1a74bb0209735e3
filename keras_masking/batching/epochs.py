"""A dataset of sequences that makes other batches in each epoch."""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np

from keras_masking._arguments import check_integer
from keras_masking.batching.data import Data
from keras_masking.batching.report import BatchReport
from keras_masking.batching.rows import Layout


class Epochs(keras.utils.PyDataset):
    """Batches for `fit` and `evaluate`; a subclass says which.

    Args:
        data: The sequences.
        shuffle: Whether each epoch has its own batches, in random order.
        seed: Seed of the epochs.

    There are no `workers`. A batch is made in less than a millisecond, and with
    more than one worker Keras 3.15 hands out some batches twice and others
    never, in the first `fit` of a model on PyTorch and JAX: those that workers
    have made when Keras builds the model come first in the first epoch.
    """

    def __init__(self, data: Data, shuffle: bool, seed: int) -> None:
        super().__init__()
        self.data = data
        self.shuffle = bool(shuffle)
        self.seed = check_integer(type(self).__name__, "seed", seed, 0)
        self.epoch = 0
        self._plan()

    def plan(self, rng: np.random.Generator | None) -> Sequence[Layout]:
        """The batches of an epoch; their number is always the same.

        Keras asks for the number of batches once. It takes the shapes from the
        first two on TensorFlow.
        """
        raise NotImplementedError

    def report(self) -> BatchReport:
        """What the batches of the current epoch consist of."""
        raise NotImplementedError

    def __len__(self) -> int:
        return len(self.layouts)

    def __getitem__(self, index: int) -> tuple[Any, ...]:
        layout = self.layouts[index]
        self._handed_out[index] = True
        return self.data.batch(layout)

    def on_epoch_end(self) -> None:
        """Makes the next epoch, when all batches of this one were handed out.

        Keras calls it earlier too: after the batch from which it builds a
        model, and, if `fit` gets `steps_per_epoch`, in the middle.
        """
        if self._handed_out.all():
            self.epoch += 1
            self._plan()

    def _plan(self) -> None:
        rng = None
        if self.shuffle:
            rng = np.random.default_rng((self.seed, self.epoch))
        self.layouts = self.plan(rng)
        self._handed_out = np.zeros(len(self.layouts), bool)

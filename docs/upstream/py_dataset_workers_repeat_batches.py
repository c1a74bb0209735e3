"""The first `fit` from a PyDataset with workers repeats and drops batches

To build the model, `fit` takes a batch and resets the iterator. What the
workers have made until then, `max_queue_size` batches and one or two more, is
kept for the next run, which however starts at the first batch again. So in the
first epoch some batches are used twice and, since their number is fixed, as
many others never, silently.

An epoch should use each batch once.

Where:
    trainers/data_adapters/py_dataset_adapter.py:520 "self.ready_queue.put"
    backend/torch/trainer.py:234 "epoch_iterator.reset()"
Shows on: keras 3.12.0 (jax), 3.15.1 (torch, jax), 3.16 (torch, jax)
Layers: Model
Fix: In `PyDatasetEnqueuer.start`, empty `ready_queue` if the dataset is finite:
    its indices start at 0 again.
Tried: 3.15.1, on torch and JAX: the script exits with 0.
Workaround: `workers=1` without multiprocessing; or call `train_on_batch` before
    `fit`, which builds the model and its metrics.
"""

import keras
import numpy as np

BATCHES = 30


class Numbers(keras.utils.PyDataset):
    """Batch `i` is the id `i`."""

    def __len__(self):
        return BATCHES

    def __getitem__(self, index):
        return np.full((1, 1), index, "int32"), np.zeros((1, 1, 1))


# Each use of a batch takes 1 from the embedding of its id.
embedding = keras.layers.Embedding(BATCHES, 1, embeddings_initializer="zeros")
model = keras.Sequential([embedding])
model.compile(keras.optimizers.SGD(1.0), lambda y_true, y_pred: y_pred[..., 0])
model.fit(Numbers(workers=2), shuffle=False, verbose=0)

used = np.round(-model.get_weights()[0][:, 0]).astype(int).tolist()
print("used how often: expected", [1] * BATCHES)
print("used how often: got     ", used)
raise SystemExit(used != [1] * BATCHES)

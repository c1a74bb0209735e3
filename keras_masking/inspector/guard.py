"""A callback that inspects a model on the first batch of its training."""

import warnings
from typing import Any

import keras

from keras_masking._backends import first_batch
from keras_masking._backends import is_dense
from keras_masking.errors import MaskWarning
from keras_masking.errors import NotMeasuredError
from keras_masking.errors import describe
from keras_masking.inspector.report import MaskFindingsError


class MaskGuard(keras.callbacks.Callback):
    """Inspects a model on the first batch that `fit` trains it on.

    It inspects once in each `fit`, after that batch: before the second one, or
    at the end of the epoch if there is none. The guard does not change the
    losses and weights of `fit`.

    Args:
        on_finding: `"warn"` warns with a `MaskWarning`, and training goes on in
            any case; `"raise"` raises a `MaskFindingsError`, which ends `fit`.
            If there is no finding, but something could not be measured or the
            model failed, both warn.
        probe: Whether to measure which layers let padding in, by running each
            layer again.
        training: Whether to inspect in training mode, for example with dropout.

    Attributes:
        report: The `MaskReport` of the last `fit`; None before.

    Example:

    >>> model = keras.Sequential([
    ...     keras.layers.Embedding(9, 4, mask_zero=True),
    ...     keras_masking.layers.MaskedGlobalMaxPooling1D(),
    ... ])
    >>> model.compile("sgd", "mse")
    >>> guard = keras_masking.inspector.MaskGuard()
    >>> ids, y = np.array([[1, 2, 0], [3, 4, 5]]), np.zeros((2, 4))
    >>> history = model.fit(ids, y, callbacks=[guard], verbose=0)
    >>> guard.report.ok
    True
    """

    def __init__(
        self,
        on_finding: str = "warn",
        *,
        probe: bool = True,
        training: bool = False,
    ) -> None:
        super().__init__()
        if on_finding not in ("warn", "raise"):
            raise ValueError(
                describe(
                    "MaskGuard",
                    '`on_finding` must be "warn" or "raise".',
                    'Leave it out to warn, or pass "raise" to end `fit`.',
                    on_finding=repr(on_finding),
                )
            )
        self.on_finding = on_finding
        self.options = {"probe": probe, "training": training}
        self.report: Any = None
        self._awaits = False
        self._batch: Any = None

    def on_train_begin(self, logs: Any = None) -> None:
        self._awaits, self._batch = True, None

    # Not `on_train_batch_end`: that one may run in a thread beside training.
    def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
        if self._awaits:
            self._watch(self.model)
        else:
            self._inspect()

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        self._inspect()

    def _watch(self, model: Any) -> None:
        """Makes the next call of the train function keep its batch.

        Keras does not pass data to callbacks.
        """
        train = model.train_function

        def watching(*args: Any) -> Any:
            model.train_function = train
            found = first_batch(args[-1], model.steps_per_execution)
            if found is None:
                _warn("MaskGuard cannot read the batches of tf.distribute.")
            else:
                batch, feed = found
                x, _, _ = keras.utils.unpack_x_y_sample_weight(batch)
                self._batch = (keras.tree.map_structure(_as_array, x),)
                args = (*args[:-1], feed)
            self._awaits = False
            return train(*args)

        model.train_function = watching

    def _inspect(self) -> None:
        if self._batch is None:
            return
        from keras_masking.inspector.inspection import inspect_masks

        (inputs,), self._batch = self._batch, None
        try:
            self.report = inspect_masks(self.model, inputs, **self.options)
            self.report.raise_for_findings()
        except NotMeasuredError as error:
            _warn(str(error))
        except Exception as error:
            if self.on_finding == "raise":
                raise
            what = (
                ""
                if isinstance(error, MaskFindingsError)
                else (f"MaskGuard could not inspect: {type(error).__name__}: ")
            )
            _warn(f"{what}{error}")


def _warn(text: str) -> None:
    warnings.warn(text, MaskWarning, stacklevel=3)


def _as_array(x: Any) -> Any:
    dense = x is not None and is_dense(x)
    return keras.ops.convert_to_numpy(x) if dense else x

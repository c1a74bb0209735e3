"""Checks a model: the function that users call, and its run."""

from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Mapping
from typing import Any

from keras_masking.contract.case import with_options
from keras_masking.contract.harness.model_harness import ModelHarness
from keras_masking.contract.harness.reproduce import model_script
from keras_masking.contract.model_case import ModelCase
from keras_masking.contract.registry import Check
from keras_masking.contract.report import Report
from keras_masking.contract.report import Result
from keras_masking.contract.run import Run


def check_model(
    model: Any,
    inputs: Any = None,
    *,
    padding: Any = None,
    only: Iterable[str] | None = None,
    skip: Iterable[str] | None = None,
    expected_failures: Mapping[str, str] | None = None,
    level: str = "advised",
    on_result: Callable[[Result], None] | None = None,
) -> Report:
    """Checks that padding changes no real output of a whole model.

    The model runs with more, less and other padding, saved and loaded, and
    compiled, on the current backend. It is not changed.

    Args:
        model: A `keras.Model`, a function without arguments that returns one,
            or a `ModelCase`.
        inputs: What the model takes, as for `predict`: a few rows with padding
            in them. By default they are made up from the model's signature.
        padding: What padding steps of the inputs hold, for example
            `{"token_ids": 0}`, if no mask says where they are, see
            `inspect_masks`. Guessed if not given.
        only: Ids of the checks to run, see `check_layer`.
        skip: Ids of checks not to run; they are reported as n/a.
        expected_failures: Ids that may fail, each with a reason.
        level: The lowest level to run, see `check_layer`.
        on_result: Called with each result as soon as it is known.

    Returns:
        A `Report`. What could not be tried is n/a, with the reason; a report in
        which no check ran is not ok. To raise if a check failed, call its
        `raise_for_failures`.

    Raises:
        TargetError: If there is no model to check, the inputs do not fit it, an
            id is unknown, or an expected failure has no reason.

    Example:

    >>> from keras_masking.contract import check_model
    >>> model = keras.Sequential([
    ...     keras.Input((None,)),
    ...     keras.layers.Embedding(9, 4, mask_zero=True),
    ...     keras.layers.GroupNormalization(2, name="norm"),
    ...     keras.layers.GlobalAveragePooling1D(),
    ... ])
    >>> report = check_model(model, np.array([[1, 2, 3], [4, 0, 0]]))
    >>> [result.check for result in report.failures]
    ['model-more-padding', 'model-alone-equals-batched']
    """
    case = with_options(ModelCase, model, inputs=inputs, padding=padding)
    return ModelRun(case).run_all(
        level=level,
        only=only,
        skip=skip,
        expected_failures=expected_failures,
        on_result=on_result,
    )


class ModelRun(Run):
    """Runs the checks of one model, which is inspected once."""

    kind = "model"

    def examples(self) -> str:
        return str(self.harness.padding)

    def new_harness(
        self, shape: tuple[int, int, int] | None = None
    ) -> ModelHarness:
        return ModelHarness(self.case)

    def fits(self, shape: tuple[int, int, int]) -> bool:
        return False  # a model has the inputs that it is given

    def shows_the_same(self, small: Any) -> bool:
        return False

    def describe(self, check: Check, harness: Any) -> dict[str, str]:
        shapes = [str(x.shape) for x in harness.found.given.leaves]
        padding = f" ({harness.padding})" if harness.padding else ""
        return {
            "smallest": f"inputs {' and '.join(shapes)}{padding}",
            "script": model_script(self.case, harness, check.id),
        }

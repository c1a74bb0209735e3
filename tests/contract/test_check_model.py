"""check_model: each check catches the models that were broken for it."""

from collections import Counter
from typing import Any

import keras
import numpy as np
import pytest
from keras import layers as kl

from keras_masking.contract import MaskContractError
from keras_masking.contract import ModelCase
from keras_masking.contract import TargetError
from keras_masking.contract import all_checks
from keras_masking.contract import check_model
from keras_masking.contract import parametrize_with_checks
from tests.contract.broken import Broken
from tests.contract.broken import assert_caught
from tests.contract.broken import here
from tests.contract.broken import judge
from tests.contract.broken import models


@pytest.mark.kit
@pytest.mark.parametrize("broken", here(models.BROKEN), ids=str)
def test_broken_model(broken: Broken) -> None:
    assert_caught(broken)


@pytest.mark.kit
@pytest.mark.parametrize("case", models.SOUND, ids=str)
def test_sound_model(case: ModelCase) -> None:
    report = judge(case)
    assert report.ok, str(report)
    assert {r.status for r in report} <= {"pass", "n/a"}, str(report)
    status = {r.check: r.status for r in report}
    assert status["model-more-padding"] == "pass"
    assert status["model-alone-equals-batched"] == "pass"


def test_two_for_each_check() -> None:
    count = Counter(broken.catches for broken in models.BROKEN)
    assert set(count) == set(all_checks("model"))
    assert min(count.values()) >= 2


def statuses(report: Any) -> dict[str, str]:
    return {result.check: result.status for result in report}


def test_a_failure_names_the_layer_and_the_numbers() -> None:
    make = models.of_ids(lambda: models.AllSteps(name="guilty"))
    model = make()
    report = check_model(model, models.IDS, only=["model-more-padding"])
    (failure,) = report.failures
    more = np.pad(models.IDS, [(0, 0), (0, 12)])
    with_more = keras.ops.convert_to_numpy(model(more))
    gap = np.abs(with_more - keras.ops.convert_to_numpy(model(models.IDS)))
    assert f"real outputs move by {gap.max():.3g}," in failure.seen
    assert f"row {gap.max(axis=1).argmax()}, mask " in failure.where
    assert failure.cause.startswith("`guilty` (AllSteps): ")
    assert "inputs (3, 6)" in failure.smallest
    assert "check_model(" in failure.script
    with pytest.raises(MaskContractError, match="guilty"):
        report.raise_for_failures()


def test_the_script_reproduces_the_failure(
    capsys: pytest.CaptureFixture[str],
) -> None:
    case = ModelCase(
        models.of_ids(models.AllSteps),
        models.IDS,
        script="from tests.contract.broken import models\n"
        "models.of_ids(models.AllSteps)",
    )
    (failure,) = check_model(case, only=["model-more-padding"]).failures
    exec(failure.script, {})
    assert failure.seen in capsys.readouterr().out


def test_padding_that_nobody_knows_is_no_pass() -> None:
    x = keras.Input((None, 4))
    model = keras.Model(x, kl.GlobalMaxPooling1D()(x))
    full = np.ones((3, 6, 4), "float32")
    report = check_model(model, full, level="information")
    assert set(statuses(report).values()) == {"n/a"}
    assert not report.ok
    reasons = {result.reason for result in report}
    assert any("not known how the inputs are padded" in r for r in reasons)
    with pytest.raises(MaskContractError, match="no check ran"):
        report.raise_for_failures()


def test_padding_can_be_passed_and_guessed() -> None:
    ids = keras.Input((None,), dtype="int32", name="ids")
    mask = keras.Input((None,), dtype="int32", name="mask")
    x = kl.Embedding(10, 4)(ids)
    pooled = kl.GlobalAveragePooling1D()(x)
    model = keras.Model({"ids": ids, "mask": mask}, pooled)
    inputs = {"ids": models.IDS, "mask": (models.IDS != 0).astype("int32")}
    only = ["model-more-padding"]
    guessed = check_model(model, inputs, only=only)
    assert "guessed from" in guessed.examples
    assert "guessed from" in guessed.summary()
    passed = check_model(
        model, inputs, padding={"ids": 0, "mask": 0}, only=only
    )
    assert "padding of `ids`: 0, passed" in passed.examples
    for report in (guessed, passed):
        assert [r.check for r in report.failures] == only
    assert "padding={'ids': 0, 'mask': 0}" in passed.failures[0].script


def test_a_table_of_positions_that_is_too_short() -> None:
    """More padding cannot be tried; less can."""

    class Positions(kl.Layer):
        def __init__(self) -> None:
            super().__init__()
            self.supports_masking = True

        def call(self, inputs: Any) -> Any:
            return inputs + keras.ops.arange(6.0)[: inputs.shape[1], None]

        def compute_output_shape(self, shape: Any) -> Any:
            return shape

    report = check_model(
        models.of_ids(Positions, models.Pool)(),
        models.IDS,
        only=["model-more-padding", "model-alone-equals-batched"],
    )
    status = statuses(report)
    assert status["model-more-padding"] == "n/a"
    assert status["model-alone-equals-batched"] == "pass"
    reasons = {r.check: r.reason for r in report}
    assert "raised" in reasons["model-more-padding"]


def test_random_outputs_are_not_judged() -> None:
    class Noise(kl.Layer):
        def __init__(self) -> None:
            super().__init__()
            self.supports_masking = True
            self.seed_generator = keras.random.SeedGenerator(0)

        def call(self, inputs: Any) -> Any:
            return inputs + keras.random.normal(
                keras.ops.shape(inputs), seed=self.seed_generator
            )

    report = check_model(models.of_ids(Noise, models.Pool)(), models.IDS)
    assert not report.failures, str(report)
    reasons = {r.check: r.reason for r in report}
    assert "random numbers" in reasons["model-more-padding"]


def test_the_model_is_not_changed() -> None:
    model = models.of_ids(models.Pool)()
    before = [w.copy() for w in model.get_weights()]
    function = model.predict_function
    assert check_model(model, models.IDS, level="information").ok
    assert all(map(np.array_equal, before, model.get_weights()))
    assert model.predict_function is function


def test_left_padding_counts_where_the_inputs_have_it() -> None:
    left = models.IDS[:, ::-1].copy()
    report = check_model(
        models.of_ids(models.Columns, models.Pool)(), left, level="information"
    )
    status = statuses(report)
    assert status["model-more-padding"] == "fail"
    assert status["model-left-padding"] == "n/a"


@pytest.mark.parametrize(
    ("target", "words"),
    [
        (3, "A target must be a `keras.Model`"),
        (lambda: 3, "it returned int"),
        (lambda: kl.ReLU(), "use `check_layer`"),
        (lambda: 1 / 0, "cannot be created: ZeroDivisionError"),
    ],
)
def test_what_is_no_model(target: Any, words: str) -> None:
    with pytest.raises(TargetError, match=words):
        check_model(target, models.IDS)


def test_inputs_that_do_not_fit() -> None:
    model = models.of_ids(models.Pool)()
    with pytest.raises(TargetError, match=r"`check_model`.*of numbers"):
        check_model(model, "text")
    with pytest.raises(TargetError, match="must name inputs"):
        check_model(model, {"ids": models.IDS}, padding={"mask": 0})


CASE = ModelCase(
    models.of_ids(models.AllSteps),
    models.IDS,
    expected_failures={
        "model-more-padding": "a mean over all steps",
        "model-alone-equals-batched": "the same",
    },
)


@parametrize_with_checks([CASE])
def test_in_pytest(check: Any) -> None:
    check()

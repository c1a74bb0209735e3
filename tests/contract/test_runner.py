"""The contents of reports, and errors before any check runs."""

import json
import subprocess
import sys
import warnings
from typing import Any

import keras
import numpy as np
import pytest

from keras_masking import layers
from keras_masking.contract import Case
from keras_masking.contract import MaskContractError
from keras_masking.contract import Report
from keras_masking.contract import TargetError
from keras_masking.contract import check_layer
from keras_masking.contract import iter_checks
from keras_masking.contract.harness import layer_harness
from keras_masking.contract.harness import violations
from keras_masking.contract.layer_run import LayerRun
from keras_masking.contract.registry import Check


class Blind(keras.layers.Layer):
    """A mean over all steps, which takes the mask but does not use it."""

    def call(self, inputs: Any, mask: Any = None) -> Any:
        return keras.ops.mean(inputs, axis=1)

    def compute_mask(self, inputs: Any, mask: Any = None) -> None:
        return None


def test_a_failure_in_five_parts() -> None:
    report = check_layer(Blind, only=["pad-value"])
    assert not report.ok
    (failure,) = report.failures
    text = str(failure)
    lines = text.splitlines()
    assert lines[0] == "FAIL pad-value  Blind  (required)"
    assert [line[2:9] for line in lines if line[2:3].isdigit()] == [
        "1 rule ", "2 seen ", "3 where", "4 likel", "5 repro",
    ]  # fmt: skip
    assert "Values at padding steps do not change real outputs." in text
    assert " with padding 0 and " in text and " with padding 8; " in text
    assert "row 0 of 1, mask TF" in text
    assert "call received the mask: yes" in text
    assert "inputs (1, 2, 1)" in text
    with pytest.raises(MaskContractError, match="FAIL pad-value") as info:
        report.raise_for_failures()
    assert "1 fail" in str(info.value)


def test_what_keras_warns_of_stays_inside() -> None:
    class Loses(keras.layers.Layer):
        def call(self, inputs: Any) -> Any:
            return keras.ops.mean(inputs, axis=1)

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        report = check_layer(Loses, only=["pad-value"])
    assert report.failures
    assert not caught


def test_the_script_runs_as_printed() -> None:
    failure = check_layer(Blind, only=["pad-value"]).failures[0]
    run = subprocess.run(
        [sys.executable, "-c", failure.script],
        capture_output=True,
        text=True,
        check=True,
    )
    assert "FAIL pad-value" in run.stdout


def test_expected_failures() -> None:
    why = {"pad-value": "it ignores its mask"}
    report = check_layer(Blind, only=["pad-value"], expected_failures=why)
    assert [r.status for r in report] == ["pass", "xfail"]
    assert report.ok
    report = check_layer(
        layers.FirstStep, only=["pad-value"], expected_failures=why
    )
    assert [r.status for r in report] == ["pass", "xpass"]
    with pytest.raises(MaskContractError, match="expected to fail"):
        report.raise_for_failures()


def test_what_did_not_pass_blocks_what_builds_on_it() -> None:
    report = check_layer(Blind)
    status = {result.check: result.status for result in report}
    assert status["pad-value"] == "fail"
    assert status["pad-length"] == "blocked"
    assert report.summary().endswith("checks ran")


def test_a_report_is_data() -> None:
    report = check_layer(Blind, only=["pad-value"])
    again = Report.from_dict(json.loads(report.to_json()))
    assert again == report
    assert str(again) == str(report)


def test_nothing_ran_is_a_failure() -> None:
    report = check_layer(
        layers.FirstStep,
        only=["runs-with-mask"],
        skip=["runs-with-mask"],
    )
    assert not report.ok
    with pytest.raises(MaskContractError, match="no check ran"):
        report.raise_for_failures()


def test_a_fault_of_the_kit_is_not_one_of_the_layer() -> None:
    def fail(harness: Any) -> None:
        raise KeyError("oops")

    run = LayerRun(Case(layers.FirstStep))
    texts = ("statement", "why", "cause", "wrong", "right")
    check = Check(
        "mine", "layer", "required", (run.harness.role,), (), fail, *texts
    )
    result = run(check)
    assert result.status == "kit-error"
    assert result.counts
    assert "not the layer, the kit failed: KeyError" in str(result)


def test_one_generator() -> None:
    seen = {check.id: run() for _, check, run in iter_checks(Blind)}
    report = check_layer(Blind)
    assert {k: v.status for k, v in seen.items()} == {
        r.check: r.status for r in report
    }


def make_nothing() -> None:
    return None


def raises() -> None:
    raise RuntimeError("no weights")


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda: check_layer(7), "a layer, or a `Case`. Received: 7."),
        (lambda: check_layer(int), "which is not a `keras.layers.Layer`"),
        (lambda: check_layer(make_nothing), "it returned NoneType"),
        (lambda: check_layer(raises), "RuntimeError: no weights"),
        (
            lambda: check_layer(keras.layers.Dense),
            "cannot be created: TypeError",
        ),
        (
            lambda: check_layer(Blind, only=["pad-valu"]),
            "`only` must be one of those that `keras-masking checks` lists. "
            "Received: 'pad-valu'. Did you mean 'pad-value'?",
        ),
        (
            lambda: check_layer(Blind, expected_failures={"pad-value": " "}),
            "The expected failure 'pad-value' needs a reason",
        ),
        (
            lambda: check_layer(
                Blind, expected_failures={"grad-nan-padding": "so"}
            ),
            "matches no check that runs",
        ),
        (lambda: check_layer(Blind, level="high"), "`level` must be one of"),
        (lambda: check_layer(Blind, role="pools"), "`role` must be one of"),
        (lambda: Case(Blind, columns=True), "needs a `reason`"),
        (lambda: Case(Blind, requires_mask=True), "needs a `reason`"),
        (
            lambda: check_layer(Blind, inputs=np.zeros(3)),
            "`inputs` must hold a sequence (batch, steps, ...)",
        ),
    ],
)
def test_what_is_refused(call: Any, message: str) -> None:
    with pytest.raises(TargetError) as info:
        call()
    assert message in str(info.value)


def test_a_layer_itself_is_copied() -> None:
    layer = keras.layers.Dense(3)
    report = check_layer(layer, only=["pad-value"])
    assert report.ok
    assert not layer.built


def test_inputs_of_every_form() -> None:
    x = np.random.default_rng(0).normal(size=(3, 6, 4)).astype("float32")
    only = ["pad-value", "functional"]
    multiply = check_layer(keras.layers.Multiply, inputs=[x, x], only=only)
    assert multiply.ok
    assert multiply.role == "merges"
    attention = check_layer(
        lambda: keras.layers.GroupQueryAttention(2, 2, 1),
        inputs=(x, x[:, :5]),
        only=only,
    )
    attention.raise_for_failures()


class Insists(keras.layers.Layer):
    """Raises without a mask; with one it lets padding through if `leaks`."""

    def __init__(self, leaks: bool) -> None:
        super().__init__()
        self.supports_masking = True
        self.leaks = leaks

    def call(self, inputs: Any, mask: Any = None) -> Any:
        if mask is None:
            raise ValueError("no mask")
        given = inputs if self.leaks else layers.ApplyMask()(inputs, mask=mask)
        return inputs + keras.ops.max(given, axis=1, keepdims=True) * 0.5

    def compute_output_shape(self, input_shape: Any) -> Any:
        return input_shape


WITHOUT = ["runs-without-mask", "no-mask-in-none-out", "all-true-is-no-op"]


@pytest.mark.parametrize("leaks", [False, True])
def test_a_layer_that_requires_a_mask(leaks: bool) -> None:
    """What runs it without is n/a, and never a pass; the rest judges it."""
    only = [*WITHOUT, "pad-value", "repeatable", "large-values"]
    case = Case(lambda: Insists(leaks), requires_mask=True, reason="it asserts")
    report = check_layer(case, only=only)
    status = {r.check: r for r in report}
    for name in WITHOUT:
        assert status[name].status == "n/a"
        assert status[name].reason == "requires a mask: it asserts"
    assert status["repeatable"].status == "pass"
    for name in ("pad-value", "large-values"):
        assert status[name].status == ("fail" if leaks else "pass")
    undeclared = check_layer(lambda: Insists(leaks), only=WITHOUT[:1])
    assert [r.status for r in undeclared] == ["fail"]


def test_a_layer_that_is_said_to_require_a_mask_and_does_not(
    capsys: pytest.CaptureFixture[str],
) -> None:
    case = Case(layers.ApplyMask, requires_mask=True, reason="so I thought")
    report = check_layer(case, only=["runs-without-mask"])
    (failure,) = report.failures
    assert "but a call without a mask works" in failure.seen
    exec(failure.script, {})
    assert "FAIL runs-without-mask" in capsys.readouterr().out


class FromTheLeft(keras.layers.Layer):
    """Masks the id 0, and counts positions from the first column."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.supports_masking = True

    def call(self, ids: Any) -> Any:
        place = keras.ops.cumsum(keras.ops.ones_like(ids), axis=1)
        both = keras.ops.stack([ids, place], axis=-1)
        return keras.ops.cast(both, self.compute_dtype)

    def compute_mask(self, ids: Any, mask: Any = None) -> Any:
        mine = keras.ops.not_equal(ids, 0)
        return mine if mask is None else keras.ops.logical_and(mine, mask)


def test_the_smallest_inputs_show_the_role() -> None:
    ids = np.array([[3, 1, 4, 1], [2, 6, 0, 0], [5, 0, 0, 0]], "int32")
    case = Case(FromTheLeft, inputs=ids)
    report = check_layer(case, only=["pad-length"])
    assert report.role == "generates"
    (failure,) = report.failures
    # (1, 2) has no id that is 0.
    assert failure.smallest != "inputs (1, 2)"
    assert "on the left" in failure.seen


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("Bench", layer_harness.LayerHarness),
        ("Breach", violations.ContractViolation),
    ],
)
def test_old_names_work_with_a_warning(old: str, new: type) -> None:
    with pytest.warns(DeprecationWarning, match=f"{new.__name__}`"):
        found = getattr(layer_harness, old)
    assert found is new

"""What a failure blames: the rule that others follow from, and its line."""

import os
import subprocess
import sys

import keras
import pytest
from keras import ops

from keras_masking.contract import check_layer
from keras_masking.contract.harness.mask_line import mask_line
from tests.contract.broken.modes import ForgetsName
from tests.contract.broken.modes import NoConfigOfItsOwn
from tests.contract.broken.values import ByFourier
from tests.contract.broken.values import LeaksAboveALimit
from tests.contract.broken.values import LeaksAtLast
from tests.contract.broken.values import Stacks
from tests.contract.broken.values import StacksAlone
from tests.contract.broken.values import StacksAndSelects
from tests.contract.layers import Layer
from tests.contract.layers import Pool

WINDOW = "keras_masking.ops.window_mask(mask, 2, strides=2)"
FOLLOWS = ("pad-length", "alone-equals-batched", "equal-sizes")


def windows(kernel: int, strides: int) -> list[tuple[int, int]]:
    """The numbers of steps and of windows, counted one by one."""
    return [
        (steps, len(range(0, steps - kernel + 1, strides)))
        for steps in (6, 7, 8, 9, 18)
    ]


@pytest.mark.parametrize(
    ("counts", "line"),
    [
        (windows(1, 1), "mask"),
        (windows(1, 2), "mask[:, ::2]"),
        (windows(3, 1), "keras_masking.ops.window_mask(mask, 3)"),
        (windows(2, 2), WINDOW),
        (windows(5, 3), "keras_masking.ops.window_mask(mask, 5, strides=3)"),
        ([(n, 3 * n) for n in (2, 3, 14)], "keras.ops.repeat(mask, 3, axis=1)"),
        ([(n, n * n) for n in (2, 3, 14)], ""),
        ([(n, n + 2) for n in (2, 3, 14)], ""),
    ],
)
def test_mask_by_the_number_of_steps(counts: list, line: str) -> None:
    assert mask_line(counts) == line


@pytest.mark.parametrize("layer", [StacksAlone, StacksAndSelects])
def test_a_stack_of_steps_needs_the_mask_of_windows(layer: type) -> None:
    report = check_layer(layer, only=["mask-shape", *FOLLOWS])
    (failure,) = report.failures
    assert failure.check == "mask-shape"
    assert failure.right.endswith(f"else {WINDOW}")
    reasons = {r.check: r.reason for r in report if r.status == "blocked"}
    assert reasons["pad-length"] == "mask-shape did not pass"
    assert reasons["alone-equals-batched"] == "mask-shape did not pass"


def test_the_proposed_line_mends_the_layer() -> None:
    class Mended(Stacks):
        def compute_mask(self, x: object, mask: object = None) -> object:
            import keras_masking  # noqa: F401

            return None if mask is None else eval(WINDOW)

    report = check_layer(Mended, only=["mask-shape", *FOLLOWS])
    assert report.ok, str(report)
    assert not [r for r in report if r.status == "blocked"]


class Unmasked(keras.layers.Layer):
    """Differences of steps, in windows of two, without a mask."""

    def call(self, inputs: object) -> object:
        return inputs[:, 1:] - inputs[:, :-1]


def test_steps_of_unknown_reality_are_blocked_by_the_lost_mask() -> None:
    report = check_layer(Unmasked, only=["mask-position", "pad-length"])
    how = {r.check: (r.status, r.reason) for r in report}
    blocked = ("blocked", "mask-kept did not pass")
    assert how["mask-position"] == how["pad-length"] == blocked


def test_a_dropped_mask_on_purpose_blocks_nothing() -> None:
    report = check_layer(Unmasked, role="drops", only=["mask-position"])
    how = {r.check: (r.status, r.reason) for r in report}
    assert how["mask-position"][0] == "n/a"
    assert "the output has no mask" in how["mask-position"][1]


class Weighted(Pool):
    def build(self, shape: tuple) -> None:
        self.scale = self.add_weight(shape=shape[-1:], initializer="ones")

    def call(self, inputs: object) -> object:
        return ops.mean(inputs, axis=1) * self.scale


class StaleMask(Weighted, Layer):
    """`supports_masking`, and no `compute_mask`."""

    compute_mask = keras.layers.Layer.compute_mask


def test_a_stale_mask_blocks_training() -> None:
    report = check_layer(StaleMask, only=["trains"])
    how = {r.check: (r.status, r.reason) for r in report}
    assert how["mask-dropped"][0] == "fail"
    assert how["trains"] == ("blocked", "mask-dropped did not pass")
    assert {r.check: r.status for r in check_layer(Weighted)}[
        "trains"
    ] == "pass"


def test_each_run_is_named_with_its_steps() -> None:
    seen = check_layer(Counts, only=["alone-equals-batched"]).failures[0].seen
    assert seen == "1 real step in a padded batch and 0 real steps alone"


class Counts(Layer):
    """One step less than the input, and a mask of the steps that begin it."""

    def call(self, inputs: object, mask: object = None) -> object:
        if mask is not None:
            inputs = ops.where(mask[:, :, None], inputs, 0.0)
        return inputs[:, :-1] + inputs[:, 1:]

    def compute_mask(self, inputs: object, mask: object = None) -> object:
        return None if mask is None else mask[:, :-1]


def test_no_gradients_on_a_backend_for_inference() -> None:
    pytest.importorskip("jax", reason="Keras' NumPy backend imports it")
    script = (
        "from keras_masking.contract import check_layer\n"
        "from keras.layers import Dense\n"
        "only = ['trains', 'grad-finite']\n"
        "report = check_layer(lambda: Dense(3), only=only)\n"
        "print(*(f'{r.check}: {r.reason}' for r in report), sep='\\n')\n"
    )
    path = os.pathsep.join(sys.path)
    run = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        env={**os.environ, "KERAS_BACKEND": "numpy", "PYTHONPATH": path},
        check=True,
        timeout=300,
    )
    for name in ("trains", "grad-finite"):
        assert f"{name}: Keras does not train on numpy" in run.stdout


@pytest.mark.skipif(
    keras.backend.backend() != "torch", reason="only PyTorch can turn them off"
)
def test_no_gradients_where_a_package_turned_them_off() -> None:
    import torch

    only = ["trains", "grad-finite"]
    for on, status in ((False, "n/a"), (True, "pass")):
        with torch.set_grad_enabled(on):
            report = check_layer(lambda: keras.layers.Dense(3), only=only)
        for result in report:
            if result.check in only:
                assert result.status == status
                assert on or "set_grad_enabled(True)" in result.reason


@pytest.mark.parametrize(
    ("layer", "line"),
    [
        (NoConfigOfItsOwn, "Write a `get_config`:"),
        (
            ForgetsName,
            "`get_config` does not start with `super().get_config()`",
        ),
    ],
)
def test_a_lost_name_is_due_to_the_config(layer: type, line: str) -> None:
    (failure,) = check_layer(layer, only=["save-load"]).failures
    assert "the name is lost" in failure.seen
    assert line in failure.cause


def test_rounding_is_named_and_blocks_nothing() -> None:
    ids = ["pad-value", "pad-value-training", "pad-length", "equal-sizes"]
    report = check_layer(ByFourier, only=ids)
    (failure,) = report.failures
    assert failure.check == "pad-value"
    assert failure.seen.startswith("only with padding of 1000, by rounding:")
    assert "blocked" not in {r.status for r in report}


@pytest.mark.parametrize("layer", [LeaksAtLast, LeaksAboveALimit])
def test_a_small_leak_is_no_rounding(layer: type) -> None:
    report = check_layer(layer, only=["pad-value", "pad-length"])
    assert "rounding" not in report.failures[0].seen
    assert [r.status for r in report if r.check == "pad-length"] == ["blocked"]

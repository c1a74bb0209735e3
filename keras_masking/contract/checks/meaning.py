"""Whether masks mark the right steps, explicit or attached."""

from dataclasses import replace

import numpy as np

from keras_masking import layer_calls
from keras_masking.contract.harness import batches
from keras_masking.contract.harness.batches import Batch
from keras_masking.contract.harness.compare import require_equal_real
from keras_masking.contract.harness.layer_harness import LayerHarness
from keras_masking.contract.harness.violations import CallFailed
from keras_masking.contract.harness.violations import ContractViolation
from keras_masking.contract.harness.violations import NotApplicable
from keras_masking.contract.registry import check


@check("required")
def check_mask_truth(harness: LayerHarness) -> None:
    """An output step is marked as real only if it depends on real steps.

    Why: an inverted mask, or one that does not follow the order of the steps,
        has the right shape and dtype but hides data instead of padding.
    Cause: the mask is True at padding, or `compute_mask` does not reorder the
        mask as `call` reorders the steps.
    Wrong:
        def compute_mask(self, ids, mask=None): return ops.equal(ids, 0)
    Right:
        return ops.not_equal(ids, 0)
    """
    if all(mask is None for mask in harness.base.masks):
        raise NotApplicable("no output carries a mask")
    moved = _where_it_depends(harness)
    if not any(m.any() for m in moved):
        raise NotApplicable("no output depends on the values of the inputs")
    judged = False
    for i, mask in enumerate(harness.base.masks):
        if mask is None or not harness.has_steps[i]:
            continue
        if mask.shape != moved[i].shape or not moved[i].any():
            continue  # an output that never changes proves nothing
        given = harness.batch.given
        if harness.role == "generates" and mask.shape == given.shape:
            mask = mask & given  # `mask-combined` checks this
        for row in range(len(mask)):
            whole = given[row].all() and not harness.case.columns
            if whole and not mask[row].any():
                raise ContractViolation(
                    "a row without padding is all padding in the output",
                    f"output {i}, row {row}",
                )
            if given[row].sum() < 2:
                continue  # a softmax over one step is always 1
            judged |= bool(mask[row].any())
            wrong = mask[row].astype(bool) & ~moved[i][row]
            if wrong.any() and not _constant_alone(
                harness, i, row, mask, wrong
            ):
                raise ContractViolation(
                    f"output step {int(wrong.argmax())} is marked as real, "
                    "but does not change when all real steps of its row do",
                    f"output {i}, row {row}",
                )
    if not judged:
        raise NotApplicable("no output step is marked as real")


def _constant_alone(
    harness: LayerHarness,
    output: int,
    row: int,
    mask: np.ndarray,
    wrong: np.ndarray,
) -> bool:
    """Whether the steps in question are constant in the row alone as well.

    For example, a layer that shifts its steps starts with a real zero.
    """
    alone = batches.alone(harness.batch, row)
    try:
        moved = _where_it_depends(harness, alone)[output][0]
    except CallFailed:
        return False
    doubtful = wrong[mask[row].astype(bool)]  # by position among real steps
    return len(moved) == len(doubtful) and not moved[doubtful].any()


def _where_it_depends(
    harness: LayerHarness, batch: Batch | None = None
) -> list[np.ndarray]:
    batch = harness.batch if batch is None else batch
    base = harness.run(batch)
    moved = [np.zeros(y.shape[:2], bool) for y in base.outputs]
    rng = harness.new_rng()
    for _ in range(3):
        other = batches.change_real(batch, rng)
        result = harness.run(other)
        for i, y in enumerate(base.outputs):
            differs = ~(
                (result.outputs[i] == y) | _both_nan(result.outputs[i], y)
            )
            if y.ndim >= 2:
                moved[i] |= differs.reshape(*y.shape[:2], -1).any(axis=-1)
    return moved


def _both_nan(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    if x.dtype.kind != "f":
        return np.zeros(x.shape, bool)
    return np.isnan(x) & np.isnan(y)


@check("required", after=("runs-with-mask", "mask-arg-reachable"))
def check_explicit_equals_attached(harness: LayerHarness) -> None:
    """`layer(x, mask=mask)` equals `layer(x)` where `x` carries the mask.

    Why: both mean the same. If both are given, the explicit mask wins, so that
        a caller can override the attached one.
    Cause: `call` or `compute_mask` reads the mask from the tensor and ignores
        the argument.
    Wrong:
        mask = inputs._keras_mask
    Right:
        def call(self, inputs, mask=None): ...  # Keras passes the mask
    """
    harness.needs_keras_mask()
    if not harness.mask_arguments:
        raise NotApplicable("`call` takes no mask")
    batch = harness.batch
    explicit = harness.run(batch, explicit=True)
    attached = (harness.base, batch)
    runs = "with an attached mask", "with an explicit one"
    require_equal_real(harness, attached, (explicit, batch), runs)
    # Of several masks, Keras passes `compute_mask` the one that the first
    # argument carries, so an explicit one does not affect the output mask.
    one = harness.mask_arguments == ["mask"]
    for i, (a, b) in enumerate(zip(harness.base.masks, explicit.masks)):
        if not one:
            break
        if (a is None) != (b is None) or (a is not None and (a != b).any()):
            raise ContractViolation(
                "an explicit mask and an attached one give different output "
                "masks",
                f"output {i}",
            )
    both = harness.run(batch, explicit=True, carried="left")
    # An input that is returned unchanged keeps the mask that it carried.
    both = replace(both, masks=explicit.masks)
    runs = "with an explicit mask alone", "with another mask attached"
    require_equal_real(harness, (explicit, batch), (both, batch), runs)


@check("required", after=("runs-with-mask", "runs-without-mask"))
def check_all_true_is_no_op(harness: LayerHarness) -> None:
    """An all-True mask gives the same values as no mask.

    Why: a batch without padding must not depend on whether a mask was made.
    Cause: the masked path of `call` has another formula, constant or dtype than
        the unmasked one.
    Wrong:
        if mask is not None: x = x * 0.5
    Right:
        # one formula, with `mask=None` read as all True
    """
    full = harness.masked("full")
    plain = batches.without_masks(full)
    pair = [(_unmasked(harness.run(b)), plain) for b in (plain, full)]
    runs = "without a mask", "with an all-True one"
    require_equal_real(harness, pair[0], pair[1], runs)


def _unmasked(result: layer_calls.CallOutputs) -> layer_calls.CallOutputs:
    return replace(result, masks=[None] * len(result.outputs))


@check("information")
def check_mask_dtype_tolerant(harness: LayerHarness) -> None:
    """Masks of 0 and 1, as integers or floats, work like boolean masks.

    Why: masks are often made by arithmetic or read from a file. Keras' own
        layers do not promise this.
    Cause: the mask goes into `ops.logical_not` or `ops.where` without a cast.
    Wrong:
        ops.where(mask[..., None], x, 0)
    Right:
        ops.where(ops.cast(mask, "bool")[..., None], x, 0)
    """
    harness.needs_keras_mask()
    for dtype in ("int32", "float32"):
        masks = tuple(
            None if m is None else m.astype(dtype) for m in harness.batch.masks
        )
        batch = replace(harness.batch, masks=masks)
        try:
            result = harness.run(batch)
        except CallFailed as error:
            raise ContractViolation(
                f"a mask of {dtype}: {error.seen}"
            ) from error
        pair = (harness.base, harness.batch), (result, harness.batch)
        runs = "with a boolean mask", f"with one of {dtype}"
        require_equal_real(harness, *pair, runs)

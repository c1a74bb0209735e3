"""The masks that come out: there or not, shape, dtype, truth."""

import warnings

import numpy as np

from keras_masking import probes
from keras_masking.contract import batches
from keras_masking.contract.batches import Batch
from keras_masking.contract.bench import Bench
from keras_masking.contract.bench import Breach
from keras_masking.contract.bench import CallFailed
from keras_masking.contract.bench import NotApplicable
from keras_masking.contract.checks.calls import overrides_compute_mask
from keras_masking.contract.compare import same_real
from keras_masking.contract.registry import check
from keras_masking.contract.roles import infer_role


@check("required")
def check_role_consistent(bench: Bench) -> None:
    """The declared role is what the layer does.

    Why: a role decides which checks apply; a wrong one would hide a breach.
    Cause: the role was declared for another layer, or the layer lost its mask.
    Wrong:
        Case(GlobalAveragePooling1D, role="passes")
    Right:
        Case(GlobalAveragePooling1D, role="reduces")
    """
    declared = bench.case.role
    if declared is None:
        raise NotApplicable("no role is declared")
    emits = any(mask is not None for mask in bench.base.masks)
    if declared == "drops":
        if emits:
            raise Breach("declared `drops`, but an output carries a mask")
        return
    inferred = infer_role(bench)
    if inferred != declared and {inferred, declared} not in (
        {"passes", "transforms"},
        {"generates", "transforms"},
        {"generates", "passes"},
        {"generates", "merges"},
        {"transforms", "merges"},
        {"passes", "merges"},
        {"reduces", "merges"},
    ):
        raise Breach(f"declared `{declared}`, but it {inferred}")


@check("required", after=("runs-without-mask",))
def check_no_mask_in_none_out(bench: Bench) -> None:
    """Without a mask in, no mask comes out (unless the layer makes one).

    Why: a mask out of nothing turns the unmasked model into a masked one,
        with what that costs and changes downstream.
    Cause: `compute_mask` makes an all-True mask in place of returning None.
    Wrong:
        mask = ops.ones(ops.shape(inputs)[:2]) if mask is None else mask
    Right:
        if mask is None: return None
    """
    if bench.role == "generates":
        raise NotApplicable("the layer makes a mask")
    seen = bench.run(batches.without_masks(bench.batch))
    if any(mask is not None for mask in seen.masks):
        raise Breach("no input has a mask, yet an output carries one")


@check("required", roles=("passes", "merges", "transforms", "generates"))
def check_mask_kept(bench: Bench) -> None:
    """A layer that keeps the steps hands their mask on.

    Why: every layer after it takes padding for data, the loss included. Keras
        warns at best.
    Cause: `supports_masking` is not set; or `call` lost the mask and
        `compute_mask` returns None.
    Wrong:
        class Scale(keras.layers.Layer):
            def call(self, x): return x * 2
    Right:
        def __init__(self, **kwargs):
            super().__init__(**kwargs)
            self.supports_masking = True
    """
    steps = [i for i, has in enumerate(bench.has_steps) if has]
    if not steps:
        raise NotApplicable("no output has a step axis")
    for i in steps:
        mask = bench.base.masks[i]
        if mask is None:
            raise Breach(
                "the output keeps its steps and carries no mask",
                f"output {i}, `supports_masking` is "
                f"{bench.layer.supports_masking}",
            )
        given = bench.batch.given
        judged = not overrides_compute_mask(bench.layer)
        if judged and mask.shape == given.shape and (mask != given).any():
            raise Breach(
                "the mask that comes out is not the one that went in",
                f"output {i}",
            )


@check("required")
def check_mask_dropped(bench: Bench) -> None:
    """An output without a step axis carries no mask of steps.

    Why: a stale mask `(batch, steps)` on `(batch, features)` makes the next
        layer fail, or mask features where the sizes happen to agree.
    Cause: `supports_masking` is set on a pooling layer whose `compute_mask`
        is the default one, which hands the mask on.
    Wrong:
        self.supports_masking = True  # and nothing else
    Right:
        def compute_mask(self, inputs, mask=None): return None
    """
    pooled = [i for i, has in enumerate(bench.has_steps) if not has]
    if not pooled:
        raise NotApplicable("every output has a step axis")
    for i in pooled:
        mask, y = bench.base.masks[i], bench.base.outputs[i]
        if mask is not None:
            raise Breach(
                f"an output of shape {y.shape} carries a mask of shape "
                f"{mask.shape}",
                f"output {i}",
            )


@check("required")
def check_mask_shape(bench: Bench) -> None:
    """The mask of an output has the shape of its first two axes.

    Why: the next layer pairs mask and steps by their place.
    Cause: the layer changes the number of steps, and `compute_mask` hands on
        the mask of the input.
    Wrong:
        def call(self, x): return x[:, ::2]
    Right:
        def compute_mask(self, x, mask=None):
            return None if mask is None else mask[:, ::2]
    """
    some = False
    for i, mask in enumerate(bench.base.masks):
        y = bench.base.outputs[i]
        if mask is None or not bench.has_steps[i]:
            continue
        some = True
        if mask.shape != y.shape[:2]:
            raise Breach(
                f"an output of shape {y.shape} carries a mask of shape "
                f"{mask.shape}, not {y.shape[:2]}",
                f"output {i}",
            )
    if not some:
        raise NotApplicable("no output with steps carries a mask")


@check("required")
def check_mask_dtype(bench: Bench) -> None:
    """The mask of an output is boolean.

    Why: layers combine masks with `ops.logical_and` and select with
        `ops.where`; a float mask is multiplied somewhere, and 0 * NaN is NaN.
    Cause: the mask was cast for arithmetic and that is what is returned.
    Wrong:
        def compute_mask(self, x, mask=None): return ops.cast(mask, "float32")
    Right:
        return mask
    """
    masks = [mask for mask in bench.base.masks if mask is not None]
    if not masks:
        raise NotApplicable("no output carries a mask")
    for i, mask in enumerate(masks):
        if mask.dtype != bool:
            raise Breach(f"a mask is {mask.dtype}, not bool", f"mask {i}")


@check("required")
def check_mask_structure(bench: Bench) -> None:
    """`compute_mask` returns one mask for each output.

    Why: Keras pairs masks and outputs and stops at the shorter list, so
        outputs are left without a mask in silence.
    Cause: the layer has several outputs and returns the mask of one.
    Wrong:
        def compute_mask(self, x, mask=None): return mask
    Right:
        def compute_mask(self, x, mask=None): return [mask, mask]
    """
    outputs = bench.base.outputs
    if len(outputs) < 2:
        raise NotApplicable("the layer has one output")
    without = [
        i
        for i, mask in enumerate(bench.base.masks)
        if bench.has_steps[i] and mask is None
    ]
    if without and any(mask is not None for mask in bench.base.masks):
        raise Breach(
            f"{len(outputs)} outputs, and no mask on output {without[0]}"
        )


@check("required")
def check_mask_truth(bench: Bench) -> None:
    """An output step is called real where it depends on real steps.

    Why: an inverted mask, or one that was not moved with the steps, has the
        right shape and dtype and hides the data in place of the padding.
    Cause: a mask of padding (True where it is padding), or `compute_mask`
        forgets what `call` does to the order of the steps.
    Wrong:
        def compute_mask(self, ids, mask=None): return ops.equal(ids, 0)
    Right:
        return ops.not_equal(ids, 0)
    """
    if all(mask is None for mask in bench.base.masks):
        raise NotApplicable("no output carries a mask")
    moved = _where_it_depends(bench)
    if not any(m.any() for m in moved):
        raise NotApplicable("no output depends on the values of the inputs")
    judged = False
    for i, mask in enumerate(bench.base.masks):
        if mask is None or not bench.has_steps[i]:
            continue
        if mask.shape != moved[i].shape:
            continue
        given = bench.batch.given
        if bench.role == "generates" and mask.shape == given.shape:
            mask = mask & given  # that it does not is for `mask-combined`
        for row in range(len(mask)):
            whole = given[row].all() and not bench.case.columns
            if whole and not mask[row].any():
                raise Breach(
                    "a row without padding comes out as all padding",
                    f"output {i}, row {row}",
                )
            if given[row].sum() < 2:
                continue  # a softmax over one step is 1, whatever it holds
            judged |= bool(mask[row].any())
            wrong = mask[row].astype(bool) & ~moved[i][row]
            if wrong.any() and not _constant_alone(bench, i, row, mask, wrong):
                raise Breach(
                    f"output step {int(wrong.argmax())} is called real, but "
                    "does not change when all real steps of its row do",
                    f"output {i}, row {row}",
                )
    if not judged:
        raise NotApplicable("no output step is called real")


def _constant_alone(
    bench: Bench, output: int, row: int, mask: np.ndarray, wrong: np.ndarray
) -> bool:
    """Whether the steps in doubt are constant in the row alone as well.

    A layer that shifts its steps starts with a zero that is real.
    """
    alone = batches.alone(bench.batch, row)
    try:
        moved = _where_it_depends(bench, alone)[output][0]
    except CallFailed:
        return False
    doubtful = wrong[mask[row].astype(bool)]  # by their place among real ones
    return len(moved) == len(doubtful) and not moved[doubtful].any()


def _where_it_depends(
    bench: Bench, batch: Batch | None = None
) -> list[np.ndarray]:
    batch = bench.batch if batch is None else batch
    base = bench.run(batch)
    moved = [np.zeros(y.shape[:2], bool) for y in base.outputs]
    rng = bench.new_rng()
    for _ in range(3):
        other = batches.change_real(batch, rng)
        seen = bench.run(other)
        for i, y in enumerate(base.outputs):
            differs = ~((seen.outputs[i] == y) | _both_nan(seen.outputs[i], y))
            if y.ndim >= 2:
                moved[i] |= differs.reshape(*y.shape[:2], -1).any(axis=-1)
    return moved


def _both_nan(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    if x.dtype.kind != "f":
        return np.zeros(x.shape, bool)
    return np.isnan(x) & np.isnan(y)


@check("required", after=("runs-with-mask", "mask-arg-reachable"))
def check_explicit_equals_attached(bench: Bench) -> None:
    """`layer(x, mask=mask)` is `layer(x)` where x carries the mask.

    Why: both are ways to say the same. Where both are there, the explicit one
        wins, so that a caller can overrule.
    Cause: `call` reads the mask off the tensor, or `compute_mask` does, and
        the argument is not looked at.
    Wrong:
        mask = inputs._keras_mask
    Right:
        def call(self, inputs, mask=None): ...  # Keras fills it
    """
    if not bench.mask_arguments:
        raise NotApplicable("`call` takes no mask")
    batch = bench.batch
    explicit = bench.run(batch, explicit=True)
    attached = (bench.base, batch)
    same_real(bench, attached, (explicit, batch), "attached and explicit mask")
    # Of several masks Keras tells `compute_mask` the one that the first
    # argument carries, so an explicit one has no say in what comes out.
    one = bench.mask_arguments == ["mask"]
    for i, (a, b) in enumerate(zip(bench.base.masks, explicit.masks)):
        if not one:
            break
        if (a is None) != (b is None) or (a is not None and (a != b).any()):
            raise Breach(
                "an explicit mask gives another output mask than an attached "
                "one",
                f"output {i}",
            )
    both = bench.run(batch, explicit=True, carried="left")
    # An input that is returned as it is keeps the mask that it carried.
    both = probes.Seen(both.outputs, explicit.masks, both.dtypes)
    what = "an explicit mask alone, and one that overrules an attached one"
    same_real(bench, (explicit, batch), (both, batch), what)


@check("required", after=("runs-with-mask", "runs-without-mask"))
def check_all_true_is_no_op(bench: Bench) -> None:
    """A mask that is all True gives the values of no mask.

    Why: a batch without padding must not depend on whether a mask was made.
    Cause: the masked path of `call` has another formula, another constant or
        another dtype than the unmasked one.
    Wrong:
        if mask is not None: x = x * 0.5
    Right:
        the same formula, with `mask=None` read as all True.
    """
    full = bench.masked("full")
    plain = batches.without_masks(full)
    what = "no mask and an all-True mask"
    pair = [(_unmasked(bench.run(b)), plain) for b in (plain, full)]
    same_real(bench, pair[0], pair[1], what)


def _unmasked(seen: probes.Seen) -> probes.Seen:
    return probes.Seen(seen.outputs, [None] * len(seen.outputs), seen.dtypes)


@check("information")
def check_mask_dtype_tolerant(bench: Bench) -> None:
    """Masks of 0 and 1, as integers or floats, count as boolean.

    Why: masks are often made by arithmetic or read from a file. Keras' own
        layers do not promise this.
    Cause: the mask goes into `ops.logical_not` or `ops.where` uncast.
    Wrong:
        ops.where(mask[..., None], x, 0)
    Right:
        ops.where(ops.cast(mask, "bool")[..., None], x, 0)
    """
    for dtype in ("int32", "float32"):
        masks = tuple(
            None if m is None else m.astype(dtype) for m in bench.batch.masks
        )
        batch = Batch(bench.batch.leaves, masks, bench.batch.fixed)
        try:
            seen = bench.run(batch)
        except CallFailed as error:
            raise Breach(f"a mask of {dtype}: {error.seen}") from error
        pair = (bench.base, bench.batch), (seen, bench.batch)
        same_real(bench, *pair, f"a boolean mask and one of {dtype}")


@check("advised", after=("runs-with-mask",))
def check_no_destroy_warning(bench: Bench) -> None:
    """Keras does not warn that a layer which handles masks destroys them.

    Why: a false warning teaches people to overlook the true ones.
    Cause: `supports_masking` is False. A layer that drops the mask on purpose
        returns None from a `compute_mask` of its own.
    Wrong:
        def call(self, x, mask=None): return masked_mean(x, mask)
    Right:
        def compute_mask(self, inputs, mask=None): return None
    """
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        bench.call(bench.new_layer(), bench.batch)
    for warning in caught:
        if "destroy" in str(warning.message) and "mask" in str(warning.message):
            raise Breach("Keras warns: " + str(warning.message).split(".")[0])


@check("advised", roles=("generates",))
def check_mask_combined(bench: Bench) -> None:
    """A layer that makes a mask ANDs it with the one that its input carries.

    Why: an input that is known to be padding must not come back as real.
        `keras.layers.Embedding` and `Masking` forget the mask of their input,
        by design.
    Cause: `compute_mask` does not look at its `mask` argument.
    Wrong:
        def compute_mask(self, ids, mask=None): return ops.not_equal(ids, 0)
    Right:
        own = ops.not_equal(ids, 0)
        return own if mask is None else ops.logical_and(own, mask)
    """
    given = bench.batch.given
    judged = False
    for value in (0.0, 8.0):  # what the layer itself calls padding, or real
        seen = bench.run(batches.fill(bench.batch, value))
        for i, mask in enumerate(seen.masks):
            if mask is None or mask.shape != given.shape:
                continue
            judged = True
            if (mask.astype(bool) & ~given).any():
                raise Breach(
                    "steps that the input's mask calls padding come out as "
                    "real",
                    f"output {i}",
                )
    if not judged:
        raise NotApplicable("no output has the steps of the input")

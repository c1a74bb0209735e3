"""Puts one fault after the other into the package: each must be found.

Run by hand after a change of the tests, in an environment of `tox`:

    KERAS_BACKEND=torch python -m tests.seed_faults
    KERAS_BACKEND=jax python -m tests.seed_faults

A fault is data: a kind, a file, a text that stands in it once, what stands
there instead, and the files of tests that should find it. The code is a
temporary copy of the tree; an argument names another tree to copy, for example
an older one. The tests are those of README's command; the faults of the kit
meet its own too. First all files run without a fault, and must pass.

It prints which test found each fault, and exits with 1 if one was not found.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[1]
BACKEND = os.environ.get("KERAS_BACKEND", "torch")
QUICK = "not kit and not long and not runtimes"
KIT = "not long and not runtimes"
SKIPPED = shutil.ignore_patterns(
    ".*", "__pycache__", "site", "dist", "build", "images", "results"
)


class Fault(NamedTuple):
    kind: str
    file: str  # in keras_masking/
    old: str
    new: str
    tests: str  # in tests/
    backend: str = "torch"
    marks: str = QUICK


FAULTS = [
    Fault(
        "padding has a share of a softmax",
        "ops/softmax.py",
        "ops.softmax(select(real, x, fill), axis=axis)",
        "ops.softmax(select(real, x, scalar(0, x)), axis=axis)",
        "ops/test_reductions.py",
    ),
    Fault(
        "a mask that is one window late",
        "ops/windows.py",
        "return mask if strides == 1 else mask[:, ::strides]",
        "return mask if strides == 1 else mask[:, strides - 1 :: strides]",
        "layers/test_values.py",
    ),
    Fault(
        "a wrong axis",
        "ops/crf.py",
        "ops.cast(ops.argmax(paths, axis=1), ",
        "ops.cast(ops.argmax(paths, axis=2), ",
        "test_crf.py",
    ),
    Fault(
        "a lost gradient",
        "layers/normalization.py",
        "y = (x - mean) * scale",
        "y = (x - ops.stop_gradient(mean)) * scale",
        "layers/test_gradients.py",
    ),
    Fault(
        "padding counted in a mean",
        "ops/reductions.py",
        "ops.sum(ops.cast(mask, counts), axis=axis, keepdims=keepdims)",
        "ops.sum(ops.ones_like(mask, counts), axis=axis, keepdims=keepdims)",
        "ops/test_pooling.py ops/test_reductions.py",
    ),
    Fault(
        "a mask that is not passed on",
        "layers/base.py",
        "if all(m is None for m in masks):\n            return None\n"
        "        return self.merge",
        "if any(m is None for m in masks):\n            return None\n"
        "        return self.merge",
        "layers/test_joining.py layers/test_merging.py",
    ),
    Fault(
        "a lost dtype",
        "ops/reductions.py",
        "    return cast_to(y, dtype)\n",
        "    return y\n",
        "ops/test_reductions.py",
    ),
    Fault(
        "an empty row divided by 0",
        "_backends.py",
        "x.clamp(min=1) if is_torch_tensor(x)",
        "x if is_torch_tensor(x)",
        "ops/test_reductions.py",
    ),
    Fault(
        "a NaN at padding times 0",
        "ops/dtypes.py",
        "return x.where(real, zero)",
        "return x * real",
        "layers/test_values.py",
    ),
    Fault(
        "an error without the received values",
        "errors.py",
        "{rule} Received: {seen}. {fix}",
        "{rule} {fix}",
        "test_errors.py",
    ),
    Fault(
        "numbers of positions that start at 1",
        "ops/masks.py",
        "return ops.where(mask, counts - 1, 0)",
        "return ops.where(mask, counts, 0)",
        "ops/test_masks.py layers/test_positions.py",
    ),
    Fault(
        "a backward kernel with the mask of forward",
        "layers/recurrent_base.py",
        "real = None if mask is None else ops.flip(mask, axis=1)",
        "real = mask",
        "layers/test_recurrent.py",
    ),
    Fault(
        "a config that loses an argument",
        "layers/packed.py",
        'return {**super().get_config(), "packed": self.packed}',
        "return {**super().get_config()}",
        "layers/test_packed.py layers/test_everywhere.py",
    ),
    Fault(
        "a class without its weight",
        "ops/class_weights.py",
        "ops.logical_and(classes >= 0, classes < size)",
        "ops.logical_and(classes > 0, classes < size)",
        "test_losses.py",
    ),
    Fault(
        "padding counted in a loss",
        "losses/masked.py",
        "return apply_mask(losses, mask), apply_mask(counts, mask)",
        "return apply_mask(losses, mask), counts",
        "test_losses.py",
    ),
    Fault(
        "a metric that multiplies NaN by a weight of 0",
        "metrics/masked.py",
        "mask = ops.logical_and(mask, ops.not_equal(weights, 0))",
        "mask = ops.logical_and(mask, weights == weights)",
        "test_metrics.py",
    ),
    Fault(
        "a converted layer without its weights",
        "conversion/carrying.py",
        "    new.set_weights(old.get_weights())\n",
        "    old.get_weights()\n",
        "test_conversion.py",
    ),
    Fault(
        "a sequence in the bucket after its own",
        "batching/grouping.py",
        "np.searchsorted(found, lengths)",
        'np.searchsorted(found, lengths, side="right")',
        "batching/test_bucketed.py",
    ),
    Fault(
        "weights that forget the replicas",
        "batching/split.py",
        "each[replica] * self.accumulate * self.replicas / total",
        "each[replica] * self.accumulate / total",
        "batching/test_split.py",
    ),
    Fault(
        "empty rows that weigh something",
        "batching/filling.py",
        "tree.map_structure(zero, batch.weights)",
        "tree.map_structure(lambda w: zero(w, 1), batch.weights)",
        "batching/test_filling.py",
    ),
    Fault(
        "a gap between packed sequences that is too narrow",
        "batching/gap.py",
        "ceil(later * scale + edge.need.widens)",
        "floor(later * scale + edge.need.widens)",
        "batching/test_gap.py",
    ),
    Fault(
        "a lost mask that nobody is blamed for",
        "inspector/watching/mask_flow.py",
        "                flow.drops.append(i)\n",
        "                blame = None\n",
        "inspector/test_inspection.py",
    ),
    Fault(
        "an inspection that leaves Keras patched",
        "inspector/watching/patching.py",
        "                    _undo.pop()()\n",
        "                    _undo.clear()\n",
        "inspector/test_watch.py",
    ),
    Fault(
        "a check of the kit that never fails",
        "contract/checks/masks.py",
        "if mask.dtype != bool:",
        "if mask.dtype == object:",
        "contract/test_broken_values.py",
        marks=KIT,
    ),
    Fault(
        "a kit that takes any difference for rounding",
        "contract/harness/compare.py",
        "far = gap > allowed",
        "far = gap > 1e9 * allowed",
        "contract/test_broken_values.py",
        marks=KIT,
    ),
    Fault(
        "padding counted in a variance",
        "ops/one_pass.py",
        "apart = (x - mean) * weights",
        "apart = x - mean",
        "ops/test_statistics.py",
        backend="jax",
    ),
    Fault(
        "a maximum of NaN at padding",
        "ops/one_pass.py",
        "return map_rows(plain, x, weights > 0)",
        "return map_rows(plain, x, weights >= 0)",
        "ops/test_pooling.py ops/test_reductions.py",
        backend="jax",
    ),
    Fault(
        "a gradient at padding",
        "ops/one_pass.py",
        "return _plain_sum(dx, weights > 0)",
        "return _plain_sum(dx, weights >= 0)",
        "ops/test_reductions.py",
        backend="jax",
    ),
    Fault(
        "a part of a gradient lost",
        "ops/softmax.py",
        "return selected(part - y * total, weights)",
        "return selected(part, weights)",
        "layers/test_gradients.py",
        backend="jax",
    ),
    Fault(
        "compiled code that does not look for NaN",
        "_backends.py",
        "return ops.cond(ok, first, second)",
        "return first()",
        "ops/test_reductions.py ops/test_statistics.py",
        backend="jax",
    ),
]


def run(tree: Path, tests: str, marks: str) -> tuple[int, str]:
    """The exit code of pytest, and the first test that failed."""
    files = [f"tests/{name}" for name in tests.split()]
    words = ["-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", "-m", marks]
    done = subprocess.run(
        [sys.executable, *words, *files],
        cwd=tree,
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(tree), "KERAS_BACKEND": BACKEND},
    )
    lines = done.stdout.splitlines()
    words = [s.split(" - ")[0].split(" ", 1) for s in lines]
    red = [
        name for word, *name in words if word in ("FAILED", "ERROR") and name
    ]
    return done.returncode, red[0][0] if red else "\n".join(lines[-20:])


def is_found(fault: Fault, tree: Path) -> bool:
    """Puts a fault into `tree` while its tests run."""
    path = tree / "keras_masking" / fault.file
    text = path.read_text("utf-8")
    assert text.count(fault.old) == 1, fault
    path.write_text(text.replace(fault.old, fault.new), "utf-8")
    try:
        code, said = run(tree, fault.tests, fault.marks)
    finally:
        path.write_text(text, "utf-8")
    word = {0: "NOT FOUND", 1: "found"}.get(code, f"pytest exits with {code}")
    print(f"{fault.kind}: {word}: {said}", flush=True)
    return code == 1


def main(tree: Path = ROOT) -> int:
    faults = [fault for fault in FAULTS if fault.backend == BACKEND]
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder, "tree")
        shutil.copytree(tree, copy, ignore=SKIPPED)
        for marks in sorted({fault.marks for fault in faults}):
            named = [f.tests for f in faults if f.marks == marks]
            tests = " ".join(sorted({*" ".join(named).split()}))
            code, said = run(copy, tests, marks)
            if code:
                print(f"without a fault: {said}")
                return 1
        found = [is_found(fault, copy) for fault in faults]
    print(f"{sum(found)} of {len(found)} faults found on {BACKEND}")
    return int(not all(found))


if __name__ == "__main__":
    sys.exit(main(*map(Path, sys.argv[1:])))

"""The rules that layers keep so that converters get them right.

They are in the guide, `docs/guide.md`.
"""

import ast
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from keras import ops

from keras_masking import cases
from keras_masking import layers
from keras_masking._keras import get_mask
from keras_masking.contract import Case
from tests.helpers import BACKEND
from tests.helpers import assert_close
from tests.helpers import at_once
from tests.helpers import quietly
from tests.helpers import to_numpy

PACKAGE = Path(__file__).parents[1] / "keras_masking"
FILES = [
    path
    for part in ("layers", "ops", "losses", "metrics")
    for path in sorted((PACKAGE / part).glob("*.py"))
]
CASES = [*cases.MASK_CASES, *cases.PACKED_CASES]
# The kinds of layers that decide by sizes: the others are run outside CI.
QUICK = {
    "LengthMask()",
    "CustomEmbedding(7, 4, mask_zero=True)",
    "TemporalSoftmax()",
    "MaskedGlobalAveragePooling1D()",
    "LastStep()",
    "MaskedConv1D(5, 3)",
    "MaskedConv1D(5, 3, padding='same', strides=2)",
    "MaskedConv1DTranspose(5, 3, strides=2)",
    "MaskedMaxPooling1D(2)",
    "MaskedMaxPooling1D(3, strides=2, padding='same')",
    "MaskedCropping1D((1, 2))",
    "RepeatVectorLike()",
    "MaskedGroupNormalization(2)",
    "MaskedPositionEmbedding(400)",
}
# What Keras runs as a Python loop over the steps on PyTorch, which exports the
# number of steps that it was traced with.
LOOPS = ("LSTM", "GRU", "RNN", "ViterbiDecode")
# Rows and steps that were not traced; 9 and 11 are no multiple of a stride.
SIZES = [(4, 9), (1, 11), (2, 8)]


def broken_rules(source: str) -> list[str]:
    """Expressions that a converter gets wrong, or does not take."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Subscript) and not _is_type(node.value):
            index = node.slice
            items = index.elts if isinstance(index, ast.Tuple) else [index]
            if any(ast.unparse(item) == "None" for item in items):
                found.append(ast.unparse(node))
        elif isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mod):
            left = node.left
            if isinstance(left, ast.UnaryOp) and isinstance(left.op, ast.USub):
                found.append(ast.unparse(node))
    return found


def _is_type(node: ast.expr) -> bool:
    name = ast.unparse(node)
    return name[0].isupper() or name in {"dict", "list", "tuple", "type"}


@pytest.mark.once
def test_no_new_axis_by_index_and_no_negative_remainder() -> None:
    wrong = "def f(x: Iterator[None]):\n    return x[:, None], -x % 2, x[0] % 2"
    assert broken_rules(wrong) == ["x[:, None]", "-x % 2"]
    for path in FILES:
        assert not broken_rules(path.read_text("utf-8")), path.name


class Function:
    """A layer as a function of arrays: inputs, then a mask for sequences."""

    def __init__(self, case: Case) -> None:
        self.layer, self.case = case.make(), case
        self.structure = cases.X if case.inputs is None else case.inputs
        self.leaves = [
            np.asarray(x) for x in keras.tree.flatten(self.structure)
        ]

    def arrays(self, rows: int, steps: int) -> list[np.ndarray]:
        """Inputs of a size; the last row of several is empty."""
        rng = np.random.default_rng(rows)
        resized = [self._resized(x, rows, steps) for x in self.leaves]
        masks = []
        for x in resized:
            if x.ndim > 1:
                mask = rng.random(x.shape[:2]) < 0.7
                mask[-1:] = len(mask) == 1
                masks.append(mask)
        return [*resized, *masks]

    def _resized(self, x: np.ndarray, rows: int, steps: int) -> np.ndarray:
        x = np.resize(x, (rows, *x.shape[1:]))
        if x.ndim == 1:
            return np.minimum(x, steps).astype(x.dtype)
        number = steps + x.shape[1] - cases.X.shape[1]  # some are shorter
        return np.take(x, np.arange(number) % x.shape[1], axis=1)

    def __call__(self, *arrays: Any) -> list[Any]:
        """The outputs, and the masks that they carry."""
        leaves = list(arrays[: len(self.leaves)])
        masks = iter(arrays[len(self.leaves) :])
        for i, x in enumerate(leaves):
            if len(x.shape) > 1:
                leaves[i] = layers.AttachMask()(x, mask=next(masks))
        inputs = keras.tree.pack_sequence_as(self.structure, leaves)
        how = self.case.call_kwargs
        several = isinstance(self.structure, tuple)
        outputs = self.layer(*(inputs if several else [inputs]), **how)
        flat = keras.tree.flatten(outputs)
        found = [get_mask(y) for y in flat]
        return flat + [ops.cast(m, "int32") for m in found if m is not None]


def traced(function: Function, example: list[np.ndarray]) -> Any:
    """`function` for any number of rows and steps, by the backend's export."""
    if BACKEND == "jax":
        return _traced_by_jax(function, example)
    if BACKEND == "torch":
        return _traced_by_torch(function, example)
    import tensorflow as tf

    specs = [
        tf.TensorSpec([None] * min(x.ndim, 2) + list(x.shape[2:]), x.dtype)
        for x in example
    ]
    return tf.function(function).get_concrete_function(*specs)


def _traced_by_jax(function: Function, example: list[np.ndarray]) -> Any:
    import jax
    from jax import export

    names: dict[int, str] = {}
    scope = export.SymbolicScope()
    specs = []
    for x in example:
        sizes = ["b", *map(str, x.shape[1:])]
        if x.ndim > 1:
            sizes[1] = names.setdefault(x.shape[1], f"s{len(names)}")
        shape = export.symbolic_shape(", ".join(sizes), scope=scope)
        specs.append(jax.ShapeDtypeStruct(shape, x.dtype))
    return export.export(jax.jit(function))(*specs).call


def _traced_by_torch(function: Function, example: list[np.ndarray]) -> Any:
    import torch

    class Module(torch.nn.Module):  # type: ignore[misc]
        def forward(self, *arrays: Any) -> Any:
            return function(*arrays)

    dynamic = torch.export.Dim.DYNAMIC
    sizes = [dict.fromkeys(range(min(x.ndim, 2)), dynamic) for x in example]
    given = tuple(torch.as_tensor(x) for x in example)
    program = torch.export.export(
        Module(), given, dynamic_shapes=(tuple(sizes),)
    )
    return program.module()


def _marked(case: Case) -> Any:
    marks = [] if case.name in QUICK else [pytest.mark.long]
    if BACKEND == "torch" and any(name in case.name for name in LOOPS):
        marks.append(pytest.mark.skip(reason="Keras unrolls its loops"))
    return pytest.param(case, marks=marks, id=case.name)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("case", [_marked(case) for case in CASES])
def test_traced_for_any_size(case: Case) -> None:
    """What a layer does is not decided by the sizes of an example."""
    function = Function(case)
    first = function.arrays(3, 6)
    quietly(function, *map(ops.convert_to_tensor, first))  # builds it
    program = quietly(traced, function, first)
    for size in SIZES[:1] if case.name in QUICK else SIZES:
        arrays = function.arrays(*size)
        tensors = [ops.convert_to_tensor(x) for x in arrays]
        expected = quietly(at_once(function), *tensors)
        found = program(*(arrays if BACKEND == "jax" else tensors))
        for y, wanted in zip(found, expected, strict=True):
            assert_close(y, to_numpy(wanted), scale=1.0)


def product(condition: Any, x: Any, y: Any) -> Any:
    """`where` as tf2onnx writes it: a NaN or an infinity times 0 is a NaN.

    Only a constant that is not finite is selected.
    """
    found = [to_numpy(ops.convert_to_tensor(each)) for each in (x, y)]
    constant = [each for each in found if each.ndim == 0]
    if "float" not in str(np.result_type(*found)) or any(
        not np.isfinite(each) for each in constant
    ):
        return SELECT(condition, x, y)
    chosen = ops.cast(condition, np.result_type(*found).name)
    return chosen * x + (1 - chosen) * y


SELECT: Callable[..., Any] = ops.where
# It selects by `isnan` itself.
FINITE = [
    case
    for case in (CASES if BACKEND == "tensorflow" else [])
    if not case.name.startswith("NaNMask")
]


@pytest.mark.parametrize("case", FINITE, ids=str)
def test_no_infinity_is_computed_and_not_selected(
    case: Case, monkeypatch: pytest.MonkeyPatch
) -> None:
    function = Function(case)
    given = [ops.convert_to_tensor(x) for x in function.arrays(3, 6)]
    expected = quietly(function, *given)
    computed = ops.convert_to_tensor([np.inf])
    assert np.isnan(to_numpy(product([False], computed, [0.0]))).all()
    monkeypatch.setattr(ops, "where", product)
    found = quietly(function, *given)
    for y, wanted in zip(found, expected, strict=True):
        assert_close(y, to_numpy(wanted), scale=1.0)

"""PyTorch's exporters: `torch.export` and `torch.onnx`.

`keras.ops` cannot reach them. Keras' `Model.export` traces one row of one step
for ONNX, and so does what depends on a size for ever.
"""

import inspect
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from keras_masking.exporting.source import Source


def to_program(source: Source) -> Any:
    """The model as a `torch.export.ExportedProgram`.

    By itself PyTorch takes it that no size that is computed, such as the steps
    after a strided layer, is 1, and refuses a model whose sizes may be 1. That
    is lifted for a program that will be compared with the model.
    """
    torch: Any = import_module("torch")
    module, tensors, sizes = _prepared(source)
    symbols: Any = import_module("torch.fx.experimental._config")
    with symbols.patch(backed_size_oblivious=source.verified):
        program = torch.export.export(
            module,
            (),
            dict(zip(source.names, tensors)),
            dynamic_shapes=sizes,
            strict=False,
            prefer_deferred_runtime_asserts_over_guards=source.verified,
        )
    if source.verified:
        _allow_any_size(torch, program.graph_module.graph)
    return program


def _allow_any_size(torch: Any, graph: Any) -> None:
    """Removes what a program asserts of its sizes."""
    for node in [*graph.nodes]:
        if node.target == torch.ops.aten._assert_scalar.default:
            graph.erase_node(node)
    graph.eliminate_dead_code()


def to_onnx(source: Source, path: Path) -> None:
    """Writes the model by the exporter that traces with `torch.export`."""
    torch: Any = import_module("torch")
    module, tensors, sizes = _prepared(source)
    program = torch.onnx.export(
        module,
        tuple(tensors),
        dynamic_shapes=sizes,
        dynamo=True,
        input_names=source.names,
        output_names=source.outputs,
        verbose=False,
    )
    program.save(str(path))


def save(program: Any, path: Path) -> None:
    """Writes an exported program."""
    torch: Any = import_module("torch")
    torch.export.save(program, str(path))


def load(path: Path, names: list[str]) -> Callable[[Any], list[np.ndarray]]:
    """The function that answers in a file of `save`."""
    torch: Any = import_module("torch")
    run = torch.export.load(str(path)).module()

    def answer(arrays: Any) -> list[np.ndarray]:
        with torch.no_grad():
            found = run(
                **{n: torch.from_numpy(x) for n, x in zip(names, arrays)}
            )
        return [
            x.float().numpy() if x.is_floating_point() else x.numpy()
            for x in found
        ]

    return answer


def _prepared(source: Source) -> tuple[Any, list[Any], dict[str, Any]]:
    """A module with named arguments, a batch, and the sizes that may differ.

    The batch has several rows and steps: of a size of 1 a trace assumes that it
    is always 1.
    """
    torch: Any = import_module("torch")
    named = {
        name: torch.export.Dim(name, min=1)
        for name in ("batch", *source.sizes.groups)
    }
    sizes = {
        name: {
            axis: named[size]
            for axis, size in enumerate(shape)
            if isinstance(size, str)
        }
        for name, shape in zip(source.names, source.shapes())
    }
    device = next(
        (v.value.device for v in source.model.variables), torch.device("cpu")
    )
    tensors = [torch.from_numpy(x).to(device) for x in source.batches.traced()]
    return _module(torch, source), tensors, sizes


def _module(torch: Any, source: Source) -> Any:
    def forward(self: Any, *args: Any, **kwargs: Any) -> Any:
        args += tuple(kwargs[n] for n in source.names if n in kwargs)
        return source.flat(*args)

    kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
    forward.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
        [inspect.Parameter(name, kind) for name in ("self", *source.names)]
    )
    module = type("Named", (torch.nn.Module,), {"forward": forward})()
    module.model = source.model  # whose weights it has
    return module.eval()

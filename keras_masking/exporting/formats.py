"""The formats: their endings, backends, packages, and what none of them can.

What a converter cannot do was found by running it, see `docs/export.md`.
"""

from importlib import import_module
from importlib.metadata import PackageNotFoundError
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from typing import NamedTuple

import keras

from keras_masking.errors import describe
from keras_masking.names import did_you_mean

CALLER = "`export`"


class Format(NamedTuple):
    """A format.

    Attributes:
        name: Its name, as in Keras' `Model.export` if that has it.
        suffix: The ending of its file; "" for a folder.
        module: The module that writes it and runs it.
        needs: For each backend that has it, the packages that write it and
            those that run it, by their names for pip, and our extra with them.
        others: Why the other backends do not have it.
    """

    name: str
    suffix: str
    module: str
    needs: dict[str, tuple[tuple[str, ...], tuple[str, ...], str]]
    others: dict[str, str]


_ONLY = "it holds a program of {}"
FORMATS = {
    one.name: one
    for one in (
        Format(
            "tf_saved_model",
            "",
            "saved_model",
            {
                "tensorflow": ((), (), ""),
                "jax": (("tensorflow",), (), "tensorflow"),
            },
            {"torch": "PyTorch writes it only by torch_xla"},
        ),
        Format(
            "onnx",
            ".onnx",
            "onnx_file",
            {
                "tensorflow": (
                    ("onnx", "tf2onnx"),
                    ("onnxruntime",),
                    "export-onnx-tensorflow",
                ),
                "jax": (
                    ("onnx", "jax2onnx"),
                    ("onnxruntime",),
                    "export-onnx-jax",
                ),
                "torch": (
                    ("onnx", "onnxscript"),
                    ("onnxruntime",),
                    "export-onnx-torch",
                ),
            },
            {},
        ),
        Format(
            "litert",
            ".tflite",
            "litert_file",
            {"tensorflow": ((), ("ai-edge-litert",), "export-litert")},
            {
                "jax": "its converter is TensorFlow's",
                "torch": "litert-torch fixes the number of rows and steps",
            },
        ),
        Format(
            "openvino",
            ".xml",
            "openvino_file",
            {
                "tensorflow": (("openvino",), (), "export-openvino"),
                "jax": (
                    ("openvino", "onnx", "jax2onnx"),
                    (),
                    "export-openvino,export-onnx-jax",
                ),
                "torch": (
                    ("openvino", "onnx", "onnxscript"),
                    (),
                    "export-openvino,export-onnx-torch",
                ),
            },
            {},
        ),
        Format(
            "torch",
            ".pt2",
            "torch_program",
            {"torch": ((), (), "")},
            {
                "jax": _ONLY.format("PyTorch"),
                "tensorflow": _ONLY.format("PyTorch"),
            },
        ),
        Format(
            "jax",
            ".jax",
            "jax_program",
            {"jax": (("flatbuffers",), (), "export-jax")},
            {
                "torch": _ONLY.format("JAX"),
                "tensorflow": _ONLY.format("JAX"),
            },
        ),
    )
}
_MODULES = {"ai-edge-litert": "ai_edge_litert"}
SUFFIXES = {one.suffix: name for name, one in FORMATS.items()}


def choose_format(path: Path, name: str | None) -> Format:
    """The format of that name, or that the ending of the path says.

    Raises:
        ValueError: If there is none, or the ending does not fit it, or the
            current backend lacks it.
    """
    if name is None:
        name = SUFFIXES.get(path.suffix)
        if name is None:
            raise ValueError(
                describe(
                    CALLER,
                    f"`path` must end in {_endings()}; a folder, without an "
                    "ending, becomes a SavedModel.",
                    "Pass `format` for another ending of a folder.",
                    path=path,
                )
            )
    found = named_format(name)
    if path.suffix != found.suffix and (
        found.suffix or path.suffix in SUFFIXES
    ):
        raise ValueError(
            describe(
                CALLER,
                f"`path` must end in {found.suffix}."
                if found.suffix
                else "a SavedModel is a folder.",
                "The runtime tells the format by it.",
                path=path,
                format=repr(name),
            )
        )
    return found


def named_format(name: Any) -> Format:
    """The format of that name, if the current backend has it.

    Raises:
        ValueError: If there is none, or the backend lacks it.
    """
    if not isinstance(name, str) or name not in FORMATS:
        near = did_you_mean(name, FORMATS) if isinstance(name, str) else ""
        raise ValueError(
            describe(
                CALLER,
                f"`format` must be one of {', '.join(FORMATS)}.",
                f"Pass one of them.{near}",
                format=repr(name),
            )
        )
    found, backend = FORMATS[name], keras.backend.backend()
    if backend not in found.needs:
        why = found.others.get(backend, "the backend only predicts")
        raise ValueError(
            describe(
                CALLER,
                f"the backend {backend} has no format {name!r}: {why}.",
                "Save the model, load it on another backend "
                f"({', '.join(found.needs)}) and export it there. Or export "
                f"to {', '.join(available(backend)) or 'nothing'}.",
                format=repr(name),
                backend=backend,
            )
        )
    return found


def available(backend: str) -> list[str]:
    """The formats that a backend has."""
    return [name for name, one in FORMATS.items() if backend in one.needs]


def _endings() -> str:
    return ", ".join(suffix for suffix in SUFFIXES if suffix)


def missing_package(found: Format, verify: bool) -> str | None:
    """The first package that is not installed, by its name for pip."""
    write, run, _ = found.needs[keras.backend.backend()]
    for name in (*write, *(run if verify else ())):
        if find_spec(_MODULES.get(name, name)) is None:
            return name
    return None


def require_packages(found: Format, verify: bool) -> None:
    """Raises before the work if a package is missing.

    Raises:
        ImportError: It names the package, and the extra that brings it.
    """
    missing = missing_package(found, verify)
    if missing is None:
        return
    write, _, extra = found.needs[keras.backend.backend()]
    use = "written" if missing in write else "opened and compared"
    raise ImportError(
        describe(
            CALLER,
            f"a file of the format {found.name!r} is {use} with the package "
            f"{missing!r}, which is not installed.",
            f"Install it: pip install 'keras-masking[{extra}]'."
            + ("" if missing in write else " Or pass `verify=False`."),
            format=repr(found.name),
            backend=keras.backend.backend(),
        )
    )


def versions_of(found: Format) -> dict[str, str]:
    """The versions of the packages that write it and run it."""
    write, run, _ = found.needs[keras.backend.backend()]
    numbers = {}
    for name in (*write, *run):
        try:
            numbers[name] = version(name)
        except PackageNotFoundError:
            numbers[name] = getattr(
                import_module(_MODULES.get(name, name)),
                "__version__",
                "unknown",
            )
    return numbers


def module_of(found: Format) -> Any:
    """The module that writes and runs a format."""
    return import_module(f"keras_masking.exporting.{found.module}")

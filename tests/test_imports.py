"""Imports point down, and import nothing heavy."""

import ast
import json
import os
import subprocess
import sys
from graphlib import CycleError
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "keras_masking"
# What each part may import from the package: later parts use earlier ones.
LOWEST = {
    "_arguments",
    "_types",
    "_moved",
    "_backends",
    "_keras",
    "_replicas",
    "_selection",
    "_export",
    "_packing",
    "errors",
}
MAY_IMPORT = {
    "errors": set(),
    "_types": set(),
    "_export": set(),
    "_arguments": {"errors"},
    "_packing": set(),
    "_keras": {"_types"},
    "_backends": {"_types", "_keras"},
    "_replicas": {"_types", "_keras", "errors"},
    "_selection": {"_types", "_backends"},
    "_programs": {"_backends"},
    "_moved": set(),
    "ops": {*LOWEST, "ops"},
    "layers": {*LOWEST, "ops", "layers"},
    "losses": {*LOWEST, "ops", "losses"},
    "metrics": {*LOWEST, "ops", "losses", "metrics"},
    "batching": {*LOWEST, "batching"},
    "conversion": {
        *LOWEST,
        "array_compare",
        "batching",  # what a packed row needs
        "conversion",
        "counterparts",
        "inspector",
        "layers",
        "names",
    },
    "array_compare": {"_types"},
    "layer_calls": {"_types", "_backends", "_keras", "array_compare", "ops"},
    "versions": {"__version__"},
    "names": set(),
    "output_files": set(),
    "pages": set(),
    "contract": {
        "__version__",
        "_backends",
        "_keras",
        "_moved",
        "_programs",
        "_types",
        "array_compare",
        "contract",
        "errors",
        "inspector",  # which measures a whole model
        "layer_calls",
        "names",
        "output_files",
        "pages",
        "versions",
    },
    "counterparts": set(),
    "exporting": {
        "_backends",
        "_keras",
        "_types",
        "array_compare",
        "errors",
        "exporting",
        "inspector",  # which knows what an input may hold
        "names",
        "ops",
        "output_files",
        "versions",
    },
    "inspector": {
        "_backends",
        "_keras",
        "_moved",
        "_types",
        "array_compare",
        "counterparts",
        "errors",
        "inspector",
        "layer_calls",
        "names",
        "ops",
        "pages",
        "versions",
    },
    "pytest_plugin": {"contract", "names", "output_files"},
    "cases": {"contract", "layers"},
    "cli": {
        "__version__",
        "cli_check",
        "cli_convert",
        "cli_export",
        "cli_inspect",
        "contract",
        "names",
    },
    "cli_check": {"cli_model", "contract", "names"},
    "cli_convert": {"cli_model", "conversion", "inspector"},
    "cli_export": {"cli_model", "exporting", "inspector"},
    "cli_inspect": {"cli_model", "inspector"},
    "cli_model": {"contract", "inspector", "names", "output_files"},
    "__main__": {"cli"},
    "__init__": set(),
}
# Modules that start before a backend is chosen, so without Keras.
WITHOUT_KERAS = (
    "cli",
    "cli_check",
    "cli_convert",
    "cli_export",
    "cli_inspect",
    "cli_model",
    "contract",
    "contract.backends.agreement",
    "contract.backends.options",
    "contract.backends.processes",
    "contract.backends.progress",
    "contract.backends.supervisor",
    "contract.report",
    "contract.reports.badge",
    "contract.reports.grid",
    "contract.reports.html",
    "contract.reports.summary",
    "contract.reports.writers",
    "contract.scaffold",
    "exporting",
    "exporting.quiet",
    "exporting.report",
    "inspector",
    "inspector.data",
    "inspector.reading",
    "inspector.report",
    "inspector.reports.grid",
    "inspector.reports.html",
    "inspector.reports.labels",
    "inspector.reports.picture",
    "inspector.reports.text",
    "names",
)
FILES = sorted(PACKAGE.rglob("*.py"))


def imported(path: Path) -> set[str]:
    """The full names of the modules that a file imports."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path.name}: import by the full name"
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def part(name: str) -> str:
    return name.split(".")[1].removesuffix(".py")


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(ROOT)))
def test_direction(path: Path) -> None:
    here = part(".".join(path.relative_to(ROOT).with_suffix("").parts))
    for name in imported(path):
        top = name.split(".")[0]
        assert top not in ("tensorflow", "torch", "jax"), (
            f"{path.name} imports {name}: use keras.ops"
        )
        if name.startswith("keras.src"):
            assert path.name == "_keras.py", (
                f"{path.name} imports {name}: only _keras.py may"
            )
        if top == "keras_masking":
            assert part(name) in MAY_IMPORT[here], (
                f"{here} may not import {part(name)}: imports point down"
            )


def test_no_circle_of_modules() -> None:
    modules = {
        ".".join(path.relative_to(ROOT).with_suffix("").parts): path
        for path in FILES
    }

    def home(name: str) -> str:
        package = f"{name}.__init__"
        if name in modules or package in modules:
            return name if name in modules else package
        return home(name.rpartition(".")[0])

    graph = {
        module: {
            home(name)
            for name in imported(path)
            if name.startswith("keras_masking.")
        }
        for module, path in modules.items()
    }
    # Raises a CycleError that names the cycle.
    assert set(TopologicalSorter(graph).static_order()) == set(modules)
    a, b = "keras_masking.errors", "keras_masking.names"
    with pytest.raises(CycleError):
        tuple(TopologicalSorter(graph | {a: {b}, b: {a}}).static_order())


def modules_after(statement: str) -> list[str]:
    script = f"{statement}; import json, sys; print(json.dumps([*sys.modules]))"
    done = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    return json.loads(done.stdout.splitlines()[-1])


def test_the_package_does_not_import_keras() -> None:
    loaded = modules_after("import keras_masking; dir(keras_masking)")
    assert "keras_masking" in loaded
    assert not {"keras", "numpy"} & set(loaded)


def test_the_command_line_does_not_import_keras() -> None:
    names = ", ".join(f"keras_masking.{name}" for name in WITHOUT_KERAS)
    loaded = modules_after(f"import {names}")
    assert "keras_masking.cli" in loaded
    assert not {"keras", "tensorflow", "torch", "jax"} & set(loaded)


@pytest.mark.parametrize("command", ["check", "convert", "export", "inspect"])
def test_help_loads_little(command: str) -> None:
    loaded = modules_after(
        "from click.testing import CliRunner; from keras_masking.cli import "
        "cli; assert 'Exit codes' in CliRunner().invoke("
        f"cli, ['{command}', '--help']).output"
    )
    assert not {"keras", "numpy", "rich"} & {n.split(".")[0] for n in loaded}


def test_the_layers_load_nothing_that_keras_did_not() -> None:
    # The standard library is always allowed; only installed packages count.
    before = {name.split(".")[0] for name in modules_after("import keras")}
    after = modules_after("import keras_masking.layers")
    new = {name.split(".")[0] for name in after} - before
    assert new - set(sys.stdlib_module_names) == {"keras_masking"}


def test_lazy_names() -> None:
    import keras_masking

    assert set(keras_masking.__all__) <= set(dir(keras_masking))
    assert keras_masking.layers.MyActivation
    with pytest.raises(AttributeError, match="no attribute 'layer'"):
        _ = keras_masking.layer


def test_public_names_are_exported_under_their_public_path() -> None:
    from keras_masking import layers
    from keras_masking import losses
    from keras_masking import metrics
    from keras_masking import ops

    for module in (layers, losses, metrics, ops):
        assert sorted(module.__all__) == module.__all__
        for name in module.__all__:
            assert getattr(module, name).__name__ == name
    for module in (layers, losses, metrics):
        for name in module.__all__:
            assert getattr(module, name).__module__ == module.__name__

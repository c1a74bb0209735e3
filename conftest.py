"""Backend, device, and the state in which every test starts."""

import gc
import importlib.util
import os
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError
from importlib.metadata import version
from typing import Any

import pytest

BACKENDS = {"tensorflow": "tensorflow", "torch": "torch", "jax": "jax"}
OTHER_NAMES = {"keras": "keras-nightly", "tensorflow": "tensorflow-cpu"}


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--device",
        choices=("cpu", "gpu"),
        default="cpu",
        help="where the backend runs; gpu fails if there is none",
    )


def pytest_configure(config: pytest.Config) -> None:
    # All of this must be set before Keras is imported.
    installed = [b for b in BACKENDS if importlib.util.find_spec(b)]
    if installed:
        os.environ.setdefault("KERAS_BACKEND", installed[0])
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    if config.getoption("--device") == "cpu":
        os.environ["CUDA_VISIBLE_DEVICES"] = ""
        os.environ["JAX_PLATFORMS"] = "cpu"
    else:
        # float32 means float32: no TF32 in products and convolutions.
        os.environ["NVIDIA_TF32_OVERRIDE"] = "0"
        os.environ["JAX_DEFAULT_MATMUL_PRECISION"] = "highest"
    if _only_hands_out(config):
        _check_keras(_version_of("keras"))
        return
    if "torch" in installed:
        import torch  # noqa: F401  before TensorFlow, or the process may crash

    import keras

    _check_keras(keras.__version__)
    keras.config.disable_traceback_filtering()
    if config.getoption("--device") == "gpu" and not _has_gpu():
        raise pytest.UsageError(
            f"--device gpu: the backend {keras.backend.backend()} finds none"
        )


def _only_hands_out(config: pytest.Config) -> bool:
    """Whether other processes run the tests: this one needs no backend."""
    option = config.option
    spreads = getattr(option, "dist", "no") != "no" and option.tx
    worker = hasattr(config, "workerinput")
    return bool(spreads and not option.collectonly and not worker)


def _check_keras(found: str) -> None:
    expected = os.environ.get("EXPECTED_KERAS", "")
    if not found.startswith(expected):
        raise pytest.UsageError(
            f"this environment declares Keras {expected}, but it has {found}"
        )


def _version_of(package: str) -> str:
    """The installed version, without importing the package."""
    try:
        return version(package)
    except PackageNotFoundError:
        return version(OTHER_NAMES[package])


def _has_gpu() -> bool:
    backend = os.environ["KERAS_BACKEND"]
    if backend == "torch":
        import torch

        return torch.cuda.is_available()
    if backend == "tensorflow":
        import tensorflow as tf

        return bool(tf.config.list_physical_devices("GPU"))
    if backend != "jax":
        return False
    import jax

    return jax.default_backend() == "gpu"


# Files about code above the backends, which asks Keras only, and which of their
# tests run on each backend nevertheless, besides those of the kit.
ABOVE: dict[str, set[str]] = {
    "tests/contract/test_causes.py": set(),
    "tests/contract/test_check_model.py": {"test_the_model_is_not_changed"},
    "tests/contract/test_our_layers.py": set(),
    "tests/contract/test_runner.py": {"test_inputs_of_every_form"},
    "tests/contract/test_strategies.py": set(),
    "tests/inspector/test_command.py": {"test_findings"},
    "tests/inspector/test_hidden.py": set(),
    "tests/inspector/test_inspection.py": {
        "test_depth_and_order",
        "test_drift_names_where_it_starts",
        "test_outputs",
    },
    "tests/inspector/test_keras_examples.py": set(),
    "tests/inspector/test_packed.py": {"test_features_and_a_mask"},
    "tests/inspector/test_padding.py": set(),
    "tests/test_conversion.py": {
        "test_a_post_norm_transformer",
        "test_an_initial_state_by_place",
        "test_compiled_and_trainable",
        "test_each_layer",
    },
    "tests/test_conversion_changes.py": set(),
    "tests/test_conversion_mask_inputs.py": set(),
    "tests/test_conversion_measured.py": {"test_the_drift_before_and_after"},
    "tests/test_conversion_packed.py": set(),
    "tests/test_convert_command.py": set(),
    "tests/test_docs.py": set(),
    "tests/test_drop_ins.py": set(),
    "tests/test_imports.py": {
        "test_the_layers_load_nothing_that_keras_did_not"
    },
    "tests/test_troubleshooting.py": set(),
}


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(
    config: pytest.Config, items: list[pytest.Item]
) -> None:
    for item in items:
        where = item.path.relative_to(config.rootpath).as_posix()
        examples = where.startswith(("docs/", "keras_masking/"))
        if examples and os.environ["KERAS_BACKEND"] != "torch":
            item.add_marker("long")  # the tests know what they show
        for file, kept in ABOVE.items():
            name = getattr(item, "originalname", item.name)
            if where.startswith(file) and name not in kept:
                item.add_marker("above")


def pytest_collection_finish() -> None:
    # Imports stay alive: the garbage collector need not scan them each time.
    gc.freeze()


def pytest_report_header(config: pytest.Config) -> str:
    backend, device = os.environ["KERAS_BACKEND"], config.getoption("--device")
    versions = _version_of("keras"), f"{backend} {_version_of(backend)}"
    return f"keras {versions[0]}, {versions[1]} on {device}"


@pytest.fixture(scope="module", autouse=True)
def thresholds(request: pytest.FixtureRequest) -> Iterator[tuple[int, int]]:
    """Sizes from which fast paths are used; yields the defaults.

    Test samples are small. Tests of operations and layers use the fast paths
    anyway, and short parts of recurrent layers; all other tests run with the
    defaults.
    """
    from keras_masking import _backends
    from keras_masking import _selection
    from keras_masking.layers import kernels
    from keras_masking.ops import fetching
    from keras_masking.ops import one_pass

    with pytest.MonkeyPatch.context() as patch:
        of_users = _backends.LARGE_ROW, one_pass.LARGE
        if request.path.parent.name in ("ops", "layers"):
            patch.setattr(_backends, "LARGE_ROW", 0)
            patch.setattr(_selection, "LEAST", 0)
            patch.setattr(one_pass, "LARGE", 0)
            patch.setattr(fetching, "WIDE", 0)
            patch.setattr(kernels, "PART", 2)
        yield of_users


@pytest.fixture(autouse=True)
def start(doctest_namespace: dict[str, Any]) -> None:
    import keras
    import numpy as np

    import keras_masking

    keras.utils.set_random_seed(0)
    doctest_namespace.update(keras=keras, np=np, keras_masking=keras_masking)

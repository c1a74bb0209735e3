"""Backend, device, and the state in which every test starts."""

import gc
import importlib.util
import os
from collections.abc import Iterator
from typing import Any

import pytest

BACKENDS = {"tensorflow": "tensorflow", "torch": "torch", "jax": "jax"}


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
    if "torch" in installed:
        import torch  # noqa: F401  before TensorFlow, or the process may crash

    import keras

    expected = os.environ.get("EXPECTED_KERAS", "")
    if not keras.__version__.startswith(expected):
        raise pytest.UsageError(
            f"this environment declares Keras {expected}, "
            f"but {keras.__version__} was imported"
        )
    keras.config.disable_traceback_filtering()
    if config.getoption("--device") == "gpu" and not _has_gpu():
        raise pytest.UsageError(
            f"--device gpu: the backend {keras.backend.backend()} finds none"
        )


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


def pytest_collection_finish() -> None:
    # Imports stay alive: the garbage collector need not scan them each time.
    gc.freeze()


def pytest_report_header(config: pytest.Config) -> str:
    import keras

    backend = keras.backend.backend()
    version = importlib.import_module(backend).__version__
    device = config.getoption("--device")
    return f"keras {keras.__version__}, {backend} {version} on {device}"


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

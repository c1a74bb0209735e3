"""Patches Keras' classes while a run is watched, and restores them.

`__call__` of `Layer` and of `Operation` is replaced; calls in threads that are
not watched go straight through.
"""

import threading
import warnings
from collections.abc import Callable
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import keras

from keras_masking.inspector.watching.watch import Watch

_watching: dict[int, Watch] = {}  # by thread
_lock = threading.Lock()
_undo: list[Callable[[], Any]] = []


@contextmanager
def watching(watch: Watch) -> Iterator[None]:
    """Passes the calls and warnings of this thread to `watch`."""
    me = threading.get_ident()
    with _lock:
        if not _watching:
            _patch()
        before = _watching.get(me)
        _watching[me] = watch
    try:
        yield
    finally:
        with _lock:
            if before is None:
                del _watching[me]
            else:
                _watching[me] = before
            if not _watching:
                while _undo:
                    _undo.pop()()


def _patch() -> None:
    for owner in (keras.layers.Layer, keras.Operation):
        original = owner.__call__
        _undo.append(partial(setattr, owner, "__call__", original))
        owner.__call__ = _watched(original)
    # Warning filters and `showwarning` are global in Python.
    filters = warnings.catch_warnings()
    filters.__enter__()
    _undo.append(lambda: filters.__exit__(None, None, None))
    warnings.filterwarnings("always", ".*destroy the mask")
    warnings.showwarning = _shown(warnings.showwarning)


def _watched(original: Callable[..., Any]) -> Callable[..., Any]:
    def watched(layer: Any, *args: Any, **kwargs: Any) -> Any:
        watch = _watching.get(threading.get_ident())
        if watch is None:
            return original(layer, *args, **kwargs)
        return watch.called(original, layer, args, kwargs)

    return watched


def _shown(original: Callable[..., None]) -> Callable[..., None]:
    def shown(*args: Any, **kwargs: Any) -> None:
        watch = _watching.get(threading.get_ident())
        if watch is None:
            original(*args, **kwargs)
        else:
            watch.warnings.append(warnings.WarningMessage(*args, **kwargs))

    return shown

"""One cell of a table: the contenders of a row, timed in turns."""

import re
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import ops
from keras import tree

from benchmarks import timing
from benchmarks.batch import Batch
from benchmarks.batch import batch
from benchmarks.modes import Run
from benchmarks.modes import prepare
from benchmarks.peers import PACKAGE
from benchmarks.peers import peers
from benchmarks.row import FLOOR
from benchmarks.row import KERAS
from benchmarks.row import NAN
from benchmarks.row import OURS
from benchmarks.row import Contender
from benchmarks.row import Row
from benchmarks.row import Shape
from benchmarks.row import padded

OP = "ours, the op"


def first_line(error: BaseException) -> str:
    """What a table says of it, without anybody's folders."""
    lines = str(error).strip().splitlines() or [""]
    line = re.sub(r"(/[\w.+-]+)+/", "", lines[0])
    return f"{type(error).__name__}: {line[:200]}"


def contenders(row: Row, data: Batch) -> dict[str, Contender | str]:
    """Those of the row and of others; a text for one that cannot run."""
    backend = keras.backend.backend()
    found: dict[str, Contender | str] = {**row.make(data)}
    try:
        found |= peers(row.name, backend, data)
    except Exception as error:
        found[PACKAGE[backend]] = first_line(error)
    for contender in found.values():
        if isinstance(contender, Contender):
            build(contender, data)
    return found


def build(contender: Contender, data: Batch) -> None:
    """Gives the layers of a contender weights: the same on each backend."""
    shapes = contender.shapes or [[data.shape]] * len(contender.layers)
    for layer, arguments in zip(contender.layers, shapes):
        if not layer.built:
            layer.build(*arguments)
        random = np.random.default_rng(5)
        layer.set_weights(
            [
                random.normal(scale=0.1, size=w.shape)
                for w in layer.get_weights()
            ]
        )


class Cell:
    """The contenders of a row for one shape, dtype and mode."""

    def __init__(
        self, row: Row, mode: str, dtype: str, shape: Shape, main: bool = False
    ) -> None:
        self.row, self.mode = row, mode
        self.main = main  # the shape at which ours is timed in variants too
        self.data = batch(shape, dtype)
        self.calls: dict[str, Any] = {}
        self.found: dict[str, dict[str, Any]] = {}
        self.runs: dict[str, tuple[Run, tuple[Any, ...]]] = {}

    def prepare(self, names: Sequence[str] | None = None) -> None:
        """First calls: what fails is out, and says why."""
        for name, contender in contenders(self.row, self.data).items():
            if names and name not in names:
                continue
            if name == OP and not self.main:
                continue
            self.found[name] = {}
            if isinstance(contender, str):
                self.found[name]["error"] = contender
                continue
            if contender.note:
                self.found[name]["note"] = contender.note
            try:
                inputs = contender.inputs(self.data)
                run = prepare(
                    self.mode, contender.function, contender.layers, inputs
                )
                self._add(name, run, inputs)
            except Exception as error:
                self.found[name]["error"] = first_line(error)
                continue
            if name == OURS and not names:
                self._add_others(contender, run)

    def _add(self, name: str, run: Run, inputs: tuple[Any, ...]) -> None:
        def call() -> Any:
            return run(*inputs)

        self.found.setdefault(name, {})
        self.found[name]["first_ms"] = 1e3 * timing.timed(call)
        self.calls[name], self.runs[name] = call, (run, inputs)

    def _add_others(self, contender: Contender, run: Run) -> None:
        """Ours with NaN, and with other shares of padding: no new function."""
        shape, dtype = self.data.shape, self.data.dtype
        if self.mode != "predict" or not self.main:
            return
        others = {
            padded(share): batch(shape, dtype, share)
            for share in self.row.paddings
        }
        if self.row.takes_nan:
            others[NAN] = batch(shape, dtype, nan=True)
        for name, data in others.items():
            self._add(name, run, contender.inputs(data))
            del self.found[name]["first_ms"]  # compiled already

    def measure(
        self, seconds: float, rounds: tuple[int, int] = timing.ROUNDS
    ) -> None:
        """All that reads the same tensor in turns, as it stays in the cache.

        Then each that reads another one, in turns with the floor.
        """
        for name, call in self.calls.items():  # once more to be warm
            self.found[name]["faults"] = timing.faults(call)
        read = {name: inputs[0] for name, (_, inputs) in self.runs.items()}
        shared = read.get(FLOOR, read.get(OURS))
        together = [name for name in read if read[name] is shared]
        self._note(self._time(together, seconds, rounds), together)
        for name in read:
            if name not in together:
                pair = [FLOOR, name] if FLOOR in read else [name]
                self._note(self._time(pair, seconds / 4, rounds), [name])

    def _time(
        self, names: list[str], seconds: float, rounds: tuple[int, int]
    ) -> dict[str, list[float]]:
        calls = {name: self.calls[name] for name in names}
        return timing.in_turns(calls, seconds, rounds)

    def _note(self, times: dict[str, list[float]], names: list[str]) -> None:
        for name in names:
            values, record = times[name], self.found[name]
            record |= {
                f"{key}_ms": 1e3 * value
                for key, value in timing.spread(values).items()
            }
            record["min_ms"] = 1e3 * min(values)
            record["rounds"] = len(values)
            for other in (FLOOR, KERAS):
                if other in times and other != name:
                    ratio = timing.ratios(values, times[other])
                    record[f"to_{other}"] = ratio

    def weigh(self) -> None:
        """Temporaries of each, as multiples of what goes in."""
        for name in (FLOOR, KERAS, OURS):
            if name not in self.runs or "first_ms" not in self.found[name]:
                continue
            run, inputs = self.runs[name]
            try:
                size = run.memory(*inputs)
            except Exception as error:
                self.found[name]["memory_error"] = first_line(error)
                continue
            if size is not None:
                total = sum(nbytes(x) for x in inputs)
                self.found[name]["memory"] = size / total

    def traffic(self) -> int:
        """Bytes of what ours reads and writes: inputs and outputs, once."""
        run, inputs = self.runs[OURS]
        outputs = tree.flatten(run(*inputs))
        return sum(nbytes(x) for x in (*inputs, *outputs))

    def values(self) -> np.ndarray:
        run, inputs = self.runs[OURS]
        flat = [
            np.ravel(ops.convert_to_numpy(ops.cast(y, "float32")))
            for y in tree.flatten(run(*inputs))
        ]
        return np.concatenate(flat)


def nbytes(x: Any) -> int:
    size = {"bool": 1, "bfloat16": 2}.get(
        dtype := keras.backend.standardize_dtype(x.dtype), 0
    )
    count = int(np.prod(tuple(x.shape), dtype="int64"))
    return count * (size or np.dtype(dtype).itemsize)

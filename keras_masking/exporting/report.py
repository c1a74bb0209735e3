"""What `export` reports, and its errors."""

from dataclasses import dataclass
from dataclasses import field
from pathlib import Path
from typing import NamedTuple


class ExportError(RuntimeError):
    """A model that a converter refuses, or a file that does not run."""


class ExportMismatchError(ExportError):
    """A file that answers otherwise than the model; it was not kept."""


class Compared(NamedTuple):
    """One batch that the file and the model answered.

    Attributes:
        batch: What is special about it, such as "right padding".
        rows: Its number of rows.
        steps: Its numbers of steps; empty if no input has steps.
        largest: The largest difference of an answer.
        allowed: The largest difference that rounding explains.
        where: The output, the row and the place of the largest difference.
    """

    batch: str
    rows: int
    steps: tuple[int, ...]
    largest: float
    allowed: float
    where: str = ""

    @property
    def ok(self) -> bool:
        """Whether the file answered as the model did."""
        return self.largest <= self.allowed

    def __str__(self) -> str:
        steps = " and ".join(map(str, self.steps)) or "no"
        return f"{self.batch}, {self.rows} rows of {steps} steps"


@dataclass
class ExportReport:
    """What `export` wrote, and what it compared.

    Attributes:
        path: The file or folder; None if it was not kept.
        format: The format.
        backend: The backend of the model.
        inputs: The name, the shape and the dtype of each input of the file. An
            axis of any size has the name of that size.
        outputs: The names of the outputs.
        versions: Of Keras, the backend, the converter and the runtime.
        compared: One `Compared` for each batch; empty without `verify`.
        notes: What else users of the file should know, in sentences.
    """

    path: Path | None
    format: str
    backend: str
    inputs: list[tuple[str, tuple[int | str, ...], str]]
    outputs: list[str]
    versions: dict[str, str] = field(default_factory=dict)
    compared: list[Compared] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def largest(self) -> float | None:
        """The largest difference of all batches; None if not compared."""
        return max((one.largest for one in self.compared), default=None)

    @property
    def ok(self) -> bool:
        """Whether batches were compared, and the file answered them all."""
        return bool(self.compared) and all(one.ok for one in self.compared)

    def __str__(self) -> str:
        what = self.path or "(not kept)"
        lines = [f"{what}: {self.format}, from Keras on {self.backend}"]
        lines += [
            f"  input   {name}: {dtype} ({', '.join(map(str, shape))})"
            for name, shape, dtype in self.inputs
        ]
        lines += [f"  output  {name}" for name in self.outputs]
        for kind in dict.fromkeys(one.batch for one in self.compared):
            own = [one for one in self.compared if one.batch == kind]
            worst = max(own, key=lambda one: one.largest / (one.allowed or 1))
            sizes = ", ".join(
                f"{one.rows} x {'/'.join(map(str, one.steps)) or '-'}"
                for one in own
            )
            state = "same" if all(one.ok for one in own) else "DIFFERS"
            lines.append(
                f"  {state:<7} {kind}: at most {worst.largest:.2g} apart "
                f"(rows x steps: {sizes})"
            )
        if not self.compared:
            lines.append("  not compared with the model")
        lines += [f"  note    {note}" for note in self.notes]
        versions = ", ".join(f"{k} {v}" for k, v in self.versions.items())
        return "\n".join([*lines, f"  with    {versions}"])

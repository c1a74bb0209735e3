"""The report of an inspection, as users get it."""

from dataclasses import dataclass
from pathlib import Path

from keras_masking._moved import moved
from keras_masking.errors import NotMeasuredError
from keras_masking.inspector.data import ReportData
from keras_masking.inspector.reports import html
from keras_masking.inspector.reports import picture
from keras_masking.inspector.reports import text


class MaskFindingsError(AssertionError):
    """A model loses its mask, or lets padding in; lists every finding."""


@dataclass
class MaskReport(ReportData):
    """Where the mask of a model is created, used, lost or ignored.

    `str(report)` is for a terminal; a notebook shows it as a table.

    Attributes:
        model: The model's name.
        backend: The backend that it ran on.
        versions: Of Keras, the backend and this package.
        calls: One `CallRecord` for each call, in order of execution.
        outputs: One `OutputRecord` for each output of the model.
        drift: One `Drift` for each change of the padding that was tried.
        notes: Other remarks, such as that the inputs were made up.
        error: The error that the model raised, or ""; the calls end there.
        missing: What could not be measured, and why, in sentences. Without
            it, nobody can say that the model is right.
        padding: One `PaddingRecord` for each input whose padding was passed
            or guessed.
    """

    def raise_for_findings(self) -> None:
        """Raises if the state is not "clean".

        Raises:
            MaskFindingsError: If there is a finding. It names each.
            NotMeasuredError: If nothing was found, but the model failed, or
                something could not be measured. It says what.
        """
        if self.ok:
            return
        lines = [
            f"{call.path}: {call.verdict}: {call.reason} {call.advice}".rstrip()
            for call in self.findings
        ]
        if self.error:
            lines.append(f"The model failed: {self.error}")
        kind = MaskFindingsError if self.findings else NotMeasuredError
        lines = [self.summary(), *lines, *self.missing]
        raise kind("\n".join(lines))

    def __str__(self) -> str:
        return text.as_text(self)

    def to_html(self, path: str | Path) -> None:
        """Writes one self-contained HTML page.

        Args:
            path: The file to write.
        """
        Path(path).write_text(html.as_html(self), encoding="utf-8")

    def _repr_html_(self) -> str:
        return html.as_fragment(self)

    def plot(self, path: str | Path) -> None:
        """Draws the masks beside the layers, as a picture.

        Args:
            path: The file to write; its suffix, such as `.png` or `.svg`, sets
                the format.

        Raises:
            ImportError: If matplotlib is missing.
        """
        picture.draw(self, path)


_DATA = ("CallRecord", "Drift", "OutputRecord", "TensorRecord")
__getattr__ = moved(
    __name__, {name: f"keras_masking.inspector.data.{name}" for name in _DATA}
)

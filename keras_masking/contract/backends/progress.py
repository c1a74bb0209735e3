"""Shows the progress of the workers on stderr."""

from collections.abc import Iterable
from typing import Any

from rich import progress
from rich.console import Console


class Progress:
    """One line per backend; nothing without a terminal."""

    def __init__(self, backends: Iterable[str]) -> None:
        console = Console(stderr=True)
        self.bars = progress.Progress(
            progress.TextColumn("{task.fields[backend]:<10}"),
            progress.BarColumn(bar_width=24),
            progress.MofNCompleteColumn(),
            progress.TimeElapsedColumn(),
            progress.TextColumn("{task.description}", markup=False),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )
        self.tasks = {
            backend: self.bars.add_task("starts", total=None, backend=backend)
            for backend in backends
        }
        self.names: dict[str, list[str]] = {}
        self.failed = dict.fromkeys(self.tasks, 0)

    def __enter__(self) -> "Progress":
        self.bars.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.bars.stop()

    def __call__(self, backend: str, message: dict[str, Any]) -> None:
        task = self.tasks[backend]
        match message["kind"]:
            case "cases":
                self.names[backend] = message["names"]
                self.bars.update(task, total=len(message["names"]))
            case "case":
                name = self.names[backend][message["index"]]
                self.bars.update(task, description=self._text(backend, name))
            case "result":
                result = message["result"]
                bad = result["status"] in ("fail", "xpass", "kit-error")
                self.failed[backend] += bad
                text = f"{result['layer']}  {result['check']}"
                self.bars.update(task, description=self._text(backend, text))
            case "report":
                self.bars.advance(task)
            case "done":
                text = self._text(backend, "done")
                self.bars.update(task, description=text)

    def _text(self, backend: str, text: str) -> str:
        failed = self.failed[backend]
        return f"{text}  ({failed} failed)" if failed else text

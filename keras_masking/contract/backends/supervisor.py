"""Runs a job in one process per backend, and cleans up afterwards.

Keras is not imported here: importing it would fix the backend of the parent.
"""

import json
import os
import queue
import shlex
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from keras_masking.contract.backends import processes
from keras_masking.contract.backends.processes import environment
from keras_masking.contract.backends.processes import installed
from keras_masking.contract.backends.processes import last_words
from keras_masking.contract.backends.processes import stop
from keras_masking.contract.report import Report
from keras_masking.contract.report import Result

START = 180.0  # seconds that importing a framework may take on a busy machine

Message = dict[str, Any]
OnMessage = Callable[[str, Message], None]


class Refused(Exception):
    """A worker rejected its job; the message says why."""


def ask(job: Message, on_message: OnMessage | None = None) -> list[Message]:
    """The answers of one worker, on an installed backend.

    Raises:
        Refused: If the worker rejects the job.
    """
    answers: list[Message] = []

    def collect(backend: str, message: Message) -> None:
        answers.append(message)

    backend = os.environ.get("KERAS_BACKEND", "")
    if backend not in installed():
        backend = installed()[0]
    reports = run({"targets": [], **job}, [backend], on_message=collect)[
        backend
    ]
    for report in reports:
        raise Refused(report.results[0].seen)
    return answers


def run(
    job: Message,
    backends: Iterable[str],
    *,
    device: str = "cpu",
    timeout: float = 300.0,
    on_message: OnMessage = lambda backend, message: None,
) -> dict[str, list[Report]]:
    """The reports of all workers by backend; `on_message` gets each message.

    Raises:
        Refused: If a worker rejects the job, or on Windows.
    """
    if not processes.POSIX:
        raise Refused(
            "this command stops its workers with POSIX signals, so it runs on "
            "Linux and macOS. On Windows, use WSL, or check one backend in a "
            "test: `keras_masking.contract.parametrize_with_checks`."
        )
    backends = list(backends)
    job = {
        "device": device,
        "start": 0,
        "expected": {},
        "inputs": None,
        "padding": None,
        "modules": [],
        "compare": len(backends) > 1,
        **job,
    }
    events: queue.Queue[Any] = queue.Queue()
    with tempfile.TemporaryDirectory(
        prefix="keras-masking-", ignore_cleanup_errors=True
    ) as folder:
        workers = [
            Worker(backend, job, Path(folder), timeout, events)
            for backend in backends
        ]
        try:
            for worker in workers:
                worker.launch()
            _listen(workers, events, on_message)
        finally:
            stop([w.process for w in workers if w.process and w.busy])
    if len(backends) > 1:
        _compare(workers, job)
    return {worker.backend: worker.reports for worker in workers}


def _listen(
    workers: list["Worker"], events: "queue.Queue[Any]", on_message: OnMessage
) -> None:
    while busy := [worker for worker in workers if worker.busy]:
        now = time.monotonic()
        for worker in busy:
            if now > worker.deadline:
                worker.hung()
                on_message(worker.backend, {"kind": "report"})
        wait = min(worker.deadline for worker in busy) - now
        try:
            worker, process, message = events.get(timeout=max(0.05, wait))
        except queue.Empty:
            continue
        if process is worker.process and worker.busy:
            if message is not None:
                worker.receive(message)
            elif worker.tries_again():
                continue
            else:
                worker.ended()
                message = {"kind": "report"}
            on_message(worker.backend, message)


class Worker:
    """The process of a backend, and the state of its job.

    If it ends too early, another process takes the current case again: JAX
    crashes after some thousands of compiled programs, whatever comes next. If
    that ends too, the case gets a `kit-error`, and the next one is taken.
    """

    def __init__(
        self,
        backend: str,
        job: Message,
        folder: Path,
        timeout: float,
        events: "queue.Queue[Any]",
    ) -> None:
        self.backend = backend
        self.job = {**job, "backend": backend, "folder": str(folder)}
        self.home = folder / backend
        self.home.mkdir()
        self.timeout = timeout
        self.events = events
        self.process: subprocess.Popen[bytes] | None = None
        self.busy = True
        self.names: list[str] = []
        self.first = 0  # the case that the process began with
        self.at: int | None = None
        self.results: list[Result] = []
        self.reports: list[Report] = []
        self.digests: dict[int, tuple[Message, Message]] = {}

    def launch(self, start: int = 0) -> None:
        self.first, self.at = start, None
        self.deadline = time.monotonic() + max(START, self.timeout)
        with open(self.home / "log", "wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", f"{__package__}.worker"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                env=environment(self.backend, self.job["device"], self.home),
                start_new_session=True,
            )
        job = json.dumps({**self.job, "start": start}) + "\n"
        assert self.process.stdin is not None  # noqa: S101  it is a pipe
        with suppress(BrokenPipeError):
            self.process.stdin.write(job.encode())
            self.process.stdin.flush()
        threading.Thread(
            target=_read, args=(self, self.process), daemon=True
        ).start()

    def receive(self, message: Message) -> None:
        self.deadline = time.monotonic() + self.timeout
        match message["kind"]:
            case "refused":
                raise Refused(message["message"])
            case "cases":
                self.names = message["names"]
            case "case":
                self.at = message["index"]
                self.results = []
            case "result":
                self.results.append(Result(**message["result"]))
            case "report":
                if message["digest"] is not None:
                    self.digests[len(self.reports)] = (
                        message["digest"],
                        message["texts"],
                    )
                self.reports.append(Report.from_dict(message["report"]))
                self.at = None
            case "done":
                self.busy = False
                self.stop()

    def hung(self) -> None:
        assert self.process is not None  # noqa: S101  it was launched
        if self.process.poll() is None:
            # The worker writes to its log where it is.
            os.kill(self.process.pid, signal.SIGUSR1)
            time.sleep(0.3)
        self.fail(f"gave no result for {self.timeout:g} seconds")

    def tries_again(self) -> bool:
        """Starts the current case again if others ran before it."""
        if self.at is None or self.at == self.first:
            return False
        self.stop()
        self.results = []
        self.launch(self.at)
        return True

    def ended(self) -> None:
        assert self.process is not None  # noqa: S101  it was launched
        code = self.process.wait(timeout=10)
        how = f"exited with status {code}"
        if code < 0:
            how = f"was killed by {signal.Signals(-code).name}"
        self.fail(how)

    def fail(self, how: str) -> None:
        """Records a `kit-error`, and continues with the next case."""
        self.stop()
        last = self.results[-1].check if self.results else ""
        at = f" after the check {last}" if last else ""
        words = last_words((self.home / "log").read_text("utf-8", "replace"))
        seen = f"the worker {how}{at}." + (
            f" Its log ends with:\n{words}" if words else ""
        )
        if not self.names:
            names = ", ".join(self.job["targets"]) or "the kit"
            self._add_kit_error(names, seen, [])
            self.busy = False
        elif self.at is None:
            for name in self.names[len(self.reports) :]:
                self._add_kit_error(name, seen, [])
            self.busy = False
        else:
            self._add_kit_error(self.names[self.at], seen, self.results)
            self.results = []
            self.busy = len(self.reports) < len(self.names)
            if self.busy:
                self.launch(len(self.reports))

    def stop(self) -> None:
        if self.process is not None:
            stop([self.process])

    def _add_kit_error(
        self, name: str, seen: str, results: list[Result]
    ) -> None:
        error = Result(name, "worker", "required", "kit-error", seen=seen)
        self.reports.append(
            Report(name, "unknown", True, self.backend, {}, [*results, error])
        )


def _read(worker: Worker, process: "subprocess.Popen[bytes]") -> None:
    """A thread: queues the worker's messages, then None; skips other lines."""
    assert process.stdout is not None  # noqa: S101  it is a pipe
    with process.stdout:
        for line in process.stdout:
            with suppress(ValueError):
                message = json.loads(line)
                if isinstance(message, dict) and "kind" in message:
                    worker.events.put((worker, process, message))
    worker.events.put((worker, process, None))


def _compare(workers: list[Worker], job: Message) -> None:
    """Judges `cross-backend` where more than one backend has a digest."""
    # Imported late: it needs NumPy, which `--help` should not wait for.
    from keras_masking.contract.backends.agreement import judge

    backends = ",".join(worker.backend for worker in workers)
    command = (
        f"keras-masking check {shlex.join(job['targets'])} --only "
        f"cross-backend --backends {backends}"
    )
    for index in range(max(len(worker.reports) for worker in workers)):
        there = [w for w in workers if index in w.digests]
        if len(there) < 2:
            continue
        digests = {w.backend: w.digests[index][0] for w in there}
        for worker in there:
            report = worker.reports[index]
            at = [r.check for r in report.results].index("cross-backend")
            judged = replace(
                report.results[at], script=command, **worker.digests[index][1]
            )
            report.results[at] = judge(judged, digests)

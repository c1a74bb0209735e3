"""Results of checks, as text and as data."""

import json
import textwrap
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict
from dataclasses import dataclass
from dataclasses import field
from typing import Any

# Outcomes of a check. An expected failure that passes counts as a failure.
STATUSES = ("pass", "fail", "xfail", "xpass", "n/a", "blocked", "kit-error")
BAD = ("fail", "xpass", "kit-error")
RAN = ("pass", "fail", "xfail", "xpass")


class MaskContractError(AssertionError):
    """The mask contract is broken. The message names every violation."""


@dataclass
class Result:
    """The result of one check on one layer, loss or metric."""

    layer: str
    check: str
    level: str
    status: str
    statement: str = ""
    seen: str = ""
    where: str = ""
    cause: str = ""
    right: str = ""
    smallest: str = ""
    script: str = ""
    reason: str = ""
    seconds: float = 0.0

    @property
    def counts(self) -> bool:
        """Whether this result makes the report fail."""
        return self.status == "kit-error" or (
            self.status in BAD and self.level != "information"
        )

    def __str__(self) -> str:
        head = f"{self.status.upper()} {self.check}  {self.layer}"
        if self.status == "xpass":
            return f"{head}\n  expected to fail ({self.reason}), but it passes"
        if self.status == "kit-error":
            # A layer can crash or hang its worker.
            what = "" if self.check == "worker" else "not the layer, "
            return f"{head}\n  {what}the kit failed: {self.seen}"
        if self.status != "fail":
            return f"{head}  {self.reason}".rstrip()
        parts = [
            ("rule", self.statement),
            ("seen", self.seen),
            ("where", "; ".join(p for p in (self.where, self.smallest) if p)),
            ("likely", f"{self.cause}\n{self.right}"),
            ("repro", self.script),
        ]
        lines = [f"{head}  ({self.level})"]
        for number, (name, text) in enumerate(parts, 1):
            first, *rest = text.splitlines() or [""]
            lines.append(f"  {number} {name:<7}{first}")
            lines += [textwrap.indent(line, " " * 11) for line in rest]
        return "\n".join(lines)


@dataclass
class Report:
    """All results of one layer, loss or metric on one backend.

    The role of a loss is `"loss"`, that of a metric `"metric"`; `examples`
    names the targets and predictions with which it was judged.
    """

    layer: str
    role: str
    inferred: bool
    backend: str
    versions: dict[str, str]
    results: list[Result] = field(default_factory=list)
    examples: str = ""

    def __iter__(self) -> Iterator[Result]:
        return iter(self.results)

    @property
    def failures(self) -> list[Result]:
        return [result for result in self.results if result.counts]

    @property
    def ran(self) -> int:
        return sum(result.status in RAN for result in self.results)

    @property
    def ok(self) -> bool:
        return bool(self.ran) and not self.failures

    def raise_for_failures(self) -> None:
        """Raises one `MaskContractError` that names every violation.

        Failures of the level "information" never raise. A report in which no
        check ran does.
        """
        if not self.ran:
            raise MaskContractError(f"{self.layer}: no check ran")
        if self.failures:
            text = "\n\n".join(str(result) for result in self.failures)
            raise MaskContractError(f"{text}\n\n{self.summary()}")

    def summary(self) -> str:
        """One line: the layer, its role, and how its checks ended."""
        counts = Counter(result.status for result in self.results)
        ends = ", ".join(f"{counts[s]} {s}" for s in STATUSES if counts[s])
        role = f"{self.role}, {self.examples}" if self.examples else self.role
        if self.role not in ("loss", "metric"):
            role += ", inferred" if self.inferred else ", declared"
        return (
            f"{self.layer} [{role}] on {self.backend}: "
            f"{ends}; {self.ran} of {len(self.results)} checks ran"
        )

    def to_dict(self) -> dict[str, Any]:
        """The report as plain data, as in the JSON file."""
        return {**asdict(self), "ran": self.ran, "ok": self.ok}

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> "Report":
        """The report from the data that `to_dict` returned."""
        data = {k: v for k, v in data.items() if k not in ("ran", "ok")}
        results = [Result(**result) for result in data.pop("results")]
        for result in results:
            texts = {k: v for k, v in asdict(result).items() if k != "seconds"}
            if not all(isinstance(text, str) for text in texts.values()):
                raise TypeError(
                    f"the texts of a result must be strings: {texts}"
                )
            if result.status not in STATUSES:
                raise ValueError(f"unknown status {result.status!r}")
        return cls(**data, results=results)

    def to_json(self) -> str:
        return json.dumps(self.to_dict(), indent=1)

    def __str__(self) -> str:
        texts = [str(r) for r in self.results if r.status in BAD]
        return "\n\n".join([*texts, self.summary()])

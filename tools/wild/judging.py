"""One row: what is measured by hand, and what the package says."""

from collections.abc import Iterator
from dataclasses import dataclass
from dataclasses import field
from typing import Any

import keras
import numpy as np

from keras_masking import convert
from keras_masking import inspect_masks
from keras_masking.contract import check_layer
from keras_masking.conversion import ConversionReport
from keras_masking.conversion.judging import KEEPS
from keras_masking.conversion.walk import METHODS_LOST
from keras_masking.inspector import MaskReport
from keras_masking.layers import KeepMask
from tools.wild.examples import Example
from tools.wild.examples import Moved
from tools.wild.examples import alone
from tools.wild.examples import drift
from tools.wild.examples import predictions
from tools.wild.kit import Layer
from tools.wild.rows import Row

ASK = "Pass `padding=`"
WORSE = 1.25  # other layers round differently


@dataclass
class Line:
    """What a row shows, and what is wrong with it."""

    name: str
    drift: str = ""
    verdict: str = ""
    convert: str = ""
    wrong: list[str] = field(default_factory=list)

    def cells(self) -> tuple[str, ...]:
        mark = "WRONG" if self.wrong else "OK"
        return self.name, self.drift, self.verdict, self.convert, mark


def layer_line(name: str, layer: Layer) -> Line:
    """Checks a layer, and compares its failures with the true ones."""
    results = list(check_layer(layer.case(name)))
    bad = {r.check: r for r in results if r.status in ("fail", "kit-error")}
    passed = sum(r.status == "pass" for r in results)
    line = Line(name, verdict=f"{passed} pass, {len(bad)} fail")
    for check, result in bad.items():
        if check not in layer.fails:
            line.wrong.append(f"false, or not known: {check}: {result.seen}")
    for check in layer.fails:
        if check not in bad:
            line.wrong.append(f"{check} fails, and is not found")
    return line


def model_line(row: Row) -> Line:
    """Builds the model of a row, and judges what is said about it."""
    keras.utils.set_random_seed(0)
    example, line = row.make(), Line(row.name)
    try:
        moved = drift(example)
    except Exception as error:
        if not row.raises or row.raises not in str(error):
            raise
        line.drift = "raises"
        report = inspect_masks(example.model, example.inputs)
        line.verdict = report.state
        if report.state != "failed":
            line.wrong.append("the model raises, and is not called failed")
        moved = None
    else:
        line.drift = str(moved)
        _verdict(row, example, moved, line)
    _convert(row, example, moved, line)
    return line


def _verdict(row: Row, example: Example, moved: Moved, line: Line) -> None:
    report = inspect_masks(example.model, example.inputs)
    line.verdict = _said(report)
    line.wrong += _false(row, report, moved)
    if report.state == "not measured":
        known = row.unmeasured and row.unmeasured in " ".join(report.missing)
        if not known and not any(ASK in why for why in report.missing):
            line.wrong.append(f"not measured: {report.missing}")
        report = inspect_masks(
            example.model, example.inputs, padding=example.padding
        )
        line.verdict += f"; with padding=: {_said(report)}"
        line.wrong += _false(row, report, moved)
        if report.state == "not measured" and not known:
            line.wrong.append(f"not measured with padding: {report.missing}")


def _said(report: MaskReport) -> str:
    first = [f"{c.name} {c.verdict}" for c in report.findings[:2]]
    more = len(report.findings) - len(first)
    first += [f"{more} more"] if more else []
    return ": ".join(
        [report.state, ", ".join(first)] if first else [report.state]
    )


def _false(row: Row, report: MaskReport, moved: Moved) -> Iterator[str]:
    """What is false in a report."""
    if report.state == "failed":
        yield f"called failed: {report.error}"
    if moved.counts and report.state == "clean":
        yield "padding moves it, and it is called clean"
    if not moved.counts and report.findings:
        yield f"no padding moves it: {report.findings[0].reason}"
    advice = " ".join(call.advice for call in report.findings)
    if row.refuses and "convert(" in advice:
        yield f"advises convert, which refuses: {advice}"
    blamed = [call.path for call in report.findings]
    found = [part for part in row.guilty if any(part in p for p in blamed)]
    if moved.counts and blamed and not found:
        yield f"blames {blamed}, but guilty is {row.guilty or 'unknown'}"


def _convert(
    row: Row, example: Example, moved: Moved | None, line: Line
) -> None:
    try:
        made, report = convert(example.model, example.inputs)
    except ValueError as error:
        text = str(error)
        line.convert = "refuses: " + (row.refuses or text[:200])
        if not row.refuses or row.refuses not in text:
            line.wrong.append(f"convert refuses: {text}")
        return
    if row.refuses:
        line.wrong.append("convert does not refuse")
    line.convert = f"{len(report.replaced)} replaced, {len(report.left)} left"
    if moved is None:
        return
    after = drift(example, made)
    line.convert += f", drift {after}"
    line.wrong += _false_report(report, moved, after)
    if (apart := _apart(example, made)) and not report.differs:
        line.wrong.append(f"without padding it differs by {apart:.1e}")
    line.wrong += _false_advice(example, made, report, after)


def _false_report(
    report: ConversionReport, before: Moved, after: Moved
) -> Iterator[str]:
    reasons = [why for _, _, why in report.left if why != METHODS_LOST]
    said = report.drift
    unmeasured = said is None or said.after is None
    if after.counts and not reasons and not unmeasured:
        yield "padding moves the new model, and nothing that does is left"
    if after.counts and not report.left:
        yield "padding moves the new model, and 0 are left"
    if after.counts and after.drift > WORSE * before.drift:
        yield f"drift {before} before, {after} after"
    if after.counts and not unmeasured and said.after < after.drift / 100:
        yield f"says drift {said.after:.1e}, and it is {after}"


def _apart(example: Example, made: Any) -> float:
    """How far the new model differs for rows without padding; 0 if rounding."""
    worst = 0.0
    for row in range(len(example.lengths)):
        if example.other and example.lengths[row] < max(example.lengths):
            continue
        x = alone(example, row)
        pairs = zip(predictions(example.model, x), predictions(made, x))
        for one, other in pairs:
            gap = float(np.abs(one - other).max())
            if Moved(gap, float(np.abs(one).max())).counts:
                worst = max(worst, gap)
    return worst


def _false_advice(
    example: Example, made: Any, report: ConversionReport, after: Moved
) -> Iterator[str]:
    """Wraps in `KeepMask` what should be, and converts once more."""
    names = {name for name, _, why in report.left if why == KEEPS}
    if not names:
        return

    def clone(layer: Any) -> Any:
        new = type(layer).from_config(layer.get_config())
        return KeepMask(new) if layer.name in names else new

    wrapped = keras.models.clone_model(made, clone_function=clone)
    wrapped.set_weights(made.get_weights())
    again, rest = convert(wrapped, example.inputs)
    then = drift(example, again)
    if then.drift > WORSE * after.drift and then.counts:
        yield f"`KeepMask` around {names} makes the drift {then}"
    if then.counts and not rest.left:
        yield f"`KeepMask` around {names} leaves a drift of {then}"

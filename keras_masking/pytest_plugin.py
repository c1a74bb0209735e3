"""The pytest plugin of the kit: two options, a marker, a summary line.

It never imports Keras, so that a `conftest.py` can choose the backend first.
"""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from keras_masking.names import LEVELS
from keras_masking.output_files import why_not

KEY = "mask_contract"


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("keras-masking")
    group.addoption(
        "--mask-level",
        choices=LEVELS,
        help="run checks of the mask contract of this level and above only",
    )
    group.addoption(
        "--mask-report",
        metavar="PATH",
        help="write the results of all checks to this JSON file",
    )


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line(
        "markers", f"{KEY}: a check of a layer against the mask contract"
    )
    path = config.getoption("--mask-report")
    if path and (refusal := why_not(Path(path))):
        raise pytest.UsageError(f"--mask-report: {refusal}")


def _check(item: pytest.Item) -> Any:
    """The check that a test runs, if it is one of the kit's."""
    for value in getattr(
        getattr(item, "callspec", None), "params", {}
    ).values():
        if getattr(value, "is_mask_check", False):
            return value
    return None


def pytest_collection_modifyitems(
    config: pytest.Config, items: list[pytest.Item]
) -> None:
    least = config.getoption("--mask-level")
    left_out = []
    for item in items:
        check = _check(item)
        if check is None:
            continue
        item.add_marker(KEY)
        if least and LEVELS.index(check.level) > LEVELS.index(least):
            left_out.append(item)
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        gone = set(left_out)
        items[:] = [item for item in items if item not in gone]


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Any:
    report = yield
    check = _check(item)
    if report.when == "call" and getattr(check, "result", None) is not None:
        # Reaches the main process if the tests run in several.
        report.user_properties.append((KEY, check.result))
    return report


def pytest_terminal_summary(terminalreporter: Any, config: Any) -> None:
    results = [
        value
        for reports in terminalreporter.stats.values()
        for report in reports
        for name, value in getattr(report, "user_properties", ())
        if name == KEY
    ]
    path = config.getoption("--mask-report")
    if path:
        Path(path).write_text(json.dumps(results, indent=1))
    if results:
        counts = Counter(result["status"] for result in results)
        text = ", ".join(f"{n} {status}" for status, n in counts.items())
        targets = len({result["layer"] for result in results})
        terminalreporter.section("mask contract")
        terminalreporter.write_line(f"{targets} targets: {text}")

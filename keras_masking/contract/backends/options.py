"""Options of the command line, parsed and checked before anything runs."""

import tomllib
from pathlib import Path
from typing import Any

import click

from keras_masking.contract.backends.processes import BACKENDS
from keras_masking.contract.backends.processes import installed
from keras_masking.contract.reports.writers import WRITERS
from keras_masking.names import did_you_mean
from keras_masking.output_files import why_not

# Backends of Keras on which a model predicts and does not train.
PREDICT_ONLY = ("numpy", "openvino")


def split(context: Any, parameter: Any, value: str | None) -> list[str] | None:
    if value is None:
        return None
    return [name for name in value.replace(",", " ").split() if name]


def choose_backends(
    context: Any, parameter: Any, value: str | None
) -> list[str]:
    there = installed()
    names = split(context, parameter, value)
    for name in names or ():
        if name not in there:
            known = name in BACKENDS
            state = "is not installed" if known else "is unknown"
            if name in PREDICT_ONLY:
                state = "has no gradients, which the checks need"
            raise click.BadParameter(
                f"the backend {name!r} {state}. "
                f"Installed: {', '.join(there) or 'none'}."
                f"{'' if known else did_you_mean(name, BACKENDS)}"
            )
    require_a_backend()
    if names is None:
        rest = [name for name in BACKENDS if name not in there]
        if rest:
            click.echo(
                f"Not installed, so not run: {', '.join(rest)}", err=True
            )
        return there
    if not names:
        raise click.BadParameter(f"name one of {', '.join(there)}.")
    return list(dict.fromkeys(names))


def read_expected(
    context: Any, parameter: Any, value: Path | None
) -> dict[str, dict[str, str]]:
    """Tables of check ids with reasons, by layer name."""
    if value is None:
        return {}
    try:
        tables = tomllib.loads(value.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise click.BadParameter(f"{value} cannot be read: {error}.") from error
    for name, table in tables.items():
        if not isinstance(table, dict):
            raise click.BadParameter(
                f"{value}: {name!r} must be a table named after a layer, with "
                f'lines such as `pad-value = "the reason"`.'
            )
        for check, reason in table.items():
            if not isinstance(reason, str) or not reason.strip():
                raise click.BadParameter(
                    f"{value}: {check!r} of {name!r} needs a reason: say why "
                    "it may fail."
                )
    return tables


def report_options(command: Any) -> Any:
    """Options for the report files that a command writes."""
    report = click.option(
        "--report",
        "paths",
        type=click.Path(path_type=Path),
        callback=_writable_reports,
        multiple=True,
        metavar="PATH",
        help="Write a .html, .json or .md file. May be repeated.",
    )
    badge = click.option(
        "--badge",
        type=click.Path(path_type=Path),
        callback=_writable_badge,
        metavar="PATH",
        help="Write a JSON file for an endpoint badge of shields.io.",
    )
    return report(badge(command))


def _writable_reports(
    context: Any, parameter: Any, value: tuple[Path, ...]
) -> tuple[Path, ...]:
    for path in value:
        _require_writable(why_not(path, WRITERS))
    return value


def _writable_badge(
    context: Any, parameter: Any, value: Path | None
) -> Path | None:
    if value is not None:
        _require_writable(why_not(value))
    return value


def _require_writable(refusal: str | None) -> None:
    if refusal is not None:
        raise click.BadParameter(refusal)


def require_a_backend() -> None:
    if not installed():
        names = ", ".join(BACKENDS)
        raise click.UsageError(
            f"No backend is installed. Install one of {names}."
        )

"""The command line, `keras-masking`.

Keras is never imported here, since importing it fixes its backend: code that
needs it runs in workers, or imports it late. So `--help` is fast.
"""

import shlex
import sys
from pathlib import Path
from typing import Any

import click

from keras_masking import __version__
from keras_masking.cli_convert import convert
from keras_masking.cli_inspect import inspect
from keras_masking.contract.backends import supervisor
from keras_masking.contract.backends.options import choose_backends
from keras_masking.contract.backends.options import read_expected
from keras_masking.contract.backends.options import report_options
from keras_masking.contract.backends.options import require_a_backend
from keras_masking.contract.backends.options import split
from keras_masking.contract.reports import summary
from keras_masking.contract.reports import writers
from keras_masking.contract.reports.badge import as_badge
from keras_masking.names import LEVELS
from keras_masking.names import ROLES

OUR_LAYERS = "keras_masking.cases"
INTERRUPTED = 130


def main() -> None:
    try:
        code = cli.main(prog_name="keras-masking", standalone_mode=False) or 0
    except (click.Abort, KeyboardInterrupt):
        click.echo("Interrupted. The workers have been stopped.", err=True)
        code = INTERRUPTED
    except (supervisor.Refused, writers.NoReport, OSError) as error:
        click.echo(f"Error: {error}", err=True)
        code = 2
    except click.ClickException as error:
        error.show()
        code = error.exit_code
    sys.exit(code)


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, package_name="keras-masking")
def cli() -> None:
    """Checks, converts and inspects Keras layers and models with masks."""


cli.add_command(convert)
cli.add_command(inspect)


@cli.command()
@click.argument("targets", metavar="[TARGET]...", nargs=-1)
@click.option(
    "--loss",
    "losses",
    multiple=True,
    metavar="TARGET",
    help="Check a loss. May be repeated.",
)
@click.option(
    "--metric",
    "metrics",
    multiple=True,
    metavar="TARGET",
    help="Check a metric. May be repeated.",
)
@click.option(
    "--backends",
    callback=choose_backends,
    metavar="NAMES",
    help="For example jax,torch. Defaults to all installed ones.",
)
@click.option(
    "--device",
    type=click.Choice(["cpu", "gpu"]),
    default="cpu",
    help="Where to run; gpu fails if there is none.",
)
@click.option(
    "--only",
    callback=split,
    metavar="IDS",
    help="Run only these checks, such as pad-value.",
)
@click.option(
    "--skip", callback=split, metavar="IDS", help="Do not run these checks."
)
@click.option(
    "--level",
    type=click.Choice(LEVELS),
    default="advised",
    show_default=True,
    help="The lowest level to run.",
)
@click.option(
    "--role",
    type=click.Choice(ROLES),
    help="What the layers do with a mask. Inferred by default.",
)
@click.option(
    "--ids",
    type=click.IntRange(min=2),
    metavar="N",
    help="Use integer inputs from 1 to N - 1, and zeros at padding.",
)
@click.option(
    "--expected-failures",
    "expected",
    type=click.Path(path_type=Path),
    callback=read_expected,
    metavar="FILE",
    help="TOML: a table per layer, with a reason for each check id.",
)
@report_options
@click.option(
    "--timeout",
    type=click.FloatRange(min=0, min_open=True),
    default=300.0,
    show_default=True,
    metavar="SECONDS",
    help="Stop a worker that gives no result for this long.",
)
@click.option("--seed", type=click.IntRange(min=0), default=0, metavar="N")
@click.option(
    "--torch-compile", is_flag=True, help="Run jit on PyTorch, which is slow."
)
def check(
    targets: tuple[str, ...],
    losses: tuple[str, ...],
    metrics: tuple[str, ...],
    backends: list[str],
    device: str,
    expected: dict[str, dict[str, str]],
    paths: tuple[Path, ...],
    badge: Path | None,
    timeout: float,
    role: str | None,
    ids: int | None,
    **options: Any,
) -> int:
    """Checks layers, losses and metrics on every backend.

    Each backend runs in its own process.

    \b
    A TARGET is one of
      pkg.mod:Class                a layer class
      "pkg.mod:Class(units=4)"     a call with literal arguments
      pkg.mod:name                 a Case, a list of them, or a function
                                   that returns a layer
      path/to/file.py:Class        the same, from a file
      pkg.mod                      its MASK_CASES, else its layer classes
    A loss or metric is named in the same way after --loss or --metric; there
    pkg.mod:name may also be a function of y_true and y_pred, and pkg.mod has
    LOSS_CASES or METRIC_CASES:
      keras-masking check --loss keras.losses:MeanSquaredError

    Without a TARGET, --loss or --metric, the layers of keras-masking are
    checked.

    \b
    Exit codes:
      0  everything passed
      1  a layer, loss or metric breaks the contract
      2  wrong use: a target, an id or a file
      3  a worker crashed or hung, or a check itself failed
      5  no check ran on a target
      130  interrupted
    """
    from keras_masking.contract.backends.progress import Progress

    names = [
        *targets,
        *(f"--loss={target}" for target in losses),
        *(f"--metric={target}" for target in metrics),
    ] or [OUR_LAYERS]
    job = {
        "work": "check",
        "targets": names,
        "expected": expected,
        "ids": ids,
        "options": {"role": role, **options},
    }
    with Progress(backends) as progress:
        reports = supervisor.run(
            job, backends, device=device, timeout=timeout, on_message=progress
        )
    typed = shlex.join(["keras-masking", *sys.argv[1:]])
    return _write_and_show(reports, names, typed, paths, badge)


@cli.command()
@click.argument(
    "sources",
    metavar="SOURCE...",
    nargs=-1,
    required=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
)
@report_options
def report(
    sources: tuple[Path, ...], paths: tuple[Path, ...], badge: Path | None
) -> int:
    """Combines JSON reports into one.

    \b
    For example, the reports of jobs that ran one backend each:
      keras-masking report jax.json torch.json --report all.html

    The exit codes are those of `check`.
    """
    kept = [path.resolve() for path in sources]
    if len(set(kept)) < len(kept):
        raise click.UsageError("a report is given twice: give it once.")
    for path in (*paths, badge):
        if path is not None and path.resolve() in kept:
            raise click.UsageError(f"{path} is a SOURCE: name another file.")
    return _write_and_show(*writers.join(sources), paths, badge)


def _write_and_show(
    reports: summary.Reports,
    targets: list[str],
    typed: str,
    paths: tuple[Path, ...],
    badge: Path | None,
) -> int:
    """Writes the files, shows the table, and returns the exit code."""
    for path in paths:
        writers.write(path, reports, targets, typed)
    if badge is not None:
        badge.write_text(as_badge(reports), encoding="utf-8")
    _show(reports)
    return summary.exit_code(reports)


def _show(reports: summary.Reports) -> None:
    from rich.table import Table

    table = Table(summary.noun(reports), "role", *reports)
    for row in summary.matrix(reports):
        table.add_row(*map(_plain, row))
    bad = summary.violations(reports)
    for backends, result in bad:
        click.echo(f"{result}\n    on      {', '.join(backends)}\n")
    _print(table)
    if slowest := summary.slowest(reports):
        click.echo("slowest checks, seconds:")
        for seconds, name in slowest:
            click.echo(f"{seconds:7.2f}  {name}")
    click.echo(summary.last_line(reports))


@cli.command()
def checks() -> None:
    """Lists the checks."""
    from rich.table import Table

    table = Table("id", "level", "roles", "statement")
    for entry in _ask_worker({"work": "checks"}, "check"):
        every = len(entry["roles"]) == len(ROLES)
        roles = "all" if every else ", ".join(entry["roles"])
        roles = roles or entry["subject"]
        row = (entry["id"], entry["level"], roles, entry["statement"])
        table.add_row(*map(_plain, row))
    _print(table)


@cli.command()
@click.argument("id")
def explain(id: str) -> None:
    """Explains a check: its rule, the reason, and right and wrong code."""
    (entry,) = _ask_worker({"work": "checks", "check": id}, "check")
    every = len(entry["roles"]) == len(ROLES)
    if not entry["roles"]:
        subject = f"any {entry['subject']}"
    else:
        roles = ", ".join(entry["roles"])
        subject = "any layer" if every else f"a layer that {roles}"
    click.echo(f"{entry['id']} ({entry['level']}; {subject})")
    for title, key in (
        ("Rule", "statement"),
        ("Why", "why"),
        ("Likely cause", "cause"),
    ):
        click.echo(click.wrap_text(f"{title}: {entry[key]}", width=78))
        click.echo()
    for title, key in (("Wrong", "wrong"), ("Right", "right")):
        click.echo(f"{title}:")
        click.echo("\n".join(f"    {s}" for s in entry[key].splitlines()))
        click.echo()


@cli.command()
@click.argument("target")
@click.option(
    "--output",
    "path",
    type=click.Path(path_type=Path),
    default=Path("test_masks.py"),
    show_default=True,
    help="The file to write; it must not exist.",
)
def init(target: str, path: Path) -> None:
    """Writes a pytest file that checks the layers of TARGET."""
    from keras_masking.contract.scaffold import test_file

    if path.exists():
        raise click.UsageError(f"{path} exists and is not overwritten.")
    if not path.parent.is_dir():
        raise click.UsageError(f"There is no directory {path.parent}.")
    found = _ask_worker({"work": "find", "targets": [target]}, "found")
    path.write_text(test_file(target, path, found), encoding="utf-8")
    click.echo(f"Wrote {path}. Run it: pytest {path}")


def _ask_worker(job: dict[str, Any], kind: str) -> list[dict[str, Any]]:
    """The answers of a worker that have one kind."""
    require_a_backend()
    return [m for m in supervisor.ask(job) if m["kind"] == kind]


def _print(table: Any) -> None:
    """Prints a table; in a pipe, it is 160 characters wide."""
    from rich.console import Console

    console = Console()
    if not console.is_terminal:
        console = Console(width=160)
    console.print(table)


def _plain(text: str) -> Any:
    """Text without markup: a layer's name may contain brackets."""
    from rich.text import Text

    return Text(text)


if __name__ == "__main__":
    main()

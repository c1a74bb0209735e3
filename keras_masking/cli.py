"""The command line, `keras-masking`.

Keras is never imported here, since importing it fixes its backend: code that
needs it runs in workers, or imports it late. So `--help` is fast.
"""

import sys
from pathlib import Path
from typing import Any

import click

from keras_masking import __version__
from keras_masking.cli_check import check
from keras_masking.cli_check import plain
from keras_masking.cli_check import print_table
from keras_masking.cli_check import report
from keras_masking.cli_convert import convert
from keras_masking.cli_export import export
from keras_masking.cli_inspect import inspect
from keras_masking.contract.backends import supervisor
from keras_masking.contract.backends.options import require_a_backend
from keras_masking.contract.reports import writers
from keras_masking.names import ROLES

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
    """Checks, converts, inspects and exports Keras layers and models."""


cli.add_command(check)
cli.add_command(report)
cli.add_command(convert)
cli.add_command(export)
cli.add_command(inspect)


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
        table.add_row(*map(plain, row))
    print_table(table)


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
    "--kind",
    type=click.Choice(["layer", "loss", "metric", "model"]),
    default="layer",
    show_default=True,
    help="What TARGET is, or which classes of a module are meant.",
)
@click.option(
    "--output",
    "path",
    type=click.Path(path_type=Path),
    default=Path("test_masks.py"),
    show_default=True,
    help="The file to write; it must not exist.",
)
def init(target: str, kind: str, path: Path) -> None:
    """Writes a pytest file that checks what TARGET names."""
    from keras_masking.contract.scaffold import test_file

    if path.exists():
        raise click.UsageError(f"{path} exists and is not overwritten.")
    if not path.parent.is_dir():
        raise click.UsageError(f"There is no directory {path.parent}.")
    named = target if kind == "layer" else f"--{kind}={target}"
    found = _ask_worker({"work": "find", "targets": [named]}, "found")
    path.write_text(test_file(target, path, found), encoding="utf-8")
    click.echo(f"Wrote {path}. Run it: pytest {path}")


def _ask_worker(job: dict[str, Any], kind: str) -> list[dict[str, Any]]:
    """The answers of a worker that have one kind."""
    require_a_backend()
    return [m for m in supervisor.ask(job) if m["kind"] == kind]


if __name__ == "__main__":
    main()

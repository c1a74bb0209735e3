"""The table of exports.

    python -m tools.exports run     exports every layer on each backend
    python -m tools.exports pages   writes the page from the record

`run` needs the packages of the extras `export-...`, and takes a quarter of an
hour on two cores.
"""

import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from tools.exports.page import RECORD
from tools.exports.page import write_page

BACKENDS = ("tensorflow", "torch", "jax")


def run_backend(backend: str, wanted: list[str]) -> dict[str, Any]:
    """What a worker found: versions, and the outcomes of each row."""
    command = [sys.executable, "-m", "tools.exports.worker", *wanted]
    made: dict[str, Any] = {"rows": {}}
    with subprocess.Popen(
        command,
        env={**os.environ, "KERAS_BACKEND": backend},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as worker:
        for line in worker.stdout or ():
            if not line.startswith("{"):
                continue
            found = json.loads(line)
            if "row" in found:
                made["rows"][found["row"]] = found["outcomes"]
                print(backend, found["row"], found["outcomes"], flush=True)
            else:
                made |= found
    made["exit"] = worker.returncode
    return made


def run(wanted: list[str]) -> None:
    """Writes the record: two backends at a time."""
    with ThreadPoolExecutor(2) as pool:
        found = pool.map(lambda b: run_backend(b, wanted), BACKENDS)
        record = dict(zip(BACKENDS, found))
    known = json.loads(RECORD.read_text("utf-8")) if wanted else {}
    for backend, made in record.items():
        rows = known.get(backend, {}).get("rows", {})
        made["rows"] = {**rows, **made["rows"]}
    text = json.dumps(record, indent=1, sort_keys=True)
    RECORD.write_text(text + "\n", "utf-8")


if __name__ == "__main__":
    what, *wanted = sys.argv[1:] or ["help"]
    if what == "run":
        run(wanted)
    if what in ("run", "pages"):
        write_page()
    else:
        print(__doc__)

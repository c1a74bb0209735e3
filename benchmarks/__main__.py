"""The command: measures, and writes what it measured.

python -m benchmarks --write            all, on each installed backend
python -m benchmarks --quick            does it run?
python -m benchmarks --render FILE.json the tables and the picture anew
"""

import argparse
import json
from pathlib import Path
from typing import Any

from benchmarks import render
from benchmarks import run

RESULTS = Path(__file__).parent / "results"
IMAGES = Path(__file__).parents[1] / "docs" / "images"
MODES = ("predict", "fit", "eager", "compiled")
PARTS = ("rows", "growth", "models")


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("--backend", action="append", choices=run.BACKENDS, help="repeatable")
    add("--device", choices=("cpu", "gpu"), default="cpu")
    add("--only", default="", help="names or groups of rows, with commas")
    add(
        "--modes",
        default="predict,fit",
        help=f"of {','.join(MODES)}, or all; defaults to predict,fit",
    )
    add("--parts", default=",".join(PARTS), help="defaults to all")
    add("--quick", action="store_true", help="one small shape, few rounds")
    add(
        "--minutes",
        type=float,
        default=6.0,
        help="per backend; what does not fit in is told. Defaults to 6",
    )
    add("--write", action="store_true", help="into results/ and docs/images/")
    add("--into", type=Path, help="write into this folder")
    add("--render", type=Path, metavar="FILE.json", help="measure nothing")
    return parser.parse_args()


def split(text: str, known: tuple[str, ...] = ()) -> list[str]:
    parts = [part.strip() for part in text.split(",") if part.strip()]
    unknown = [part for part in parts if known and part not in known]
    if unknown:
        raise SystemExit(f"unknown: {', '.join(unknown)}; known: {known}")
    return parts


def write(results: dict[str, Any], folder: Path, images: Path) -> None:
    """The page and the picture; those of a GPU stand beside."""
    name = "speed" if results["device"] == "cpu" else "speed-gpu"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.md").write_text(render.page(results), "utf-8")
    try:
        from benchmarks.picture import draw
    except ImportError:
        print("no picture: matplotlib is not installed")
        return
    images.mkdir(parents=True, exist_ok=True)
    draw(results, images / f"{name}.png")


def main() -> None:
    given = arguments()
    folder, images = given.into or RESULTS, given.into or IMAGES
    if given.render:
        results = json.loads(given.render.read_text("utf-8"))
        write(results, folder, images)
        return
    modes = list(MODES) if given.modes == "all" else split(given.modes, MODES)
    backends = given.backend or run.installed()
    if not backends:
        raise SystemExit("no backend is installed: pip install jax, say")
    results = run.measure(
        backends,
        {
            "device": given.device,
            "quick": given.quick,
            "only": split(given.only),
            "modes": modes,
            "parts": split(given.parts, PARTS),
            "seconds": 60 * given.minutes,
        },
    )
    found = results["backends"].values()
    if not any(one["results"] for one in found):
        raise SystemExit("\n".join(str(one["error"]) for one in found))
    if given.write or given.into:
        folder.mkdir(parents=True, exist_ok=True)
        file = folder / f"{given.device}-{results['date']}.json"
        file.write_text(json.dumps(results) + "\n", "utf-8")
        write(results, folder, images)
    else:
        print(render.page(results))


if __name__ == "__main__":
    main()

"""Makes `co2_mauna_loa.npz` from the copy in `statsmodels`.

    pip install --no-deps statsmodels
    python examples/data/make_co2_mauna_loa.py

Reads the table of weeks and writes one compressed NumPy file: the first week
and the concentration in every week from there on, NaN where it is missing.
"""

import importlib.util
from pathlib import Path

import numpy as np


def read(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Dates and concentrations, an empty field as NaN."""
    lines = path.read_text().splitlines()[1:]
    dates, values = zip(*(line.strip().split(",") for line in lines))
    dates = [f"{date[:4]}-{date[4:6]}-{date[6:]}" for date in dates]
    ppm = [float(value) if value else np.nan for value in values]
    return np.array(dates, "datetime64[D]"), np.array(ppm, "float32")


def main() -> None:
    """Finds `statsmodels` without importing it, and converts."""
    spec = importlib.util.find_spec("statsmodels")
    if spec is None:
        raise SystemExit(
            "statsmodels is not installed: pip install --no-deps statsmodels"
        )
    folder = Path(spec.submodule_search_locations[0]) / "datasets" / "co2"
    dates, ppm = read(folder / "co2.csv")
    if set(np.diff(dates).astype(int)) != {7}:
        raise SystemExit("the table has left out a week")
    np.savez_compressed(
        Path(__file__).with_name("co2_mauna_loa.npz"),
        first_week=dates[0],
        ppm=ppm,
    )


if __name__ == "__main__":
    main()

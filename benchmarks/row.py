"""What a row of the benchmark is: contenders for one job, and its targets."""

from collections.abc import Callable
from collections.abc import Sequence
from dataclasses import asdict
from dataclasses import dataclass
from dataclasses import field
from typing import Any

Shape = tuple[int, ...]
HEADLINE = (48, 512, 256)
# The second is 32 MiB of float32, from which on a C library asks the system
# for every temporary anew; then thin and short, long, and many tiny rows.
FIVE = (
    HEADLINE,
    (64, 512, 256),
    (256, 64, 128),
    (8, 8192, 64),
    (1024, 32, 16),
)
SMALL = ((32, 256, 64),)
OURS, KERAS, FLOOR = "ours", "keras", "floor"
DEFAULT = "default"
NAN = "ours, NaN in the padding"


def data(batch: Any) -> tuple[Any, ...]:
    return batch.x, batch.mask


@dataclass
class Contender:
    """A function of tensors, the layers in it, and what it is called with."""

    function: Callable[..., Any]
    layers: Sequence[Any] = ()
    inputs: Callable[[Any], tuple[Any, ...]] = data
    note: str = ""
    # The shapes to build `layers` with; that of the batch by default.
    shapes: Sequence[Any] | None = None


@dataclass(frozen=True)
class Target:
    """Ours takes at most `limit` times as long as another contender.

    The limit of one backend, or of one backend at one shape, goes before
    `default`.
    """

    of: str
    limits: dict[str, float]
    slack: float = 1.2  # for forward and backward

    def limit(self, backend: str, mode: str, shape: Shape) -> float | None:
        size = "x".join(map(str, shape))
        found = None
        for key in (f"{backend} {size}", backend, DEFAULT):
            if found is None:
                found = self.limits.get(key)
        if found is None or mode not in ("predict", "fit"):
            return None
        return found * (self.slack if mode == "fit" else 1.0)


@dataclass(frozen=True)
class Row:
    """One job: `make` gives its contenders for a batch."""

    name: str
    group: str
    ours: str
    keras: str
    make: Callable[[Any], dict[str, Contender]]
    shapes: tuple[Shape, ...] = (HEADLINE,)
    modes: tuple[str, ...] = ("predict", "fit")
    targets: tuple[Target, ...] = ()
    half: bool = False  # in bfloat16 as well
    paddings: tuple[float, ...] = ()  # shares besides the half
    takes_nan: bool = True

    def described(self) -> dict[str, Any]:
        """What a table says of it, as JSON."""
        known = asdict(self)
        return {key: known[key] for key in ("name", "group", "ours", "keras")}


@dataclass
class Rows:
    """The rows of a module, in the order of their definition."""

    group: str
    defaults: dict[str, Any] = field(default_factory=dict)
    rows: list[Row] = field(default_factory=list)

    def add(self, name: str, ours: str, keras: str, **options: Any) -> Any:
        """Makes a row of the function below."""

        def register(make: Callable[[Any], dict[str, Contender]]) -> Any:
            known = {**self.defaults, **options}
            row = Row(name, self.group, ours, keras, make, **known)
            self.rows.append(row)
            return make

        return register


def padded(share: float) -> str:
    """How ours is called with another share of padding than a half."""
    return f"ours, {share:.0%} padding"


def at_most(limit: float, of: str = FLOOR, **others: float) -> Target:
    return Target(of, {DEFAULT: limit, **others})


def times_faster(limit: float, **others: float) -> Target:
    """Keras' layer takes at least `limit` times as long."""
    keys = {key.replace("_at_", " "): 1 / n for key, n in others.items()}
    return Target(KERAS, {DEFAULT: 1 / limit, **keys})

"""What a row is: one job, the contenders for it, and what ours may take."""

from collections.abc import Callable
from collections.abc import Iterator
from collections.abc import Sequence
from dataclasses import dataclass
from dataclasses import field
from typing import Any

Shape = tuple[int, ...]
# 24 MiB; 32 MiB, from which on a C library asks the system for every temporary
# anew; thin and short; long; many tiny rows.
HEADLINE, LONG = (48, 512, 256), (8, 8192, 64)
FIVE = (HEADLINE, (64, 512, 256), (256, 64, 128), LONG, (1024, 32, 16))
SMALL = ((32, 256, 64),)
BACKENDS = ("jax", "torch", "tensorflow")
MODES = ("predict", "fit", "eager", "compiled")


@dataclass
class Contender:
    """A function, what it is called with, and the layers in it."""

    function: Callable[..., Any]
    inputs: tuple[Any, ...]
    layers: Sequence[Any] = ()


@dataclass(frozen=True)
class Maker:
    """Makes a contender for a batch; `text` is how one would write it."""

    text: str
    make: Callable[[Any], Contender]


@dataclass(frozen=True)
class Row:
    name: str
    ours: Maker
    floor: Maker | None = None
    theirs: Maker | None = None
    # What Keras' layer does "with the mask"; where it "ignores the mask" or
    # "takes no mask", it is the floor, unless `theirs` is there.
    keras: str = "none"
    # How long ours may take relative to the "floor" or "keras": by default
    # (""), on a backend, at a shape of a backend, in `fit`.
    targets: dict[str, dict[str, float]] = field(default_factory=dict)
    shapes: tuple[Shape, ...] = (HEADLINE,)
    group: str = ""
    others: dict[str, Maker] = field(default_factory=dict)
    modes: tuple[str, ...] = ("predict", "fit")
    backends: tuple[str, ...] = BACKENDS
    closely: bool = False  # in bfloat16 as well, eager, by other compilers
    paddings: tuple[float, ...] = ()  # shares besides the half
    nan: bool = True  # is also timed with NaN in the padding

    @property
    def makers(self) -> dict[str, Callable[[Any], Contender]]:
        known = {"floor": self.floor, "keras": self.theirs, "ours": self.ours}
        return {name: m.make for name, m in (known | self.others).items() if m}

    def cells(self, mode: str) -> Iterator[tuple[str, Shape]]:
        """Dtypes and shapes."""
        if mode in self.modes:
            yield from (("float32", shape) for shape in self.shapes)
        if self.closely:
            rare = mode in ("eager", "compiled")
            yield "float32" if rare else "bfloat16", self.shapes[0]

    def limits(self, backend: str, mode: str, shape: Shape) -> dict[str, float]:
        """Of this cell; in `fit` a fifth more is allowed."""
        found, at = {}, f"{backend} {'x'.join(map(str, shape))}"
        for of, known in self.targets.items():
            found[of] = known.get(at, known.get(backend, known[""]))
            if mode == "fit":
                found[of] = known.get("fit", 1.2 * found[of])
        return found

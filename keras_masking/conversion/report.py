"""What `convert` says that it did."""

from dataclasses import dataclass
from dataclasses import field


@dataclass
class ConversionReport:
    """What `convert` did.

    Attributes:
        replaced: For each layer that was replaced its name, its class, and
            what stands in its place.
        left: For each layer that stays although it loses the mask, or lets
            padding in, its name, its class, and why.
    """

    replaced: list[tuple[str, str, str]] = field(default_factory=list)
    left: list[tuple[str, str, str]] = field(default_factory=list)

    def __str__(self) -> str:
        rows = [f"replaced  {n}: {a} -> {b}" for n, a, b in self.replaced]
        rows += [f"left      {n}: {a}: {why}" for n, a, why in self.left]
        rows += [f"{len(self.replaced)} replaced, {len(self.left)} left"]
        return "\n".join(rows)

"""The report of `convert`."""

from dataclasses import dataclass
from dataclasses import field
from typing import NamedTuple

from keras_masking.batching.gap import PackingGap


class Difference(NamedTuple):
    """A layer that differs from the old one even without padding.

    Attributes:
        name: The name of the layer.
        layer: The class of the old layer.
        strides: The strides of the layer.
        remainders: It differs if its number of input steps, modulo `strides`,
            is one of these.
    """

    name: str
    layer: str
    strides: int
    remainders: tuple[int, ...]

    def __str__(self) -> str:
        if len(self.remainders) == self.strides:
            where = "at any number of steps"
        else:
            rest = " or ".join(map(str, self.remainders))
            where = f"where its steps % {self.strides} is {rest}"
        return f"{self.name}: {self.layer}: without padding, {where}"


class MeasuredDrift(NamedTuple):
    """How far real outputs move with the padding, before and after.

    Attributes:
        before: The largest difference of an output of the old model; None if
            not measured.
        after: The same of the new model.
        change: The change of the padding, such as "12 more padding steps on
            the right".
        why_not: Why it was not measured; "" if it was.
    """

    before: float | None = None
    after: float | None = None
    change: str = ""
    why_not: str = ""

    def __str__(self) -> str:
        if self.before is None or self.after is None:
            return f"not measured: {self.why_not}"
        moved = f"{self.before:.3g} before, {self.after:.3g} after"
        return f"{moved}: {self.change}"


@dataclass
class ConversionReport:
    """What `convert` did.

    Attributes:
        attached: For each mask that is a plain tensor and now a Keras mask, the
            name of the input it comes from, and the input or layer that it
            masks.
        replaced: For each replaced layer, its name, its class, and its
            replacement.
        left: For each layer that stays although it loses the mask or lets
            padding in, its name, its class, and why.
        differs: A `Difference` for each layer that differs from the old one
            even without padding.
        fine_tune: For each layer whose weights were affected by padding, its
            name, its class, and why.
        packed: With `packed`, for each layer that takes packed rows now, its
            name, its class, and the arguments that were set.
        unpacked: For each layer that cannot, its name, its class, and why. If
            there are any, the model must not get packed rows.
        packing: With `packed`, and if there are none, the `PackingGap` of the
            model.
        drift: A `MeasuredDrift`, if `convert` got inputs, else None.
    """

    attached: list[tuple[str, str]] = field(default_factory=list)
    replaced: list[tuple[str, str, str]] = field(default_factory=list)
    left: list[tuple[str, str, str]] = field(default_factory=list)
    differs: list[Difference] = field(default_factory=list)
    fine_tune: list[tuple[str, str, str]] = field(default_factory=list)
    packed: list[tuple[str, str, str]] = field(default_factory=list)
    unpacked: list[tuple[str, str, str]] = field(default_factory=list)
    packing: PackingGap | None = None
    drift: MeasuredDrift | None = None

    def __str__(self) -> str:
        rows = [f"attached  {mask}: masks {x}" for mask, x in self.attached]
        rows += [f"replaced  {n}: {a} -> {b}" for n, a, b in self.replaced]
        rows += [f"left      {n}: {a}: {why}" for n, a, why in self.left]
        rows += [f"differs   {one}" for one in self.differs]
        rows += [f"fine-tune {n}: {a}: {why}" for n, a, why in self.fine_tune]
        rows += [f"packed    {n}: {a}: {how}" for n, a, how in self.packed]
        rows += [f"unpacked  {n}: {a}: {why}" for n, a, why in self.unpacked]
        if self.packing is not None:
            needs = self.packing._asdict().items()
            said = ", ".join(f"{name}={value}" for name, value in needs)
            rows.append(f"packing   {said}")
        if self.drift is not None:
            rows.append(f"drift     {self.drift}")
        total = f"{len(self.replaced)} replaced, {len(self.left)} left"
        if self.differs:
            total += f", {len(self.differs)} different without padding"
        if self.fine_tune:
            total += f", {len(self.fine_tune)} to fine-tune"
        if self.unpacked:
            total += f", {len(self.unpacked)} not to be packed"
        return "\n".join([*rows, total])

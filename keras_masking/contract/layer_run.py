"""Runs the checks of a layer."""

from typing import Any

from keras_masking.contract.case import Case
from keras_masking.contract.harness import mask_argument
from keras_masking.contract.harness.layer_harness import LayerHarness
from keras_masking.contract.harness.reproduce import script
from keras_masking.contract.harness.roles import infer_role
from keras_masking.contract.harness.violations import CallFailed
from keras_masking.contract.registry import Check
from keras_masking.contract.run import Run


class LayerRun(Run):
    """Runs the checks of one layer, which share it and earlier results."""

    kind = "layer"

    def __init__(
        self, case: Case, seed: int = 0, torch_compile: bool = False
    ) -> None:
        self.seed = seed
        self.torch_compile = torch_compile
        # Raises at once if the target is not a layer.
        mask_argument.check_name(case, case.make())
        super().__init__(case)

    def role(self) -> tuple[str, bool]:
        return self.harness.role, self.case.role is None

    def new_harness(
        self, shape: tuple[int, int, int] | None = None
    ) -> LayerHarness:
        harness = LayerHarness(self.case, shape, self.seed)
        harness.torch_compile = self.torch_compile
        try:
            harness.role = self.case.role or infer_role(harness)
        except CallFailed:
            # `runs-with-mask` reports it.
            harness.role = self.case.role or "unknown"
        return harness

    def not_for(self, check: Check) -> str:
        role = self.harness.role
        if role == "unknown" or role in check.roles:
            return ""
        return f"not for a layer that {role}"

    def fits(self, shape: tuple[int, int, int]) -> bool:
        leaves = self.harness.batch.leaves
        pairs = [(shape[:2], leaf.shape) for leaf in leaves]
        return all(a <= b for small, x in pairs for a, b in zip(small, x))

    def shows_the_same(self, small: Any) -> bool:
        return bool(small.role == self.harness.role)

    def describe(self, check: Check, harness: Any) -> dict[str, str]:
        got = self.harness.received()
        answer = "not called" if got is None else "yes" if got else "no"
        return {
            "where": f"call received the mask: {answer}",
            "cause": harness.hint() + check.cause,
            "smallest": "inputs "
            + " and ".join(str(x.shape) for x in harness.batch.leaves),
            "script": script(self.case, harness, check.id),
        }

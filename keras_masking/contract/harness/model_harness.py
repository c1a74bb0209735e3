"""One model under test: the inspector runs it with other padding."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import keras
import numpy as np

from keras_masking import array_compare
from keras_masking._keras import losses_kept
from keras_masking._keras import with_sublayers
from keras_masking.contract.case import TargetError
from keras_masking.contract.harness.violations import CallFailed
from keras_masking.contract.harness.violations import ContractViolation
from keras_masking.contract.harness.violations import NotApplicable
from keras_masking.contract.model_case import ModelCase
from keras_masking.inspector.data import CallRecord
from keras_masking.inspector.inspection import inspect
from keras_masking.inspector.measuring.changes import with_other_values
from keras_masking.inspector.measuring.drift import Outcome
from keras_masking.inspector.measuring.drift import farthest
from keras_masking.inspector.measuring.drift import outcomes_of
from keras_masking.inspector.measuring.drift import repeats
from keras_masking.inspector.measuring.drift import significant
from keras_masking.inspector.measuring.regions import moved
from keras_masking.inspector.missing import measured

RANDOM = "the model draws random numbers"


class ModelHarness:
    """The model of a case, inspected once."""

    def __init__(self, case: ModelCase) -> None:
        self.case = case
        self.model = case.make()
        try:
            self.found = inspect(
                self.model, case.inputs, padding=case.padding, alone=True
            )
        except ValueError as error:
            text = str(error).replace("`inspect_masks`", "`check_model`")
            raise TargetError(f"{case.name}: {text}") from error
        self.report = self.found.report

    @property
    def padding(self) -> str:
        """How the inputs are padded, if no mask of Keras says so."""
        return "; ".join(map(str, self.report.padding))

    def needs_padding(self) -> None:
        """Raises `NotApplicable` if more and less padding were not tried."""
        if not any(measured(outcome) for outcome in self.found.outcomes):
            why = [*self.report.missing, *self.report.notes, "nothing ran"]
            raise NotApplicable(why[0])

    def with_nan(self) -> list[Outcome]:
        """The outcome of NaN at padding steps."""
        found = self.found
        with losses_kept(self.model):
            change = with_other_values(
                self.model, found.given, found.base, False, np.nan
            )
            return outcomes_of(
                self.model,
                found.given,
                found.base,
                found.masks,
                [change],
                False,
                found.flows,
            )

    def require_unmoved(self, outcomes: list[Outcome]) -> None:
        """Raises if a change of the padding moves real outputs.

        A change that could not be tried counts only if there is no other.
        """
        known = [o for o in outcomes if o.moved is not None]
        moving = [o for o in known if o.starts is not None]
        if moving:
            worst = max(moving, key=lambda o: o.moved[1] if o.moved else 0.0)
            raise self._violation(worst)
        if not known:
            reasons = dict.fromkeys(o.change.why_not for o in outcomes)
            if len(reasons) > 1:
                pairs = ((o.change.what, o.change.why_not) for o in outcomes)
                reasons = dict.fromkeys(": ".join(pair) for pair in pairs)
            raise NotApplicable("; ".join(reasons))

    def _violation(self, outcome: Outcome) -> ContractViolation:
        assert outcome.moved is not None  # noqa: S101
        gap, share = outcome.moved
        base, change = self.found.base, outcome.change
        place = farthest(base, self.found.masks, change)
        where = "" if place is None else self._place(*place)
        cause, right = self._culprit(outcome)
        seen = f"{change.what}: real outputs move by {gap:.3g}"
        if np.isfinite(share):
            seen += f", {share:.2g} of the largest"
        return ContractViolation(seen, where, cause, right)

    def _place(self, output: int, row: int) -> str:
        masks = [m for m in self.found.given.padding if m is not None]
        text = f"output `{self.report.outputs[output].name}`, row {row}"
        if masks and row < len(masks[0]) and masks[0].ndim == 2:
            steps = "".join("FT"[int(one)] for one in masks[0][row])
            text += f", mask {steps}"
        return text

    def _culprit(self, outcome: Outcome) -> tuple[str, str]:
        """Which call is to blame, and the advice."""
        if self.report.findings:
            return self.blames(self.report.findings[0])
        call = outcome.starts
        if call is None or call.parent is None:
            return "", ""
        name = f"`{call.layer.name}` ({type(call.layer).__name__})"
        before = "code before " * outcome.by_code
        return f"it starts at {before}{name}.", ""

    def blames(self, record: CallRecord) -> tuple[str, str]:
        """The likely cause and the advice of a finding."""
        text = f"`{record.name}` ({record.type}): {record.reason}"
        return f"{text} `inspect_masks` shows all calls.", record.advice

    # The same model, called in another way.

    @contextmanager
    def states_kept(self) -> Iterator[None]:
        """Undoes what a run writes: states, seeds, the compiled function."""
        model = self.model
        states = [(v, v.numpy()) for v in model.non_trainable_variables]
        function = getattr(model, "predict_function", None)
        try:
            yield
        finally:
            model.predict_function = function
            for variable, value in states:
                variable.assign(value)

    def predict(self) -> list[np.ndarray]:
        """The outputs of `predict`."""
        given = self.found.given
        x = given.pack(list(given.leaves))
        with self.states_kept():
            try:
                found = self.model.predict_on_batch(x)
            except Exception as error:
                raise CallFailed(error, "`predict`") from error
        return [array_compare.as_array(y) for y in keras.tree.flatten(found)]

    def call_loaded(self) -> list[np.ndarray]:
        """The outputs of the model, saved and loaded."""
        known = {type(x).__name__: type(x) for x in with_sublayers(self.model)}
        given = self.found.given
        with tempfile.TemporaryDirectory() as folder:
            path = str(Path(folder) / "model.keras")
            try:
                self.model.save(path)
                loaded = keras.saving.load_model(
                    path, custom_objects=known, compile=False, safe_mode=False
                )
                found = loaded(given.pack(given.tensors()), training=False)
            except Exception as error:
                raise CallFailed(error, "saving and loading") from error
        return [array_compare.as_array(y) for y in keras.tree.flatten(found)]

    def require_same(self, outputs: list[np.ndarray], how: str) -> None:
        """Raises unless the real outputs are those of a plain call."""
        base, masks = self.found.base, self.found.masks
        slots = base.root.outputs
        if len(outputs) != len(slots):
            raise ContractViolation(
                f"{how} it has {len(outputs)} outputs instead of {len(slots)}"
            )
        for i, (slot, y) in enumerate(zip(slots, outputs)):
            if y.shape != slot.shape:
                raise ContractViolation(
                    f"{how} the shape of output "
                    f"`{self.report.outputs[i].name}` is {y.shape} instead of "
                    f"{slot.shape}"
                )
            gap = moved(slot, masks, replace(slot, tensor=y), masks)
            if gap is None or not significant(base, gap[1]):
                continue
            if not self._repeats():
                raise NotApplicable(RANDOM)
            raise ContractViolation(
                f"{how} real outputs differ by {gap[0]:.3g}, {gap[1]:.2g} of "
                "the largest",
                f"output `{self.report.outputs[i].name}`",
            )

    def _repeats(self) -> bool:
        found = self.found
        with losses_kept(self.model):
            return repeats(
                self.model, found.given, found.base, found.masks, False, True
            )

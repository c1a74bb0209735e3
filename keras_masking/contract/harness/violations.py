"""How a check ends if the layer does not pass."""

from keras_masking.errors import first_words


class ContractViolation(Exception):
    """The layer breaks a rule; `seen` and `where` go into the report.

    So do `cause` and `right`, instead of those of the check, where what was
    seen says more. `blocked_by` names a check: if that one fails too, this
    violation follows from it and is not reported.
    """

    def __init__(
        self,
        seen: str,
        where: str = "",
        cause: str = "",
        right: str = "",
        blocked_by: str = "",
    ) -> None:
        super().__init__(seen)
        self.seen = seen
        self.where = where
        self.cause = cause
        self.right = right
        self.blocked_by = blocked_by


class NotApplicable(Exception):
    """The check does not apply to this layer; the message says why.

    `blocked_by` names a check: if that one fails, the check would apply to the
    layer without that failure.
    """

    def __init__(self, reason: str, blocked_by: str = "") -> None:
        super().__init__(reason)
        self.blocked_by = blocked_by


class RoundingError(ContractViolation):
    """Real outputs change by rounding alone, which blocks no other check."""


class CallFailed(ContractViolation):
    """The layer raised."""

    def __init__(self, error: Exception, doing: str) -> None:
        first = first_words(error)
        super().__init__(f"{doing} raised {type(error).__name__}: {first}")
        self.error = error

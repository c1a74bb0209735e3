"""How a check ends if the layer does not pass."""

from keras_masking.errors import first_words


class ContractViolation(Exception):
    """The layer breaks a rule; `seen` and `where` go into the report."""

    def __init__(self, seen: str, where: str = "") -> None:
        super().__init__(seen)
        self.seen = seen
        self.where = where


class NotApplicable(Exception):
    """The check does not apply to this layer; the message says why."""


class CallFailed(ContractViolation):
    """The layer raised."""

    def __init__(self, error: Exception, doing: str) -> None:
        first = first_words(error)
        super().__init__(f"{doing} raised {type(error).__name__}: {first}")
        self.error = error

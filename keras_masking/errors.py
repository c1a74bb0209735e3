"""What is raised when a mask, or an input that makes one, is wrong."""

import re


class MaskError(ValueError):
    """A mask that cannot be used. Base of the errors about masks."""


class MaskShapeError(MaskError):
    """The mask's rank, batch or number of steps does not fit its tensor."""


class MaskDtypeError(MaskError):
    """The mask's dtype cannot be read as true and false."""


class MaskValueError(MaskError):
    """The mask's numbers are not 0 and 1 alone."""


class MaskWarning(UserWarning):
    """A model in training loses its mask, or lets padding in."""


def describe(caller: str, rule: str, fix: str, **received: object) -> str:
    """Words a message: who, the rule, what was received, the fix.

    Errors take this one string and nothing else, since Keras rebuilds an
    exception as `type(error)(message)`.
    """
    seen = ", ".join(f"{key}={value}" for key, value in received.items())
    return f"In {caller}: {rule} Received: {seen}. {fix}"


def first_words(error: Exception) -> str:
    """The first line of what an error says, without Keras' own around it."""
    # A KeyError says what it says as Python would write it down.
    key = isinstance(error, KeyError) and error.args
    text = str(error.args[0] if key else error)
    text = re.sub(r"\x1b\[\d*m", "", text)
    lines = text.split("Exception encountered: ")[-1].splitlines()
    said = [s.strip() for s in lines if s.strip()]
    told = [s for s in said if not s.startswith("Exception encountered")]
    return (told or said or ["(no message)"])[0]

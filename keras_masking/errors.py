"""Errors and warnings about masks, and the form of error messages."""

import re


class MaskError(ValueError):
    """A mask that cannot be used. Base class of the errors about masks."""


class MaskShapeError(MaskError):
    """The rank, batch or number of steps of a mask does not fit its tensor."""


class MaskDtypeError(MaskError):
    """The dtype of a mask is neither boolean nor a real number."""


class MaskValueError(MaskError):
    """The numbers of a mask are not all 0 or 1."""


class NotMeasuredError(AssertionError):
    """An inspection found nothing, but could not measure all of it."""


class MaskWarning(UserWarning):
    """A model loses its mask in training, or lets padding in."""


def describe(caller: str, rule: str, fix: str, **received: object) -> str:
    """Composes a message: caller, rule, received values, fix.

    Errors take only this string, since Keras recreates exceptions as
    `type(error)(message)`.
    """
    seen = ", ".join(f"{key}={value}" for key, value in received.items())
    return f"In {caller}: {rule} Received: {seen}. {fix}"


def first_words(error: Exception) -> str:
    """The first line of an error message, without the text that Keras adds."""
    # A KeyError shows the repr of its message.
    key = isinstance(error, KeyError) and error.args
    text = str(error.args[0] if key else error)
    text = re.sub(r"\x1b\[\d*m", "", text)
    lines = text.split("Exception encountered: ")[-1].splitlines()
    said = [s.strip() for s in lines if s.strip()]
    own = [s for s in said if not s.startswith("Exception encountered")]
    return (own or said or ["(no message)"])[0]

"""What a converter or a runtime said, in a sentence."""

from keras_masking.errors import first_words
from keras_masking.exporting.report import ExportError

# What some errors mean, by their type.
MEANINGS = {
    "GuardOnDataDependentSymNode": "the model decides in Python by the value "
    "of a tensor, which a trace does not know",
    "ConcretizationTypeError": "the model needs the value of a tensor while it "
    "is traced",
    "InconclusiveDimensionOperation": "the model compares sizes of which JAX "
    "does not know which is larger",
}


def cause_of(error: BaseException) -> str:
    """The innermost error, in a sentence."""
    while error.__cause__ is not None:
        error = error.__cause__
    name = type(error).__name__
    said = MEANINGS.get(name)
    if name == "UserError":  # of PyTorch: the reasons are in a list
        reasons = [s.strip(" -") for s in str(error).splitlines() if " - " in s]
        said = next(iter(reasons), None)
    if said is None and isinstance(error, Exception):
        said = first_words(error)
    said = f"{said}".rstrip(".")
    return f"{said}." if isinstance(error, ExportError) else f"{name}: {said}."

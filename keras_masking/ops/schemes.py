"""Schemes of tags for spans: BIO and BIOES."""

from collections.abc import Sequence

import numpy as np

from keras_masking.errors import describe

# Those of BIOES, and what BILOU calls E and S.
PREFIXES = "BIESLU"
LAST, SINGLE = "EL", "SU"


def split_label(label: str) -> tuple[str, str]:
    """The prefix of a tag and the kind of its span, both empty for none."""
    if label[1:2] == "-" and label[0] in PREFIXES:
        return label[0], label[2:]
    return "", ""


def bio_transitions(
    labels: Sequence[str],
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """What may follow what among tags of the schemes BIO (IOB2) and BIOES.

    In BIO, `I-X` may only follow `B-X` or `I-X`. In BIOES, which has an `E-X`
    for the last step of a span and an `S-X` for a span of one step, `I-X` and
    `E-X` must follow `B-X` or `I-X`, and nothing else may. BILOU has `L-X` for
    `E-X` and `U-X` for `S-X`.

    Args:
        labels: The names of the tags in their order, such as `["O", "B-PER",
            "I-PER"]`. A name without such a prefix is in no span.

    Returns:
        Booleans `(tags, tags)`, True where the tag of a column may follow that
        of a row; booleans `(tags,)`, True for tags that may come first; and
        booleans `(tags,)` for those that may come last. For
        `LinearChainCRF(tags, allowed, allowed_start, allowed_end)`.

    Raises:
        ValueError: If a tag inside a span has none that may come before it or,
            in BIOES, none that may end its span.

    Example:

    >>> allowed, start, end = keras_masking.ops.bio_transitions(
    ...     ["O", "B-X", "I-X"]
    ... )
    >>> allowed.astype(int)
    array([[1, 1, 0],
           [1, 1, 1],
           [1, 1, 1]])
    >>> start
    array([ True,  True, False])
    >>> end
    array([ True,  True,  True])
    """
    parts = [split_label(label) for label in labels]
    ends = any(prefix in LAST + SINGLE for prefix, _ in parts if prefix)
    _check(labels, parts, ends)
    goes_on = [prefix in ("I", *LAST) for prefix, _ in parts]
    opened = [prefix in ("B", "I") for prefix, _ in parts]
    allowed = [
        [
            (before[1] == after[1] and is_open)
            if inside
            else not (ends and is_open)
            for after, inside in zip(parts, goes_on)
        ]
        for before, is_open in zip(parts, opened)
    ]
    last = ~(np.array(opened, bool) & ends)
    return np.array(allowed, bool), ~np.array(goes_on, bool), last


def _check(
    labels: Sequence[str], parts: list[tuple[str, str]], ends: bool
) -> None:
    for label, (prefix, kind) in zip(labels, parts):
        if prefix in ("I", *LAST) and ("B", kind) not in parts:
            _refuse("each `I-X` needs a `B-X` before it.", label, labels)
        closed = any((end, kind) in parts for end in LAST)
        if ends and prefix in ("B", "I") and not closed:
            _refuse("each `B-X` needs an `E-X` after it.", label, labels)


def _refuse(rule: str, label: str, labels: Sequence[str]) -> None:
    raise ValueError(
        describe(
            "`bio_transitions`",
            rule,
            "Convert the labels to BIO, where each span begins with B, or to "
            "BIOES, where E ends it and S is a span of one step.",
            label=repr(label),
            labels=list(labels),
        )
    )

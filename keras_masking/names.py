"""Names that users type: roles, kinds and levels, and suggestions for typos.

Keras is not imported here: the command line and the pytest plugin start before
a backend is chosen.
"""

import difflib
from collections.abc import Iterable

ROLES = ("generates", "passes", "transforms", "reduces", "merges", "drops")
KINDS = ("layer", "loss", "metric", "model")  # what the kit checks
LEVELS = ("required", "advised", "information")


def did_you_mean(name: str, names: Iterable[str], likeness: float = 0.6) -> str:
    """A question with the nearest of `names`, or "" if none is near."""
    known = {n.lower(): n for n in names}
    near = difflib.get_close_matches(name.lower(), known, 1, likeness)
    return f" Did you mean {known[near[0]]!r}?" if near else ""

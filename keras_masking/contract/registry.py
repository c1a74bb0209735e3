"""The registry of checks: their texts, levels, roles and order."""

import inspect
import re
from collections.abc import Callable
from collections.abc import Iterable
from dataclasses import dataclass
from importlib import import_module

from keras_masking.contract.case import TargetError
from keras_masking.names import KINDS
from keras_masking.names import ROLES
from keras_masking.names import did_you_mean

SECTIONS = ("Why", "Cause", "Wrong", "Right")
# The modules of the checks, by what they check.
MODULES = {
    "layer": (
        "calls",
        "masks",
        "meaning",
        "values",
        "lengths",
        "rows",
        "modes",
        "saving",
        "gradients",
        "packed",
        "precision",
        "training",
        "backends",
    ),
    "loss": ("losses", "loss_training"),
    "metric": ("metrics",),
    "model": ("models",),
}

_checks: dict[str, "Check"] = {}


@dataclass(frozen=True)
class Check:
    """A rule, and the function that checks it.

    `kind` is what it checks: `"layer"`, `"loss"`, `"metric"` or `"model"`.
    `roles` are those of the layers to which it applies; others have none.
    """

    id: str
    kind: str
    level: str
    roles: tuple[str, ...]
    after: tuple[str, ...]
    run: Callable[..., None]
    statement: str
    why: str
    cause: str
    wrong: str
    right: str


def check(
    level: str,
    roles: Iterable[str] = ROLES,
    after: Iterable[str] = ("runs-with-mask",),
    kind: str = "layer",
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Registers a function as a check; its docstring has the texts.

    `check_pad_value` becomes `pad-value`. The docstring's first paragraph is
    the statement; the sections Why, Cause, Wrong and Right follow.
    """

    def register(function: Callable[..., None]) -> Callable[..., None]:
        name = function.__name__.removeprefix("check_").replace("_", "-")
        texts = _sections(inspect.getdoc(function) or "")
        _checks[name] = Check(
            name,
            kind,
            level,
            tuple(roles) if kind == "layer" else (),
            tuple(after),
            function,
            texts["Statement"],
            texts["Why"],
            texts["Cause"],
            texts["Wrong"],
            texts["Right"],
        )
        return function

    return register


def _sections(text: str) -> dict[str, str]:
    parts = re.split(rf"^({'|'.join(SECTIONS)}):", text, flags=re.MULTILINE)
    found = dict(zip(["Statement", *parts[1::2]], parts[::2], strict=True))
    return {
        name: _unwrap(found[name], code=name in ("Wrong", "Right"))
        for name in ("Statement", *SECTIONS)
    }


def _unwrap(text: str, code: bool) -> str:
    if code:
        return inspect.cleandoc("\n" + text.rstrip())
    return " ".join(text.split())


def all_checks(kind: str = "layer") -> dict[str, Check]:
    """All checks of a kind by id, in the order in which they run.

    Args:
        kind: `"layer"`, `"loss"`, `"metric"` or `"model"`.
    """
    for module in MODULES[kind]:
        import_module(f"keras_masking.contract.checks.{module}")
    return {id: one for id, one in _checks.items() if one.kind == kind}


def every_check() -> dict[str, Check]:
    """The checks of all kinds by id."""
    return {id: c for kind in KINDS for id, c in all_checks(kind).items()}


def get_check(name: str) -> Check:
    """The check of any kind with that id."""
    _require_known([name], "a check id", every_check())
    return every_check()[name]


def check_ids(
    names: Iterable[str], where: str = "a check id", kind: str = "layer"
) -> None:
    """Raises `TargetError` for an id that no check of the kind has."""
    _require_known(names, where, all_checks(kind))


def _require_known(
    names: Iterable[str], where: str, known: Iterable[str]
) -> None:
    for name in names:
        if name not in known:
            # Ids are short, so a match of half an id is close enough.
            hint = did_you_mean(name, known, likeness=0.5)
            raise TargetError(
                f"{where} must be one of those that `keras-masking checks` "
                f"lists. Received: {name!r}.{hint}"
            )

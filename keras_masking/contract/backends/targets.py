"""Targets: strings that name layers, such as `pkg.mod:Class(2)`.

Those of others begin with `--loss=`, `--metric=` and `--model=`.
"""

import ast
import inspect
import re
import sys
from collections.abc import Callable
from dataclasses import dataclass
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

from keras_masking.contract.backends import models
from keras_masking.contract.backends.kinds import CASES
from keras_masking.contract.backends.kinds import MODEL
from keras_masking.contract.backends.kinds import Kind
from keras_masking.contract.backends.kinds import misfit
from keras_masking.contract.backends.kinds import split_kind
from keras_masking.contract.case import TargetError
from keras_masking.names import did_you_mean

FORMS = (
    "A target is `pkg.mod:Class`, `pkg.mod:Class(units=4)`, `pkg.mod:name` of "
    "a `Case`, a list of them or a function that returns a layer, "
    "`path/to/file.py:Class`, or a module `pkg.mod`."
)
# Lazy, to split at the first colon that a name follows.
PARTS = re.compile(
    r"(?P<place>.+?):(?P<what>[^\W\d]\w*[\w.]*\s*(\(.*\))?)", re.S
)


@dataclass(frozen=True)
class Found:
    """A case, and the Python that makes it: imports and an expression.

    `lacks` is a message about required arguments, or an empty string.
    """

    case: Any
    imports: tuple[str, ...]
    expression: str
    lacks: str = ""


@dataclass(frozen=True)
class Place:
    """A module, and how a script imports names from it."""

    target: str
    kind: Kind
    module: ModuleType
    before: tuple[str, ...] = ()

    def imports(self, name: str) -> tuple[str, ...]:
        line = f"from {self.module.__name__} import {name.split('.')[0]}"
        return (*self.before, line)

    def get(self, name: str) -> Any:
        found: Any = self.module
        for part in name.split("."):
            if not hasattr(found, part):
                raise TargetError(
                    f"{self.target}: {self.module.__name__} has no attribute "
                    f"{name!r}.{did_you_mean(part, _public(found))}"
                )
            found = getattr(found, part)
        return found


def resolve(target: str) -> list[Any]:
    """The cases of a target; the layer of each is made once, as a test.

    Raises:
        TargetError: If there is nothing to check.
    """
    found = find(target)
    lacking = [f.lacks for f in found if f.lacks]
    if lacking:
        raise TargetError(" ".join(lacking))
    for one in found:
        make(target, one.case)
    return [one.case for one in found]


def make(target: str, case: Any) -> Any:
    """What a case makes; an error names the target."""
    try:
        return case.make()
    except TargetError as error:
        if error.__cause__ is None:
            raise TargetError(f"{target}: {error}") from None
        cause = f"{type(error.__cause__).__name__}: {error.__cause__}"
        raise TargetError(
            f"{target}: making {case.name} raised {cause}"
        ) from error


def resolve_all(targets: list[str]) -> list[Any]:
    """The cases of all targets; numbers make equal names distinct."""
    cases: list[Any] = []
    names: set[str] = set()
    for target in targets:
        for case in resolve(target):
            name, number = case.name, 2
            while name in names:
                name, number = f"{case.name} #{number}", number + 1
            names.add(name)
            cases.append(replace(case, name=name))
    return cases


def find(target: str) -> list[Found]:
    """The cases that a target names. No layer is made yet."""
    kind, named = split_kind(target)
    if kind is MODEL and named.endswith(models.SUFFIX):
        case = models.read_case(named)
        return [Found(case, ("import keras",), case.script.splitlines()[-1])]
    parts = PARTS.fullmatch(named.strip())
    if parts is None:
        place = _open(target, kind, named.strip())
        return _of_module(place)
    place = _open(target, kind, parts["place"])
    what = parts["what"].strip()
    if what.endswith(")"):
        return [_of_call(place, what)]
    return _of_name(place, what, place.get(what))


def _open(target: str, kind: Kind, place: str) -> Place:
    if place.endswith(".py"):
        return _open_file(target, kind, Path(place))
    if not re.fullmatch(r"[^\W\d]\w*(\.[^\W\d]\w*)*", place):
        raise TargetError(f"{target!r} is not a target. {FORMS}")
    return Place(target, kind, _import(target, place))


def _open_file(target: str, kind: Kind, path: Path) -> Place:
    """Imports a file by its full module name, including its packages."""
    if not path.is_file():
        raise TargetError(f"{target}: there is no file {str(path)!r}.")
    path = path.resolve()
    names, root = [path.stem], path.parent
    while (root / "__init__.py").is_file():
        names.insert(0, root.name)
        root = root.parent
    sys.path.insert(0, str(root))
    module = _import(target, ".".join(names))
    if Path(module.__file__ or "").resolve() != path:
        raise TargetError(
            f"{target}: another module is named {module.__name__!r} "
            f"({module.__file__ or 'built in'}). Rename the file."
        )
    lines = ("import sys", f"sys.path.insert(0, {str(root)!r})")
    return Place(target, kind, module, lines)


def _import(target: str, name: str) -> ModuleType:
    try:
        return import_module(name)
    except ModuleNotFoundError as error:
        if error.name and (name + ".").startswith(error.name + "."):
            raise TargetError(
                f"{target}: there is no module {error.name!r}.{_hint(name)}"
            ) from error
        cause: BaseException = error
    except (Exception, SystemExit) as error:
        cause = error
    raise TargetError(
        f"{target}: importing {name} raised {type(cause).__name__}: {cause}"
    ) from cause


def _hint(name: str) -> str:
    """A suggestion if a colon is missing, as in `keras.layers.ReLU`."""
    module, _, last = name.rpartition(".")
    if module and hasattr(sys.modules.get(module), last):
        return f" Did you mean '{module}:{last}'?"
    return f" {FORMS}"


def _of_module(place: Place) -> list[Found]:
    module, kind = place.module, place.kind
    if hasattr(module, kind.listed):
        return _of_name(place, kind.listed, getattr(module, kind.listed))
    inside = module.__name__ + "."
    classes = {
        name: found
        for name in _public(module)
        if inspect.isclass(found := getattr(module, name, None))
        and issubclass(found, kind.base)
        and (found.__module__ + ".").startswith(inside)
    }
    if not classes:
        raise TargetError(
            f"{place.target}: the module has no {kind.listed} and defines no "
            f"public {kind.name} class. Name a {kind.name}: "
            f"'{place.target}:The{kind.name.title()}'."
        )
    return [f for n, one in classes.items() for f in _of_name(place, n, one)]


def _of_name(place: Place, name: str, found: Any) -> list[Found]:
    """The cases that a name refers to."""
    imports = place.imports(name)
    if not isinstance(found, list | tuple):
        return [_of_object(place, name, found, imports)]
    if not found:
        raise TargetError(f"{place.target}: the list {name} is empty.")
    return [
        _of_object(place, f"{name}[{i}]", one, imports)
        for i, one in enumerate(found)
    ]


def _of_object(
    place: Place, expression: str, found: Any, imports: tuple[str, ...]
) -> Found:
    script = "\n".join([*imports, expression])
    kind = place.kind
    if isinstance(found, CASES):
        case = found if found.script else replace(found, script=script)
        return Found(case, imports, expression)
    is_made = isinstance(found, kind.base)
    is_class = inspect.isclass(found)
    if (is_class and not issubclass(found, kind.base)) or not (
        is_made or callable(found)
    ):
        raise TargetError(
            f"{place.target}: {expression} is not a {kind.name}, but "
            f"{misfit(found, kind, place.target, FORMS)}"
        )
    case = kind.case(found, script=script)
    if not is_class and not is_made:
        case = replace(case, name=expression)
    return Found(
        case,
        imports,
        _written(expression, case),
        "" if is_made or _compares(case) else _lacks(place, expression, found),
    )


def _compares(case: Any) -> bool:
    """Whether the target is a function of `y_true` and `y_pred`."""
    return bool(getattr(case, "of_functions", False))


def _written(expression: str, case: Any) -> str:
    named = "" if case.name == expression else f", name={case.name!r}"
    return f"{type(case).__name__}({expression}{named})"


def _of_call(place: Place, what: str) -> Found:
    """A call with literal arguments."""
    try:
        call = ast.parse(what, mode="eval").body
    except SyntaxError as error:
        raise TargetError(
            f"{place.target}: {what!r} is not valid Python: {error.msg}."
        ) from error
    name = what.partition("(")[0].strip()
    if not isinstance(call, ast.Call) or ast.unparse(call.func) != name:
        raise TargetError(f"{place.target}: {what!r} is not a call. {FORMS}")
    try:
        args = [ast.literal_eval(a) for a in call.args]
        named = {
            k.arg: ast.literal_eval(k.value)
            for k in call.keywords
            if k.arg is not None
        }
        if len(named) < len(call.keywords):
            raise ValueError("** has no name")
    except ValueError as error:
        raise TargetError(
            f"{place.target}: the arguments must be literals, such as 2, "
            f'"same" or [1, 2]. Received: {what!r}. For others, '
            f"write a function that returns the {place.kind.name}, and name it."
        ) from error
    function = place.get(name)
    if not callable(function):
        raise TargetError(f"{place.target}: {name} cannot be called.")
    try:
        inspect.signature(function).bind(*args, **named)
    except TypeError as error:
        raise TargetError(f"{place.target}: {name}: {error}.") from error
    expression = ast.unparse(call)
    imports = place.imports(name)
    make: Callable[[], Any] = lambda: function(*args, **named)  # noqa: E731
    script = "\n".join([*imports, f"lambda: {expression}"])
    case = place.kind.case(make, name=expression, script=script)
    return Found(case, imports, _written(f"lambda: {expression}", case))


def _lacks(place: Place, name: str, function: Any) -> str:
    """A message about arguments that a class or factory requires, or ''."""
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return ""
    needed = [
        p.name
        for p in parameters
        if p.default is p.empty
        and p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)
    ]
    if not needed:
        return ""
    where = place.target.split(":")[0]
    call = ", ".join(f"{n}=..." for n in needed)
    return (
        f"{where}:{name} needs arguments: {', '.join(needed)}. "
        f"Pass them: '{where}:{name}({call})'."
    )


def _public(thing: Any) -> list[str]:
    names = getattr(thing, "__all__", None) or dir(thing)
    return [n for n in names if isinstance(n, str) and not n.startswith("_")]

"""Functions as compiled programs on JAX, for which Keras has no API."""

from collections.abc import Callable
from functools import cache
from importlib import import_module
from typing import Any

from keras_masking._backends import has_only_cpus


def as_program(function: Callable[..., Any]) -> Any:
    """`function` as one program for each shape, on JAX, that compiles fast.

    Its operations stay separate and round as they do outside of a program:
    others XLA fuses, and leaves out casts to half precision between them. Keras
    compiles the steps of a model, but no function.
    """
    jax: Any = import_module("jax")

    def separate(*args: Any) -> Any:
        traced, form = jax.make_jaxpr(function, return_shape=True)(*args)
        try:
            outputs = _run_separately(jax, traced, jax.tree.leaves(args))
        except (AttributeError, TypeError):
            return function(*args)  # a JAX that describes programs otherwise
        return jax.tree.unflatten(jax.tree.structure(form), outputs)

    return jax.jit(separate, compiler_options=_program_options())


def _run_separately(jax: Any, traced: Any, values: list[Any]) -> list[Any]:
    """The outputs of a traced function, with a barrier after each operation."""
    program = traced.jaxpr
    known = dict(zip(program.constvars, traced.consts, strict=True))
    known |= dict(zip(program.invars, values, strict=True))

    def read(names: Any) -> list[Any]:
        return [x.val if hasattr(x, "val") else known[x] for x in names]

    for one in program.eqns:
        options = one.primitive.get_bind_params(one.params)
        made = one.primitive.bind(*read(one.invars), **options)
        several = one.primitive.multiple_results
        made = jax.lax.optimization_barrier(made if several else [made])
        known |= dict(zip(one.outvars, made, strict=True))
    return read(program.outvars)


def as_gradient_program(function: Callable[..., Any]) -> Any:
    """The gradient of `function` by its first argument, as a program."""
    jax: Any = import_module("jax")
    return as_program(jax.grad(function))


@cache
def _program_options() -> dict[str, Any]:
    """What compiles small programs on a CPU in a fifth of the time.

    XLA then fuses and LLVM optimizes less. Empty on other devices, and where
    XLA does not know the options.
    """
    jax: Any = import_module("jax")
    options: dict[str, Any] = {
        "xla_backend_optimization_level": 0,
        "xla_cpu_use_fusion_emitters": False,
    }
    if not has_only_cpus():
        return {}
    try:
        jax.jit(abs, compiler_options=options)(1.0)
    except Exception:
        return {}
    return options

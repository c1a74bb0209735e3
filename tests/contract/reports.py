"""Reports made by hand: what a page, a summary and a badge are made of."""

from typing import Any

from keras_masking.contract.report import Report
from keras_masking.contract.report import Result

BACKENDS = ("jax", "torch", "tensorflow")
TEXTS = {
    "statement": "Values at padding steps do not change real outputs.",
    "cause": "`call` does not use the mask.",
    "right": "real = ops.where(mask[..., None], inputs, 0)",
}


def result(check: str, status: str, **other: Any) -> Result:
    return Result("L", check, other.pop("level", "required"), status, **other)


def failing(check: str, status: str = "fail", **other: Any) -> Result:
    texts = {
        **TEXTS,
        "seen": "value [0, 1] is 0 with padding 0 and 8 with padding 8",
        "where": "row 1 of 2, mask TFF",
        "smallest": "inputs (2, 3, 2)",
        "script": f'print("{check}")',
    }
    return result(check, status, **{**texts, **other})


def report(
    *results: Result,
    layer: str = "L",
    role: str = "passes",
    backend: str = "jax",
) -> Report:
    for one in results:
        one.layer = layer
    versions = {"keras_masking": "0.1.0", "keras": "3.15.1", backend: "1.2"}
    return Report(layer, role, True, backend, versions, list(results))


def reports() -> dict[str, list[Report]]:
    """Four layers, on which torch is alone with one failure."""
    return {
        backend: [
            report(
                result("pad-value", "pass", **TEXTS),
                result("empty-row", "pass"),
                result("jit", "pass" if backend != "torch" else "n/a",
                       reason="runs on request"),
                layer="Sound",
                backend=backend,
            ),
            report(
                failing("pad-value", seen=f"8 on {backend}"),
                failing("empty-row", "fail" if backend == "torch" else "pass"),
                result("jit", "blocked", reason="pad-value did not pass"),
                layer="Pool(2)",
                role="reduces",
                backend=backend,
            ),
            report(
                failing("pad-value", "xfail", reason="as Keras does"),
                result("empty-row", "n/a", reason="a layer that merges"),
                failing("advice", level="information"),
                layer="Known",
                role="merges",
                backend=backend,
            ),
            report(
                result("pad-value", "xpass", reason="was wrong"),
                layer="Mended",
                backend=backend,
            ),
        ]
        for backend in BACKENDS
    }  # fmt: skip

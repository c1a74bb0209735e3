"""Reports made by hand: what the text, the page and the picture are made of.

`python -m tests.inspector.reports report.html` writes a page,
`... screen.png` a screenshot of it by the system's chromium,
`... screen.png other.html` one of another page, `... picture.png --plot` the
picture of a report.
"""

import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from keras_masking.inspector.data import CallRecord
from keras_masking.inspector.data import Drift
from keras_masking.inspector.data import OutputRecord
from keras_masking.inspector.data import TensorRecord
from keras_masking.inspector.report import MaskReport

VERSIONS = {"keras": "3.15.1", "jax": "0.10.0", "keras_masking": "0.1.0"}


def mask(lengths: list[int], steps: int, left: bool = False) -> np.ndarray:
    at = np.arange(steps)[::-1] if left else np.arange(steps)
    return at < np.array(lengths)[:, None]


def tensor(
    *features: int,
    of: np.ndarray | None = None,
    shape: tuple[int, ...] = (),
    **other: Any,
) -> TensorRecord:
    if of is not None and not shape:
        shape = of.shape
    return TensorRecord((*shape, *features), "float32", of, **other)


def call(
    path: str,
    type: str,
    role: str,
    inputs: list[TensorRecord],
    outputs: list[TensorRecord],
    **other: Any,
) -> CallRecord:
    """A call whose index `numbered` gives."""
    other.setdefault("verdict", role)
    other.setdefault("received", [])
    return CallRecord(
        index=-1,
        depth=path.count("/"),
        name=path.split("/")[-1],
        type=type,
        path=path,
        inputs=inputs,
        outputs=outputs,
        role=role,
        **other,
    )


def numbered(calls: list[CallRecord]) -> list[CallRecord]:
    for index, one in enumerate(calls):
        one.index = index
    return calls


def clean() -> MaskReport:
    """A tagger that keeps its mask to the loss."""
    m = mask([12, 8, 5], 12)
    ids, x = tensor(shape=m.shape), tensor(16, of=m)
    calls = [
        call("tagger", "Sequential", "generates", [ids], [x]),
        call("tagger/words", "CustomEmbedding", "generates", [ids], [x]),
        call("tagger/conv", "MaskedConv1D", "passes", [x], [x],
             received=["mask"], moved=0.0),
        call("tagger/tags", "Dense", "passes", [x], [tensor(4, of=m)],
             moved=0.0, warned=True),
    ]  # fmt: skip
    return MaskReport(
        "tagger",
        "jax",
        VERSIONS,
        numbered(calls),
        [OutputRecord("0", tensor(4, of=m), True)],
        [Drift("4 more padding steps on the right", 6e-8, 1e-7)],
    )


def everything() -> MaskReport:
    """A transformer with each role, fault and kind of line."""
    m = mask([12, 8, 5], 12)
    short = mask([10, 6, 3], 10)
    strided = short[:, ::2]
    left = mask([12, 8, 5], 12, left=True)
    big = mask([600, 300, *range(40, 58)], 600)
    ids = tensor(shape=m.shape)
    x, lost = tensor(32, of=m), tensor(32, shape=m.shape, lost=True)
    pooled = tensor(32, shape=(3,))
    block = "post_norm/encoder/block_0"
    calls = [
        call("post_norm", "Functional", "generates", [ids],
             [tensor(1, shape=(3,))]),
        call("post_norm/words", "Embedding", "generates", [ids], [x]),
        call("post_norm/positions", "PositionEmbedding", "passes", [x], [x],
             verdict="ignores", received=[], finding=True, moved=0.31,
             reason="It counts padding on the left as positions.",
             advice="Write `keras_masking.layers.MaskedPositionEmbedding` in "
             "place of `PositionEmbedding`."),
        call("post_norm/encoder", "Encoder", "drops", [x], [lost],
             verdict="drops", reason="A call in it does."),
        call(block, "TransformerBlock", "drops", [x], [lost],
             verdict="drops", reason="A call in it does."),
        call(f"{block}/attention", "MultiHeadAttention", "merges", [x, x, x],
             [x], received=["query_mask", "value_mask", "key_mask"]),
        call(f"{block}/attention/softmax", "Softmax", "drops",
             [tensor(shape=(3, 4, 12, 12))], [tensor(shape=(3, 4, 12, 12))],
             verdict="ignores", reason="The attention handles the mask."),
        call(f"{block}/add", "Add", "merges", [x, x], [x]),
        call(f"{block}/norm", "RMSNormalization", "", [x], [lost],
             verdict="drops", finding=True, warned=True, moved=0.0,
             reason="`call` takes no mask and `supports_masking` is False, so "
             "Keras takes the mask off its output.",
             advice="Wrap it: `KeepMask(keras.layers.RMSNormalization(), "
             'name="norm")`.'),
        call(f"{block}/feed_forward", "Dense", "", [lost], [lost],
             victim_of=8),
        call("post_norm/pool", "GlobalAveragePooling1D", "", [lost], [pooled],
             victim_of=8, moved=0.62),
        call("post_norm/features", "Concatenate", "transforms", [x, x],
             [tensor(64, of=m)], verdict="changed meaning", finding=True,
             reason="Its mask calls steps real that are padding in one of its "
             "inputs.", advice="Write `MaskedConcatenate()`."),
        call("post_norm/conv", "MaskedConv1D", "transforms", [x],
             [tensor(32, of=short)], received=["mask"], moved=0.0),
        call("post_norm/stride", "MaskedAveragePooling1D", "transforms",
             [tensor(32, of=short)], [tensor(32, of=strided)],
             received=["mask"]),
        call("post_norm/flip", "Flip", "transforms", [x],
             [tensor(32, of=left)], received=["mask"]),
        call("post_norm/lstm", "LSTM", "passes", [x], [x], received=["mask"]),
        call("post_norm/lstm/cell", "LSTMCell", "", [pooled], [pooled],
             times=12),
        call("post_norm/last", "LastStep", "reduces", [x], [pooled],
             received=["mask"]),
        call("post_norm/multiply", "multiply", "", [lost], [lost],
             verdict="made by code", finding=True, operation=True,
             reason="`x * scale` made its input between layers, where no mask "
             "goes along.", advice="Write `MaskedMultiply()([x, scale])`."),
        call("post_norm/global_max", "GlobalMaxPooling1D", "reduces", [x],
             [pooled], verdict="leaks", finding=True, moved=1.7,
             reason="Values at padding steps move its output.",
             advice="Write `MaskedGlobalMaxPooling1D()` in place of it."),
        call("post_norm/slice", "Crop[1:]", "passes", [x],
             [tensor(32, of=m, shape=(3, 10))], verdict="wrong shape",
             finding=True, reason="Its output has 10 steps, its mask 12.",
             advice="Write `MaskedCropping1D((1, 1))`."),
        call("post_norm/divide", "Standardize", "passes", [x], [x],
             verdict="not finite", finding=True,
             reason="0 / 0 in an empty row.",
             advice="Divide by `ops.maximum(count, 1)`."),
        call("post_norm/side", "Adapter", "passes", [x], [x],
             verdict="deletes", finding=True,
             reason="It takes the mask off its caller's tensor.",
             advice="Return a fresh tensor from `call`, not the input."),
        call("post_norm/drop", "DropMask", "drops", [x],
             [tensor(32, shape=(3, 12))]),
        call("post_norm/documents", "MaskedConv1D", "passes",
             [tensor(8, of=big)], [tensor(8, of=big)], received=["mask"]),
        call("post_norm/" + "/".join(["inner"] * 30) + "/a" + "_long_name" * 8,
             "Dense", "passes", [x], [x], warned=True),
        call("post_norm/cross", "CrossAttention", "merges", [x, x], [x],
             received=["attention_mask"], verdict="hides real steps",
             finding=True, reason="Real steps of its input 1 move none of its "
             "outputs.", advice="Pass it the mask of the source."),
        call("post_norm/head", "Bilinear", "", [x, pooled], [],
             verdict="fails", finding=True, reason="With a mask it raises.",
             advice="Take `mask=None` in `call`."),
    ]  # fmt: skip
    return MaskReport(
        "post_norm",
        "jax",
        VERSIONS,
        numbered(calls),
        [
            OutputRecord("tags", lost, False, 8),
            OutputRecord("steps", x, True),
            OutputRecord("class", tensor(1, shape=(3,)), None),
        ],
        [
            Drift("4 more padding steps on the right", 0.62, 0.4, True, 10),
            Drift("4 padding steps on the left", 0.8, 0.5, False, 2),
            Drift("NaN at padding steps", why_not="the model failed"),
            Drift("rows one by one", 3e-8, 5e-8),
        ],
        ["The inputs were made up: 3 rows of 12 steps."],
        "ValueError: shapes (3, 12) and (3, 10) do not fit",
    )


def hostile(words: str) -> MaskReport:
    """A report that has the words in every text field."""
    m = mask([2, 1], 3)
    x = TensorRecord((2, 3), words, m)
    one = call("", words, words, [x], [x], received=[words], times=2,
               reason=words, finding=True, advice=words, verdict=words,
               moved=0.5)  # fmt: skip
    warned = call("", words, words, [x], [x], reason=words, verdict=words,
                  warned=True)  # fmt: skip
    for it in numbered([one, warned]):
        it.name = it.path = words
    return MaskReport(
        words,
        words,
        {words: words},
        [one, warned],
        [OutputRecord(words, x, False, 0)],
        [Drift(words, 0.5, 0.5, True, 0), Drift(words, why_not=words)],
        [words],
        words,
    )


def screenshot(page: Path, path: Path) -> None:
    """What the system's chromium makes of a page."""
    command = ["chromium", "--headless", "--no-sandbox", "--disable-gpu"]
    command += ["--hide-scrollbars", "--window-size=1280,900"]
    command += [f"--screenshot={path.resolve()}", page.resolve().as_uri()]
    subprocess.run(command, check=True, capture_output=True)


def main(path: Path, other: Path | None = None, plot: bool = False) -> None:
    if plot:
        everything().plot(path)
    elif path.suffix == ".html":
        everything().to_html(path)
    elif other:
        screenshot(other, path)
    else:
        with tempfile.TemporaryDirectory() as folder:
            html = Path(folder, "report.html")
            everything().to_html(html)
            screenshot(html, path)


if __name__ == "__main__":
    files = [Path(a) for a in sys.argv[1:] if a != "--plot"]
    main(*files, plot="--plot" in sys.argv)

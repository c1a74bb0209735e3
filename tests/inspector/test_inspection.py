"""The inputs and errors of an inspection, and its report."""

import json
import re
import warnings
from typing import Any

import keras
import numpy as np
import pytest
from keras import layers as kl

import keras_masking
import keras_masking.inspector.advice as advice
from keras_masking import inspect_masks
from keras_masking import layers
from keras_masking.errors import NotMeasuredError
from keras_masking.inspector import MaskFindingsError
from keras_masking.inspector import MaskReport
from keras_masking.inspector.data import FAULTS
from keras_masking.inspector.verdicts import percent
from tests.inspector import gallery
from tests.inspector.gallery import IDS
from tests.inspector.gallery import build


def call(report: MaskReport, name: str) -> Any:
    (found,) = [c for c in report.calls if c.name == name]
    return found


def test_the_masks_of_a_call() -> None:
    ids, x = gallery.tokens()
    x = layers.MaskedConv1D(4, 3, padding="valid", name="conv")(x)
    model = keras.Model(ids, kl.GlobalAveragePooling1D(name="pool")(x))
    report = inspect_masks(model, IDS)
    conv = call(report, "conv")
    expected = np.zeros((3, 4), bool)
    for row, length in enumerate((6, 4, 3)):
        expected[row, : length - 2] = True
    np.testing.assert_array_equal(conv.inputs[0].mask, IDS != 0)
    np.testing.assert_array_equal(conv.outputs[0].mask, expected)
    assert (conv.outputs[0].real, conv.outputs[0].padding) == (7, 5)
    assert conv.received == ["mask"]
    assert (conv.role, conv.verdict) == ("transforms", "transforms")
    assert call(report, "tokens").role == "generates"
    assert call(report, "pool").role == "reduces"
    assert conv.path == f"{model.name}/conv"


def test_depth_and_order() -> None:
    report = inspect_masks(build(gallery.block_in_subclass), IDS)
    assert [c.index for c in report.calls] == list(range(len(report.calls)))
    block, attention = call(report, "block"), call(report, "attention")
    assert (report.calls[0].depth, block.depth, attention.depth) == (0, 1, 2)
    assert attention.path.endswith("/block/attention")


def test_victims_point_to_the_first_guilty_call() -> None:
    report = inspect_masks(build(gallery.transformer), IDS)
    guilty = call(report, "attention_1").index
    for name in ("add_1", "norm_1", "attention_2", "norm_2"):
        assert call(report, name).victim_of == guilty, name
    assert call(report, "add_1").outputs[0].lost


@pytest.mark.parametrize("training", [False, True])
def test_how_far_a_leak_moves(training: bool) -> None:
    """A mean over all steps moves by what the padding adds: an oracle."""

    class Mean(kl.Layer):
        def call(self, inputs: Any, mask: Any = None) -> Any:
            return keras.ops.mean(inputs, axis=1)

    x = gallery.masked(
        np.ones((2, 4, 1)), np.array([[1, 1, 1, 1], [1, 1, 0, 0]])
    )
    source = keras.Input((None, 1))
    report = inspect_masks(
        keras.Model(source, Mean(name="mean")(source)), x, training=training
    )
    mean = call(report, "mean")
    assert [c.name for c in report.findings] == ["mean"]
    # Two of four steps become +-10: the mean of the row (1 + 1 + a + b) / 4.
    possible = [
        abs((2 + a + b) / 4 - 1.0) for a in (-10, 10) for b in (-10, 10)
    ]
    assert any(mean.moved == pytest.approx(p, rel=1e-5) for p in possible)


def test_outputs() -> None:
    ids, x = gallery.tokens()
    tagged = kl.Dense(2, name="tagged")(x)
    lost = kl.Dense(2)(x * 1.0)
    pooled = kl.GlobalAveragePooling1D()(x)
    model = keras.Model(ids, {"tags": tagged, "bare": lost, "pool": pooled})
    report = inspect_masks(model, IDS)
    reached = {out.name: out.reached for out in report.outputs}
    assert reached == {"tags": True, "bare": False, "pool": None}
    (bare,) = [out for out in report.outputs if out.name == "bare"]
    assert report.calls[bare.lost_by].verdict == "drops"
    assert [c.verdict for c in report.findings] == ["drops"]


def test_drift_names_where_it_starts() -> None:
    report = inspect_masks(build(gallery.group_normalization), IDS)
    right, left = report.drift[:2]
    assert right.starts == left.starts == call(report, "norm").index
    assert (right.counts, left.counts) == (True, False)
    assert "values" in report.drift[-1].change
    assert report.drift[-1].why_not == "the mask is made from these values"


def test_padding_on_the_left_counts_where_the_batch_has_it() -> None:
    ids, x = gallery.tokens()
    p = kl.Embedding(64, gallery.SIZE)(gallery.Columns()(ids))
    model = gallery.pooled(ids, layers.MaskedAdd()([x, p]))
    assert inspect_masks(model, IDS).ok
    report = inspect_masks(model, gallery.LEFT)
    assert not report.ok
    left = report.drift[1]
    assert "left" in left.change and left.counts and left.moved > 1e-3


def test_values_at_padding_steps() -> None:
    source = keras.Input((None, 2))
    model = keras.Model(source, kl.GlobalMaxPooling1D(name="max")(source))
    x = gallery.masked(-np.ones((3, 6, 2)), IDS != 0)
    values = inspect_masks(model, x).drift[-1]
    assert values.moved == pytest.approx(11.0)  # from -1 to 8 + 2 * 1
    assert values.starts == 1


def test_common_padding_is_taken_away() -> None:
    """Rows that all end in padding hide what a convolution sees there."""
    ids = np.pad(np.ones((2, 3), int), [(0, 0), (0, 5)])

    def convolution() -> Any:
        ids, x = gallery.tokens()
        x = kl.Conv1D(4, 3, padding="same")(x)
        mask = keras.ops.not_equal(ids, 0)
        return keras.Model(ids, kl.GlobalAveragePooling1D()(x, mask=mask))

    report = inspect_masks(build(convolution), ids)
    changes = {d.change: d for d in report.drift}
    right = changes["12 more padding steps on the right"]
    trimmed = changes["without the padding that all rows share"]
    assert trimmed.moved > 1e-4
    assert right.moved < 1e-6


def test_without_probes_nothing_is_measured() -> None:
    report = inspect_masks(build(gallery.operator), IDS, probe=False)
    assert [c.name for c in report.findings] == ["multiply"]
    assert report.drift == []
    assert all(c.moved is None for c in report.calls)
    norm = build(gallery.group_normalization)
    report = inspect_masks(norm, IDS, probe=False)
    assert report.state == "not measured"
    assert "probe=False" in report.missing[0]


def test_strict() -> None:
    with pytest.raises(MaskFindingsError) as caught:
        inspect_masks(build(gallery.operator), IDS, strict=True)
    text = str(caught.value)
    assert "multiply" in text and "drops" in text and "MaskedMultiply" in text
    inspect_masks(build(gallery.our_transformer), IDS, strict=True)
    with pytest.raises(NotMeasuredError, match="Pass `padding=`"):
        inspect_masks(
            build(gallery.pooling_counts_padding),
            {"ids": IDS[:1], "real": np.ones((1, 6), "int32")},
            strict=True,
        )


def test_a_batch_without_padding() -> None:
    report = inspect_masks(build(gallery.convolution), IDS[:1])
    conv = call(report, "conv")
    assert (conv.verdict, conv.moved) == ("ignores", None)
    assert any("np.pad" in note for note in report.notes)
    assert report.drift[0].moved > 1e-4  # some padding was added for it


def test_no_mask_at_all() -> None:
    ids = keras.Input((None,), dtype="int32")
    x = kl.Embedding(10, 4)(ids)
    report = inspect_masks(gallery.pooled(ids, x), IDS)
    assert any("No mask was made" in note for note in report.notes)
    assert report.outputs[0].reached is None
    assert report.drift[0].why_not
    assert (report.state, report.ok) == ("not measured", False)
    assert "for example `padding=0`" in report.missing[0]


def test_plain_data() -> None:
    report = inspect_masks(build(gallery.transformer), IDS)
    data = json.loads(json.dumps(report.to_dict()))
    assert (data["ok"], data["state"]) == (False, "findings")
    assert data["calls"][1]["outputs"][0]["mask"] == (IDS != 0).tolist()
    assert data["drift"][0]["starts"] == report.drift[0].starts
    assert data["versions"]["keras"] == keras.version()


def test_inputs_of_other_kinds() -> None:
    model = build(gallery.operator)
    for ids in (
        IDS.astype("int64"),
        keras.ops.convert_to_tensor(IDS),
        IDS.tolist(),
    ):
        if isinstance(ids, list):
            ids = np.array(ids)
        assert len(inspect_masks(model, ids).findings) == 1
    x = gallery.masked(np.ones((3, 6, 4)), IDS != 0)
    assert inspect_masks(layers.MaskedGlobalMaxPooling1D(), x).ok


def test_a_model_that_is_not_built_is_built() -> None:
    model = build(gallery.operator_in_subclass)
    assert not model.built
    assert len(inspect_masks(model, IDS).findings) == 1
    assert model.built


@pytest.mark.parametrize(
    "model, inputs, text",
    [
        (lambda: 3, IDS, "`model` must be a Keras model or layer"),
        (gallery.operator, np.array([["a", "b"]]), "inputs must be arrays"),
        (gallery.operator, object(), "inputs must be arrays"),
        (gallery.operator, np.zeros((0, 5)), "at least one row"),
        (gallery.operator, keras.Input((3,)), "inputs must have values"),
    ],
)
def test_bad_input(model: Any, inputs: Any, text: str) -> None:
    with pytest.raises(ValueError, match=text) as caught:
        inspect_masks(build(model), inputs)
    assert "Received: " in str(caught.value)


def test_a_key_that_the_model_has_not() -> None:
    """The report had no finding and said "No mask was born"."""
    ids = keras.Input((None,), dtype="int32", name="tokens")
    x = kl.Embedding(10, 3, mask_zero=True)(ids)
    model = keras.Model({"tokens": ids}, kl.GlobalAveragePooling1D()(x))
    with pytest.raises(ValueError) as caught:
        inspect_masks(model, {"token": IDS})
    assert "Received: inputs=['token']" in str(caught.value)
    assert "Did you mean 'tokens'?" in str(caught.value)
    assert not inspect_masks(model, {"tokens": IDS}).error


@pytest.mark.parametrize(
    "moved, words",
    [
        (7.9, "7.9 times their size"),  # it was "7.9e+02 %"
        (0.999, "1 times their size"),  # it was "1e+02 %"
        (0.0123, "1.2 % of their size"),
        (123456, "120000 times their size"),
    ],
)
def test_a_relative_difference_in_words(moved: float, words: str) -> None:
    assert percent(moved) == words


def test_inputs_that_the_model_refuses() -> None:
    report = inspect_masks(build(gallery.operator), np.ones((2, 3, 4, 5)))
    assert report.error and not report.ok
    assert report.state == "failed"
    assert not any("No mask was made" in note for note in report.notes)
    assert "no mask was made" not in report.summary()
    with pytest.raises(NotMeasuredError, match="The model failed"):
        report.raise_for_findings()


def test_what_advice_names_is_there() -> None:
    texts = [*advice.GENERAL.values(), advice.MERGED, advice.OPERATION]
    texts += [advice.UNMASKED, advice.LEAKY_OPERATION]
    for name in ("Softmax", "TimeDistributed", "LSTM", *advice.DROP_INS):
        texts.append(advice._of_keras(name))
    assert all(texts)
    named = re.findall(r"`(?:keras_masking\.layers\.)?(\w+)", " ".join(texts))
    ours = [name for name in named if name[0].isupper()]
    assert len(set(ours)) > 15
    for name in ours:
        assert hasattr(layers, name), name


def test_each_fault_has_advice_and_a_model() -> None:
    assert set(advice.GENERAL) == set(FAULTS)
    seen = {verdict for case in gallery.CASES for _, verdict in case.findings}
    assert seen == set(FAULTS)


def test_none_goes_to_the_model() -> None:
    class Takes(gallery.InOrder):
        def call(self, inputs: Any) -> Any:
            assert inputs["bias"] is None
            return super().call(inputs["ids"])

    model = Takes([kl.Embedding(10, 4, mask_zero=True), kl.Dense(2)])
    try:
        model({"ids": keras.ops.convert_to_tensor(IDS), "bias": None})
    except AttributeError:
        pytest.skip("this Keras takes no None in a dict")
    report = inspect_masks(model, {"ids": IDS, "bias": None})
    assert report.ok and not report.error


def test_a_dict_is_read_by_its_keys() -> None:
    ids = keras.Input((None,), dtype="int32", name="b")
    x = keras.Input((None, 2), name="a")
    y = layers.MaskedConcatenate()(
        [kl.Embedding(10, 3, mask_zero=True)(ids), x]
    )
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", ".*all keys in the dict must match")
        model = keras.Model({"a": ids, "b": x}, kl.GlobalAveragePooling1D()(y))
    data = np.random.default_rng(0).normal(size=(3, 6, 2))
    report = inspect_masks(model, {"b": data, "a": IDS.astype("float64")})
    assert [c.inputs[0].dtype for c in report.calls[1:2]] == ["int32"]
    assert report.ok and not report.error


def test_one_layer_is_one_finding() -> None:
    one, x = gallery.tokens("one")
    two, y = gallery.tokens("two")
    norm = kl.GroupNormalization(2, name="norm")
    pool = kl.GlobalAveragePooling1D()
    model = keras.Model([one, two], [pool(norm(x)), pool(norm(y))])
    report = inspect_masks(model, [IDS, IDS])
    assert [c.name for c in report.findings] == ["norm"]
    (again,) = [c for c in report.calls if c.same_as is not None]
    assert (again.name, again.same_as) == ("norm", report.findings[0].index)


def test_what_is_random_at_inference() -> None:
    report = inspect_masks(build(gallery.dropout_at_inference), IDS)
    assert report.drift[0].why_not == "the model draws random numbers"
    assert report.state == "not measured"


def test_without_steps_nothing_can_be_wrong() -> None:
    features = keras.Input((4,))
    model = keras.Model(features, kl.Dense(2)(features))
    report = inspect_masks(model, np.ones((2, 4)))
    assert report.ok and "No input has steps" in report.notes[0]
    counts = inspect_masks(model, np.ones((2, 4), "int32"))
    assert counts.ok  # read as floats


def test_a_table_that_is_too_short_is_not_measured() -> None:
    """On JAX it gives NaN, elsewhere it raises: never a finding."""
    report = inspect_masks(build(gallery.table_too_short_for_more_padding), IDS)
    changes = {d.change: d for d in report.drift}
    assert report.drift[0].why_not and report.drift[1].why_not
    alone = [d for change, d in changes.items() if "alone" in change]
    assert [d.change for d in alone] == [
        "less padding (row 2 alone)",
        "less padding (row 1 alone)",
    ]
    assert all(d.moved is not None and d.moved < 1e-6 for d in alone)


def test_rows_with_the_same_padding_are_tried_together() -> None:
    model = build(gallery.fixed_steps)
    ids = np.concatenate([IDS, IDS])[:, ::-1]
    drift = [d.change for d in inspect_masks(model, ids).drift]
    assert drift[-2:] == [
        "less padding (rows 2, 5 alone)",
        "less padding (rows 1, 4 alone)",
    ]
    with pytest.raises(ValueError, match="incompatible"):
        model(IDS[:, :5])  # it is as strict as before


def test_an_output_that_the_mask_does_not_reach() -> None:
    report = inspect_masks(build(gallery.autoencoder_of_any_steps), IDS)
    assert not report.findings
    assert report.drift[0].moved is not None
    (text,) = report.missing
    assert text.startswith("The mask does not reach the output `output`")


class Inside(kl.Layer):
    """A layer of Keras in a layer of one's own."""

    def __init__(self, inner: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.supports_masking = True
        self.inner = inner

    def call(self, inputs: Any) -> Any:
        return self.inner(inputs)

    def compute_output_shape(self, shape: Any) -> Any:
        return self.inner.compute_output_shape(shape)


@pytest.mark.filterwarnings("ignore:.*destroy the mask")
def test_convert_is_advised_where_it_does_something() -> None:
    """Not in a layer of one's own, nor in a subclass: it changes neither."""

    def norm() -> Any:
        return kl.GroupNormalization(2, name="norm")

    table = kl.Embedding(10, gallery.SIZE, mask_zero=True)
    top = keras.Sequential([keras.Input((None,)), table, norm()])
    inner = keras.Sequential([keras.Input((None, gallery.SIZE)), norm()])
    nested = keras.Sequential([keras.Input((None,)), table, inner])
    inside = keras.Sequential([keras.Input((None,)), table, Inside(norm())])
    subclass = gallery.InOrder([table, norm()])
    expected = [(top, 1), (nested, 1), (inside, 0), (subclass, 0)]
    for model, replaced in expected:
        (found,) = inspect_masks(model, IDS).findings
        assert found.name == "norm"
        assert "MaskedGroupNormalization" in found.advice
        assert ("keras_masking.convert" in found.advice) == bool(replaced)
        if replaced:
            _, changes = keras_masking.convert(model)
            assert len(changes.replaced) == replaced


def test_advice_where_no_mask_comes_in() -> None:
    model = build(gallery.pooling_counts_padding)
    (pool,) = inspect_masks(model, gallery.ids_and_numbers()).findings
    assert "AttachMask" in pool.advice and "convert" not in pool.advice
    model = build(gallery.operator_in_subclass)
    (dense,) = inspect_masks(model, IDS).findings
    assert dense.verdict == "made by code"
    assert "AttachMask" in dense.advice


def test_what_happens_inside_a_sound_layer_is_no_alarm() -> None:
    report = inspect_masks(build(gallery.our_transformer), IDS)
    inside = [c for c in report.calls if "/attention_1/" in c.path]
    assert {c.name for c in inside} >= {"query", "key", "value"}
    assert all(c.victim_of is None for c in inside)
    assert all(not x.lost for c in inside for x in c.inputs)
    assert "no mask since" not in str(report)


def test_a_mask_of_a_wrong_shape_is_not_called_none() -> None:
    report = inspect_masks(build(gallery.sliced), IDS)
    (dense,) = [c for c in report.calls if c.type == "Dense"]
    text = str(report)
    assert dense.victim_of == call(report, "slices").index
    assert "wrong mask since #" in text and "no mask since" not in text
    assert "got a wrong shape" in dense.reason

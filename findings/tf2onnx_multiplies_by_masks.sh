#!/usr/bin/env bash
# tf2onnx writes `tf.where` as a product with the mask, so NaN comes through.
# tf2onnx 1.17.0, onnx 1.23.2, onnxruntime 1.32.0, TensorFlow 2.21.0.
#
# Behaviour: `tf.where(mask, x, y)` becomes `cast(mask) * x + cast(not mask) * y`,
# unless the converter sees a NaN or an infinity: as a constant, or as the test
# `is_nan` or `is_inf` of the condition. So NaN or infinity in `x` where the mask is
# False, against which `where` is used, gives NaN. No error, no warning; with finite
# values both forms are equal. Of two selections in one model one may be right.
#
# Why one would guess wrong: ONNX has an operator `Where`, and tf2onnx uses it for
# some calls of the same function. A test with finite padding finds nothing.
#
# For users: in a model to be converted, keep what is not selected finite.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet tensorflow-cpu==2.21.0 tf2onnx==1.17.0 \
    onnx==1.23.2 onnxruntime==1.32.0
"$work/venv/bin/python" - 2> "$work/log" <<'PY' || {
import numpy as np
import onnxruntime
import tensorflow as tf
import tf2onnx

X = tf.TensorSpec((None, None), tf.float32)
MASK = tf.TensorSpec((None, None), tf.bool)
x = np.array([[1.0, np.nan], [2.0, np.inf]], "float32")
mask = np.array([[True, False], [True, False]])
# How it selects, and whether ONNX does the same.
WAYS = {
    "0.0": (lambda x, m: tf.where(m, x, 0.0), False),
    "zeros": (lambda x, m: tf.where(m, x, tf.zeros_like(x)), False),
    "-inf": (lambda x, m: tf.where(m, x, -np.inf), True),
    "0.0 by is_nan": (lambda x, m: tf.where(tf.math.is_nan(x), 0.0, x), True),
}
as_known = True
for name, (function, right) in WAYS.items():
    signature = [X, MASK]
    graph = tf.function(function, input_signature=signature)
    model, _ = tf2onnx.convert.from_function(graph, signature, opset=17)
    session = onnxruntime.InferenceSession(model.SerializeToString())
    names = [one.name for one in session.get_inputs()]
    (found,) = session.run(None, dict(zip(names, (x, mask))))
    wanted = graph(tf.constant(x), tf.constant(mask)).numpy()
    kinds = [node.op_type for node in model.graph.node]
    print(f"{name}: TensorFlow {wanted.tolist()}, ONNX {found.tolist()}")
    print(f"    {' '.join(kinds)}")
    as_known = as_known and np.array_equal(found, wanted) == right
    as_known = as_known and ("Where" in kinds) == right
raise SystemExit(not as_known)
PY
    code=$?
    tail -5 "$work/log" >&2
    exit "$code"
}

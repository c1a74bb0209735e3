#!/usr/bin/env bash
# tf2onnx rounds an integer remainder towards 0: -5 % 2 is -1 in ONNX, not 1.
# tf2onnx 1.17.0, onnx 1.23.2, onnxruntime 1.32.0, TensorFlow 2.21.0.
#
# Behaviour: TensorFlow's `%` and `tf.math.floormod` give a result with the sign of
# the divisor, as Python does. tf2onnx writes `n - n / d * d` with ONNX's `Div`,
# which truncates for integers. So the remainder of a negative number has the other
# sign; floats, with `Floor` after `Div`, are right. `-steps % strides`, the usual
# way to write how many padding steps complete a window, is negative then: padding
# becomes a cut, and every step after it is another one. No error, no warning.
#
# Why one would guess wrong: ONNX has an operator `Mod` with this sign, and for
# positive numbers all is right.
#
# For users: write `(strides - steps % strides) % strides`.
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

numbers = np.array([-5, -4, 5], "int32")


def exported(function, *arrays):
    """What the function gives in TensorFlow and in ONNX."""
    signature = [tf.TensorSpec([None] * x.ndim, x.dtype) for x in arrays]
    graph = tf.function(function, input_signature=signature)
    model, _ = tf2onnx.convert.from_function(graph, signature, opset=17)
    session = onnxruntime.InferenceSession(model.SerializeToString())
    names = [one.name for one in session.get_inputs()]
    (found,) = session.run(None, dict(zip(names, arrays)))
    return graph(*map(tf.constant, arrays)).numpy().tolist(), found.tolist()


def remainder(n):
    return n % 2


def of_floats(n):
    return tf.cast(n, tf.float32) % 2.0


def completed(x):
    """Whole windows of 2 steps: one more step of 9, if one is missing."""
    return tf.pad(x, [[0, -tf.shape(x)[0] % 2]], constant_values=9)


integers, floats = exported(remainder, numbers), exported(of_floats, numbers)
odd, even = exported(completed, numbers), exported(completed, numbers[:2])
print(f"{numbers.tolist()} % 2: TensorFlow {integers[0]}, ONNX {integers[1]}")
print(f"as floats: TensorFlow {floats[0]}, ONNX {floats[1]}")
print(f"3 steps, completed: TensorFlow {odd[0]}, ONNX {odd[1]}")
print(f"2 steps, completed: TensorFlow {even[0]}, ONNX {even[1]}")
as_known = integers == ([1, 0, 1], [-1, 0, 1]) and floats[0] == floats[1]
as_known = as_known and odd == ([-5, -4, 5, 9], [-5, -4])
raise SystemExit(not (as_known and even[0] == even[1]))
PY
    code=$?
    tail -5 "$work/log" >&2
    exit "$code"
}

"""Recurrent layers as plain loops over the steps of one row, no padding."""

import math
from typing import Any

import numpy as np

from tests.helpers import real_rows


def sigmoid(z: float) -> float:
    return 1 / (1 + math.exp(-z))


def times(x: list, matrix: list) -> list:
    columns = range(len(matrix[0]))
    return [math.fsum(a * row[j] for a, row in zip(x, matrix)) for j in columns]


def add(*vectors: list) -> list:
    return [math.fsum(values) for values in zip(*vectors)]


def parts(vector: list, count: int) -> list:
    size = len(vector) // count
    return [vector[i * size : (i + 1) * size] for i in range(count)]


def simple_rnn(x: list, states: list, weights: list) -> list:
    kernel, recurrent, bias = weights
    (h,) = states
    z = add(times(x, kernel), times(h, recurrent), bias)
    return [[math.tanh(v) for v in z]]


def lstm(x: list, states: list, weights: list) -> list:
    kernel, recurrent, bias = weights
    h, c = states
    z = add(times(x, kernel), times(h, recurrent), bias)
    new_h, new_c = [], []
    for i, f, g, o, old in zip(*parts(z, 4), c):
        cell = sigmoid(f) * old + sigmoid(i) * math.tanh(g)
        new_c.append(cell)
        new_h.append(sigmoid(o) * math.tanh(cell))
    return [new_h, new_c]


def gru(x: list, states: list, weights: list) -> list:
    kernel, recurrent, bias = weights
    (h,) = states
    from_x = parts(add(times(x, kernel), bias[0]), 3)
    from_h = parts(add(times(h, recurrent), bias[1]), 3)
    new = []
    for old, xz, xr, xh, hz, hr, hh in zip(h, *from_x, *from_h):
        z, r = sigmoid(xz + hz), sigmoid(xr + hr)
        new.append(z * old + (1 - z) * math.tanh(xh + r * hh))
    return [new]


CELLS = {"SimpleRNN": (simple_rnn, 1), "LSTM": (lstm, 2), "GRU": (gru, 1)}


def run(
    kind: str, steps: list, weights: Any, states: Any = None
) -> tuple[list, list]:
    """The output of each step, and the states after the last one."""
    cell, count = CELLS[kind]
    weights = [np.asarray(w, "float64").tolist() for w in weights]
    zero = [0.0] * len(weights[1])
    states = [zero] * count if states is None else list(states)
    outputs = []
    for x in steps:
        states = cell(x, states, weights)
        outputs.append(states[0])
    return outputs, states


def sequences(
    kind: str, x: np.ndarray, mask: np.ndarray, weights: Any, **how: Any
) -> np.ndarray:
    """The outputs of each row at its real steps, 0 elsewhere.

    If backwards, at the real steps of the flipped row.
    """
    backwards = how.get("backwards", False)
    if backwards:
        x, mask = x[:, ::-1], mask[:, ::-1]
    width = np.shape(weights[1])[0]
    result = np.zeros((*mask.shape, width))
    for row, steps in enumerate(real_rows(x, mask)):
        outputs, _ = run(kind, steps, weights)
        for place, y in zip(np.flatnonzero(mask[row]), outputs):
            result[row, place] = y
    return result


def lasts(
    kind: str, x: np.ndarray, mask: np.ndarray, weights: Any
) -> np.ndarray:
    """The last output of each row, 0 for an empty row."""
    width = np.shape(weights[1])[0]
    rows = [
        run(kind, steps, weights)[0] or [[0.0] * width]
        for steps in real_rows(x, mask)
    ]
    return np.array([outputs[-1] for outputs in rows])

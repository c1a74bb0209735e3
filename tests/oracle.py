"""What every operation should give, in plain loops over real steps.

Nothing here pads, masks or knows an array: a row is a list of `(step, real)`,
and whatever is not real is left out before anything is computed. What a hole
means is written out per family: reductions, softmax and step selection leave it
out; a convolution meets a zero there. All arithmetic is Python's float64.
"""

import math
from typing import Any

PADDING = None  # an output step that is not real


def real_steps(row: list, mask: list) -> list:
    """The real steps of a row, in order."""
    return [step for step, real in zip(row, mask) if real]


def by_feature(steps: list, function: Any) -> list:
    """Applies `function` to the values of each feature."""
    return [function(values) for values in zip(*steps)]


def pooled(function: Any) -> Any:
    """An oracle that reduces the real steps of a row, feature by feature."""

    def row_oracle(row: list, mask: list, empty_value: float = 0.0) -> list:
        steps = real_steps(row, mask)
        if not steps:
            return [empty_value] * len(row[0])
        return by_feature(steps, function)

    return row_oracle


def log_sum_exp(values: tuple) -> float:
    """Adds up exponentials pair by pair."""
    total = values[0]
    for value in values[1:]:
        high, low = (total, value) if total > value else (value, total)
        if high > -math.inf:
            total = high + math.log1p(math.exp(low - high))
    return total


pool_sum = pooled(math.fsum)
pool_mean = pooled(lambda values: math.fsum(v / len(values) for v in values))
pool_max = pooled(lambda values: sorted(values)[-1])
pool_min = pooled(lambda values: sorted(values)[0])
pool_logsumexp = pooled(log_sum_exp)
pool_first = pooled(lambda values: values[0])
pool_last = pooled(lambda values: values[-1])


def softmax(row: list, mask: list) -> list:
    """Each real step's share: one over the sum of the others' ratios to it."""
    steps = real_steps(row, mask)

    def share(feature: int, value: float) -> float:
        ratios = [step[feature] - value for step in steps]
        if max(ratios) > 700:  # the share is below what a float can say
            return 0.0
        return 1.0 / math.fsum(math.exp(ratio) for ratio in ratios)

    return [
        [share(f, value) for f, value in enumerate(step)] if real else PADDING
        for step, real in zip(row, mask)
    ]


def convolution(
    row: list,
    mask: list,
    kernel: list,
    bias: list,
    strides: int = 1,
    padding: str = "valid",
    dilation_rate: int = 1,
    groups: int = 1,
) -> list:
    """Convolution of a row that has lost its padding on both ends.

    The row is cut to what lies between its first and its last real step, and
    only the real steps in there add to a sum. `kernel[tap][channel][filter]`.
    Outputs are put back where the row stands, PADDING elsewhere.
    """
    width = len(kernel)
    span = (width - 1) * dilation_rate
    starts = range(0, len(row) - (span if padding == "valid" else 0), strides)
    places = [i for i, real in enumerate(mask) if real]
    before = {
        "valid": 0,
        "causal": span,
        "same": max(span + 1 - strides, 0) // 2,
    }[padding]
    if not places:
        return [PADDING] * len(starts)
    lone = row[places[0] : places[-1] + 1]
    lone_real = mask[places[0] : places[-1] + 1]
    per_group = len(kernel[0][0]) // groups
    outputs = []
    for start in starts:
        anchor = start - places[0]
        taps = [anchor - before + tap * dilation_rate for tap in range(width)]
        there = [0 <= t < len(lone) and lone_real[t] for t in taps]
        if padding == "valid":
            emitted = all(there)
        else:
            emitted = 0 <= anchor < len(lone) and lone_real[anchor]
        if not emitted:
            outputs.append(PADDING)
            continue
        output = []
        for filter_, start_value in enumerate(bias):
            first = filter_ // per_group * len(kernel[0])
            terms = [
                lone[t][first + channel] * weights[filter_]
                for t, ok, tap in zip(taps, there, kernel)
                if ok
                for channel, weights in enumerate(tap)
            ]
            output.append(math.fsum([start_value, *terms]))
        outputs.append(output)
    return outputs


def embedding(row: list, padding_ids: set, table: list) -> list:
    """The vector of each id; of padding ids too, where the table has them."""
    zeros = [0.0] * len(table[0])
    return [
        zeros if i in padding_ids and not 0 <= i < len(table) else table[int(i)]
        for i in row
    ]

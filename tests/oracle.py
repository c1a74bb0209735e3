"""The expected result of every operation, in plain loops over real steps.

Nothing here uses padding, masks or arrays: a row is a list of `(step, real)`,
and steps that are not real are removed before any computation. Holes are
handled by family: reductions, softmax and step selection skip them; a
convolution reads zeros there. All arithmetic is in Python's float64.
"""

import math
import statistics
from typing import Any

PADDING = None  # an output step that is not real


def real_steps(row: list, mask: list) -> list:
    """The real steps of a row, in order."""
    return [step for step, real in zip(row, mask) if real]


def by_feature(steps: list, function: Any) -> list:
    """Applies `function` to the values of each feature."""
    return [function(values) for values in zip(*steps)]


def dot(x: Any, y: Any) -> float:
    """Sum of the products."""
    return math.fsum(a * b for a, b in zip(x, y))


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
pool_sqrtn = pooled(lambda values: math.fsum(values) / len(values) ** 0.5)
pool_variance = pooled(statistics.pvariance)
pool_std = pooled(statistics.pstdev)


def by_position(values: tuple) -> float:
    """Repeats the k-th value k times and averages."""
    repeated = [v for k, v in enumerate(values) for _ in range(k + 1)]
    return statistics.fmean(repeated)


pool_position = pooled(by_position)


def mean_and_std(row: list, mask: list, empty_value: float = 0.0) -> list:
    """The means of all features, then their deviations."""
    how = row, mask, empty_value
    return pool_mean(*how) + pool_std(*how)


def attention(
    row: list, mask: list, hidden: list, bias: list, heads: list
) -> list:
    """Averages by the softmax of `tanh(x hidden + bias) heads`, per head.

    `hidden[feature][unit]`, `heads[unit][head]`.
    """
    steps = real_steps(row, mask)
    width = len(row[0])
    if not steps:
        return [0.0] * width * len(heads[0])
    columns = list(zip(*hidden))
    output = []
    for head in zip(*heads):
        scores = []
        for step in steps:
            units = [
                math.tanh(dot(step, column) + b)
                for column, b in zip(columns, bias)
            ]
            scores.append(dot(units, head))
        ratios = [1 / sum(math.exp(t - s) for t in scores) for s in scores]
        output += [dot(values, ratios) for values in zip(*steps)]
    return output


def potentials(
    steps: list, mask: list, after: list, start: list, end: list
) -> list:
    """The score of each tag after each tag, as one list for a step."""
    real = [t for t in range(len(steps)) if mask[t]]
    found: list = [PADDING] * len(steps)
    for place, t in enumerate(real):
        scores = []
        for row in after:
            for tag, score in enumerate(steps[t]):
                score += start[tag] if place == 0 else row[tag]
                score += end[tag] if place == len(real) - 1 else 0.0
                scores.append(score)
        found[t] = scores
    return found


def softmax(row: list, mask: list) -> list:
    """Each real step's weight: 1 over the sum of all ratios to it."""
    steps = real_steps(row, mask)

    def share(feature: int, value: float) -> float:
        ratios = [step[feature] - value for step in steps]
        if max(ratios) > 700:  # the weight underflows a float
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
    """Convolution of a row without the padding at its ends.

    The row is cut to the span from its first to its last real step, and only
    real steps are summed. `kernel[tap][channel][filter]`. Outputs are placed at
    the row's position, with PADDING elsewhere.
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
    """The vector of each id, and of padding ids in the table."""
    zeros = [0.0] * len(table[0])
    return [
        zeros if i in padding_ids and not 0 <= i < len(table) else table[int(i)]
        for i in row
    ]


def depthwise(
    row: list, mask: list, kernel: list, bias: list, **config: Any
) -> list:
    """Convolves each feature separately: `kernel[tap][feature][multiple]`."""
    outputs: list = []
    number = iter(bias)
    for feature in range(len(row[0])):
        alone = [[step[feature]] for step in row]
        for multiple in range(len(kernel[0][0])):
            taps = [[[tap[feature][multiple]]] for tap in kernel]
            made = convolution(alone, mask, taps, [next(number)], **config)
            outputs.append(made)
    return [
        PADDING if PADDING in steps else [step[0] for step in steps]
        for steps in zip(*outputs)
    ]


def separable(
    row: list,
    mask: list,
    kernel: list,
    points: list,
    bias: list,
    **config: Any,
) -> list:
    """Depthwise, then each step separately: `points[0][feature][filter]`."""
    zeros = [0.0] * len(points[0])
    return [
        PADDING
        if step is PADDING
        else [
            math.fsum([b, *(v * w for v, w in zip(step, column))])
            for b, column in zip(bias, zip(*points[0]))
        ]
        for step in depthwise(row, mask, kernel, zeros, **config)
    ]


def transposed_convolution(
    row: list,
    mask: list,
    kernel: list,
    bias: list,
    strides: int = 1,
    padding: str = "valid",
    output_padding: int | None = None,
) -> list:
    """Every real step adds its taps: `kernel[tap][filter][channel]`.

    The real outputs are those of each run of real steps alone.
    """
    width, filters = len(kernel), range(len(bias))

    def length(steps: int) -> int:
        touched = (steps - 1) * strides + width
        if padding == "valid":
            if output_padding is None:
                return max(touched, steps * strides)
            return touched + output_padding
        if output_padding is None:
            return steps * strides
        return (steps - 1) * strides + width % 2 + output_padding

    cut = 0
    if padding == "same":
        cut = max((len(row) - 1) * strides + width - length(len(row)), 0) // 2
    outputs: list = [PADDING] * length(len(row))
    start = None
    for t, real in enumerate([*mask, False]):
        if real and start is None:
            start = t
        if not real and start is not None:
            first = start * strides
            for j in range(first, first + length(t - start)):
                outputs[j] = list(bias)
            start = None
    for t, step in enumerate(row):
        for tap, weights in enumerate(kernel):
            j = t * strides + tap - cut
            inside = mask[t] and 0 <= j < len(outputs)
            if inside and outputs[j] is not PADDING:
                outputs[j] = [
                    outputs[j][f] + dot(step, weights[f]) for f in filters
                ]
    return outputs


def windows(
    row: list, mask: list, size: int, strides: int, padding: str = "valid"
) -> list:
    """For each window, whether its output is real, and its real steps."""
    before = max(size - strides, 0) // 2 if padding == "same" else 0
    last = len(row) - (size - 1 if padding == "valid" else 0)
    found = []
    for anchor in range(0, last, strides):
        window = range(anchor - before, anchor - before + size)
        there = [t for t in window if 0 <= t < len(row) and mask[t]]
        real = mask[anchor] if padding == "same" else len(there) == size
        found.append((real, [row[t] for t in there]))
    return found


def window_pooling(
    row: list,
    mask: list,
    function: Any,
    size: int,
    strides: int,
    padding: str = "valid",
) -> list:
    """`function` of the real steps of each window, feature by feature."""
    return [
        by_feature(steps, function) if real else PADDING
        for real, steps in windows(row, mask, size, strides, padding)
    ]


def pack(rows: list, masks: list) -> list:
    """The real steps of one row after another, then padding."""
    places = sum(len(row) for row in rows)
    steps = [s for row, mask in zip(rows, masks) for s in real_steps(row, mask)]
    return steps + [PADDING] * (places - len(steps))


def group_normalization(
    row: list,
    mask: list,
    groups: int,
    gamma: list,
    beta: list,
    epsilon: float = 1e-3,
) -> list:
    """Each group's real values minus their mean, over their deviation."""
    width = len(row[0]) // groups
    steps = real_steps(row, mask)
    outputs: list = [[] if real else PADDING for real in mask]
    if not steps:
        return outputs
    for group in range(groups):
        features = range(group * width, (group + 1) * width)
        values = [step[f] for step in steps for f in features]
        mean = statistics.fmean(values)
        deviation = math.sqrt(statistics.pvariance(values) + epsilon)
        for output, step in zip(outputs, row):
            if output is not PADDING:
                output += [
                    (step[f] - mean) / deviation * gamma[f] + beta[f]
                    for f in features
                ]
    return outputs


def reverse(row: list, mask: list) -> list:
    """Real steps in the opposite order, padding where it was."""
    steps = real_steps(row, mask)
    return [steps.pop() if real else PADDING for real in mask]


def compact(row: list, mask: list) -> list:
    """Real steps, then padding."""
    steps = real_steps(row, mask)
    return steps + [PADDING] * (len(row) - len(steps))


def numbered(row: list, mask: list, vector: Any) -> list:
    """`vector(k)` at the k-th real step."""
    count = -1
    outputs: list = []
    for real in mask:
        count += real
        outputs.append(list(vector(count)) if real else PADDING)
    return outputs

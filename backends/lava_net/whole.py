"""Says what keeps a plan from fixed point: everything has to be whole numbers of 24 bits."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spikec.backends.lava_net.paths import is_linear
from spikec.backends.lava_net.plan import Connection, Layer, Plan
from spikec.ir import Spikes, TensorType, Value, ops

Numbers = NDArray[Any]
LARGEST = 2**23 - 1
WHOLE = "convert with --weight-bits 8 --input-bits 4: whole weights, thresholds and inputs"


def reasons(plan: Plan) -> tuple[str, ...]:
    """List what is no whole number; empty where fixed point computes the program exactly."""
    found = [
        *(reason for layer in plan.layers for reason in _layer(layer)),
        *(reason for one in plan.connections for reason in _connection(one)),
        *_currents(plan),
    ]
    return (*found, WHOLE) if found else ()


def _layer(layer: Layer) -> Iterator[str]:
    numbers = {**layer.neurons.values, "bias": layer.bias}
    for name, array in numbers.items():
        label = name.replace("_", " ")
        if not is_whole(array):
            yield f"{layer.name}: {label} is not whole"
        elif np.abs(array).max(initial=0) > LARGEST:
            yield f"{layer.name}: {label} has more than 24 bits"
    leak = layer.neurons.options.get("leak", ops.Leak.NONE.value)
    if leak != ops.Leak.NONE.value:
        yield f"{layer.name}: a leak gives potentials that are not whole"


def _connection(connection: Connection) -> Iterator[str]:
    where = f"{connection.source} -> {connection.target}"
    weights = connection.form.weights
    if not connection.form.whole:
        yield f"{where}: weights are not whole"
    elif np.abs(weights).max(initial=0) > LARGEST:
        yield f"{where}: weights have more than 24 bits"


def _currents(plan: Plan) -> Iterator[str]:
    known: dict[Value, bool] = {}
    for layer, parts in plan.currents.items():
        for part in parts:
            value, form = part.origin
            if not (whole_value(value, known) and form.whole and is_whole(np.array(part.profile))):
                yield f"{layer}: the current that the host computes ({value.name}) is not whole"
    for connection in plan.connections:
        if connection.source in plan.inputs and not _comes_whole(plan.inputs[connection.source]):
            yield f"{connection.source}: an input over time that need not be whole"


def _comes_whole(kind: TensorType) -> bool:
    """Tell whether an input over time holds whole numbers: events of a whole amplitude."""
    return isinstance(kind.signal, Spikes) and is_whole(kind.signal.amplitude.data)


def whole_value(value: Value, known: dict[Value, bool]) -> bool:
    """Tell whether a static value is whole whatever the input."""
    if value not in known:
        node = value.producer
        arrays = all(is_whole(array.data) for array in node.op.arrays.values())
        operands = [whole_value(operand, known) for operand in node.inputs]
        if isinstance(node.op, ops.Round | ops.Floor):
            known[value] = True
        elif isinstance(node.op, ops.Quantise):
            amplitude = node.op.step if node.op.amplitude is None else node.op.amplitude
            known[value] = is_whole(amplitude.data)
        elif isinstance(node.op, ops.Clip):
            bounds = [b for b in (node.op.low, node.op.high) if b is not None]
            known[value] = all(operands) and is_whole(np.array(bounds))
        elif isinstance(node.op, ops.Constant):
            known[value] = arrays
        else:
            kept = is_linear(node) and not isinstance(node.op, _SHARES) and bool(node.inputs)
            known[value] = kept and arrays and all(operands)
    return known[value]


_SHARES = (ops.AvgPool, ops.AdaptiveAvgPool, ops.ReduceMean, ops.Div, ops.Resize)


def is_whole(array: Numbers) -> bool:
    """Tell whether all are whole numbers."""
    return bool((array == np.rint(array)).all())

"""NetX: which programs fit it, and the HDF5 file that lava-dl 0.6.0 loads.

NetX knows a chain of convolutions and dense layers of neurons that reset to 0.  A pool, which it
does not have, stands in the weights behind it; the last currents are added up by neurons that
never fire.  The input comes as whole numbers in every step.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spikec.backends.lava_net.forms import Form
from spikec.backends.lava_net.plan import Connection, Current, Layer, Plan
from spikec.backends.lava_net.whole import is_whole, whole_value
from spikec.ir import Value, ops

Numbers = NDArray[Any]
WEIGHT, BIAS, THRESHOLD, SUM = 127, 4095, 131071, 2**17 - 1
"""largest magnitudes: 8 bits; 13 bits; 17 bits; a sum of one step in 24 bits with 6 of fraction"""
ROOM = 2**24
"""most weights of a dense layer"""
NEVER = THRESHOLD
MESSAGE = 24
"""bits of an input whose range is not known"""
HARD = "convert with recipe balanced{reset=hard}, or let a pass make the reset a hard one"


@dataclass(frozen=True, eq=False)
class Block:
    """A layer of a NetX file: synapses and the neurons behind them."""

    layer: Layer
    form: Form
    bias: Numbers
    """[size]"""
    threshold: int
    """the largest potential that does not fire"""


@dataclass(frozen=True, eq=False)
class Fit:
    """A program in the form of NetX, or all reasons why it has none."""

    blocks: tuple[Block, ...] = ()
    input: str = ""
    """the value of the host that goes in"""
    current: str = ""
    """what the first weights make of it"""
    input_shape: tuple[int, ...] = ()
    message_bits: int = MESSAGE
    reasons: tuple[str, ...] = ()


def fit(plan: Plan) -> Fit:
    """Put a plan into the form of NetX."""
    reasons = [*_chain(plan), *(r for layer in plan.layers for r in _neurons(layer))]
    first = _first(plan)
    if isinstance(first, str):
        reasons.append(first)
    if importlib.util.find_spec("h5py") is None:
        reasons.append("the file is written by h5py, which is not installed: pip install h5py")
    blocks: list[Block] = []
    if not reasons and not isinstance(first, str):
        forms = {c.target: c.form for c in plan.connections} | {plan.layers[0].name: first.form}
        for layer in plan.layers:
            bias = layer.bias[0] + (first.bias if layer is plan.layers[0] else 0)
            block = Block(layer, _writable(forms[layer.name]), bias, _threshold(layer))
            reasons += _numbers(block, graded=layer is plan.layers[0])
            blocks.append(block)
    if reasons or isinstance(first, str):
        return Fit(reasons=tuple(reasons))
    return Fit(tuple(blocks), first.name, first.current, first.shape, first.bits)


@dataclass(frozen=True, eq=False)
class _First:
    """What the first layer sees: weights of its own, on whole numbers that the host gives."""

    name: str
    current: str
    form: Form
    bias: Numbers
    shape: tuple[int, ...]
    bits: int


def _chain(plan: Plan) -> Iterator[str]:
    """NetX has one way from layer to layer."""
    for before, layer in zip((None, *plan.layers), plan.layers, strict=False):
        incoming = [c for c in plan.connections if c.target == layer.name]
        wanted = [] if before is None else [before.name]
        if [c.source for c in incoming] != wanted:
            sources = " and ".join(c.source for c in incoming) or "the host alone"
            yield f"{layer.name}: fed by {sources}; NetX has no branches, each layer feeds the next"
        if before is not None and layer.name in plan.currents:
            yield f"{layer.name}: fed by the host too; NetX takes one input, in front"
        if any(c.delay for c in incoming):
            yield f"{layer.name}: behind a delay, after which no sample can follow at once"
        yield from (f"{layer.name}: {r}" for c in incoming for r in _synapses(layer, c))


def _synapses(layer: Layer, connection: Connection) -> Iterator[str]:
    if connection.graded:
        yield "events that carry numbers; neurons of NetX that reset send single ones"
    rows, columns = _matrix_shape(connection.form)
    if connection.form.kind == "sparse" and rows * columns > ROOM:
        yield f"a sparse map of {rows} x {columns}, which NetX can only hold as a dense one"
    if layer.node is None and connection.form.kind == "conv":
        yield "a current read behind a convolution; NetX reads those of dense layers"


def _matrix_shape(form: Form) -> tuple[int, int]:
    if form.kind == "conv":
        return 0, 0
    rows, columns = form.options["shape"]
    return int(rows), int(columns)


def _neurons(layer: Layer) -> Iterator[str]:
    """NetX has integrate-and-fire neurons with reset to 0, alike in a layer."""
    if layer.node is None:
        return
    name, options, values = layer.name, layer.neurons.options, layer.neurons.values
    if layer.neurons.process != "IntegrateFire":
        yield f"{name}: {type(layer.node.op).__name__} is no neuron of NetX"
        return
    if options["reset"] != ops.Reset.HARD.value:
        yield f"{name}: soft reset; neurons of NetX reset to 0: {HARD}"
    for option, allowed, why in _OPTIONS:
        if options[option] != allowed:
            yield f"{name}: {why}"
    for value in ("v0", "reset_potential"):
        if value in values and values[value].any():
            yield f"{name}: {value.replace('_', ' ')} other than 0"
    if len(np.unique(values["threshold"])) > 1:
        yield f"{name}: a threshold per channel; NetX has one per layer: recipe option per=layer"
    elif not is_whole(values["threshold"]) or values["threshold"][0] > THRESHOLD:
        yield f"{name}: a threshold of {values['threshold'][0]:g}, not whole or above {THRESHOLD}"


_OPTIONS = (
    ("leak", ops.Leak.NONE.value, "a leak, whose rounding is not the chip's"),
    ("negative", ops.Negative.NONE.value, "negative events"),
    ("decision", ops.Decision.AFTER_INPUT.value, "a decision before the input comes"),
    ("levels", 1, "several quanta per event"),
)


def _threshold(layer: Layer) -> int:
    """Lava fires above its threshold: of whole numbers, ``>= θ`` is ``> θ - 1``."""
    if layer.node is None:
        return NEVER
    above = layer.neurons.options["comparison"] == ops.Comparison.ABOVE.value
    return int(layer.neurons.values["threshold"][0]) - (not above)


def _first(plan: Plan) -> _First | str:
    """Find the weights in front of the first neurons, and the numbers that they meet."""
    layer = plan.layers[0]
    parts = plan.currents.get(layer.name, ())
    nodes = {node.name: node for node in plan.before}
    why = f"{layer.name}: its current is not one convolution or matrix of whole numbers; "
    why += "convert with --weight-bits 8"
    if len(parts) != 1 or parts[0].profile != (1.0,) or parts[0].delay:
        return why
    node = nodes.get(parts[0].value)
    if node is None or node.op != "affine" or len(node.maps) != 1:
        return why
    form = node.maps[0]
    source = _source_of(parts[0])
    if form.kind == "same" or source is None or not whole_value(source, {}) or not form.whole:
        return why
    bias = np.zeros(layer.size) if node.bias is None else node.bias
    shape = tuple(form.options["input"]) if form.kind == "conv" else (form.options["shape"][1],)
    return _First(source.name, node.name, form, bias, shape, _message_bits(source))


def _source_of(current: Current) -> Value | None:
    """Give the operand of the node that computes a current."""
    node = current.origin[0].producer
    moving = [v for v in node.inputs if not isinstance(v.producer.op, ops.Constant)]
    return moving[0] if len(moving) == 1 else None


def _message_bits(value: Value) -> int:
    op = value.producer.op
    bounded = isinstance(op, ops.Clip) and op.low is not None and op.high is not None
    return 8 if bounded and op.low >= -128 and op.high <= 255 else MESSAGE  # type: ignore[attr-defined, operator]


def _writable(form: Form) -> Form:
    """Give a dense form in the place of a sparse one."""
    if form.kind != "sparse":
        return form
    weight = np.zeros(_matrix_shape(form))
    weight[form.arrays["rows"], form.arrays["columns"]] = form.arrays["values"]
    return Form("dense", form.options, {"weight": weight})


def _numbers(block: Block, *, graded: bool) -> Iterator[str]:
    """Check what Lava would cut off without a word."""
    name, weight = block.layer.name, block.form.weights
    if not block.form.whole:
        yield f"{name}: weights that are not whole; convert with --weight-bits 8"
    elif np.abs(weight).max(initial=0) > WEIGHT:
        yield f"{name}: weights up to {np.abs(weight).max():g}; 8 bits hold {WEIGHT}"
    if not weight.any():
        yield f"{name}: all weights are 0, which lava-dl cannot load"
    if len(block.layer.bias) > 1:
        yield f"{name}: a bias that changes over time"
    if not is_whole(block.bias) or np.abs(block.bias).max(initial=0) > BIAS:
        yield f"{name}: biases not whole, or above {BIAS}"
    kernel = np.abs(block.form.arrays["weight"].astype(np.float64))
    most = kernel.reshape(len(kernel), -1).sum(axis=1).max(initial=0)
    if not graded and most > SUM:
        yield f"{name}: sums of one step up to {most:g}, of which Lava keeps {SUM}"


def description(found: Fit) -> Mapping[str, Any]:
    """Say in the manifest what stands in the file."""
    return {
        "input": found.input,
        "current": found.current,
        "shape": list(found.input_shape),
        "message_bits": found.message_bits,
        "layers": [block.layer.name for block in found.blocks],
    }


def write(found: Fit, path: Path) -> None:
    """Write the file."""
    import h5py

    with h5py.File(path, "w", track_order=True) as file:
        file.create_dataset("simulation/Ts", data=1)
        file.create_dataset("simulation/tSample", data=1)
        layers = file.create_group("layer")
        _input(layers.create_group("0"), found.input_shape)
        number, image = 1, len(found.input_shape) > 1
        for block in found.blocks:
            if image and block.form.kind == "dense":
                _typed(layers.create_group(str(number)), "flatten")
                number, image = number + 1, False
            _block(layers.create_group(str(number)), block)
            number += 1


def _typed(group: Any, kind: str) -> None:
    group.create_dataset("type", data=np.array([kind.encode("ascii")], "S10"))


def _input(group: Any, shape: tuple[int, ...]) -> None:
    _typed(group, "input")
    group.create_dataset("shape", data=np.array(shape, np.int64))


def _block(group: Any, block: Block) -> None:
    form = block.form
    _typed(group, form.kind)
    weight = form.arrays["weight"].astype(np.float32)
    group.create_dataset("weight", data=weight)
    if form.kind == "conv":
        output = form.options["output"]
        group.create_dataset("shape", data=np.array(output, np.int64))
        for option in ("stride", "padding", "dilation"):
            group.create_dataset(option, data=np.array(form.options[option], np.int64))
        group.create_dataset("groups", data=np.int64(form.options["groups"]))
        group.create_dataset("inChannels", data=np.int64(form.options["input"][0]))
        group.create_dataset("outChannels", data=np.int64(output[0]))
        group.create_dataset("kernelSize", data=np.array(weight.shape[2:], np.int64))
        # whole shapes stand as x, y, channels
        bias = block.bias.reshape(output).transpose(2, 1, 0)
    else:
        group.create_dataset("shape", data=np.array([len(weight)], np.int64))
        group.create_dataset("inFeatures", data=np.int64(weight.shape[1]))
        group.create_dataset("outFeatures", data=np.int64(weight.shape[0]))
        bias = block.bias
    if block.bias.any():
        group.create_dataset("bias", data=bias.astype(np.float32))
    _neuron(group.create_group("neuron"), block.threshold)


def _neuron(group: Any, threshold: int) -> None:
    """Integrate and fire: the current is gone after its step, the potential stays."""
    group.create_dataset("type", data="CUBA")
    numbers = {"iDecay": 4096, "vDecay": 0, "vThMant": threshold, "refDelay": 1}
    for name, number in numbers.items():
        group.create_dataset(name, data=np.int64(number))
    group.create_dataset("gradedSpike", data=False)

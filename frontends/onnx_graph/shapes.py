"""Sizes, axes and ranges of the ops that move elements, symbols included, for every opset."""

from __future__ import annotations

from spikec.frontends.onnx_graph.call import Call
from spikec.ir.dims import Dim, Dims, SymbolicDim, divide, multiply, product

FAR = 1 << 31
"""Ends of slices beyond this mean: to the end."""


def squeezed_axes(call: Call) -> tuple[int, ...]:
    """Axes that Squeeze removes."""
    dims = call.dims(0)
    axes = call.ints_at("axes", 1, since=13)
    if axes is None:
        return tuple(axis for axis, dim in enumerate(dims) if dim == 1)
    chosen = tuple(call.front(axis, len(dims)) for axis in axes)
    for axis in chosen:
        if dims[axis] != 1:
            call.refuse(f"axis {axis} has {dims[axis]} elements and cannot be squeezed")
    return chosen


def squeezed(call: Call) -> Dims:
    """Sizes behind Squeeze."""
    gone = squeezed_axes(call)
    return tuple(dim for axis, dim in enumerate(call.dims(0)) if axis not in gone)


def unsqueezed_axes(call: Call) -> tuple[int, ...]:
    """Axes that Unsqueeze adds, counted in the result."""
    axes = call.ints_at("axes", 1, since=13) or ()
    rank = len(call.dims(0)) + len(axes)
    chosen = tuple(sorted(call.front(axis, rank) for axis in axes))
    if len(set(chosen)) != len(chosen):
        call.refuse(f"its axes {list(axes)} name one axis twice")
    return chosen


def unsqueezed(call: Call) -> Dims:
    """Sizes behind Unsqueeze."""
    new, old = unsqueezed_axes(call), iter(call.dims(0))
    rank = len(call.dims(0)) + len(new)
    return tuple(1 if axis in new else next(old) for axis in range(rank))


def reshaped(call: Call) -> Dims:
    """Sizes behind Reshape: 0 keeps a size (unless allowzero), -1 takes what is left."""
    source, wish = call.dims(0), call.sizes(1, "shape")
    keep_zero = call.opset >= 14 and call.integer("allowzero", 0)
    target: list[Dim] = []
    for axis, dim in enumerate(wish):
        if dim == 0 and not keep_zero:
            if axis >= len(source):
                call.refuse(f"shape {_show(wish)} keeps axis {axis}, which its operand lacks")
            dim = source[axis]
        target.append(dim)
    if target.count(-1) > 1 or any(isinstance(d, int) and d < -1 for d in target):
        call.refuse(f"shape {_show(wish)} is no shape")
    total, rest = product(source), product(d for d in target if d != -1)
    left = _left(total, rest) if -1 in target else None
    if (-1 in target and left is None) or (-1 not in target and total != rest):
        call.refuse(
            f"{_show(source)} cannot be reshaped to {_show(wish)}",
            _BATCH if isinstance(total, SymbolicDim) else "",
        )
    return tuple(left if d == -1 and left is not None else d for d in target)


_BATCH = (
    "the model fixes the batch size here; export it with a dynamic batch axis, "
    "or import it without dynamic_batch"
)


def _left(total: Dim, rest: Dim) -> Dim | None:
    if rest == 0:
        return 0 if total == 0 else None
    quotient = divide(total, rest)
    if isinstance(quotient, SymbolicDim) and quotient.coefficient.denominator != 1:
        return None
    return quotient


def flattened(call: Call) -> Dims:
    """Sizes behind Flatten: everything before the axis, everything from it on."""
    dims = call.dims(0)
    axis = call.integer("axis", 1)
    if not -len(dims) <= axis <= len(dims):
        call.refuse(f"axis {axis} does not exist in an operand of rank {len(dims)}")
    cut = axis + len(dims) if axis < 0 else axis
    return product(dims[:cut]), product(dims[cut:])


def permutation(call: Call) -> tuple[int, ...]:
    """Order of axes behind Transpose."""
    rank = len(call.dims(0))
    order = call.ints("perm") or tuple(reversed(range(rank)))
    if sorted(order) != list(range(rank)):
        call.refuse(f"perm {list(order)} does not order the axes of an operand of rank {rank}")
    return order


def expanded(call: Call) -> Dims:
    """Sizes behind Expand: two-way broadcasting of the operand's sizes and the given ones."""
    source, wish = call.dims(0), call.sizes(1, "shape")
    rank = max(len(source), len(wish))
    pairs = zip(_padded(source, rank), _padded(wish, rank), strict=True)
    result: list[Dim] = []
    for mine, other in pairs:
        if mine != other and 1 not in (mine, other):
            call.refuse(f"{_show(source)} cannot be expanded to {_show(wish)}")
        result.append(other if mine == 1 else mine)
    return tuple(result)


def _padded(dims: Dims, rank: int) -> Dims:
    return (1,) * (rank - len(dims)) + dims


def tiled(call: Call) -> tuple[Dims, tuple[int, ...]]:
    """Sizes behind Tile, and the repeats that are numbers (1 where a symbolic one stands).

    An axis is repeated a symbolic number of times only where it has one element.
    """
    source, repeats = call.dims(0), call.sizes(1, "repeats")
    if len(repeats) != len(source):
        call.refuse(f"{len(repeats)} repeats for an operand of rank {len(source)}")
    for dim, count in zip(source, repeats, strict=True):
        if isinstance(count, SymbolicDim) and dim != 1:
            call.refuse(f"it repeats {dim} elements {count} times")
    dims = tuple(multiply(dim, count) for dim, count in zip(source, repeats, strict=True))
    return dims, tuple(1 if isinstance(n, SymbolicDim) else n for n in repeats)


def parts(call: Call) -> tuple[int, tuple[int, ...]]:
    """Axis and sizes of the parts of Split."""
    dims = call.dims(0)
    axis = call.axis(len(dims), 0)
    total = dims[axis]
    if isinstance(total, SymbolicDim):
        call.refuse(f"it splits axis {axis}, whose size is {total}", "split another axis")
    sizes = call.ints_at("split", 1, since=13)
    count = call.integer("num_outputs", len(call.node.output)) if call.opset >= 18 else 0
    count = count or len(call.node.output)
    if sizes is None:
        if total % count and call.opset < 18:
            call.refuse(f"{total} elements cannot be split into {count} equal parts")
        step = -(-total // count)
        sizes = tuple(max(0, min(step, total - step * index)) for index in range(count))
    if sum(sizes) != total or min(sizes, default=0) < 0:
        call.refuse(f"parts of {list(sizes)} do not make {total}")
    return axis, sizes


Range = tuple[int, int, int, int]
"""Axis (from the front), start, stop (None-like values resolved), step."""


def ranges(call: Call) -> tuple[Range, ...]:
    """Ranges of Slice, with starts and stops as Python's ``range`` takes them."""
    dims = call.dims(0)
    starts, ends = _bounds(call, "starts", 1), _bounds(call, "ends", 2)
    axes = call.ints_at("axes", 3, since=10) or tuple(range(len(starts)))
    steps = (call.ints_at("steps", 4, since=10) if call.opset >= 10 else None) or (1,) * len(starts)
    if not len(starts) == len(ends) == len(axes) == len(steps):
        call.refuse("its starts, ends, axes and steps differ in number")
    result: list[Range] = []
    for start, end, given, step in zip(starts, ends, axes, steps, strict=True):
        axis = call.front(given, len(dims))
        found = _range(call, dims[axis], start, end, step)
        if found is not None:
            result.append((axis, *found))
    return tuple(result)


def _bounds(call: Call, name: str, index: int) -> Dims:
    if call.opset >= 10:
        return call.sizes(index, name)
    given = call.ints(name)
    if given is None:
        call.refuse(f"its attribute {name} is missing")
    return given


def _range(call: Call, size: Dim, start: Dim, end: Dim, step: int) -> tuple[int, int, int] | None:
    """Resolve one range; None where it takes the whole axis as it is."""
    if step == 0:
        call.refuse("a step of 0")
    whole = start == 0 and (end == size or (isinstance(end, int) and end >= FAR))
    if whole and step == 1:
        return None
    if not (isinstance(size, int) and isinstance(start, int) and isinstance(end, int)):
        call.refuse(
            f"it takes {start}:{end}:{step} of an axis with {size} elements",
            "slice axes of known size only",
        )
    low, high, by = slice(start, _end(end, step), step).indices(size)
    return low, high, by


def _end(end: int, step: int) -> int | None:
    return None if step < 0 and end <= -FAR else end


def padding(call: Call) -> tuple[str, tuple[tuple[int, int], ...], float]:
    """Mode, width per axis and number of Pad: attributes until opset 10, operands since."""
    rank = len(call.dims(0))
    if call.opset < 11:
        flat, value = call.ints("pads") or (), call.real("value", 0.0)
    else:
        flat = tuple(int(n) for n in call.known(1, "pads"))
        value = call.scalar(2, "constant value") if call.has(2) else 0.0
    axes = call.ints_at("axes", 3, since=18) if call.opset >= 18 else None
    chosen = tuple(range(rank)) if axes is None else tuple(call.front(a, rank) for a in axes)
    if len(flat) != 2 * len(chosen):
        call.refuse(f"{len(flat)} padding widths for {len(chosen)} axes")
    width = [(0, 0)] * rank
    for index, axis in enumerate(chosen):
        width[axis] = (flat[index], flat[index + len(chosen)])
    return call.text("mode", "constant"), tuple(width), value


def _show(dims: Dims) -> str:
    return f"[{', '.join(map(str, dims))}]"

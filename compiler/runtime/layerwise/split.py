"""Which graphs compute each sample alone, so that a batch can be cut into blocks."""

from __future__ import annotations

from dataclasses import replace

from spikec.ir.dims import B, Dim, SymbolicDim, has_batch, per_step
from spikec.ir.graph import Graph, Node
from spikec.ir.ops.merge import Einsum
from spikec.ir.ops.shape import Reshape, batch_prefix
from spikec.ir.types import TensorType


def samples_are_alone(graph: Graph) -> bool:
    """Tell whether cutting the inputs along the batch cuts every value along its batch axis.

    So it is where no op moves or mixes elements along an axis that holds the batch, and the batch
    is the outermost factor of each such axis (behind time).
    """
    return samples_never_meet(graph) and not any(map(_depends_on_sizes, graph))


def samples_never_meet(graph: Graph) -> bool:
    """Tell whether each element of every value belongs to one sample, up to rounding."""
    return not any(_meet(node) for node in graph) and all(
        _keeps_batch_outermost(node, value.type)
        for node in graph
        for value in node.outputs
        if value.type.batch_axis is not None
    )


def _meet(node: Node) -> bool:
    """Tell whether elements of different samples meet or move: as of steps, with B for T."""
    types = tuple(map(_with_batch_as_time, node.input_types))
    return any(not t.is_static for t in types) and node.op.mixes_time(types)


def _depends_on_sizes(node: Node) -> bool:
    """NumPy's sums in an Einsum depend on all sizes, the batch included."""
    batched = any(t.batch_axis is not None for t in node.input_types)
    return isinstance(node.op, Einsum) and batched


def _with_batch_as_time(type_: TensorType) -> TensorType:
    return replace(type_.analog(), dims=tuple(map(_batch_as_time, type_.dims)))


def _batch_as_time(dim: Dim) -> Dim:
    if isinstance(dim, SymbolicDim):
        return SymbolicDim(dim.coefficient, 0, dim.batch) if dim.batch else 1
    return dim


def _keeps_batch_outermost(node: Node, result: TensorType) -> bool:
    """Tell whether the batch is the outermost factor of its axis, if it was in the operands."""
    sources = [t for t in node.input_types if t.batch_axis is not None]
    if isinstance(node.op, Reshape):
        return all(batch_prefix(t.dims) == batch_prefix(result.dims) for t in sources)
    axis_dim = _batch_dim(result)
    return axis_dim == B or any(_batch_dim(t) == axis_dim for t in sources)


def _batch_dim(type_: TensorType) -> Dim | None:
    """Give what one step of the batch axis holds; ``B`` where it shares it with time alone."""
    return next((per_step(dim) for dim in type_.dims if has_batch(dim)), None)

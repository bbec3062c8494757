"""Ops without synapses: movements cost nothing here, functions one evaluation an element."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from math import prod

import numpy as np

from spikec.energy.counts import Counts, Stores, Work
from spikec.energy.rules.affine import window_sum
from spikec.energy.site import Site, item
from spikec.ir import ops
from spikec.ir.layout import ONE
from spikec.ir.ops.activation import Softmax
from spikec.ir.ops.elementwise import Binary, Unary
from spikec.ir.ops.norm import TrailingNorm


def nothing(site: Site) -> Work:
    """Only moves elements, or is a name for them."""
    return Work()


def function(site: Site) -> Work:
    """One evaluation an element of the (larger) result or operand."""
    sizes = [site.of(value.type.size) for value in (*site.node.inputs, *site.node.outputs)]
    return traffic(site, Counts(others=max(sizes)))


def reduction(site: Site) -> Work:
    """One comparison an element that comes in."""
    return traffic(site, Counts(others=site.of(site.types().size)))


def windows(site: Site) -> Work:
    """The largest of each window: a comparison per element and window."""
    return traffic(site, Counts(others=int(site.fan_out().sum()) * site.runs))


def running(site: Site) -> Work:
    """Sum up to each element, along an axis: a sum an element."""
    return traffic(site, Counts(adds=site.of(site.result.size)))


def products(site: Site) -> Work:
    """One product an element that comes in."""
    return traffic(site, Counts(macs=site.of(site.types().size)))


def weighted(site: Site) -> Work:
    """What the op says of itself: a product for each element, or each of its taps."""
    dense = site.of(site.op.macs(site.node.input_types, site.node.output_types))
    return traffic(site, Counts(macs=dense))


def interpolated(site: Site) -> Work:
    """Resize: a product for each weight that is not 0, y = Σ W x by axis; a nearest pixel is none.

    Counted as if all axes were taken at once.
    """
    op = site.op
    if op.mode is ops.Interpolation.NEAREST:
        return Work()
    used = site.of(site.result.size) // prod(op.sizes)
    for axis, (size, scale) in enumerate(zip(op.sizes, op.scales, strict=True)):
        crop = op.crop[axis : axis + 1]
        alone = replace(op, sizes=(size,), scales=(scale,), crop=crop, extrapolation=0.0)
        (weights,) = alone.run((np.eye(site.types().step().shape(ONE)[axis - len(op.sizes)]),), ONE)
        used *= int(np.count_nonzero(weights))
    return traffic(site, Counts(macs=used))


def reduced(site: Site) -> Work:
    """Sum over axes: one synapse an element, or one sum."""
    fans = site.seen.fans
    fans.setdefault(site.node, np.ones(site.of(site.types().step().size), np.int64))
    return window_sum(site)


def traffic(site: Site, counts: Counts) -> Work:
    """Add the bytes of all operands, results and parameters, each used once."""
    read = sum(item(v.type) * site.of(v.type.size) for v in site.node.inputs)
    written = sum(item(v.type) * site.of(v.type.size) for v in site.node.outputs)
    weights = sum(array.data.nbytes for array in site.op.arrays.values())
    bytes_ = Counts(value_read=read, value_written=written, weight_read=weights * site.runs)
    return Work(counts + bytes_, Stores(weights, 0, read // site.runs, written // site.runs))


ELEMENTWISE: Mapping[type, Callable[[Site], Work]] = {
    **dict.fromkeys((ops.Input, ops.Output, ops.Constant), nothing),
    **dict.fromkeys((ops.Reshape, ops.Permute, ops.Slice, ops.Flip, ops.Pad, ops.Concat), nothing),
    **dict.fromkeys((ops.Expand, ops.Tile, ops.Gather, ops.Embedding, ops.Roll), nothing),
    **dict.fromkeys((ops.PixelShuffle, ops.PixelUnshuffle, ops.Cast, ops.Neg), nothing),
    **dict.fromkeys((Unary, Binary, Softmax, ops.Not, ops.Where, ops.TopK), function),
    **dict.fromkeys((ops.ReduceMax, ops.ReduceMin, ops.ArgMax, ops.AdaptiveMaxPool), reduction),
    **dict.fromkeys((ops.ReduceSum, ops.ReduceMean), reduced),
    **dict.fromkeys((ops.BatchNorm, TrailingNorm, ops.GroupNorm), weighted),
    ops.GridSample: weighted,
    ops.LocalResponseNorm: function,
    ops.MaxPool: windows,
    ops.CumSum: running,
    ops.ReduceProd: products,
    ops.Resize: interpolated,
}

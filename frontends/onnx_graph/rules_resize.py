"""Upsample, Resize and GridSample of every opset."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from spikec.frontends.onnx_graph.call import Call
from spikec.frontends.onnx_graph.entries import Entry
from spikec.frontends.onnx_graph.rule import Rules
from spikec.ir.dims import Dim, SymbolicDim
from spikec.ir.ops import (
    Cast,
    Coordinates,
    GridPadding,
    GridSample,
    Interpolation,
    Resize,
    Rounding,
)


@dataclass(frozen=True)
class Axis:
    """How one axis is resized: its size now, the wanted one, the factor, and the crop region."""

    size: int
    wanted: int
    scale: float
    crop: tuple[float, float] = (0.0, 1.0)


Axes = dict[int, Axis]
"""Resized axes, counted from the front."""


def upsample_by_attribute(call: Call) -> Entry:
    """Upsample of opset 7: scales are an attribute."""
    return _old(call, call.floats("scales") or ())


def upsample(call: Call) -> Entry:
    """Upsample of opset 9: scales are an operand."""
    return _old(call, _scales(call, 1) or ())


def resize_10(call: Call) -> Entry:
    """Resize of opset 10: asymmetric coordinates, nearest rounds down."""
    return _old(call, _scales(call, 1) or ())


def _old(call: Call, scales: tuple[float, ...]) -> Entry:
    axes = _by_scales(call, scales, tuple(range(len(call.dims(0)))))
    mode = call.text("mode", "nearest")
    return _emit(call, axes, Coordinates.ASYMMETRIC, mode, Rounding.FLOOR)


def resize(call: Call) -> Entry:
    """Resize from opset 11 on: operands x, roi, scales, sizes."""
    rank = len(call.dims(0))
    named = call.ints("axes") if call.opset >= 18 else None
    chosen = tuple(range(rank)) if named is None else tuple(call.front(a, rank) for a in named)
    scales = _scales(call, 2)
    axes = _by_scales(call, scales, chosen) if scales else _by_sizes(call, chosen)
    coordinates = call.text("coordinate_transformation_mode", "half_pixel")
    if coordinates not in _COORDINATES:
        call.refuse(f"coordinate_transformation_mode {coordinates!r} is unknown")
    where = _COORDINATES[coordinates]
    if where is Coordinates.CROP:
        axes = _cropped(call, axes, chosen)
    rounding = call.text("nearest_mode", "round_prefer_floor")
    if rounding not in _ROUNDINGS:
        call.refuse(f"nearest_mode {rounding!r} is unknown")
    mode, pixel = call.text("mode", "nearest"), _ROUNDINGS[rounding]
    if coordinates == "tf_half_pixel_for_nn":
        # its coordinate (o + 1/2) / s rounded down is half_pixel's rounded to the nearest
        if mode != "nearest" or pixel is not Rounding.FLOOR:
            call.refuse("tf_half_pixel_for_nn with anything but nearest and floor")
        pixel = Rounding.PREFER_CEIL
    return _emit(call, axes, where, mode, pixel)


def _scales(call: Call, index: int) -> tuple[float, ...] | None:
    array = call.optional(index, "scales")
    return None if array is None or not array.size else tuple(float(s) for s in array)


def _by_scales(call: Call, scales: tuple[float, ...], chosen: tuple[int, ...]) -> Axes:
    if len(scales) != len(chosen):
        call.refuse(f"{len(scales)} scales for {len(chosen)} axes")
    axes = {}
    for axis, scale in zip(chosen, scales, strict=True):
        if scale != 1:
            size = _number(call, call.dims(0)[axis], axis)
            axes[axis] = Axis(size, math.floor(size * scale), scale)
    return axes


def _by_sizes(call: Call, chosen: tuple[int, ...]) -> Axes:
    wanted = call.sizes(3, "sizes")
    dims = call.dims(0)
    if len(wanted) != len(chosen):
        call.refuse(f"{len(wanted)} sizes for {len(chosen)} axes")
    policy = call.text("keep_aspect_ratio_policy", "stretch")
    changed = {a: w for a, w in zip(chosen, wanted, strict=True) if dims[a] != w}
    if policy != "stretch":
        return _keeping_ratio(call, dict(zip(chosen, wanted, strict=True)), policy)
    axes = {}
    for axis, target in changed.items():
        size, goal = _number(call, dims[axis], axis), _number(call, target, axis)
        axes[axis] = Axis(size, goal, goal / size)
    return axes


def _keeping_ratio(call: Call, wanted: dict[int, Dim], policy: str) -> Axes:
    """One scale for all axes: the smallest or the largest of those asked for."""
    if policy not in ("not_larger", "not_smaller"):
        call.refuse(f"keep_aspect_ratio_policy {policy!r} is unknown")
    sizes = {axis: _number(call, call.dims(0)[axis], axis) for axis in wanted}
    ratios = [_number(call, goal, axis) / sizes[axis] for axis, goal in wanted.items()]
    scale = min(ratios) if policy == "not_larger" else max(ratios)
    return {a: Axis(n, math.floor(n * scale + 0.5), scale) for a, n in sizes.items()}


def _cropped(call: Call, axes: Axes, chosen: tuple[int, ...]) -> Axes:
    """Give every chosen axis its region of interest, also where its size stays."""
    roi = call.known(1, "region of interest")
    if roi.size != 2 * len(chosen):
        call.refuse(f"a region of interest of {roi.size} numbers for {len(chosen)} axes")
    result: Axes = {}
    for index, axis in enumerate(chosen):
        crop = (float(roi[index]), float(roi[index + len(chosen)]))
        if axis not in axes and crop == (0.0, 1.0):
            continue
        size = _number(call, call.dims(0)[axis], axis)
        found = axes.get(axis, Axis(size, size, 1.0))
        result[axis] = Axis(found.size, found.wanted, found.scale, crop)
    return result


def _number(call: Call, dim: Dim, axis: int) -> int:
    if isinstance(dim, SymbolicDim):
        call.refuse(f"it resizes axis {axis}, whose size is {dim}", "resize spatial axes only")
    return dim


def _emit(call: Call, axes: Axes, coordinates: Coordinates, mode: str, rounding: Rounding) -> Entry:
    """Emit the op over the trailing axes from the first resized one on."""
    x = call.value(0)
    if mode not in _MODES:
        call.refuse(f"mode {mode!r} is unknown")
    if not axes:
        return x
    rank = x.type.rank
    tail = [
        axes.get(axis) or Axis(size, size, 1.0)
        for axis in range(min(axes), rank)
        for size in [_number(call, x.type.dims[axis], axis)]
    ]
    crop = tuple(axis.crop for axis in tail) if coordinates is Coordinates.CROP else ()
    op = Resize(
        tuple(axis.wanted for axis in tail),
        tuple(axis.scale for axis in tail),
        _MODES[mode],
        coordinates,
        rounding,
        call.real("cubic_coeff_a", -0.75),
        bool(call.integer("exclude_outside", 0)),
        bool(call.integer("antialias", 0)) if call.opset >= 18 else False,
        crop,
        call.real("extrapolation_value", 0.0),
    )
    return call.emit(op, x)


def grid_sample_16(call: Call) -> Entry:
    """GridSample of opset 16: images only, and their names of the modes."""
    return _grid_sample(call, call.text("mode", "bilinear"), _GRID_MODES_16)


def grid_sample(call: Call) -> Entry:
    """GridSample from opset 20 on: any number of spatial axes."""
    return _grid_sample(call, call.text("mode", "linear"), _GRID_MODES)


def _grid_sample(call: Call, mode: str, modes: Mapping[str, Interpolation]) -> Entry:
    padding = call.text("padding_mode", "zeros")
    if mode not in modes:
        call.refuse(f"mode {mode!r} is unknown")
    if padding not in _GRID_PADDINGS:
        call.refuse(f"padding_mode {padding!r} is unknown")
    x, grid = call.value(0), call.value(1)
    if grid.type.dtype is not x.type.dtype:
        grid = call.emit(Cast(x.type.dtype), grid)
    corners = bool(call.integer("align_corners", 0))
    return call.emit(GridSample(modes[mode], _GRID_PADDINGS[padding], corners), x, grid)


_MODES = {
    "nearest": Interpolation.NEAREST,
    "linear": Interpolation.LINEAR,
    "bilinear": Interpolation.LINEAR,
    "cubic": Interpolation.CUBIC,
}

_COORDINATES = {
    "half_pixel": Coordinates.HALF_PIXEL,
    "half_pixel_symmetric": Coordinates.HALF_PIXEL_SYMMETRIC,
    "pytorch_half_pixel": Coordinates.PYTORCH_HALF_PIXEL,
    "align_corners": Coordinates.ALIGN_CORNERS,
    "asymmetric": Coordinates.ASYMMETRIC,
    "tf_half_pixel_for_nn": Coordinates.HALF_PIXEL,
    "tf_crop_and_resize": Coordinates.CROP,
}

_ROUNDINGS = {
    "round_prefer_floor": Rounding.PREFER_FLOOR,
    "round_prefer_ceil": Rounding.PREFER_CEIL,
    "floor": Rounding.FLOOR,
    "ceil": Rounding.CEIL,
}

_GRID_MODES_16 = {
    "nearest": Interpolation.NEAREST,
    "bilinear": Interpolation.LINEAR,
    "bicubic": Interpolation.CUBIC,
}

_GRID_MODES = {
    "nearest": Interpolation.NEAREST,
    "linear": Interpolation.LINEAR,
    "cubic": Interpolation.CUBIC,
}

_GRID_PADDINGS = {padding.value: padding for padding in GridPadding}

RULES: Mapping[str, Rules] = {
    "GridSample": {16: grid_sample_16, 20: grid_sample},
    "Resize": {10: resize_10, 11: resize},
    "Upsample": {7: upsample_by_attribute, 9: upsample},
}

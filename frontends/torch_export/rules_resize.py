"""Rules for interpolation: to other sizes, and at given positions."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from spikec.frontends.torch_export.rule import Rule, Rules, shared
from spikec.frontends.torch_export.scope import Operand, Scope
from spikec.ir import Value, ops
from spikec.ir.ops import Coordinates, GridPadding, Interpolation, Rounding

aten = torch.ops.aten
Scales = Sequence[float | None] | None


def _resize(
    s: Scope,
    x: Operand,
    rank: int,
    mode: Interpolation,
    coordinates: Coordinates,
    scales: Scales,
    rounding: Rounding = Rounding.FLOOR,
    *,
    antialias: bool = False,
) -> Value:
    """Resample the last axes to the sizes that torch computed."""
    sizes = tuple(int(size) for size in s.result.shape[-rank:])
    given = scales or (None,) * rank
    factors = tuple(
        size / s.size(x, position - rank) if factor is None else float(factor)
        for position, (size, factor) in enumerate(zip(sizes, given, strict=True))
    )
    # when torch smooths, it takes a = -1/2 and leaves pixels outside of the image out
    cubic = -0.5 if antialias else -0.75
    op = ops.Resize(sizes, factors, mode, coordinates, rounding, cubic, antialias, antialias)
    return s.emit(op, x)


def nearest(rank: int, *, exact: bool) -> Rule:
    """Make the rule for one number of axes: pixel ⌊o/s⌋, or with ``exact`` ⌊(o + 1/2)/s⌋."""
    coordinates = Coordinates.HALF_PIXEL if exact else Coordinates.ASYMMETRIC
    rounding = Rounding.PREFER_CEIL if exact else Rounding.FLOOR

    def rule(s: Scope, x: Operand, output_size: object, scales: Scales = None) -> Value:
        return _resize(s, x, rank, Interpolation.NEAREST, coordinates, scales, rounding)

    return rule


def nearest_core(rank: int, *, exact: bool) -> Rule:
    """Make the same for core ATen, which has one argument per scale."""
    rule = nearest(rank, exact=exact)

    def core(s: Scope, x: Operand, output_size: object, *scales: float | None) -> Value:
        y: Value = rule(s, x, output_size, _padded(scales, rank))
        return y

    return core


def smooth(rank: int, mode: Interpolation, *, antialias: bool = False) -> Rule:
    """Make the rule for linear or cubic interpolation."""

    def rule(
        s: Scope, x: Operand, output_size: object, align_corners: bool, scales: Scales = None
    ) -> Value:
        coordinates = Coordinates.ALIGN_CORNERS if align_corners else Coordinates.HALF_PIXEL
        return _resize(s, x, rank, mode, coordinates, scales, antialias=antialias)

    return rule


def smooth_core(rank: int, mode: Interpolation, *, antialias: bool = False) -> Rule:
    """Make the same for core ATen."""
    rule = smooth(rank, mode, antialias=antialias)

    def core(
        s: Scope, x: Operand, output_size: object, align_corners: bool, *scales: float | None
    ) -> Value:
        y: Value = rule(s, x, output_size, align_corners, _padded(scales, rank))
        return y

    return core


def _padded(scales: Sequence[float | None], rank: int) -> Scales:
    return [*scales, *(None,) * (rank - len(scales))]


def grid_sample(
    s: Scope, x: Operand, grid: Operand, mode: int, padding: int, align_corners: bool
) -> Value:
    """Sample at positions from -1 to 1; torch numbers the modes."""
    op = ops.GridSample(_GRID_MODES[mode], _GRID_PADDINGS[padding], align_corners)
    return s.emit(op, x, grid)


_LINEAR, _CUBIC = Interpolation.LINEAR, Interpolation.CUBIC
_GRID_MODES = (_LINEAR, Interpolation.NEAREST, _CUBIC)
_GRID_PADDINGS = (GridPadding.ZEROS, GridPadding.BORDER, GridPadding.REFLECTION)
RULES: Rules = {
    aten.upsample_nearest1d.vec: nearest(1, exact=False),
    aten.upsample_nearest2d.vec: nearest(2, exact=False),
    aten.upsample_nearest3d.vec: nearest(3, exact=False),
    aten._upsample_nearest_exact1d.vec: nearest(1, exact=True),
    aten._upsample_nearest_exact2d.vec: nearest(2, exact=True),
    aten._upsample_nearest_exact3d.vec: nearest(3, exact=True),
    aten.upsample_linear1d.vec: smooth(1, _LINEAR),
    aten.upsample_bilinear2d.vec: smooth(2, _LINEAR),
    aten.upsample_trilinear3d.vec: smooth(3, _LINEAR),
    aten.upsample_bicubic2d.vec: smooth(2, _CUBIC),
    aten._upsample_bilinear2d_aa.vec: smooth(2, _LINEAR, antialias=True),
    aten._upsample_bicubic2d_aa.vec: smooth(2, _CUBIC, antialias=True),
    aten.upsample_nearest1d.default: nearest_core(1, exact=False),
    aten.upsample_nearest2d.default: nearest_core(2, exact=False),
    aten.upsample_nearest3d.default: nearest_core(3, exact=False),
    aten._upsample_nearest_exact1d.default: nearest_core(1, exact=True),
    aten._upsample_nearest_exact2d.default: nearest_core(2, exact=True),
    aten._upsample_nearest_exact3d.default: nearest_core(3, exact=True),
    aten.upsample_linear1d.default: smooth_core(1, _LINEAR),
    aten.upsample_trilinear3d.default: smooth_core(3, _LINEAR),
    aten._upsample_bilinear2d_aa.default: smooth_core(2, _LINEAR, antialias=True),
    aten._upsample_bicubic2d_aa.default: smooth_core(2, _CUBIC, antialias=True),
    **shared(
        grid_sample,
        *(aten.grid_sampler.default, aten.grid_sampler_2d.default, aten.grid_sampler_3d.default),
    ),
}

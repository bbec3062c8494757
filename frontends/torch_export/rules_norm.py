"""Rules for normalisations in evaluation mode."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from spikec.errors import DataError
from spikec.frontends.common import Refused
from spikec.frontends.torch_export.rule import Rules, Unavailable
from spikec.frontends.torch_export.scope import Known, Operand, Scope
from spikec.ir import Array, Value, ops
from spikec.ir.dims import Dim, divide

aten = torch.ops.aten
_MOMENT = Unavailable("a mean or deviation, which only gradients need")
BATCH_STATISTICS = (
    "normalises by the statistics of the batch at hand",
    "call model.eval() before the export, and keep track_running_stats=True",
)


def batch_norm(
    s: Scope,
    x: Operand,
    weight: Operand | None,
    bias: Operand | None,
    mean: Operand | None,
    variance: Operand | None,
    eps: float,
) -> Value:
    """Batch normalisation with running statistics; channels are axis 1."""
    if mean is None or variance is None:
        raise Refused(*BATCH_STATISTICS)
    return s.emit(
        ops.BatchNorm(
            _finite(s.array(mean, "the running mean"), "running mean"),
            _finite(s.array(variance, "the running variance"), "running variance"),
            s.optional_array(weight, "the weight of a normalisation"),
            s.optional_array(bias, "the bias of a normalisation"),
            eps,
            s.axis(1, x),
        ),
        x,
    )


def batch_norm_no_training(
    s: Scope,
    x: Operand,
    weight: Operand | None,
    bias: Operand | None,
    mean: Operand,
    variance: Operand,
    momentum: float,
    eps: float,
) -> tuple[Any, ...]:
    """As decomposition leaves it: two more results, which are empty."""
    return _first_of_three(batch_norm(s, x, weight, bias, mean, variance, eps))


def norm_without_statistics(
    s: Scope,
    x: Operand,
    weight: Operand | None,
    bias: Operand | None,
    training: bool,
    momentum: float,
    eps: float,
) -> tuple[Any, ...]:
    """Core ATen's instance norm: all samples' channels on one axis behind an axis of 1."""
    dims = s.dims(x)
    channels = [_repeated(s, p, dims[1]) for p in (weight, bias) if p is not None]
    if dims[0] != 1 or isinstance(dims[1], int) or len(channels) == 1 or training is False:
        raise Refused(*BATCH_STATISTICS)
    if not channels:
        return _first_of_three(s.emit(ops.LayerNorm(len(dims) - 2, None, None, eps), x))
    count = channels[0].size
    samples = divide(dims[1], count)
    if samples is None:
        raise Refused(*BATCH_STATISTICS)
    apart = s.reshape(x, (samples, count, *dims[2:]), part="samples")
    y = s.emit(ops.GroupNorm(count, channels[0], channels[1], eps, 1 - len(dims)), apart)
    return _first_of_three(s.reshape(y, dims))


def _repeated(s: Scope, x: Operand, wide: Dim) -> Array:
    """Give what a constant repeats for each sample."""
    if not isinstance(x, Known) or isinstance(wide, int):
        raise Refused(*BATCH_STATISTICS)
    rows = [
        sample.reshape(probe.batch, -1)
        for sample, probe in zip(x.samples, s.batch.probes, strict=True)
    ]
    if not all(torch.equal(rows[0][:1].expand_as(row), row) for row in rows):
        raise Refused(*BATCH_STATISTICS)
    return s.array(Known.of(rows[0][0]))


def layer_norm(
    s: Scope,
    x: Operand,
    shape: Sequence[int],
    weight: Operand | None = None,
    bias: Operand | None = None,
    eps: float = 1e-5,
    cudnn_enable: bool = False,
) -> Value:
    """Normalisation over the last axes."""
    if all(p is None or isinstance(p, Known) for p in (weight, bias)):
        scale, shift = s.optional_array(weight), s.optional_array(bias)
        return s.emit(ops.LayerNorm(len(shape), scale, shift, eps), x)
    y = s.emit(ops.LayerNorm(len(shape), None, None, eps), x)
    y = y if weight is None else s.emit(ops.Mul(), y, weight, part="scaled")
    return y if bias is None else s.emit(ops.Add(), y, bias, part="shifted")


def native_layer_norm(
    s: Scope,
    x: Operand,
    shape: Sequence[int],
    weight: Operand | None,
    bias: Operand | None,
    eps: float,
) -> tuple[Any, ...]:
    """Core ATen's form: mean and reciprocal deviation are further results."""
    return _first_of_three(layer_norm(s, x, shape, weight, bias, eps))


def group_norm(
    s: Scope,
    x: Operand,
    groups: int,
    weight: Operand | None = None,
    bias: Operand | None = None,
    eps: float = 1e-5,
    cudnn_enabled: bool = True,
) -> Value:
    """Normalisation over blocks of channels."""
    scale = s.optional_array(weight, "the weight of a normalisation")
    shift = s.optional_array(bias, "the bias of a normalisation")
    return s.emit(ops.GroupNorm(groups, scale, shift, eps, s.axis(1, x)), x)


def native_group_norm(
    s: Scope,
    x: Operand,
    weight: Operand | None,
    bias: Operand | None,
    batch: object,
    channels: int,
    positions: int,
    groups: int,
    eps: float,
) -> tuple[Any, ...]:
    """Core ATen's form."""
    return _first_of_three(group_norm(s, x, groups, weight, bias, eps))


def instance_norm(
    s: Scope,
    x: Operand,
    weight: Operand | None,
    bias: Operand | None,
    mean: Operand | None,
    variance: Operand | None,
    use_input_stats: bool,
    momentum: float,
    eps: float,
    cudnn_enabled: bool,
) -> Value:
    """One group per channel, or batch normalisation where statistics are kept."""
    if not use_input_stats:
        return batch_norm(s, x, weight, bias, mean, variance, eps)
    return group_norm(s, x, s.size(x, 1), weight, bias, eps)


def rms_norm(
    s: Scope,
    x: Operand,
    shape: Sequence[int],
    weight: Operand | None = None,
    eps: float | None = None,
) -> Value:
    """Y = weight x / sqrt(mean(x²) + eps); eps is by default that of the element type."""
    least = torch.finfo(s.dtype(x)).eps if eps is None else eps
    return s.emit(ops.RMSNorm(len(shape), s.optional_array(weight, "the weight"), least), x)


def fused_rms_norm(
    s: Scope,
    x: Operand,
    shape: Sequence[int],
    weight: Operand | None = None,
    eps: float | None = None,
) -> tuple[Any, ...]:
    """Core ATen's form."""
    return rms_norm(s, x, shape, weight, eps), _MOMENT


def _first_of_three(y: Value) -> tuple[Any, ...]:
    return y, _MOMENT, _MOMENT


def _finite(statistics: Array, name: str) -> Array:
    if not np.isfinite(statistics.data).all():
        raise DataError(
            f"the {name} of a batch normalisation is not finite",
            expected="finite numbers",
            remedy="load another checkpoint, or find where training diverged",
        )
    return statistics


RULES: Rules = {
    aten._native_batch_norm_legit_no_training.default: batch_norm_no_training,
    aten._native_batch_norm_legit.no_stats: norm_without_statistics,
    aten.layer_norm.default: layer_norm,
    aten.native_layer_norm.default: native_layer_norm,
    aten.group_norm.default: group_norm,
    aten.native_group_norm.default: native_group_norm,
    aten.instance_norm.default: instance_norm,
    aten.rms_norm.default: rms_norm,
    aten._fused_rms_norm.default: fused_rms_norm,
}

"""Rules for fused attention: it becomes matrix products, a mask and a softmax."""

from __future__ import annotations

import math
from typing import Any

import torch

from spikec.frontends.common import Refused
from spikec.frontends.torch_export.rule import Rules, Unavailable
from spikec.frontends.torch_export.rules_shape import repeat_interleave
from spikec.frontends.torch_export.scope import Known, Operand, Scope
from spikec.ir import Value, ops

aten = torch.ops.aten


def attention(
    s: Scope,
    query: Operand,
    key: Operand,
    value: Operand,
    attn_mask: Operand | None = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    *,
    scale: float | None = None,
    enable_gqa: bool = False,
) -> Value:
    """softmax(scale q kᵀ + mask) v."""
    if dropout_p > 0:
        raise Refused(
            "drops attention weights at random",
            expected="dropout_p = 0 in evaluation mode",
            remedy="pass dropout_p=self.p if self.training else 0.0",
        )
    if enable_gqa:
        key, value = (_shared_heads(s, x, query) for x in (key, value))
    factor = 1 / math.sqrt(s.size(query, -1)) if scale is None else scale
    swapped = s.emit(ops.Permute((-1, -2)), key, part="transposed")
    scores = s.emit(ops.Matmul(), query, swapped, part="scores")
    scores = s.emit(ops.Mul(), scores, s.scalar(factor, s.dtype(query)), part="scaled")
    if is_causal:
        rows, columns = s.size(query, -2), s.size(key, -2)
        attn_mask = Known.of(torch.ones(rows, columns, dtype=torch.bool).tril())
    weights = _masked_softmax(s, scores, attn_mask)
    return s.emit(ops.Matmul(), weights, value)


def _shared_heads(s: Scope, x: Operand, query: Operand) -> Operand:
    """Repeat heads that several query heads share."""
    times = s.size(query, -3) // s.size(x, -3)
    return x if times == 1 else repeat_interleave(s, x, times, s.rank(x) - 3)


def _masked_softmax(s: Scope, scores: Value, mask: Operand | None) -> Value:
    """Softmax over the last axis; a row whose mask is empty gives 0, as torch has it."""
    if mask is None:
        return s.emit(ops.Softmax(-1), scores, part="softmax")
    dtype = s.dtype(scores)
    if s.dtype(mask) is not torch.bool:
        moved = s.emit(ops.Add(), scores, s.cast(mask, dtype), part="masked")
        return s.emit(ops.Softmax(-1), moved, part="softmax")
    least = s.scalar(torch.finfo(dtype).min, dtype)
    moved = s.emit(ops.Where(), mask, scores, least, part="masked")
    weights = s.emit(ops.Softmax(-1), moved, part="softmax")
    if isinstance(mask, Known) and all(bool(m.any(-1).all()) for m in mask.samples):
        return weights
    return s.emit(ops.Mul(), weights, s.cast(mask, dtype), part="kept")


def flash_attention(
    s: Scope,
    query: Operand,
    key: Operand,
    value: Operand,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    *,
    attn_mask: Operand | None = None,
    scale: float | None = None,
) -> tuple[Any, ...]:
    """Core ATen's form on CPUs; its second result only serves gradients."""
    y = attention(s, query, key, value, attn_mask, dropout_p, is_causal, scale=scale)
    return y, Unavailable("the log-sum of attention weights, which only gradients need")


RULES: Rules = {
    aten.scaled_dot_product_attention.default: attention,
    aten._scaled_dot_product_flash_attention_for_cpu.default: flash_attention,
}

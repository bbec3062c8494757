"""RULES: every ATen operator that can be imported, and the function that does it."""

from __future__ import annotations

import torch

from spikec.frontends.common import Refused
from spikec.frontends.torch_export import (
    rules_activation,
    rules_affine,
    rules_attention,
    rules_constant,
    rules_logic,
    rules_merge,
    rules_norm,
    rules_pool,
    rules_reduce,
    rules_resize,
    rules_select,
    rules_shape,
    rules_spiking,
    rules_time,
    rules_write,
)
from spikec.frontends.torch_export.rule import Rule, Rules


def rule_for(target: torch._ops.OpOverload) -> Rule:
    """Find the rule of an operator, or refuse it with the reason, where one is known."""
    rule = RULES.get(target) or rules_affine.NAMED_RULES.get(target._schema.name)
    if rule is None:
        reason, remedy = UNSUPPORTED.get(target, _UNKNOWN)
        raise Refused(reason, remedy)
    return rule


aten = torch.ops.aten
_UNKNOWN = (
    "there is no rule for this operator",
    "express it by other operators, or leave this part outside of the model",
)
_RECURRENT = (
    "a recurrent layer: its state runs along the sequence",
    "unroll it over the time steps, or use a spiking or convolutional layer in its place",
)
_COMPLEX = (
    "computes with complex numbers",
    "keep real and imaginary parts in tensors of their own",
)
_RANDOM = ("draws random numbers", "call model.eval(), or remove the noise")
UNSUPPORTED: dict[torch._ops.OpOverload, tuple[str, str]] = {
    aten._native_batch_norm_legit.default: rules_norm.BATCH_STATISTICS,
    aten._native_batch_norm_legit_functional.default: rules_norm.BATCH_STATISTICS,
    aten.lstm.input: _RECURRENT,
    aten.gru.input: _RECURRENT,
    aten.rnn_tanh.input: _RECURRENT,
    aten.rnn_relu.input: _RECURRENT,
    aten.lstm_cell.default: _RECURRENT,
    aten.gru_cell.default: _RECURRENT,
    aten.rnn_tanh_cell.default: _RECURRENT,
    aten.rnn_relu_cell.default: _RECURRENT,
    aten.complex.default: _COMPLEX,
    aten.view_as_complex.default: _COMPLEX,
    aten.fft_rfft.default: _COMPLEX,
    aten.fft_fft.default: _COMPLEX,
    aten.bernoulli.default: _RANDOM,
    aten.dropout.default: _RANDOM,
    aten.rand_like.default: _RANDOM,
    aten.randn_like.default: _RANDOM,
}
"""Operators whose refusal deserves a better reason than that there is no rule."""

RULES: Rules = {
    **rules_affine.RULES,
    **rules_norm.RULES,
    **rules_activation.RULES,
    **rules_pool.RULES,
    **rules_shape.RULES,
    **rules_select.RULES,
    **rules_write.RULES,
    **rules_merge.RULES,
    **rules_reduce.RULES,
    **rules_logic.RULES,
    **rules_resize.RULES,
    **rules_attention.RULES,
    **rules_constant.RULES,
    **rules_spiking.RULES,
    **rules_time.RULES,  # in the place of some of the above, which they fall back to
}

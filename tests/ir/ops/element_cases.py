"""Cases of elementwise functions: activations, elementary functions, arithmetic, logic."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812  (PyTorch's own name for it)

from spikec.ir import Array, DType, Op, ops
from tests.ir.ops.cases import (
    Case,
    Draw,
    Truth,
    as_tensor,
    f32,
    halves,
    normal,
    positive,
    static,
    typed,
    weights,
)


def _unary(op: Op, truth: Truth, draw: Draw = normal, note: str = "") -> Case:
    return Case(op, (f32(3, 4),), truth, draw, note=note)


SLOPE = weights(3, 1)
STEP = weights(3, 1, low=0.2)
ONE = Array(np.float32(1))
SELU_ALPHA, SELU_SCALE = 1.6732632423543772, 1.0507009873554805

ACTIVATIONS = (
    _unary(ops.ReLU(), F.relu, halves),
    _unary(ops.Clip(0.0, 6.0), F.relu6, note="relu6"),
    _unary(ops.Clip(-0.7, None), lambda x: x.clamp(min=-0.7), note="low"),
    _unary(ops.Clip(None, 0.7), lambda x: x.clamp(max=0.7), note="high"),
    _unary(ops.LeakyReLU(0.2), lambda x: F.leaky_relu(x, 0.2)),
    Case(ops.PReLU(SLOPE), (f32(3, 4),), lambda x: F.prelu(x, as_tensor(SLOPE, x).flatten())),
    _unary(ops.ThresholdedReLU(0.5), lambda x: F.threshold(x, 0.5, 0.0), halves),
    _unary(ops.ELU(1.3), lambda x: F.elu(x, 1.3)),
    _unary(ops.ELU(SELU_ALPHA, SELU_SCALE), F.selu, note="selu"),
    _unary(ops.ELU(1.7, 1.0, 1.7), lambda x: F.celu(x, 1.7), note="celu"),
    _unary(ops.GELU(), F.gelu),
    _unary(ops.GELU(tanh=True), lambda x: F.gelu(x, approximate="tanh"), note="tanh"),
    _unary(ops.Sigmoid(), torch.sigmoid),
    _unary(ops.SiLU(), F.silu),
    _unary(ops.Mish(), F.mish),
    # PyTorch takes x for softplus(x) above a threshold: it must lie beyond the data
    _unary(ops.Softplus(1.7), lambda x: F.softplus(x, 1.7, threshold=100)),
    _unary(ops.Softsign(), F.softsign),
    _unary(ops.Tanh(), torch.tanh),
    _unary(ops.HardSigmoid(), F.hardsigmoid),
    _unary(ops.HardSwish(), F.hardswish),
    _unary(
        ops.QuantReLU(STEP, 4),
        lambda x: as_tensor(STEP, x) * torch.round(x / as_tensor(STEP, x)).clamp(0, 4),
    ),
    _unary(
        ops.QuantReLU(STEP, 4, low=-2),
        lambda x: as_tensor(STEP, x) * torch.round(x / as_tensor(STEP, x)).clamp(-2, 4),
        note="signed",
    ),
    _unary(
        ops.Quantise(STEP, -3, 2),
        lambda x: as_tensor(STEP, x) * torch.round(x / as_tensor(STEP, x)).clamp(-3, 2),
    ),
    _unary(
        ops.Quantise(STEP, -1, 2, ONE),
        lambda x: torch.round(x / as_tensor(STEP, x)).clamp(-1, 2),
        note="counts",
    ),
    _unary(ops.Softmax(-1), lambda x: F.softmax(x, -1)),
    _unary(ops.Softmax(-2, log=True), lambda x: F.log_softmax(x, -2), note="log"),
)

ELEMENTARY = (
    _unary(ops.Abs(), torch.abs),
    _unary(ops.Neg(), torch.neg),
    _unary(ops.Sign(), torch.sign, halves),
    _unary(ops.Exp(), torch.exp),
    _unary(ops.Log(), torch.log, positive),
    _unary(ops.Sqrt(), torch.sqrt, positive),
    _unary(ops.Reciprocal(), torch.reciprocal, positive),
    _unary(ops.Erf(), torch.erf),
    _unary(ops.Sin(), torch.sin),
    _unary(ops.Cos(), torch.cos),
    _unary(ops.Tan(), torch.tan, lambda rng, shape: rng.uniform(-1.4, 1.4, shape)),
    _unary(ops.Atan(), torch.atan),
    _unary(ops.Floor(), torch.floor),
    _unary(ops.Ceil(), torch.ceil),
    _unary(ops.Round(), torch.round, halves),
    _unary(ops.Cast(DType.I64), lambda x: x.to(torch.int64), note="to-integers"),
    _unary(ops.Cast(DType.BOOL), lambda x: x.to(torch.bool), halves, note="to-bool"),
    _unary(ops.Cast(DType.F16), lambda x: x.to(torch.float16), note="to-half"),
    Case(ops.Abs(), (typed(DType.I32, 3),), torch.abs, note="integers"),
    Case(ops.Neg(), (typed(DType.I64, 3),), torch.neg, note="integers"),
    Case(ops.ReLU(), (typed(DType.I8, 3),), F.relu, note="integers"),
    Case(ops.Clip(1.0, 4.0), (typed(DType.I64, 9),), lambda x: x.clamp(1, 4), note="integers"),
    Case(ops.Cast(DType.F32), (typed(DType.I64, 3),), lambda x: x.to(torch.float32), note="from"),
)

BINARY: tuple[tuple[Op, Truth, Draw], ...] = (
    (ops.Add(), torch.add, normal),
    (ops.Sub(), torch.sub, normal),
    (ops.Mul(), torch.mul, normal),
    (ops.Div(), torch.div, positive),
    (ops.Pow(), torch.pow, positive),
    (ops.Maximum(), torch.maximum, normal),
    (ops.Minimum(), torch.minimum, normal),
    (ops.FloorMod(), torch.remainder, normal),
    (ops.Equal(), torch.eq, halves),
    (ops.Less(), torch.lt, halves),
    (ops.LessEqual(), torch.le, halves),
    (ops.Greater(), torch.gt, halves),
    (ops.GreaterEqual(), torch.ge, halves),
)
LOGIC: tuple[tuple[Op, Truth], ...] = (
    (ops.And(), torch.logical_and),
    (ops.Or(), torch.logical_or),
    (ops.Xor(), torch.logical_xor),
)


def _quotient(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    return torch.div(a, b + 1, rounding_mode="trunc")


MERGES = (
    *(Case(op, (f32(3, 4), f32(3, 4)), truth, draw) for op, truth, draw in BINARY),
    *(
        Case(op, (static(3, 1), f32(3, 4)), truth, draw, note="broadcast")
        for op, truth, draw in BINARY
    ),
    *(Case(op, (typed(DType.BOOL, 9), typed(DType.BOOL, 9)), truth) for op, truth in LOGIC),
    Case(ops.Not(), (typed(DType.BOOL, 9),), torch.logical_not),
    Case(
        ops.Where(),
        (typed(DType.BOOL, 3, 1), f32(3, 4), static(4)),
        torch.where,
    ),
    Case(ops.Matmul(), (f32(3, 4), f32(4, 5)), torch.matmul, note="batched"),
    Case(ops.Matmul(), (f32(3, 4), static(4, 5)), torch.matmul, note="matrix"),
    Case(ops.Matmul(), (f32(3, 4), static(4)), torch.matmul, note="vector"),
    Case(ops.Matmul(), (static(4), f32(4, 3)), torch.matmul, note="vector-first"),
    Case(ops.Matmul(), (f32(1, 2, 3, 4), f32(5, 1, 4, 2)), torch.matmul, note="broadcast"),
    Case(
        ops.Einsum("...hid,...hjd->...hij"),
        (f32(2, 3, 4), f32(2, 5, 4)),
        lambda a, b: torch.einsum("...hid,...hjd->...hij", a, b),
        note="attention",
    ),
    Case(
        ops.Einsum("bij,jk,bk->bi"),
        (f32(2, 3), static(3, 4), f32(4)),
        lambda a, b, c: torch.einsum("bij,jk,bk->bi", a, b, c),
        trailing=False,
        note="three",
    ),
)

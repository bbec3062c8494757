"""Encoders among layers that are learned: they run as they are, and nothing flows back."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from spikec.ir import Array, DType, Sizes, TensorType, ops
from spikec.ir.dims import B, T
from spikec.runtime.bptt.neurons import Setting

ENCODERS = (ops.Poisson, ops.Latency, ops.Phase, ops.Burst, ops.DeltaEncode)


def encoded(op: Any, x: Tensor, setting: Setting) -> Tensor:
    """Go through [steps, samples, ...] by the op's own steps."""
    values = x.detach().cpu().numpy()
    arrays = {n: Array(setting.constants(a).detach().cpu().numpy()) for n, a in op.arrays.items()}
    own = replace(op, **arrays)
    kind = TensorType((T, B, *values.shape[2:]), DType(str(values.dtype).replace("float", "f")))
    state = own.initial((kind,), Sizes(values.shape[1], 1), values.dtype)
    found = np.empty_like(values)
    for time in range(1, len(values) + 1):
        state, (found[time - 1 : time],) = own.step(state, (values[time - 1 : time],), time)
    return torch.from_numpy(found).to(x.device)

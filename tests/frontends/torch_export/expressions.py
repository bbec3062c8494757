"""The PyTorch expressions of the cases of ops, as modules."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

import numpy as np
import torch

from spikec.ir import TensorType
from tests.frontends.torch_export.helpers import Part
from tests.ir.ops.cases import Case
from tests.ir.ops.every_case import FAMILIES


class Expression(Part):
    """What a case says is right; operands without a batch are constants of the module."""

    def __init__(self, case: Case) -> None:
        super().__init__()
        self.case = case
        for index, (type_, value) in enumerate(self._operands(2)):
            if type_.batch_axis is None:
                self.register_buffer(f"c{index}", value)

    def inputs(self, batch: int) -> dict[Hashable, torch.Tensor]:
        case = self.case
        return {
            (case.operands, case.draw, index): value
            for index, (type_, value) in enumerate(self._operands(batch))
            if type_.batch_axis is not None
        }

    def forward(self, *tensors: torch.Tensor) -> Any:
        rest = iter(tensors)
        kinds = enumerate(self.case.operands)
        constant = [getattr(self, f"c{i}") if x.batch_axis is None else None for i, x in kinds]
        return self.case.truth(*(next(rest) if c is None else c for c in constant))

    def _operands(self, batch: int) -> list[tuple[TensorType, torch.Tensor]]:
        values = (torch.from_numpy(np.array(value)) for value in self.case.values(batch))
        return list(zip(self.case.operands, values, strict=True))


def expressions(family: str) -> list[Case]:
    """Give the cases of a family whose results depend on operands."""
    return [case for case in FAMILIES[family] if case.operands]

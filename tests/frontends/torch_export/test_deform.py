"""torchvision's deformable convolution is imported where that operator is registered."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import torch
from torch import nn

from spikec.frontends.torch_export import import_model
from spikec.ir import ops
from tests.frontends.torch_export.helpers import distance, results

_SCHEMA = (
    "deform_conv2d(Tensor input, Tensor weight, Tensor offset, Tensor mask, Tensor bias, "
    "SymInt stride_h, SymInt stride_w, SymInt pad_h, SymInt pad_w, SymInt dilation_h, "
    "SymInt dilation_w, SymInt groups, SymInt offset_groups, bool use_mask) -> Tensor"
)


@pytest.fixture
def operator() -> Iterator[Any]:
    """Register the operator's signature, as torchvision does; no kernel is needed to import."""
    if hasattr(torch.ops.torchvision, "deform_conv2d"):
        yield torch.ops.torchvision.deform_conv2d
        return
    make: Any = torch.library.Library
    library = make("torchvision", "FRAGMENT")
    library.define(_SCHEMA)

    def shape(x: torch.Tensor, w: torch.Tensor, offset: torch.Tensor, *_: Any) -> torch.Tensor:
        return x.new_empty((x.shape[0], w.shape[0], offset.shape[2], offset.shape[3]))

    library.impl("deform_conv2d", shape, "Meta")
    yield torch.ops.torchvision.deform_conv2d
    library._destroy()


class Deformable(nn.Module):
    """Offsets and masks are inputs."""

    def __init__(self, operator: Any, *, masked: bool) -> None:
        super().__init__()
        self.operator, self.masked = operator, masked
        self.weight = nn.Parameter(torch.randn(5, 2, 3, 3))
        self.bias = nn.Parameter(torch.randn(5))

    def forward(self, x: torch.Tensor, offset: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        options = (1, 1, 1, 1, 1, 1, 1, 1, self.masked)
        result: torch.Tensor = self.operator(x, self.weight, offset, mask, self.bias, *options)
        return result


@pytest.mark.parametrize("masked", [True, False])
def test_whole_offsets_shift_the_taps_of_a_convolution(operator: Any, masked: bool) -> None:
    torch.manual_seed(0)
    model = Deformable(operator, masked=masked).eval()
    shapes = [(2, 7, 6), (18, 7, 6), (9, 7, 6)]
    graph = import_model(model, tuple(torch.zeros(2, *shape) for shape in shapes))
    (node,) = (node for node in graph if isinstance(node.op, ops.DeformConv))
    assert len(node.inputs) == (3 if masked else 2)
    x, mask = torch.randn(3, 2, 7, 6), torch.full((3, 9, 7, 6), 0.5)
    offset = torch.zeros(3, 9, 2, 7, 6)
    offset[:, :, 0], offset[:, :, 1] = 1, -2  # down by one, left by two
    shifted = nn.functional.pad(x, (3, -1, 0, 2))
    with torch.no_grad():
        wanted = nn.functional.conv2d(shifted, model.weight) * (0.5 if masked else 1.0)
        wanted = wanted + model.bias[:, None, None]
    got = results(graph, (x, offset.reshape(3, 18, 7, 6), mask))
    assert distance([wanted.numpy()], got) <= 1e-5

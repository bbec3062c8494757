"""Counts operations of recorded layers by NeuroBench or SpikingJelly; runs beside these, alone.

    python energy_peers_job.py neurobench|spikingjelly LAYERS.npz

The file holds, for each layer, what it was given ([steps, images, ...]) and how it is made.  Prints
one JSON list: for each layer the counts of one image, as the tool gives them.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

Counts = dict[str, float]


class Alone(nn.Module):
    """One layer that sees its recorded input, step by step."""

    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Give the last step's result."""
        y = x
        for step in x:
            y = self.layer(step)
        return y


def layer_of(about: Mapping[str, Any], weight: torch.Tensor) -> nn.Module:
    """Make a layer without a bias."""
    layer: nn.Module
    if about["kind"] == "linear":
        layer = nn.Linear(weight.shape[1], weight.shape[0], bias=False)
    else:
        options = {key: about[key] for key in ("stride", "padding", "dilation", "groups")}
        outputs, inputs, height, width = weight.shape
        inputs *= about["groups"]
        layer = nn.Conv2d(inputs, outputs, (height, width), bias=False, **options)
    layer.weight = nn.Parameter(weight, requires_grad=False)
    return layer.eval()


def neurobench(layer: nn.Module, x: torch.Tensor) -> Counts:
    """Let NeuroBench's metric look at the hooks of a model."""
    from neurobench.metrics.workload import SynapticOperations
    from neurobench.models import TorchModel

    model = TorchModel(Alone(layer))
    model.register_hooks()
    metric = SynapticOperations()
    with torch.no_grad():
        metric(model, model(x), (x[0],))
    return {name: float(number) for name, number in metric.compute().items()}


def spikingjelly(layer: nn.Module, x: torch.Tensor) -> Counts:
    """Let SpikingJelly's counters look at the operations of torch."""
    from spikingjelly.activation_based.op_counter import (
        DispatchCounterMode,
        MACCounter,
        SynOpCounter,
    )

    events, products = SynOpCounter(), MACCounter()
    with torch.no_grad(), DispatchCounterMode([events, products]):
        Alone(layer)(x)
    images = x.shape[1]
    return {"SynOps": events.get_total() / images, "MACs": products.get_total() / images}


TOOLS: Mapping[str, Callable[[nn.Module, torch.Tensor], Counts]] = {
    "neurobench": neurobench,
    "spikingjelly": spikingjelly,
}


def main() -> None:
    """Count every layer."""
    tool, path = TOOLS[sys.argv[1]], Path(sys.argv[2])
    torch.set_num_threads(1)
    with np.load(path, allow_pickle=False) as stored:
        layers = json.loads(str(stored["layers"]))
        found = [
            tool(
                layer_of(about, torch.from_numpy(stored[f"weight{i}"])),
                torch.from_numpy(stored[f"x{i}"]),
            )
            for i, about in enumerate(layers)
        ]
    print(json.dumps(found))


if __name__ == "__main__":
    main()

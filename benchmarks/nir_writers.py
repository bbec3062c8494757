"""Builds a spiking network in a framework, runs it and writes it as NIR; see `peers_nir`.

    python nir_writers.py FRAMEWORK IMAGES.npz NET.nir RESULTS.npz

Weights are random, and seeded.  RESULTS hold ``x``, what went in at each step, and ``y``, the
spikes that came out, both [steps, samples, …].
"""

from __future__ import annotations

import logging
import sys
import warnings
from collections.abc import Callable, Mapping
from typing import Any, cast

import nir
import numpy as np
import torch
from torch import nn

Written = tuple[Any, Any, Any]
"""the graph, what went in, what came out"""


def norse_dense(images: Any) -> Written:
    """Dense layers with IF and LIF neurons."""
    import norse.torch as n
    from norse.torch.functional.iaf import IAFParameters

    def box(size: int) -> Any:
        full = torch.ones(size)
        return n.LIFBoxCell(
            n.LIFBoxParameters(tau_mem_inv=500 * full, v_leak=0 * full, v_th=0.3 * full)
        )

    model = n.SequentialState(
        nn.Linear(784, 128),
        n.IAFCell(IAFParameters(v_th=torch.full((128,), 1.5))),
        nn.Linear(128, 64),
        box(64),
        nn.Linear(64, 10),
        n.IAFCell(IAFParameters(v_th=torch.full((10,), 1.0))),
    )
    _excite(model, 3)
    return _norse(model, images.flatten(2))


def norse_conv(images: Any) -> Written:
    """Convolutions with IF neurons."""
    import norse.torch as n
    from norse.torch.functional.iaf import IAFParameters

    model = n.SequentialState(
        nn.Conv2d(1, 6, 5, padding=2),
        n.IAFCell(IAFParameters(v_th=torch.full((6, 28, 28), 1.0))),
        nn.Conv2d(6, 4, 3, stride=2),
        n.IAFCell(IAFParameters(v_th=torch.full((4, 13, 13), 1.0))),
    )
    _excite(model, 3)
    return _norse(model, images)


def _norse(model: Any, x: Any) -> Written:
    import norse.torch as n

    state, rows = None, []
    for step in x:
        y, state = model(step, state)
        rows.append(y)
    # the sample is without batch: norse would take it for an axis of the input
    return n.to_nir(model, x[0, 0]), x, torch.stack(rows)


def spikingjelly(images: Any) -> Written:
    """A LeNet with mean pools, IF and LIF neurons."""
    from spikingjelly.activation_based import functional, layer, neuron
    from spikingjelly.activation_based.nir_exchange import export_to_nir

    model = nn.Sequential(
        layer.Conv2d(1, 6, 5, padding=2),
        neuron.IFNode(),
        layer.AvgPool2d(2),
        layer.Conv2d(6, 16, 5),
        neuron.IFNode(v_threshold=0.8),
        layer.AvgPool2d(2),
        layer.Flatten(),
        layer.Linear(400, 120),
        neuron.LIFNode(tau=2.0, v_threshold=0.3),
        layer.Linear(120, 84),
        neuron.LIFNode(tau=3.0, decay_input=False, v_threshold=0.5),
        layer.Linear(84, 10),
        neuron.IFNode(),
    )
    _excite(model, 4)
    rows = torch.stack([model(step) for step in images])
    functional.reset_net(model)
    return export_to_nir(model, images[0, :1], dt=1e-4), images, rows


def sinabs(images: Any) -> Written:
    """A LeNet with sum pools and IAF neurons, which send several spikes per step."""
    import sinabs.layers as sl
    from sinabs.nir import to_nir

    def neurons() -> Any:
        return sl.IAFSqueeze(batch_size=1)

    model = nn.Sequential(
        *(nn.Conv2d(1, 6, 5, padding=2), neurons(), sl.SumPool2d(2)),
        *(nn.Conv2d(6, 16, 5), neurons(), sl.SumPool2d(2)),
        *(nn.Flatten(), nn.Linear(400, 120), neurons()),
        *(nn.Linear(120, 84), neurons(), nn.Linear(84, 10), neurons()),
    )
    _excite(model, 2)
    rows = []
    for sample in images.unbind(1):
        _forget(model)
        rows.append(model(sample))
    _forget(model)
    return to_nir(model, images[:1, 0]), images, torch.stack(rows, 1)


def _forget(model: nn.Module) -> None:
    for module in model.modules():
        if hasattr(module, "reset_states"):
            cast(Any, module).reset_states()


def _excite(model: nn.Module, factor: float) -> None:
    """Make weights so large that all layers fire."""
    for module in model.modules():
        if isinstance(module, nn.Linear | nn.Conv2d):
            module.weight.data *= factor
            assert module.bias is not None
            module.bias.data = module.bias.data.abs()


def _plain(graph: Any) -> Any:
    """Turn tensors into arrays, where a framework has left some."""
    for node in graph.nodes.values():
        for name, value in vars(node).items():
            if isinstance(value, torch.Tensor):
                setattr(node, name, value.detach().numpy())
    return graph


WRITERS: Mapping[str, Callable[[Any], Written]] = {
    "norse, dense": norse_dense,
    "norse, conv": norse_conv,
    "SpikingJelly": spikingjelly,
    "sinabs": sinabs,
}


def main() -> None:
    """Build, run and write one network."""
    framework, images, path, results = sys.argv[1:]
    warnings.simplefilter("ignore")
    logging.disable(logging.WARNING)
    torch.set_num_threads(1)
    torch.manual_seed(0)
    with np.load(images) as given, torch.no_grad():
        graph, x, y = WRITERS[framework](torch.from_numpy(given["x"]))
    graph.infer_types()  # norse and sinabs leave sizes open, which cannot be written
    nir.write(path, _plain(graph))
    np.savez(results, x=x.numpy(), y=y.numpy())


if __name__ == "__main__":
    main()

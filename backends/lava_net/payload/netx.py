"""Loads net.net with lava-dl 0.6.0 as it is, runs it in fixed point, and records events."""

from __future__ import annotations

import sys
import tempfile
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import lava_shim  # noqa: F401  # before Lava
import numpy as np
from lava.magma.core.run_conditions import RunSteps
from lava.magma.core.run_configs import Loihi2SimCfg
from lava.proc.monitor.process import Monitor
from snnprocs.signals import Recorder, Source

Numbers = np.ndarray
Named = dict[str, Numbers]
STUBS = ("torch", "lava.lib.dl.slayer", "lava.lib.dl.slayer.neuron", "lava.lib.dl.slayer.neuron.rf")
"""what lava-dl imports beside NetX and needs for training only"""
LARGEST = 2**17 - 1
"""sums of one step have 24 bits, 6 of them behind the point; larger ones wrap around"""


@contextmanager
def without_training() -> Iterator[None]:
    """Let NetX be imported without PyTorch."""
    missing = [name for name in STUBS if name not in sys.modules]
    for name in missing:
        module: Any = ModuleType(name)
        module.__path__ = []
        sys.modules[name] = module
    torch: Any = sys.modules["torch"]
    torch.tensor = torch.Tensor = object
    neurons: Any = sys.modules["lava.lib.dl.slayer.neuron.rf"]
    neurons.neuron_params = None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for name in missing:
            del sys.modules[name]


def run(path: Path, network: Mapping[str, Any], values: Named, samples: int) -> Named:
    """Give counts [samples, steps, neurons] by layer, samples back to back with a reset between."""
    with without_training():
        from lava.lib.dl.netx import hdf5
    told, steps = network["netx"], network["steps"]
    loaded = hdf5.Network(
        net_config=str(path),
        input_message_bits=told["message_bits"],
        reset_interval=steps,
        reset_offset=1,
    )
    _source(loaded, network, values, samples)
    layers = {layer["name"]: layer for layer in network["layers"]}
    last = samples * steps + len(told["layers"])
    with tempfile.TemporaryDirectory() as folder:
        records: dict[str, Any] = {}
        for depth, (name, block) in enumerate(zip(told["layers"], loaded.layers, strict=True), 1):
            timing = {"period": steps, "steps": steps, "depth": depth}
            if layers[name]["readout"]:
                monitor = Monitor()
                monitor.probe(block.neuron.v, last)
                records[name] = (monitor, block.neuron, depth)
            else:
                size = (samples, steps, layers[name]["size"])
                records[name] = _recorder(block, Path(folder) / f"{depth}.npy", size, timing)
        try:
            condition = RunSteps(num_steps=last)
            loaded.run(condition=condition, run_cfg=Loihi2SimCfg(select_tag="fixed_pt"))
            found = {name: _read(record, samples, steps) for name, record in records.items()}
        finally:
            loaded.stop()
    return found


def _source(loaded: Any, network: Mapping[str, Any], values: Named, samples: int) -> None:
    """Send each sample in each of its steps, in Lava's order of axes: x, y, channels."""
    told, steps = network["netx"], network["steps"]
    image = values[told["input"]].reshape(samples, *told["shape"])
    whole = np.rint(image)
    if not np.array_equal(whole, image):
        raise SystemExit("the input of NetX is not whole")
    largest = np.abs(values[told["current"]]).max(initial=0)
    if largest > LARGEST:
        raise SystemExit(
            f"sums of the first layer up to {largest:g}: Lava wraps those above {LARGEST}"
        )
    moved = whole.transpose(0, 3, 2, 1) if whole.ndim == 4 else whole
    timing = {"period": steps, "steps": steps, "depth": 0}
    source = Source(rows=moved.astype(np.int32)[:, np.newaxis], timing=timing)
    source.s_out.connect(loaded.inp)


def _recorder(block: Any, path: Path, size: tuple[int, int, int], timing: dict[str, int]) -> Path:
    """Write a layer's events down, in the order channels, y, x."""
    np.lib.format.open_memmap(path, "w+", np.int32, size).flush()
    recorder = Recorder(size=size[2], path=str(path), timing=timing)
    out = block.neuron.s_out
    flat = out.transpose([2, 1, 0]).flatten() if len(out.shape) == 3 else out
    flat.connect(recorder.s_in)
    return path


def _read(record: Any, samples: int, steps: int) -> Numbers:
    """Read a file of events, or what a monitor has seen of potentials (in 64ths)."""
    if isinstance(record, Path):
        return np.array(np.load(record))
    monitor, neuron, depth = record
    seen = monitor.get_data()[neuron.name][neuron.v.name]
    return seen[depth : depth + samples * steps].reshape(samples, steps, -1) // 64

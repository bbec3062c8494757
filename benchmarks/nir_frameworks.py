"""Runs a NIR file with a framework, in that framework's own environment; see `peers_nir`.

    python nir_frameworks.py FRAMEWORK NET.nir JOB.npz RESULTS.npz

JOB holds ``x`` [steps, samples, …], ``dt`` and ``wanted``: the names of neurons, then of the
output.  RESULTS hold what each of these gave.  A framework whose name ends in `, told` is set up
as the metadata of the file say; the others are taken as they are.
"""

from __future__ import annotations

import logging
import sys
import warnings
from collections.abc import Callable, Mapping
from typing import Any

import nir
import numpy as np
import torch
from numpy.typing import NDArray

Numbers = NDArray[Any]
Values = Mapping[str, Numbers]


def norse(path: str, x: Any, dt: float, wanted: list[str]) -> Values:
    """As it is: IF neurons fire above the threshold and are reset to 0."""
    from norse.torch import from_nir

    model = from_nir(nir.read(path), dt=dt)
    return _by_sample(x, wanted, lambda step, state: _cached(model, step, state))


def _cached(model: Any, step: Any, state: Any) -> tuple[Mapping[str, Any], Any]:
    _, state = model(step, state)
    return state.cache, state


def spikingjelly(path: str, x: Any, dt: float, wanted: list[str]) -> Values:
    """As it is: fires at the threshold, reset to v_reset."""
    from spikingjelly.activation_based.nir_exchange import import_from_nir

    return _hooked(import_from_nir(path, dt=dt), x, wanted, batch=True)


def snntorch(path: str, x: Any, dt: float, wanted: list[str]) -> Values:
    """As it is: LIF neurons of dt = 1e-4, which fire above the threshold and are reset to 0."""
    from snntorch.import_nir import import_from_nir

    return _hooked(import_from_nir(nir.read(path)), x, wanted, batch=False)


def sinabs(path: str, x: Any, dt: float, wanted: list[str]) -> Values:
    """As it is: as many spikes as fit, each subtracts; potentials are cut off at -θ."""
    return _squeezed(path, x, wanted, told=False)


def sinabs_told(path: str, x: Any, dt: float, wanted: list[str]) -> Values:
    """One spike per step, nothing is cut off, potentials begin where the metadata say."""
    return _squeezed(path, x, wanted, told=True)


def _squeezed(path: str, x: Any, wanted: list[str], *, told: bool) -> Values:
    import sinabs.layers
    from sinabs.activation import SingleSpike
    from sinabs.nir import from_nir

    graph = nir.read(path)
    model = from_nir(graph, batch_size=1)
    rows: dict[str, list[Any]] = {name: [] for name in wanted}
    for sample in x.unbind(1):
        for name, layer in model.named_modules():
            if not isinstance(layer, sinabs.layers.IAFSqueeze):
                continue
            node = graph.nodes[name]
            layer.init_state_with_shape((1, *node.v_threshold.shape))
            if told:
                layer.spike_fn, layer.min_v_mem = SingleSpike, None
                start = np.asarray(node.metadata.get("v_init", 0), np.float32)
                layer.v_mem = layer.v_mem + torch.from_numpy(start)
        _, state = model(sample)
        for name, found in rows.items():
            found.append(state.cache[name].reshape(len(sample), -1))
    return {name: torch.stack(found, 1).numpy() for name, found in rows.items()}


def _told(name: str) -> Callable[[str, Any, float, list[str]], Values]:
    """Run it as `spikec verify` does."""

    def run(path: str, x: Any, dt: float, wanted: list[str]) -> Values:
        from pathlib import Path

        from spikec.backends.nir_graph.play_norse import Norse
        from spikec.backends.nir_graph.play_spikingjelly import SpikingJelly
        from spikec.backends.nir_graph.players import Player, Task

        players: Mapping[str, Player] = {"norse": Norse(), "SpikingJelly": SpikingJelly()}
        player = players[name]
        task = Task(Path(path), {"input": x.numpy()}, tuple(wanted[:-1]), (wanted[-1],), dt)
        graph = nir.read(path)
        reason = player.unfit(graph, task)
        if reason:
            raise SystemExit(f"{name} would not do: {reason}")
        return player.run(graph, task)

    return run


def _hooked(model: Any, x: Any, wanted: list[str], *, batch: bool) -> Values:
    """Run a module of nirtorch, and listen to its neurons; the last of the names is the output."""
    seen: dict[str, Any] = {}
    for name in wanted[:-1]:
        model.get_submodule(name).register_forward_hook(_listener(seen, name))

    def step(values: Any, state: Any) -> tuple[Mapping[str, Any], Any]:
        result, state = model(values, state)
        return {**seen, wanted[-1]: result}, state

    if batch:
        return _steps(x, wanted, step)
    return _by_sample(x, wanted, step, lambda: _forget(model))


def _listener(seen: dict[str, Any], name: str) -> Callable[[Any, Any, Any], None]:
    def listen(module: Any, given: Any, result: Any) -> None:
        seen[name] = result[0] if isinstance(result, tuple) else result

    return listen


def _forget(model: Any) -> None:
    for module in model.modules():
        if hasattr(module, "reset_mem"):
            module.reset_mem()


Step = Callable[[Any, Any], tuple[Mapping[str, Any], Any]]


def _by_sample(x: Any, wanted: list[str], step: Step, start: Callable[[], object] = bool) -> Values:
    """Run one sample after the other: some take the batch for an axis to be flattened."""
    found = []
    for sample in x.unbind(1):
        start()
        found.append(_steps(sample[:, None], wanted, step))
    return {name: np.concatenate([one[name] for one in found], axis=1) for name in wanted}


def _steps(x: Any, wanted: list[str], step: Step) -> Values:
    """Give [steps, samples, elements] of each name."""
    rows: dict[str, list[Any]] = {name: [] for name in wanted}
    state = None
    for values in x:
        found, state = step(values, state)
        for name, row in rows.items():
            row.append(found[name].reshape(x.shape[1], -1))
    return {name: torch.stack(row).numpy() for name, row in rows.items()}


FRAMEWORKS: Mapping[str, Callable[[str, Any, float, list[str]], Values]] = {
    "norse": norse,
    "SpikingJelly": spikingjelly,
    "snnTorch": snntorch,
    "sinabs": sinabs,
    "norse, told": _told("norse"),
    "SpikingJelly, told": _told("SpikingJelly"),
    "sinabs, told": sinabs_told,
}


def main() -> None:
    """Read a job, run it, write the results."""
    framework, path, job, results = sys.argv[1:]
    warnings.simplefilter("ignore")
    logging.disable(logging.WARNING)
    torch.set_num_threads(1)
    with np.load(job) as given, torch.no_grad():
        x, wanted = torch.from_numpy(given["x"]), [str(name) for name in given["wanted"]]
        values = FRAMEWORKS[framework](path, x, float(given["dt"]), wanted)
    np.savez(results, allow_pickle=False, **values)


if __name__ == "__main__":
    main()

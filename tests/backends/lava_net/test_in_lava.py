"""Exports do in Lava what they do in the runtime, event by event (`make test` installs Lava)."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import spikec
from spikec.artifact import Deployable, export
from spikec.backends.lava_net import LavaExporter
from spikec.backends.lava_net.environment import find
from spikec.ir import Graph
from spikec.runtime import trace
from spikec.testing import random_inputs
from spikec.verification import Verification, verify
from tests.backends.lava_net.random_nets import random_net
from tests.backends.lava_net.whole_nets import convolutions, dense
from tests.passes.helpers import calibration, mlp
from tests.passes.helpers import random_net as analog_net

pytestmark = pytest.mark.slow
LAVA = LavaExporter(limit=120)
RESIDUAL = 1
"""seed of a network with blocks around which a path leads, of other lengths"""


def in_lava(graph: Graph, x: dict[str, np.ndarray], steps: int, folder: Path) -> Verification:
    source = Deployable(graph, steps)
    artifact = export(LAVA, "lava_net", source, folder / "out")
    return verify(LAVA, source, x, artifact)


def program_of(recipe: str, seed: int, steps: int) -> spikec.Program:
    graph = analog_net(seed)
    return spikec.convert(graph, calibration(graph), steps, f"{recipe}{{average-pools=true}}")


@pytest.mark.parametrize(
    ("recipe", "steps"), [("rate", 6), ("signed", 6), ("graded", 3), ("phased", 3)]
)
def test_programs_are_equal_in_floating_point(recipe: str, steps: int, tmp_path: Path) -> None:
    program = program_of(recipe, RESIDUAL, steps)
    x = calibration(program.reference, 5, seed=3)
    artifact = program.export("lava_net", tmp_path / "out")
    lags = [one["lag"] for one in artifact.manifest["network"]["connections"]]
    assert any(lags)  # a path that waits for a longer one
    found = program.verify("lava_net", x, artifact)
    (check,) = found.checks
    assert (check.way, check.ok) == ("float", True), str(found)
    assert check.compared.entries == sum(t.size for t in program.run(x).spikes.values())


def test_whole_programs_are_equal_bit_for_bit_in_fixed_point(tmp_path: Path) -> None:
    program = program_of("lossless", RESIDUAL, 8)
    x = calibration(program.reference, 5, seed=3)
    artifact = program.export("lava_net", tmp_path / "out")
    stored = np.load(tmp_path / "out" / "weights.npz")
    weights = [np.abs(stored[key]).max() for key in stored if key.endswith(("weight", "values"))]
    assert max(weights) > 127  # digits of several connections
    found = program.verify("lava_net", x, artifact)
    assert [(check.way, check.ok) for check in found.checks] == [("float", True), ("fixed", True)]
    assert [check.compared.unequal for check in found.checks] == [0, 0]


def test_a_converted_network_runs_in_netx(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    x = rng.uniform(0, 1, (64, 12)).astype(np.float32)
    bits: dict[str, Any] = {"weight_bits": 8, "input_bits": 4, "weight_options": "per=layer"}
    hard = "balanced{reset=hard,per=layer,alpha=0.5}"
    program = spikec.convert(mlp(12, 10, 8, 4), x, 12, hard, **bits)
    artifact = program.export("lava_net", tmp_path / "out")
    assert artifact.ways == ("float", "fixed", "netx"), artifact.manifest["reasons"]
    found = program.verify("lava_net", x[:6], artifact)
    assert [(c.ok, c.compared.unequal) for c in found.checks] == [(True, 0)] * 3, str(found)
    assert program.run(x[:6]).events > 100


@pytest.mark.parametrize("build", [convolutions, dense])
def test_stock_netx_computes_what_our_integers_do(build: object, tmp_path: Path) -> None:
    graph = build() if callable(build) else None
    assert graph is not None
    shape = [dim for dim in graph.inputs[0].outputs[0].type.dims if isinstance(dim, int)]
    x = {"x": np.random.default_rng(1).uniform(0, 5, (4, *shape)).astype(np.float32)}
    found = in_lava(graph, x, 10, tmp_path)
    assert [check.way for check in found.checks] == ["float", "fixed", "netx"]
    assert found.ok, str(found)
    assert all(check.compared.unequal == 0 for check in found.checks)
    assert found.checks[-1].tool.startswith("lava-dl 0.6.0")
    names = ["first", "second"]
    seen = trace(graph, x, "reference", record=names, steps=10)
    assert all(0.02 < seen.values[name].mean() < 0.9 for name in names)


@pytest.mark.parametrize("seed", [0, 6, 16])
def test_random_networks_are_equal(seed: int, tmp_path: Path) -> None:
    graph = random_net(seed)
    x = random_inputs(graph, batch=3, seed=seed, steps=4)
    found = in_lava(graph, x, 4, tmp_path)
    assert found.ok, str(found)


def test_the_readme_s_command_runs_from_anywhere(tmp_path: Path) -> None:
    program = program_of("graded", 2, 3)
    artifact = program.export("lava_net", tmp_path / "out")
    x = program.inputs(calibration(program.reference, 3))
    given: dict[str, Any] = dict(x)
    np.savez(tmp_path / "samples.npz", **given)
    command = [find().python, "out/run_lava.py", "samples.npz", "results.npz", "--way", "float"]
    assert "run_lava.py samples.npz results.npz --way float" in _text(artifact.folder)
    done = subprocess.run(command, cwd=tmp_path, timeout=120, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    results = np.load(tmp_path / "results.npz")
    name = program.graph.outputs[0].name
    found = results[f"outputs/{name}"].transpose(1, 0, 2)
    assert np.allclose(found, program.run(x).output_by_step, atol=1e-5)


def _text(folder: Path) -> str:
    return (folder / "README.md").read_text("utf-8")

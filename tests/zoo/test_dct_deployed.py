"""A DCT-SNN in every engine and tool: encoder on the host where a tool cannot encode."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

import spikec
from spikec.errors import UsageError
from spikec.ir import store
from spikec.runtime import run
from spikec.zoo import build

STEPS = 8


@pytest.fixture(scope="module")
def x() -> np.ndarray:
    return np.random.default_rng(0).uniform(-1, 1, (5, 1, 8, 8)).astype(np.float32)


@pytest.fixture(scope="module")
def program(x: np.ndarray) -> spikec.Program:
    torch.manual_seed(0)
    options = {"size": (8, 8), "width": 0.2, "frequencies": 8, "delay": 0}
    net = build("dct_mlp", **options, steps=STEPS)
    net.calibrate(torch.from_numpy(x))  # type: ignore[operator]
    return spikec.convert(net.eval(), x, STEPS, "balanced")


def test_encoder_and_network_give_what_the_whole_gives(
    program: spikec.Program, x: np.ndarray
) -> None:
    encoder, rest = program.split_encoder()
    events = run(encoder, x, "layerwise", steps=STEPS)
    assert isinstance(events, np.ndarray)
    assert set(np.unique(events)) == {-1, 0, 1}
    np.testing.assert_array_equal(rest.run(events).output_by_step, program.run(x).output_by_step)
    assert len(rest.neurons) == len(program.neurons) - 1
    assert rest.evaluate((np.moveaxis(events, 0, 1), np.zeros(5))).samples == 5


@pytest.mark.parametrize("tool", ["onnx_graph", "nir_graph"])
def test_tools_send_the_same_events(program: spikec.Program, x: np.ndarray, tool: str) -> None:
    found = program.verify(tool, x)
    assert found.ok, str(found)


def test_lava_runs_the_network_behind_the_encoder(
    program: spikec.Program, x: np.ndarray, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    if not {"SPIKEC_LAVA_HOME", "SPIKEC_LAVA_PYTHON"} & set(os.environ):
        monkeypatch.setenv("SPIKEC_LAVA_HOME", str(Path(sys.prefix) / "lava"))
    made = program.export("lava_net", tmp_path / "made")
    found = program.verify("lava_net", x, made)
    assert found.ok, str(found)
    assert found.compared[0].layers == 3  # the encoder's among them
    assert "encoder.spk" in (tmp_path / "made" / "README.md").read_text("utf-8")
    encoder, rest = program.split_encoder()
    (stored,) = store.load_all(tmp_path / "made" / "encoder.spk")[0].values()
    events, again = (run(one, x, "layerwise", steps=STEPS) for one in (encoder, stored))
    np.testing.assert_array_equal(events, again)
    assert rest.verify("lava_net", events).ok


def test_a_network_without_an_encoder_is_not_split() -> None:
    net = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.ReLU(), torch.nn.Linear(4, 2))
    data = np.random.default_rng(0).normal(size=(8, 3)).astype(np.float32)
    with pytest.raises(UsageError, match="no encoder that stands alone"):
        spikec.convert(net.eval(), data, 4, "rate").split_encoder()

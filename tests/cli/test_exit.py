"""`spikec eval --exit`: samples stop when their answer is settled."""

from __future__ import annotations

from pathlib import Path

import numpy as np

import spikec as package
from tests.cli.conftest import Spikec
from tests.passes.helpers import mlp

RNG = np.random.default_rng(0)
X = RNG.normal(size=(300, 4)).astype(np.float32)
Y = RNG.integers(0, 3, 300)


def test_the_command(spikec: Spikec, models: Path) -> None:
    package.convert(mlp(4, 5, 3), X, 12, "rate").save(models / "net.spk")
    np.savez(models / "data.npz", fit_x=X[:200], fit_y=Y[:200], test_x=X[200:], test_y=Y[200:])
    ask = ["eval", "net.spk", "--data", "data.npz:test", "--exit", "margin"]
    told = spikec(*ask, "--exit-fit", "data.npz:fit")
    assert told.code == 0, told.err
    assert "stopping by margin: accuracy" in told.out
    early = spikec(*ask, "--exit-fit", "data.npz:fit", "--json").json["early_exit"]
    assert early["mean_steps"] < 12
    assert "--exit without --exit-fit" in spikec(*ask).err
    assert "at once" in spikec(*ask, "--exit-fit", "data.npz:fit", "-T", "4").err
    assert "margin or entropy" in spikec(*ask[:-1], "x", "--exit-fit", "data.npz:fit").err

"""NetX files follow lava-dl's schema; what does not fit is told, every reason at once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

import spikec
from spikec.artifact import Artifact, Deployable, export
from spikec.backends.lava_net import LavaExporter
from spikec.errors import UsageError
from spikec.ir import Array, Graph, ops
from tests.backends.lava_net.whole_nets import Whole, convolutions, dense
from tests.passes.helpers import mlp


def written(graph: Graph, folder: Path) -> Artifact:
    return export(LavaExporter(), "lava_net", Deployable(graph, 6), folder / "out")


def reasons(graph: Graph, folder: Path) -> str:
    artifact = written(graph, folder)
    assert "netx" not in artifact.ways
    assert not (artifact.folder / "net.net").exists()
    assert "Not run as `netx`" in (artifact.folder / "README.md").read_text("utf-8")
    return "\n".join(artifact.manifest["reasons"]["netx"])


def test_the_file_holds_what_the_schema_asks_for(tmp_path: Path) -> None:
    artifact = written(convolutions(), tmp_path)
    assert artifact.ways == ("float", "fixed", "netx")
    with h5py.File(artifact.folder / "net.net") as file:
        layers = file["layer"]
        assert sorted(layers, key=int) == [str(i) for i in range(6)]
        kinds = [layers[str(i)]["type"][0].decode() for i in range(6)]
        assert kinds == ["input", "conv", "conv", "flatten", "dense", "dense"]
        assert layers["0/shape"][()].tolist() == [2, 8, 6]
        first, second = layers["1"], layers["2"]
        assert (first["shape"][()].tolist(), second["shape"][()].tolist()) == ([4, 8, 6], [6, 4, 3])
        assert second["weight"].shape == (6, 2, 6, 6)  # each tap for all four of a window
        assert second["stride"][()].tolist() == second["padding"][()].tolist() == [2, 2]
        assert second["groups"][()] == 2
        neurons = [layers[f"{i}/neuron"] for i in (1, 2, 4, 5)]
        assert [int(n["vThMant"][()]) for n in neurons] == [299, 90, 99, 131071]
        for neuron in neurons:
            assert neuron["type"][()].decode() == "CUBA"
            assert (neuron["iDecay"][()], neuron["vDecay"][()]) == (4096, 0)
        for i in (1, 2, 4, 5):
            weight = layers[f"{i}/weight"]
            assert weight.dtype == np.float32
            assert np.array_equal(weight[()], np.rint(weight[()]))


def test_messages_have_8_bits_where_the_input_is_known_to_have_no_more(tmp_path: Path) -> None:
    assert written(dense(), tmp_path).manifest["network"]["netx"]["message_bits"] == 8


BUILD: dict[str, tuple[str, Any]] = {
    "soft reset": (
        "soft reset",
        lambda: Whole(9).linear(4).fire(5, "n", reset=ops.Reset.SOFT).linear(5).read(),
    ),
    "threshold per channel": (
        "a threshold per channel",
        lambda: Whole(9).linear(4).add(ops.Repeat()).add(_per_channel()).linear(5).read(),
    ),
    "v0": (
        "v0 other than 0",
        lambda: Whole(9).linear(4).fire(5, "n", v0=Array(np.float32(2))).linear(5).read(),
    ),
    "large weights": (
        "weights up to 128; 8 bits hold 127",
        lambda: Whole(9).linear(4).fire(5, "n").add(_large()).read(),
    ),
    "a sum of two": ("NetX has no branches", lambda: _residual()),
    "real weights in front": ("not one convolution or matrix of whole numbers", lambda: _real()),
}


def _per_channel() -> ops.IntegrateFire:
    theta = Array(np.arange(2.0, 6.0).astype(np.float32))
    return ops.IntegrateFire(theta, Array(np.float32(1)), reset=ops.Reset.HARD)


def _large() -> ops.Linear:
    return ops.Linear(Array(np.full((5, 4), 128.0)))


def _real() -> Graph:
    net = Whole(9).add(ops.Linear(Array(np.full((4, 9), 0.5))))
    return net.fire(5, "n").linear(5).read()


def _residual() -> Graph:
    net = Whole(9).linear(4).fire(5, "first")
    skip = net.value
    net.linear(4).fire(5, "second")
    net.value = net.edit.add(ops.Add(), net.value, skip)
    return net.fire(5, "third").linear(5).read()


@pytest.mark.parametrize("name", BUILD)
def test_what_does_not_fit_is_told(name: str, tmp_path: Path) -> None:
    told, build = BUILD[name]
    assert told in reasons(build(), tmp_path)


def test_all_reasons_stand_together_and_in_the_error(tmp_path: Path) -> None:
    x = np.random.default_rng(0).normal(size=(32, 6)).astype(np.float32)
    program = spikec.convert(mlp(6, 5, 4, 3), x, 4, "rate")
    artifact = program.export("lava_net", tmp_path / "out")
    told = "\n".join(artifact.manifest["reasons"]["netx"])
    assert told.count("soft reset") == 2
    assert told.count("balanced{reset=hard") == 1
    assert "not one convolution or matrix of whole numbers" in told
    with pytest.raises(UsageError, match="cannot be run as 'netx'") as caught:
        LavaExporter().run(artifact, {}, "netx")
    assert "soft reset" in caught.value.remedy
    with pytest.raises(UsageError, match="cannot be run as 'fixed'") as caught:
        LavaExporter().run(artifact, {}, "fixed")
    assert "weights are not whole" in caught.value.remedy

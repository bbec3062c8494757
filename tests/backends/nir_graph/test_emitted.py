"""What stands in the files: the golden text of small ones, and rules that readers need kept."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from spikec.ir import Array, B, Editor, Graph, Stage, T, TensorType, Value, ops
from spikec.ir.ops import Comparison, Leak, Reset
from tests.backends.nir_graph.programs import exported, random_program


def small(*dims: int, static: bool = False) -> tuple[Editor, Value]:
    edit = Editor(Graph("small", Stage.SPIKING), by="test")
    lead = (B,) if static else (T, B)
    return edit, edit.input("x", TensorType((*lead, *dims)))


def array(*numbers: float, shape: tuple[int, ...] = (-1,)) -> Array:
    return Array(np.array(numbers, np.float32).reshape(shape))


def text_of(path: Path) -> str:
    """Print a file: a line per node with fields and metadata, then the edges."""
    lines = []
    with h5py.File(path) as file:
        for name, node in file["node/nodes"].items():
            fields = [_field(key, node[key]) for key in node if key not in ("type", "metadata")]
            said = [_field(f"@{key}", value) for key, value in node.get("metadata", {}).items()]
            lines.append(f"{name}: {node['type'][()].decode()} {' '.join(fields + said)}".rstrip())
        edges = [f"{a.decode()}->{b.decode()}" for a, b in file["node/edges"][()]]
    return "\n".join([*lines, " ".join(edges)]) + "\n"


def _field(name: str, dataset: Any) -> str:
    value = dataset[()]
    text = value.decode() if isinstance(value, bytes) else str(np.asarray(value).tolist())
    return f"{name}={text.replace(' ', '')}"


def rate_coded() -> Graph:
    """A map, a mean pool and a vector, with a threshold per channel."""
    edit, x = small(1, 2, 2, static=True)
    conv = ops.Conv(array(2, 4, shape=(2, 1, 1, 1)), array(1, 0), (1, 1), ((0, 0), (0, 0)), (1, 1))
    current = edit.add(ops.Repeat(), edit.add(conv, x, name="conv"))
    threshold = array(0.5, 2.5, shape=(2, 1, 1))
    half = array(0.25, 1.25, shape=(2, 1, 1))
    a = edit.add(ops.IntegrateFire(threshold, v0=half), current, name="a")
    pool = edit.add(ops.AvgPool((2, 2), (2, 2), ((0, 0),) * 2, (1, 1)), a, name="pool")
    flat = edit.add(ops.Reshape((T, B, 2)), pool, name="flat")
    out = edit.add(ops.Linear(array(8, 16, shape=(1, 2)), array(3)), flat, name="out")
    edit.output("y", edit.add(ops.MeanReadout(), out))
    return edit.graph


def leaky() -> Graph:
    """Leaks, hard resets, a delay, and a way around a layer."""
    edit, x = small(2)
    lif = ops.IntegrateFire(
        Array(np.float32(1)),
        reset=Reset.HARD,
        reset_potential=Array(np.float32(-0.5)),
        leak=Leak.DECAY,
        leak_constant=Array(np.float32(0.75)),
        rest_potential=Array(np.float32(0.25)),
        comparison=Comparison.ABOVE,
    )
    a = edit.add(lif, x, name="a")
    late = edit.add(ops.Delay(2), a, name="late")
    w = edit.add(ops.Linear(array(1, 2, 3, 4, shape=(2, 2))), a, name="w")
    total = edit.add(ops.Add(), w, late)
    slow = ops.Accumulator(leak=Leak.DECAY_INPUT, leak_constant=Array(np.float32(4)))
    edit.output("y", edit.add(slow, total, name="slow"))
    return edit.graph


RATE = """\
a: IF r=[[[1.0,1.0],[1.0,1.0]],[[1.0,1.0],[1.0,1.0]]] \
v_threshold=[[[1.0,1.0],[1.0,1.0]],[[1.0,1.0],[1.0,1.0]]] @comparison=>= @reset=subtract \
@v_init=[[[0.5,0.5],[0.5,0.5]],[[0.5,0.5],[0.5,0.5]]]
conv: Conv2d bias=[2.0,0.0] dilation=[1,1] groups=1 input_shape=[2,2] padding=[0,0] stride=[1,1] \
weight=[[[[4.0]]],[[[1.600000023841858]]]]
flat: Flatten end_dim=-1 input_type=[2,1,1] start_dim=0
input: Input shape=[1,2,2]
out: Affine bias=[3.0] weight=[[1.0,10.0]]
output: Output shape=[1]
pool: SumPool2d kernel_size=[2,2] padding=[0,0] stride=[2,2]
input->conv conv->a a->pool pool->flat flat->out out->output
"""
LEAKY = """\
a: LIF r=[4.0,4.0] tau=[4.0,4.0] v_leak=[0.75,0.75] v_threshold=[1.5,1.5] @reset=v_reset \
@v_init=[0.5,0.5]
input: Input shape=[2]
late: Delay delay=[2.0,2.0]
output: Output shape=[2]
slow: LI r=[1.0,1.0] tau=[4.0,4.0] v_leak=[0.0,0.0]
w: Affine bias=[0.0,0.0] weight=[[1.0,2.0],[3.0,4.0]]
input->a a->late a->w w->slow late->slow slow->output
"""


@pytest.mark.parametrize(("graph", "expected"), [(rate_coded(), RATE), (leaky(), LEAKY)])
def test_the_golden_text(graph: Graph, expected: str, tmp_path: Path) -> None:
    assert text_of(exported(graph, tmp_path).folder / "net.nir") == expected


@pytest.mark.parametrize(
    ("kind", "fields"),
    [
        ("IF", {"r", "v_threshold"}),
        ("LIF", {"r", "tau", "v_leak", "v_threshold"}),
        ("CubaLIF", {"r", "tau_mem", "tau_syn", "v_leak", "v_threshold", "w_in"}),
    ],
)
def test_the_class_of_neurons_without_leak_can_be_chosen(
    kind: str, fields: set[str], tmp_path: Path
) -> None:
    artifact = exported(rate_coded(), tmp_path, neurons=kind, dt=1e-4)
    with h5py.File(artifact.folder / "net.nir") as file:
        node = file["node/nodes/a"]
        assert node["type"][()].decode() == kind
        assert set(node) - {"type", "metadata"} == fields
        if kind == "IF":
            assert node["r"][0, 0, 0] == pytest.approx(1e4)
        assert file["node/metadata/dt"][()] == 1e-4


def test_thresholds_stay_where_that_is_wanted(tmp_path: Path) -> None:
    artifact = exported(rate_coded(), tmp_path, unit_thresholds=False)
    with h5py.File(artifact.folder / "net.nir") as file:
        assert file["node/nodes/a/v_threshold"][:, 0, 0].tolist() == [0.5, 2.5]
        assert file["node/nodes/conv/weight"][:, 0, 0, 0].tolist() == [2, 4]


def test_what_readers_need_is_kept(tmp_path: Path) -> None:
    """Full arrays, input_shape and bias always there, v_reset only where it is not 0."""
    seen = set()
    for seed in range(20):
        folder = tmp_path / str(seed)
        folder.mkdir()
        try:
            path = exported(random_program(seed), folder).folder / "net.nir"
        except Exception:  # refused: others test how
            continue
        with h5py.File(path) as file:
            for node in file["node/nodes"].values():
                kind = node["type"][()].decode()
                seen.add(kind)
                if kind.startswith("Conv"):
                    assert {"input_shape", "bias"} <= set(node)
                    assert len(set(node["weight"].shape[2:])) == 1
                    assert node["groups"][()] == 1
                for name in ("r", "tau", "v_threshold", "v_leak", "v_reset"):
                    assert name not in node or node[name].ndim >= 1
                assert "v_reset" not in node or node["v_reset"][()].any()
    assert seen >= {"Affine", "Conv2d", "Flatten", "IF", "Input", "LIF", "Output", "SumPool2d"}


def test_a_reset_that_no_shift_brings_to_0_stays(tmp_path: Path) -> None:
    edit, x = small(2)
    op = ops.IntegrateFire(
        Array(np.float32(1)), reset=Reset.HARD, reset_potential=Array(np.float32(1.5))
    )
    edit.output("y", edit.add(op, x, name="a"))
    with h5py.File(exported(edit.graph, tmp_path).folder / "net.nir") as file:
        assert file["node/nodes/a/v_reset"][()].tolist() == [1.5, 1.5]


def test_the_manifest_says_what_goes_in_and_out(tmp_path: Path) -> None:
    manifest = exported(rate_coded(), tmp_path).manifest
    assert manifest["ways"] == ["nir"]
    assert manifest["neurons"] == {"a": "a"}
    assert list(manifest["inputs"].values()) == ["input"]
    assert list(manifest["results"].values()) == ["output"]
    assert manifest["nodes"]["SumPool2d"] == 1
    readme = (tmp_path / "out" / "README.md").read_text("utf-8")
    assert "`input` takes %x: f32[B, 1, 2, 2]" in readme

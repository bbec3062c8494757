"""What is written computes the program: run step by step as Lava does, but in NumPy."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import spikec
from spikec.artifact import Deployable, export
from spikec.backends.lava_net import LavaExporter
from spikec.backends.lava_net.forms import Form, form_of, tried
from spikec.backends.lava_net.matrices import response
from spikec.backends.lava_net.paths import Path as Way
from spikec.backends.lava_net.reading import read
from spikec.errors import UnsupportedModel, UsageError
from spikec.ir import Array, B, Editor, Graph, Stage, T, TensorType, ops
from spikec.ir.layout import elements
from spikec.testing import random_graph, random_inputs
from spikec.verification import verify
from tests.backends.lava_net.payload import linear
from tests.backends.lava_net.random_nets import random_net
from tests.backends.lava_net.simulator import SimulatedLava
from tests.passes.helpers import calibration
from tests.passes.helpers import random_net as analog_net

STEPS = 4
SIMULATED = SimulatedLava(LavaExporter())
RECIPES = {
    "percentile": 6,
    "balanced": 6,
    "balanced{reset=hard,delay=true,leak=0.9,%s}": 6,
    "rate": 6,
    "signed": 6,
    "graded": 3,
    "graded:5": 3,
    "rate:8:4": 6,
    "signed:8:4": 6,
    "graded:5:4": 3,
    "balanced{reset=hard,per=layer,alpha=0.5,%s}:8:4": 6,
    "lossless": 8,
    "phased": 3,
}
REFUSED = {"few-spikes", "differential", "sigma-delta"}
WITHOUT_SPIKES = {"quantised"}


def checked(graph: Graph, seed: int, folder: Path) -> bool:
    """Write a graph and compare every event; False where it is refused, which is explained."""
    source = Deployable(graph, STEPS)
    refusal = None
    try:
        artifact = export(SIMULATED, "lava_net", source, folder / "out")
    except (UnsupportedModel, UsageError) as error:
        refusal = error
    if refusal is not None:
        assert refusal.problems or "holds no neurons" in refusal.what
        assert all(problem.where and problem.expected for problem in refusal.problems)
        return False
    found = verify(
        SIMULATED, source, random_inputs(graph, batch=3, seed=seed, steps=STEPS), artifact
    )
    assert found.ok, str(found)
    return True


@pytest.mark.parametrize("seed", range(100))
def test_random_networks_do_what_the_runtime_does(seed: int, tmp_path: Path) -> None:
    assert checked(random_net(seed), seed, tmp_path) == is_written(seed)


def is_written(seed: int) -> bool:
    try:
        read(Deployable(random_net(seed), STEPS))
    except UnsupportedModel:
        return False
    return True


def test_most_of_these_networks_are_written() -> None:
    assert sum(map(is_written, range(100))) >= 50


@pytest.mark.parametrize("seed", range(60))
def test_graphs_of_any_ops_are_run_or_refused(seed: int, tmp_path: Path) -> None:
    checked(random_graph(seed, stage=Stage.PLACED, size=8), seed, tmp_path)


@pytest.mark.parametrize("recipe", RECIPES)
@pytest.mark.parametrize("seed", [0, 1])
def test_programs_of_every_recipe(recipe: str, seed: int, tmp_path: Path) -> None:
    pools = "average-pools=true"
    text, *bits = recipe.split(":")
    text = text % pools if "%" in text else f"{text}{{{pools}}}"
    graph = analog_net(seed)
    options: dict[str, Any] = dict(zip(("weight_bits", "input_bits"), map(int, bits), strict=False))
    program = spikec.convert(graph, calibration(graph), RECIPES[recipe], text, **options)
    source = program.deployable()
    artifact = export(SIMULATED, "lava_net", source, tmp_path / "out")
    x = program.inputs(calibration(program.reference, 4, seed=3))
    found = verify(SIMULATED, source, x, artifact)
    assert found.ok, str(found)
    assert sum(np.count_nonzero(train) for train in program.run(x).spikes.values()) > 100
    assert ("fixed" in artifact.ways) == (recipe == "lossless" or len(bits) == 2)


def test_every_recipe_is_tried() -> None:
    assert (
        set(spikec.recipes())
        <= {text.partition("{")[0] for text in RECIPES} | REFUSED | WITHOUT_SPIKES
    )


@pytest.mark.parametrize("recipe", sorted(REFUSED))
def test_neurons_that_lava_has_not_are_all_named(recipe: str, tmp_path: Path) -> None:
    graph = analog_net(0)
    program = spikec.convert(graph, calibration(graph), 4, f"{recipe}{{average-pools=true}}")
    with pytest.raises(UnsupportedModel) as caught:
        export(SIMULATED, "lava_net", program.deployable(), tmp_path / "out")
    places = {problem.where.split()[0].removeprefix("%") for problem in caught.value.problems}
    assert set(program.neurons) <= places
    assert all(problem.remedy for problem in caught.value.problems)
    assert list(tmp_path.iterdir()) == []


# ---- forms of connections ----


def layer(*nodes: ops.Op, shape: tuple[int, ...] = (4, 6, 8)) -> Way:
    """Give the path of some ops, one after another, behind neurons of this shape."""
    edit = Editor(Graph("g", Stage.SPIKING), by="test")
    value = source = edit.input("x", TensorType((T, B, *shape)))
    steps = []
    for op in nodes:
        value = edit.add(op, value)
        steps.append((value.producer, 0))
    return Way(source, tuple(steps))


RNG = np.random.default_rng(0)


def weight(*shape: int) -> Array:
    return Array(RNG.normal(size=shape).astype(np.float32))


def conv(
    out: int, channels: int, kernel: tuple[int, int] = (3, 3), **more: tuple[int, ...]
) -> ops.Op:
    padding = tuple((p, p) for p in more.get("padding", (1, 1)))
    stride, dilation = more.get("stride", (1, 1)), more.get("dilation", (1, 1))
    (groups,) = more.get("groups", (1,))
    array = weight(out, channels // groups, *kernel)
    return ops.Conv(array, weight(out), stride, padding, dilation, groups)


def pool(kind: type[ops.SumPool | ops.AvgPool], *kernel: int) -> ops.Op:
    return kind(kernel, kernel, ((0, 0), (0, 0)), (1, 1))


PLAIN = ops.Conv(weight(6, 4, 3, 3), None, (1, 1), ((1, 0), (0, 1)), (1, 1))
PATHS = {
    "same": ("same", layer(ops.Scale(Array(np.ones(4)), weight(4), -3), ops.Delay(2))),
    "scale": ("sparse", layer(ops.Scale(weight(4), None, -3), ops.Neg())),
    "conv": ("conv", layer(conv(6, 4))),
    "conv, all options": (
        "conv",
        layer(conv(6, 4, (3, 2), padding=(2, 1), stride=(2, 1), dilation=(1, 2), groups=(2,))),
    ),
    "conv between scales": (
        "conv",
        layer(ops.Scale(weight(4), None, -3), conv(6, 4), ops.Scale(weight(6), None, -3)),
    ),
    "pool and conv": ("conv", layer(pool(ops.SumPool, 2, 2), conv(6, 4, stride=(2, 1)))),
    "mean and conv": (
        "conv",
        layer(ops.Scale(weight(4), None, -3), pool(ops.AvgPool, 3, 2), conv(6, 4)),
    ),
    "uneven padding": ("sparse", layer(PLAIN)),
    "pool alone": ("sparse", layer(pool(ops.AvgPool, 2, 4))),
    "scale along rows": ("sparse", layer(conv(6, 4), ops.Scale(weight(6), None, -2))),
    "linear": ("dense", layer(ops.Reshape((T, B, 192)), ops.Linear(weight(5, 192)))),
    "linear of rows": ("sparse", layer(ops.Linear(weight(3, 8)))),
    "pool and linear": (
        "dense",
        layer(pool(ops.AvgPool, 2, 2), ops.Reshape((T, B, 48)), ops.Linear(weight(5, 48))),
    ),
    "turned": ("sparse", layer(ops.Permute((-1, -3, -2)), ops.Reshape((T, B, 192)))),
    "up": ("sparse", layer(ops.PixelShuffle(2))),
}


@pytest.mark.parametrize("name", PATHS)
def test_every_form_is_the_linear_map_of_its_path(name: str) -> None:
    kind, path = PATHS[name]
    amplitude = np.abs(RNG.normal(size=(4, 1, 1)))
    form = form_of(path, amplitude)
    assert form.kind == (kind if kind != "same" else "sparse")
    x = RNG.normal(size=(3, elements(path.source.type)))
    wanted = response(path, x * np.broadcast_to(amplitude, (4, 6, 8)).reshape(-1))
    for found in (form, tried(path, amplitude)):
        assert np.allclose(applied(found, x), wanted, rtol=1e-12, atol=1e-12)


def test_nothing_stands_between_neurons_that_meet_one_to_one() -> None:
    _, path = PATHS["same"]
    assert (form_of(path, np.ones(())).kind, path.delay) == ("same", 2)


def applied(form: Form, x: np.ndarray) -> np.ndarray:
    arrays = {f"k/{name}": array for name, array in form.arrays.items()}
    return np.asarray(linear.apply({"form": form.kind, "key": "k", **form.options}, arrays, x))


def test_whole_convolutions_of_more_than_8_bits_are_written_as_synapses() -> None:
    whole = ops.Conv(Array(np.full((2, 4, 3, 3), 127.0)), None, (1, 1), ((1, 1),) * 2, (1, 1))
    wide = ops.Conv(Array(np.full((2, 4, 3, 3), 128.0)), None, (1, 1), ((1, 1),) * 2, (1, 1))
    assert form_of(layer(whole), np.ones(())).kind == "conv"
    assert form_of(layer(wide), np.ones(())).kind in ("sparse", "dense")

"""Integer weights on int8 units: the reference's numbers, or the plain path."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from spikec.ir import Array, B, Code, Editor, Graph, Op, Spikes, Stage, T, TensorType, ops
from spikec.runtime.feed import bind_inputs
from spikec.runtime.layerwise import integers
from tests.runtime.spiking_nets import assert_engines_agree, images, residual_net, whole

ONE = Array(np.float32(1))
seeds = st.integers(0, 2**32 - 1)


def unsigned(rng: np.random.Generator) -> Op:
    theta, levels = Array(np.float32(rng.integers(50, 900))), int(rng.integers(1, 8))
    return ops.IntegrateFire(theta, amplitude=ONE, levels=levels)


def bipolar(rng: np.random.Generator) -> Op:
    theta = Array(np.float32(rng.integers(50, 900)))
    return ops.BipolarIF(theta, 15, levels=int(rng.integers(1, 8)), amplitude=ONE)


def halves(rng: np.random.Generator) -> Op:
    quarter = Array(np.full((1, 1, 1), 0.25, np.float32))
    return ops.IntegrateFire(Array(np.float32(700)), amplitude=quarter)


def integer_count(graph: Graph, x: Any, steps: int, dtype: str = "float32") -> int:
    return len(integers.integer_nodes(graph, bind_inputs(graph, x, steps, dtype)))


def supported() -> bool:
    return integers.works(integers.Shape((16, 16), ()), 0)


needs_int8 = pytest.mark.skipif(not supported(), reason="this processor or build has no exact int8")


@needs_int8
@settings(max_examples=12)
@given(seeds, st.sampled_from([unsigned, bipolar, halves]), st.integers(1, 6))
def test_networks_of_integers_give_the_reference_numbers(
    seed: int, neuron: Any, steps: int
) -> None:
    x = np.round(images(seed, 3) * 8)
    for source in (ops.Repeat(), ops.Impulse()):
        graph = residual_net(seed, neuron, source, whole)
        assert integer_count(graph, x, steps) == 3  # all but the first, and what reads no events
        assert_engines_agree(graph, x, steps)


def events_into(op: Op, levels: int, signed: bool, *shape: int) -> Graph:
    edit = Editor(Graph("events", Stage.SPIKING), by="test")
    spikes = Spikes(ONE, signed, levels, Code.RATE)
    x = edit.input("x", TensorType((T, B, *shape), signal=spikes))
    edit.output("y", edit.add(op, x))
    return edit.graph


@needs_int8
@pytest.mark.parametrize("weight", [127, -128])
@pytest.mark.parametrize(("levels", "signed"), [(255, False), (127, True)])
@pytest.mark.parametrize("kind", ["conv", "linear", "depthwise", "uneven"])
def test_the_largest_numbers_are_exact(weight: int, levels: int, signed: bool, kind: str) -> None:
    def full(*shape: int) -> Array:
        return Array(np.full(shape, weight, np.float32))

    square = ((1, 1), (1, 1))
    op, shape = {
        "conv": (ops.Conv(full(4, 32, 3, 3), None, (1, 1), square, (1, 1)), (32, 6, 6)),
        "linear": (ops.Linear(full(5, 400)), (400,)),
        "depthwise": (ops.Conv(full(8, 1, 3, 3), None, (2, 2), square, (1, 1), 8), (8, 7, 7)),
        "uneven": (ops.Conv(full(4, 3, 2, 2), None, (1, 1), ((0, 1), (1, 0)), (1, 1)), (3, 5, 5)),
    }[kind]
    graph = events_into(op, levels, signed, *shape)
    for value in (levels, -levels if signed else 0, 1):
        x = np.full((2, 3, *shape), value, np.float32)
        assert integer_count(graph, x, 2) == 1
        assert_engines_agree(graph, x, None)


def test_what_does_not_fit_a_byte_takes_the_plain_path() -> None:
    whole_weight = np.arange(-3, 3, dtype=np.float32).reshape(2, 3)
    x = np.zeros((1, 1, 3), np.float32)
    cases = [
        (whole_weight, 255, False, 1),
        (whole_weight, 256, False, 0),
        (whole_weight, 127, True, 1),
        (whole_weight, 128, True, 0),
        (whole_weight + 0.5, 1, False, 0),
        (whole_weight * 50, 1, False, 0),
        (np.full((1, 3), 127, np.float32), 1, False, 1),
        (np.full((1, 3), 128, np.float32), 1, False, 0),
        (np.full((1, 3), -128, np.float32), 1, False, 1),
    ]
    for weight, levels, signed, count in cases:
        graph = events_into(ops.Linear(Array(weight)), levels, signed, 3)
        assert integer_count(graph, x, 1) == (count if supported() else 0)
        assert integer_count(graph, x, 1, "float64") == 0
    many = Array(np.full((1, 1 << 12), 127, np.float32))
    graph = events_into(ops.Linear(many), 255, False, 1 << 12)  # sums beyond 2^24 are not exact
    assert integer_count(graph, np.zeros((1, 1, 1 << 12), np.float32), 1) == 0


@needs_int8
def test_an_input_that_holds_no_events_takes_the_plain_path() -> None:
    graph = events_into(ops.Linear(Array(np.eye(3, dtype=np.float32) * 3)), 4, False, 3)
    for value in (0.5, -1.0, 300.0):
        x = np.array([[[1.0, 2.0, value]]], np.float32)
        assert_engines_agree(graph, x, None)


def test_operators_that_saturate_or_lack_are_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    graph, x = residual_net(3, unsigned, weights=whole), np.round(images(3, 2))

    def saturating(shape: Any, weight: Any, scale: Any, bias: Any, zero: int) -> Any:
        exact = weight.double().T

        def run(k: torch.Tensor) -> torch.Tensor:
            y: torch.Tensor = ((k.double() - zero) @ exact).clamp(-32768, 32767).float()
            return y

        return run

    def lacking(*_: Any) -> Any:
        raise NotImplementedError("no such operator in this build")

    for fake in (saturating, lacking):
        integers.works.cache_clear()
        with monkeypatch.context() as patch:
            patch.setattr(integers, "_BY_RANK", {0: fake, 2: lacking})
            assert integer_count(graph, x, 3) == 0
            assert not integers.works(integers.Shape((4, 600), ()), 0)
            assert_engines_agree(graph, x, 3)
    integers.works.cache_clear()


def test_the_switch_turns_int8_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(integers.SWITCH, "0")
    graph, x = residual_net(4, unsigned, weights=whole), np.round(images(4, 2))
    assert integer_count(graph, x, 3) == 0
    assert_engines_agree(graph, x, 3)

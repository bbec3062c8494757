"""Compiled neuron scans: the reference's events; and what happens where nothing compiles."""

from __future__ import annotations

import ctypes
import logging
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from spikec.ir import Array, B, Dims, Editor, Graph, Sizes, Stage, T, TensorType, ops
from spikec.ir.ops.neuron_delta import SigmaDelta
from spikec.runtime import compiled, layerwise
from spikec.runtime.feed import bind_inputs
from spikec.runtime.layerwise import simulate
from spikec.runtime.layerwise.native import call, library, rules
from spikec.runtime.layerwise.plan import plan
from spikec.testing import draw_spiking
from spikec.testing.draft import Draft, UnfitError
from tests.runtime.spiking_nets import (
    Numbers,
    assert_engines_agree,
    assert_same,
    everything,
    images,
    residual_net,
)

SHAPES: tuple[Dims, ...] = (
    (T, B, 4, 3, 5),
    (T * B, 4, 3, 5),
    (B, T, 7),
    (B, 3, T, 2),
    (T * B, 700),
    (T, 4),
    (B, T),
)
DRAWS = (
    *(draw_spiking.neuron,) * 8,
    draw_spiking.accumulator,
    draw_spiking.readout,
    draw_spiking.temporal,
)
dtypes = st.sampled_from(["float32", "float64"])


def one_scan(seed: int, dims: Dims) -> Graph:
    """Draw an op with a state, and move axes in front of it so that memory is in any order."""
    rng = np.random.default_rng(seed)
    d = Draft(rng, Stage.SPIKING, smooth=False)
    x = d.edit.input("x", TensorType(dims))
    if len(dims) == 5 and d.chance():  # channels last, as convolutions leave it
        x = d.edit.add(ops.Permute((-2, -1, -3)), x)
    d.values.append(x)
    while len(d.values) == 1:
        try:
            d.choose(*DRAWS)(d)
        except UnfitError:
            continue
    d.edit.output("y", d.values[-1])
    return d.edit.graph


def currents(seed: int, dims: Dims, steps: int, batch: int) -> Numbers:
    """Draw currents, every other time on the grid of thresholds."""
    rng = np.random.default_rng(seed)
    x = rng.normal(0.2, 1, Sizes(batch, steps).shape(dims))
    return np.asarray(np.round(x * 8) / 8 if seed % 2 else x, np.float32)


@settings(max_examples=400)
@given(st.integers(0, 2**32 - 1), st.sampled_from(SHAPES), st.integers(1, 9), dtypes)
def test_compiled_scans_give_the_events_of_the_reference(
    seed: int, dims: Dims, steps: int, dtype: str
) -> None:
    graph = one_scan(seed, dims)
    assert_engines_agree(graph, currents(seed, dims, steps, 3), steps, dtype)


@settings(max_examples=60)
@given(st.integers(0, 2**32 - 1), st.sampled_from(SHAPES), dtypes)
def test_blocks_of_steps_carry_the_state_on(seed: int, dims: Dims, dtype: str) -> None:
    graph = one_scan(seed, dims)
    feed = bind_inputs(graph, currents(seed, dims, 7, 2), 7, dtype)
    wanted = frozenset(node.inputs[0].name for node in graph.outputs)
    spikes = frozenset(name for name in wanted if graph[name].outputs[0].type.is_spikes)
    whole, finest = simulate(graph, feed, wanted, counted=spikes), plan(graph, feed, wanted, None)
    for steps in (1, 3):
        cut = replace(finest, samples=feed.sizes.batch, steps=steps)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(layerwise, "plan", lambda *_, cut=cut: cut)
            parts = simulate(graph, feed, wanted, counted=spikes)
        assert_same(whole.values, parts.values)
        for name in spikes:
            np.testing.assert_array_equal(whole.events[name].quanta, parts.events[name].quanta)


@pytest.fixture
def no_native(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(compiled.SWITCH, "0")


@pytest.fixture
def fresh(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Give an empty cache, and forget what has been loaded."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(compiled, "FLAGS", (("-O0", "-march=native"), ("-O0",)))  # quick to compile
    library._loaded.cache_clear()
    yield tmp_path / "spikec"
    library._loaded.cache_clear()


def native_scans(graph: Graph) -> int:
    """Count nodes that the compiled code knows."""
    return sum(rules.rule_of(node.op) is not None for node in graph)


def test_there_is_a_compiler_where_these_tests_run() -> None:
    found = library.library(np.dtype(np.float32))
    assert found is not None
    assert found.tile == library.TILES["float32"][1]
    assert native_scans(residual_net(0)) == 6


@pytest.mark.parametrize("name", list(library.TILES))
def test_both_sides_agree_on_the_structure(name: str) -> None:
    assert library.load(name).structure_bytes == ctypes.sizeof(call.structure(name))


@pytest.mark.usefixtures("no_native")
@settings(max_examples=60)
@given(st.integers(0, 2**32 - 1), st.sampled_from(SHAPES), dtypes)
def test_without_compiled_code_the_events_are_the_same(seed: int, dims: Dims, dtype: str) -> None:
    assert os.environ[compiled.SWITCH] == "0"
    graph = one_scan(seed, dims)
    assert_engines_agree(graph, currents(seed, dims, 4, 3), 4, dtype)


@pytest.mark.usefixtures("no_native")
def test_the_switch_turns_compiled_code_off() -> None:
    assert library.library(np.dtype(np.float32)) is None
    assert_engines_agree(residual_net(7), images(7, 3), 4)


@pytest.mark.parametrize("command", ["no-such-compiler", "false", f"{sys.executable} -c 0"])
def test_without_a_working_compiler_it_says_so_once(
    fresh: Path, command: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("CC", command)
    with caplog.at_level(logging.WARNING):
        assert_engines_agree(residual_net(8), images(8, 2), 3)
        assert_engines_agree(residual_net(9), images(9, 2), 3)
    said = [r.getMessage() for r in caplog.records if "without compiled code" in r.getMessage()]
    assert len(said) == 1
    assert command.split()[0] in said[0] or "loaded" in said[0]
    assert not list(fresh.glob("*.so"))


def test_a_compiler_that_refuses_an_option_is_asked_again(
    fresh: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = tmp_path / "old-cc"
    script.write_text(
        '#!/bin/sh\ncase "$*" in *march=native*) echo unknown >&2; exit 1;; esac\nexec cc "$@"\n'
    )
    script.chmod(0o755)
    monkeypatch.setenv("CC", str(script))
    assert library.library(np.dtype(np.float32)) is not None
    assert len(list(fresh.glob("*.so"))) == 1


@pytest.mark.parametrize("damage", ["cut", "changed", "no checksum", "foreign checksum"])
def test_a_damaged_cache_is_built_anew(fresh: Path, damage: str) -> None:
    defines = ("-DREAL=float", "-DTILE=512")
    path = compiled.build(library.SOURCE, defines)
    good, checksum = path.read_bytes(), path.with_suffix(".sum")
    if damage == "cut":
        path.write_bytes(good[: len(good) // 2])
    elif damage == "changed":
        path.write_bytes(good[:-1] + bytes([good[-1] ^ 1]))
    elif damage == "no checksum":
        checksum.unlink()
    else:
        checksum.write_bytes(b"\xff\xfe")
    assert compiled.build(library.SOURCE, defines) == path
    assert path.read_bytes() == good
    assert library.library(np.dtype(np.float32)) is not None


def test_a_cache_is_used_again(fresh: Path) -> None:
    path = compiled.build(library.SOURCE, ("-DREAL=float", "-DTILE=512"))
    before = path.stat()
    assert compiled.build(library.SOURCE, ("-DREAL=float", "-DTILE=512")) == path
    assert path.stat().st_mtime_ns == before.st_mtime_ns
    assert path.parent.stat().st_mode & 0o077 == 0
    assert not list(path.parent.glob("build-*"))


@pytest.mark.skipif(not hasattr(os, "getuid"), reason="folders have no permission bits here")
def test_code_is_not_loaded_from_a_folder_that_others_may_write_to(
    fresh: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fresh.mkdir(mode=0o777)
    fresh.chmod(0o777)
    monkeypatch.setattr(tempfile, "gettempdir", lambda: str(tmp_path / "private"))
    assert compiled.build(library.SOURCE, ("-DREAL=float", "-DTILE=512")).parent != fresh


def test_processes_that_compile_at_once_all_get_a_library(fresh: Path) -> None:
    code = (
        "import numpy as np; from spikec.runtime import compiled; "
        "from spikec.runtime.layerwise.native import library as l; "
        "compiled.FLAGS = (('-O0',),); "
        "assert l.library(np.dtype('float32')) is not None"
    )
    processes = [subprocess.Popen([sys.executable, "-c", code]) for _ in range(3)]
    assert [process.wait(timeout=300) for process in processes] == [0, 0, 0]
    assert len(list(fresh.glob("*.so"))) == len(list(fresh.glob("*.sum"))) == 1


def test_threads_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(call, "SHARE", 1)
    graph, x = residual_net(10), images(10, 9)
    before = torch.get_num_threads()
    runs = []
    try:
        for count in (1, 2, 4):
            torch.set_num_threads(count)
            runs.append(everything(graph, x, 5))
    finally:
        torch.set_num_threads(before)
    for run in runs[1:]:
        assert_same(runs[0].values, run.values)
        for name, counts in runs[0].events.items():
            np.testing.assert_array_equal(counts.events, run.events[name].events)


def test_extreme_currents_give_the_reference_results() -> None:
    tiny, huge = np.finfo(np.float32).tiny, np.finfo(np.float32).max
    one, below = np.float32(1), np.nextafter(np.float32(1), np.float32(0))
    above = np.nextafter(np.float32(1), np.float32(2))
    values = [0, -0.0, tiny, -tiny, tiny / 4, huge, -huge, one, below, above, -one, -below, -above]
    x = np.array([values, values[::-1], values], np.float32)[:, None]
    for theta in (1.0, 0.1, 3.0, 1e-30, 1e30):
        for levels in (1, 5):
            for comparison in ops.Comparison:
                for negative in ops.Negative:
                    neuron = ops.IntegrateFire(
                        Array(np.float32(theta)),
                        levels=levels,
                        comparison=comparison,
                        negative=negative,
                    )
                    edit = Editor(Graph("extreme", Stage.SPIKING), by="test")
                    current = edit.input("x", TensorType((T, B, len(values))))
                    edit.output("y", edit.add(neuron, current))
                    assert_engines_agree(edit.graph, x, None)


def test_every_neuron_with_a_rule_is_drawn() -> None:
    drawn = {type(node.op) for seed in range(300) for node in one_scan(seed, SHAPES[0])}
    elsewhere = {SigmaDelta, ops.Population}  # in tests of their own
    assert {*rules._RULES} <= drawn | elsewhere

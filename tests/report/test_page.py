"""The page holds all sections, tells the numbers of Program.evaluate, and asks for nothing."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

import spikec
from spikec.energy.tables import joule
from spikec.errors import DataError, UsageError
from spikec.ir import Graph, Location
from spikec.report.findings import Choice, gather
from spikec.report.page import page, pictures
from spikec.report.svg import svg_file
from spikec.report.words import THIN, few, percent, plain, quantity
from spikec.runtime.feed import Feed
from spikec.runtime.layerwise import Simulation, simulate
from spikec.target import examine
from tests.report.conftest import STEPS, Reported, digits_net
from tests.report.reading import Tree

SECTIONS = [
    *("accuracy", "events", "rates", "raster", "energy", "thresholds"),
    *("targets", "network", "passes", "provenance"),
]


def test_every_section_is_there_and_linked(reported: Reported) -> None:
    tree = Tree(reported.html)
    assert [found["id"] for found in tree.of("section")] == SECTIONS
    assert [found["href"] for found in tree.of("a")] == [f"#{name}" for name in SECTIONS]
    assert len(list(tree.of("h1"))) == 1
    assert next(iter(tree.of("html")))["lang"] == "en"


def test_nothing_is_loaded_and_nothing_runs(reported: Reported) -> None:
    tree = Tree(reported.html)
    assert not list(tree.of("script"))
    assert not list(tree.of("img"))
    assert [link["href"] for link in tree.of("link")] == ["data:,"]
    assert not re.search(r"https?:|//[a-z]|url\(|@import", reported.html)
    assert not any(name.startswith("on") for _, found in tree.elements for name in found)
    policy = next(m for m in tree.of("meta") if "http-equiv" in m)
    assert policy["content"].startswith("default-src 'none'")


SIZES = {"relu": 80, "relu_2": 96}


def test_the_numbers_are_those_of_evaluate(reported: Reported) -> None:
    seen = reported.program.evaluate(reported.data)
    assert reported.found.activity == seen
    tree = Tree(reported.html)
    by_step = [row for row in tree.rows if len(row) == 3 and row[0].isdigit()]
    assert [row[:2] for row in by_step] == [
        [str(step), percent(share, 2)] for step, share in enumerate(seen.accuracy_by_step, 1)
    ]
    text = tree.text()
    for number in (seen.accuracy, seen.reference_accuracy, seen.agreement):
        assert percent(number, 2) in text
    for name, rate in seen.rates.items():
        row = next(row for row in tree.rows if row[0] == name and len(row) == 5)
        assert row[1:4] == [str(SIZES[name]), f"{rate * SIZES[name]:,.1f}", f"{rate:.4f}"]
    assert quantity(sum(rate * SIZES[name] for name, rate in seen.rates.items())) in text


def test_rates_and_rasters_are_those_of_a_run(reported: Reported) -> None:
    x = reported.data[0]
    run = reported.program.run(x)
    for layer in reported.found.firing:
        train = run.spikes[layer.name]
        amplitude = reported.program.graph[layer.name].outputs[0].type.signal.amplitude.data  # type: ignore[union-attr]
        assert layer.rates == pytest.approx((train != 0).mean(axis=(0, 1)).reshape(-1))
        assert layer.by_step == pytest.approx((train != 0).sum(axis=2).mean(axis=1))
        quanta = np.rint(train[:, 0] / amplitude)[:, layer.shown]
        assert np.array_equal(layer.raster, quanta)
        assert layer.silent == pytest.approx(float((layer.rates == 0).mean()))
    assert reported.found.firing[1].raster.min() < 0 < reported.found.firing[1].raster.max()


def test_no_sample_is_run_twice(reported: Reported, monkeypatch: pytest.MonkeyPatch) -> None:
    ran: list[int] = []

    def counted(graph: Graph, feed: Feed, *rest: Any, **options: Any) -> Simulation:
        ran.append(feed.sizes.batch)
        return simulate(graph, feed, *rest, **options)

    monkeypatch.setattr("spikec.evaluation.simulate", counted)
    monkeypatch.setattr("spikec.evaluation.SEEN", 40_000)
    again = gather(reported.program, reported.data, STEPS, reported.targets)
    assert sum(ran) == len(reported.data[0])
    assert len(ran) > 10
    assert page(again) == reported.html


def test_the_same_program_and_samples_make_the_same_bytes(reported: Reported) -> None:
    program = spikec.convert(digits_net(), reported.data[0][:100], STEPS, "signed")
    assert page(gather(program, reported.data, STEPS, reported.targets)) == reported.html
    other = (reported.data[0], 1 - reported.data[1] % 2)
    assert page(gather(program, other, STEPS, reported.targets)) != reported.html


def test_targets_tell_what_check_tells(reported: Reported) -> None:
    rows = {row[0]: row for row in Tree(reported.html).rows if row[0] in reported.targets}
    graph = reported.program.graph
    for name, target in reported.targets.items():
        seen = examine(graph, target)
        assert rows[name][1] == ("yes" if seen.ok else "no")
        if seen.resources.limits:
            assert rows[name][2].startswith(f"{seen.resources.cores:,} of ")
            peaks = [seen.resources.peak(limit) for limit in seen.resources.limits]
            assert rows[name][3].startswith(few(max(peaks)))
        for violation in seen.violations[:1]:
            assert violation.what in rows[name][4]


def test_thresholds_and_passes_are_the_programs(reported: Reported) -> None:
    rows = Tree(reported.html).rows
    for layer in reported.program.neurons:
        threshold = reported.program.graph[layer].op.threshold.data  # type: ignore[attr-defined]
        row = next(row for row in rows if row[0] == layer and row[2:3] == ["threshold"])
        assert row[3] == f"{threshold.size:,}"
        numbers = (threshold.min(), np.median(threshold), threshold.max())
        assert row[4:] == [plain(float(x), 4) for x in numbers]
    told = [row[1] for row in rows if len(row) == 4 and row[0].isdigit()]
    assert told == [one["text"] for one in reported.program.record["passes"]]


def test_the_map_shows_every_node_and_edge(reported: Reported) -> None:
    (drawn,) = (p for p in pictures(reported.found) if p.name == "network")
    text = svg_file(drawn)
    for node in reported.program.graph:
        assert f"{node.name}: {type(node.op).__name__}" in text
    edges = sum(len(node.inputs) for node in reported.program.graph)
    assert text.count("<polyline") == edges


HOSTILE = "<script>alert(1)</script>&\"'\x00\ud800</style>"


def test_whatever_a_user_names_stays_a_text(reported: Reported) -> None:
    program = replace(reported.program, record=dict(reported.program.record))
    program.record["passes"] = [{"text": HOSTILE, "nodes": HOSTILE, "deviation": HOSTILE}]
    program.record["recipe"] = {"name": HOSTILE, HOSTILE: HOSTILE}
    program.record["versions"] = {HOSTILE: HOSTILE}
    graph, reference = digits_net(), digits_net()
    program = replace(program, reference=reference)
    reference.name = HOSTILE
    reference.notes[HOSTILE] = HOSTILE
    found = gather(program, reported.data, STEPS, {})
    hostile = replace(found, name=HOSTILE, neurons=dict(found.neurons))
    for node in hostile.graph:
        node.location = Location.at(module=HOSTILE, file=HOSTILE, line=1)
    try:
        html = page(hostile)
    finally:
        for node in hostile.graph:
            node.location = Location()
    tree = Tree(html)
    assert not list(tree.of("script"))
    assert html.count("</style>") == 1
    assert "\x00" not in html
    html.encode("utf-8")
    assert "<script>alert(1)</script>&\"'\ufffd?</style>" in tree.text()
    assert graph.name == "digits"


def test_a_program_without_neurons_has_a_page_too(reported: Reported) -> None:
    from spikec.ir import Array, B, Editor, Graph, TensorType, ops

    edit = Editor(Graph("linear"), by="test")
    weight = Array(np.random.default_rng(0).normal(size=(10, 64)), "float32")
    edit.output("y", edit.add(ops.Linear(weight), edit.input("x", TensorType((B, 64)))))
    program = spikec.convert(edit.graph, reported.data[0][:50], 4, "rate")
    found = gather(program, reported.data, 4, reported.targets)
    shown = [section["id"] for section in Tree(page(found)).of("section")]
    assert shown == ["accuracy", "energy", "targets", "network", "passes", "provenance"]


def test_the_chosen_layer_and_sample_are_drawn_first(reported: Reported) -> None:
    x, y = reported.data
    deep = spikec.convert(_deep(), x[:50], 6, "graded")
    assert len(deep.neurons) == 4
    for name in deep.neurons:
        found = gather(deep, (x, y), 6, {}, Choice(name, 3))
        (section,) = re.findall('<section id="raster">.*?</section>', page(found), re.DOTALL)
        assert re.findall("<h3>(.*?)</h3>", section)[0] == name
        train = deep.run(x[3:4]).spikes[name]
        layer = next(layer for layer in found.firing if layer.name == name)
        assert np.array_equal(layer.raster != 0, train[:, 0].reshape(6, -1)[:, layer.shown] != 0)


def _deep() -> spikec.Graph:
    from tests.passes.helpers import mlp

    return mlp(64, 20, 19, 18, 17, 10)


@pytest.mark.parametrize(
    ("change", "error", "told"),
    [
        ({"choice": Choice("reul")}, UsageError, "did you mean relu?"),
        ({"choice": Choice(sample=200)}, DataError, "sample 200 of 200"),
        ({"choice": Choice(sample=-1)}, DataError, "a number from 0 to 199"),
        ({"memory": 1.5}, UsageError, "a number of bytes"),
    ],
)
def test_a_wrong_choice_is_told_before_anything_runs(
    reported: Reported,
    monkeypatch: pytest.MonkeyPatch,
    change: dict[str, object],
    error: type,
    told: str,
) -> None:
    monkeypatch.setattr("spikec.evaluation.simulate", None)
    with pytest.raises(error, match=re.escape(told)):
        gather(reported.program, reported.data, STEPS, {}, **change)  # type: ignore[arg-type]


def test_words_use_thin_spaces_and_few_digits() -> None:
    assert percent(0.5) == f"50.0{THIN}%"
    assert quantity(1.5e-9, "J") == f"1.50{THIN}nJ"
    assert quantity(999_999) == f"1.00{THIN}M"


def test_the_energies_are_those_of_the_estimate(reported: Reported) -> None:
    tree = Tree(reported.html)
    for name, profile in spikec.energy_profiles().items():
        energy = reported.program.energy(reported.data, name)
        row = next(row for row in tree.rows if row[0] == name)
        assert row[1] == joule(energy.total_pj)
        assert row[-1] == profile.leaves_out
    chosen = reported.program.energy(reported.data)
    for layer in chosen.layers:
        row = next(row for row in tree.rows if row[0] == layer.name and len(row) == 12)
        assert row[8] == (joule(layer.total_pj) if layer.total_pj else "")
    assert {"energy", "energy-beside"} <= {picture.name for picture in pictures(reported.found)}


def test_another_profile_is_drawn(reported: Reported) -> None:
    found = gather(reported.program, reported.data, STEPS, {}, profile="truenorth")
    assert found.energy == found.energies[0]
    assert [one.profile.name for one in found.energies][:2] == ["truenorth", "horowitz45-fp16"]
    assert "priced by truenorth" in Tree(page(found)).text()
    with pytest.raises(UsageError, match="did you mean truenorth"):
        gather(reported.program, reported.data, STEPS, {}, profile="truenort")


def test_where_samples_meet_the_page_says_why_it_has_no_energy(
    reported: Reported, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("spikec.energy.count.samples_never_meet", lambda graph: False)
    found = gather(reported.program, reported.data, STEPS, {})
    assert (found.energy, found.energies) == (None, ())
    text = Tree(page(found)).text()
    assert "No energy: in 'digits' samples meet" in text
    assert "energy per sample" not in text

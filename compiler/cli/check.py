"""``spikec check``: whether a target can run a program, why not, and what it takes."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich import box
from rich.table import Table
from rich.text import Text

from spikec.cli import model
from spikec.cli.files import check_file
from spikec.cli.options import Debug, Json, Quiet
from spikec.cli.screen import Screen
from spikec.errors import UnsupportedModel, UsageError

if TYPE_CHECKING:
    from spikec.ir import Graph
    from spikec.target import Examination, Placement, Resources

PROGRAM = "A program: a .spk file."
TARGET = "One of `spikec targets`, or the path of a .toml file."
CORES = "Place the program, and list each core: its tile, what stands on it, how full it is."
PICTURE = "Place the program, and draw the mesh of cores for each resource."
FAILED = 1


def check(
    source: Annotated[str, typer.Argument(metavar="FILE.spk", help=PROGRAM, show_default=False)],
    target: Annotated[
        str, typer.Option("--target", metavar="TARGET", help=TARGET, show_default=False)
    ],
    all_of_them: Annotated[
        bool, typer.Option("--all", help="Print each violation, also those of one kind.")
    ] = False,
    cores: Annotated[bool, typer.Option("--cores", help=CORES)] = False,
    drawn: Annotated[
        Path | None, typer.Option("--picture", metavar="FILE.svg", help=PICTURE, show_default=False)
    ] = None,
    as_json: Json = False,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """List what a target cannot do of a program, and what the program takes of it."""
    from spikec.target import examine, load_target

    screen = Screen(as_json=as_json, quiet=quiet)
    if drawn is not None:
        check_file("--picture", drawn, ".svg")
    chosen = load_target(target)
    if not source.lower().endswith(".spk"):
        raise UsageError(
            "spikec check reads programs", where=source, remedy="make one: spikec convert"
        )
    graph, _ = model.load_stored(source)
    with screen.busy(f"checking {source}"):
        found = examine(graph, chosen)
        placed = _placed(graph, found) if cores or drawn else None
    if placed is not None and drawn is not None:
        _draw(placed, drawn)
    if as_json:
        document = {"program": source, **found.to_json()}
        screen.document(document if placed is None else {**document, "placement": placed.to_json()})
    else:
        _show(screen, found, all_of_them)
        if placed is not None and cores:
            _cores(screen, placed)
        if placed is None and (cores or drawn):
            screen.say("nothing is placed or drawn: no core holds some of these neurons")
    if not found.ok:
        raise typer.Exit(FAILED)


def _placed(graph: Graph, found: Examination) -> Placement | None:
    """Give the placement that a program carries for this target, or make one if there can be."""
    from spikec.target import layers_of, place, placement_of

    own = placement_of(graph)
    if own is not None and own.target == found.target.name:
        return own
    try:
        return place(layers_of(graph, set(found.partition.chip)), found.target)
    except UnsupportedModel:  # the violations say why
        return None


def _draw(placed: Placement, path: Path) -> None:
    from spikec.ir.atomic import replace_file
    from spikec.report.mesh_svg import picture

    with replace_file(path) as file:
        file.write(picture(placed).encode())


def _cores(screen: Screen, placed: Placement) -> None:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for header in ("core", "tile", "parts", *placed.limits):
        table.add_column(header, justify="right", no_wrap=header != "parts")
    tiles = placed.mesh.tiles()
    for core, slot in enumerate(placed.slots):
        parts: dict[str, int] = {}
        for part in placed.parts:
            if part.core == core:
                parts[part.layer] = parts.get(part.layer, 0) + 1
        named = ", ".join(f"{n} × {name}" if n > 1 else name for name, n in parts.items())
        shares = (f"{placed.use(name)[core]:.0%}" for name in placed.limits)
        column, row = tiles[slot]
        table.add_row(str(core), f"{column}, {row}", Text(named), *shares)
    screen.show(table)
    total = sum(messages for _, _, messages in placed.traffic)
    screen.say(
        f"{total:,.0f} messages between cores per step, {placed.hops:,.0f} routers passed "
        f"({placed.unplaced_hops:,.0f} in the order of the layers)"
    )


def _show(screen: Screen, found: Examination, all_of_them: bool) -> None:
    cut, name = found.partition, found.target.name
    for nodes, where in ((cut.prefix, "before"), (cut.suffix, "behind")):
        if nodes:
            listed = ", ".join(f"%{node.name}" for node in nodes[:6])
            more = f" and {len(nodes) - 6} more" if len(nodes) > 6 else ""
            screen.say(f"on the host, {where} {name}: {listed}{more}")
    _resources(screen, found.resources)
    if found.ok:
        screen.say(f"{name} can run it")
        return
    count = len(found.violations)
    screen.say(f"{name} cannot run it: {count} violation{'s' if count > 1 else ''}")
    for number, problem in _grouped(found, all_of_them):
        screen.say(f"- {problem}" + (f"\n  … and {number - 1} more like it" if number > 1 else ""))


def _grouped(found: Examination, all_of_them: bool) -> list[tuple[int, str]]:
    """Give violations as text; those of one rule, expectation and remedy together."""
    groups: dict[tuple[object, ...], list[str]] = {}
    for i, violation in enumerate(found.violations):
        key = (violation.rule, violation.expected, violation.remedy, i if all_of_them else 0)
        groups.setdefault(key, []).append(f"{violation.rule.value}: {violation.problem}")
    return [(len(texts), texts[0]) for texts in groups.values()]


def _resources(screen: Screen, found: Resources) -> None:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("layer", overflow="fold")
    for header in ("neurons", "synapses", "fan-in", "cores", "block", *found.limits):
        table.add_column(header, justify="right", no_wrap=True)
    for layer in found.layers:
        sizes = "×".join(str(size) for size in layer.block if size > 1) or "1"
        split = f" (in {layer.pieces})" if layer.pieces > 1 else ""
        table.add_row(
            Text(layer.name),
            f"{layer.neurons:,}",
            f"{layer.synapses:,}",
            f"{layer.fan_in:,}{split}",
            f"{len(layer.cores):,}",
            sizes,
            *(f"{layer.use[name]:.0%}" for name in found.limits),
        )
    screen.show(table)
    cores = f"{found.cores:,}" + (f" of {found.available:,}" if found.available else "")
    screen.say(
        f"{len(found.layers)} layers, {found.neurons:,} neurons, {found.synapses:,} synapses; "
        f"cores: {cores} ({found.chips} chip{'s' if found.chips > 1 else ''}), "
        f"{len(found.split)} layers on several"
    )
    for name in found.limits:
        screen.say(
            f"{name} per core: {found.mean(name):.0%} on average, {found.peak(name):.0%} most"
        )

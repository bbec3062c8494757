"""``spikec show``: what stands in a model, node by node."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from spikec.cli import model, shapes
from spikec.cli.drawing import check_drawing, draw
from spikec.cli.files import check_program_file
from spikec.cli.options import Debug, Json, Quiet
from spikec.cli.screen import Screen, write
from spikec.cli.tables import node_table
from spikec.errors import UsageError

if TYPE_CHECKING:
    from spikec.ir import Graph


def show(
    source: Annotated[str, typer.Argument(metavar="MODEL", help=model.HELP, show_default=False)],
    inputs: Annotated[
        list[str] | None,
        typer.Option("--input", "-i", metavar="SHAPE", help=shapes.HELP, show_default=False),
    ] = None,
    text: Annotated[
        bool, typer.Option("--text", help="Print the graph as text, which parses back.")
    ] = False,
    dot: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Draw it: .svg, .png, .pdf (by Graphviz) or .dot."),
    ] = None,
    save: Annotated[
        Path | None,
        typer.Option("--save", "-o", metavar="FILE.spk", help="Keep the imported graph."),
    ] = None,
    as_json: Json = False,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """Show the nodes of a model with types, parameters, MACs and origin."""
    screen = Screen(as_json=as_json, quiet=quiet)
    if text and as_json:
        raise UsageError("--text and --json exclude each other", remedy="give one of them")
    _check_outputs(dot, save)
    example = shapes.example_of(inputs or ())
    with screen.busy(f"reading {source}"):
        graph, record = _read(source, example)
    if save is not None:
        from spikec.ir import store

        with screen.busy(f"writing {save}"):
            store.save(graph, save)
    if dot is not None:
        with screen.busy(f"drawing {dot}"):
            draw(graph, dot)
    if text:
        write(_text(graph))
    elif as_json:
        screen.document({**document(graph), "program": _program(record)})
    else:
        _print(screen, graph, _program(record))
    for path in (save, dot):
        if path is not None and not text:
            screen.say(f"wrote {path}")


def _read(source: str, example: Any) -> tuple[Graph, Mapping[str, Any]]:
    """Give a graph, and the record of how it was made, where there is one."""
    if Path(source).suffix.lower() == ".spk":
        return model.load_stored(source, example)
    return model.load_graph(source, example), {}


def _text(graph: Graph) -> str:
    from spikec.energy.annotation import annotation_of
    from spikec.ir.printer import print_graph

    told = annotation_of(graph)
    remarks = {name: str(cost) for name, cost in told.nodes.items()} if told else {}
    return print_graph(graph, remarks)


def _program(record: Mapping[str, Any]) -> dict[str, Any] | None:
    """Give the facts of a program; nothing for a bare graph."""
    if "steps" not in record:
        return None
    return {key: record.get(key) for key in ("steps", "recipe", "preprocess")}


def _check_outputs(dot: Path | None, save: Path | None) -> None:
    if dot is not None:
        check_drawing(dot)
    if save is not None:
        check_program_file("--save", save)


def document(graph: Graph) -> dict[str, Any]:
    """Give all that the table shows, and the operands, for machines."""
    from spikec.energy.annotation import annotation_of
    from spikec.report.rows import rows, totals

    table, energy = rows(graph), annotation_of(graph)
    return {
        "name": graph.name,
        "stage": graph.stage.value,
        "notes": dict(graph.notes),
        "energy": None if energy is None else asdict(energy),
        "inputs": [_port(node.name, str(node.outputs[0].type)) for node in graph.inputs],
        "outputs": [_port(node.name, str(node.inputs[0].type)) for node in graph.outputs],
        "nodes": [asdict(row) for row in table],
        "totals": asdict(totals(table)),
    }


def _port(name: str, type_: str) -> dict[str, str]:
    return {"name": name, "type": type_}


def _print(screen: Screen, graph: Graph, program: Mapping[str, Any] | None) -> None:
    from spikec.energy.annotation import NOTE as ENERGY
    from spikec.energy.annotation import annotation_of
    from spikec.report.rows import rows, totals
    from spikec.target.placement import NOTE as PLACEMENT

    table, energy = rows(graph), annotation_of(graph)
    total = totals(table)
    screen.show(node_table(graph, table, {} if energy is None else energy.nodes))
    screen.say(
        f"{total.nodes} nodes, {total.params:,} parameters, "
        f"{total.macs:,} MACs per sample (B = 1, T = 1)"
    )
    if program is not None:
        screen.say(f"a program of {program['steps']} steps")
        screen.say(f"recipe: {program['recipe']}")
    if energy is not None:
        screen.say(f"energy: one of {energy.samples:,} samples by {energy.profile}, mean")
    for key, value in graph.notes.items():
        if key not in (ENERGY, PLACEMENT):  # for machines
            screen.say(f"{key}: {value}")

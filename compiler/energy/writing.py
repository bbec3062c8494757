"""Estimates as text, Markdown and CSV."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Sequence
from dataclasses import fields
from typing import Any

from spikec.energy.counts import NAMES
from spikec.energy.price import Parts
from spikec.energy.result import Energy, LayerEnergy
from spikec.energy.tables import Sheet, notes, shared_notes, sheets


def text(energies: Sequence[Energy]) -> str:
    """Write aligned tables, and what has to be known."""
    parts = [_aligned(sheet) for sheet in sheets(energies)]
    return "\n\n".join([*parts, "\n".join(all_notes(energies))]) + "\n"


def markdown(energies: Sequence[Energy]) -> str:
    """Write tables as Markdown."""
    parts = [_marked(sheet) for sheet in sheets(energies)]
    told = "\n".join(f"- {line}" for line in all_notes(energies))
    return "\n\n".join([*parts, told]) + "\n"


def all_notes(energies: Sequence[Energy]) -> list[str]:
    """Give what has to be known, each line once; of several estimates what they share."""
    chosen = notes if len(energies) == 1 else shared_notes
    return list(dict.fromkeys(line for energy in energies for line in chosen(energy)))


def csv_text(energies: Sequence[Energy]) -> str:
    """Write a row for each layer and one for all of them, numbers in full; energies in pJ."""
    rows = [row for energy in energies for row in _rows(energy)]
    heads = list(dict.fromkeys(key for row in rows for key in row))
    file = io.StringIO()
    writer = csv.DictWriter(file, heads, restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return file.getvalue()


def json_text(energies: Sequence[Energy]) -> str:
    """Write one JSON document: an object, or a list of several."""
    found = [energy.to_json() for energy in energies]
    whole = found[0] if len(found) == 1 else found
    return json.dumps(whole, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def _rows(energy: Energy) -> Iterator[dict[str, Any]]:
    about = {
        "program": energy.program,
        "recipe": energy.recipe,
        "steps": energy.steps,
        "samples": energy.samples,
        "profile": energy.profile.name,
    }
    for layer in energy.layers:
        yield {**about, **_layer(layer)}
    ratios = {f"ratio_{b.name}": b.ratio(energy.total_pj) for b in energy.baselines}
    whole = {"layer": "", "op": "", "kind": "all", "place": ""}
    yield {**about, **whole, **_figures(energy), **ratios}


def _layer(layer: LayerEnergy) -> dict[str, Any]:
    told = {
        "layer": layer.name,
        "op": layer.op,
        "kind": layer.kind.value,
        "place": layer.place,
        **_figures(layer),
        "flops": layer.flops,
        "synapses": layer.synapses,
        "runs": layer.runs,
        "rate_in": layer.rate_in,
        "rate": layer.rate,
        "neurons": layer.neurons,
    }
    ends = {f"break_even_{name}": rate for name, rate in layer.break_even.items()}
    return {**told, **ends}


def _figures(one: LayerEnergy | Energy) -> dict[str, Any]:
    counts = one.counts.to_json()
    parts = {f"{field.name}_pj": getattr(one.energy, field.name) for field in fields(Parts)}
    spread = {"p5_pj": one.spread.low, "p95_pj": one.spread.high}
    return {**{name: counts[name] for name in NAMES}, **parts, "total_pj": one.total_pj, **spread}


def _aligned(sheet: Sheet) -> str:
    lines = (sheet.heads, *sheet.rows)
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    rows = [_line(line, widths, sheet.texts) for line in lines]
    rows.insert(1, "-" * max(map(len, rows)))
    return "\n".join([sheet.title, "", *rows] if sheet.title else rows)


def _line(cells: Sequence[str], widths: Sequence[int], texts: int) -> str:
    padded = (
        cell.ljust(width) if index < texts else cell.rjust(width)
        for index, (cell, width) in enumerate(zip(cells, widths, strict=True))
    )
    return "  ".join(padded).rstrip()


def _marked(sheet: Sheet) -> str:
    rule = ["---" if index < sheet.texts else "---:" for index in range(len(sheet.heads))]
    rows = [
        "| " + " | ".join(cells) + " |" for cells in (sheet.heads, rule, *map(_safe, sheet.rows))
    ]
    title = [f"**{sheet.title}**", ""] if sheet.title else []
    return "\n".join([*title, *rows])


def _safe(cells: Sequence[str]) -> list[str]:
    return [cell.replace("|", "\\|").replace("\n", " ") for cell in cells]

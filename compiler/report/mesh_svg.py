"""Draws a placement as SVG: the mesh of cores once per resource, darker where more is used."""

from __future__ import annotations

from html import escape

from spikec.target import Placement

CELL, GAP, MARGIN, HEAD = 14, 2, 24, 36
"""sizes in pixels: a core, the space between tiles, around a mesh, above it"""
FULL = (8, 48, 107)
EMPTY = (239, 243, 255)
STYLE = "font-family: sans-serif; font-size: 11px; fill: #222"


def picture(placement: Placement) -> str:
    """Write the whole picture; the tooltip of a core names its layers."""
    resources = [name for name in placement.limits if max(placement.use(name), default=0) > 0]
    width, height = _size(placement)
    panels = [
        f'<g transform="translate({MARGIN + i % 2 * (width + MARGIN)} '
        f'{MARGIN + i // 2 * (height + HEAD)})">{_panel(placement, name)}</g>'
        for i, name in enumerate(resources)
    ]
    across, down = min(2, max(1, len(resources))), -(-len(resources) // 2)
    wide = MARGIN + across * (width + MARGIN)
    tall = MARGIN + down * (height + HEAD) + HEAD
    head = f'<svg xmlns="http://www.w3.org/2000/svg" width="{wide}" height="{tall}">'
    ground = f'<rect width="{wide}" height="{tall}" fill="#fff"/>'
    foot = (
        f'<text x="{MARGIN}" y="{tall - 14}" style="{STYLE}">{escape(_summary(placement))}</text>'
    )
    return "\n".join([head, ground, *panels, foot, "</svg>", ""])


def _size(placement: Placement) -> tuple[int, int]:
    mesh = placement.mesh
    columns = mesh.width * mesh.chips
    side = _side(mesh.per_tile)
    return columns * (side * CELL + GAP) + 8, mesh.height * (side * CELL + GAP) + HEAD


def _side(per_tile: int) -> int:
    """Cores of a tile stand in a square of so many columns."""
    return next(n for n in range(1, per_tile + 1) if n * n >= per_tile)


def _panel(placement: Placement, resource: str) -> str:
    use = placement.use(resource)
    mean = sum(use) / max(1, len(use))
    title = f"{resource}: {mean:.0%} on average, {max(use, default=0):.0%} most"
    cells = [f'<text y="12" style="{STYLE}">{escape(title)}</text>']
    held = {slot: core for core, slot in enumerate(placement.slots)}
    mesh, side = placement.mesh, _side(placement.mesh.per_tile)
    layers = _layers(placement)
    for slot, (column, row) in enumerate(mesh.tiles().tolist()):
        number = slot % mesh.usable % mesh.per_tile
        x = column * (side * CELL + GAP) + number % side * CELL
        y = HEAD - 16 + row * (side * CELL + GAP) + number // side * CELL
        core = held.get(slot)
        fill, told = "#fff", "free"
        if core is not None:
            fill = _colour(use[core])
            told = f"core {core}: {use[core]:.0%} of {resource}; {', '.join(layers[core])}"
        cells.append(
            f'<rect x="{x}" y="{y}" width="{CELL - 1}" height="{CELL - 1}" fill="{fill}" '
            f'stroke="#999" stroke-width="0.5"><title>{escape(told)}</title></rect>'
        )
    return "".join(cells)


def _layers(placement: Placement) -> dict[int, list[str]]:
    found: dict[int, dict[str, None]] = {core: {} for core in range(placement.cores)}
    for part in placement.parts:
        found[part.core][part.layer] = None
    return {core: list(names) for core, names in found.items()}


def _colour(share: float) -> str:
    part = min(1.0, max(0.0, share))
    mixed = (round(e + (f - e) * part) for e, f in zip(EMPTY, FULL, strict=True))
    return "#" + "".join(f"{channel:02x}" for channel in mixed)


def _summary(placement: Placement) -> str:
    mesh = placement.mesh
    kind = "measured events" if placement.measured else "one event per neuron"
    total = sum(messages for _, _, messages in placement.traffic)
    each = placement.hops / total if total else 0.0
    lies = "an assumed square" if mesh.assumed else f"{mesh.width} × {mesh.height} tiles"
    return (
        f"{placement.target}: {placement.cores} cores of {mesh.slots} ({lies}); "
        f"a message passes {each:.2f} routers on average ({kind})"
    )

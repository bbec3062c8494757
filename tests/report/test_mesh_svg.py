"""The picture of a placement shows every place for a core, and how full each core is."""

from __future__ import annotations

import xml.etree.ElementTree as ET

from spikec.report.mesh_svg import picture
from spikec.target import layers_of, load_target, place
from tests.target.nets import conv, spiking

SPACE = "{http://www.w3.org/2000/svg}"


def test_each_resource_has_a_mesh_with_every_core() -> None:
    graph = spiking((3, 16, 16), lambda edit, x: edit.add(conv(3, 8), x, name="c"))
    found = place(layers_of(graph, set(graph.nodes)), load_target("loihi1"))
    root = ET.fromstring(picture(found))
    cells = [rect for rect in root.iter(f"{SPACE}rect") if rect.find(f"{SPACE}title") is not None]
    used = [name for name in found.limits if max(found.use(name)) > 0]
    assert len(cells) == found.mesh.slots * len(used)
    told = [cell.find(f"{SPACE}title").text or "" for cell in cells]  # type: ignore[union-attr]
    assert sum(text != "free" for text in told) == found.cores * len(used)
    core = next(text for text in told if text.startswith("core 0:"))
    assert f"{found.use(used[0])[0]:.0%} of {used[0]}" in core
    assert "first" in core
    assert picture(found) == picture(found)


def test_names_are_escaped_and_a_mesh_may_be_assumed() -> None:
    graph = spiking((3,), lambda edit, x: x)
    found = place(layers_of(graph, set(graph.nodes)), load_target("generic-binary"))
    assert "an assumed square" in picture(found)
    ET.fromstring(picture(found))

"""A NIR graph as it stands in a file: nodes, edges, and how they are written."""

from __future__ import annotations

import keyword
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spikec.errors import MissingDependency

Numbers = NDArray[Any]
Field = Numbers | str | int
VERSION = "1.0.8"
"""of the format: a spike resets to v_reset, where the metadata say nothing else"""


@dataclass(frozen=True, eq=False)
class NirNode:
    """A node: the name of its class, and its fields."""

    kind: str
    fields: Mapping[str, Field]
    metadata: Mapping[str, Field] = field(default_factory=dict)


@dataclass
class NirNet:
    """Nodes by name, and edges."""

    nodes: dict[str, NirNode] = field(default_factory=dict)
    edges: list[tuple[str, str]] = field(default_factory=list)

    def add(self, wanted: str, node: NirNode, sources: Iterable[str] = ()) -> str:
        """Add a node behind others (their values add up); give the name that it got.

        Names are plain: PyTorch takes no dots in those of modules, and no words of Python.
        """
        base = "".join(c if c.isascii() and c.isalnum() else "_" for c in wanted).strip("_")
        base = base if base[:1].isalpha() and not keyword.iskeyword(base) else f"n{base}"
        name, number = base, 1
        while name in self.nodes:
            number += 1
            name = f"{base}_{number}"
        self.nodes[name] = node
        self.edges += [(source, name) for source in sources]
        return name

    def write(self, path: Path, metadata: Mapping[str, Field]) -> None:
        """Write the file with h5py: ``nir.write`` of today always writes ``v_reset``, and a file
        that holds it cannot be read by nir 1.0.4.
        """
        try:
            import h5py
        except ImportError:
            raise MissingDependency(
                "NIR files are written with h5py, which is not installed",
                remedy='pip install "spikec[nir]"',
            ) from None
        with h5py.File(path, "w") as file:
            _put(file, "version", VERSION)
            top = file.create_group("node")
            _put(top, "type", "NIRGraph")
            top.create_dataset("edges", data=self.edges, dtype=h5py.string_dtype())
            _put_all(top, "metadata", metadata)
            nodes = top.create_group("nodes")
            for name, node in self.nodes.items():
                group = nodes.create_group(name)
                _put(group, "type", node.kind)
                for key, value in node.fields.items():
                    _put(group, key, value)
                _put_all(group, "metadata", node.metadata)


def _put_all(group: Any, name: str, values: Mapping[str, Field]) -> None:
    if values:
        inner = group.create_group(name)
        for key, value in values.items():
            _put(inner, key, value)


def _put(group: Any, name: str, value: Field) -> None:
    import h5py

    if isinstance(value, str):
        group.create_dataset(name, data=value, dtype=h5py.string_dtype())
    elif isinstance(value, np.ndarray) and value.size > SMALL:
        group.create_dataset(name, data=value, compression="gzip")
    else:
        group.create_dataset(name, data=value)


SMALL = 64
"""elements that are not worth a packing"""

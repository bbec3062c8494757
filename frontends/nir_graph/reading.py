"""Reads NIR files by h5py alone: every node class, and nothing that a hostile file could hide."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from spikec.errors import BadFile, MissingDependency
from spikec.frontends.nir_graph.raw import Edge, Field, RawGraph, RawNode, Source, version_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    import h5py

DEEPEST = 16
"""graphs within graphs"""
MOST_NODES = 100_000
PACKED = 4_000
"""bytes that one byte of a file can stand for: gzip packs zeros by a factor of 1,030"""
FREE = 1 << 24
"""bytes that any dataset may have, however small the file is"""
NUMBERS = "biuf"


def from_file(path: Path) -> Source:
    """Read a file; whatever is wrong with it is a BadFile."""
    try:
        import h5py
    except ImportError:
        raise MissingDependency(
            "NIR files are read with h5py, which is not installed",
            where=str(path),
            remedy='pip install "spikec[nir]"',
        ) from None
    with _reported(path), h5py.File(path, "r") as file:
        reader = _Reader(path, path.stat().st_size)
        version = reader.text(reader.entry(file, "version", "/")) if "version" in file else ""
        graph = reader.graph(reader.entry(file, "node", "/"), "/node", 0)
        return Source(graph, str(path), version_of(version))


@contextmanager
def _reported(path: Path) -> Iterator[None]:
    """Turn what h5py, NumPy and Python raise over a broken file into a BadFile."""
    try:
        yield
    except BadFile:
        raise
    except (OSError, RuntimeError, LookupError, TypeError, ValueError, ArithmeticError) as error:
        what = f"the file cannot be read as HDF5: {error}"
        expected = "a NIR file: HDF5, whole"
        raise BadFile(what, where=str(path), expected=expected) from error
    except MemoryError as error:
        raise BadFile("the file holds more than fits into memory", where=str(path)) from error


class _Reader:
    """Reads groups and datasets; every one of them is counted and measured."""

    def __init__(self, path: Path, size: int) -> None:
        self.path = path
        self.largest = max(FREE, PACKED * size)
        self.nodes = 0

    def refuse(self, what: str, where: str, expected: str = "") -> BadFile:
        """Give the error."""
        return BadFile(what, where=f"{self.path}, {where}", expected=expected)

    def entry(self, group: Any, name: str, where: str) -> Any:
        """Give a member of a group, which must be stored in the group itself."""
        import h5py

        if not isinstance(group, h5py.Group):
            raise self.refuse("a dataset where a group is expected", where, "a group")
        link = group.get(name, getlink=True)
        if link is None:
            raise self.refuse(f"{name!r} is missing", where)
        if not isinstance(link, h5py.HardLink):
            what = f"{name!r} is a link to another place"
            raise self.refuse(what, where, "data that stand in the file itself")
        return group[name]

    def graph(self, group: Any, where: str, depth: int) -> RawGraph:
        """Read a graph."""
        if depth > DEEPEST:
            raise self.refuse(f"graphs nested more than {DEEPEST} deep", where)
        kind = self.text(self.entry(group, "type", where))
        if kind != "NIRGraph":
            raise self.refuse(f"a {kind} at the top", where, "a NIRGraph")
        nodes = self.entry(group, "nodes", where)
        found = {}
        for name in self._names(nodes, f"{where}/nodes"):
            inner = f"{where}/nodes/{name}"
            found[name] = self._node(self.entry(nodes, name, f"{where}/nodes"), inner, depth)
        edges = self._edges(self.entry(group, "edges", where), where)
        return RawGraph(found, edges, self._metadata(group, where))

    def _names(self, group: Any, where: str) -> list[str]:
        import h5py

        if not isinstance(group, h5py.Group):
            raise self.refuse("a dataset where a group is expected", where, "a group")
        self.nodes += len(group)
        if self.nodes > MOST_NODES:
            raise self.refuse(f"more than {MOST_NODES:,} nodes", where)
        return list(group)

    def _node(self, group: Any, where: str, depth: int) -> RawNode | RawGraph:
        import h5py

        kind = self.text(self.entry(group, "type", where))
        if kind == "NIRGraph":
            return self.graph(group, where, depth + 1)
        fields: dict[str, Field] = {}
        for name in group:
            if name in ("type", "metadata"):
                continue
            entry = self.entry(group, name, where)
            if isinstance(entry, h5py.Group):
                raise self.refuse(f"{name!r} is a group", where, "an array")
            fields[name] = self._value(entry, f"{where}/{name}")
        return RawNode(kind, fields, self._metadata(group, where))

    def _metadata(self, group: Any, where: str) -> Mapping[str, Field]:
        """Read the metadata that are plain; what others nest there is theirs."""
        import h5py

        if "metadata" not in group:
            return {}
        inner = self.entry(group, "metadata", where)
        if not isinstance(inner, h5py.Group):
            return {}
        entries = {name: self.entry(inner, name, f"{where}/metadata") for name in inner}
        return {
            name: self._value(entry, f"{where}/metadata/{name}")
            for name, entry in entries.items()
            if isinstance(entry, h5py.Dataset) and _is_plain(entry)
        }

    def _edges(self, dataset: Any, where: str) -> tuple[Edge, ...]:
        import h5py

        fits = isinstance(dataset, h5py.Dataset) and _is_text(dataset)
        if isinstance(dataset, h5py.Dataset) and dataset.size in (0, None):
            return ()
        if not fits or dataset.ndim != 2 or dataset.shape[1] != 2:
            raise self.refuse("edges that are no pairs of names", where, "an array [n, 2] of names")
        self._measure(dataset, where)
        return tuple((_decoded(a), _decoded(b)) for a, b in dataset[()])

    def text(self, dataset: Any) -> str:
        """Read one string."""
        import h5py

        if not isinstance(dataset, h5py.Dataset) or dataset.shape != () or not _is_text(dataset):
            raise self.refuse("no text", getattr(dataset, "name", "/") or "/", "one string")
        return _decoded(dataset[()])

    def _value(self, dataset: Any, where: str) -> Field:
        """Read numbers or a string."""
        if _is_text(dataset) and dataset.shape == ():
            return self.text(dataset)
        if dataset.dtype.kind not in NUMBERS:
            raise self.refuse(f"elements of type {dataset.dtype}", where, "numbers, or a string")
        self._measure(dataset, where)
        return np.asarray(dataset[()])

    def _measure(self, dataset: Any, where: str) -> None:
        """Refuse what claims to be larger than the file can make it, or lies elsewhere."""
        if dataset.external or dataset.is_virtual:
            raise self.refuse("data that stand in another file", where)
        size = dataset.nbytes
        if size > self.largest:
            what = f"{size:,} bytes ({dataset.dtype} {list(dataset.shape)}) in a file of less"
            raise self.refuse(what, where, f"at most {self.largest:,} bytes in so small a file")


def _is_text(dataset: h5py.Dataset) -> bool:
    import h5py

    return h5py.check_string_dtype(dataset.dtype) is not None


def _is_plain(dataset: h5py.Dataset) -> bool:
    return dataset.dtype.kind in NUMBERS or (dataset.shape == () and _is_text(dataset))


def _decoded(text: Any) -> str:
    return text.decode("utf-8") if isinstance(text, bytes) else str(text)

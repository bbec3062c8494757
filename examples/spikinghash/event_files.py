"""Files of event cameras as columns x, y, t, p in the order of time."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spikec.errors import BadFile, DataError, MissingDependency, Problem, SpikecError, UsageError

Events = Mapping[str, NDArray[Any]]
NAMES: Mapping[str, tuple[str, ...]] = {
    "x": ("x",),
    "y": ("y",),
    "t": ("t", "ts", "timestamp", "time"),
    "p": ("p", "pol", "polarity", "on"),
}
"""what files call the fields"""
COLUMNS = ("x", "y", "p", "t")
"""of arrays [events, 4], as DVS128 Gesture is distributed in"""
POLARITY_PACKET = 1
"""of AEDAT 3"""
PACKET_HEADER = np.dtype(
    [
        *(("kind", "<u2"), ("source", "<u2")),
        *((name, "<u4") for name in ("size", "offset", "overflow", "capacity", "number", "valid")),
    ]
)
NUMBERS = "biuf"
"""kinds of dtypes"""
DVS128 = 127
"""largest x of the camera whose addresses AEDAT 2 holds here"""


def read_events(path: Path) -> Events:
    """Read a recording by the end of its name; events come in the order of time."""
    reader = READERS.get(path.suffix.lower())
    if reader is None:
        raise UsageError(
            f"{path.name} is no recording",
            where=str(path.parent),
            expected=f"files that end in {', '.join(READERS)}",
        )
    try:
        found = reader(path)
    except SpikecError:
        raise
    except Exception as error:  # NumPy, SciPy and zlib raise anything over a damaged file
        told = str(error) or type(error).__name__
        raise BadFile(f"no recording, or a damaged one ({told})", where=str(path)) from None
    columns = _checked(found, path)
    order = np.argsort(columns["t"], kind="stable")
    return {name: column[order] for name, column in columns.items()}


def _checked(found: Events, path: Path) -> Events:
    """Take fields of one whole number per event; tell all others."""
    problems, columns = [], {}
    shapes = {name: field.shape for name, field in found.items()}
    if len(set(shapes.values())) > 1 or len(shapes["t"]) != 1:
        told = ", ".join(f"{name} {list(shape)}" for name, shape in shapes.items())
        problems.append(Problem(f"fields of shapes {told}", expected="[events] in each"))
    for name, field in found.items():
        counted = field.dtype.kind in NUMBERS
        with np.errstate(invalid="ignore"):  # of what is not finite
            columns[name] = field.astype(np.int64) if counted else field
        if not counted or (columns[name] != field).any():
            remedy = "give t in microseconds" if name == "t" else f"round {name}"
            problems.append(
                Problem(f"{name} ({field.dtype}) is not whole and finite", remedy=remedy)
            )
    if problems:
        raise DataError("fields that are no events", where=str(path), problems=problems)
    return columns


def _aedat(path: Path) -> Events:
    """Read AEDAT 2 of a DVS128 (CIFAR10-DVS), or AEDAT 3 (DVS128 Gesture), as its header says."""
    content = path.read_bytes()
    version, start = _header(content)
    if version == 2:
        return _addresses(np.frombuffer(content, ">u4", offset=start))
    if version == 3:
        return _packets(content, start)
    raise ValueError(f"AEDAT {version}, expected 2 or 3")


def _header(content: bytes) -> tuple[int, int]:
    """Give the version, and where the data begin: behind all lines that begin with #."""
    first, start = content[:10], 0
    if first != b"#!AER-DAT" + first[-1:]:
        raise ValueError("its first line does not name AER-DAT")
    while content[start : start + 1] == b"#":
        line = content.find(b"\n", start)
        if line < 0:
            raise ValueError("its header does not end")
        ended = content[start:line].startswith(b"#!END-HEADER")
        start = line + 1
        if ended:
            break
    return int(first[-1:]), start


def _addresses(words: NDArray[Any]) -> Events:
    """Take address, microseconds, address, …: x in bits 1 to 7, from the right; y in 8 to 14."""
    if len(words) % 2:
        raise ValueError("its last event is cut off")
    address, t = words[::2].astype(np.int64), words[1::2].astype(np.int64)
    x, y = DVS128 - (address >> 1 & 127), address >> 8 & 127
    return {"x": x, "y": y, "t": t, "p": 1 - (address & 1)}


def _packets(content: bytes, start: int) -> Events:
    """Take valid polarity events: bit 0 valid, 1 polarity, 2 to 16 y, 17 to 31 x."""
    parts = list(_polarity(content, start))
    if not parts:
        raise ValueError("it holds no polarity events")
    data, t = (np.concatenate(part) for part in zip(*parts, strict=True))
    kept = (data & 1).astype(bool)
    data, t = data[kept].astype(np.int64), t[kept]
    return {"x": data >> 17 & 0x7FFF, "y": data >> 2 & 0x7FFF, "t": t, "p": data >> 1 & 1}


def _polarity(content: bytes, start: int) -> Iterator[tuple[NDArray[Any], NDArray[Any]]]:
    while start < len(content):
        (head,) = np.frombuffer(content, PACKET_HEADER, 1, start)
        start += PACKET_HEADER.itemsize
        count, size = int(head["number"]), int(head["size"])
        if head["kind"] == POLARITY_PACKET:
            words = np.frombuffer(content, "<u4", 2 * count, start).reshape(-1, 2)
            yield words[:, 0], words[:, 1].astype(np.int64) + (int(head["overflow"]) << 31)
        start += int(head["capacity"]) * size


def _aedat4(path: Path) -> Events:
    decoder = _package("aedat", path).Decoder(str(path))
    streams = [i for i, one in decoder.id_to_stream().items() if one["type"] == "events"]
    first = min(streams, default=None)
    packets = [p["events"] for p in decoder if "events" in p and p["stream_id"] == first]
    if not packets:
        raise ValueError("it holds no events")
    return _named(np.concatenate(packets))


def _npy(path: Path) -> Events:
    with path.open("rb") as content:
        return _named(np.load(content, allow_pickle=False))


def _npz(path: Path) -> Events:
    with path.open("rb") as content:  # NumPy leaves a damaged file open
        file = np.load(content, allow_pickle=False)
        if isinstance(file, np.ndarray):
            raise ValueError("one array, as .npy holds, expected arrays with names")
        return _named({name: file[name] for name in file.files})


def _mat(path: Path) -> Events:
    """Read fields [events, 1] and [1, events] as [events]."""
    found = _package("scipy.io", path).loadmat(path)
    arrays = {name: np.asarray(value) for name, value in found.items() if name[:1] != "_"}
    vectors = {n: a.reshape(-1) for n, a in arrays.items() if a.size <= max(a.shape, default=1)}
    return _named(arrays | vectors)


def _package(name: str, path: Path) -> Any:
    """Import what reads such files, or tell how it is installed."""
    try:
        return import_module(name)
    except ImportError:
        raise MissingDependency(
            f"{path.suffix} files need the package {name.partition('.')[0]}",
            where=str(path),
            remedy='pip install "spikec[events]"',
        ) from None


def _named(events: Any) -> Events:
    """Find the fields by their names, or by their places in an array [events, 4]."""
    if isinstance(events, np.ndarray) and events.dtype.names is None:
        if events.ndim != 2 or events.shape[1] != len(COLUMNS):
            raise ValueError(f"an array {list(events.shape)}, expected [events, 4]")
        return dict(zip(COLUMNS, events.T, strict=True))
    known = events.dtype.names if isinstance(events, np.ndarray) else tuple(events)
    found = {}
    for name, others in NAMES.items():
        called = [other for other in others if other in known]
        if len(called) != 1:
            raise ValueError(f"fields {', '.join(known)}, expected one of {', '.join(others)}")
        found[name] = np.asarray(events[called[0]])
    return found


READERS: Mapping[str, Callable[[Path], Events]] = {
    ".aedat": _aedat,
    ".aedat4": _aedat4,
    ".npy": _npy,
    ".npz": _npz,
    ".mat": _mat,
}
"""by the end of a file's name"""

"""Samples and labels, from whatever holds them, and the preprocessing that a model expects."""

from __future__ import annotations

import math
import os
import zipfile
import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spikec.errors import BadFile, DataError, UsageError

Numbers = NDArray[Any]


@dataclass(frozen=True)
class Preprocess:
    """x' = (scale x - mean) / std, mean and std per channel (axis 1 of [batch, channels, ...])."""

    scale: float = 1.0
    mean: tuple[float, ...] = ()
    std: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        numbers = (self.scale, *self.mean, *self.std)
        if not all(map(math.isfinite, numbers)) or self.scale == 0 or not all(self.std):
            raise UsageError(
                f"preprocessing (scale x - mean) / std with {self}",
                expected="finite numbers, scale and std not 0",
            )

    def __call__(self, x: Numbers) -> Numbers:
        """Give float32 inputs of the network; with no options set, x unchanged."""
        if self == Preprocess():
            return x
        if x.dtype.kind not in "biuf":
            raise DataError(f"elements are {x.dtype}", expected="numbers")
        y = x.astype(np.float32) * np.float32(self.scale)
        if self.mean:
            y -= self._channels(self.mean, x)
        if self.std:
            y /= self._channels(self.std, x)
        return y

    def _channels(self, numbers: tuple[float, ...], x: Numbers) -> Numbers:
        if len(numbers) not in (1, x.shape[1] if x.ndim > 1 else 1):
            raise UsageError(
                f"{len(numbers)} numbers for mean or std of data {list(x.shape)}",
                expected="one number, or one per channel (axis 1)",
            )
        return np.asarray(numbers, np.float32).reshape(-1, *(1,) * max(0, x.ndim - 2))

    def to_json(self) -> dict[str, Any]:
        """Give the options as JSON holds them."""
        return {key: list(v) if isinstance(v, tuple) else v for key, v in asdict(self).items()}

    @staticmethod
    def from_json(options: Mapping[str, Any]) -> Preprocess:
        """Read what ``to_json`` gave."""
        return Preprocess(
            float(options.get("scale", 1.0)),
            tuple(map(float, options.get("mean", ()))),
            tuple(map(float, options.get("std", ()))),
        )


@dataclass(frozen=True)
class Data:
    """Inputs by name (one without a name is called ``x``), batch first, and labels where known."""

    inputs: Mapping[str, Numbers]
    labels: Numbers | None = None

    def __len__(self) -> int:
        return len(next(iter(self.inputs.values())))

    def named(self, names: Sequence[str]) -> dict[str, Numbers]:
        """Give one array per input of a graph, in its order."""
        given = list(self.inputs)
        if len(names) == 1 and len(given) == 1:
            return {names[0]: self.inputs[given[0]]}
        if set(names) != set(given):
            raise DataError(
                f"data with the arrays {', '.join(given)}",
                expected=f"one array for each input: {', '.join(names)}",
            )
        return {name: self.inputs[name] for name in names}

    def example(self, preprocess: Preprocess) -> tuple[Numbers, ...]:
        """Give two samples of every input, as the network gets them: enough to capture it.

        Floats and pixels (bytes) come as float32, as networks want them; other integers stay.
        """
        return tuple(as_network_input(preprocess(array[:2])) for array in self.inputs.values())

    def first(self, count: int) -> Data:
        """Give the first samples."""
        labels = None if self.labels is None else self.labels[:count]
        return Data({name: array[:count] for name, array in self.inputs.items()}, labels)


def read_data(source: object) -> Data:
    """Read an ``.npz`` path, arrays, ``(x, y)``, a dict of arrays, or batches of these.

    ``file.npz`` holds ``x`` and optionally ``y``; ``file.npz:test`` holds ``test_x``, ``test_y``.
    """
    if isinstance(source, Data):
        data = source
    elif isinstance(source, str | os.PathLike):
        data = _read_file(os.fspath(source))
    else:
        data = _read_object(source)
    _check(data)
    return data


def _read_file(text: str) -> Data:
    name, colon, prefix = text.rpartition(":") if not Path(text).exists() else (text, "", "")
    path, lead = (Path(name), f"{prefix}_") if colon and name else (Path(text), "")
    if path.suffix != ".npz":
        raise UsageError(f"{path} is no .npz file", expected="FILE.npz or FILE.npz:PREFIX")
    try:
        with open(path, "rb") as file, np.load(file, allow_pickle=False) as archive:
            names = list(archive.files)
            arrays = {k: archive[k] for k in names if k.startswith(lead)}
    except _UNREADABLE as error:
        raise BadFile(f"cannot read data ({error})", where=str(path)) from error
    inputs = {k.removeprefix(lead): a for k, a in arrays.items() if k != f"{lead}y"}
    if not lead and "x" in inputs:
        inputs = {"x": inputs["x"]}
    if (lead and "x" not in inputs) or not inputs or (not lead and _prefixes(names)):
        known = [f"{path}:{p}" for p in _prefixes(names)]
        raise DataError(
            f"no array {lead}x in {path}",
            expected="arrays x and y",
            remedy=f"the file holds {', '.join(names) or 'nothing'}"
            + (f"; try {' or '.join(known)}" if known else ""),
        )
    return Data(inputs, arrays.get(f"{lead}y"))


# what NumPy raises for a file that is none, is damaged, or holds pickles (a bare array is no
# context manager: TypeError or AttributeError)
_UNREADABLE = (
    *(OSError, ValueError, EOFError, zipfile.BadZipFile, zlib.error, MemoryError),
    *(TypeError, AttributeError, NotImplementedError, RuntimeError),
)


def _prefixes(names: Iterable[str]) -> list[str]:
    if "x" in names:
        return []
    return [name.removesuffix("_x") for name in names if name.endswith("_x")]


def _read_object(source: object) -> Data:
    match source:
        case Mapping():
            arrays = {str(key): _array(value) for key, value in source.items()}
            labels = arrays.pop("y", None)
            return Data(arrays, labels)
        case tuple((x, y)) if _is_array(x) and _is_array(y):
            return Data({"x": _array(x)}, _array(y))
        case _ if _is_array(source):
            return Data({"x": _array(source)})
        case Iterable():
            return _joined([_batch(batch) for batch in source])
    raise UsageError(
        f"{type(source).__name__} holds no data",
        expected="an .npz path, arrays, (x, y), a DataLoader or an iterable of batches",
    )


def _batch(batch: object) -> Data:
    match batch:
        case [x] if _is_array(x):  # a DataLoader yields lists; an array is no sequence here
            return _read_object(x)
        case [x, y]:
            return _read_object((x, y))
        case list() | tuple():
            raise UsageError(f"a batch of {len(batch)} parts", expected="x, or (x, y)")
    return _read_object(batch)


def _joined(batches: Sequence[Data]) -> Data:
    if not batches:
        raise DataError("the data are empty", expected="at least one batch")
    names = list(batches[0].inputs)
    if any(list(batch.inputs) != names for batch in batches):
        raise DataError("batches with different arrays", expected=f"{', '.join(names)} in each")
    try:
        inputs = {name: np.concatenate([b.inputs[name] for b in batches]) for name in names}
    except ValueError as error:
        raise DataError(f"batches do not fit together ({error})") from error
    labels = [b.labels for b in batches if b.labels is not None]
    if labels and len(labels) != len(batches):
        raise DataError("some batches have labels and some have none")
    return Data(inputs, np.concatenate(labels) if labels else None)


def as_network_input(x: Numbers) -> Numbers:
    """Give floats and pixels (bytes) as float32; other integers stay."""
    return x.astype(np.float32) if _is_real(x) else x


def _is_real(x: Numbers) -> bool:
    return x.dtype.kind == "f" or x.dtype == np.uint8


def _is_array(value: object) -> bool:
    return hasattr(value, "__array__")


def _array(value: object) -> Numbers:
    if hasattr(value, "detach") and hasattr(value, "cpu"):  # a torch tensor, perhaps with gradient
        value = value.detach().cpu()
    try:
        return np.asarray(value)
    except (TypeError, ValueError) as error:
        raise DataError(f"{type(value).__name__} is not readable as an array ({error})") from error


def _check(data: Data) -> None:
    lengths = {name: len(a) if a.ndim else 0 for name, a in data.inputs.items()}
    if not lengths or min(lengths.values()) == 0:
        raise DataError("the data are empty", expected="at least one sample")
    if data.labels is not None:
        lengths["y"] = len(data.labels) if data.labels.ndim else 0
    if len(set(lengths.values())) > 1:
        shown = ", ".join(f"{name}: {count}" for name, count in lengths.items())
        raise DataError(f"arrays of different length ({shown})", expected="one row per sample")


def checked_labels(data: Data, classes: int) -> NDArray[np.int64]:
    """Give the labels as class numbers, or say what is wrong with them."""
    labels = data.labels
    if labels is None:
        raise DataError("the data have no labels", expected="y: one class number per sample")
    floats = labels.dtype.kind == "f" and bool((labels == np.floor(labels)).all())
    if labels.ndim != 1 or not (floats or labels.dtype.kind in "iu"):
        raise DataError(f"labels {labels.dtype}{list(labels.shape)}", expected="whole numbers [n]")
    if labels.min() < 0 or labels.max() >= classes:
        raise DataError(
            f"labels from {labels.min()} to {labels.max()}",
            expected=f"0..{classes - 1}, as the network has {classes} outputs",
        )
    return labels.astype(np.int64)

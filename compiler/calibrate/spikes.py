"""Keeps trains of binary spikes in one bit each, and gives them as arrays when they are read."""

from __future__ import annotations

from collections.abc import Iterator, MutableMapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spikec.ir import Value

Numbers = NDArray[Any]


@dataclass(frozen=True)
class Spikes:
    """An array that holds 0 and one amplitude, which broadcasts on its trailing axes."""

    bits: NDArray[np.uint8]
    shape: tuple[int, ...]
    amplitude: Numbers

    @staticmethod
    def of(train: Numbers, amplitude: Numbers) -> Spikes:
        """Keep where there are events."""
        return Spikes(np.packbits(train.reshape(-1) != 0), train.shape, amplitude)

    def array(self) -> Numbers:
        """Give the array back, bit for bit."""
        count = int(np.prod(self.shape))
        fired = np.unpackbits(self.bits, count=count).reshape(self.shape)
        return np.asarray(fired.astype(self.amplitude.dtype) * self.amplitude)


class PackedArrays(MutableMapping[Value, Numbers]):
    """Arrays by value; those put in as spikes are unpacked at each reading."""

    def __init__(self, arrays: MutableMapping[Value, Numbers]) -> None:
        self.kept: dict[Value, Numbers | Spikes] = dict(arrays)

    def pack(self, value: Value, amplitude: Numbers) -> None:
        """Keep the array of ``value`` as spikes from now on."""
        self.kept[value] = Spikes.of(self[value], amplitude)

    def __getitem__(self, value: Value) -> Numbers:
        found = self.kept[value]
        return found.array() if isinstance(found, Spikes) else found

    def __setitem__(self, value: Value, array: Numbers) -> None:
        self.kept[value] = array

    def __delitem__(self, value: Value) -> None:
        del self.kept[value]

    def __contains__(self, value: object) -> bool:
        return value in self.kept

    def __iter__(self) -> Iterator[Value]:
        return iter(self.kept)

    def __len__(self) -> int:
        return len(self.kept)

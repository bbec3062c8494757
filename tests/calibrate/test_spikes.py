"""Packed spikes come back bit for bit."""

from __future__ import annotations

import numpy as np

from spikec.calibrate import PackedArrays, Spikes
from tests.passes.helpers import Net


def test_trains_come_back_bit_for_bit_from_one_bit_each() -> None:
    rng = np.random.default_rng(0)
    amplitude = rng.uniform(0.1, 3, (5, 1, 1)).astype(np.float32)
    train = rng.integers(0, 2, (4, 3, 5, 2, 7)).astype(np.float32) * amplitude
    packed = Spikes.of(train, amplitude)
    assert np.array_equal(packed.array(), train)
    assert packed.array().dtype == train.dtype
    assert packed.bits.nbytes == -(-train.size // 8)


def test_packed_arrays_are_arrays_by_value() -> None:
    net = Net(2)
    x, y = net.x, net.relu(net.x)
    train = np.array([[0, 2], [2, 2]], np.float32)
    arrays = PackedArrays({x: np.ones(3)})
    arrays[y] = train
    arrays.pack(y, np.array([2], np.float32))
    assert isinstance(arrays.kept[y], Spikes)
    assert np.array_equal(arrays[y], train)
    assert (set(arrays), len(arrays), y in arrays) == ({x, y}, 2, True)
    del arrays[x]
    assert x not in arrays

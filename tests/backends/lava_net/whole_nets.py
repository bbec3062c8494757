"""A network of whole numbers with hard reset, such as NetX holds."""

from __future__ import annotations

from typing import Any

import numpy as np

from spikec.ir import Array, B, Editor, Graph, Stage, T, TensorType, Value, ops

ONE = Array(np.float32(1))


class Whole:
    """Builds a chain of layers of whole numbers behind a rounded input."""

    def __init__(self, *shape: int, seed: int = 0) -> None:
        self.edit = Editor(Graph("whole", Stage.SPIKING), by="test")
        self.rng = np.random.default_rng(seed)
        x = self.edit.input("x", TensorType((B, *shape)))
        levels = self.edit.add(ops.Scale(Array(np.full(shape[0], 20.0)), None, -len(shape)), x)
        self.value = self.edit.add(ops.Clip(0, 255), self.edit.add(ops.Round(), levels))

    def array(self, *shape: int, largest: int = 40) -> Array:
        return Array(self.rng.integers(-largest, largest, shape).astype(np.float32))

    def add(self, op: Any, name: str = "") -> Whole:
        self.value = self.edit.add(op, self.value, name=name)
        return self

    def conv(self, out: int, channels: int, groups: int = 1, largest: int = 40) -> Whole:
        weight = self.array(out, channels // groups, 3, 3, largest=largest)
        bias = self.array(out)
        return self.add(ops.Conv(weight, bias, (1, 1), ((1, 1),) * 2, (1, 1), groups))

    def linear(self, out: int, name: str = "", largest: int = 40) -> Whole:
        inputs = self.value.type.dims[-1]
        assert isinstance(inputs, int)
        return self.add(ops.Linear(self.array(out, inputs, largest=largest), self.array(out)), name)

    def fire(self, threshold: int, name: str, **options: Any) -> Whole:
        if self.value.type.is_static:
            self.add(ops.Repeat())
        given = {"reset": ops.Reset.HARD, **options}
        return self.add(ops.IntegrateFire(Array(np.float32(threshold)), ONE, **given), name)

    def pool(self, *kernel: int) -> Whole:
        return self.add(ops.SumPool(kernel, kernel, ((0, 0),) * 2, (1, 1)))

    def flat(self) -> Whole:
        count = int(np.prod([dim for dim in self.value.type.dims if isinstance(dim, int)]))
        return self.add(ops.Reshape((T, B, count)))

    def read(self) -> Graph:
        value: Value = self.edit.add(ops.Scale(Array(np.full(5, 0.01)), None, -1), self.value)
        self.edit.output("y", self.edit.add(ops.MeanReadout(), value))
        return self.edit.graph


def convolutions() -> Graph:
    """Grouped convolutions, pools in front of weights, `>` and `>=`, biases, dense layers."""
    net = Whole(2, 8, 6).conv(4, 2, largest=10).fire(300, "first").pool(2, 2).conv(6, 4, groups=2)
    net.fire(90, "second", comparison=ops.Comparison.ABOVE).pool(2, 1).flat()
    return net.linear(12).fire(100, "third").linear(5, "last").read()


def dense() -> Graph:
    """Dense layers alone."""
    net = Whole(30).linear(20, largest=10).fire(200, "first").linear(12).fire(100, "second")
    return net.linear(5, "last").read()

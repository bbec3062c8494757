"""Lava processes that bring currents and events in, hold events back, and write events down."""

from __future__ import annotations

from typing import Any

import numpy as np
from lava.magma.core.decorator import implements, requires, tag
from lava.magma.core.model.py.model import PyLoihiProcessModel
from lava.magma.core.model.py.ports import PyInPort, PyOutPort
from lava.magma.core.model.py.type import LavaPyType
from lava.magma.core.process.ports.ports import InPort, OutPort
from lava.magma.core.process.process import AbstractProcess
from lava.magma.core.resources import CPU
from lava.magma.core.sync.protocols.loihi_protocol import LoihiProtocol

from snnprocs.clock import Clock

Vector = np.ndarray


class Source(AbstractProcess):
    """Sends row min(t, R) of ``rows`` [samples, R, size] in step t of a sample; then 0."""

    def __init__(self, *, rows: Vector, timing: dict[str, int], name: str | None = None) -> None:
        super().__init__(rows=rows, timing=timing, name=name)
        self.s_out = OutPort(shape=rows.shape[2:])


class Delay(AbstractProcess):
    """s_out[t] = s_in[t - steps]; 0 before."""

    def __init__(self, *, size: int, steps: int, name: str | None = None) -> None:
        super().__init__(size=size, steps=steps, name=name)
        self.s_in = InPort(shape=(size,))
        self.s_out = OutPort(shape=(size,))


class Recorder(AbstractProcess):
    """Writes what comes within windows into ``path``, an array [samples, steps, size] on disk."""

    def __init__(
        self, *, size: int, path: str, timing: dict[str, int], name: str | None = None
    ) -> None:
        super().__init__(path=path, timing=timing, name=name)
        self.s_in = InPort(shape=(size,))


class SourceModel(PyLoihiProcessModel):
    """Sends rows of a table."""

    def __init__(self, proc_params: Any) -> None:
        super().__init__(proc_params)
        self.rows, self.clock = proc_params["rows"], Clock(**proc_params["timing"])

    def run_spk(self) -> None:
        """Send this step's row."""
        sample, time = self.clock.local(self.time_step)
        here = self.clock.within(time) and sample < len(self.rows)
        row = self.rows[sample, min(time, self.rows.shape[1]) - 1] if here else 0 * self.rows[0, 0]
        self.s_out.send(row)


class DelayModel(PyLoihiProcessModel):
    """Holds a queue of steps."""

    def __init__(self, proc_params: Any) -> None:
        super().__init__(proc_params)
        self.queue = [np.zeros(proc_params["size"])] * proc_params["steps"]

    def run_spk(self) -> None:
        """Send the oldest, keep the newest."""
        self.queue.append(self.s_in.recv())
        self.s_out.send(self.queue.pop(0))


class RecorderModel(PyLoihiProcessModel):
    """Writes rows of an array on disk."""

    def __init__(self, proc_params: Any) -> None:
        super().__init__(proc_params)
        self.clock = Clock(**proc_params["timing"])
        self.table = np.load(proc_params["path"], mmap_mode="r+")

    def run_spk(self) -> None:
        """Write this step's row."""
        row = self.s_in.recv()
        sample, time = self.clock.local(self.time_step)
        if self.clock.within(time) and sample < len(self.table):
            self.table[sample, time - 1] = row


@implements(proc=Source, protocol=LoihiProtocol)
@requires(CPU)
@tag("floating_pt")
class SourceFloat(SourceModel):
    s_out = LavaPyType(PyOutPort.VEC_DENSE, float)


@implements(proc=Source, protocol=LoihiProtocol)
@requires(CPU)
@tag("fixed_pt")
class SourceFixed(SourceModel):
    s_out = LavaPyType(PyOutPort.VEC_DENSE, np.int32, precision=24)


@implements(proc=Delay, protocol=LoihiProtocol)
@requires(CPU)
@tag("floating_pt")
class DelayFloat(DelayModel):
    s_in = LavaPyType(PyInPort.VEC_DENSE, float)
    s_out = LavaPyType(PyOutPort.VEC_DENSE, float)


@implements(proc=Delay, protocol=LoihiProtocol)
@requires(CPU)
@tag("fixed_pt")
class DelayFixed(DelayModel):
    s_in = LavaPyType(PyInPort.VEC_DENSE, np.int32, precision=24)
    s_out = LavaPyType(PyOutPort.VEC_DENSE, np.int32, precision=24)


@implements(proc=Recorder, protocol=LoihiProtocol)
@requires(CPU)
@tag("floating_pt")
class RecorderFloat(RecorderModel):
    s_in = LavaPyType(PyInPort.VEC_DENSE, float)


@implements(proc=Recorder, protocol=LoihiProtocol)
@requires(CPU)
@tag("fixed_pt")
class RecorderFixed(RecorderModel):
    s_in = LavaPyType(PyInPort.VEC_DENSE, np.int32, precision=24)

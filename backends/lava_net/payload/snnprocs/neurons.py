"""Lava processes of neurons, each with a model in floating point and one in fixed point."""

from __future__ import annotations

from typing import Any

import numpy as np
from lava.magma.core.decorator import implements, requires, tag
from lava.magma.core.model.py.model import PyLoihiProcessModel
from lava.magma.core.model.py.ports import PyInPort, PyOutPort
from lava.magma.core.model.py.type import LavaPyType
from lava.magma.core.process.ports.ports import InPort, OutPort
from lava.magma.core.process.process import AbstractProcess
from lava.magma.core.process.variable import Var
from lava.magma.core.resources import CPU
from lava.magma.core.sync.protocols.loihi_protocol import LoihiProtocol

from snnprocs import equations
from snnprocs.clock import Clock

LARGEST = 2**23 - 1
"""states and currents of fixed point are whole numbers of 24 bits, with the sign; they saturate"""
Vector = np.ndarray


class Neuron(AbstractProcess):
    """``size`` neurons: a current comes in, counts of events go out, in the same step.

    ``timing`` says when the window of each sample begins (see ``Clock``): there the state starts
    anew, behind it the neuron is silent.  Row min(t, R) of ``bias`` [R, size] is added in step t.
    """

    def __init__(
        self,
        *,
        size: int,
        timing: dict[str, int],
        options: dict[str, Any],
        values: dict[str, Vector],
        bias: Vector,
        name: str | None = None,
    ) -> None:
        super().__init__(timing=timing, options=options, name=name)
        self.a_in = InPort(shape=(size,))
        self.s_out = OutPort(shape=(size,))
        self.v = Var(shape=(size,), init=0)
        self.sent = Var(shape=(size,), init=0)
        self.bias = Var(shape=bias.shape, init=bias)
        for parameter in equations.PARAMETERS:
            array = np.broadcast_to(values.get(parameter, np.zeros(1)), (size,))
            setattr(self, parameter, Var(shape=(size,), init=array.copy()))


class IntegrateFire(Neuron):
    """Integrate and fire: soft or hard reset, leak, levels, negative events."""


class BipolarIF(Neuron):
    """Integrate and fire in both directions, with a tracer of what was sent."""


class PhasedFire(Neuron):
    """Integrate in one window of steps, fire in the next."""


class Accumulator(Neuron):
    """A readout: adds up, never fires."""


class NeuronModel(PyLoihiProcessModel):
    """Steps the equations of the process's kind, within the window of each sample."""

    v: Any
    sent: Any
    bias: Any
    kind: type
    dtype: type = np.float64

    def __init__(self, proc_params: Any) -> None:
        super().__init__(proc_params)
        self.clock = Clock(**proc_params["timing"])
        self.options = proc_params["options"]
        self.equation: Any = None

    def run_spk(self) -> None:
        """Take this step's current in, send this step's counts."""
        current = self.a_in.recv()
        _, time = self.clock.local(self.time_step)
        if not self.clock.within(time):
            self.s_out.send(np.zeros(self.v.shape, self.s_out_type))
            return
        if self.equation is None:
            values = {p: getattr(self, p).astype(self.dtype) for p in equations.PARAMETERS}
            self.equation = self.kind(values, self.options)
        if time == 1:
            self.v, self.sent = self.equation.begin()
        x = current.astype(self.dtype) + self.bias[min(time, len(self.bias)) - 1]
        (v, sent), out = self.equation.step((self.v, self.sent), self.held(x), time)
        self.v, self.sent = self.held(v), sent
        self.s_out.send(out.astype(self.s_out_type))

    def held(self, state: Vector) -> Vector:
        """Give what the state can hold of a number."""
        return state

    @property
    def s_out_type(self) -> type:
        return np.float64


class FloatModel(NeuronModel):
    """Floating point of 64 bits."""

    a_in = LavaPyType(PyInPort.VEC_DENSE, float)
    s_out = LavaPyType(PyOutPort.VEC_DENSE, float)
    v = LavaPyType(np.ndarray, float)
    sent = LavaPyType(np.ndarray, float)
    bias = LavaPyType(np.ndarray, float)
    threshold = LavaPyType(np.ndarray, float)
    negative_threshold = LavaPyType(np.ndarray, float)
    v0 = LavaPyType(np.ndarray, float)
    reset_potential = LavaPyType(np.ndarray, float)
    leak_constant = LavaPyType(np.ndarray, float)
    rest_potential = LavaPyType(np.ndarray, float)


class FixedModel(NeuronModel):
    """Whole numbers of 24 bits, which saturate."""

    dtype = np.int64
    a_in = LavaPyType(PyInPort.VEC_DENSE, np.int32, precision=24)
    s_out = LavaPyType(PyOutPort.VEC_DENSE, np.int32, precision=24)
    v = LavaPyType(np.ndarray, np.int32, precision=24)
    sent = LavaPyType(np.ndarray, np.int32, precision=24)
    bias = LavaPyType(np.ndarray, np.int32, precision=24)
    threshold = LavaPyType(np.ndarray, np.int32, precision=24)
    negative_threshold = LavaPyType(np.ndarray, np.int32, precision=24)
    v0 = LavaPyType(np.ndarray, np.int32, precision=24)
    reset_potential = LavaPyType(np.ndarray, np.int32, precision=24)
    leak_constant = LavaPyType(np.ndarray, np.int32, precision=24)
    rest_potential = LavaPyType(np.ndarray, np.int32, precision=24)

    def held(self, state: Vector) -> Vector:
        """Saturate at 24 bits."""
        return np.clip(state, -LARGEST, LARGEST)

    @property
    def s_out_type(self) -> type:
        return np.int32


@implements(proc=IntegrateFire, protocol=LoihiProtocol)
@requires(CPU)
@tag("floating_pt")
class IntegrateFireFloat(FloatModel):
    kind = equations.IntegrateFire


@implements(proc=IntegrateFire, protocol=LoihiProtocol)
@requires(CPU)
@tag("fixed_pt")
class IntegrateFireFixed(FixedModel):
    kind = equations.IntegrateFire


@implements(proc=BipolarIF, protocol=LoihiProtocol)
@requires(CPU)
@tag("floating_pt")
class BipolarIFFloat(FloatModel):
    kind = equations.BipolarIF


@implements(proc=BipolarIF, protocol=LoihiProtocol)
@requires(CPU)
@tag("fixed_pt")
class BipolarIFFixed(FixedModel):
    kind = equations.BipolarIF


@implements(proc=PhasedFire, protocol=LoihiProtocol)
@requires(CPU)
@tag("floating_pt")
class PhasedFireFloat(FloatModel):
    kind = equations.PhasedFire


@implements(proc=PhasedFire, protocol=LoihiProtocol)
@requires(CPU)
@tag("fixed_pt")
class PhasedFireFixed(FixedModel):
    kind = equations.PhasedFire


@implements(proc=Accumulator, protocol=LoihiProtocol)
@requires(CPU)
@tag("floating_pt")
class AccumulatorFloat(FloatModel):
    kind = equations.Accumulator


@implements(proc=Accumulator, protocol=LoihiProtocol)
@requires(CPU)
@tag("fixed_pt")
class AccumulatorFixed(FixedModel):
    kind = equations.Accumulator


PROCESSES = {
    process.__name__: process for process in (IntegrateFire, BipolarIF, PhasedFire, Accumulator)
}

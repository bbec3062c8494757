"""Spiking building blocks as torch modules, in multi-step form [T, B, ...].

A network made of them trains as any other module does, and ``spikec.import_model`` takes it as a
spiking graph: what fires, integrates or encodes is one named operator of torch each.
"""

from spikec.nn.clock import GivesTime, steps
from spikec.nn.dct import Blocks, DctEncoder, DctFrames, YCbCr
from spikec.nn.encoders import Burst, Delta, Direct, Encoder, Latency, Phase, Poisson
from spikec.nn.events import event_frames
from spikec.nn.layers import Stepwise, TdBatchNorm, TimeDropout
from spikec.nn.neurons import IF, LIF, PLIF, Accumulator, Firing, MeanReadout

__all__ = [
    "IF",
    "LIF",
    "PLIF",
    "Accumulator",
    "Blocks",
    "Burst",
    "DctEncoder",
    "DctFrames",
    "Delta",
    "Direct",
    "Encoder",
    "Firing",
    "GivesTime",
    "Latency",
    "MeanReadout",
    "Phase",
    "Poisson",
    "Stepwise",
    "TdBatchNorm",
    "TimeDropout",
    "YCbCr",
    "event_frames",
    "steps",
]

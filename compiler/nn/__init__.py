"""Spiking building blocks as torch modules, in multi-step form [T, B, ...].

A network made of them trains as any other module does, and ``spikec.import_model`` takes it as a
spiking graph: what fires, integrates or encodes is one named operator of torch each.
"""

from spikec.nn.clock import GivesTime, steps, steps_multiple
from spikec.nn.dct import Blocks, DctEncoder, DctFrames, YCbCr
from spikec.nn.deform import DeformConv2d
from spikec.nn.encoders import Burst, Delta, Direct, Encoder, Latency, Phase, Poisson
from spikec.nn.events import event_frames
from spikec.nn.layers import Stepwise, TdBatchNorm, TimeDropout
from spikec.nn.neurons import IF, LIF, PLIF, Accumulator, Firing, MeanReadout
from spikec.nn.sequence import StepWeights, TimeMix, and_over_time, haar, haar_inverse

__all__ = [
    "IF",
    "LIF",
    "PLIF",
    "Accumulator",
    "Blocks",
    "Burst",
    "DctEncoder",
    "DctFrames",
    "DeformConv2d",
    "Delta",
    "Direct",
    "Encoder",
    "Firing",
    "GivesTime",
    "Latency",
    "MeanReadout",
    "Phase",
    "Poisson",
    "StepWeights",
    "Stepwise",
    "TdBatchNorm",
    "TimeDropout",
    "TimeMix",
    "YCbCr",
    "and_over_time",
    "event_frames",
    "haar",
    "haar_inverse",
    "steps",
    "steps_multiple",
]

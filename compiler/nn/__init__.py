"""Spiking building blocks as torch modules, in multi-step form [T, B, ...].

A network made of them trains as any other module does, and ``spikec.import_model`` takes it as a
spiking graph: what fires, integrates or encodes is one named operator of torch each.
"""

from spikec.nn.attention import SpikingAttention, SpikingMlp
from spikec.nn.blocks import SpikingConv
from spikec.nn.clock import GivesTime, steps, steps_multiple
from spikec.nn.dct import Blocks, DctEncoder, DctFrames, YCbCr
from spikec.nn.deform import DeformConv2d
from spikec.nn.encoders import Burst, Delta, Direct, Encoder, Latency, Phase, Poisson
from spikec.nn.events import event_frames
from spikec.nn.hard_lif import HardLIF
from spikec.nn.hashing import HashLayer
from spikec.nn.hybrid import HybridAttention
from spikec.nn.layers import Stepwise, TdBatchNorm, TimeDropout
from spikec.nn.matching import DeformableSimilarityAttention, PatchMatch
from spikec.nn.mixers import WaveMixer
from spikec.nn.neurons import IF, LIF, PLIF, Accumulator, Firing, MeanReadout
from spikec.nn.patches import Patches
from spikec.nn.sequence import StepWeights, TimeMix, and_over_time, haar, haar_inverse
from spikec.nn.tiles import tiled
from spikec.nn.wavelets import Wavelet, wavelet, wavelet_inverse

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
    "DeformableSimilarityAttention",
    "Delta",
    "Direct",
    "Encoder",
    "Firing",
    "GivesTime",
    "HardLIF",
    "HashLayer",
    "HybridAttention",
    "Latency",
    "MeanReadout",
    "PatchMatch",
    "Patches",
    "Phase",
    "Poisson",
    "SpikingAttention",
    "SpikingConv",
    "SpikingMlp",
    "StepWeights",
    "Stepwise",
    "TdBatchNorm",
    "TimeDropout",
    "TimeMix",
    "WaveMixer",
    "Wavelet",
    "YCbCr",
    "and_over_time",
    "event_frames",
    "haar",
    "haar_inverse",
    "steps",
    "steps_multiple",
    "tiled",
    "wavelet",
    "wavelet_inverse",
]

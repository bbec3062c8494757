"""Passes: graph in, graph out; one file a pass, named in this table, loaded on first use."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from functools import partial

_HOME: dict[str, str] = {
    "average-pools": "AveragePools",
    "balance-thresholds": "BalanceThresholds",
    "calibrate-neurons": "CalibrateNeurons",
    "check-convertible": "CheckConvertible",
    "clip-before-activation": "ClipBeforeActivation",
    "delay-readout": "DelayReadout",
    "estimate-energy": "EstimateEnergy",
    "fold-batchnorm": "FoldBatchNorm",
    "fold-constants": "FoldConstants",
    "fold-pools": "FoldPools",
    "form-populations": "FormPopulations",
    "legalise-neurons": "LegaliseNeurons",
    "keep-reference": "KeepReference",
    "nearest-to-gather": "NearestToGather",
    "neuron-model": "NeuronModel",
    "place-cores": "PlaceCores",
    "pool-before-activation": "PoolBeforeActivation",
    "quantise-between-weights": "QuantiseBetweenWeights",
    "quantise-input": "QuantiseInput",
    "quantise-operands": "QuantiseOperands",
    "refit-reset": "RefitReset",
    "relay-paths": "RelayPaths",
    "remove-dead": "RemoveDead",
    "short-steps": "ShortSteps",
    "spike-delta": "SpikeDelta",
    "spike-differential": "SpikeDifferential",
    "spike-few": "SpikeFew",
    "spike-graded": "SpikeGraded",
    "spike-phased": "SpikePhased",
    "spike-rate": "SpikeRate",
    "spike-sum": "SpikeSum",
    "split-activations": "SplitActivations",
    "split-fan-in": "SplitFanIn",
    "split-populations": "SplitPopulations",
    "split-time": "SplitTime",
    "thresholds": "Thresholds",
    "tune-quantised": "TuneQuantised",
    "whole-numbers": "WholeNumbers",
    "whole-weights": "WholeWeights",
}
"""name of a pass -> its class, in the file of the same name"""


def _load(name: str) -> object:
    module = importlib.import_module(f"spikec.passes.{name.replace('-', '_')}")
    return getattr(module, _HOME[name])


PASSES: dict[str, Callable[[], object]] = {name: partial(_load, name) for name in _HOME}
"""name -> a function that imports the pass and gives its class"""

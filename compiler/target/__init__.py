"""What chips and formats can do, as data; checks of graphs against them, and resources."""

from spikec.target.catalog import load_target, targets, user_folder
from spikec.target.check import Examination, check, examine
from spikec.target.layers import Layer, layers_of
from spikec.target.model import Fact, Target
from spikec.target.partition import Partition, partition
from spikec.target.placement import Part, Placement, place, placement_of
from spikec.target.resources import LayerUse, Resources
from spikec.target.violation import Rule, Violation

__all__ = [
    "Examination",
    "Fact",
    "Layer",
    "LayerUse",
    "Part",
    "Partition",
    "Placement",
    "Resources",
    "Rule",
    "Target",
    "Violation",
    "check",
    "examine",
    "layers_of",
    "load_target",
    "partition",
    "place",
    "placement_of",
    "targets",
    "user_folder",
]

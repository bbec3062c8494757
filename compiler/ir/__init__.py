"""The intermediate representation: typed graphs of ops, over NumPy only."""

from spikec.ir.array import Array
from spikec.ir.dims import B, Dim, Dims, Sizes, SymbolicDim, T
from spikec.ir.edit import Editor
from spikec.ir.graph import Edit, Graph, Node, Stage, Value
from spikec.ir.location import Location, Place
from spikec.ir.op import Family, Op, ScanOp, Timing
from spikec.ir.types import Analog, Code, DType, Signal, Spikes, TensorType

__all__ = [
    "Analog",
    "Array",
    "B",
    "Code",
    "DType",
    "Dim",
    "Dims",
    "Edit",
    "Editor",
    "Family",
    "Graph",
    "Location",
    "Node",
    "Op",
    "Place",
    "ScanOp",
    "Signal",
    "Sizes",
    "Spikes",
    "Stage",
    "SymbolicDim",
    "T",
    "TensorType",
    "Timing",
    "Value",
]

"""What a pass is: a frozen dataclass of options that edits a graph and keeps a stated promise."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from numpy.typing import NDArray

from spikec.errors import UsageError
from spikec.ir import Editor, Graph
from spikec.pipeline.normal import Normal

Inputs = Mapping[str, NDArray[Any]]
"""One array per Input node, by the node's name."""
OnPart = Callable[[float], None]


def first_of(graph: Graph, inputs: Inputs, samples: int) -> dict[str, NDArray[Any]]:
    """Give the first samples; an input without a batch stays as it is."""
    fixed = {node.name for node in graph.inputs if node.outputs[0].type.batch_axis is None}
    return {name: x if name in fixed else x[:samples] for name, x in inputs.items()}


@dataclass(frozen=True)
class Exactly:
    """The outputs stay what they were, up to rounding: max |new - old| <= tolerance · max |old|."""

    tolerance: float = 1e-4


@dataclass(frozen=True)
class Approximately:
    """The outputs change on purpose; by how much is measured and recorded, never hidden."""

    reason: str


def check_option(name: str, value: float, least: float, most: float) -> None:
    """Refuse an option outside of its range."""
    if not least <= value <= most:
        raise UsageError(f"{name} = {value}", expected=f"{least} to {most}")


Promise = Exactly | Approximately


@dataclass
class Context:
    """What passes may use besides the graph."""

    calibration: Inputs | None = None
    """calibration samples, one array per input, batch axis first"""
    reference: Graph | None = None
    """the analog network in canonical form: what the program stands for"""
    quantised: Graph | None = None
    """the quantised network that a lossless or phased program equals"""
    steps: int = 8
    """T, the number of time steps that the program is made for"""
    seed: int = 0
    normal: dict[str, Normal] = field(default_factory=dict)
    """mean and deviation per channel of what BatchNorm gave, by the name of the node it is in"""
    on_part: OnPart = lambda share: None
    """hears which share of a long pass is done"""
    record: dict[str, Any] = field(default_factory=dict)
    """what passes found out, by pass name; saved with the program"""


@dataclass(frozen=True)
class Pass(ABC):
    """A step of the compiler: valid graph in, valid graph out, edited in place.

    Options are the dataclass fields; name and options are the pass's text in a pipeline.  A pass
    that is applied to its own result changes nothing.
    """

    name: ClassVar[str]
    """kebab-case, as in pipelines"""
    promise: ClassVar[Promise] = Exactly()

    @abstractmethod
    def apply(self, edit: Editor, context: Context) -> None:
        """Edit the graph ``edit.graph``."""

    def __call__(self, graph: Graph, context: Context | None = None) -> bool:
        """Apply the pass; tell whether it changed anything."""
        before = len(graph.journal)
        self.apply(Editor(graph, by=self.name), context or Context())
        return len(graph.journal) != before

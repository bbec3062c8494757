"""Networks with the constructs of real ones compute the same after the import."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import pytest
import torch
from torch import nn

from spikec.frontends.torch_export import import_model
from spikec.ir import Graph, ops
from tests.frontends.torch_export import networks as nets
from tests.frontends.torch_export.helpers import distance, outputs, results

Inputs = dict[str, torch.Tensor]


def image(channels: int, size: int = 8) -> Callable[[int], Inputs]:
    return lambda batch: {"x": torch.randn(batch, channels, size, size)}


def tokens(batch: int) -> Inputs:
    return {"tokens": torch.randint(0, 11, (batch, 7))}


def masked_tokens(batch: int) -> Inputs:
    mask = (torch.arange(7) < torch.randint(1, 8, (batch, 1))).float()
    return {**tokens(batch), "mask": mask}


def towers(batch: int) -> Inputs:
    return {"x": torch.randn(batch, 4), "other": torch.randn(batch, 5)}


NETWORKS: dict[str, tuple[Callable[[], nn.Module], Callable[[int], Inputs]]] = {
    "shortcut A": (nets.ShortcutA, image(3)),
    "shortcut B": (nets.ShortcutB, image(3)),
    "inverted residual": (nets.InvertedResidual, image(4)),
    "channel shuffle": (nets.Shuffle, image(8)),
    "dense and inception": (nets.Dense, image(3)),
    "shifted windows": (nets.Windows, lambda batch: {"x": torch.randn(batch, 8, 8)}),
    "encoder": (nets.Encoder, tokens),  # a part of the masked one
    "masked encoder": (nets.Encoder, masked_tokens),
    "writes": (nets.Writes, lambda batch: {"x": torch.randn(batch, 4, 5)}),
    "two towers": (nets.TwoTowers, towers),
    "decoder": (nets.Decoder, image(3)),
}


def built(name: str, dtype: torch.dtype) -> tuple[nn.Module, Callable[[int], Inputs]]:
    torch.manual_seed(0)
    factory, draw = NETWORKS[name]
    model = nets.prepared(factory()).to(dtype)

    def inputs(batch: int) -> Inputs:
        given = draw(batch).items()
        return {k: v.to(dtype) if v.is_floating_point() else v for k, v in given}

    return model, inputs


@cache
def imported(name: str) -> Graph:
    """Import a network in double precision; nobody changes the graph."""
    model, inputs = built(name, torch.float64)
    return import_model(model, inputs(2))


def check(model: nn.Module, graph: Graph, inputs: Callable[[int], Inputs], **limits: Any) -> None:
    for batch in (2, 3):
        feed = inputs(batch)
        wanted = outputs(model, (), feed)
        assert distance(wanted, results(graph, feed, limits["dtype"])) <= limits["most"]


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_network_computes_the_same_after_the_import(name: str, dtype: str) -> None:
    model, inputs = built(name, getattr(torch, dtype))
    graph = imported(name)
    assert graph.notes["capture"] == "torch.export"
    check(model, graph, inputs, dtype=dtype, most={"float32": 1e-5, "float64": 1e-9}[dtype])


@pytest.mark.filterwarnings("ignore:.*LeafSpec:FutureWarning")  # inside torch.export
@pytest.mark.parametrize("name", [name for name in NETWORKS if name != "encoder"])
def test_a_program_in_core_aten_computes_the_same(name: str) -> None:
    model, inputs = built(name, torch.float32)
    dynamic = {key: {0: torch.export.Dim.DYNAMIC} for key in inputs(2)}
    program = torch.export.export(model, (), inputs(2), dynamic_shapes=dynamic)
    graph = import_model(program.run_decompositions())
    assert graph.notes["capture"] == "ExportedProgram, as given"
    check(model, graph, inputs, dtype="float32", most=1e-5)


@pytest.mark.parametrize("name", ["shortcut B", "inverted residual"])
def test_an_fx_graph_computes_the_same(name: str) -> None:
    model, inputs = built(name, torch.float32)
    graph = import_model(torch.fx.symbolic_trace(model), inputs(2))
    check(model, graph, inputs, dtype="float32", most=1e-5)


def test_an_example_of_one_sample_serves_all_batches() -> None:
    model, inputs = built("shortcut A", torch.float32)
    graph = import_model(model, inputs(1)["x"])
    check(model, graph, inputs, dtype="float32", most=1e-5)


def test_layers_keep_their_kind_and_their_names() -> None:
    model, inputs = built("shortcut B", torch.float32)
    graph = import_model(model, inputs(2), name="block")
    assert graph.name == "block"
    kinds = {node.name: type(node.op) for node in graph}
    assert kinds["conv1"] is ops.Conv
    assert kinds["bn1"] is ops.BatchNorm
    assert (kinds["relu"], kinds["relu_2"]) == (ops.ReLU, ops.ReLU)
    assert kinds["down.0"] is ops.Conv
    assert kinds["add"] is ops.Add
    assert [node.name for node in graph.inputs] == ["x"]
    assert [node.name for node in graph.outputs] == ["output"]


def test_nodes_know_module_path_file_and_line() -> None:
    graph = imported("shortcut B")
    (place,) = graph["conv1"].location.places
    assert (place.module, place.file.rpartition("/")[2]) == ("conv1", "networks.py")
    with open(nets.__file__, encoding="utf-8") as source:
        assert "self.conv1(x)" in source.readlines()[place.line - 1]
    assert graph["down.1"].location.places[0].module == "down.1"


def test_results_are_called_as_in_the_model() -> None:
    graph = imported("encoder")
    assert [node.name for node in graph.outputs] == ["pooled", "rest_0", "rest_1"]
    graph = imported("two towers")
    assert [node.name for node in graph.inputs] == ["x", "other"]
    assert [node.name for node in graph.outputs] == ["output_0", "output_1"]


def test_options_stay_as_the_example_gives_them() -> None:
    model, inputs = built("two towers", torch.float32)
    feed = inputs(2)
    graph = import_model(model, ((feed["x"], 5), {"other": feed["other"]}))
    wanted = outputs(model, (feed["x"], 5), {"other": feed["other"]})
    assert distance(wanted, results(graph, feed)) <= 1e-6


def test_a_mask_that_is_a_buffer_may_select() -> None:
    class Masked(nn.Module):
        keep: torch.Tensor

        def __init__(self) -> None:
            super().__init__()
            self.register_buffer("keep", torch.tensor([True, False, True, True]))
            self.fc = nn.Linear(3, 2)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            result: torch.Tensor = self.fc(x[:, self.keep])
            return result

    model = Masked().eval()
    graph = import_model(model, torch.zeros(2, 4))
    feed = torch.randn(5, 4)
    assert distance(outputs(model, (feed,), {}), results(graph, feed)) <= 1e-6


def test_a_choice_by_the_input_among_tokens_is_computed() -> None:
    class Pooled(nn.Module):
        def forward(self, ids: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
            return x[torch.arange(x.shape[0]), ids.argmax(-1)]

    ids, x = torch.randint(0, 99, (3, 5)), torch.randn(3, 5, 4)
    graph = import_model(Pooled(), (ids[:2], x[:2]))
    assert distance(outputs(Pooled(), (ids, x), {}), results(graph, (ids, x))) == 0


def test_a_mask_looked_up_for_every_sample_is_computed() -> None:
    class LookedUp(nn.Module):
        def forward(self, mask: torch.Tensor) -> torch.Tensor:
            rows = torch.arange(mask.shape[0])[:, None, None, None]
            return mask[rows, torch.tensor([3, 0, 1])[None, None, None, :]]

    feed = torch.randn(3, 4)
    graph = import_model(LookedUp(), feed[:2])
    assert distance(outputs(LookedUp(), (feed,), {}), results(graph, feed)) == 0

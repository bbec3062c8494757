"""Any PyTorch model -> one functional ATen program, and by which route it was won."""

from __future__ import annotations

import inspect
import logging
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

import torch
from torch import fx, nn
from torch.export import ExportedProgram

from spikec.errors import DataError, Problem, SpikecError, UntraceableModel, UsageError
from spikec.frontends.torch_export.archive import load_archive
from spikec.frontends.torch_export.clock import timed
from spikec.frontends.torch_export.examples import Example, example_of
from spikec.frontends.torch_export.places import failing_line
from spikec.frontends.torch_export.state import quiet, undisturbed

log = logging.getLogger(__name__)


class Route(Enum):
    """How the program was won."""

    GIVEN = "ExportedProgram, as given"
    ARCHIVE = ".pt2 archive"
    EXPORT = "torch.export"
    SYMBOLIC_TRACE = "torch.fx.symbolic_trace, then torch.export"


@dataclass(frozen=True)
class Capture:
    """A functional program over ATen operators, its route and, if it is not the first, why."""

    program: ExportedProgram
    route: Route
    note: str = ""
    time_axis: int | None = None
    """of the inputs: where steps vary"""


def capture(model: object, example: object = None, time_axis: int | None = None) -> Capture:
    """Capture a module, an FX graph, an exported program or a .pt2 file."""
    match model:
        case str() | Path():
            return Capture(
                functional(load_archive(Path(model))), Route.ARCHIVE, time_axis=time_axis
            )
        case ExportedProgram():
            return Capture(functional(model), Route.GIVEN, time_axis=time_axis)
        case torch.jit.ScriptModule():
            raise UntraceableModel(
                "a TorchScript module has no Python source to export",
                remedy="pass the nn.Module that was scripted",
            )
        case nn.Module():
            return _capture_module(_unwrapped(model), example, time_axis)
        case _:
            raise UsageError(
                f"{type(model).__name__} is not a PyTorch model",
                expected="nn.Module, fx.GraphModule, ExportedProgram or the path of a .pt2 file",
            )


def functional(program: ExportedProgram) -> ExportedProgram:
    """Remove writes and views that alias; layers such as conv2d stay whole."""
    with quiet():
        try:
            result: ExportedProgram = program.run_decompositions({})
        except Exception as error:  # other people's code: anything may come out of it
            raise UntraceableModel(
                f"the exported program cannot be made functional: {_reason(error)}",
                where=failing_line(error),
                remedy="export the model again with this version of torch",
            ) from error
    return result


def _unwrapped(model: nn.Module) -> nn.Module:
    """Take off what only changes how a model runs: torch.compile and DataParallel."""
    if isinstance(model, nn.DataParallel | nn.parallel.DistributedDataParallel):
        return _unwrapped(model.module)
    inner = model.__dict__.get("_modules", {}).get("_orig_mod")
    return _unwrapped(inner) if isinstance(inner, nn.Module) else model


def _capture_module(model: nn.Module, given: object, time_axis: int | None) -> Capture:
    _check_weights(model)
    # gradients on: without them, torch would write the ends of `enable_grad` regions as nodes
    with undisturbed(model), quiet(), torch.enable_grad():
        example = timed(model, example_of(model, given, time_axis), time_axis)
        try:
            program = functional(_export(model, example))
            return Capture(program, Route.EXPORT, time_axis=time_axis)
        except Exception as error:  # forward is the user's: anything may come out of it
            refusal = error
        _check_runs(model, example, refusal)
        try:
            program = _export_traced(model, example)
            result = Capture(functional(program), Route.SYMBOLIC_TRACE, _reason(refusal), time_axis)
        except Exception as error:
            raise _untraceable(model, refusal, error) from refusal
    log.warning(
        "torch.export refused %s (%s); it was captured with torch.fx.symbolic_trace instead",
        type(model).__name__,
        result.note,
    )
    return result


def _export(model: nn.Module, example: Example) -> ExportedProgram:
    return torch.export.export(
        model, example.args, example.kwargs, dynamic_shapes=example.dynamic, strict=False
    )


class _Tracer(fx.Tracer):
    record_stack_traces = True


def _export_traced(model: nn.Module, example: Example) -> ExportedProgram:
    """Trace with symbolic values first; parameters of forward left out keep their defaults."""
    signature = inspect.signature(model.forward)
    bound = signature.bind(*example.args, **example.kwargs)
    rest = {
        name: parameter.default
        for name, parameter in signature.parameters.items()
        if name not in bound.arguments and parameter.default is not inspect.Parameter.empty
    }
    tracer = _Tracer()
    graph = tracer.trace(model, concrete_args=rest)
    for node in graph.find_nodes(op="placeholder"):
        if node.name in rest or str(node.target) in rest:
            graph.erase_node(node)
    return _export(fx.GraphModule(model, graph), example)


def _check_runs(model: nn.Module, example: Example, refusal: Exception) -> None:
    """A model that does not even run on its example input is not torch.export's fault."""
    try:
        with torch.no_grad():
            model(*example.args, **example.kwargs)
    except SpikecError as error:  # the model is ours, and says itself what it expects
        raise error from refusal
    except Exception as error:
        raise DataError(
            f"{type(model).__name__} fails on the example input: {_reason(error)}",
            where=failing_line(error),
            expected="an example input that the model accepts in evaluation mode",
        ) from refusal


def _check_weights(model: nn.Module) -> None:
    for name, tensor in (*model.named_parameters(), *model.named_buffers()):
        if (
            isinstance(
                tensor, nn.parameter.UninitializedParameter | nn.parameter.UninitializedBuffer
            )
            or tensor.is_meta
        ):
            raise DataError(
                f"parameter {name} has no values yet",
                where=f"{type(model).__name__}.{name}",
                remedy="load the weights (and run lazy modules once) before the import",
            )


def _untraceable(model: nn.Module, refusal: Exception, second: Exception) -> SpikecError:
    problems = [
        Problem(f"{route.value.split(',')[0]}: {_reason(error)}", where=failing_line(error))
        for route, error in ((Route.EXPORT, refusal), (Route.SYMBOLIC_TRACE, second))
    ]
    return UntraceableModel(
        f"{type(model).__name__} cannot be captured as a graph",
        where=next((p.where for p in problems if p.where), ""),
        expected="a forward whose operations do not depend on the values of its inputs or on the "
        "size of the batch",
        remedy="replace `if`, `while`, `.item()` and loops over the batch by tensor operations "
        "(torch.where, masks), or pass the part of the model that has none",
        problems=problems,
    )


def _reason(error: BaseException) -> str:
    """Give the first telling line of an error: torch appends pages of advice."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    head = lines[0] if lines else ""
    if head.startswith("Constraints violated") and len(lines) > 1:
        head = lines[1].lstrip("- ")
    return f"{type(error).__name__}: {head}" if head else type(error).__name__

"""The public functions: a model in, a verified graph out."""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable, Iterable, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Any

from spikec.errors import BadFile, Problem, UsageError
from spikec.registry import (
    accepted_models,
    frontend_of_file,
    frontend_of_object,
    pass_by_name,
)

if TYPE_CHECKING:
    from spikec.data import Data, Preprocess
    from spikec.energy.profile import Profile
    from spikec.frontends import Frontend, ImportModel
    from spikec.ir import Graph
    from spikec.pipeline import Step
    from spikec.pipeline.recipe import Recipe
    from spikec.program import Program
    from spikec.search.search import Wish
    from spikec.target import Target

AUTO, TRAINED = "auto", "trained"
ON_TRIAL = "on_trial"
"""who hears of a search"""


def import_model(model: Any, example_input: Any = None, *, name: str = "", **options: Any) -> Graph:
    """Translate somebody's model into a graph, and verify that graph.

    ``model`` is an ``nn.Module``, an ``fx.GraphModule``, an ``ExportedProgram``, an ONNX
    ``ModelProto`` or its bytes, a ``nir.NIRGraph``, or the path of a ``.pt2``, ``.onnx`` or
    ``.nir`` file.  A PyTorch module needs ``example_input``: a tensor or array, a tuple of
    arguments, or a dict of keyword arguments, with the batch on axis 0.  ``name`` names the graph;
    ``options`` are those that the frontend of such models has of its own (``dynamic_batch`` and
    ``sizes`` for ONNX; ``dt``, ``reset`` and others for NIR).
    """
    from spikec.ir.verify import verify

    if isinstance(model, str | os.PathLike):
        model = Path(model)
    importer = _frontend(model).load()
    _check_options(importer, options)
    graph = importer(model, example_input, name=name, **options)
    verify(graph)
    return graph


def convert(
    model: Any,
    calibration: Any,
    steps: int | None = None,
    recipe: str = "auto",
    *,
    example_input: Any = None,
    preprocess: Preprocess | None = None,
    seed: int = 0,
    weight_bits: int | None = None,
    input_bits: int | None = None,
    weight_options: str = "",
    on_step: Callable[[Step], None] = lambda step: None,
    on_part: Callable[[float], None] = lambda share: None,
    **search: Any,
) -> Program:
    """Turn a pretrained network into a spiking program; one that was trained spiking stays it.

    ``model`` is whatever ``import_model`` takes, a Graph, or a Program without spikes (of recipe
    ``quantised``, whose preprocessing is taken over); ``calibration`` are samples (``.npz``
    path, arrays, DataLoader, batches), or None where the recipe needs none; ``recipe`` is one of
    ``spikec.recipes()``, with options as in ``graded{n=6}``; ``preprocess`` is stored in the
    program.  Every pass is checked on two samples (random ones where none are given): one that
    promises equality and breaks it is an error.  ``weight_bits`` (8, say) rounds weights and
    thresholds to whole numbers, which run on the processor's int8 units; ``input_bits`` rounds
    analog inputs as well, and with both every tool computes the same events, bit for bit.
    ``weight_options`` says which whole numbers a chip has (``per=layer,sign=mixed-even``).
    ``on_step`` hears of passes, ``on_part`` of the share of a long one that is done.

    ``recipe="auto"`` tries recipes, at up to ``steps`` steps (any number, if None), and takes the
    cheapest that loses at most ``max_drop`` points (1) on samples that took no part in calibration:
    of accuracy where there are labels, else of agreement with the network.  Cheap means few events,
    or little energy by a ``profile``; ``target`` leaves out what it cannot run; ``nearest=True``
    takes what loses least where nothing is good enough; ``on_trial`` hears of each candidate.

    A network that was trained spiking needs ``steps``, and has recipes of its own: ``trained``
    (the ``auto`` of it) leaves it as it is, ``balanced`` finds its thresholds anew.
    """
    from spikec.conversion import Request, convert_graph, read_recipe
    from spikec.data import Preprocess, read_data
    from spikec.ir import Stage
    from spikec.pipeline.recipe import Rounding, check_steps
    from spikec.program import Program

    if isinstance(model, Program):
        model, preprocess = model.graph, preprocess or model.preprocess
    settings, rounding = preprocess or Preprocess(), (weight_bits, input_bits, weight_options)
    made: Any = {"preprocess": settings, "seed": seed, "rounding": Rounding(*rounding)}
    wish = check_wish(steps, search, **made) if recipe == AUTO else None
    if wish is None:
        check_fixed(recipe, steps, search)
    data = None if calibration is None else read_data(calibration)
    graph = _graph_of(model, example_input, data, settings)
    if wish is not None and graph.stage is Stage.ANALOG:
        return _search(graph, data, wish)
    if wish is not None:
        recipe = _unsearched(search)
    request = Request(read_recipe(recipe, graph.stage), check_steps(steps), **made)
    return convert_graph(graph, data, request, pass_by_name, on_step, on_part)


def _graph_of(model: Any, example: Any, data: Data | None, settings: Preprocess) -> Graph:
    """Import a model, unless it is a graph; samples stand for an example that nobody gave."""
    from spikec.ir import Graph

    if isinstance(model, Graph):
        return model
    if example is None and data is not None:
        example = data.example(settings)
    return import_model(model, example)


def _search(graph: Graph, data: Data | None, wish: Wish) -> Program:
    from spikec.search.search import Search

    return Search.of(graph, data, wish, pass_by_name).run()


def _unsearched(search: Mapping[str, Any]) -> str:
    """Give the recipe of a network that was trained spiking; refuse wishes that it cannot have."""
    given = [name for name, value in search.items() if value is not None and name != ON_TRIAL]
    if given:
        raise UsageError(
            f"{', '.join(given)} for a network that was trained spiking",
            expected="none of these: it stays what it is, and nothing is searched",
        )
    return TRAINED


def check_wish(steps: int | None, search: Mapping[str, Any], **made: Any) -> Wish:
    """Read what is searched for; unknown names are told, with the nearest known one."""
    from spikec.pipeline.recipe import check_steps
    from spikec.search.search import SEARCH, Wish
    from spikec.target import load_target

    problems = [
        Problem(f"convert has no option {name!r}", remedy=_close(name, SEARCH))
        for name in search
        if name not in SEARCH
    ]
    if problems:
        raise UsageError("unknown options", expected=", ".join(SEARCH), problems=problems)
    given = {name: value for name, value in search.items() if value is not None}
    if "target" in given:
        given["target"] = load_target(given["target"])
    most = None if steps is None else check_steps(steps)
    return Wish(most_steps=most, **given, **made)


def check_fixed(recipe: str, steps: int | None, search: Mapping[str, Any]) -> None:
    """Refuse what a fixed recipe does not take, or lacks."""
    from spikec.conversion import check_recipe
    from spikec.pipeline.recipe import check_steps

    check_recipe(recipe)
    given = [name for name, value in search.items() if value is not None]
    if given:
        raise UsageError(
            f"{', '.join(given)} with recipe {recipe!r}",
            expected="recipe auto, which searches",
            remedy="leave the recipe out",
        )
    check_steps(steps)


def _close(name: str, known: Iterable[str]) -> str:
    close = get_close_matches(name, list(known))
    return f"did you mean {close[0]}?" if close else ""


def lower(
    program: Program,
    target: str,
    data: Any = None,
    *,
    refit_reset: bool = False,
    on_step: Callable[[Step], None] = lambda step: None,
) -> Program:
    """Fit a program to a target, and place it on its cores; the given program stays as it is.

    ``target`` is one of ``spikec.targets()`` or the path of a ``.toml`` file.  Rewrites are exact,
    and checked; what cannot be rewritten is listed in one error.  With ``data`` (samples) cores are
    placed by measured events.  ``refit_reset`` puts up with neurons that reset to zero, with
    thresholds fitted to the samples: an approximation, whose deviation is recorded.
    """
    from spikec.lowering import lower_program

    return lower_program(
        program, target, pass_by_name, data, refit_reset=refit_reset, on_step=on_step
    )


def finetune(
    program: Program,
    data: Any,
    *,
    checkpoint: str | os.PathLike[str] | None = None,
    every: int = 0,
    resume: bool = False,
    device: str = "cpu",
    progress: Callable[[int, int], None] = lambda done, total: None,
    on_epoch: Callable[[list[dict[str, float]]], None] = lambda history: None,
    **options: Any,
) -> Program:
    """Train a program as it spikes, by surrogate gradients; the given program stays as it is.

    ``data`` are samples with labels (without, if ``distill=1``).  ``options`` are those of
    ``spikec.training.options.Options``: epochs, batch, rate, surrogate, learn, distill, validation,
    patience, seed and others.  With a ``checkpoint`` (a file), written after each epoch or
    ``every`` so many batches, ``resume`` goes on where a training was stopped, to the same result.
    ``progress`` hears of batches, ``on_epoch`` gets the records of all epochs so far.
    """
    from spikec.training.finetune import Hooks, finetune_program
    from spikec.training.options import read_options

    path = None if checkpoint is None else Path(checkpoint)
    hooks = Hooks(progress, on_epoch, path, every, resume, device)
    return finetune_program(program, data, read_options(options), hooks)


def fit(
    model: Any,
    data: Any,
    *,
    validation: Any = None,
    time_axis: int | None = None,
    checkpoint: str | os.PathLike[str] | None = None,
    every: int = 0,
    resume: bool = False,
    device: str = "cpu",
    progress: Callable[[int, int], None] = lambda done, total: None,
    on_epoch: Callable[[list[dict[str, float]]], None] = lambda history: None,
    **options: Any,
) -> list[dict[str, float]]:
    """Train a torch module by labels, in place; give a record per epoch.

    It may be spiking (of ``spikec.nn``: scores after the last step count) or not.  ``options`` are
    those of ``spikec.training.options.FitOptions``: epochs, batch, rate, optimiser, schedule,
    weight_decay, validation, patience, seed, mixed and others; the rest is as for ``finetune``.
    ``validation`` are samples that choose the best epoch, in the place of a share of ``data``.
    With ``time_axis=0`` the module reads [steps, samples, ...], and data are [samples, steps, ...].
    """
    from spikec.training.finetune import Hooks
    from spikec.training.module import fit_module
    from spikec.training.options import FitOptions, known_options

    path = None if checkpoint is None else Path(checkpoint)
    hooks = Hooks(progress, on_epoch, path, every, resume, device)
    made = known_options(FitOptions, options)
    return fit_module(model, data, made, hooks, validation, time_axis)


def load(path: str | os.PathLike[str]) -> Program:
    """Read a program that ``Program.save`` or ``spikec convert`` wrote."""
    from spikec.program import Program

    return Program.load(path)


def recipes() -> Mapping[str, type[Recipe]]:
    """Give all recipes by name; their fields are their options."""
    from spikec.pipeline.recipes import RECIPES

    return RECIPES


def targets() -> Mapping[str, Target]:
    """Give all targets by name: those that come with spikec, and those of the user's folder."""
    from spikec.target import targets as known

    return known()


def energy_profiles() -> Mapping[str, Profile]:
    """Give all energy profiles by name, every figure with its source."""
    from spikec.energy.catalog import profiles

    return profiles()


def _check_options(importer: ImportModel, options: Mapping[str, Any]) -> None:
    known = list(inspect.signature(importer).parameters)[2:]
    problems = [
        Problem(
            f"no option {option!r} for such a model",
            expected=f"one of {', '.join(known)}",
            remedy=_close(option, known),
        )
        for option in options
        if option not in known
    ]
    if problems:
        raise UsageError("import_model was given unknown options", problems=problems)


def _frontend(model: object) -> Frontend:
    """Choose the frontend, without loading the framework behind it."""
    if isinstance(model, Path):
        return _frontend_of_file(model)
    frontend = frontend_of_object(model)
    if frontend is None:
        what = f"the class {model.__qualname__}" if isinstance(model, type) else _described(model)
        raise UsageError(
            f"{what} is not a model that spikec reads",
            expected=accepted_models(),
            remedy="pass an instance of the class" if isinstance(model, type) else "",
        )
    return frontend


def _frontend_of_file(path: Path) -> Frontend:
    check_file(path)
    frontend = frontend_of_file(path)
    if frontend is None:
        kind = f"a {path.suffix} file" if path.suffix else "a file without suffix"
        raise UsageError(
            f"{kind} is not a model that spikec reads",
            where=str(path),
            expected=accepted_models(),
            remedy=_REMEDY.get(path.suffix.lower(), "export the model to .onnx or .pt2"),
        )
    return frontend


def check_file(path: Path) -> None:
    """Refuse what cannot be a model file, whatever its format: absent, a folder, empty, locked."""
    where = str(path)
    if not os.path.lexists(path):
        raise BadFile("no such file", where=where, remedy=_nearest(path))
    if not path.exists():
        raise BadFile("a symbolic link that leads nowhere", where=where)
    if path.is_dir():
        raise BadFile("a folder, not a file", where=where, expected="the path of a model file")
    if not path.is_file():
        raise BadFile("neither a file nor a folder", where=where)
    if not os.access(path, os.R_OK):
        raise BadFile("no permission to read the file", where=where, remedy=f"chmod u+r {path}")
    if path.stat().st_size == 0:
        raise BadFile("the file is empty", where=where, remedy="write or download it again")


def _nearest(path: Path) -> str:
    """Suggest the neighbour whose name is nearest."""
    try:
        neighbours = [entry.name for entry in path.parent.iterdir()]
    except (OSError, ValueError):  # ValueError: a zero byte in the name
        return f"the folder {path.parent} cannot be read: check the path"
    close = get_close_matches(path.name, neighbours, n=1, cutoff=0.75)
    return f"did you mean {path.parent / close[0]}?" if close else "check the path"


def _described(model: object) -> str:
    return "None" if model is None else f"a {type(model).__module__}.{type(model).__qualname__}"


_PICKLE = (
    "this is a pickle of weights or of a module, which can run any code: load it yourself into "
    "the nn.Module and pass that, or save it with torch.export.save (.pt2)"
)
_REMEDY = {
    ".spk": "this is spikec's own file: read it with spikec.ir.store.load, or `spikec show`",
    **dict.fromkeys((".pt", ".pth", ".pkl", ".bin", ".ckpt"), _PICKLE),
    ".safetensors": "this holds weights, no network: load them into the nn.Module and pass that",
    ".py": "name the function that makes the module: `spikec show module:factory`, or call it "
    "and pass the result",
}

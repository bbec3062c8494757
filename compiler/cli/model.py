"""The argument MODEL: a file, or ``module:factory`` in the folder where the command runs."""

from __future__ import annotations

import importlib
import inspect
import re
import sys
import traceback
from collections.abc import Callable, Mapping
from contextlib import redirect_stdout
from difflib import get_close_matches
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from spikec.errors import SpikecError, UsageError

if TYPE_CHECKING:
    from spikec.ir import Graph

HELP = (
    "A .onnx, .pt2, .nir or .spk file, or module:factory, where factory() gives a torch module "
    "or a pair (module, example input)."
)
_FACTORY = re.compile(r"(?P<module>[A-Za-z_][\w.]*):(?P<factory>[A-Za-z_]\w*)", re.ASCII)


def load_graph(model: str, example_input: Any) -> Graph:
    """Give the graph of a MODEL argument."""
    from spikec.api import check_file, import_model

    if not model:
        raise UsageError("MODEL is empty", expected=HELP)
    if Path(model).suffix.lower() == ".spk":
        return load_stored(model, example_input)[0]
    match = _FACTORY.fullmatch(model)
    if match is None or Path(model).exists():
        check_file(Path(model))
        return import_model(model, example_input)
    made = _call(_factory(match["module"], match["factory"]), model)
    if isinstance(made, tuple) and len(made) == 2:
        made, own_input = made
        example_input = own_input if example_input is None else example_input
    return import_model(made, example_input)


def load_stored(model: str, example_input: Any = None) -> tuple[Graph, Mapping[str, Any]]:
    """Give the (main) graph of a .spk file, and the record of how it was made."""
    from spikec.api import check_file
    from spikec.ir.store import load

    if example_input is not None:
        raise UsageError("a .spk file needs no --input", where=model, remedy="leave --input out")
    check_file(Path(model))
    return load(model)


def _factory(module_name: str, factory_name: str) -> Any:
    """Import the user's module from the current folder and give its factory."""
    module = _module(module_name)
    if not hasattr(module, factory_name):
        own = [name for name, value in vars(module).items() if callable(value)]
        close = get_close_matches(factory_name, own, n=1)
        raise UsageError(
            f"module {module_name!r} has no {factory_name!r}",
            where=str(getattr(module, "__file__", module_name)),
            remedy=f"did you mean {module_name}:{close[0]}?" if close else "check the name",
        )
    return getattr(module, factory_name)


def _module(name: str) -> ModuleType:
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.insert(0, here)
    try:
        with redirect_stdout(sys.stderr):  # stdout is for our own results
            return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{name}.".startswith(f"{error.name}."):
            raise _users_fault(f"importing {name}", error) from error
        neighbours = [path.stem for path in Path.cwd().glob("*.py")]
        close = get_close_matches(name, neighbours, n=1)
        raise UsageError(
            f"no module named {error.name!r}",
            where=f"in {here} or among the installed packages",
            expected="module:factory, or the path of a model file",
            remedy=f"did you mean {close[0]}?" if close else "run it in the folder of the module",
        ) from None
    except SpikecError:
        raise
    except (Exception, SystemExit) as error:  # whatever the user's code raises
        raise _users_fault(f"importing {name}", error) from error


def _call(factory: Any, text: str) -> Any:
    """Call a factory; a model that stands there ready is taken as it is."""
    from spikec.registry import frontend_of_object

    if frontend_of_object(factory) is not None or isinstance(factory, tuple):
        return factory
    if not callable(factory):
        raise UsageError(
            f"{text} is a {type(factory).__name__}, no model and no function that makes one",
            expected=HELP,
        )
    needed = _needed(factory)
    if needed:
        raise UsageError(
            f"{text} needs arguments: {', '.join(needed)}",
            expected="a function that can be called without arguments",
            remedy=f"write one: def build(): return {text.partition(':')[2]}({needed[0]}=...)",
        )
    try:
        with redirect_stdout(sys.stderr):
            return factory()
    except SpikecError:
        raise
    except (Exception, SystemExit) as error:  # whatever the user's code raises
        raise _users_fault(f"{text}()", error) from error


def _needed(factory: Callable[..., Any]) -> list[str]:
    """Name the arguments without a default."""
    try:
        parameters = inspect.signature(factory).parameters.values()
    except ValueError:  # built in, without a signature: let the call tell
        return []
    optional = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    return [p.name for p in parameters if p.default is p.empty and p.kind not in optional]


def _users_fault(doing: str, error: BaseException) -> UsageError:
    """Report what the user's own code raised, with the line that raised it."""
    if isinstance(error, SyntaxError):
        where = f"{error.filename}:{error.lineno}"
    else:
        frames = traceback.extract_tb(error.__traceback__)
        own = [f for f in frames if f.filename.startswith(str(Path.cwd()))] or frames[-1:]
        where = f"{own[-1].filename}:{own[-1].lineno}" if own else ""
    return UsageError(
        f"{doing} raised {type(error).__name__}: {error}",
        where=where,
        remedy="mend the code there; --debug shows the traceback",
    )

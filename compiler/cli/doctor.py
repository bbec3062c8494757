"""``spikec doctor``: what is installed, what works, and how to get the rest."""

from __future__ import annotations

import os
import platform
import shutil
import sys
from dataclasses import asdict, dataclass
from typing import Annotated

import typer
from rich import box
from rich.table import Table
from rich.text import Text

import spikec
from spikec.cli import deep as deep_checks
from spikec.cli import versions
from spikec.cli.backends import BackendState, states
from spikec.cli.options import Debug, Json, Quiet
from spikec.cli.screen import Screen
from spikec.errors import SpikecError

PYTHON = (3, 11)


@dataclass(frozen=True)
class Tool:
    """A program or package beside the core: never needed to import a model."""

    name: str
    found: str
    use: str
    install: str


@dataclass(frozen=True)
class Report:
    """Everything that the doctor has seen; ``problems`` says what makes spikec unhealthy."""

    problems: tuple[str, ...]
    spikec: str
    python: str
    platform: str
    core: tuple[versions.Installed, ...]
    tools: tuple[Tool, ...]
    backends: tuple[BackendState, ...]
    plugins: tuple[str, ...]
    checks: tuple[deep_checks.Check, ...]


def doctor(
    deep: Annotated[
        bool, typer.Option("--deep", help="Import torch, onnx and onnxruntime, and run each.")
    ] = False,
    as_json: Json = False,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """Show versions, tools and backends; exit code 1 where the core is not healthy."""
    screen = Screen(as_json=as_json, quiet=quiet)
    with screen.busy("examining"):
        report = examine(deep)
    if as_json:
        screen.document({"healthy": not report.problems, **asdict(report)})
    else:
        _print(screen, report)
    raise typer.Exit(bool(report.problems))


def examine(deep: bool = False) -> Report:
    """Look at everything, without importing a framework unless asked to."""
    core = versions.core()
    plugins, clashes = _plugins()
    checks = deep_checks.run_all() if deep else ()
    problems = [
        f"{entry.name}: {entry.problem}; {entry.install}" for entry in core if entry.problem
    ]
    if sys.version_info < PYTHON:
        problems.append(f"Python {platform.python_version()}: older than {PYTHON[0]}.{PYTHON[1]}")
    problems += clashes
    problems += [f"{check.name}: {check.error}" for check in checks if check.error]
    return Report(
        problems=tuple(problems),
        spikec=spikec.__version__,
        python=platform.python_version(),
        platform=platform.platform(terse=True),
        core=core,
        tools=_tools(),
        backends=states(),
        plugins=plugins,
        checks=checks,
    )


def _tools() -> tuple[Tool, ...]:
    from spikec.backends.lava_net.environment import seen

    compiler = next(
        (
            found
            for name in (os.environ.get("CXX"), "c++", "g++", "clang++", "cl")
            if name and (found := shutil.which(name))
        ),
        "",
    )
    programs = (
        Tool("C++ compiler", compiler, "faster simulation", "apt install g++"),
        Tool("Lava", seen(), "`verify --on lava_net`", "spikec lava-setup"),
        Tool("Graphviz", shutil.which("dot") or "", "`show --dot g.svg`", "apt install graphviz"),
    )
    packages = (
        Tool(name, versions.installed(name), use, 'pip install "spikec[demo]"')
        for name, use in versions.EXTRA.items()
    )
    return (*programs, *packages)


def _plugins() -> tuple[tuple[str, ...], list[str]]:
    """Load every plug-in; give their names and owners, and what is wrong with them."""
    from spikec import registry

    names, problems = [], []
    for kind in (registry.frontends, registry.passes, registry.backends):
        try:
            entries = [e for e in kind().values() if e.owner != registry.BUILT_IN]
            for entry in entries:
                entry.load()
                names.append(f"{kind.__name__}: {entry.name} ({entry.owner})")
        except SpikecError as error:
            problems.append(str(error))
    return tuple(names), problems


def _print(screen: Screen, report: Report) -> None:
    screen.say(f"spikec {report.spikec}, Python {report.python}, {report.platform}")
    screen.show(_core_table(report))
    screen.show(_tool_table(report))
    screen.show(_backend_table(report))
    for name in report.plugins:
        screen.say(f"plug-in among the {name}")
    for check in report.checks:
        screen.say(f"{check.name}: {check.error or f'works ({check.seconds:.1f} s)'}")
    for problem in report.problems:
        screen.say(f"problem: {problem}")
    screen.say("the core is not healthy" if report.problems else "the core is healthy")


def _core_table(report: Report) -> Table:
    table = _table("core", "version", "needs", "state")
    for entry in report.core:
        state = Text(entry.problem, "red") if entry.problem else Text("ok", "green")
        table.add_row(entry.name, entry.version or "-", Text(entry.required), state)
    return table


def _tool_table(report: Report) -> Table:
    table = _table("optional", "found", "for", "to install")
    for tool in report.tools:
        install = "" if tool.found else tool.install
        table.add_row(tool.name, tool.found or "-", tool.use, Text(install))
    return table


def _backend_table(report: Report) -> Table:
    table = _table("backend", "makes", "state", "to install")
    for backend in report.backends:
        if not backend.built:
            state = "not in this version"
        else:
            state = f"needs {', '.join(backend.missing)}" if backend.missing else "usable"
        table.add_row(backend.name, backend.makes, state, Text(backend.install))
    return table


def _table(*headers: str) -> Table:
    return Table(*headers, box=box.SIMPLE_HEAD, pad_edge=False)

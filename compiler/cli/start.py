"""The way in and out: parse, run, and turn every error into one block and an exit code."""

from __future__ import annotations

import io
import sys
import traceback
from collections.abc import Sequence
from typing import Annotated, NoReturn

import typer
from rich.text import Text

import spikec
from spikec.cli.check import check
from spikec.cli.convert import convert
from spikec.cli.demo import demo
from spikec.cli.doctor import doctor
from spikec.cli.energy import energy
from spikec.cli.evaluate import evaluate
from spikec.cli.export import export
from spikec.cli.finetune import finetune
from spikec.cli.lava_setup import lava_setup
from spikec.cli.lower import lower
from spikec.cli.profiles import profiles
from spikec.cli.recipes import recipes
from spikec.cli.report import report
from spikec.cli.screen import PIPE_CLOSED, Screen, console_on, leave_broken_pipe, write
from spikec.cli.show import show
from spikec.cli.targets import targets
from spikec.cli.verify import verify
from spikec.errors import SpikecError, UsageError, VerifyError

OK, FAILED, MISUSE, BUG, INTERRUPTED = 0, 1, 2, 70, 130
"""exit codes; 70 is a fault of spikec itself"""

# BadParameter -> UsageError -> ClickException: the base of what Typer's parser raises.  Its home
# depends on Typer's version; its place above BadParameter does not.
_PARSE_ERRORS: tuple[type[Exception], ...] = (typer.BadParameter.__mro__[2],)

app = typer.Typer(
    name="spikec",
    help="Compiles pretrained neural networks into spiking ones.",
    epilog="Exit codes: 0 fine, 1 a check failed, 2 misuse or a file that cannot be taken.",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["--help", "-h"]},
)


def _version(wanted: bool) -> None:
    if wanted:
        write(f"spikec {spikec.__version__}\n")
        raise typer.Exit


@app.callback(invoke_without_command=True)
def spikec_command(
    context: typer.Context,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Show the help where no command is given, which is misuse."""
    if context.invoked_subcommand is None:
        write(context.get_help() + "\n")
        raise typer.Exit(MISUSE)


for command in (
    convert,
    show,
    check,
    lower,
    finetune,
    recipes,
    targets,
    profiles,
    energy,
    export,
    verify,
    report,
    doctor,
    demo,
):
    app.command()(command)
app.command("eval")(evaluate)
app.command("lava-setup")(lava_setup)


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run the command line and end the process with its exit code."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a terminal without Unicode
    code = run(sys.argv[1:] if arguments is None else arguments)
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        leave_broken_pipe()
    sys.exit(code)


def run(arguments: Sequence[str]) -> int:
    """Run the command line; give the exit code."""
    # Read before parsing, so that errors of the parser obey them too.
    flags = set(arguments[: arguments.index("--")] if "--" in arguments else arguments)
    screen = Screen(as_json="--json" in flags)
    try:
        return _invoke(arguments)
    except (KeyboardInterrupt, typer.Abort):
        return _interrupted()
    except Exception as error:
        if "--debug" in flags:
            traceback.print_exception(error)
        complain(screen, error if isinstance(error, SpikecError) else _bug(error))
        return _code(error)


def _invoke(arguments: Sequence[str]) -> int:
    """Let Typer parse and call; its own errors become ours."""
    command = typer.main.get_command(app)
    try:
        code = command.main(list(arguments), prog_name="spikec", standalone_mode=False)
    except _PARSE_ERRORS as error:
        raise _usage_error(error) from None
    except SystemExit as ending:  # Typer ends the process itself when a pipe breaks, with 1
        return PIPE_CLOSED if ending.code == 1 else int(ending.code or OK)
    return _interrupted() if code == INTERRUPTED else int(code or OK)


def _usage_error(error: Exception) -> UsageError:
    """Say in our words what Typer's parser has found."""
    context = getattr(error, "ctx", None)
    path = context.command_path if context else "spikec"
    message = error.format_message() if hasattr(error, "format_message") else str(error)
    return UsageError(message, where=path, remedy=f"see `{path} --help`")


def _bug(error: Exception) -> SpikecError:
    return SpikecError(
        f"a fault of spikec: {type(error).__name__}: {error}",
        remedy="run it again with --debug and report the traceback",
    )


def _code(error: Exception) -> int:
    if isinstance(error, VerifyError):
        return FAILED
    return MISUSE if isinstance(error, SpikecError) else BUG


def _interrupted() -> int:
    sys.stderr.write("interrupted\n")
    return INTERRUPTED


def complain(screen: Screen, error: SpikecError) -> None:
    """Print an error as one block; with --json as JSON on stdout."""
    if screen.as_json:
        screen.document(error.to_json())
        return
    text = Text.assemble(("error: ", "bold red"), str(error))
    console_on(sys.stderr).print(text, highlight=False, soft_wrap=True)

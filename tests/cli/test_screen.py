"""Progress is for terminals only; results are never folded in a pipe."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from rich.table import Table

from spikec.cli.screen import Advance, Screen


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(("quiet", "as_json"), [(False, False), (True, False), (False, True)])
@pytest.mark.parametrize("stream", [Terminal, io.StringIO])
def test_progress_shows_on_a_terminal_only(
    monkeypatch: pytest.MonkeyPatch, stream: type[io.StringIO], quiet: bool, as_json: bool
) -> None:
    monkeypatch.setenv("TERM", "xterm")
    stderr = stream()
    monkeypatch.setattr("sys.stderr", stderr)
    with Screen(quiet=quiet, as_json=as_json).busy("training", total=2) as advance:
        advance(1)
        advance(1)
    shown = "training" in stderr.getvalue()
    assert shown is (stream is Terminal and not quiet and not as_json)


def test_a_count_moves_the_bar_to_what_is_done(monkeypatch: pytest.MonkeyPatch) -> None:
    moved: list[float] = []

    @contextmanager
    def busy(screen: Screen, label: str, total: int | None = None) -> Iterator[Advance]:
        yield moved.append

    monkeypatch.setattr(Screen, "busy", busy)
    with Screen().counting("running", 10) as count:
        for done in (3, 7, 10):
            count(done, 10)
    assert moved == [3, 4, 3]


def test_a_table_in_a_pipe_is_not_folded(capsys: pytest.CaptureFixture[str]) -> None:
    table = Table("name")
    table.add_row("x" * 500)
    Screen().show(table)
    assert "x" * 500 in capsys.readouterr().out


def test_quiet_hides_what_is_for_people_only(capsys: pytest.CaptureFixture[str]) -> None:
    screen = Screen(quiet=True)
    screen.say("hello")
    screen.show("hello")
    screen.document({"a": "±"})
    assert capsys.readouterr().out == '{\n  "a": "±"\n}\n'

"""The demo's parts: its script, its display, its server."""

from __future__ import annotations

import ast
import io
import re
import webbrowser

import pytest
from rich.console import Console
from tests.support.trial_views import trial

from zeus_bso.cli.demo import JOB_ID_PREFIX, training_script
from zeus_bso.cli.main import main
from zeus_bso.cli.repeated_runs import open_browser
from zeus_bso.cli.runs_display import LiveDisplay, PlainDisplay


def test_the_script_is_found_and_names_the_job_that_the_demo_looks_for() -> None:
    tree = ast.parse(training_script().read_text())
    prefixes = [
        keyword.value.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        for keyword in node.keywords
        if keyword.arg == "job_id_prefix" and isinstance(keyword.value, ast.Constant)
    ]

    assert prefixes == [JOB_ID_PREFIX]


def test_a_run_without_a_trial_still_gets_a_line() -> None:
    stream = io.StringIO()

    PlainDisplay(40, stream).ended(3, None)

    assert stream.getvalue() == "  3/40  no batch size asked for\n"


@pytest.mark.parametrize("width", [40, 50, 80, 200])
def test_live_rows_fit_any_terminal_and_use_plain_words(width: int) -> None:
    console = Console(file=io.StringIO(), width=width, force_terminal=True, color_system=None, highlight=False)
    display = LiveDisplay(console, 40)
    display.say("A new job.")
    with display:
        display.ended(1, trial(1, 256, 100.0, converged=False))
        display.running(2, None)
        shown = console.file
    assert isinstance(shown, io.StringIO)
    lines = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", shown.getvalue()).splitlines()

    assert max(len(line.rstrip()) for line in lines) <= width
    assert any("256" in line and "stopped: too dear" in line for line in lines)
    assert "MAB" not in shown.getvalue()


def test_a_browser_opens_only_where_a_person_sits_at_the_screen(monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[str] = []

    def note(url: str) -> bool:
        opened.append(url)
        return True

    monkeypatch.setattr(webbrowser, "open", note)
    desktop = {"DISPLAY": ":0"}

    for environment, is_terminal in (({}, True), (desktop, False), (desktop | {"CI": "true"}, True)):
        assert not open_browser("http://127.0.0.1:1", environment, is_terminal=is_terminal)
    assert not open_browser("http://127.0.0.1:1", desktop | {"SSH_CONNECTION": "1.2.3.4"}, is_terminal=True)
    assert opened == []
    assert open_browser("http://127.0.0.1:1", desktop, is_terminal=True)


def test_no_recurrences_are_bad_use(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["demo", "--recurrences", "0"])
    assert "--recurrences" in capsys.readouterr().err

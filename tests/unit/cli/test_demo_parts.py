"""The demo's parts: its script, its display, its server."""

from __future__ import annotations

import ast
import io

import pytest

from zeus_bso.cli.demo import JOB_ID_PREFIX, training_script
from zeus_bso.cli.demo_display import PlainDisplay, greeting
from zeus_bso.cli.main import main


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


def test_the_greeting_says_when_the_job_is_new() -> None:
    assert greeting("http://127.0.0.1:1", None) == "Server at http://127.0.0.1:1; a new job."


def test_a_recurrence_without_a_trial_still_gets_a_line() -> None:
    stream = io.StringIO()

    PlainDisplay(40, stream).ended(3, None)

    assert stream.getvalue() == "   3/40\n"


def test_no_recurrences_are_bad_use(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["demo", "--recurrences", "0"]) == 2
    assert "--recurrences" in capsys.readouterr().err

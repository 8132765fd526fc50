"""The command line: help, bad use, missing extras."""

from __future__ import annotations

import sys

import pytest

import zeus_bso
from zeus_bso import __version__
from zeus_bso.cli.main import COMMANDS, main


def test_help_names_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main(["--help"])

    assert end.value.code == 0
    shown = capsys.readouterr().out
    for command in ("serve", "db", "demo", "run", "flush", "version"):
        assert f"  {command}" in shown


@pytest.mark.parametrize("command", ["serve", "db", "demo", "run", "flush", "version"])
def test_every_command_has_help_of_its_own(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main([command, "--help"])

    assert end.value.code == 0
    assert f"usage: zeus-bso {command}" in capsys.readouterr().out


@pytest.mark.parametrize("arguments", [[], ["nonsense"], ["serve", "--port", "many"], ["db"], ["demo", "--what"]])
def test_bad_use_exits_with_2(arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main(arguments)

    assert end.value.code == 2


def test_version_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["version"]) == 0
    with pytest.raises(SystemExit):
        main(["--version"])
    assert capsys.readouterr().out == 2 * f"zeus-bso {__version__}\n"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["jbos"], "Did you mean 'jobs'?"),
        (["serve", "--port", "many"], "must be a whole number, not 'many'"),
        (["trials", "list", "x", "--limit", "0"], "must be a whole number of at least 1, not '0'"),
        (["simulate", "--eta", "half"], "must be a number, not 'half'"),
        (["simulate", "--eta", "2"], "must be a number between 0 and 1, not '2'"),
        (["run", "--relaunch", "-1"], "must be a whole number of at least 0, not '-1'"),
        (["trials", "list", "x", "--status", "done"], "must be one of running, decided, failed, not 'done'"),
    ],
)
def test_bad_use_is_named_in_plain_words(arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(arguments)

    assert said in capsys.readouterr().err


def test_a_shell_can_complete_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["completion", "bash"]) == 0

    script = capsys.readouterr().out
    assert all(name in script for name in COMMANDS)
    assert "--relaunch" in script


@pytest.mark.parametrize(
    ("arguments", "missing", "extra"),
    [(["serve"], "fastapi", "server"), (["db", "current"], "sqlalchemy", "server"), (["demo"], "sklearn", "demo")],
)
def test_a_missing_extra_is_named(
    arguments: list[str], missing: str, extra: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    # What is imported anew in the absence must not stay the package's attribute.
    monkeypatch.setattr(zeus_bso, "server", getattr(zeus_bso, "server", None), raising=False)
    for name in [name for name in sys.modules if name.startswith(("zeus_bso.server", missing))]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, missing, None)

    assert main(arguments) == 1
    assert f'pip install "zeus-bso[{extra}]"' in capsys.readouterr().err

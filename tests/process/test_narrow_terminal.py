"""A terminal of 80 columns: no line is wider, and nothing that one copies is broken."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from tests.support.terminal import on_a_terminal

from zeus_bso.cli.line_breaks import folded, wrapped


def too_wide(lines: list[str]) -> list[str]:
    return [line for line in lines if len(line) > 80]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["jbos"], "there is no 'jbos'. Did you mean 'jobs'?"),
        (["jobs", "lsit"], "there is no 'lsit'. Did you mean 'list'?"),
        (["completion", "fish"], "there is no 'fish'. Choose from bash, zsh,"),
        (["simulate", "--policy", "none"], "there is no 'none'. Choose from zeus,"),
        (["trials", "show", "job", "x"], "must be a whole number of at least 1,"),
        (["jobs", "list", "--server-url", "http://127.0.0.1:9"], "cannot be reached: Connection refused."),
        (["jobs", "list", "--server-url", "nothing"], "begins neither with http(s)://"),
        (["serve", "--database-url", "foo://x"], "is not supported; the URL"),
        (["simulate", "--scenario", "foo"], "There is no scenario 'foo'; there are: smooth,"),
        (["simulate", "--scenario", "list"], "largest-never-8-late"),
        (["simulate", "--traces", "nowhere"], "nowhere is no folder;"),
    ],
)
def test_errors_and_lists_fit(arguments: list[str], said: str, tmp_path: Path) -> None:
    shown = on_a_terminal(*arguments, cwd=tmp_path)

    assert said in " ".join(line.strip() for line in shown)
    assert not too_wide(shown)


def test_the_table_of_simulations_fits_with_its_most_important_columns() -> None:
    shown = on_a_terminal("simulate", "--made-up", "--seeds", "1", "--recurrences", "4", "--verbose")
    header = next(line for line in shown if line.lstrip().startswith("workload"))

    assert all(title in header for title in ("policy", "regret at T", "within 5 %", "energy", "time"))
    assert not too_wide(shown)


def test_a_message_is_broken_between_words_but_never_in_a_command() -> None:
    message = "zeus-bso: There is no job 'x'. `zeus-bso jobs list` lists all.\n  zeus-bso serve --database-url URL"

    assert wrapped(message, 36).splitlines() == [
        "zeus-bso: There is no job 'x'.",
        "`zeus-bso jobs list` lists all.",
        "  zeus-bso serve --database-url URL",
    ]


def test_a_long_command_is_folded_before_its_options_so_that_it_works_as_printed() -> None:
    command = "zeus-bso trials list digits --all --server-url sqlite:///.demo/zeus-bso.db"

    assert folded(command, 44).splitlines() == [
        "zeus-bso trials list digits --all \\",
        "  --server-url sqlite:///.demo/zeus-bso.db",
    ]
    assert folded("python 'my --odd name.py'", 20) == "python 'my --odd name.py'"
    assert folded(command, 100) == command


@pytest.mark.parametrize("arguments", [["simulate", "--scenario", "list"], ["completion", "bash"]])
def test_a_full_disk_is_named_in_one_line(arguments: list[str]) -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "zeus_bso.cli.main", *arguments], stdout=full, stderr=subprocess.PIPE, text=True
        )

    assert done.returncode == 1
    assert done.stderr == "zeus-bso: the output cannot be written: No space left on device.\n"


def test_a_reader_that_leaves_is_no_trouble_of_the_database(tmp_path: Path) -> None:
    command = f"{sys.executable} -m zeus_bso.cli.main db upgrade --sql --database-url mysql+asyncmy://a:b@c/d"
    done = subprocess.run(
        ["bash", "-o", "pipefail", "-c", f"{command} | head -1"], cwd=tmp_path, capture_output=True, text=True
    )

    assert done.stdout.startswith("CREATE TABLE")
    assert done.stderr == ""

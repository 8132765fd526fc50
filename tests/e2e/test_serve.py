"""``zeus-bso serve`` as a process."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import urllib3


@contextmanager
def serving(tmp_path: Path, *options: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A server process on a free port, and the line it printed when it was ready."""
    database_url = f"sqlite:///{tmp_path / 'jobs.db'}"
    command = [sys.executable, "-m", "zeus_bso", "serve", "--port", "0", "--database-url", database_url, *options]
    process = subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        yield process, process.stdout.readline()
    finally:
        process.kill()
        process.communicate()


def url_in(line: str) -> str:
    return next(word for word in line.split() if word.startswith("http://"))


def test_it_says_in_one_line_where_it_is_and_what_to_do_next(tmp_path: Path) -> None:
    with serving(tmp_path) as (process, line):
        answer = urllib3.request("GET", url_in(line) + "/healthz")
        process.send_signal(signal.SIGINT)
        output, errors = process.communicate(timeout=30)

    assert answer.status == 200
    assert str(tmp_path / "jobs.db") in line
    assert f'server_url="{url_in(line)}"' in line
    assert (process.returncode, output, errors) == (0, "", "")


def test_requests_are_logged_when_asked_for(tmp_path: Path) -> None:
    with serving(tmp_path, "--access-log") as (process, line):
        urllib3.request("GET", url_in(line) + "/healthz")
        process.terminate()
        output, errors = process.communicate(timeout=30)

    assert "/healthz" in output + errors


def test_it_listens_beyond_this_machine_when_told_to(tmp_path: Path) -> None:
    with serving(tmp_path, "--host", "0.0.0.0", "--insecure") as (_, line):
        port = url_in(line).rpartition(":")[2].rstrip(";")
        assert urllib3.request("GET", f"http://127.0.0.1:{port}/healthz").status == 200


@pytest.mark.parametrize("wrecked", ["a directory", "another program's file"])
def test_a_database_that_cannot_be_opened_is_one_line(tmp_path: Path, wrecked: str) -> None:
    if wrecked == "a directory":
        (tmp_path / "jobs.db").mkdir()
    else:
        (tmp_path / "jobs.db").write_text("not a database, though long enough to be looked at as one" * 100)

    with serving(tmp_path) as (process, line):
        _, errors = process.communicate(timeout=30)

    assert line == ""
    assert process.returncode == 1
    assert errors.startswith("zeus-bso: the database ")
    assert errors.count("\n") == 1

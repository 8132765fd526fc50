"""``zeus-bso serve`` as a process."""

from __future__ import annotations

import signal
import socket
import time
from pathlib import Path

import pytest
from tests.support.process import FRESH, PATIENCE_S, ServerProcess
from tests.support.requests import request


def test_it_says_in_one_line_where_it_is_and_what_to_do_next(tmp_path: Path) -> None:
    with ServerProcess(tmp_path / "jobs.db", program=FRESH) as server:
        answer = request("GET", f"{server.url}/healthz")
        code = server.end(by=signal.SIGINT)

    [line] = server.said.splitlines()
    assert (answer.status, code) == (200, 0)
    assert str(tmp_path / "jobs.db") in line
    assert f'server_url="{server.url}"' in line


def test_requests_are_logged_when_asked_for(tmp_path: Path) -> None:
    with ServerProcess(tmp_path / "jobs.db", options=["--access-log"]) as server:
        request("GET", f"{server.url}/healthz")

    assert "/healthz" in server.said


@pytest.mark.parametrize("workers", ["1", "2"])
def test_beyond_this_machine_it_answers_to_its_own_names_and_to_those_that_are_allowed(
    tmp_path: Path, workers: str
) -> None:
    options = ["--host", "0.0.0.0", "--insecure", "--workers", workers]
    environment = {"ZEUS_BSO_ALLOWED_HOSTS": "zeus-bso, Bso.Example.org."}

    def status(host: str) -> int:
        url = f"http://127.0.0.1:{server.port}/api/v1/jobs"
        return request("GET", url, headers={"Host": f"{host}:{server.port}"}).status

    with ServerProcess(tmp_path / "jobs.db", options=options, environment=environment) as server:
        allowed = ["127.0.0.1", "10.1.2.3", "[::1]", "localhost", socket.gethostname(), "zeus-bso", "bso.example.org"]
        statuses = {host: status(host) for host in [*allowed, "evil.example", "zeus-bso.evil.example"]}

    assert [host for host, code in statuses.items() if code == 200] == allowed
    assert {code for host, code in statuses.items() if host not in allowed} == {403}


def test_it_says_the_address_that_users_know(tmp_path: Path) -> None:
    environment = {"ZEUS_BSO_PUBLIC_URL": "https://bso.example.org/team"}
    server = ServerProcess(tmp_path / "jobs.db", environment=environment)
    server.spawn()
    deadline = time.monotonic() + PATIENCE_S
    while "serves" not in server.said and time.monotonic() < deadline:
        time.sleep(0.02)
    server.end()

    assert 'server_url="https://bso.example.org/team"' in server.said


@pytest.mark.parametrize(
    ("name", "value"), [("PUBLIC_URL", "bso.example.org"), ("ALLOWED_HOSTS", "http://bso.example.org")]
)
def test_an_address_that_is_none_is_refused_by_name(tmp_path: Path, name: str, value: str) -> None:
    server = ServerProcess(tmp_path / "jobs.db", environment={f"ZEUS_BSO_{name}": value})
    server.spawn()

    assert server.wait() == 2
    assert server.said.startswith(f"zeus-bso: ZEUS_BSO_{name}: ")


@pytest.mark.parametrize("wrecked", ["a directory", "another program's file"])
def test_a_database_that_cannot_be_opened_is_one_line(tmp_path: Path, wrecked: str) -> None:
    if wrecked == "a directory":
        (tmp_path / "jobs.db").mkdir()
    else:
        (tmp_path / "jobs.db").write_text("not a database, though long enough to be looked at as one" * 100)

    server = ServerProcess(tmp_path / "jobs.db")
    server.spawn()

    assert server.wait() == 1
    assert server.said.startswith("zeus-bso: the database ")
    assert server.said.count("\n") == 1

"""The client of the ``zeus`` package, unmodified, against a server that asks for tokens."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.frameworks.test_foreign_monitors import python  # noqa: F401 - a fixture
from tests.support.access import TOKENS, WRONG, Asked, GuardedServer
from tests.support.jobs import Json

SCRIPT = Path(__file__).parent / "clients" / "zeus_client.py"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[GuardedServer]:
    with GuardedServer(tmp_path / "zeus-bso.db") as server:
        yield server


def launch(interpreter: Path, server: GuardedServer, token: str | None) -> subprocess.CompletedProcess[str]:
    user_info = "" if token is None else f"training:{token}@"
    url = server.process.url.replace("http://", f"http://{user_info}")
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("ZEUS_", "CUDA_"))}
    return subprocess.run(
        [str(interpreter), str(SCRIPT), url], env=environment, capture_output=True, text=True, timeout=120, check=False
    )


def trials(server: GuardedServer) -> list[Json]:
    answer = server.send(Asked("GET", "/api/v1/trials", {"job_id": "reference"}), token=TOKENS["reader"])
    assert answer.status == 200, answer.text
    found: list[Json] = json.loads(answer.text)
    return found


def test_it_carries_its_token_in_the_url_and_its_job_goes_on(python: Path, server: GuardedServer) -> None:  # noqa: F811
    launches = [launch(python, server, TOKENS["trainer"]) for _ in range(3)]

    assert [done.returncode for done in launches] == [0, 0, 0], [done.stderr for done in launches]
    seen = trials(server)
    assert [trial["outcome"] for trial in seen] == ["converged"] * 3
    assert [trial["batch_size"] for trial in seen] == [int(done.stdout.split()[-1]) for done in launches]
    assert {(trial["energy"], trial["time"]) for trial in seen} == {(200.0, 2.0)}
    assert TOKENS["trainer"] not in server.process.said


@pytest.mark.parametrize("token", [None, WRONG], ids=["none", "wrong"])
def test_it_is_refused_with_another_token(python: Path, server: GuardedServer, token: str | None) -> None:  # noqa: F811
    assert launch(python, server, token).returncode != 0

    answer = server.send(Asked("GET", "/api/v1/jobs"), token=TOKENS["reader"])
    assert json.loads(answer.text) == []

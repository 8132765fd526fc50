"""The client of the ``zeus`` package, unmodified, against a server that asks for tokens."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.frameworks.launches import CLIENTS, REFERENCE, Launch
from tests.support.access import TOKENS, WRONG, Asked, GuardedServer
from tests.support.jobs import Json

pytestmark = pytest.mark.usefixtures("no_settings_of_zeus")


@pytest.fixture
def server(tmp_path: Path) -> Iterator[GuardedServer]:
    with GuardedServer(tmp_path / "zeus-bso.db") as server:
        yield server


def launch(python: str, server: GuardedServer, folder: Path, token: str | None) -> Launch:
    user_info = "" if token is None else f"training:{token}@"
    url = server.process.url.replace("http://", f"http://{user_info}")
    return Launch([CLIENTS / "zeus_client.py", url], folder, python=python, variables=REFERENCE)


def trials(server: GuardedServer) -> list[Json]:
    answer = server.send(Asked("GET", "/api/v1/trials", {"job_id": "reference"}), token=TOKENS["reader"])
    assert answer.status == 200, answer.text
    found: list[Json] = json.loads(answer.text)
    return found


def test_it_carries_its_token_in_the_url_and_its_job_goes_on(
    reference: str, server: GuardedServer, tmp_path: Path
) -> None:
    sizes = []
    for _ in range(3):
        with launch(reference, server, tmp_path, TOKENS["trainer"]) as script:
            sizes += script.last_words()

    seen = trials(server)
    assert [trial["outcome"] for trial in seen] == ["converged"] * 3
    assert [trial["batch_size"] for trial in seen] == sizes
    assert {(trial["energy"], trial["time"]) for trial in seen} == {(200.0, 2.0)}
    assert TOKENS["trainer"] not in server.process.said


def test_it_is_refused_with_another_token(reference: str, server: GuardedServer, tmp_path: Path) -> None:
    for token in (None, WRONG):
        with launch(reference, server, tmp_path, token) as script:
            assert script.wait() != [0]

    answer = server.send(Asked("GET", "/api/v1/jobs"), token=TOKENS["reader"])
    assert json.loads(answer.text) == []

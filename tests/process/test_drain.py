"""A server that is told to end is no longer ready, still answers for a while, and then ends."""

from __future__ import annotations

import signal
import time
from pathlib import Path

import pytest
import urllib3
from tests.support.process import FRESH, PATIENCE_S, ServerProcess
from tests.support.requests import request


def get(url: str, path: str) -> urllib3.BaseHTTPResponse:
    return request("GET", url + path, retries=False, timeout=240)


def wait_until_unready(url: str) -> None:
    """Wait until a new connection meets a server that says that it is not ready."""
    deadline = time.monotonic() + PATIENCE_S
    while get(url, "/readyz").status != 503:
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.mark.parametrize("workers", ["1", "2"])
def test_readiness_goes_first_and_requests_are_answered_until_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, workers: str
) -> None:
    monkeypatch.setenv("ZEUS_BSO_DRAIN_S", "2")
    with ServerProcess(tmp_path / "jobs.db", options=["--workers", workers], program=FRESH) as server:
        url = server.url
        before = get(url, "/api/v1/jobs")
        server.send(signal.SIGTERM)
        wait_until_unready(url)
        after = get(url, "/api/v1/jobs")
        code = server.wait()

    assert (before.status, before.headers.get("connection")) == (200, None)
    assert (after.status, after.headers["connection"]) == (200, "close")
    assert code == 0


def test_a_server_that_drains_ends_at_once_when_interrupted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ZEUS_BSO_DRAIN_S", "600")
    with ServerProcess(tmp_path / "jobs.db") as server:
        server.send(signal.SIGTERM)
        wait_until_unready(server.url)

        assert server.end(by=signal.SIGINT) == 0


def test_without_a_drain_it_ends_at_once(tmp_path: Path) -> None:
    with ServerProcess(tmp_path / "jobs.db") as server:
        assert get(server.url, "/readyz").status == 200

        assert server.end() == 0

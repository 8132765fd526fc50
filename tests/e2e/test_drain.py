"""A server that is told to end is no longer ready, still answers for a while, and then ends."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import urllib3

PATIENCE_S = 60


@contextmanager
def serving(folder: Path, *options: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A server process, and its URL."""
    database_url = f"sqlite:///{folder / 'jobs.db'}"
    command = [sys.executable, "-m", "zeus_bso", "serve", "--port", "0", "--database-url", database_url, *options]
    process = subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        found = re.search(r"http://[^\s;]+:\d+", process.stdout.readline())
        assert found
        yield process, found.group()
    finally:
        process.kill()
        process.communicate()


def status(url: str, path: str) -> int:
    return urllib3.request("GET", url + path, retries=False, timeout=10).status


def wait_until_unready(url: str) -> None:
    """Wait until a new connection meets a server that says that it is not ready."""
    deadline = time.monotonic() + PATIENCE_S
    while status(url, "/readyz") != 503:
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.mark.parametrize("workers", ["1", "2"])
def test_readiness_goes_first_and_requests_are_answered_until_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, workers: str
) -> None:
    monkeypatch.setenv("ZEUS_BSO_DRAIN_S", "2")
    with serving(tmp_path, "--workers", workers) as (process, url):
        before = urllib3.request("GET", f"{url}/api/v1/jobs")
        process.send_signal(signal.SIGTERM)
        wait_until_unready(url)
        after = urllib3.request("GET", f"{url}/api/v1/jobs")
        code = process.wait(PATIENCE_S)

    assert (before.status, before.headers.get("connection")) == (200, None)
    assert (after.status, after.headers["connection"]) == (200, "close")
    assert code == 0


def test_a_server_that_drains_ends_at_once_when_interrupted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ZEUS_BSO_DRAIN_S", "600")
    with serving(tmp_path) as (process, url):
        process.send_signal(signal.SIGTERM)
        wait_until_unready(url)
        process.send_signal(signal.SIGINT)

        assert process.wait(PATIENCE_S) == 0


def test_without_a_drain_it_ends_at_once(tmp_path: Path) -> None:
    with serving(tmp_path) as (process, url):
        assert status(url, "/readyz") == 200
        process.send_signal(signal.SIGTERM)

        assert process.wait(PATIENCE_S) == 0

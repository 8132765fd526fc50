"""Strangers that hold a server's connections, and a client that goes on meanwhile."""

from __future__ import annotations

import shutil
import socket
import sys
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest
from tests.support.process import ServerProcess
from tests.support.requests import request

FILES = 300
"""So few open files leave room for half as many connections."""

HALF_A_BODY = b"POST /report HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\n{"


@pytest.mark.skipif(shutil.which("prlimit") is None, reason="prlimit, of util-linux, is not installed")
@pytest.mark.parametrize("workers", ["1", "2"])
def test_strangers_take_no_connection_from_who_has_a_token(tmp_path: Path, workers: str) -> None:
    program = ("prlimit", f"--nofile={FILES}:{FILES}", sys.executable, "-m", "zeus_bso")
    token = {"ZEUS_BSO_API_TOKENS": "boss-0123456789abcdef"}
    options = ["--workers", workers]
    with (
        ServerProcess(tmp_path / "jobs.db", program=program, environment=token, options=options) as server,
        ExitStack() as stack,
    ):
        for number in range(2 * FILES):
            stranger = stack.enter_context(socket.create_connection(("127.0.0.1", server.port), timeout=240))
            with suppress(ConnectionError):
                stranger.sendall(HALF_A_BODY if number % 2 else b"")
        endless = stack.enter_context(socket.create_connection(("127.0.0.1", server.port), timeout=240))
        with suppress(ConnectionError):
            endless.sendall(b"GET / HTTP/1.1\r\nX: ")
            while True:
                endless.sendall(b"x" * 2**20)
        headers = {"Authorization": "Bearer boss-0123456789abcdef"}
        statuses = {request("GET", server.url + "/api/v1/jobs", headers=headers).status for _ in range(20)}
        said = server.said

    assert statuses == {200}
    assert 1 <= said.count("connections were open") <= int(workers)
    assert said.count("request head of more than") == 1
    assert "Traceback" not in said

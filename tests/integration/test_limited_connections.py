"""Connections to a server that hold it up, with short limits."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest
import uvicorn

from zeus_bso.cli import connections
from zeus_bso.cli.connections import MAX_HEAD_BYTES, LimitedProtocol
from zeus_bso.server.app import create_app
from zeus_bso.server.config import Settings

TOKEN = "boss-0123456789abcdef"
PATIENCE_S = 60
POST = b"POST /report HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n"
READY = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"

Wire = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@pytest.fixture(autouse=True)
def short_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HEAD_S", "BODY_S", "REST_S"):
        monkeypatch.setattr(connections, name, 0.3)
    monkeypatch.setattr(connections, "_SWEEP_S", 0.05)
    monkeypatch.setattr(connections, "_told_at", {})


@asynccontextmanager
async def serving(path: Path) -> AsyncIterator[int]:
    """A server with a token on a free port."""
    app = create_app(Settings(database_url=f"sqlite:///{path / 'jobs.db'}", api_tokens=TOKEN))
    server = uvicorn.Server(uvicorn.Config(app, port=0, http=LimitedProtocol, ws="none", log_config=None))
    task = asyncio.create_task(server.serve())
    while not server.started:
        await asyncio.sleep(0.01)
    try:
        yield server.servers[0].sockets[0].getsockname()[1]
    finally:
        server.should_exit = True
        await task


async def send(port: int, *parts: bytes) -> Wire:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for part in parts:
        writer.write(part)
        await writer.drain()
    return reader, writer


async def all_of(wire: Wire) -> bytes:
    """What comes until the server closes the connection."""
    answer = b""
    with suppress(ConnectionError):
        while piece := await asyncio.wait_for(wire[0].read(2**16), PATIENCE_S):
            answer += piece
    wire[1].close()
    return answer


@pytest.mark.parametrize(
    ("sent", "status", "says"),
    [
        (b"", b"", "no complete request head"),
        (b"\r\n\r\n", b"", "no complete request head"),
        (READY[:-2], b"", "no complete request head"),
        (READY + READY[:-2], b"200", "no complete request head"),
        (POST + b"\r\n{", b"401", "was answered"),
        (POST + b"Authorization: Bearer " + TOKEN.encode() + b"\r\n\r\n{", b"", "nothing of a request's body"),
    ],
    ids=["silence", "empty lines", "half a head", "and then half a head", "no token", "half"],
)
def test_what_does_not_go_on_is_closed_and_logged(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, sent: bytes, status: bytes, says: str
) -> None:
    async def run() -> list[bytes]:
        async with serving(tmp_path) as port:
            wires = [await send(port, sent) for _ in range(3)]
            return [await all_of(wire) for wire in wires]

    with caplog.at_level(logging.WARNING):
        answers = asyncio.run(run())

    assert {answer[9:12] for answer in answers} == {status}
    assert [says in record.message for record in caplog.records] == [True]


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"\x16\x03\x01\x02", b"400"),
        (READY.replace(b"\r\n\r\n", b"\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"), b"200"),
    ],
    ids=["TLS", "a web socket"],
)
def test_what_is_no_http_is_logged_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, sent: bytes, status: bytes
) -> None:
    async def run() -> list[bytes]:
        async with serving(tmp_path) as port:
            wires = [await send(port, sent) for _ in range(3)]
            answers = [await asyncio.wait_for(wire[0].read(12), PATIENCE_S) for wire in wires]
            for wire in wires:
                wire[1].close()
            return answers

    with caplog.at_level(logging.WARNING):
        answers = asyncio.run(run())

    assert {answer[9:12] for answer in answers} == {status}
    told = [record.message for record in caplog.records]
    assert told
    assert len(told) == len(set(told))


def test_a_head_has_a_size(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    def padded(size: int) -> list[bytes]:
        head = READY[:-2] + b"X: "
        return [head, *[b"x" * 1024] * ((size - len(head) - 1024) // 1024), b"\r\n\r\n"]

    async def run() -> list[bytes]:
        async with serving(tmp_path) as port:
            return [await all_of(await send(port, *padded(MAX_HEAD_BYTES * times))) for times in (1, 2)]

    with caplog.at_level(logging.WARNING):
        small, large = asyncio.run(run())

    assert small[9:12] == b"200"
    assert large[9:12] in (b"431", b"")
    assert sum("request head of more than" in record.message for record in caplog.records) == 1


def test_a_connection_between_two_requests_stays_open(tmp_path: Path) -> None:
    async def run() -> bytes:
        async with serving(tmp_path) as port:
            reader, writer = await send(port, READY)
            await reader.readuntil(b"alive")
            await asyncio.sleep(4 * connections.HEAD_S)
            writer.write(READY)
            answer = await reader.readuntil(b"alive")
            writer.close()
            return answer

    assert b"200 OK" in asyncio.run(run())


def test_who_reads_nothing_is_closed(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "UNREAD_S", 0.3)

    async def run() -> None:
        async with serving(tmp_path) as port:
            _, writer = await send(port)
            page = b"GET /login HTTP/1.1\r\nHost: localhost\r\nAccept: text/html\r\n\r\n"
            with suppress(ConnectionError):
                while not writer.is_closing():
                    writer.write(page)
                    await asyncio.wait_for(writer.drain(), PATIENCE_S)
                    await asyncio.sleep(0)

    with caplog.at_level(logging.WARNING):
        asyncio.run(run())

    assert "read nothing of its answer" in caplog.text

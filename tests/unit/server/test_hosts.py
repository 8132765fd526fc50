"""The names to which a server without tokens answers."""

from __future__ import annotations

import asyncio

import httpx
import pytest
from starlette.applications import Starlette

from zeus_bso.server.security.hosts import LocalNames


@pytest.mark.parametrize(
    ("hosts", "status"),
    [
        (["LOCALHOST."], 404),
        (["localhost:8000"], 404),
        (["localhost", "localhost"], 404),
        (["localhost.evil.example"], 403),
        (["localhost", "evil.example"], 403),
        (["evil.example", "localhost"], 403),
    ],
)
def test_every_name_that_a_request_says_must_be_one_of_them(hosts: list[str], status: int) -> None:
    async def answer() -> int:
        transport = httpx.ASGITransport(LocalNames(Starlette()))
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
            return (await client.get("/", headers=[("Host", host) for host in hosts])).status_code

    assert asyncio.run(answer()) == status

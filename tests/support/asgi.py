"""Requests to an ASGI application in this process, without the parts of an HTTP client that no test looks at."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from typing import Any

import httpx
from starlette.types import ASGIApp, Message

_HEADERS = dict(httpx.AsyncClient().headers)
"""What a client sends along."""


class AsgiClient:
    """Asks an application as ``httpx.AsyncClient`` does, but keeps no cookies and follows no redirects.

    Args:
        app: The application.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def request(
        self,
        method: str,
        url: str,
        *,
        content: bytes | AsyncIterator[bytes] | None = None,
        json: object = None,
        params: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> httpx.Response:
        """Send a request, and wait for the whole answer; an application that fails has answered 500."""
        sent = _HEADERS | {name.lower(): value for name, value in (headers or {}).items()}
        request = httpx.Request(method, f"http://server{url}", content=content, json=json, params=params, headers=sent)
        return await _answer(self._app, request)


async def _answer(app: ASGIApp, request: httpx.Request) -> httpx.Response:
    assert isinstance(request.stream, httpx.AsyncByteStream)
    chunks, is_sent, is_over = request.stream.__aiter__(), False, asyncio.Event()
    status, headers, body = 0, list[tuple[bytes, bytes]](), list[bytes]()

    async def receive() -> Message:
        nonlocal is_sent
        if is_sent:
            await is_over.wait()
            return {"type": "http.disconnect"}
        try:
            return {"type": "http.request", "body": await chunks.__anext__(), "more_body": True}
        except StopAsyncIteration:
            is_sent = True
            return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Message) -> None:
        nonlocal status, headers
        if message["type"] == "http.response.start":
            status, headers = message["status"], list(message.get("headers", []))
            return
        if request.method != "HEAD":
            body.append(message.get("body", b""))
        if not message.get("more_body", False):
            is_over.set()

    try:
        await app(_scope(request), receive, send)
    except Exception:  # noqa: BLE001 - as in a server, what was answered stands
        is_over.set()
        status = status or 500
    assert status
    assert is_over.is_set()
    return httpx.Response(status, headers=headers, content=b"".join(body), request=request)


def _scope(request: httpx.Request) -> dict[str, Any]:
    url = request.url
    return {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": request.method,
        "headers": [(name.lower(), value) for name, value in request.headers.raw],
        "scheme": url.scheme,
        "path": url.path,
        "raw_path": url.raw_path.split(b"?")[0],
        "query_string": url.query,
        "server": (url.host, url.port),
        "client": ("127.0.0.1", 123),
        "root_path": "",
    }

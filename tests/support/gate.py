"""A gate before a real server: it lets requests through, or refuses them itself, in the server's name."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler
from types import TracebackType

import urllib3

from tests.support.http_server import LocalHTTPServer
from zeus_bso.protocol.urls import MARK_HEADER


class Gate:
    """Forwards requests to a server.

    Args:
        upstream: The server's URL.

    Attributes:
        url: Where the gate listens.
        refusal: Every request is answered with this status; None: by the server.
    """

    def __init__(self, upstream: str) -> None:
        self.refusal: int | None = None
        self._pool = urllib3.PoolManager(retries=False)
        gate = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def answer(self) -> None:
                data = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                status, out = gate._forward(upstream + self.path, self.command, data)
                self.send_response(status)
                self.send_header(MARK_HEADER, "1")
                self.send_header("Content-Length", str(len(out)))
                self.end_headers()
                self.wfile.write(out)

            do_GET = do_POST = do_PATCH = answer  # noqa: N815

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002
                pass

        self._server = LocalHTTPServer(Handler)
        self.url = self._server.url
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)

    def __enter__(self) -> Gate:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
        self._pool.clear()

    def _forward(self, url: str, method: str, data: bytes) -> tuple[int, bytes]:
        if self.refusal is not None:
            return self.refusal, json.dumps({"message": f"The gate says {self.refusal}."}).encode()
        answer = self._pool.request(method, url, body=data, headers={"Content-Type": "application/json"})
        return answer.status, answer.data

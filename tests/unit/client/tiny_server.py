"""A server of a few lines that remembers what it was asked: over HTTP, or as a transport without a network."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from types import TracebackType
from urllib.parse import parse_qs, urlsplit

from tests.support.http_server import LocalHTTPServer

from zeus_bso.protocol.transport import CALL_S, Answer, TransportError
from zeus_bso.protocol.urls import ASK_URL, MARK_HEADER, REGISTER_JOB_URL, REPORT_END_URL, REPORT_RESULT_URL

Body = dict[str, object]
Reply = tuple[int, Body]

GO_ON: Body = {"stop_train": False, "converged": False, "message": "go on"}
CONVERGED: Body = {"stop_train": True, "converged": True, "message": "converged", "outcome": "converged"}
TOO_DEAR: Body = {"stop_train": True, "converged": False, "message": "over the cost bound", "outcome": "cost-bound"}


@dataclass(frozen=True)
class Request:
    """One request as it arrived."""

    method: str
    path: str
    body: Body
    headers: Mapping[str, str] = field(default_factory=dict)
    params: Mapping[str, list[str]] = field(default_factory=dict)


class Script:
    """What a server does with its requests: registers, offers trial 1 of size 64, lets every run go on.

    ``answers`` overrides this by path: a reply for every request, or a function of the request.
    """

    def __init__(self) -> None:
        self.requests: list[Request] = []
        self.answers: dict[str, Reply | Callable[[Request], Reply]] = {}

    def handle(self, request: Request) -> Reply:
        self.requests.append(request)
        answer = self.answers.get(request.path)
        if callable(answer):
            return answer(request)
        return answer if answer is not None else self._usual(request)

    def sent(self, path: str, *, method: str | None = None) -> list[Body]:
        """The bodies sent to a path."""
        found = [each for each in self.requests if each.path == path and method in (None, each.method)]
        return [each.body for each in found]

    @property
    def reports(self) -> list[Body]:
        return self.sent(REPORT_RESULT_URL)

    @property
    def ends(self) -> list[Body]:
        return self.sent(REPORT_END_URL)

    def _usual(self, request: Request) -> Reply:
        if request.path == REGISTER_JOB_URL:
            return 201, {**request.body, "job_id": request.body["job_id"] or "derived-1"}
        if request.path == ASK_URL:
            return 200, offer(str(request.body["job_id"]))
        if request.path == REPORT_RESULT_URL:
            final = {**TOO_DEAR, "message": "target missed", "outcome": "target-missed"}
            return 200, final if request.body["final"] else GO_ON
        return 200, {"message": "ok"}


def offer(job_id: str, **changes: object) -> Body:
    """The answer to an ask."""
    return {"job_id": job_id, "batch_size": 64, "trial_number": 1, "lease_s": 300.0, **changes}


class ScriptedTransport(Script):
    """The tiny server as a transport, without a network.

    Attributes:
        away: No answer comes while this is set.
    """

    address = "scripted://server"
    patience_s = 0.0

    def __init__(self) -> None:
        super().__init__()
        self.away = False
        self.attempts = 0

    def request(
        self,
        method: str,
        path: str,
        *,
        body: Mapping[str, object] | None = None,
        params: Mapping[str, str] | None = None,
        timeout_s: float = CALL_S,
    ) -> Answer:
        self.attempts += 1
        if self.away:
            raise TransportError("scripted://server cannot be reached.")
        status, answer = self.handle(Request(method, path, dict(body or {})))
        return Answer(status, answer)

    def close(self) -> None:
        pass


class TinyServer(Script):
    """The tiny server on a free port of this machine.

    Attributes:
        url: Where it listens.
        connections: How many connections it has accepted.
        drops: So many connections are closed in place of an answer.
    """

    def __init__(self) -> None:
        super().__init__()
        self.connections = 0
        self.drops = 0
        self.raw: bytes | None = None
        self.hang = threading.Event()
        self.hang.set()
        tiny = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def setup(self) -> None:
                tiny.connections += 1
                super().setup()

            def handle_one_request(self) -> None:
                if tiny.drops > 0 and self.rfile.peek(1):  # type: ignore[attr-defined]
                    tiny.drops -= 1
                    self.close_connection = True
                    return
                super().handle_one_request()

            def answer(self) -> None:
                data = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                parts = urlsplit(self.path)
                body = json.loads(data) if data else {}
                request = Request(self.command, parts.path, body, dict(self.headers), parse_qs(parts.query))
                status, said = tiny.handle(request)
                tiny.hang.wait(30)
                out = tiny.raw if tiny.raw is not None else json.dumps(said).encode()
                self.send_response(status)
                if tiny.raw is None:
                    self.send_header(MARK_HEADER, "1")
                self.send_header("Content-Length", str(len(out)))
                self.end_headers()
                self.wfile.write(out)

            do_GET = do_POST = do_PATCH = do_DELETE = answer  # noqa: N815

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002
                pass

        self._server = LocalHTTPServer(Handler)
        self.url = self._server.url
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)

    def __enter__(self) -> TinyServer:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.hang.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

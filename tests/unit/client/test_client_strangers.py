"""Only a zeus-bso server speaks for it: what proxies, login pages and other services say is not heard."""

from __future__ import annotations

import json
import logging
import socket
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import pytest
from tests.support.away import end_process
from tests.support.strangers import Speak, Stranger, page, says
from tests.unit.client.tiny_server import CONVERGED, TinyServer

from zeus_bso import BatchSizeOptimizer, JobSpec
from zeus_bso.client.connection.api import Api
from zeus_bso.client.connection.connect import WAIT_VARIABLE, transport_for
from zeus_bso.client.connection.http_transport import HttpTransport
from zeus_bso.client.delivery.spool_flush import DeliveryStatus, flush
from zeus_bso.exceptions import ZeusBSOConfigError, ZeusBSORequestError, ZeusBSOServerUnreachableError
from zeus_bso.monitor import ReplayMonitor
from zeus_bso.protocol.transport import TransportError
from zeus_bso.protocol.urls import MARK_HEADER, REPORT_RESULT_URL

JOB = JobSpec(job_id="strange", job_id_prefix="strange", batch_sizes=[32, 64], default_batch_size=64, target_metric=0.9)

FOREIGN = {
    "an ingress without a route": page(404, b"404 page not found\n"),
    "a page of nginx": page(400, b"<html><h1>400 Bad Request</h1></html>"),
    "a firewall": page(403, b"<html>blocked</html>", "Content-Type: text/html"),
    "a limit on bodies": page(413, b"<html>413</html>"),
    "an empty refusal": page(404, b""),
    "a gateway's JSON": page(404, b'{"message": "no Route matched with those values"}'),
    "a cloud's JSON": page(413, b'{"message": "Request Too Long"}'),
    "another framework's JSON": page(422, b'{"detail": "Not Found"}'),
    "a list": page(409, b"[1, 2]"),
    "a login page": page(200, b"<html>sign in</html>"),
    "another service's JSON": page(200, b'{"status": "green"}'),
    "a list in place of an answer": page(200, b"[]"),
    "nothing": page(200, b""),
    "no content": b"HTTP/1.1 204 No Content\r\n\r\n",
    "a way to elsewhere": page(302, b"", "Location: https://login.example/?next=secret"),
    "too many requests": page(429, b"slow down"),
    "a request that took too long": page(408, b"<html>408</html>"),
    "a bad gateway": page(502, b"<html>502</html>"),
    "our own words from a proxy that limits": page(429, b'{"message": "Too many."}'),
    "no HTTP at all": b"SSH-2.0-OpenSSH_9.6\r\n",
    "half an answer": page(200, b'{"stop_train": true, "converged"')[:-10],
}


@pytest.fixture
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(WAIT_VARIABLE, "0")


def converge(url: str, before_the_last: Callable[[], None]) -> BatchSizeOptimizer:
    bso = BatchSizeOptimizer(ReplayMonitor([(1.0, 100.0)] * 9), url, JOB, heartbeat_s=None)
    bso.get_batch_size()
    bso.on_train_begin()
    bso.on_evaluate(0.5)
    before_the_last()
    bso.on_evaluate(0.95)
    return bso


@pytest.mark.parametrize("answer", FOREIGN.values(), ids=FOREIGN)
def test_a_result_that_a_stranger_answered_is_kept_and_sent_later(answer: bytes, spool_dir: Path) -> None:
    with TinyServer() as server, Stranger(lambda connection, request: forward(server, connection, request)) as gate:
        bso = converge(gate.url, lambda: setattr(gate, "speak", says_and_closes(answer)))
        assert bso.training_finished, "the rules known here stop it"
        end_process(bso, 0.8)
        [kept] = spool_dir.glob("*.json")
        # The stranger still answers: nothing is set aside for good.
        [first] = list(flush(lambda address: Api(HttpTransport(address))))
        assert (first.status, kept.exists()) == (DeliveryStatus.KEPT, True)
        gate.speak = lambda connection, request: forward(server, connection, request)
        server.answers[REPORT_RESULT_URL] = (200, CONVERGED)
        [second] = list(flush(lambda address: Api(HttpTransport(address))))
        assert (second.status, server.reports[-1]["metric"]) == (DeliveryStatus.SENT, 0.95)
    assert list(spool_dir.iterdir()) == []


def says_and_closes(answer: bytes) -> Speak:
    def speak(connection: socket.socket, request: bytes) -> None:
        connection.sendall(answer)
        connection.shutdown(socket.SHUT_RDWR)

    return speak


def forward(server: TinyServer, connection: socket.socket, request: bytes) -> None:
    """Hand a request on, as a proxy that is healthy."""
    head, _, body = request.partition(b"\r\n\r\n")
    method, path, _ = head.split(b"\r\n")[0].decode().split(" ")
    transport = HttpTransport(server.url)
    answer = transport.request(method, path, body=json.loads(body) if body else None)
    transport.close()
    connection.sendall(page(answer.status, json.dumps(dict(answer.body)).encode(), f"{MARK_HEADER}: 1"))


def test_a_refusal_of_the_server_itself_is_heard(no_waiting: None) -> None:
    with TinyServer() as server:
        server.answers["/jobs"] = (404, {"message": "There is no such thing."})
        with pytest.raises(ZeusBSORequestError, match="no such thing"):
            BatchSizeOptimizer(ReplayMonitor([]), server.url, JOB)


REMEDIES = {
    "an https port": (page(400, b"The plain HTTP request was sent to HTTPS port"), "begin server_url with https://"),
    "an https port in Go": (page(400, b"Client sent an HTTP request to an HTTPS server.\n"), "https://"),
    "an https port's alert": (b"\x15\x03\x01\x00\x02\x02\x46", "https://"),
    "a way to https": (page(308, b"", "Location: https://zeus.example/jobs?x=secret"), "https://zeus.example "),
    "a login page": (page(200, b"<html>sign in</html>"), "a login page"),
    "a wall": (page(403, b"<html>no</html>"), "403"),
    "a proxy that wants a login": (page(407, b"<html>no</html>"), "http://user:password@proxy:3128"),
}


@pytest.mark.parametrize(("answer", "remedy"), REMEDIES.values(), ids=REMEDIES)
def test_what_is_set_up_wrongly_is_said_at_once_with_its_own_remedy(answer: bytes, remedy: str) -> None:
    with Stranger(says_and_closes(answer)) as stranger:
        began = time.monotonic()
        with pytest.raises(ZeusBSOServerUnreachableError) as caught:
            BatchSizeOptimizer(ReplayMonitor([]), stranger.url, JOB)
        assert time.monotonic() - began < 20
    assert remedy in str(caught.value)
    assert "secret" not in str(caught.value)
    assert "Start a server" not in str(caught.value)


def drip_head(connection: socket.socket, request: bytes) -> None:
    drip(connection, b"HTTP/1.1 200 OK\r\n" + b"X-Header: and so on\r\n" * 1000)


def drip_body(connection: socket.socket, request: bytes) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
    drip(connection, b" " * 100_000)


def drip_chunks(connection: socket.socket, request: bytes) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    drip(connection, b"1\r\n \r\n" * 10_000)


def drip_hints(connection: socket.socket, request: bytes) -> None:
    drip(connection, b"HTTP/1.1 100 Continue\r\n\r\n" * 10_000)


def drip(connection: socket.socket, data: bytes) -> None:
    for byte in data:
        connection.sendall(bytes([byte]))
        time.sleep(0.02)


@pytest.mark.parametrize("speak", [drip_head, drip_body, drip_chunks, drip_hints])
def test_an_answer_that_drips_holds_no_call_beyond_its_time(speak: Speak) -> None:
    with Stranger(speak) as stranger:
        transport = HttpTransport(stranger.url)
        began = time.monotonic()
        with pytest.raises(TransportError, match=r"no answer within 0\.5 s"):
            transport.request("GET", "/x", timeout_s=0.5)
        assert time.monotonic() - began < 20
        transport.close()


def test_a_name_that_is_looked_up_slowly_holds_no_call_beyond_its_time(monkeypatch: pytest.MonkeyPatch) -> None:
    let_go = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *args, **more: let_go.wait(30) and [])
    transport = HttpTransport("http://zeus.example:8000")
    began = time.monotonic()
    try:
        with pytest.raises(TransportError, match="no connection within"):
            transport.request("GET", "/x", timeout_s=0.5)
        assert time.monotonic() - began < 20
    finally:
        let_go.set()


def test_an_address_that_does_not_answer_leaves_time_for_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    with TinyServer() as server, socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))
        deaf.listen(0)
        fillers = [socket.socket() for _ in range(4)]
        for filler in fillers:
            filler.setblocking(False)
            filler.connect_ex(deaf.getsockname())
        here = ("127.0.0.1", int(server.url.rpartition(":")[2]))
        found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", address) for address in (deaf.getsockname(), here)]
        monkeypatch.setattr(socket, "getaddrinfo", lambda *args, **more: found)
        transport = HttpTransport("http://zeus.example:8000")
        assert transport.request("GET", "/x", timeout_s=2.0).status == 200
        transport.close()
        for filler in fillers:
            filler.close()


class TestALaunch:
    @pytest.mark.parametrize("status", [429, 502, 503, 504])
    def test_waits_for_a_server_that_is_not_ready(self, status: int, caplog: pytest.LogCaptureFixture) -> None:
        ready_at = time.monotonic() + 1.0
        with TinyServer() as server, Stranger(lambda connection, request: None) as gate:

            def busy(connection: socket.socket, request: bytes) -> None:
                if time.monotonic() < ready_at:
                    connection.sendall(page(status, b"<html>not now</html>", "Retry-After: 1"))
                else:
                    forward(server, connection, request)

            gate.speak = busy
            with caplog.at_level(logging.WARNING):
                bso = BatchSizeOptimizer(ReplayMonitor([]), gate.url, JOB, heartbeat_s=None)
            assert bso.get_batch_size() == 64
            bso.cancel()
            asked = sum(b"POST /jobs " in request for request in gate.requests)
        assert asked == 2, "as Retry-After says, and not before"
        assert [record for record in caplog.messages if "Waiting for it, up to 30 s" in record]

    def test_waits_for_a_server_that_starts_a_little_later(self) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        transport = HttpTransport(f"http://127.0.0.1:{port}")
        with TinyServer() as server, ExitStack() as started:

            def start() -> None:
                started.enter_context(Stranger(lambda *asked: forward(server, *asked), port=port))

            late = threading.Timer(1.0, start)
            late.start()
            bso = BatchSizeOptimizer(ReplayMonitor([]), f"http://127.0.0.1:{port}", JOB, heartbeat_s=None)
            assert bso.get_batch_size() == 64
            bso.cancel()
            late.join()
        transport.close()

    def test_waits_while_an_ingress_has_no_route_yet(self) -> None:
        ready_at = time.monotonic() + 1.0
        with TinyServer() as server, Stranger(lambda connection, request: None) as gate:
            gate.speak = lambda connection, request: (
                connection.sendall(page(404, b"default backend"))
                if time.monotonic() < ready_at
                else forward(server, connection, request)
            )
            bso = BatchSizeOptimizer(ReplayMonitor([]), gate.url, JOB, heartbeat_s=None)
            assert bso.get_batch_size() == 64
            bso.cancel()

    def test_gives_up_when_its_patience_is_over(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv(WAIT_VARIABLE, "1")
        with Stranger(says(page(503, b"", "Retry-After: 3600"))) as stranger:
            began = time.monotonic()
            with pytest.raises(ZeusBSOServerUnreachableError, match="not ready"):
                BatchSizeOptimizer(ReplayMonitor([]), stranger.url, JOB)
            assert 0.9 < time.monotonic() - began < 20

    def test_does_not_wait_for_a_server_that_made_an_error(self) -> None:
        with Stranger(says(page(500, b'{"message": "The server made an error."}'))) as stranger:
            began = time.monotonic()
            with pytest.raises(ZeusBSOServerUnreachableError, match="made an error"):
                BatchSizeOptimizer(ReplayMonitor([]), stranger.url, JOB)
            assert time.monotonic() - began < 20

    @pytest.mark.parametrize("given", ["soon", "-1", "nan", "1e9"])
    def test_is_told_how_long_to_wait_by_a_number(self, given: str, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv(WAIT_VARIABLE, given)
        with pytest.raises(ZeusBSOConfigError, match=WAIT_VARIABLE):
            transport_for("http://127.0.0.1:1")


def pump(source: socket.socket, drain: socket.socket) -> None:
    try:
        while data := source.recv(65_536):
            drain.sendall(data)
        drain.shutdown(socket.SHUT_WR)
    except OSError:
        """Either side may hang up."""

"""The HTTP transport over real sockets, and how a transport is chosen."""

from __future__ import annotations

import logging
import socket
import sys
import threading
import time
import traceback
from base64 import b64decode
from pathlib import Path

import pytest
from tests.support import leftovers
from tests.unit.client.tiny_server import TinyServer

from zeus_bso.client.connection.connect import transport_for
from zeus_bso.client.connection.http_transport import HttpTransport
from zeus_bso.exceptions import ZeusBSOConfigError
from zeus_bso.protocol.transport import TransportError


@pytest.fixture
def closed_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


def test_many_calls_share_one_connection() -> None:
    with TinyServer() as server:
        transport = HttpTransport(server.url)
        for number in range(20):
            assert transport.request("POST", "/x", body={"number": number}).status == 200
        transport.close()
        assert server.connections == 1
        assert [body["number"] for body in server.sent("/x")] == list(range(20))


def test_several_threads_may_call_at_once() -> None:
    with TinyServer() as server:
        transport = HttpTransport(server.url)
        statuses: list[int] = []
        threads = [
            threading.Thread(target=lambda: statuses.append(transport.request("GET", "/x").status)) for _ in range(8)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        transport.close()
        assert statuses == [200] * 8


def test_a_connection_that_breaks_is_tried_again() -> None:
    with TinyServer() as server:
        server.drops = 2
        transport = HttpTransport(server.url)
        assert transport.request("POST", "/x", body={}).status == 200
        transport.close()


def test_no_connection_outlives_its_transport_whoever_holds_the_pool() -> None:
    with TinyServer() as server:
        transport = HttpTransport(server.url)
        transport.request("GET", "/x")
        host, port = server.url.removeprefix("http://").split(":")
        pool = transport._pool.connection_from_host(host, int(port))
        assert any(f" to {(host, int(port))}" in each for each in leftovers.sockets())
        transport.close()
        assert not any(f" to {(host, int(port))}" in each for each in leftovers.sockets())
        assert pool.num_connections == 1


def test_a_server_that_is_not_there_is_a_transport_error_at_once(closed_port: int) -> None:
    transport = HttpTransport(f"http://127.0.0.1:{closed_port}")
    began = time.monotonic()
    with pytest.raises(TransportError, match=f"127.0.0.1:{closed_port} cannot be reached: .*refused.*zeus-bso serve"):
        transport.request("GET", "/x")
    assert time.monotonic() - began < 20


def test_a_server_that_hangs_is_given_the_time_out_and_no_more() -> None:
    with TinyServer() as server:
        server.hang.clear()
        transport = HttpTransport(server.url)
        began = time.monotonic()
        with pytest.raises(TransportError, match=r"no answer within 0\.4 s"):
            transport.request("POST", "/x", body={}, timeout_s=0.4)
        assert 0.3 < time.monotonic() - began < 20
        assert len(server.requests) == 1
        transport.close()


def test_parameters_are_escaped_and_a_path_in_the_url_is_kept() -> None:
    with TinyServer() as server:
        transport = HttpTransport(f"{server.url}/prefix/")
        transport.request("DELETE", "/jobs", params={"job_id": "a/b c&d"})
        transport.close()
        [request] = server.requests
        assert (request.path, request.params) == ("/prefix/jobs", {"job_id": ["a/b c&d"]})


def test_an_address_of_ipv6_is_reached() -> None:
    try:
        listener = socket.create_server(("::1", 0), family=socket.AF_INET6)
    except OSError:
        pytest.skip("this machine has no IPv6")
    with listener:

        def serve() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.recv(65_536)
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")

        server = threading.Thread(target=serve, daemon=True)
        server.start()
        transport = HttpTransport(f"http://[::1]:{listener.getsockname()[1]}")
        assert transport.request("GET", "/x").status == 200
        transport.close()
        server.join()


def test_user_info_is_sent_as_basic_authentication() -> None:
    with TinyServer() as server:
        transport = HttpTransport(server.url.replace("http://", "http://me:s%40cr%C3%A9t@"))
        transport.request("GET", "/x")
        transport.close()
        scheme, _, credentials = server.requests[0].headers["Authorization"].partition(" ")
        assert (scheme, b64decode(credentials).decode()) == ("Basic", "me:s@crét")


def test_user_info_appears_in_no_log_repr_or_error(closed_port: int, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG), TinyServer() as server:
        transport = HttpTransport(server.url.replace("http://", "http://me:hunter2@"))
        transport.request("GET", "/x")
        transport.close()
        unreachable = HttpTransport(f"http://me:hunter2@127.0.0.1:{closed_port}")
        with pytest.raises(TransportError) as caught:
            unreachable.request("GET", "/x")
    shown = [caplog.text, repr(transport), transport.address, *traceback.format_exception(caught.value)]
    assert "urllib3" in caplog.text
    assert not [text for text in shown if "hunter2" in text]


@pytest.mark.parametrize(
    "url",
    [
        "http://me:hunter2/oops@host:8000",
        "http://me:hunter2@host:port",
        "http://me:hunter2@",
        "http://me:hunter2@[::1",
        "http://me@host/?password=hunter2",
        "postgresql://me:hunter2@host/db",
        "me:hunter2@host:8000",
    ],
)
def test_a_url_that_cannot_be_used_is_refused_without_repeating_it(url: str) -> None:
    with pytest.raises(ZeusBSOConfigError) as caught:
        transport_for(url)
    assert "hunter2" not in "".join(traceback.format_exception(caught.value))


def test_an_error_without_a_json_body_is_an_answer_without_a_message() -> None:
    with TinyServer() as server:
        server.answers["/x"] = (502, {})
        server.raw = b"<html>bad gateway</html>"
        transport = HttpTransport(server.url)
        answer = transport.request("GET", "/x")
        transport.close()
        assert (answer.status, answer.message) == (502, "")


def test_a_page_that_is_no_json_is_not_our_server() -> None:
    with TinyServer() as server:
        server.raw = b"<html>welcome</html>"
        transport = HttpTransport(server.url)
        with pytest.raises(TransportError, match="is not a zeus-bso server"):
            transport.request("GET", "/x")
        transport.close()


def test_an_answer_that_no_parser_survives_is_not_our_servers() -> None:
    with TinyServer() as server:
        server.raw = b"[" * 200_000
        transport = HttpTransport(server.url)
        with pytest.raises(TransportError, match="not a zeus-bso server"):
            transport.request("GET", "/x")
        transport.close()


def test_an_answer_that_does_not_end_is_not_read_to_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("zeus_bso.client.connection.http_transport.MAX_ANSWER_BYTES", 100_000)
    with TinyServer() as server:
        server.raw = b" " * 10_000_000
        transport = HttpTransport(server.url)
        with pytest.raises(TransportError, match="does not end"):
            transport.request("GET", "/x")
        transport.close()


def test_an_answer_that_comes_byte_by_byte_is_given_the_time_out_and_no_more() -> None:
    closed = threading.Event()

    def drip(listener: socket.socket) -> None:
        connection, _ = listener.accept()
        with connection:
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
            while not closed.wait(0.05):
                connection.sendall(b" ")

    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = threading.Thread(target=drip, args=(listener,), daemon=True)
        server.start()
        transport = HttpTransport(f"http://127.0.0.1:{listener.getsockname()[1]}")
        began = time.monotonic()
        try:
            with pytest.raises(TransportError, match=r"no answer within 0\.5 s"):
                transport.request("GET", "/x", timeout_s=0.5)
            assert time.monotonic() - began < 20
        finally:
            closed.set()
            transport.close()
            server.join()


def test_a_redirect_is_explained_not_followed() -> None:
    with TinyServer() as server:
        server.answers["/x"] = (308, {})
        transport = HttpTransport(server.url)
        with pytest.raises(TransportError, match=r"redirects .*\(308\)"):
            transport.request("POST", "/x", body={})
        transport.close()
        assert len(server.requests) == 1


def test_without_a_url_the_error_shows_both_ways(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ZEUS_BSO_SERVER_URL", raising=False)
    with pytest.raises(ZeusBSOConfigError) as caught:
        transport_for(None)
    for way in ("ZEUS_BSO_SERVER_URL", "http://127.0.0.1:8000", "sqlite:///zeus-bso.db"):
        assert way in str(caught.value)


def test_the_environment_gives_the_url_that_the_script_does_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ZEUS_BSO_SERVER_URL", "http://of-the-environment:1")
    assert transport_for(None).address == "http://of-the-environment:1"
    assert transport_for("http://of-the-script:1").address == "http://of-the-script:1"


@pytest.mark.parametrize("url", ["sqlite://", "sqlite:///", "sqlite:///?mode=memory"])
def test_an_embedded_database_needs_a_file(url: str) -> None:
    with pytest.raises(ZeusBSOConfigError, match="names no file"):
        transport_for(url)


def test_the_embedded_mode_without_the_server_names_the_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "zeus_bso.server.app", None)
    with pytest.raises(ZeusBSOConfigError, match=r'pip install "zeus-bso\[server\]"'):
        transport_for(f"sqlite:///{tmp_path}/x.db")

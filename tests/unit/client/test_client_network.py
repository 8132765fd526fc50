"""The way to the server: certificates, proxies, and what is said where they stand in it."""

from __future__ import annotations

import datetime
import socket
import ssl
import threading
from pathlib import Path

import pytest
import trustme
from tests.support.strangers import Stranger, page, says
from tests.unit.client.tiny_server import TinyServer

from zeus_bso.client.connection.connect import transport_for
from zeus_bso.client.connection.http_pool import CA_VARIABLES
from zeus_bso.exceptions import ZeusBSOConfigError
from zeus_bso.protocol.transport import TransportError
from zeus_bso.protocol.urls import MARK_HEADER

PROXY_VARIABLES = ("http_proxy", "https_proxy", "no_proxy")
HELLO = page(200, b'{"message": "hello"}', f"{MARK_HEADER}: 1")


@pytest.fixture(autouse=True)
def _plain_network(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in (*CA_VARIABLES, *PROXY_VARIABLES):
        monkeypatch.delenv(variable, raising=False)
        monkeypatch.delenv(variable.upper(), raising=False)


def said(url: str) -> str:
    transport = transport_for(url)
    try:
        return transport.request("GET", "/x", timeout_s=5.0).message
    finally:
        transport.close()


def trouble(url: str) -> TransportError:
    with pytest.raises(TransportError) as caught:
        said(url)
    return caught.value


class TestTls:
    @pytest.fixture
    def authority(self) -> trustme.CA:
        return trustme.CA()

    def server(self, authority: trustme.CA, *names: str, until: datetime.datetime | None = None) -> Stranger:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert(*names, not_after=until).configure_cert(context)
        return Stranger(says(HELLO), context)

    def trust(self, authority: trustme.CA, variable: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        authority.cert_pem.write_to_path(tmp_path / "ca.pem")
        monkeypatch.setenv(variable, str(tmp_path / "ca.pem"))

    @pytest.mark.parametrize("variable", CA_VARIABLES)
    def test_a_private_authority_is_trusted_once_it_is_named(
        self, authority: trustme.CA, variable: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with self.server(authority, "127.0.0.1") as server:
            unknown = trouble(server.url)
            self.trust(authority, variable, tmp_path, monkeypatch)
            assert said(server.url) == "hello"
        assert "is not trusted" in str(unknown)
        assert "SSL_CERT_FILE" in str(unknown)
        assert unknown.lasting

    def test_one_variable_beside_another_adds_to_it(
        self, authority: trustme.CA, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        other = trustme.CA()
        other.cert_pem.write_to_path(tmp_path / "other.pem")
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "other.pem"))
        self.trust(authority, "REQUESTS_CA_BUNDLE", tmp_path, monkeypatch)
        with self.server(authority, "127.0.0.1") as server:
            assert said(server.url) == "hello"

    def test_a_certificate_for_another_name_is_said_to_be_that(
        self, authority: trustme.CA, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        self.trust(authority, "SSL_CERT_FILE", tmp_path, monkeypatch)
        with self.server(authority, "zeus.example") as server:
            assert "is for another name" in str(trouble(server.url))

    def test_a_certificate_that_is_over_is_said_to_be_that(
        self, authority: trustme.CA, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        self.trust(authority, "SSL_CERT_FILE", tmp_path, monkeypatch)
        long_ago = datetime.datetime(2015, 1, 1, tzinfo=datetime.timezone.utc)
        with self.server(authority, "127.0.0.1", until=long_ago) as server:
            assert "is not valid now" in str(trouble(server.url))

    @pytest.mark.parametrize("content", [None, "", "no certificate"])
    def test_a_file_of_authorities_that_cannot_be_used_is_named(
        self, content: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        path = tmp_path / "ca.pem"
        if content is not None:
            path.write_text(content)
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(path))
        with pytest.raises(ZeusBSOConfigError, match=f"REQUESTS_CA_BUNDLE names {path}"):
            transport_for("https://zeus.example")

    def test_https_to_a_port_that_speaks_http_names_the_remedy(self) -> None:
        with TinyServer() as server:
            error = trouble(server.url.replace("http://", "https://"))
        assert "begin server_url with http://" in str(error)
        assert error.lasting

    def test_http_to_a_port_that_speaks_tls_names_the_remedy(self, authority: trustme.CA) -> None:
        with self.server(authority, "127.0.0.1") as server:
            assert "https://" in str(trouble(server.url.replace("https://", "http://")))

    def test_a_handshake_that_does_not_come_holds_no_call_beyond_its_time(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as deaf:
            transport = transport_for(f"https://127.0.0.1:{deaf.getsockname()[1]}")
            with pytest.raises(TransportError, match=r"within 0\.5 s|timed out"):
                transport.request("GET", "/x", timeout_s=0.5)


class TestProxies:
    def test_a_server_is_reached_through_the_proxy_that_is_named(self, monkeypatch: pytest.MonkeyPatch) -> None:
        with Stranger(says(HELLO)) as proxy:
            monkeypatch.setenv("HTTP_PROXY", f"http://me:s%40cret@127.0.0.1:{proxy.port}")
            assert said("http://zeus.example.internal:8000/base") == "hello"
        [request] = proxy.requests
        assert request.startswith(b"GET http://zeus.example.internal:8000/base/x HTTP/1.1\r\n")
        assert b"Proxy-Authorization: Basic bWU6c0BjcmV0\r\n" in request

    def test_a_proxy_may_be_named_without_a_scheme(self, monkeypatch: pytest.MonkeyPatch) -> None:
        with Stranger(says(HELLO)) as proxy:
            monkeypatch.setenv("http_proxy", f"127.0.0.1:{proxy.port}")
            assert said("http://zeus.example.internal") == "hello"

    def test_https_goes_through_a_tunnel(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        authority = trustme.CA()
        authority.cert_pem.write_to_path(tmp_path / "ca.pem")
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert("zeus.example.internal").configure_cert(context)
        with Stranger(says(HELLO), context) as server, Stranger(lambda connection, request: None) as proxy:

            def connect(connection: socket.socket, request: bytes) -> None:
                connection.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
                with socket.create_connection(("127.0.0.1", server.port)) as upstream:
                    threading.Thread(target=pump, args=(upstream, connection), daemon=True).start()
                    pump(connection, upstream)

            proxy.speak = connect
            monkeypatch.setenv("HTTPS_PROXY", proxy.url)
            assert said("https://zeus.example.internal") == "hello"
        assert proxy.requests[0].startswith(b"CONNECT zeus.example.internal:443 ")

    @pytest.mark.parametrize(
        ("host", "exempt"),
        [
            ("zeus.example", "zeus.example"),
            ("zeus.example", "other, .example"),
            ("zeus.example", "*"),
            ("zeus.example", "*.example"),
            ("10.1.2.3", "10.0.0.0/8"),
        ],
    )
    def test_a_host_that_is_exempt_is_reached_directly(
        self, host: str, exempt: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with Stranger(says(HELLO)) as server, Stranger(says(page(502, b""))) as proxy:
            found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", server.port))]
            monkeypatch.setenv("HTTP_PROXY", proxy.url)
            monkeypatch.setenv("NO_PROXY", exempt)
            monkeypatch.setattr(socket, "getaddrinfo", lambda *args, **more: found)
            assert said(f"http://{host}") == "hello"
        assert proxy.requests == []

    @pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "127.1.2.3"])
    def test_this_machine_is_reached_directly(self, host: str, monkeypatch: pytest.MonkeyPatch) -> None:
        with Stranger(says(HELLO)) as server, Stranger(says(page(502, b""))) as proxy:
            found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", server.port))]
            monkeypatch.setenv("HTTP_PROXY", proxy.url)
            monkeypatch.setattr(socket, "getaddrinfo", lambda *args, **more: found)
            assert said(f"http://{host}:{server.port}") == "hello"
        assert proxy.requests == []

    def test_a_proxy_that_does_not_lead_there_is_named(self, monkeypatch: pytest.MonkeyPatch) -> None:
        with socket.socket() as closed:
            closed.bind(("127.0.0.1", 0))
            port = closed.getsockname()[1]
        monkeypatch.setenv("HTTP_PROXY", f"http://me:secret@127.0.0.1:{port}")
        error = str(trouble("http://zeus.example.internal"))
        assert f"The proxy http://127.0.0.1:{port}" in error
        assert "NO_PROXY" in error
        assert "secret" not in error
        assert "Start a server" not in error

    def test_a_tunnel_that_wants_a_login_says_how_to_give_it(self, monkeypatch: pytest.MonkeyPatch) -> None:
        with Stranger(says(page(407, b""))) as proxy:
            monkeypatch.setenv("HTTPS_PROXY", proxy.url)
            assert "http://user:password@proxy:3128" in str(trouble("https://zeus.example.internal"))

    @pytest.mark.parametrize("url", ["socks5://127.0.0.1:1080", "http://proxy:port", "http://"])
    def test_a_proxy_that_cannot_be_used_is_refused(self, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("HTTP_PROXY", url)
        with pytest.raises(ZeusBSOConfigError, match="HTTP_PROXY names no HTTP proxy"):
            transport_for("http://zeus.example.internal")


def pump(source: socket.socket, drain: socket.socket) -> None:
    try:
        while data := source.recv(65_536):
            drain.sendall(data)
    except OSError:
        """Either side may hang up."""

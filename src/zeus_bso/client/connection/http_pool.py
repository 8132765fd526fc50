"""HTTP connections: their proxy, their trusted certificates, and their time limits."""

from __future__ import annotations

import io
import ipaddress
import os
import socket
import ssl
import threading
import time
from base64 import b64encode
from collections.abc import Sequence
from http.client import HTTPResponse
from pathlib import Path
from typing import Any, cast
from urllib.parse import SplitResult, unquote, urlsplit
from urllib.request import getproxies_environment

from urllib3 import HTTPConnectionPool, HTTPSConnectionPool, PoolManager, ProxyManager
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import ConnectTimeoutError, NameResolutionError, NewConnectionError
from urllib3.util.ssl_ import create_urllib3_context

from zeus_bso.exceptions import ZeusBSOConfigError

CA_VARIABLES = ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
"""Variables for files or folders of certificate authorities, in addition to the system's. Other tools use them too."""


def open_pool(parts: SplitResult, *, timed: bool) -> PoolManager:
    """Open connections to a server, through the proxy that the environment sets for it.

    Args:
        parts: The server's URL.
        timed: Whether a timeout limits a whole request, including name look-up, connection, headers and body.
            Otherwise it limits the longest silence.

    Raises:
        ZeusBSOConfigError: An environment variable names a proxy or a file that cannot be used.
    """
    options: dict[str, Any] = {"maxsize": 4, "block": False}
    if parts.scheme == "https":
        options["ssl_context"] = _trust()
    proxy = proxy_for(parts)
    if proxy is None:
        pool = PoolManager(1, **options)
    else:
        url, headers = proxy
        pool = ProxyManager(url, 1, proxy_headers=headers, **options)
    if timed:
        pool.pool_classes_by_scheme = {"http": _TimedHttpPool, "https": _TimedHttpsPool}
    return pool


def proxy_for(parts: SplitResult) -> tuple[str, dict[str, str]] | None:
    """The URL of the proxy without user info, and the headers for it. None to connect directly.

    This reads ``HTTP_PROXY``, ``HTTPS_PROXY`` and ``NO_PROXY``, also in lower case. ``NO_PROXY`` may contain networks
    like ``10.0.0.0/8``. Connections to this machine never use a proxy.

    Raises:
        ZeusBSOConfigError: The variable names no HTTP proxy.
    """
    host = parts.hostname or ""
    proxies = getproxies_environment()
    url = proxies.get(parts.scheme, "")
    if not url or _is_this_machine(host) or _is_exempt(host, parts.port, proxies.get("no", "")):
        return None
    variable = f"{parts.scheme.upper()}_PROXY"
    proxy = urlsplit(url if "://" in url else f"http://{url}")
    try:
        name, port = proxy.hostname, proxy.port
    except ValueError:
        name, port = None, None
    if proxy.scheme not in ("http", "https") or not name:
        raise ZeusBSOConfigError(
            f"{variable} names no HTTP proxy: it should look like http://proxy:3128. To reach the server directly, "
            "name its host in NO_PROXY."
        )
    headers = {}
    if proxy.username is not None:
        user_info = f"{unquote(proxy.username)}:{unquote(proxy.password or '')}"
        headers["Proxy-Authorization"] = f"Basic {b64encode(user_info.encode()).decode()}"
    name = f"[{name}]" if ":" in name else name
    return f"{proxy.scheme}://{name}{'' if port is None else f':{port}'}", headers


def _is_this_machine(host: str) -> bool:
    address = _address(host)
    return host == "localhost" or host.endswith(".localhost") or (address is not None and address.is_loopback)


def _is_exempt(host: str, port: int | None, exempt: str) -> bool:
    """Whether ``NO_PROXY`` covers a host: by its name, its domain, its network, or a wildcard for all hosts."""
    address = _address(host)
    for entry in (part.strip().lower().removeprefix("*.").lstrip(".") for part in exempt.split(",")):
        if entry == "*" or (entry and f".{host}".endswith(f".{entry}")) or entry == f"{host}:{port}":
            return True
        if address is not None and "/" in entry and _is_in(address, entry):
            return True
    return False


def _is_in(address: ipaddress.IPv4Address | ipaddress.IPv6Address, network: str) -> bool:
    try:
        return address in ipaddress.ip_network(network, strict=False)
    except ValueError:
        return False


def _address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


def _trust() -> ssl.SSLContext:
    """Trust the system's certificate authorities and those that the environment names.

    Raises:
        ZeusBSOConfigError: A file that the environment names cannot be read, or contains no certificate.
    """
    context = create_urllib3_context()
    context.load_default_certs()
    for variable in CA_VARIABLES:
        path = os.environ.get(variable)
        if not path:
            continue
        try:
            if Path(path).is_dir():
                context.load_verify_locations(capath=path)
            else:
                context.load_verify_locations(cafile=path)
        except OSError as error:
            reason = "it holds no certificate" if isinstance(error, ssl.SSLError) else error.strerror
            raise ZeusBSOConfigError(f"{variable} names {path}, which cannot be used: {reason}.") from None
    return context


class _TimedReader(io.RawIOBase):
    """Reads from a socket until a deadline, even if the data comes in small pieces."""

    def __init__(self, raw: io.RawIOBase, connection: socket.socket, within_s: float) -> None:
        self._raw = raw
        self._connection = connection
        self._deadline = time.monotonic() + within_s

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any, /) -> int | None:
        left_s = self._deadline - time.monotonic()
        if left_s <= 0:
            raise TimeoutError("timed out")
        self._connection.settimeout(left_s)
        return cast("int | None", self._raw.readinto(buffer))

    def close(self) -> None:
        self._raw.close()
        super().close()


class _TimedResponse(HTTPResponse):
    """An answer that must arrive as a whole within the socket's timeout."""

    def __init__(self, sock: socket.socket, *args: Any, **more: Any) -> None:
        super().__init__(sock, *args, **more)
        within_s = sock.gettimeout()
        if within_s is not None:
            self.fp = io.BufferedReader(_TimedReader(self.fp.detach(), sock, within_s))


class _TimedConnection(HTTPConnection):
    """A connection that must be open, and answer, within its timeout. It sends a request in one piece."""

    response_class = _TimedResponse
    _held_back: list[bytes] | None = None

    def request(self, *args: Any, **more: Any) -> None:
        """Send a request. Headers and body in one packet wake the server once."""
        held_back: list[bytes] = []
        self._held_back = held_back
        try:
            super().request(*args, **more)
        finally:
            self._held_back = None
        super().send(b"".join(held_back))

    def send(self, data: Any) -> None:
        """Send data, or hold a part of a request back."""
        if self._held_back is None:
            super().send(data)
        else:
            self._held_back.append(data)

    def _new_conn(self) -> socket.socket:
        within_s = float(self.timeout or 0.0)
        deadline = time.monotonic() + within_s
        try:
            return _connect(
                _addresses(self._dns_host.strip("[]"), self.port, within_s), deadline, self.socket_options or ()
            )
        except socket.gaierror as error:
            raise NameResolutionError(self.host, self, error) from error
        except TimeoutError as error:
            raise ConnectTimeoutError(self, f"timed out after {within_s:g} s") from error
        except OSError as error:
            raise NewConnectionError(self, f"no connection: {error}") from error


class _TimedSecureConnection(_TimedConnection, HTTPSConnection):
    """The same with TLS."""


class _TimedHttpPool(HTTPConnectionPool):
    ConnectionCls = _TimedConnection


class _TimedHttpsPool(HTTPSConnectionPool):
    ConnectionCls = _TimedSecureConnection


_Address = tuple[Any, Any, int, str, Any]


def _addresses(host: str, port: int, within_s: float) -> Sequence[_Address]:
    """Look a name up in a thread, because the look-up of the system has no timeout. Abandon it if it takes too long.

    Raises:
        socket.gaierror: The name is not known.
        TimeoutError: There was no answer in time.
    """
    found: list[Sequence[_Address] | OSError] = []
    thread = threading.Thread(target=_look_up, args=(host, port, found), name="zeus-bso-name", daemon=True)
    try:
        thread.start()
    except RuntimeError:  # An interpreter that is about to exit starts no more threads.
        _look_up(host, port, found)
    else:
        thread.join(within_s)
    if not found:
        raise TimeoutError("the name was not looked up in time")
    answer = found[0]
    if isinstance(answer, OSError):
        raise answer
    return answer


def _look_up(host: str, port: int, found: list[Sequence[_Address] | OSError]) -> None:
    try:
        found.append(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM))
    except OSError as error:
        found.append(error)


def _connect(addresses: Sequence[_Address], deadline: float, options: Sequence[Any]) -> socket.socket:
    """Connect to the first address that answers. Each address gets an equal share of the time that is left.

    Raises:
        OSError: No address answers.
    """
    trouble: OSError = TimeoutError("timed out")
    for number, (family, kind, protocol, _, address) in enumerate(addresses):
        left_s = deadline - time.monotonic()
        if left_s <= 0:
            break
        connection = socket.socket(family, kind, protocol)
        try:
            for option in options:
                connection.setsockopt(*option)
            connection.settimeout(left_s / (len(addresses) - number))
            connection.connect(address)
            connection.settimeout(max(0.001, deadline - time.monotonic()))
        except OSError as error:
            connection.close()
            trouble = error
        else:
            return connection
    raise trouble

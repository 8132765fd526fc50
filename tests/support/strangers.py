"""What may answer in a server's place, or stand before it: byte for byte, on a free port of this machine."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType

Speak = Callable[[socket.socket, bytes], None]
"""Is given a connection and the head and body of a request, and says what it likes."""


def page(status: int, body: bytes, *headers: str) -> bytes:
    """An answer, as it stands on the wire."""
    lines = (f"HTTP/1.1 {status} Whatever", f"Content-Length: {len(body)}", *headers)
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def says(answer: bytes) -> Speak:
    """Say the same to everyone."""
    return lambda connection, request: connection.sendall(answer)


class Stranger:
    """Listens, and answers each request as it is told.

    Args:
        speak: What it says.
        context: Speaks TLS so; None: not at all.
        port: Where to listen; 0: on a free port.

    Attributes:
        port: Where it listens.
        requests: What it was asked.
    """

    def __init__(self, speak: Speak, context: ssl.SSLContext | None = None, port: int = 0) -> None:
        self.speak = speak
        self.requests: list[bytes] = []
        self._context = context
        self._listener = socket.create_server(("127.0.0.1", port))
        self.port = int(self._listener.getsockname()[1])
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._serving: list[threading.Thread] = []
        self._connections: set[socket.socket] = set()

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http{'s' if self._context else ''}://127.0.0.1:{self.port}"

    def __enter__(self) -> Stranger:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join()
        # Clients may keep their connections, which would keep the threads.
        for connection in list(self._connections):
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        for thread in self._serving:
            thread.join()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            thread = threading.Thread(target=self._serve, args=(connection,), daemon=True)
            self._serving.append(thread)
            thread.start()

    def _serve(self, plain: socket.socket) -> None:
        try:
            with plain, self._wrapped(plain) as connection:
                self._connections.add(connection)
                while request := _read(connection):
                    self.requests.append(request)
                    self.speak(connection, request)
        except OSError:
            """Clients that hang up are part of the tests."""
        finally:
            self._connections = {each for each in self._connections if each.fileno() != -1}

    def _wrapped(self, plain: socket.socket) -> socket.socket:
        return plain if self._context is None else self._context.wrap_socket(plain, server_side=True)


def _read(connection: socket.socket) -> bytes:
    """Read a request; nothing: there is none any more."""
    data = b""
    while b"\r\n\r\n" not in data:
        piece = connection.recv(65_536)
        if not piece:
            return b""
        data += piece
    head, _, body = data.partition(b"\r\n\r\n")
    lengths = [line.partition(b":")[2] for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")]
    while lengths and len(body) < int(lengths[0]):
        body += connection.recv(65_536)
    return head + b"\r\n\r\n" + body

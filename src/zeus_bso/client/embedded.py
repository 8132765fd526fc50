"""The server in this process: the same app over a SQLite file, without a port."""

from __future__ import annotations

import asyncio
import atexit
import concurrent.futures
import json
import os
import threading
from collections.abc import Awaitable, Callable, Coroutine, Mapping, MutableMapping
from importlib import import_module
from pathlib import Path
from typing import IO, TypeVar, cast
from urllib.parse import urlencode

from zeus_bso.client.transport import CALL_S, Answer, TransportError
from zeus_bso.exceptions import ZeusBSOConfigError, ZeusBSOServerUnreachableError

_Event = MutableMapping[str, object]
_Receive = Callable[[], Awaitable[_Event]]
_Send = Callable[[_Event], Awaitable[None]]
_App = Callable[[_Event, _Receive, _Send], Awaitable[None]]
_T = TypeVar("_T")

IN_MEMORY = "sqlite://"
_PREFIX = "sqlite:///"
_START_S = 60.0
_STOP_S = 5.0


class EmbeddedTransport:
    """Calls the server's app on an event loop of its own, in a daemon thread.

    Args:
        url: ``sqlite:///relative/path`` or ``sqlite:////absolute/path``; the file is made where there is none.
            ``sqlite://`` alone keeps everything in memory, as tests like it.

    Raises:
        ZeusBSOConfigError: The URL names no file, or the ``server`` extra is not installed.
        ZeusBSOServerUnreachableError: The app does not start, for example on a schema that it does not know.
    """

    def __init__(self, url: str) -> None:
        self._address = url if url == IN_MEMORY else file_url(url)
        self._pid = os.getpid()
        self._closed = False
        self._server = _Server(_load_app(self._address))
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="zeus-bso-embedded", daemon=True)
        self._thread.start()
        try:
            self._run(self._server.start(), _START_S)
        except BaseException:
            self._stop_loop()
            raise
        atexit.register(self.close)

    def __repr__(self) -> str:
        return f"EmbeddedTransport({self._address!r})"

    @property
    def address(self) -> str:
        """The URL, with an absolute path."""
        return self._address

    def request(
        self,
        method: str,
        path: str,
        *,
        body: Mapping[str, object] | None = None,
        params: Mapping[str, str] | None = None,
        timeout_s: float = CALL_S,
    ) -> Answer:
        """Send a request and wait for its answer.

        Raises:
            TransportError: None came within ``timeout_s`` seconds, or this is a forked process.
        """
        if os.getpid() != self._pid:
            raise TransportError("A forked process does not use its parent's embedded server.")
        if self._closed:
            raise TransportError("The embedded server has been closed.")
        data = b"" if body is None else json.dumps(body, allow_nan=False).encode()
        return self._run(self._server.call(method, path, urlencode(params or {}), data), timeout_s).answer()

    def transfer(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, str] | None = None,
        body: IO[bytes] | None = None,
        into: IO[bytes] | None = None,
        timeout_s: float,
    ) -> Answer:
        """Send a file, or write the answer into one.

        Raises:
            TransportError: There was no answer within ``timeout_s`` seconds.
        """
        data = b"" if body is None else body.read()
        response = self._run(self._server.call(method, path, urlencode(params or {}), data), timeout_s)
        if into is None or response.status != 200:
            return response.answer()
        into.write(response.body)
        return Answer(response.status)

    def close(self) -> None:
        """Stop the app and its event loop."""
        if self._closed or os.getpid() != self._pid:
            return
        self._closed = True
        try:
            self._run(self._server.stop(), _STOP_S)
        except (TransportError, ZeusBSOServerUnreachableError):
            return
        self._stop_loop()

    def _run(self, work: Coroutine[object, object, _T], timeout_s: float) -> _T:
        future = asyncio.run_coroutine_threadsafe(work, self._loop)
        try:
            return future.result(timeout_s)
        except concurrent.futures.TimeoutError:
            future.cancel()
            raise TransportError(f"The embedded server gave no answer within {timeout_s:g} s.") from None

    def _stop_loop(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(_STOP_S)
        if not self._thread.is_alive():
            self._loop.close()


class _Server:
    """Plays an ASGI server's part for one app."""

    def __init__(self, app: _App) -> None:
        self._app = app
        self._state: dict[str, object] = {}
        self._to_app: asyncio.Queue[_Event] = asyncio.Queue()
        self._from_app: asyncio.Queue[_Event] = asyncio.Queue()

    async def start(self) -> None:
        """Run the app's start-up and keep its lifespan open."""
        scope: _Event = {"type": "lifespan", "asgi": {"version": "3.0", "spec_version": "2.0"}, "state": self._state}
        lifespan = self._app(scope, self._to_app.get, self._from_app.put)
        self._lifespan = asyncio.ensure_future(lifespan)
        await self._step("startup")

    async def stop(self) -> None:
        """Run the app's shut-down."""
        await self._step("shutdown")
        await self._lifespan

    async def call(self, method: str, path: str, query: str, data: bytes) -> _Response:
        """Send one request through the app."""
        response = _Response(data)
        scope: _Event = {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.3"},
            "http_version": "1.1",
            "method": method,
            "scheme": "http",
            "path": path,
            "raw_path": path.encode(),
            "query_string": query.encode(),
            "root_path": "",
            "headers": [
                (b"host", b"127.0.0.1"),
                (b"content-type", b"application/json"),
                (b"content-length", str(len(data)).encode()),
            ],
            "client": ("127.0.0.1", 0),
            "server": ("127.0.0.1", 80),
            "state": dict(self._state),
        }
        try:
            await self._app(scope, response.receive, response.send)
        # The app is foreign code here, as a server process is over HTTP: whatever it dies of is an answer that fails.
        except Exception as error:
            raise TransportError(f"The embedded server failed: {type(error).__name__}.") from error
        return response

    async def _step(self, name: str) -> None:
        await self._to_app.put({"type": f"lifespan.{name}"})
        said = asyncio.ensure_future(self._from_app.get())
        await asyncio.wait({said, self._lifespan}, return_when=asyncio.FIRST_COMPLETED)
        if not said.done():
            said.cancel()
            error = self._lifespan.exception()
            raise ZeusBSOServerUnreachableError(f"The embedded server's {name} failed: {error}") from error
        event = said.result()
        if event["type"] != f"lifespan.{name}.complete":
            raise ZeusBSOServerUnreachableError(f"The embedded server's {name} failed: {event.get('message', '')}")


class _Response:
    """One request's body going in, and its response coming out."""

    def __init__(self, data: bytes) -> None:
        self._data: bytes | None = data
        self.status = 500
        self.body = bytearray()
        self._complete = asyncio.Event()

    async def receive(self) -> _Event:
        if self._data is None:
            await self._complete.wait()
            return {"type": "http.disconnect"}
        data, self._data = self._data, None
        return {"type": "http.request", "body": data, "more_body": False}

    async def send(self, event: _Event) -> None:
        if event["type"] == "http.response.start":
            self.status = cast("int", event["status"])
        elif event["type"] == "http.response.body":
            self.body += cast("bytes", event.get("body", b""))
            if not event.get("more_body", False):
                self._complete.set()

    def answer(self) -> Answer:
        return Answer.read(self.status, bytes(self.body)) or Answer(self.status)


def file_url(url: str) -> str:
    """Make the path of a URL absolute, so that a script which changes its directory keeps its file.

    Raises:
        ZeusBSOConfigError: The URL names no file.
    """
    path = url[len(_PREFIX) :]
    if not url.startswith(_PREFIX) or not path or path.startswith("?"):
        raise ZeusBSOConfigError(f"{url} names no file; it should look like sqlite:///zeus-bso.db.")
    return _PREFIX + str(Path(path).absolute())


def _load_app(database_url: str) -> _App:
    try:
        app = import_module("zeus_bso.server.app")
        config = import_module("zeus_bso.server.config")
    except ModuleNotFoundError as error:
        raise ZeusBSOConfigError(
            f"A sqlite:/// URL runs the server in this process, which needs the 'server' extra ({error.name} is "
            'missing): pip install "zeus-bso[server]"'
        ) from error
    # Whoever runs the app in their own process has the file anyway: tokens in the environment are another server's.
    settings = config.Settings(database_url=database_url, api_tokens=None, api_tokens_file=None)
    return cast("_App", app.create_app(settings))

"""A server in this process: the same app on a SQLite file, without a port."""

from __future__ import annotations

import asyncio
import atexit
import concurrent.futures
import errno
import fcntl
import json
import os
import tempfile
import threading
import time
from collections.abc import Awaitable, Callable, Coroutine, Mapping, MutableMapping
from contextlib import suppress
from pathlib import Path
from typing import IO, TypeVar, cast
from urllib.parse import urlencode

from zeus_bso.exceptions import ZeusBSOConfigError, ZeusBSOServerUnreachableError
from zeus_bso.protocol.transport import Answer, TransportError

_Event = MutableMapping[str, object]
_Receive = Callable[[], Awaitable[_Event]]
_Send = Callable[[_Event], Awaitable[None]]
_App = Callable[[_Event, _Receive, _Send], Awaitable[None]]
_T = TypeVar("_T")

IN_MEMORY = "sqlite://"
_PREFIX = "sqlite:///"
_PATIENCE_S = 60.0
"""How long to wait for the file while another process uses it [s]."""
_PAUSE_S = 0.5
_STOP_S = 5.0


class _HeldError(Exception):
    """Another process holds the file."""


class EmbeddedTransport:
    """Calls the server's app on a separate event loop in a daemon thread.

    Args:
        url: ``sqlite:///relative/path`` or ``sqlite:////absolute/path``. A missing file is created. ``sqlite://`` alone
            keeps everything in memory, for tests.

    Raises:
        ZeusBSOConfigError: The URL names no file, or the ``server`` extra is not installed.
        ZeusBSOServerUnreachableError: The app does not start, for example because it does not know the schema.
    """

    def __init__(self, url: str) -> None:
        self._address = url if url == IN_MEMORY else file_url(url)
        self.patience_s = _PATIENCE_S
        self._pid = os.getpid()
        self._closed = False
        if self._address != IN_MEMORY:
            _check_locks(Path(self._address.removeprefix(_PREFIX).partition("?")[0]).parent)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="zeus-bso-embedded", daemon=True)
        self._thread.start()
        try:
            self._server = self._started()
        except TransportError as error:
            self._stop_loop()
            raise ZeusBSOServerUnreachableError(str(error)) from error
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
        timeout_s: float = _PATIENCE_S,
    ) -> Answer:
        """Send a request and wait for its answer.

        Raises:
            TransportError: No answer came within ``timeout_s`` seconds, another process holds the file, or this process
                is a fork.
        """
        if os.getpid() != self._pid:
            raise TransportError("A forked process does not use its parent's embedded server.")
        if self._closed:
            raise TransportError("The embedded server has been closed.")
        data = b"" if body is None else json.dumps(body, allow_nan=False).encode()
        answer = self._run(self._server.call(method, path, urlencode(params or {}), data), timeout_s).answer()
        if answer.status == 503:
            raise TransportError(self._busy(answer.message))
        return answer

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
        atexit.unregister(self.close)
        try:
            self._run(self._server.stop(), _STOP_S)
        except (TransportError, ZeusBSOServerUnreachableError):
            return
        self._stop_loop()

    def _started(self) -> _Server:
        """Start the app. Try again while another process holds the file."""
        deadline = time.monotonic() + _PATIENCE_S
        while True:
            server = _Server(_load_app(self._address))
            try:
                self._run(server.start(), deadline - time.monotonic())
            except _HeldError as error:
                if time.monotonic() + _PAUSE_S >= deadline:
                    raise TransportError(self._busy(str(error))) from None
                time.sleep(_PAUSE_S)
            else:
                return server

    def _run(self, work: Coroutine[object, object, _T], timeout_s: float) -> _T:
        future = asyncio.run_coroutine_threadsafe(work, self._loop)
        try:
            return future.result(timeout_s)
        except concurrent.futures.TimeoutError:
            future.cancel()
            raise TransportError(self._busy(f"waited {timeout_s:g} s")) from None

    def _busy(self, why: str) -> str:
        return (
            f"The file of the jobs, {self._address}, could not be used ({why.rstrip('.')}): another process holds it, "
            "or its disk is slow."
        )

    def _stop_loop(self) -> None:
        with suppress(TransportError):
            self._run(_cancel_others(), _STOP_S)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(_STOP_S)
        if not self._thread.is_alive():
            self._loop.close()


async def _cancel_others() -> None:
    """Cancel all other tasks of this loop."""
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    if others:
        await asyncio.wait(others, timeout=1.0)


class _Server:
    """Does the work of an ASGI server for one app."""

    def __init__(self, app: _App) -> None:
        self._app = app
        self._state: dict[str, object] = {}
        self._to_app: asyncio.Queue[_Event] = asyncio.Queue()
        self._from_app: asyncio.Queue[_Event] = asyncio.Queue()

    async def start(self) -> None:
        """Run the start-up of the app, and keep its lifespan open."""
        scope: _Event = {"type": "lifespan", "asgi": {"version": "3.0", "spec_version": "2.0"}, "state": self._state}
        lifespan = self._app(scope, self._to_app.get, self._from_app.put)
        self._lifespan = asyncio.ensure_future(lifespan)
        await self._step("startup")

    async def stop(self) -> None:
        """Run the shutdown of the app."""
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
        # As over HTTP, an error inside the app counts as a failed answer.
        except Exception as error:
            raise TransportError(f"The embedded server failed: {type(error).__name__}.") from error
        return response

    async def _step(self, name: str) -> None:
        """Make the app start up or shut down.

        Raises:
            _HeldError: Another process holds the file.
            ZeusBSOServerUnreachableError: The app fails.
        """
        await self._to_app.put({"type": f"lifespan.{name}"})
        said = asyncio.ensure_future(self._from_app.get())
        await asyncio.wait({said, self._lifespan}, return_when=asyncio.FIRST_COMPLETED)
        if said.done() and said.result()["type"] == f"lifespan.{name}.complete":
            return
        said.cancel()
        await asyncio.wait({self._lifespan})
        error = self._lifespan.exception()
        if error is not None and "is locked" in str(error):
            raise _HeldError("it is locked")
        raise ZeusBSOServerUnreachableError(f"The embedded server's {name} failed: {error}") from error


class _Response:
    """The body of one request, and the response to it."""

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
    """Make the path of a URL absolute, so that a script keeps its file if it changes its directory.

    Raises:
        ZeusBSOConfigError: The URL names no file.
    """
    path = url[len(_PREFIX) :]
    if not url.startswith(_PREFIX) or not path or path.startswith("?"):
        raise ZeusBSOConfigError(f"{url} names no file; it should look like sqlite:///zeus-bso.db.")
    return _PREFIX + str(Path(path).absolute())


def _check_locks(folder: Path) -> None:
    """Make sure that processes can lock files in a folder, as SQLite needs it.

    Raises:
        ZeusBSOConfigError: The file system has no locks.
    """
    try:
        with tempfile.TemporaryFile(dir=folder) as file:
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.EINVAL):
            raise ZeusBSOConfigError(
                f"The file system of {folder} has no locks ({error.strerror}), which a file of jobs needs: put it on a "
                "local disk."
            ) from None


def _load_app(database_url: str) -> _App:
    try:
        from zeus_bso.server.app import create_app
        from zeus_bso.server.config import Settings
    except ModuleNotFoundError as error:
        raise ZeusBSOConfigError(
            f"A sqlite:/// URL runs the server in this process, which needs the 'server' extra ({error.name} is "
            'missing): pip install "zeus-bso[server]"'
        ) from error
    # A process that runs the app can read the file anyway. Tokens in the environment belong to another server.
    settings = Settings(database_url=database_url, api_tokens=None, api_tokens_file=None)
    return cast("_App", create_app(settings))

"""What lies between a server and its database: a forwarder that fails over, or forgets connections."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress


class Forwarder:
    """A TCP forwarder on a port of its own.

    Args:
        target: The port on this machine to which new connections go. It may be changed.

    Attributes:
        port: The port on which it listens.
    """

    def __init__(self, target: int) -> None:
        self.target = target
        self.port = 0
        self._forgotten = asyncio.Event()
        self._never = asyncio.Event()

    def forget(self) -> None:
        """Forget the present connections without a word, as a NAT does: whatever comes over them is lost."""
        self._forgotten.set()
        self._forgotten = asyncio.Event()

    async def serve(self, started: threading.Event, ended: asyncio.Event) -> None:
        """Forward until the end."""
        server = await asyncio.start_server(self._connected, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        started.set()
        await ended.wait()
        server.close()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        forgotten, back = self._forgotten, None
        with suppress(asyncio.CancelledError, OSError):
            there, back = await asyncio.open_connection("127.0.0.1", self.target)
            await asyncio.gather(self._pump(reader, back, forgotten), self._pump(there, writer, forgotten))
        for open_ in (writer, back):
            if open_ is not None:
                open_.transport.abort()

    async def _pump(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter, forgotten: asyncio.Event) -> None:
        with suppress(OSError):
            while data := await source.read(65536):
                if not forgotten.is_set():
                    sink.write(data)
                    await sink.drain()
        if forgotten.is_set():
            # Not a new event: whoever waits for what nobody else knows may be collected as garbage.
            await self._never.wait()
        sink.close()


@contextmanager
def forwarding(target: int) -> Iterator[Forwarder]:
    """A forwarder to a port, in a thread of its own."""
    started, loop, ended = threading.Event(), asyncio.new_event_loop(), asyncio.Event()
    forwarder = Forwarder(target)

    async def serve() -> None:
        await forwarder.serve(started, ended)
        while tasks := asyncio.all_tasks() - {asyncio.current_task()}:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        for _ in range(3):  # transports close their sockets in the loop's next rounds
            await asyncio.sleep(0)

    thread = threading.Thread(target=loop.run_until_complete, args=(serve(),))
    thread.start()
    try:
        assert started.wait(60)
        yield forwarder
    finally:
        loop.call_soon_threadsafe(ended.set)
        thread.join()
        loop.close()

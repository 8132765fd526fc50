"""Do strangers hold up a client? Silent connections, half-sent bodies, bodies byte by byte and an endless header.

python -m benchmarks.strangers [--silent 1000] [--half 300] [--slow 200] [--seconds 15]

None of them has a token.
"""

from __future__ import annotations

import argparse
import socket
import tempfile
import threading
import time
from contextlib import ExitStack, suppress
from pathlib import Path

import urllib3
from tests.support.jobs import spec
from tests.support.process import ServerProcess

TOKEN = "benchmark-0123456789abcdef"
HEADERS = {"Authorization": f"Bearer {TOKEN}"}
HALF = b"POST /report HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000000\r\n\r\n" + b"x" * 500_000
CHUNKED = b"POST /report HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"
PIECE = b"1\r\nx\r\n"
PIECES = CHUNKED + PIECE * 50_000


class Reporter(threading.Thread):
    """A client that reports again and again.

    Attributes:
        latencies_s: How long each report took [s].
        memory_mb: The most memory that the server held [MB].
    """

    def __init__(self, server: ServerProcess) -> None:
        super().__init__(daemon=True)
        self._server = server
        self._ended = threading.Event()
        self.latencies_s: list[float] = []
        self.memory_mb = 0.0

    def run(self) -> None:
        """Register a job, and report."""
        http, url = urllib3.PoolManager(retries=False), self._server.url
        assert http.request("POST", f"{url}/jobs", json=spec(max_epochs=10**6), headers=HEADERS).status == 201
        trial = http.request("GET", f"{url}/jobs/batch_size?job_id={spec()['job_id']}", headers=HEADERS).json()
        while not self._ended.wait(0.02):
            done = len(self.latencies_s) + 1
            result = trial | {"time": done, "energy": done, "metric": 0.1, "current_epoch": done}
            began = time.perf_counter()
            answer = http.request("POST", f"{url}/report", json=result, headers=HEADERS)
            self.latencies_s.append(time.perf_counter() - began)
            assert answer.status == 200, answer.data
            self.memory_mb = max(self.memory_mb, _memory_mb(self._server.pid))

    def end(self) -> None:
        """Stop reporting."""
        self._ended.set()
        self.join()


def main() -> None:
    """Start a server, a client and the strangers; print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--silent", type=int, default=1000)
    parser.add_argument("--half", type=int, default=300)
    parser.add_argument("--slow", type=int, default=200)
    parser.add_argument("--seconds", type=float, default=15.0)
    arguments = parser.parse_args()
    with (
        tempfile.TemporaryDirectory() as folder,
        ServerProcess(Path(folder) / "jobs.db", environment={"ZEUS_BSO_API_TOKENS": TOKEN}) as server,
        ExitStack() as stack,
    ):

        def connect() -> socket.socket:
            return stack.enter_context(socket.create_connection(("127.0.0.1", server.port), timeout=60))

        reporter = Reporter(server)
        reporter.start()
        ends = time.monotonic() + arguments.seconds
        for _ in range(arguments.silent):
            connect()
        for number in range(arguments.half):
            with suppress(ConnectionError):
                connect().sendall(HALF if number % 2 else PIECES)
        endless = connect()
        with suppress(ConnectionError):
            endless.sendall(b"GET / HTTP/1.1\r\nX: ")
            while time.monotonic() < ends:
                endless.sendall(b"x" * 2**20)
        slow = [connect() for _ in range(arguments.slow)]
        for connection in slow:
            connection.sendall(CHUNKED)
        while time.monotonic() < ends:
            for connection in slow:
                with suppress(ConnectionError):
                    connection.sendall(PIECE)
            time.sleep(0.1)
        reporter.end()
        warnings = [line for line in server.said.splitlines() if " WARNING " in line]
    latencies = sorted(reporter.latencies_s)
    p50, p99 = (1e3 * latencies[int(part * len(latencies))] for part in (0.5, 0.99))
    print(f"{len(latencies)} reports: p50 {p50:.0f} ms, p99 {p99:.0f} ms, max {1e3 * latencies[-1]:.0f} ms")
    print(f"memory of the server at most {reporter.memory_mb:.0f} MB")
    print(*warnings, sep="\n")


def _memory_mb(pid: int) -> float:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmRSS"))


if __name__ == "__main__":
    main()

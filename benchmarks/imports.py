"""What an import of a long job costs others: a client reports on another job meanwhile.

python -m benchmarks.imports [--database sqlite mariadb postgresql] [--trials 100000] [--replace]

The job is exported from SQLite, and imported into an empty database of each kind. The client reports every 20 ms. With
``--replace`` the job is then imported once more, and replaces itself. The rows of *nothing* show what the client waits
while there is no import.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import threading
import time
from pathlib import Path

import urllib3
from tests.support.jobs import spec

from benchmarks.growth import write_history
from benchmarks.servers import DATABASES, Server, fresh_database
from zeus_bso.protocol.urls import EXPORT_URL, IMPORT_URL

JOB_ID = "long"
PAUSE_S = 0.02
TRANSFER_S = 1800.0
ALONE_S = 10.0
"""How long the client reports while nothing is imported [s]."""

LARGEST_IMPORT = str(2**32)


class Reporter(threading.Thread):
    """A client that reports again and again.

    Attributes:
        latencies_s: How long each report took [s].
        refused: Answers other than 200.
    """

    def __init__(self, server_url: str, job_id: str) -> None:
        super().__init__(daemon=True)
        self._url = server_url
        self._job_id = job_id
        self._ended = threading.Event()
        self.latencies_s: list[float] = []
        self.refused = 0

    def run(self) -> None:
        """Register a job, and report."""
        http = urllib3.PoolManager(retries=False)
        assert http.request("POST", f"{self._url}/jobs", json=spec(job_id=self._job_id, max_epochs=10**6)).status == 201
        trial = http.request("GET", f"{self._url}/jobs/batch_size?job_id={self._job_id}").json()
        while not self._ended.wait(PAUSE_S):
            done = len(self.latencies_s) + 1
            result = trial | {"time": done, "energy": done, "metric": 0.1, "current_epoch": done}
            began = time.perf_counter()
            answer = http.request("POST", f"{self._url}/report", json=result)
            self.latencies_s.append(time.perf_counter() - began)
            self.refused += answer.status != 200

    def end(self) -> None:
        """Stop reporting."""
        self._ended.set()
        self.join()


def main() -> None:
    """Measure every database, print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--database", nargs="+", choices=list(DATABASES), default=list(DATABASES))
    parser.add_argument("--trials", type=int, default=100_000)
    parser.add_argument("--replace", action="store_true")
    arguments = parser.parse_args()
    print("| database | act | took | reports | refused | p50 | p99 | longest |\n|---|---|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "job.ndjson"
        _say(f"writing {arguments.trials} trials")
        export(Path(folder), file, arguments.trials)
        for kind in arguments.database:
            import_into_an_empty_database(kind, Path(folder), file, replace=arguments.replace)
            _say("")


def export(folder: Path, file: Path, trials: int) -> None:
    """Write a long job to a file."""
    with fresh_database("sqlite", folder) as url:
        server, http = Server(url), urllib3.PoolManager(retries=False)
        try:
            here = f"http://127.0.0.1:{server.port}"
            write_history(http, here, url, JOB_ID, "zeus", trials)
            answer = http.request(
                "GET", f"{here}{EXPORT_URL}?job_id={JOB_ID}", preload_content=False, timeout=TRANSFER_S
            )
            assert answer.status == 200, answer.data
            with file.open("wb") as into:
                for piece in answer.stream(2**20):
                    into.write(piece)
        finally:
            server.stop()


def import_into_an_empty_database(kind: str, folder: Path, file: Path, *, replace: bool) -> None:
    """Import the job while a client reports, and print what both took."""
    with fresh_database(kind, folder) as url:
        server = Server(url, settings={"ZEUS_BSO_IMPORT_MAX_BYTES": LARGEST_IMPORT})
        try:
            here = f"http://127.0.0.1:{server.port}"
            for act in ("nothing", "import", "replace") if replace else ("nothing", "import"):
                _say(f"{kind}: {act}")
                _measure(kind, act, here, file)
        finally:
            server.stop()


def _measure(kind: str, act: str, here: str, file: Path) -> None:
    reporter = Reporter(here, f"beside-{act}")
    reporter.start()
    time.sleep(1.0)
    began = time.perf_counter()
    outcome = _wait() if act == "nothing" else _import(here, file, act)
    took_s = time.perf_counter() - began
    reporter.end()
    latencies = sorted(reporter.latencies_s)
    p50, p99, longest = (1e3 * latencies[int(part * (len(latencies) - 1))] for part in (0.5, 0.99, 1.0))
    _say("")
    print(
        f"| {kind} | {outcome} | {took_s:.0f} s | {len(latencies)} | {reporter.refused} "
        f"| {p50:.0f} ms | {p99:.0f} ms | {longest:.0f} ms |",
        flush=True,
    )


def _wait() -> str:
    time.sleep(ALONE_S)
    return "nothing"


def _import(here: str, file: Path, act: str) -> str:
    with file.open("rb") as body:
        answer = urllib3.PoolManager(retries=False).request(
            "POST",
            f"{here}{IMPORT_URL}?replace={str(act == 'replace').lower()}",
            body=body,
            headers={"Content-Length": str(file.stat().st_size)},
            timeout=TRANSFER_S,
        )
    return act if answer.status == 201 else f"{act}: {answer.status} {answer.data[:80]!r}"


def _say(text: str) -> None:
    if sys.stderr.isatty():
        print(f"\r\033[K{text}", end="", file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()

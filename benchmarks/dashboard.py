"""What open pages of the dashboard cost: CPU of the server per page, and how long reports of a job take beside them.

    python -m benchmarks.dashboard [--database-url URL] [--jobs 2000] [--trials 100] [--seconds 30] [--rounds 3]

It fills a fresh database, starts a server on it and opens two tabs: the list of jobs and the fleet. A tab asks as the
script of the page does: again five seconds after each answer, with the entity tag of what it shows. Meanwhile another
job reports. Turns with and without tabs follow each other, so that other work on the machine hits both.

With ``--database-url`` the fresh database is made beside the one that the URL names. Default: an SQLite file.
Prints tables in Markdown. Tells its progress on stderr. Linux only: the CPU comes from ``/proc``.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from multiprocessing import get_context
from multiprocessing.synchronize import Event
from pathlib import Path

import httpx
from sqlalchemy import make_url

from benchmarks.load import job_spec
from benchmarks.long_list import fill
from benchmarks.servers import Server, fresh_database
from zeus_bso.protocol.urls import ASK_URL, GET_NEXT_BATCH_SIZE_URL, REGISTER_JOB_URL, REPORT_RESULT_URL

TABS = ("/", "/fleet")
PERIOD_S = 5.0
"""How long the script of a page waits between an answer and the next request."""

REPORTER = "reporter"
EPOCHS = 25
SPEC = job_spec(REPORTER) | {"max_epochs": EPOCHS}
PAUSE_S = 0.02
"""Between two reports."""

PAGES = 4
CHANGED = 100


def main() -> None:
    """Fill a database, start a server, print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--database-url", metavar="URL", help="a database on the server to use; default: SQLite")
    parser.add_argument("--jobs", type=int, default=2000)
    parser.add_argument("--trials", type=int, default=100, help="of each job")
    parser.add_argument("--seconds", type=float, default=30.0, help="of each turn")
    parser.add_argument("--rounds", type=int, default=3, help="turns of each kind")
    arguments = parser.parse_args()
    beside = arguments.database_url
    kind = "sqlite" if beside is None else make_url(beside).get_backend_name()
    kind = "mariadb" if kind == "mysql" else kind
    with tempfile.TemporaryDirectory() as folder, fresh_database(kind, Path(folder), beside) as url:
        asyncio.run(fill(url, arguments.jobs, arguments.trials, progress=tell))
        print(f"{kind}, {arguments.jobs} jobs x {arguments.trials} trials, {os.cpu_count()} cores\n")
        server = Server(url)
        try:
            print_cpu(server, arguments.jobs)
            print_latencies(server, arguments.seconds, arguments.rounds)
        finally:
            server.stop()


def print_cpu(server: Server, jobs: int) -> None:
    """Print the CPU of the server per page."""
    print("| page | first | after a report | after asks in other jobs | unchanged | bytes |")
    print("|---|---|---|---|---|---|", flush=True)
    with httpx.Client(base_url=f"http://127.0.0.1:{server.port}", timeout=60.0) as client:
        client.post(REGISTER_JOB_URL, json=SPEC).raise_for_status()
        for path in TABS:
            server.stop()
            server.restart()
            client.get("/healthz")
            client.get("/job", params={"job_id": REPORTER})  # loads templates, which is not what is asked for
            first = cpu_of(server, lambda path=path: client.get(path))  # type: ignore[misc]
            after = statistics.mean(page_after(server, client, path, ask_one) for _ in range(PAGES))
            tell(f"{path}: {PAGES} pages read")
            busy = page_after(server, client, path, lambda client: ask_many(client, min(CHANGED, jobs)))
            time.sleep(PERIOD_S)
            etag = client.get(path).headers["etag"]
            seen = {"If-None-Match": etag}
            unchanged = statistics.mean(
                page_after(server, client, path, lambda _: None, headers=seen) for _ in range(PAGES)
            )
            size = transferred(client, path)
            print(
                f"| {path} | {1e3 * first:.0f} ms | {1e3 * after:.0f} ms | {1e3 * busy:.0f} ms "
                f"| {1e3 * unchanged:.0f} ms | {size} |",
                flush=True,
            )


def page_after(
    server: Server,
    client: httpx.Client,
    path: str,
    change: Callable[[httpx.Client], None],
    headers: dict[str, str] | None = None,
) -> float:
    """CPU of a page [s] that is asked for when something has changed and nothing is shared any more."""
    change(client)
    time.sleep(PERIOD_S)
    return cpu_of(server, lambda: client.get(path, headers=headers))


def cpu_of(server: Server, act: Callable[[], httpx.Response]) -> float:
    """CPU that the server uses for a request [s]."""
    before = cpu_s(server.pid)
    answer = act()
    assert answer.status_code in (200, 304), answer
    return cpu_s(server.pid) - before


def cpu_s(pid: int) -> float:
    """CPU that a process has used [s]."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def transferred(client: httpx.Client, path: str) -> int:
    """Number of bytes of a page as a browser gets it."""
    with client.stream("GET", path) as answer:
        return sum(len(piece) for piece in answer.iter_raw())


def ask_one(client: httpx.Client) -> None:
    """Begin a trial of the reporting job, and report."""
    trial = client.post(ASK_URL, json={"job_id": REPORTER}).raise_for_status().json()
    client.post(REPORT_RESULT_URL, json=report_of(trial, 1)).raise_for_status()


def ask_many(client: httpx.Client, jobs: int) -> None:
    """Begin a trial in each of many jobs."""
    for number in range(jobs):
        client.post(ASK_URL, json={"job_id": f"job-{number}"}).raise_for_status()


def report_of(trial: dict[str, object], epoch: int) -> dict[str, object]:
    """A report that does not end the trial, save in the last epoch."""
    named = {name: trial[name] for name in ("job_id", "batch_size", "trial_number")}
    metric = 0.9 if epoch == EPOCHS else 0.1
    return named | {"time": 1.0 * epoch, "energy": 200.0 * epoch, "metric": metric, "current_epoch": epoch}


def print_latencies(server: Server, seconds: float, rounds: int) -> None:
    """Print the latencies of reports with and without tabs."""
    latencies: dict[bool, list[float]] = {False: [], True: []}
    asyncio.run(reports(server.port, 2.0))
    for turn in range(rounds):
        for tabs in (False, True):
            tell(f"turn {2 * turn + tabs + 1} of {2 * rounds}, {'two tabs' if tabs else 'no tab'}: {seconds:.0f} s")
            latencies[tabs] += turn_of(server, seconds, tabs=tabs)
    print("\n| tabs | reports | p50 | p95 | p99 | largest |")
    print("|---|---|---|---|---|---|")
    for tabs, found in latencies.items():
        p50, p95, p99 = (percentile(found, share) for share in (0.5, 0.95, 0.99))
        print(
            f"| {len(TABS) if tabs else 'none'} | {len(found)} | {1e3 * p50:.1f} ms | {1e3 * p95:.1f} ms "
            f"| {1e3 * p99:.1f} ms | {1e3 * max(found):.0f} ms |"
        )
    ratio = percentile(latencies[True], 0.95) / percentile(latencies[False], 0.95)
    print(f"\np95 with tabs: {ratio:.2f} x that without", flush=True)


def turn_of(server: Server, seconds: float, *, tabs: bool) -> list[float]:
    """Latencies of reports during a turn [s]."""
    closing = get_context("spawn").Event()
    opened = [
        get_context("spawn").Process(target=tab, args=(server.port, path, closing), daemon=True)
        for path in (TABS if tabs else ())
    ]
    for process in opened:
        process.start()
    time.sleep(2.0 if tabs else 0.0)  # until the interpreters of the tabs run
    found = asyncio.run(reports(server.port, seconds))
    closing.set()
    for process in opened:
        process.join()
    return found


def tab(port: int, path: str, closing: Event) -> None:
    """One tab: reads its page again and again, as the script of the page does."""
    etag = None
    with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=60.0) as client, suppress(httpx.HTTPError):
        while True:
            answer = client.get(path, headers={"If-None-Match": etag} if etag else {})
            etag = answer.headers.get("etag", etag)
            if closing.wait(PERIOD_S):
                return


async def reports(port: int, seconds: float) -> list[float]:
    """Latencies of the reports of a job that trains for some time [s]."""
    latencies = []
    until = time.monotonic() + seconds
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=60.0) as client:
        (await client.post(REGISTER_JOB_URL, json=SPEC)).raise_for_status()
        while time.monotonic() < until:
            trial = (await client.get(GET_NEXT_BATCH_SIZE_URL, params={"job_id": REPORTER})).raise_for_status().json()
            for epoch in range(1, EPOCHS + 1):
                began = time.perf_counter()
                answer = (await client.post(REPORT_RESULT_URL, json=report_of(trial, epoch))).raise_for_status().json()
                latencies.append(time.perf_counter() - began)
                if answer["stop_train"]:
                    break
                await asyncio.sleep(PAUSE_S)
    return latencies


def percentile(values: list[float], share: float) -> float:
    """A percentile."""
    return sorted(values)[min(len(values) - 1, int(share * len(values)))]


def tell(text: str) -> None:
    """Tell the progress."""
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()

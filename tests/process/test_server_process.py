"""A real server process over an SQLite file: how it starts and ends, is killed, shares its file, runs out of disk."""

from __future__ import annotations

import itertools
import random
import resource
import signal
import sqlite3
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest
from tests.support.forked import run_python
from tests.support.jobs import Json, Trial, spec
from tests.support.process import PATIENCE_S, ServerProcess
from tests.support.soundness import assert_sound

JOBS = ("one", "two", "three")
THREADS = 4


@dataclass
class Acknowledged:
    """What a server has said yes to."""

    asks: list[Trial] = field(default_factory=list)
    reports: list[tuple[Trial, Json]] = field(default_factory=list)
    """Each the first of its epoch; only one thread reports for a trial."""
    ends: dict[Trial, str] = field(default_factory=dict)
    codes: Counter[int] = field(default_factory=Counter)

    def add(self, other: Acknowledged) -> None:
        self.asks += other.asks
        self.reports += other.reports
        self.ends |= other.ends
        self.codes += other.codes


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the server keeps its file."""
    return tmp_path / "zeus-bso.db"


@contextmanager
def running(path: Path) -> Iterator[ServerProcess]:
    """A server that answers."""
    server = ServerProcess(path)
    try:
        server.start()
        yield server
    finally:
        server.kill()


def register(url: str, job_id: str) -> int:
    """Register a job whose runs are never stopped by their cost; returns the status."""
    with httpx.Client(base_url=url, timeout=240) as client:
        return client.post("/jobs", json=spec(job_id=job_id, beta_knob=None, mab_seed=None)).status_code


def train(url: str, job_ids: tuple[str, ...], seed: int, stop: threading.Event) -> Acknowledged:
    """Run recurrences one after the other, until told to stop or the server is gone; note all that it acknowledges."""
    noted, chance = Acknowledged(), random.Random(seed)
    with httpx.Client(base_url=url, timeout=240) as client:
        try:
            while not stop.is_set():
                answer = client.get("/jobs/batch_size", params={"job_id": chance.choice(job_ids)})
                noted.codes[answer.status_code] += 1
                if answer.status_code != 200:
                    continue
                trial = Trial.of(answer.json())
                noted.asks.append(trial)
                for epoch in itertools.count(1):
                    body = trial.result(
                        current_epoch=epoch, energy=10.0 * epoch + chance.random(), metric=chance.random(), time=epoch
                    )
                    answer = client.post("/report", json=body)
                    noted.codes[answer.status_code] += 1
                    if answer.status_code != 200:
                        break
                    noted.reports.append((trial, body))
                    if answer.json()["stop_train"]:
                        noted.ends[trial] = answer.json()["outcome"]
                        break
        except httpx.TransportError:
            pass
    return noted


@contextmanager
def under_load(urls: list[str], seed: int = 0) -> Iterator[Acknowledged]:
    """Let threads train on servers while the body runs; afterwards tells what they were acknowledged."""
    together, stop, parts = Acknowledged(), threading.Event(), list[Acknowledged]()

    def work(number: int) -> None:
        parts.append(train(urls[number % len(urls)], JOBS, 100 * seed + number, stop))

    threads = [threading.Thread(target=work, args=(number,)) for number in range(THREADS)]
    for thread in threads:
        thread.start()
    try:
        yield together
    finally:
        stop.set()
        for thread in threads:
            thread.join(240)
        for part in parts:
            together.add(part)
    assert len(parts) == THREADS, "a thread broke"


def decided(path: Path) -> int:
    """How many trials have been decided."""
    count: int = rows(path, "SELECT COUNT(*) AS decided FROM trial WHERE status = 'Succeeded'")[0]["decided"]
    return count


def wait_for_decisions(path: Path, least: int) -> None:
    """Wait until so many trials have been decided."""
    deadline = time.monotonic() + PATIENCE_S
    while decided(path) < least:
        assert time.monotonic() < deadline, "the jobs do not go on"
        time.sleep(0.02)


def rows(path: Path, statement: str, *parameters: object) -> list[Json]:
    """Look into the file."""
    with closing(sqlite3.connect(path, timeout=240)) as connection:
        connection.row_factory = sqlite3.Row
        return [dict(row) for row in connection.execute(statement, parameters)]


def assert_all_there(path: Path, noted: Acknowledged) -> None:
    """Check that everything acknowledged is in the file, and that the file is sound."""
    trials = {(row["job_id"], row["trial_number"]): row for row in rows(path, "SELECT * FROM trial")}
    reports = {(r["job_id"], r["trial_number"], r["epoch"]): r for r in rows(path, "SELECT * FROM trial_report")}
    assert len(set(noted.asks)) == len(noted.asks), "a trial was handed out twice"
    for trial in noted.asks:
        assert trials[trial.job_id, trial.trial_number]["batch_size"] == trial.batch_size
    for trial, body in noted.reports:
        row = reports[trial.job_id, trial.trial_number, body["current_epoch"]]
        assert (row["energy"], row["metric"]) == (body["energy"], body["metric"])
    for trial, outcome in noted.ends.items():
        assert trials[trial.job_id, trial.trial_number]["outcome"] == outcome
    for job in rows(path, "SELECT * FROM job"):
        of_job = "WHERE job_id = ? ORDER BY"
        assert_sound(
            job,
            rows(path, f"SELECT * FROM trial {of_job} trial_number", job["job_id"]),
            rows(path, f"SELECT * FROM batch_size_state {of_job} batch_size", job["job_id"]),
        )


class TestStartAndEnd:
    def test_sigterm_ends_it_cleanly(self, path: Path) -> None:
        server = ServerProcess(path)
        server.start()
        register(server.url, "one")

        assert server.end(signal.SIGTERM) == 0
        assert "Traceback" not in server.said
        assert [row["job_id"] for row in rows(path, "SELECT job_id FROM job")] == ["one"]

    def test_so_does_ctrl_c(self, path: Path) -> None:
        server = ServerProcess(path)
        server.start()

        assert server.end(signal.SIGINT) in (0, 130)
        assert "Traceback" not in server.said

    def test_sigterm_under_load_loses_nothing_acknowledged(self, path: Path) -> None:
        server = ServerProcess(path)
        server.start()
        for job_id in JOBS:
            register(server.url, job_id)
        with under_load([server.url]) as noted:
            threading.Event().wait(0.5)
            server.end(signal.SIGTERM)

        assert "Traceback" not in server.said
        assert noted.reports
        assert set(noted.codes) <= {200, 503}
        assert_all_there(path, noted)

    def test_a_new_file_gets_its_schema_by_itself(self, path: Path) -> None:
        with running(path) as server:
            assert httpx.get(f"{server.url}/readyz").status_code == 200

        assert len(rows(path, "SELECT version_num FROM zeus_bso_schema_version")) == 1

    def test_a_file_without_tables_gets_its_schema_by_itself(self, path: Path) -> None:
        """As an older schema would be: the embedded file is brought up to date."""
        self.upgraded(path)
        self.db("downgrade", "base", path=path)
        with running(path) as server:
            assert register(server.url, "one") == 201

    def test_a_schema_that_it_does_not_know_stops_it_with_one_sentence(self, path: Path) -> None:
        self.upgraded(path)
        with closing(sqlite3.connect(path)) as connection, connection:
            connection.execute("UPDATE zeus_bso_schema_version SET version_num = 'from-the-future'")
        server = ServerProcess(path)
        server.spawn()

        assert server.wait() != 0
        assert "from-the-future" in server.said
        assert "Traceback" not in server.said
        assert len(server.said.strip().splitlines()) == 1
        assert rows(path, "SELECT version_num FROM zeus_bso_schema_version") == [{"version_num": "from-the-future"}]

    def test_a_file_that_is_no_database_stops_it_with_one_sentence(self, path: Path) -> None:
        path.write_bytes(b"this is no database, and must not become one\n" * 100)
        server = ServerProcess(path)
        server.spawn()

        assert server.wait() != 0
        assert "Traceback" not in server.said
        assert len(server.said.strip().splitlines()) == 1
        assert path.read_bytes().startswith(b"this is no database")

    @classmethod
    def upgraded(cls, path: Path) -> None:
        cls.db("upgrade", path=path)

    @staticmethod
    def db(*arguments: str, path: Path) -> None:
        command = ["-m", "zeus_bso", "db", *arguments, "--database-url", f"sqlite:///{path}"]
        run_python(*command, folder=path.parent).check_returncode()


def test_kill_9_under_load_loses_nothing_acknowledged_and_the_job_goes_on(path: Path) -> None:
    noted = Acknowledged()
    for round_ in range(5):
        before = len(noted.ends)
        with running(path) as server:
            for job_id in JOBS:
                assert register(server.url, job_id) == (201 if round_ == 0 else 200)
            with under_load([server.url], seed=round_) as of_round:
                wait_for_decisions(path, decided(path) + 3)
                threading.Event().wait(0.07 * round_)
                server.end(signal.SIGKILL)
            noted.add(of_round)
        assert len(noted.ends) > before, f"the jobs did not go on in round {round_}"
        assert_all_there(path, noted)

    assert set(noted.codes) == {200}


def test_two_servers_on_one_file_share_it(path: Path) -> None:
    with running(path) as first, running(path) as second:
        for job_id in JOBS:
            register(first.url, job_id)
        with under_load([first.url, second.url]) as noted:
            wait_for_decisions(path, 60)

    assert set(noted.codes) <= {200, 503}
    assert noted.codes[503] <= noted.codes[200] / 20, "the servers keep each other away"
    assert len(noted.ends) > 10
    assert_all_there(path, noted)


def test_two_servers_that_register_one_job_at_once_make_one_job(path: Path) -> None:
    codes: Counter[int] = Counter()
    with running(path) as first, running(path) as second:
        for number in range(10):
            threads = [
                threading.Thread(target=lambda url=url: codes.update([register(url, f"job-{number}")]))  # noqa: B023
                for url in (first.url, second.url) * 2
            ]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join(240)

    assert codes == {201: 10, 200: 30}
    assert len(rows(path, "SELECT * FROM job")) == 10


def test_two_servers_that_start_at_once_on_a_new_file_both_run(path: Path) -> None:
    servers = [ServerProcess(path, log=f"{number}.log") for number in range(2)]
    threads = [threading.Thread(target=server.start) for server in servers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(240)
    codes = [register(server.url, "one") for server in servers if server.url]
    for server in servers:
        server.end(signal.SIGKILL)

    assert codes == [201, 200]


def test_a_full_disk_is_503_and_the_server_goes_on_when_there_is_room(path: Path) -> None:
    with running(path) as server:
        register(server.url, "one")
        room = resource.prlimit(server.pid, resource.RLIMIT_FSIZE)
        with httpx.Client(base_url=server.url, timeout=240) as client:
            resource.prlimit(server.pid, resource.RLIMIT_FSIZE, (1, room[1]))
            refused = [client.get("/jobs/batch_size", params={"job_id": "one"}) for _ in range(3)]
            resource.prlimit(server.pid, resource.RLIMIT_FSIZE, room)
            accepted = client.get("/jobs/batch_size", params={"job_id": "one"})

    assert [answer.status_code for answer in refused] == [503] * 3
    assert all(list(answer.json()) == ["message"] for answer in refused)
    assert (accepted.status_code, accepted.json()["trial_number"]) == (200, 1)

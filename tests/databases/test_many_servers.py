"""Any number of servers over one database give the outcome of one."""

from __future__ import annotations

import asyncio
import itertools
import os
import random
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from benchmarks.audit import audit
from tests.support.databases import KINDS, DatabaseServers
from tests.support.jobs import Json, Trial, spec
from tests.support.private_servers import children
from tests.support.process import PATIENCE_S, ServerProcess, server_processes
from tests.support.server import Server

REQUESTS = 150
Answer = tuple[str, int, Any]
Call = Callable[..., httpx.Response]


@pytest.fixture(scope="module", params=KINDS)
def fleet(
    request: pytest.FixtureRequest, databases: DatabaseServers, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[str, list[int]]]:
    """A database with three servers over it: its URL, and their ports."""
    folder = tmp_path_factory.mktemp("fleet")
    with databases.migrated(request.param, folder) as url, server_processes(url, folder, 3) as started:
        yield url, [server.port for server in started]


def test_the_outcome_depends_neither_on_the_number_of_servers_nor_on_the_database(
    fleet: tuple[str, list[int]],
) -> None:
    _, ports = fleet
    with closing(Server("sqlite://")) as alone:
        alone.start()
        of_one = _Sequence(alone.call, seed=7).play()
    with _in_turn(ports) as call:
        of_three = _Sequence(call, seed=7).play()

    assert of_three == of_one
    assert {status for _, status, _ in of_one} == {200, 201}
    types = Counter(
        trial["type"] for name, _, body in of_one if name.startswith("GET /api/v1/trials") for trial in body
    )
    assert min(types["Exploration"], types["Concurrent"], types["MAB"]) > 5, "the sequence should see every stage"


def test_of_racing_registrations_one_creates_and_the_others_find_or_conflict(fleet: tuple[str, list[int]]) -> None:
    _, ports = fleet
    for i in range(4):
        specs = [spec(job_id=f"race-{i}", target_metric=0.5 + 0.1 * (k % 3)) for k in range(20)]
        answers = asyncio.run(_at_once(ports[:2], [("POST", "/jobs", body) for body in specs]))
        won = httpx.get(f"http://127.0.0.1:{ports[2]}/api/v1/job", params={"job_id": f"race-{i}"}, timeout=240).json()[
            "spec"
        ]
        same, other = Counter[int](), Counter[int]()
        for body, answer in zip(specs, answers, strict=True):
            (same if body["target_metric"] == won["target_metric"] else other)[answer.status_code] += 1
        assert (same[201], set(same), set(other)) == (1, {200, 201}, {409})


def test_racing_registrations_without_an_id_all_get_the_same_job(fleet: tuple[str, list[int]]) -> None:
    _, ports = fleet
    for i in range(4):
        body = spec(job_id=None, job_id_prefix=f"derived-{i}")
        # Half of them also change a setting, so that they write to the row that others have just made.
        bodies = [body | {"max_epochs": 10 + k % 2} for k in range(20)]
        answers = asyncio.run(_at_once(ports[:2], [("POST", "/jobs", body) for body in bodies]))
        assert sorted(answer.status_code for answer in answers) == [200] * 19 + [201]
        assert len({answer.json()["job_id"] for answer in answers}) == 1


def test_concurrent_asks_with_one_run_id_all_get_one_trial(fleet: tuple[str, list[int]]) -> None:
    url, ports = fleet
    assert httpx.post(f"http://127.0.0.1:{ports[0]}/jobs", json=spec(job_id="run ids"), timeout=240).status_code == 201
    for i in range(4):
        asks = [("GET", f"/jobs/batch_size?job_id=run%20ids&run_id=run-{i}", None) for _ in range(16)]
        answers = asyncio.run(_at_once(ports, asks))
        assert {answer.status_code for answer in answers} == {200}
        assert {answer.json()["trial_number"] for answer in answers} == {i + 1}
    assert audit(url) == []


def test_concurrent_asks_without_run_ids_get_a_trial_each(fleet: tuple[str, list[int]]) -> None:
    url, ports = fleet
    assert httpx.post(f"http://127.0.0.1:{ports[0]}/jobs", json=spec(job_id="many"), timeout=240).status_code == 201
    answers = asyncio.run(_at_once(ports, [("GET", "/jobs/batch_size?job_id=many", None)] * 24))
    assert {answer.status_code for answer in answers} == {200}
    assert sorted(answer.json()["trial_number"] for answer in answers) == list(range(1, 25))
    assert audit(url) == []


def test_a_deletion_between_racing_requests_is_no_error(fleet: tuple[str, list[int]]) -> None:
    _, ports = fleet
    for _ in range(4):
        httpx.post(f"http://127.0.0.1:{ports[0]}/jobs", json=spec(job_id="gone"), timeout=240)
        calls: list[tuple[str, str, Any]] = [("GET", "/jobs/batch_size?job_id=gone", None)] * 6
        calls += [("DELETE", "/jobs?job_id=gone", None)] * 2 + [("POST", "/jobs", spec(job_id="gone"))] * 6
        answers = asyncio.run(_at_once(ports, calls))
        assert {answer.status_code for answer in answers[:6]} <= {200, 400}
        assert {answer.status_code for answer in answers[6:8]} <= {200, 404}
        assert {answer.status_code for answer in answers[8:]} <= {200, 201}
    # Its numbers go on after a deletion, and the audit of the other tests expects them from 1.
    httpx.delete(f"http://127.0.0.1:{ports[0]}/jobs", params={"job_id": "gone"}, timeout=240)


def test_workers_share_a_port_are_replaced_when_killed_and_end_cleanly_at_sigterm(
    databases: DatabaseServers, tmp_path: Path
) -> None:
    with (
        databases.migrated("postgresql", tmp_path) as url,
        ServerProcess(url, tmp_path, options=["--workers", "2"]) as server,
    ):
        assert httpx.get(f"{server.url}/readyz", timeout=240).status_code == 200
        assert len(server.said.splitlines()) == 1, "nothing but where it serves"
        before = _workers(server.pid)
        assert len(before) == 2
        os.kill(before[0], signal.SIGKILL)
        _wait_for(lambda: len(set(_workers(server.pid)) - {before[0]}) == 2)
        assert httpx.post(f"{server.url}/jobs", json=spec(), timeout=240).status_code == 201
        for number in range(1, 10):
            assert (
                httpx.get(f"{server.url}/jobs/batch_size", params={"job_id": "job"}, timeout=240).json()["trial_number"]
                == number
            )
        said, pids = server.said, _workers(server.pid)
        assert server.end() == 0
        assert server.said == said, "its end is not worth a word"
        assert not any(Path(f"/proc/{pid}").exists() for pid in pids)


def _workers(parent: int) -> list[int]:
    def is_worker(pid: int) -> bool:
        try:
            return b"spawn_main" in Path(f"/proc/{pid}/cmdline").read_bytes()
        except OSError:
            return False

    return [pid for pid in children(parent) if is_worker(pid)]


def _wait_for(condition: Any, timeout_s: float = PATIENCE_S) -> None:
    until = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.05)


async def _at_once(ports: list[int], calls: list[tuple[str, str, Any]]) -> list[httpx.Response]:
    """Send calls at the same time, each over a connection of its own that is open already."""
    bases = [f"http://127.0.0.1:{ports[i % len(ports)]}" for i in range(len(calls))]
    limits = httpx.Limits(max_connections=None, max_keepalive_connections=None)
    async with httpx.AsyncClient(timeout=240, limits=limits) as client:
        await asyncio.gather(*(client.get(f"{base}/healthz") for base in bases))
        pairs = zip(bases, calls, strict=True)
        requests = (_until_answered(client, method, base + path, body) for base, (method, path, body) in pairs)
        return list(await asyncio.gather(*requests))


async def _until_answered(client: httpx.AsyncClient, method: str, url: str, body: Any) -> httpx.Response:
    """Send a request again, as every client does, while a busy machine says that nothing was stored."""
    deadline = time.monotonic() + PATIENCE_S
    while (answer := await client.request(method, url, json=body)).status_code == 503:
        assert "again" in answer.json()["message"]
        assert time.monotonic() < deadline, answer.text
        await asyncio.sleep(float(answer.headers["Retry-After"]))
    return answer


@contextmanager
def _in_turn(ports: list[int]) -> Iterator[Call]:
    """Send each request to the next server."""
    turns = itertools.cycle(ports)
    with httpx.Client(timeout=240) as client:

        def call(method: str, path: str, body: object = None, **params: Any) -> httpx.Response:
            return client.request(method, f"http://127.0.0.1:{next(turns)}{path}", json=body, params=params)

        yield call


class _Sequence:
    """A life of three jobs, each request after the previous answer, which with the seed decides what is sent next."""

    def __init__(self, call: Call, seed: int) -> None:
        self._call = call
        self._random = random.Random(seed)
        self._answers: list[Answer] = []
        self._open: dict[tuple[str, int], Json] = {}
        self._jobs: list[str] = []

    def play(self) -> list[Answer]:
        for body in (spec(job_id="a"), spec(job_id="b", window_size=2, mab_seed=2), spec(job_id=None, mab_seed=3)):
            registered = self._send(
                "POST", "/jobs", body | {"batch_sizes": [8, 16, 32], "max_epochs": 4, "eta_knob": 0.5}
            )
            self._jobs.append(registered["job_id"])
        actions = (
            [self._ask] * 6 + [self._ask_as_a_run] * 4 + [self._report] * 16 + [self._end, self._beat, self._change]
        )
        while len(self._answers) < REQUESTS:
            self._random.choice(actions)()
        self._send("GET", "/api/v1/jobs")
        name, status, listed = self._answers.pop()
        # Other tests may have left jobs on the servers that they share.
        self._answers.append((name, status, [job for job in listed if job["job_id"] in self._jobs]))
        for job in self._jobs:
            self._send("GET", "/api/v1/job", job_id=job)
            self._send("GET", "/api/v1/trials", job_id=job)
        return self._answers

    def _ask(self) -> None:
        self._opened(self._send("GET", "/jobs/batch_size", job_id=self._random.choice(self._jobs)))

    def _ask_as_a_run(self) -> None:
        run = {"job_id": self._random.choice(self._jobs), "run_id": f"run-{self._random.randrange(12)}"}
        self._opened(self._send("POST", "/api/v1/trials", run))

    def _opened(self, offer: Json) -> None:
        if not offer.get("finished"):
            self._open[offer["job_id"], offer["trial_number"]] = offer | {"epoch": offer.get("current_epoch", 0)}

    def _report(self) -> None:
        if not self._open:
            return self._ask()
        offer = self._any_open()
        offer["epoch"] += 1
        # Whole numbers of joules and seconds, so that no sum depends on the order of its terms.
        energy = offer["epoch"] * (100.0 + abs(offer["batch_size"] - 16) + self._random.randrange(8))
        result = Trial.of(offer).result(
            time=offer["epoch"] * 8.0,
            energy=energy,
            metric=0.95 if self._random.random() < 0.6 else 0.1,
            current_epoch=offer["epoch"],
        )
        if self._send("POST", "/report", result)["stop_train"]:
            del self._open[offer["job_id"], offer["trial_number"]]
        return None

    def _end(self) -> None:
        if self._open:
            offer = self._any_open()
            reason = self._random.choice(["preempted", "cancelled", "error", "oom"])
            self._send("PATCH", "/trials", Trial.of(offer).body | {"reason": reason})
            del self._open[offer["job_id"], offer["trial_number"]]

    def _beat(self) -> None:
        if self._open:
            offer = self._any_open()
            self._send("POST", "/api/v1/trials/heartbeat", Trial.of(offer).body | {"time": 1.0, "energy": 10.0})

    def _change(self) -> None:
        changes = self._random.choice([{"eta_knob": 0.25}, {"eta_knob": 0.75}, {"window_size": 3}, {"beta_knob": 4.0}])
        self._send("PATCH", "/api/v1/jobs", changes, job_id=self._random.choice(self._jobs))

    def _any_open(self) -> Json:
        return self._open[self._random.choice(sorted(self._open))]

    def _send(self, method: str, path: str, body: Any = None, **params: str) -> Any:
        answer = self._call(method, path, body, **params)
        self._answers.append((f"{method} {path} {params} {body}", answer.status_code, _without_clocks(answer.json())))
        assert answer.is_success, self._answers[-1]
        return answer.json()


def _without_clocks(body: Any) -> Any:
    if isinstance(body, list):
        return [_without_clocks(item) for item in body]
    if isinstance(body, dict):
        return {name: _without_clocks(value) for name, value in body.items() if not name.endswith("_at")}
    return body

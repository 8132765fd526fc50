"""Three replicas behind the load balancer that we ship: one may die or be replaced at any time."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from benchmarks.audit import audit
from benchmarks.load import Tally
from benchmarks.servers import free_port
from tests.support.load import acknowledged_of, drive_during, drive_until
from tests.support.process import ServerProcess, server_processes

CONFIGURATION = Path(__file__).resolve().parents[2] / "deploy" / "haproxy" / "haproxy.cfg"
JOBS = [f"job-{i}" for i in range(4)]
CONNECTIONS = 8
PAUSE_S = 0.05
"""Of each connection between two requests, so that the load leaves the machine time for the rest."""
PATIENCE_S = 120
DRAIN_S = "5"
_NO_RETRIES = """
    retries 0
    retry-on none
    no option redispatch
"""
_IN_CI = bool(os.environ.get("CI"))


@contextmanager
def load_balancer(replicas: list[ServerProcess], configuration: Path = CONFIGURATION) -> Iterator[int]:
    """HAProxy before the replicas; yields its port."""
    program = shutil.which("haproxy", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
    if program is None:
        message = "NO HAPROXY: the load balancer is not tried; install it (Debian: apt install haproxy)"
        if _IN_CI:
            pytest.fail(message)
        pytest.skip(message)
    port = free_port()
    places = [f"127.0.0.1:{replica.port}" for replica in replicas]
    names = {f"ZEUS_BSO_REPLICA_{number}": place for number, place in enumerate(places, start=1)}
    environment = os.environ | names | {"ZEUS_BSO_LISTEN": f"127.0.0.1:{port}"}
    process = subprocess.Popen([program, "-db", "-f", str(configuration)], env=environment, stdout=subprocess.DEVNULL)
    try:
        for _ in range(10 * PATIENCE_S):
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=1).close()
                break
            except OSError:
                assert process.poll() is None, "the load balancer ended"
                time.sleep(0.1)
        yield port
    finally:
        process.kill()
        process.wait()


@pytest.fixture
def replicas(database_url: str, tmp_path: Path) -> Iterator[list[ServerProcess]]:
    """Three servers that drain before they end."""
    with server_processes(database_url, tmp_path, 3, environment={"ZEUS_BSO_DRAIN_S": DRAIN_S}) as started:
        yield started
        for replica in started:
            replica.kill()


@pytest.mark.parametrize("kind", ["postgresql"])
def test_of_a_replica_that_is_killed_nothing_acknowledged_is_lost(
    replicas: list[ServerProcess], database_url: str
) -> None:
    with load_balancer(replicas) as port:
        load = drive_during(lambda _: replicas[0].kill(), [port], JOBS, CONNECTIONS, after=300, pause_s=PAUSE_S)
        tally = asyncio.run(load)
        afterwards = asyncio.run(drive_until(acknowledged_of(JOBS), [port], JOBS, CONNECTIONS))

    assert audit(database_url, [*tally.acknowledged, *afterwards.acknowledged]) == []
    assert set(afterwards.statuses) <= {200, 201}


@pytest.mark.parametrize("kind", ["mariadb"])
def test_a_replica_that_is_rolled_fails_not_one_request(
    replicas: list[ServerProcess], database_url: str, tmp_path: Path
) -> None:
    """Even where the load balancer sends nothing a second time: the drain alone does it."""
    plain = tmp_path / "haproxy.cfg"
    plain.write_text(
        re.sub(r"retries \d+|retry-on .*|option redispatch .*", "", CONFIGURATION.read_text()) + _NO_RETRIES
    )

    def roll(_: Tally) -> None:
        replicas[0].end()
        replicas[0].start()

    with load_balancer(replicas, plain) as port:
        tally = asyncio.run(drive_during(roll, [port], JOBS, CONNECTIONS, pause_s=PAUSE_S))

    assert set(tally.statuses) <= {200, 201}, tally.unexpected
    assert audit(database_url, tally.acknowledged) == []

"""What a server process tells of itself: its log, and its metrics over several workers."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import httpx
import pytest
from tests.integration.test_metrics import parsed, value
from tests.support.jobs import spec
from tests.support.process import FRESH, ServerProcess
from tests.support.server import Server


def test_a_real_server_logs_json_in_every_line(tmp_path: Path) -> None:
    environment = {"ZEUS_BSO_LOG_FORMAT": "json"}
    with ServerProcess(
        tmp_path / "zeus-bso.db", options=["--access-log"], environment=environment, program=FRESH
    ) as server:
        sent = {"X-Request-ID": "mine"}
        httpx.post(f"{server.url}/jobs", json=spec(), timeout=240).raise_for_status()
        httpx.get(f"{server.url}/jobs/batch_size?job_id=job", headers=sent, timeout=240).raise_for_status()
        assert server.end() == 0

    found = [json.loads(line) for line in server.said.splitlines() if not line.startswith("zeus-bso serves")]
    assert {"zeus_bso.server.optimizer", "uvicorn.access"} <= {line["logger"] for line in found}
    assert {line["logger"] for line in found if line.get("request_id") == "mine"} == {
        "zeus_bso.server.optimizer",
        "uvicorn.access",
    }


def test_whichever_worker_is_asked_answers_for_all(tmp_path: Path) -> None:
    environment = {"TMPDIR": str(tmp_path)}
    with ServerProcess(tmp_path / "zeus-bso.db", options=["--workers", "3"], environment=environment) as server:
        for number in range(40):  # each on a connection of its own, so that several workers answer
            httpx.post(f"{server.url}/jobs", json=spec(job_id=f"job-{number}"), timeout=240).raise_for_status()
        scrapes = [parsed(httpx.get(f"{server.url}/metrics", timeout=240).text) for _ in range(10)]
        assert server.end() == 0
    created = {"method": "POST", "route": "/jobs", "status": "201"}
    assert [value(found, "zeus_bso_requests_total", **created) for found in scrapes] == [40] * 10
    assert value(scrapes[-1], "zeus_bso_database_connections") == 15
    assert not list(tmp_path.glob("zeus-bso-metrics-*"))


def test_promtool_finds_nothing_wrong_where_it_is_installed(own_server: Server) -> None:
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("promtool is not installed; the parser of prometheus-client reads the metrics in the other tests")
    own_server.register()
    own_server.converge(own_server.ask())
    text = own_server.call("GET", "/metrics").text

    judged = subprocess.run([promtool, "check", "metrics"], input=text, capture_output=True, text=True, check=False)

    assert judged.returncode == 0, judged.stderr

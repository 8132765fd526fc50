"""Exported jobs: taking them out, in, and apart."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest

from tests.support.jobs import Json
from tests.support.power import BEGUN, COMPLETE
from tests.support.server import Server

Lines = list[Json]

PAST: Lines = [
    {"run_id": "Ünï 🚀", "batch_size": 16, "time": 1e5 / 3, "curve": [[1, None], [2, 0.1 + 0.2], [3, 0.95]]},
    {"run_id": "epochs", "batch_size": 32, "epochs": 5, "reached": False, "ended_at": "2026-01-02T03:04:05.678901Z"},
]


def export(server: Server, job_id: str = "job") -> bytes:
    response = server.call("GET", "/api/v1/jobs/export", job_id=job_id)
    assert response.status_code == 200, response.text
    assert response.headers["content-type"] == "application/x-ndjson"
    return response.content


def send(server: Server, file: bytes, **params: Any) -> httpx.Response:
    return server.send("POST", "/api/v1/jobs/import", file, params=params)


def lines_of(file: bytes) -> Lines:
    return [json.loads(line) for line in file.splitlines()]


def file_of(lines: Lines) -> bytes:
    return b"".join(json.dumps(line).encode() + b"\n" for line in lines)


def rows(lines: Lines, table: str) -> Lines:
    return [line["row"] for line in lines if line.get("table") == table]


def lived(server: Server, job_id: str = "job", *, policy: str = "zeus") -> bytes:
    """A job with trials of all kinds, exported."""
    limits = {"power_limit": "optimize", "max_slowdown": 1.0 + 0.1 / 3}
    server.register(job_id=job_id, gpu_model="Ünï 🚀", target_metric=0.1 + 0.2 + 0.5, policy=policy, **limits)
    power_use: Json = {"power_limit": 150.1, "profiling_time": 0.1, "profiling_energy": -1 / 3}
    power_use["power_profile"] = COMPLETE
    for energy in (1e15 / 3, 100.1, 77.7, 60.0):
        server.converge(server.ask(job_id), energy=energy, time=energy / 7, **power_use)
    server.miss(server.ask(job_id), energy=50.0)
    server.end(server.ask(job_id), "oom")
    server.offer(job_id, run_id="run", instance="one", heartbeat_s=30)
    server.report(server.ask(job_id), metric=None, power_profile=BEGUN)
    server.call("POST", "/api/v1/observations", {"job_id": job_id, "source": "Ünï 🚀", "runs": PAST}).raise_for_status()
    return export(server, job_id)


def nearly(value: Any) -> Any:
    """The same value with room for the last digits of floats: a database may add up imported rows in another order."""
    if isinstance(value, dict):
        return {key: nearly(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)(nearly(item) for item in value)
    return pytest.approx(value, rel=1e-9) if isinstance(value, float) else value

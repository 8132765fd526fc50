"""Store a database of the newest schema as SQL text, for the tests of later schemas.

    python -m tests.data.schemas.store [--database sqlite mariadb postgresql]

Run it once for each released schema, and commit what it writes beside itself: REVISION.KIND.sql. The database servers
are those that the tests use.
"""

from __future__ import annotations

import argparse
import io
import sys
import tempfile
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import httpx
from sqlalchemy import Connection, insert, make_url, select
from tests.support.databases import KINDS, DatabaseServers, look
from tests.support.jobs import Trial, spec
from tests.support.process import ServerProcess

from zeus_bso.server.database import migrate
from zeus_bso.server.database.schema import metadata

FOLDER = Path(__file__).parent

LIMITS = {"power_limit": "optimize", "power_goal": "cost", "max_slowdown": 1.05}
POWER_USE = {
    "power_limit": 250.0,
    "profiling_time": 1.1,
    "profiling_energy": -2.2,
    "power_profile": {
        "unit": "step",
        "lowest": 100.0,
        "highest": 300.0,
        "points": [
            {"limit": 300.0, "power": 290.1, "rate": 7.7, "windows": 1},
            {"limit": 250.0, "power": 241.3, "rate": 7.6, "windows": 2},
        ],
    },
}

PAST_RUNS = [
    {"run_id": "Ünï 🚀", "batch_size": 16, "time": 30.3, "energy": 300.1, "curve": [[1, None], [3, 1 / 3], [4, 0.95]]},
    {"run_id": "old", "batch_size": 32, "epochs": 5, "reached": True, "ended_at": "2026-01-02T03:04:05.678901Z"},
]


def main() -> int:
    """Store a database of each kind."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--database", nargs="+", choices=KINDS, default=KINDS)
    kinds = parser.parse_args().database
    with tempfile.TemporaryDirectory() as folder:
        databases = DatabaseServers(Path(folder))
        try:
            for kind in kinds:
                with databases.fresh(kind, Path(folder)) as url:
                    migrate.upgrade(url)
                    live(url, Path(folder))
                    path = FOLDER / f"{migrate.current(url)}.{kind}.sql"
                    path.write_text(offline_sql(url) + "".join(look(url, rows)))
                    print(path)
        finally:
            databases.let_go()
    return 0


def live(url: str, folder: Path) -> None:
    """Let three jobs have a life: one of each policy goes on, the third is deleted."""
    with ServerProcess(url, folder) as server, httpx.Client(base_url=server.url, timeout=60) as client:
        _send(client, "POST", "/jobs", spec(job_id="nightly/Ünï 🚀", window_size=3, eta_knob=0.5))
        for number in range(12):
            trial = _ask(client, "nightly/Ünï 🚀", f"night-{number}")
            for epoch in (1, 2):
                metric = 0.1 if epoch == 1 else 0.95 if trial.batch_size < 64 else None
                totals = {"time": epoch * 7.7, "energy": epoch * (100.1 + trial.batch_size), "metric": metric}
                result = trial.result(**totals, current_epoch=epoch, final=epoch == 2)
                _send(client, "POST", "/report", result)
        _send(client, "PATCH", "/trials", _ask(client, "nightly/Ünï 🚀", "out of memory").body | {"reason": "oom"})
        _send(client, "POST", "/report", _ask(client, "nightly/Ünï 🚀", "still running").result(metric=None))
        _send(client, "POST", "/jobs", spec(job_id="weekly", policy="surrogate", eta_knob=0.5) | LIMITS)
        for number in range(6):
            trial = _ask(client, "weekly", f"week-{number}")
            for epoch, metric in ((1, None), (2, 1 / 3), (3, 0.95)):
                totals = {"time": epoch * 7.7, "energy": epoch * (100.1 + trial.batch_size), "metric": metric}
                _send(client, "POST", "/report", trial.result(**totals, current_epoch=epoch) | POWER_USE)
        _send(client, "POST", "/api/v1/observations", {"job_id": "weekly", "source": "csv", "runs": PAST_RUNS})
        _send(client, "POST", "/jobs", spec(job_id="deleted"))
        _ask(client, "deleted", "gone")
        _send(client, "DELETE", "/jobs?job_id=deleted")


def offline_sql(url: str) -> str:
    """What ``zeus-bso db upgrade --sql`` prints for a database."""
    parsed = make_url(url)
    if parsed.get_backend_name() == "mysql":
        url = parsed.set(drivername="mariadb+asyncmy").render_as_string(hide_password=False)
    with redirect_stdout(io.StringIO()) as printed:
        migrate.upgrade(url, sql=True)
    return printed.getvalue()


def rows(connection: Connection) -> list[str]:
    """All rows of our tables, as INSERT statements."""
    statements = []
    for table in metadata.sorted_tables:
        for row in connection.execute(select(table).order_by(*table.primary_key)).mappings():
            statement = insert(table).values(dict(row))
            compiled = statement.compile(dialect=connection.dialect, compile_kwargs={"literal_binds": True})
            statements.append(f"{compiled};\n")
    return statements


def _ask(client: httpx.Client, job_id: str, run_id: str) -> Trial:
    return Trial.of(_send(client, "POST", "/api/v1/trials", {"job_id": job_id, "run_id": run_id}))


def _send(client: httpx.Client, method: str, path: str, body: Any = None) -> Any:
    return client.request(method, path, json=body).raise_for_status().json()


if __name__ == "__main__":
    sys.exit(main())

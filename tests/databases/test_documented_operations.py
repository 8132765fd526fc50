"""The commands that docs/deployment.md gives for backup, restore and upgrade do what it says."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

import httpx
import pytest
from benchmarks.audit import audit
from benchmarks.load import Tally
from sqlalchemy import make_url
from tests.support.databases import DatabaseServers, run_script
from tests.support.documented import run_documented
from tests.support.jobs import Json, spec
from tests.support.load import acknowledged, drive_until
from tests.support.process import ServerProcess
from tests.support.server import Server

from zeus_bso.server.database import migrate

SCHEMAS = Path(__file__).resolve().parents[1] / "data" / "schemas"
NAMES = {"sqlite": "SQLite", "mariadb": "MySQL or MariaDB", "postgresql": "PostgreSQL"}
TOOLS = {"sqlite": ["sqlite3"], "mariadb": ["mysqldump", "mysql"], "postgresql": ["pg_dump", "pg_restore"]}
JOBS = ["one", "two"]
RESULT = {"time": 10.0, "energy": 100.0, "metric": 0.1, "current_epoch": 1}


@contextmanager
def database(kind: str, databases: DatabaseServers, folder: Path) -> Iterator[str]:
    """An empty database where the documented commands expect it; yields its URL."""
    if kind == "sqlite":
        yield f"sqlite:///{folder / 'zeus-bso.db'}"
    else:
        with databases.fresh(kind, folder) as url:
            yield url


def settings(url: str) -> dict[str, str]:
    """The database of a URL in parts, as settings of the server."""
    parsed = make_url(url)
    if parsed.get_backend_name() == "sqlite":
        return {"ZEUS_BSO_DATABASE_URL": url}
    return {
        "ZEUS_BSO_DB_KIND": parsed.get_backend_name(),
        "ZEUS_BSO_DB_HOST": parsed.host or "",
        "ZEUS_BSO_DB_PORT": str(parsed.port or ""),
        "ZEUS_BSO_DB_USER": parsed.username or "",
        "ZEUS_BSO_DB_PASSWORD": parsed.password or "",
        "ZEUS_BSO_DB_NAME": parsed.database or "",
    }


def train(server: ServerProcess) -> Tally:
    """Run some recurrences."""
    return asyncio.run(drive_until(acknowledged(40), [server.port], JOBS, 2))


def show(server: ServerProcess, job_id: str) -> tuple[Json, list[Json]]:
    """A job and its trials."""
    with httpx.Client(base_url=server.url, timeout=240, params={"job_id": job_id}) as client:
        return client.get("/api/v1/job").json(), client.get("/api/v1/trials").json()


def ageless(job: Json, trials: Sequence[Json]) -> tuple[Json, list[Json]]:
    """A job and its trials, without how long a trial has been silent by now."""
    return job, [trial | {"message": re.sub("Silent for [^,]*", "Silent", trial["message"] or "")} for trial in trials]


@pytest.fixture(params=list(NAMES))
def kind(request: pytest.FixtureRequest) -> str:
    """Each kind of database whose tools are here."""
    found: str = request.param
    for tool in TOOLS[found]:
        if shutil.which(tool) is None:
            message = f"NO {tool.upper()}: backup and restore of {found} are not tried"
            if os.environ.get("CI"):
                pytest.fail(message)
            pytest.skip(message)
    return found


def test_a_backup_that_is_taken_under_way_brings_every_job_back(
    kind: str, databases: DatabaseServers, tmp_path: Path
) -> None:
    with database(kind, databases, tmp_path) as url:
        migrate.upgrade(url)
        with ServerProcess(url, tmp_path) as server:
            reports = train(server).acknowledged
            before = [show(server, job_id) for job_id in JOBS]
            run_documented(f"Back up {NAMES[kind]}", tmp_path, settings(url))
            train(server)

        with database(kind, databases, tmp_path) as restored:
            run_documented(f"Restore {NAMES[kind]}", tmp_path, settings(restored))
            with ServerProcess(restored, tmp_path) as server:
                after = [show(server, job_id) for job_id in JOBS]
                reports += train(server).acknowledged

            for job, _ in (*before, *after):
                job.pop("last_trial_number", None)
            assert after == before
            assert audit(restored, reports) == []


@pytest.mark.parametrize("kind", ["sqlite", "mariadb"], indirect=True)
def test_an_upgrade_brings_an_older_schema_up_to_date(kind: str, databases: DatabaseServers, tmp_path: Path) -> None:
    with database(kind, databases, tmp_path) as url:
        run_script(url, (SCHEMAS / f"0001.{kind}.sql").read_text())
        said = run_documented("Upgrade a database", tmp_path, settings(url))
        with ServerProcess(url, tmp_path) as server:
            job, _ = show(server, "nightly/Ünï 🚀")

    assert said.splitlines()[0] == "0001"
    assert len(said.splitlines()) == 3
    assert said.splitlines()[1] == said.splitlines()[2] == migrate_head()
    assert job["trials"] == 14


def test_a_run_that_began_after_the_backup_never_lands_in_a_new_trial(
    kind: str, databases: DatabaseServers, tmp_path: Path
) -> None:
    """Reference clients name a trial by its number and size alone."""

    def begin(client: httpx.Client, job_id: str) -> Json:
        found: Json = client.get("/jobs/batch_size", params={"job_id": job_id}).json()
        assert client.post("/report", json=found | RESULT).status_code == 200
        return found

    with database(kind, databases, tmp_path) as url:
        migrate.upgrade(url)
        with ServerProcess(url, tmp_path) as server, httpx.Client(base_url=server.url, timeout=240) as client:
            for job_id in ("kept", "deleted"):
                client.post("/jobs", json=spec(job_id=job_id, batch_sizes=[16]))
                begin(client, job_id)
            client.delete("/jobs", params={"job_id": "deleted"})
            run_documented(f"Back up {NAMES[kind]}", tmp_path, settings(url))
            client.post("/jobs", json=spec(job_id="deleted", batch_sizes=[16]))
            client.post("/jobs", json=spec(job_id="new", batch_sizes=[16]))
            old = [begin(client, job_id) for job_id in ("kept", "deleted", "new")]

    with database(kind, databases, tmp_path) as restored:
        run_documented(f"Restore {NAMES[kind]}", tmp_path, settings(restored))
        with ServerProcess(restored, tmp_path) as server, httpx.Client(base_url=server.url, timeout=240) as client:
            for run in old:
                client.post("/jobs", json=spec(job_id=run["job_id"], batch_sizes=[16]))
                new = begin(client, run["job_id"])
                assert new != run
                late = client.post("/report", json=run | RESULT | {"energy": 9e9, "metric": 1.0, "current_epoch": 9})
                assert late.status_code == 400
                trials = client.get("/api/v1/trials", params={"job_id": run["job_id"], "descending": True}).json()
                assert (trials[0]["trial_number"], trials[0]["energy"]) == (new["trial_number"], RESULT["energy"])


@pytest.mark.parametrize("to", ["postgresql"])
def test_all_jobs_move_from_a_file_to_a_server(to: str, databases: DatabaseServers, tmp_path: Path) -> None:
    stopped = Server(tmp_path / "zeus-bso.db")
    run_script(stopped.url, (SCHEMAS / f"{migrate_head()}.sqlite.sql").read_text())
    jobs = [*JOBS, "nightly/Ünï 🚀"]
    with ServerProcess(stopped.path) as old:
        reports = train(old).acknowledged
    # Afterwards: while it serves, a request whose client has given up may still change something.
    with closing(stopped):
        stopped.start()
        before = [ageless(stopped.job(job_id), stopped.trials(job_id)) for job_id in jobs]
    with databases.migrated(to, tmp_path) as url:
        with ServerProcess(url, tmp_path) as new:
            run_documented("Move all jobs", tmp_path, {"FROM": stopped.url, "TO": new.url})
            after = [ageless(*show(new, job_id)) for job_id in jobs]
            reports += train(new).acknowledged

        assert after == before
        assert audit(url, reports) == []


def migrate_head() -> str:
    """The newest schema that a test has stored."""
    return max(path.name.partition(".")[0] for path in SCHEMAS.glob("*.sql"))

"""The schema and its migrations, in every database."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx
import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from benchmarks.servers import Server
from sqlalchemy import Connection, inspect, make_url, text
from tests.support.databases import KINDS, DatabaseServers, look, run_script
from tests.support.jobs import Trial

import zeus_bso
from zeus_bso.server.database import migrate
from zeus_bso.server.database.revision import VERSION_TABLE
from zeus_bso.server.database.schema import metadata

pytestmark = pytest.mark.slow

SCHEMAS = Path(__file__).parents[1] / "data" / "schemas"
PASSWORD = "s3cr3t%2Fp%40ss"
SERVERS = pytest.mark.parametrize("kind", ["mariadb", "postgresql"])

AT_ONCE = """\
import asyncio, os, sys, traceback
from zeus_bso.server.app import create_app
from zeus_bso.server.config import Settings
from zeus_bso.server.database import migrate

async def serve():
    app = create_app(Settings(database_url=sys.argv[2]))
    async with app.router.lifespan_context(app):
        pass

signal, start = os.pipe()
for _ in range(10):
    if os.fork() == 0:
        os.close(start)
        os.read(signal, 1)
        try:
            migrate.upgrade(sys.argv[2]) if sys.argv[1] == "migrate" else asyncio.run(serve())
        except BaseException:
            traceback.print_exc()
            os._exit(1)
        os._exit(0)
os.close(start)
print([os.waitstatus_to_exitcode(os.wait()[1]) for _ in range(10)])
"""
"""Ten processes that wait for a signal, then do at once what the first argument says."""

NEXT_REVISION = """\
import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

def upgrade():
    op.add_column("job", sa.Column("of_the_next_release", sa.Integer()))

def downgrade():
    op.drop_column("job", "of_the_next_release")
"""


@pytest.fixture
def next_release(tmp_path: Path) -> Mapping[str, str]:
    """An environment in which ``zeus_bso`` is a later release, whose schema has a further revision."""
    package = Path(zeus_bso.__file__).parent
    copy = tmp_path / "next" / "zeus_bso"
    shutil.copytree(package, copy, ignore=shutil.ignore_patterns("__pycache__"))
    versions = copy / "server" / "database" / "migrations" / "versions"
    assert {path.stem[:5] for path in versions.glob("v*.py")} == {"v0001", "v0002"}, "name the next revision here"
    (versions / "v0003_next.py").write_text(NEXT_REVISION)
    return os.environ | {"PYTHONPATH": str(copy.parent)}


def test_a_schema_comes_goes_and_comes_again(empty_url: str) -> None:
    for action in ("upgrade", "check", "upgrade"):
        assert _zeus_bso("db", action, "--database-url", empty_url) == (0, "0002\n", "")
    assert _zeus_bso("db", "downgrade", "base", "--database-url", empty_url) == (0, "empty: no migration has run\n", "")
    assert set(look(empty_url, _tables)) <= {VERSION_TABLE}
    migrate.upgrade(empty_url)
    migrate.check(empty_url)
    assert set(look(empty_url, _tables)) == {VERSION_TABLE, *metadata.tables}


def test_a_check_of_an_empty_database_says_what_to_run(empty_url: str) -> None:
    code, output, errors = _zeus_bso("db", "check", "--database-url", empty_url)
    assert (code, output) == (1, "")
    assert errors == "zeus-bso: The database has no schema yet. Run: zeus-bso db upgrade\n"


def test_alembic_finds_no_difference_between_the_migrations_and_the_tables(database_url: str) -> None:
    def differences(connection: Connection) -> Any:
        options = {"version_table": VERSION_TABLE, "compare_type": True, "compare_server_default": True}
        return compare_metadata(MigrationContext.configure(connection, opts=options), metadata)

    assert look(database_url, differences) == []


def test_the_migrated_schema_is_the_one_that_the_tables_make(
    database_url: str, kind: str, databases: DatabaseServers, tmp_path: Path
) -> None:
    migrated = look(database_url, _described)
    with databases.fresh(kind, tmp_path) as made_url:
        look(made_url, metadata.create_all)
        made = look(made_url, _described)
    assert migrated == made
    assert set(migrated) == set(metadata.tables)


@SERVERS
def test_identifiers_are_compared_byte_by_byte(database_url: str, kind: str) -> None:
    collations = {
        _collation(column)
        for columns in look(database_url, _columns).values()
        for column in columns
        if getattr(column["type"], "length", None) == 255
    }
    assert collations == ({None} if kind == "postgresql" else {"utf8mb4_nopad_bin"})


def test_offline_sql_makes_a_schema_that_passes_the_check(empty_url: str) -> None:
    script = _offline(empty_url, "upgrade")
    assert look(empty_url, _tables) == [], "it must only be printed"
    run_script(empty_url, script)
    migrate.check(empty_url)
    run_script(empty_url, _offline(empty_url, "downgrade", "0002:base"))
    assert set(look(empty_url, _tables)) <= {VERSION_TABLE}


@pytest.mark.parametrize(
    ("scheme", "collation"),
    [("mysql", "utf8mb4_0900_bin"), ("mysql+asyncmy", "utf8mb4_0900_bin"), ("mariadb", "utf8mb4_nopad_bin")],
)
def test_offline_sql_names_the_collation_of_the_dialect(
    scheme: str, collation: str, capsys: pytest.CaptureFixture[str]
) -> None:
    migrate.upgrade(f"{scheme}://root:{PASSWORD}@nowhere.invalid/name", sql=True)
    script = capsys.readouterr().out
    assert script.count("COLLATE") == script.count(f"COLLATE {collation}") > 0
    assert PASSWORD not in script


def test_ten_processes_that_start_together_migrate_once(empty_url: str) -> None:
    assert _at_once("migrate", empty_url) == (f"{[0] * 10}\n", "")
    migrate.check(empty_url)
    count = look(empty_url, lambda connection: connection.scalar(text(f"SELECT count(*) FROM {VERSION_TABLE}")))
    assert count == 1


def test_a_server_loads_alembic_only_to_migrate(tmp_path: Path) -> None:
    serve = (
        "import asyncio, sys\n"
        "from zeus_bso.server.app import create_app\n"
        "from zeus_bso.server.config import Settings\n"
        "app = create_app(Settings(database_url=sys.argv[1]))\n"
        "async def start():\n"
        "    async with app.router.lifespan_context(app):\n"
        "        print('alembic' in sys.modules)\n"
        "asyncio.run(start())\n"
    )
    url = f"sqlite:///{tmp_path / 'jobs.db'}"
    said = [subprocess.check_output([sys.executable, "-c", serve, url], text=True, timeout=120) for _ in range(2)]
    assert said == ["True\n", "False\n"]


def test_ten_servers_that_start_together_on_a_new_file_all_start(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'new.db'}"
    assert _at_once("serve", url) == (f"{[0] * 10}\n", "")
    migrate.check(url)


def test_a_server_refuses_a_schema_of_another_release_in_a_sentence(database_url: str) -> None:
    look(
        database_url,
        lambda connection: connection.execute(text(f"UPDATE {VERSION_TABLE} SET version_num = '9'")),
    )
    sentence = (
        "zeus-bso: The database's schema (9) comes from another version of zeus-bso; this one does not know it. "
        "Run the version that made it, or a newer one.\n"
    )
    assert _zeus_bso("serve", "--port", "0", "--database-url", database_url) == (1, "", sentence)
    assert _zeus_bso("serve", "--port", "0", "--workers", "2", "--database-url", database_url) == (1, "", sentence)


@pytest.mark.parametrize("action", [("upgrade",), ("downgrade", "base"), ("check",)])
@pytest.mark.parametrize("kind", ["sqlite"])
def test_a_schema_of_another_release_is_one_line_for_every_command(database_url: str, action: tuple[str, ...]) -> None:
    look(
        database_url,
        lambda connection: connection.execute(text(f"UPDATE {VERSION_TABLE} SET version_num = '9'")),
    )
    code, output, errors = _zeus_bso("db", *action, "--database-url", database_url)
    assert (code, output, errors.count("\n")) == (1, "", 1)
    assert errors.startswith("zeus-bso: ")
    assert "9" in errors


@SERVERS
def test_a_server_refuses_an_empty_database_in_a_sentence(empty_url: str) -> None:
    code, output, errors = _zeus_bso("serve", "--port", "0", "--database-url", empty_url)
    assert (code, output) == (1, "")
    assert errors == "zeus-bso: The database has no schema yet. Run: zeus-bso db upgrade\n"


@SERVERS
def test_a_server_refuses_an_older_schema_in_a_sentence(database_url: str, next_release: Mapping[str, str]) -> None:
    code, output, errors = _zeus_bso("serve", "--port", "0", "--database-url", database_url, environment=next_release)
    assert (code, output) == (1, "")
    assert errors == (
        "zeus-bso: The database's schema (0002) is older than this version's (0003). Run: zeus-bso db upgrade\n"
    )


def test_an_upgrade_between_releases_keeps_the_rows(database_url: str, next_release: Mapping[str, str]) -> None:
    run_script(database_url, _rows_of(SCHEMAS / f"0002.{_kind(database_url)}.sql"))
    before = look(database_url, _counts)
    assert _zeus_bso("db", "upgrade", "--database-url", database_url, environment=next_release) == (0, "0003\n", "")
    assert "another version" in _zeus_bso("db", "check", "--database-url", database_url)[2]
    assert look(database_url, _counts) == before
    down = _zeus_bso("db", "downgrade", "0002", "--database-url", database_url, environment=next_release)
    assert down == (0, "0002\n", "")
    assert look(database_url, _counts) == before
    migrate.check(database_url)


@pytest.mark.parametrize(
    "url",
    [
        f"postgresql://me:{PASSWORD}@127.0.0.1:1/name",
        f"mysql+asyncmy://me:{PASSWORD}@127.0.0.1:1/name",
        f"postgresql://me:{PASSWORD}@127.0.0.1:port/name",
        f"oracle://me:{PASSWORD}@127.0.0.1/name",
    ],
)
@pytest.mark.parametrize("command", [("db", "upgrade"), ("serve", "--port", "0")], ids=["db", "serve"])
def test_no_message_holds_a_password(url: str, command: tuple[str, ...]) -> None:
    code, output, errors = _zeus_bso(*command, "--database-url", url)
    assert (code, output) == (1, "")
    *logged, last = errors.splitlines()
    assert last.startswith("zeus-bso: ")
    assert not any("Traceback" in line for line in logged), errors
    assert "s3cr3t" not in errors


@SERVERS
def test_a_refused_login_is_one_line_without_the_password(kind: str, databases: DatabaseServers) -> None:
    url = databases.url(kind).set(username="nobody_knows_me", password="s3cr3t").render_as_string(hide_password=False)
    code, output, errors = _zeus_bso("db", "check", "--database-url", url)
    assert (code, output, errors.count("\n")) == (1, "", 1)
    assert "nobody_knows_me" in errors
    assert "s3cr3t" not in errors


@pytest.mark.parametrize("path", sorted(SCHEMAS.glob("*.sql")), ids=lambda path: path.stem)
def test_a_job_of_an_older_schema_goes_on(path: Path, databases: DatabaseServers, tmp_path: Path) -> None:
    job_id = "nightly/Ünï 🚀"
    with databases.fresh(path.stem.partition(".")[2], tmp_path) as url:
        run_script(url, path.read_text())
        migrate.upgrade(url)
        migrate.check(url)
        server = Server(url)
        try:
            with httpx.Client(base_url=f"http://127.0.0.1:{server.port}", timeout=20) as client:
                before = client.get("/api/v1/job", params={"job_id": job_id}).json()
                resumed = client.post("/api/v1/trials", json={"job_id": job_id, "run_id": "still running"}).json()
                answer = client.post("/report", json=Trial.of(resumed).result(metric=0.95, current_epoch=2)).json()
                new = client.post("/api/v1/trials", json={"job_id": job_id, "run_id": "tonight"}).json()
                after = client.get("/api/v1/job", params={"job_id": job_id}).json()
        finally:
            server.stop()
    assert before["stage"] == "MAB"
    assert before["trials"] == 14
    assert (resumed["trial_number"], resumed["resumed"], answer["converged"]) == (14, True, True)
    assert (new["trial_number"], new["resumed"]) == (15, False)
    # The run used 100 J and 10 s of 300 W, at eta 0.5.
    assert after["min_cost"] == min(before["min_cost"], 1550.0)


@pytest.mark.parametrize("path", sorted(SCHEMAS.glob("0001.*.sql")), ids=lambda path: path.stem)
def test_a_job_from_before_the_surrogate_policy_keeps_its_own(
    path: Path, databases: DatabaseServers, tmp_path: Path
) -> None:
    with databases.fresh(path.stem.partition(".")[2], tmp_path) as url:
        run_script(url, path.read_text())
        migrate.upgrade(url)
        (job,) = look(url, _jobs)
        states = look(url, lambda connection: connection.scalars(text("SELECT surrogate FROM batch_size_state")).all())
    assert (job["policy"], job["surrogate"], job["policy_options"]) == ("zeus", None, None)
    assert set(states) == {None}


@pytest.mark.parametrize("path", sorted(SCHEMAS.glob("0002.*.sql")), ids=lambda path: path.stem)
def test_going_back_before_the_surrogate_policy_makes_its_jobs_the_reference_s_and_keeps_their_trials(
    path: Path, databases: DatabaseServers, tmp_path: Path
) -> None:
    with databases.fresh(path.stem.partition(".")[2], tmp_path) as url:
        run_script(url, path.read_text())
        counts = look(url, _counts)
        assert {job["policy"] for job in look(url, _jobs)} == {"zeus", "surrogate"}
        migrate.downgrade(url, "0001")
        assert look(url, _counts) == counts
        migrate.upgrade(url)
        assert {job["policy"] for job in look(url, _jobs)} == {"zeus"}
        server = Server(url)
        try:
            with httpx.Client(base_url=f"http://127.0.0.1:{server.port}", timeout=20) as client:
                new = client.post("/api/v1/trials", json={"job_id": "weekly"}).json()
                answer = client.post("/report", json=Trial.of(new).result(metric=0.95)).json()
        finally:
            server.stop()
    assert (new["trial_number"], answer["converged"]) == (7, True)


@pytest.mark.parametrize("path", sorted(SCHEMAS.glob("0002.*.sql")), ids=lambda path: path.stem)
def test_a_job_of_the_surrogate_policy_goes_on(path: Path, databases: DatabaseServers, tmp_path: Path) -> None:
    with databases.fresh(path.stem.partition(".")[2], tmp_path) as url:
        run_script(url, path.read_text())
        migrate.upgrade(url)
        server = Server(url)
        try:
            with httpx.Client(base_url=f"http://127.0.0.1:{server.port}", timeout=20) as client:
                before = client.get("/api/v1/job", params={"job_id": "weekly"}).json()
                new = client.post("/api/v1/trials", json={"job_id": "weekly"}).json()
        finally:
            server.stop()
    # Of each size one run took 3 epochs at least; by eta 0.5 the 23.1 s of 300 W count as much as the energy.
    assert before["chosen_batch_size"] == 8
    sizes = {size["batch_size"]: size for size in before["batch_sizes"]}
    assert sizes[8]["believed_cost"] == pytest.approx(0.5 * (324.3 + 300 * 23.1), rel=0.001)
    assert new["batch_size"] == before["next_batch_size"]


def test_every_revision_has_a_stored_database_of_each_kind() -> None:
    from alembic.script import ScriptDirectory

    scripts = ScriptDirectory(str(Path(migrate.__file__).parent / "migrations"))
    revisions = {script.revision for script in scripts.walk_revisions()}
    assert {path.stem for path in SCHEMAS.glob("*.sql")} == {f"{name}.{kind}" for name in revisions for kind in KINDS}


def _zeus_bso(*arguments: str, environment: Mapping[str, str] | None = None) -> tuple[int, str, str]:
    """Run a command that ends: its exit code, what it printed, and what it printed to the standard error."""
    command = [sys.executable, "-m", "zeus_bso", *arguments]
    ended = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, cwd="/")
    return ended.returncode, ended.stdout, ended.stderr


def _at_once(action: str, url: str) -> tuple[str, str]:
    """Let ten processes do something at the same moment: their exit codes, and what they complained of."""
    # Threads of numpy's would be in the way of a fork.
    environment = os.environ | {"OPENBLAS_NUM_THREADS": "1"}
    command = [sys.executable, "-W", "error", "-c", AT_ONCE, action, url]
    ended = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)
    return ended.stdout, ended.stderr


def _offline(url: str, *action: str) -> str:
    parsed = make_url(url)
    if parsed.get_backend_name() == "mysql":
        url = parsed.set(drivername="mariadb").render_as_string(hide_password=False)
    code, script, errors = _zeus_bso("db", *action, "--sql", "--database-url", url)
    assert (code, errors) == (0, "")
    return script


def _kind(url: str) -> str:
    return {"mysql": "mariadb"}.get(name := make_url(url).get_backend_name(), name)


def _rows_of(path: Path) -> str:
    lines = path.read_text().splitlines(keepends=True)
    return "".join(line for line in lines if line.startswith("INSERT") and VERSION_TABLE not in line)


def _become_unknown(connection: Connection) -> None:
    connection.execute(text(f"UPDATE {VERSION_TABLE} SET version_num = '9'"))


def _counts(connection: Connection) -> dict[str, int]:
    return {name: connection.execute(text(f"SELECT count(*) FROM {name}")).scalar_one() for name in metadata.tables}


def _jobs(connection: Connection) -> list[dict[str, Any]]:
    return [dict(row) for row in connection.execute(text("SELECT * FROM job")).mappings()]


def _tables(connection: Connection) -> list[str]:
    return inspect(connection).get_table_names()


def _columns(connection: Connection) -> dict[str, list[Any]]:
    return {name: list(inspect(connection).get_columns(name)) for name in metadata.tables}


def _collation(column: Mapping[str, Any]) -> str | None:
    return getattr(column["type"], "collation", None)


def _described(connection: Connection) -> dict[str, Any]:
    """All that the database tells about our tables: columns with collations, keys, indexes and options."""
    inspector = inspect(connection)
    return {
        name: {
            "columns": [
                {key: repr(value) for key, value in column.items()}
                | {"collation": getattr(column["type"], "collation", 0)}
                for column in inspector.get_columns(name)
            ],
            "primary key": inspector.get_pk_constraint(name),
            "foreign keys": sorted(inspector.get_foreign_keys(name), key=str),
            "indexes": sorted(inspector.get_indexes(name), key=str),
            "checks": sorted(inspector.get_check_constraints(name), key=str),
            "options": inspector.get_table_options(name),
        }
        for name in inspector.get_table_names()
        if name != VERSION_TABLE
    }

"""The schema that the migrations make, in every database, and jobs that an older one has brought up."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection, inspect, text
from tests.data.schemas.store import PAST_RUNS, POWER_USE
from tests.support.databases import KINDS, DatabaseServers, look, run_script
from tests.support.jobs import Trial
from tests.support.power import COMPLETE
from tests.support.server import Server

from zeus_bso.server.database import migrate
from zeus_bso.server.database.revision import VERSION_TABLE
from zeus_bso.server.database.schema import metadata

SCHEMAS = Path(__file__).parents[1] / "data" / "schemas"
_LIVE = "SELECT job_id, batch_size FROM batch_size_state WHERE retired IS NULL"
PASSWORD = "s3cr3t%2Fp%40ss"
SERVERS = pytest.mark.parametrize("kind", ["mariadb", "postgresql"])


@contextmanager
def _serving(url: str) -> Iterator[Server]:
    server = Server(url)
    server.start()
    try:
        yield server
    finally:
        server.close()


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


def test_tables_of_another_program_are_left_alone(empty_url: str) -> None:
    look(empty_url, lambda connection: connection.execute(text("CREATE TABLE trial (weight INTEGER)")))

    with pytest.raises(migrate.SchemaError, match="already has a table 'trial', and zeus-bso did not create it"):
        migrate.upgrade(empty_url)

    assert look(empty_url, lambda connection: inspect(connection).get_table_names()) == ["trial"]


def test_a_schema_that_only_another_release_knows_is_refused_and_kept(database_url: str) -> None:
    look(database_url, lambda connection: connection.execute(text(f"UPDATE {VERSION_TABLE} SET version_num = '9999'")))

    for act in (migrate.check, migrate.upgrade):
        with pytest.raises(migrate.SchemaError, match=r"\(9999\) is from another version"):
            act(database_url)
    assert migrate.current(database_url) == "9999"


@SERVERS
def test_identifiers_are_compared_byte_by_byte(database_url: str, kind: str) -> None:
    collations = {
        _collation(column)
        for columns in look(database_url, _columns).values()
        for column in columns
        if getattr(column["type"], "length", None) == 255
    }
    assert collations == ({None} if kind == "postgresql" else {"utf8mb4_nopad_bin"})


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


@pytest.mark.parametrize("path", sorted(SCHEMAS.glob("*.sql")), ids=lambda path: path.stem)
def test_a_job_of_an_older_schema_goes_on(path: Path, databases: DatabaseServers, tmp_path: Path) -> None:
    job_id = "nightly/Ünï 🚀"
    with databases.fresh(path.stem.partition(".")[2], tmp_path) as url:
        run_script(url, path.read_text())
        migrate.upgrade(url)
        migrate.check(url)
        with _serving(url) as server:
            before = server.job(job_id)
            resumed = server.offer(job_id, run_id="still running")
            answer = server.report(Trial.of(resumed), metric=0.95, current_epoch=2)
            new = server.offer(job_id, run_id="tonight")
            after = server.job(job_id)
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
        with _serving(url) as server:
            new = server.offer("weekly")
            answer = server.report(Trial.of(new), metric=0.95)
    assert (new["trial_number"], answer["converged"]) == (7, True)


@pytest.mark.parametrize("path", sorted(SCHEMAS.glob("0002.*.sql")), ids=lambda path: path.stem)
def test_a_job_of_the_surrogate_policy_goes_on(path: Path, databases: DatabaseServers, tmp_path: Path) -> None:
    with databases.fresh(path.stem.partition(".")[2], tmp_path) as url:
        run_script(url, path.read_text())
        migrate.upgrade(url)
        with _serving(url) as server:
            before = server.job("weekly")
            new = server.offer("weekly")
    # Of each size one run took 3 epochs at least; by eta 0.5 the 23.1 s of 300 W count as much as the energy.
    assert before["chosen_batch_size"] == 8
    sizes = {size["batch_size"]: size for size in before["batch_sizes"]}
    assert sizes[8]["believed_cost"] == pytest.approx(0.5 * (324.3 + 300 * 23.1), rel=0.03)
    assert new["batch_size"] == before["next_batch_size"]


@pytest.mark.parametrize("path", sorted(SCHEMAS.glob("0002.*.sql")), ids=lambda path: path.stem)
def test_the_column_that_nothing_reads_goes_with_all_else_kept_and_comes_back_from_the_trials(
    path: Path, databases: DatabaseServers, tmp_path: Path
) -> None:
    with databases.fresh(path.stem.partition(".")[2], tmp_path) as url:
        run_script(url, path.read_text())
        before, counts = look(url, _jobs), look(url, _counts)
        assert {job.pop("min_cost_since") for job in before} == {0}
        migrate.upgrade(url, "0004")
        assert look(url, _jobs) == before
        assert look(url, _counts) == counts
        migrate.upgrade(url)
        latest = look(url, _make_the_latest_success_uncapped)
        migrate.downgrade(url, "0002")
        after = look(url, _jobs)
        assert {job["job_id"]: job.pop("min_cost_since") for job in after} == latest
        assert after == before
        assert look(url, _counts) == counts


@pytest.mark.parametrize("path", sorted(SCHEMAS.glob("0004.*.sql")), ids=lambda path: path.stem)
def test_renamed_columns_keep_what_they_hold_both_ways(path: Path, databases: DatabaseServers, tmp_path: Path) -> None:
    with databases.fresh(path.stem.partition(".")[2], tmp_path) as url:
        run_script(url, path.read_text())

        def put(connection: Connection) -> None:
            connection.execute(text("UPDATE job SET wide = (job_id = 'weekly')"))
            connection.execute(text("UPDATE batch_size_state SET barren_in_row = batch_size"))

        def new(connection: Connection) -> tuple[list[Any], list[Any]]:
            tried = connection.execute(text("SELECT job_id FROM job WHERE try_all_sizes")).all()
            other = connection.execute(
                text("SELECT batch_size FROM batch_size_state WHERE no_result_in_row <> batch_size")
            ).all()
            return [tuple(row) for row in tried], list(other)

        look(url, put)
        before = look(url, _jobs)
        migrate.upgrade(url)
        assert look(url, new) == ([("weekly",)], [])
        migrate.downgrade(url, "0004")
        assert look(url, _jobs) == before


@pytest.mark.parametrize("path", sorted(SCHEMAS.glob("0005.*.sql")), ids=lambda path: path.stem)
def test_old_jobs_leave_power_limits_alone_and_old_trials_have_measured_nothing(
    path: Path, databases: DatabaseServers, tmp_path: Path
) -> None:
    with databases.fresh(path.stem.partition(".")[2], tmp_path) as url:
        run_script(url, path.read_text())
        jobs, trials = look(url, _jobs), look(url, _trials)
        migrate.upgrade(url)
        nothing = {"power_limit": None, "profiling_time": 0.0, "profiling_energy": 0.0, "epoch_bound": None}
        assert look(url, _trials) == [row | nothing for row in trials]
        with _serving(url) as server:
            assert server.job("weekly")["spec"]["power_limit"] == "off"
            server.change("weekly", power_limit="optimize")
            server.converge(server.ask("weekly"), power_profile=COMPLETE)
            assert server.offer("weekly", explore=False)["power_profile"] in (None, COMPLETE)
        migrate.downgrade(url, "0005")
        assert [set(row) for row in look(url, _jobs)] == [set(row) for row in jobs]
        assert look(url, _trials)[: len(trials)] == trials


@pytest.mark.parametrize("path", sorted(SCHEMAS.glob("0006.*.sql")), ids=lambda path: path.stem)
def test_a_power_profile_outlives_an_upgrade(path: Path, databases: DatabaseServers, tmp_path: Path) -> None:
    with databases.fresh(path.stem.partition(".")[2], tmp_path) as url:
        run_script(url, path.read_text())
        migrate.upgrade(url)
        with _serving(url) as server:
            offer, spec = server.offer("weekly"), server.job("weekly")["spec"]
    assert (spec["power_limit"], spec["power_goal"], spec["max_slowdown"]) == ("optimize", "cost", 1.05)
    expected = POWER_USE["power_profile"]
    assert isinstance(expected, dict)
    assert offer["power_profile"] == expected | {"revision": 0}


@pytest.mark.parametrize("path", sorted(SCHEMAS.glob("0007.*.sql")), ids=lambda path: path.stem)
def test_past_runs_outlive_an_upgrade_and_go_with_a_downgrade(
    path: Path, databases: DatabaseServers, tmp_path: Path
) -> None:
    with databases.fresh(path.stem.partition(".")[2], tmp_path) as url:
        run_script(url, path.read_text())
        migrate.upgrade(url)
        with _serving(url) as server:
            told = {"job_id": "weekly", "source": "csv", "runs": PAST_RUNS}
            assert server.call("POST", "/api/v1/observations", told).json()["known"] == len(PAST_RUNS)
            assert server.job("weekly")["past_runs"] == {"csv": len(PAST_RUNS)}
        migrate.downgrade(url, "0006")
        assert "observation" not in look(url, lambda connection: inspect(connection).get_table_names())
        migrate.upgrade(url)
        with _serving(url) as server:
            assert server.job("weekly")["past_runs"] == {}


def test_the_column_goes_from_a_file_of_an_sqlite_that_cannot_drop_one(
    databases: DatabaseServers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before its version 3.35; the table is made again, and what belongs to its rows stays."""
    with databases.fresh("sqlite", tmp_path) as url:
        run_script(url, (SCHEMAS / "0002.sqlite.sql").read_text())
        trials, counts = look(url, _trials), look(url, _counts)
        with monkeypatch.context() as patch:
            patch.setattr(sqlite3, "sqlite_version_info", (3, 34, 1))
            migrate.upgrade(url)
            migrate.downgrade(url, "0003")
            migrate.upgrade(url)
        assert all(old.items() <= new.items() for old, new in zip(trials, look(url, _trials), strict=True))
        assert look(url, _counts) == counts
        described = look(url, _described)
        with databases.fresh("sqlite", tmp_path / "made") as made_url:
            look(made_url, metadata.create_all)
            made = look(made_url, _described)
        assert {name: _in_any_order(table) for name, table in described.items()} == {
            name: _in_any_order(table) for name, table in made.items()
        }


@pytest.mark.parametrize("path", sorted(SCHEMAS.glob("0002.*.sql")), ids=lambda path: path.stem)
def test_sizes_that_a_stop_had_retired_come_back_and_those_that_missed_the_target_do_not(
    path: Path, databases: DatabaseServers, tmp_path: Path
) -> None:
    with databases.fresh(path.stem.partition(".")[2], tmp_path) as url:
        run_script(url, path.read_text())
        look(url, lambda connection: connection.execute(text("UPDATE batch_size_state SET retired = 'unconverged'")))
        look(url, lambda connection: connection.execute(text("UPDATE trial SET outcome = 'curve-stop'")))
        missed = "UPDATE trial SET outcome = 'target-missed' WHERE batch_size = 16"
        look(url, lambda connection: connection.execute(text(missed)))
        migrate.upgrade(url)
        live = look(url, lambda connection: connection.execute(text(_LIVE)).all())
    assert {tuple(row) for row in live} == {("weekly", 8), ("weekly", 32), ("weekly", 64)}


def test_every_revision_has_a_stored_database_of_each_kind() -> None:
    from alembic.script import ScriptDirectory

    scripts = ScriptDirectory(str(Path(migrate.__file__).parent / "migrations"))
    revisions = {script.revision for script in scripts.walk_revisions()}
    assert {path.stem for path in SCHEMAS.glob("*.sql")} == {f"{name}.{kind}" for name in revisions for kind in KINDS}


def _jobs(connection: Connection) -> list[dict[str, Any]]:
    return [dict(row) for row in connection.execute(text("SELECT * FROM job")).mappings()]


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


def _counts(connection: Connection) -> dict[str, int]:
    """The numbers of rows of the tables that have any."""
    counts = {
        name: int(connection.execute(text(f"SELECT count(*) FROM {name}")).scalar_one())
        for name in inspect(connection).get_table_names()
    }
    return {name: count for name, count in counts.items() if count}


def _make_the_latest_success_uncapped(connection: Connection) -> dict[str, int]:
    """Let the latest converged trial of each job have run without a bound; the number of its decision, by job."""
    found = connection.execute(
        text("SELECT job_id, MAX(decision) AS decision FROM trial WHERE outcome = 'converged' GROUP BY job_id")
    ).all()
    for row in found:
        connection.execute(
            text("UPDATE trial SET uncapped = (1 = 1) WHERE job_id = :job_id AND decision = :decision"), row._asdict()
        )
    return {row.job_id: row.decision for row in found}


def _in_any_order(table: dict[str, Any]) -> dict[str, Any]:
    return table | {"columns": sorted(table["columns"], key=str)}


def _trials(connection: Connection) -> list[dict[str, Any]]:
    return [
        dict(row) for row in connection.execute(text("SELECT * FROM trial ORDER BY job_id, trial_number")).mappings()
    ]

"""The schema and its migrations, in every database."""

from __future__ import annotations

import asyncio
import io
import shutil
import uuid
from collections.abc import Iterator, Mapping
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

import pytest
from sqlalchemy import Connection, inspect, make_url, text
from tests.support.databases import DatabaseServers, look, run_script
from tests.support.forked import forking, run_python
from tests.support.private_servers import execute

import zeus_bso
from zeus_bso.cli.main import main
from zeus_bso.server.database import migrate
from zeus_bso.server.database.revision import VERSION_TABLE
from zeus_bso.server.database.schema import metadata

SCHEMAS = Path(__file__).parents[1] / "data" / "schemas"
PASSWORD = "s3cr3t%2Fp%40ss"
SERVERS = pytest.mark.parametrize("kind", ["mariadb", "postgresql"])

AT_ONCE = """\
import asyncio, os, sys, traceback, warnings
import alembic.command
from sqlalchemy import make_url
from zeus_bso.server.app import create_app
from zeus_bso.server.config import Settings
from zeus_bso.server.database import migrate

warnings.simplefilter("error")
# Before the fork, so that no child imports it anew.
make_url(sys.argv[2]).get_dialect().import_dbapi()

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

BOUNDARY = "--- next ---\n"
SERVE_EACH = f"""\
import sys
from zeus_bso.cli.main import main

for url in sys.argv[1:]:
    sys.stderr.write({BOUNDARY!r})
    print(main(["serve", "--port", "0", "--database-url", url]), flush=True)
"""
"""A process that tries to serve each database in turn."""

NEXT_REVISION = """\
import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

def upgrade():
    op.add_column("job", sa.Column("of_the_next_release", sa.Integer()))

def downgrade():
    op.drop_column("job", "of_the_next_release")
"""


@pytest.fixture(scope="module")
def next_release(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mapping[str, str]]:
    """An environment in which ``zeus_bso`` is a later release, whose schema has a further revision."""
    copy = tmp_path_factory.mktemp("next") / "zeus_bso"
    shutil.copytree(Path(zeus_bso.__file__).parent, copy)
    versions = copy / "server" / "database" / "migrations" / "versions"
    assert {path.stem[:5] for path in versions.glob("v*.py")} == {f"v000{number}" for number in range(1, 8)}, (
        "name the next revision here"
    )
    (versions / "v0008_next.py").write_text(NEXT_REVISION)
    environment = {"PYTHONPATH": str(copy.parent)}
    with forking(environment):
        yield environment


def test_a_schema_comes_goes_and_comes_again(empty_url: str) -> None:
    for action in ("upgrade", "check", "upgrade"):
        assert _db(action, "--database-url", empty_url) == (0, "0007\n", "")
    assert _db("downgrade", "base", "--database-url", empty_url) == (0, "empty: no migration has run\n", "")
    assert set(look(empty_url, _tables)) <= {VERSION_TABLE}
    migrate.upgrade(empty_url)
    migrate.check(empty_url)
    assert set(look(empty_url, _tables)) == {VERSION_TABLE, *metadata.tables}


def test_a_check_of_an_empty_database_says_what_to_run(empty_url: str) -> None:
    code, output, errors = _db("check", "--database-url", empty_url)
    assert (code, output) == (1, "")
    assert errors == "zeus-bso: The database has no schema yet. Run: zeus-bso db upgrade\n"


def test_offline_sql_makes_a_schema_that_passes_the_check(empty_url: str) -> None:
    script = _offline(empty_url, "upgrade")
    assert look(empty_url, _tables) == [], "it must only be printed"
    run_script(empty_url, script)
    migrate.check(empty_url)
    run_script(empty_url, _offline(empty_url, "downgrade", "0007:base"))
    assert set(look(empty_url, _tables)) <= {VERSION_TABLE}


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
        "async def start(url):\n"
        "    app = create_app(Settings(database_url=url))\n"
        "    async with app.router.lifespan_context(app):\n"
        "        print('alembic' in sys.modules)\n"
        "for url in sys.argv[1:]:\n"
        "    asyncio.run(start(url))\n"
    )
    migrated, new = (f"sqlite:///{tmp_path / name}.db" for name in ("migrated", "new"))
    migrate.upgrade(migrated)
    assert run_python("-c", serve, migrated, new, fresh=True).stdout == "False\nTrue\n"


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
        "zeus-bso: The database's schema (9) is from another version of zeus-bso, and this one does not know it. "
        "Run the version that created it, or a newer one.\n"
    )
    # Each says it with a process or several, which is the same code whatever database it looks into.
    workers = ["--workers", "2"] if _kind(database_url) == "sqlite" else []
    assert _zeus_bso("serve", "--port", "0", *workers, "--database-url", database_url) == (1, "", sentence)


@pytest.mark.parametrize("action", [("upgrade",), ("downgrade", "base"), ("check",)])
@pytest.mark.parametrize("kind", ["sqlite"])
def test_a_schema_of_another_release_is_one_line_for_every_command(database_url: str, action: tuple[str, ...]) -> None:
    look(
        database_url,
        lambda connection: connection.execute(text(f"UPDATE {VERSION_TABLE} SET version_num = '9'")),
    )
    code, output, errors = _db(*action, "--database-url", database_url)
    assert (code, output, errors.count("\n")) == (1, "", 1)
    assert errors.startswith("zeus-bso: ")
    assert "9" in errors


@SERVERS
def test_a_server_refuses_an_empty_database_in_a_sentence(empty_url: str) -> None:
    code, output, errors = _zeus_bso("serve", "--port", "0", "--database-url", empty_url)
    assert (code, output) == (1, "")
    assert errors == "zeus-bso: The database has no schema yet. Run: zeus-bso db upgrade\n"


@pytest.mark.parametrize("kind", ["postgresql"])
def test_a_server_refuses_an_older_schema_in_a_sentence(database_url: str, next_release: Mapping[str, str]) -> None:
    code, output, errors = _zeus_bso("serve", "--port", "0", "--database-url", database_url, environment=next_release)
    assert (code, output) == (1, "")
    assert errors == (
        "zeus-bso: The database's schema (0007) is older than this version's (0008). Run: zeus-bso db upgrade\n"
    )


def test_an_upgrade_between_releases_keeps_the_rows(database_url: str, next_release: Mapping[str, str]) -> None:
    run_script(database_url, _rows_of(SCHEMAS / f"0007.{_kind(database_url)}.sql"))
    before = look(database_url, _counts)
    assert _zeus_bso("db", "upgrade", "--database-url", database_url, environment=next_release) == (0, "0008\n", "")
    assert "another version" in _db("check", "--database-url", database_url)[2]
    assert look(database_url, _counts) == before
    down = _zeus_bso("db", "downgrade", "0007", "--database-url", database_url, environment=next_release)
    assert down == (0, "0007\n", "")
    assert look(database_url, _counts) == before
    migrate.check(database_url)


def test_no_message_holds_a_password() -> None:
    urls = [
        f"postgresql://me:{PASSWORD}@127.0.0.1:1/name",
        f"mysql+asyncmy://me:{PASSWORD}@127.0.0.1:1/name",
        f"postgresql://me:{PASSWORD}@127.0.0.1:port/name",
        f"oracle://me:{PASSWORD}@127.0.0.1/name",
    ]
    each = run_python("-c", SERVE_EACH, *urls)
    assert each.stdout == "1\n" * len(urls)
    served = each.stderr.split(BOUNDARY)[1:]
    assert len(served) == len(urls)
    for url, told in zip(urls, served, strict=True):
        code, output, errors = _db("upgrade", "--database-url", url)
        assert (code, output) == (1, "")
        for said in (errors, told):
            assert said.splitlines()[-1].startswith("zeus-bso: ")
            assert "Traceback" not in said
            assert "s3cr3t" not in said


@pytest.mark.parametrize("encoding", ["SQL_ASCII", "LATIN1"])
def test_a_database_that_is_not_unicode_is_refused_in_a_sentence(encoding: str, databases: DatabaseServers) -> None:
    base, name = databases.url("postgresql"), f"zeus_bso_test_{uuid.uuid4().hex[:12]}"
    asyncio.run(
        execute(base, f"CREATE DATABASE {name} ENCODING '{encoding}' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0")
    )
    url = base.set(database=name).render_as_string(hide_password=False)
    try:
        for told in (
            _db("upgrade", "--database-url", url),
            _db("check", "--database-url", url),
            _zeus_bso("serve", "--port", "0", "--database-url", url),
        ):
            assert told == (
                1,
                "",
                f"zeus-bso: The database stores text as {encoding}, but zeus-bso needs UTF8. "
                "Create another one: CREATE DATABASE name ENCODING 'UTF8' TEMPLATE template0\n",
            )
        assert look(url, _tables) == []
    finally:
        asyncio.run(execute(base, f"DROP DATABASE {name}"))


@SERVERS
def test_a_refused_login_is_one_line_without_the_password(kind: str, databases: DatabaseServers) -> None:
    url = databases.url(kind).set(username="nobody_knows_me", password="s3cr3t").render_as_string(hide_password=False)
    code, output, errors = _db("check", "--database-url", url)
    assert (code, output, errors.count("\n")) == (1, "", 1)
    assert "nobody_knows_me" in errors
    assert "s3cr3t" not in errors


def _db(*arguments: str) -> tuple[int, str, str]:
    """Run ``zeus-bso db``: its exit code, what it printed, and what it printed to the standard error."""
    with redirect_stdout(io.StringIO()) as output, redirect_stderr(io.StringIO()) as errors:
        code = main(["db", *arguments])
    return code, output.getvalue(), errors.getvalue()


def _zeus_bso(*arguments: str, environment: Mapping[str, str] | None = None) -> tuple[int, str, str]:
    """Run a command that ends, in a process: its exit code, and what it printed to each stream."""
    ended = run_python("-m", "zeus_bso", *arguments, environment=environment)
    return ended.returncode, ended.stdout, ended.stderr


def _at_once(action: str, url: str) -> tuple[str, str]:
    """Let ten processes do something at the same moment: their exit codes, and what they complained of."""
    ended = run_python("-c", AT_ONCE, action, url)
    return ended.stdout, ended.stderr


def _offline(url: str, *action: str) -> str:
    parsed = make_url(url)
    if parsed.get_backend_name() == "mysql":
        url = parsed.set(drivername="mariadb").render_as_string(hide_password=False)
    code, script, errors = _db(*action, "--sql", "--database-url", url)
    assert (code, errors) == (0, "")
    return script


def _kind(url: str) -> str:
    return {"mysql": "mariadb"}.get(name := make_url(url).get_backend_name(), name)


def _rows_of(path: Path) -> str:
    lines = path.read_text().splitlines(keepends=True)
    return "".join(line for line in lines if line.startswith("INSERT") and VERSION_TABLE not in line)


def _counts(connection: Connection) -> dict[str, int]:
    return {name: connection.execute(text(f"SELECT count(*) FROM {name}")).scalar_one() for name in metadata.tables}


def _tables(connection: Connection) -> list[str]:
    return inspect(connection).get_table_names()

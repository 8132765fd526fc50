"""Fixtures that tests of all kinds share, and what every run of the tests does."""

from __future__ import annotations

import gc
import os
import shutil
import uuid
from collections.abc import Generator, Iterator
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from tests.support import leftovers
from tests.support.databases import KINDS, DatabaseServers
from tests.support.forked import forking
from tests.support.in_process import in_one_process
from tests.support.lanes import IN_PROCESS, group_of, is_in_process, rank_of
from tests.support.run_folder import RunFolder
from tests.support.server import Server
from tests.support.signals import reset_signals, tidy_up_when_terminated
from zeus_bso.server.database import migrate

settings.register_profile("normal", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("thorough", settings.get_profile("normal"), derandomize=False, max_examples=2000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "normal"))

gc.disable()  # Until all is imported and collected.
reset_signals()
# The small arrays of tests gain nothing from threads, which wait for work by computing.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
RUN_FOLDER = RunFolder()
if RUN_FOLDER.owned:
    tidy_up_when_terminated()
TESTS = Path(__file__).parent
LEFT = pytest.StashKey[list[str]]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the choice of the fast lane."""
    parser.addoption("--fast", action="store_true", help="only tests that start no process and no database server")


def pytest_configure(config: pytest.Config) -> None:
    """Begin with nothing left."""
    config.stash[LEFT] = []
    config.addinivalue_line(
        "markers", "databases(which): run a test of the contract on 'any' database or on 'every' one"
    )


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Do not even read what the fast lane leaves out."""
    outside = collection_path.parent == TESTS and collection_path.is_dir() and collection_path.name not in IN_PROCESS
    return True if outside and config.getoption("--fast") else None


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> object | None:
    """Let the tests of a group run in one process; the groups of pytest-xdist need ids that pytest 9.2 has fixed."""
    if config.getoption("dist") != "loadgroup":
        return None
    from xdist.scheduler import LoadScopeScheduling

    class GroupScheduling(LoadScopeScheduling):  # type: ignore[misc]
        def _split_scope(self, nodeid: str) -> str:
            return group_of(nodeid)

        def _assign_work_unit(self, node: Any) -> None:
            # Every fourth process begins at the end, where tests compute: those at the beginning mostly wait.
            if list(self.assigned_work).index(node) % 4 == 3:
                self.workqueue.move_to_end(next(reversed(self.workqueue)), last=False)
            super()._assign_work_unit(node)

    return GroupScheduling(config, log)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Choose the tests of the fast lane; begin with what takes long, so that no process is left with it at the end."""
    if config.getoption("--fast"):
        config.hook.pytest_deselected(items=[item for item in items if not is_in_process(item.nodeid)])
        items[:] = [item for item in items if is_in_process(item.nodeid)]
    items.sort(key=lambda item: rank_of(item.nodeid))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """Make more processes than there are processors: a quarter of the fast lane waits, and most of all other tests."""
    processors = len(os.sched_getaffinity(0))
    return processors + processors // 2 if config.getoption("--fast") else 2 * processors + 1


def pytest_collection_finish() -> None:
    """Let no garbage collection look again at what has been imported and collected: it took an eighth of a run."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 50)
    gc.enable()


def _held_to_its_lane(item: pytest.Item) -> AbstractContextManager[None]:
    return in_one_process() if is_in_process(item.nodeid) else nullcontext()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_setup(item: pytest.Item) -> Generator[None]:
    """Let the fixtures of a test of the fast lane start no process."""
    with _held_to_its_lane(item):
        yield


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None]:
    """Let a test of the fast lane start no process."""
    with _held_to_its_lane(item):
        yield


def _started_by(item: pytest.Item) -> set[int]:
    return leftovers.started_by(item.nodeid) | leftovers.forked()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(item: pytest.Item) -> Generator[None]:
    """End the processes that a test leaves, and fail it for them."""
    try:
        with _held_to_its_lane(item):
            yield
    finally:
        leftovers.remember_sockets(item.nodeid)
        if not is_in_process(item.nodeid) and (left := leftovers.end(_started_by(item))):
            pytest.fail("the test left behind\n" + "\n".join(left), pytrace=False)


@pytest.hookimpl(wrapper=True, trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> Generator[None]:
    """Look what the tests have left, and fail the run for it."""
    output: dict[str, list[str]] | None = getattr(session.config, "workeroutput", None)
    if output is not None:
        output["left"] = leftovers.in_this_process()
        yield
        return
    yield
    left = session.config.stash[LEFT]
    if not session.config.pluginmanager.hasplugin("dsession"):
        left += leftovers.in_this_process()
    left += leftovers.end(leftovers.of_run(RUN_FOLDER.path)) + leftovers.in_folder(RUN_FOLDER.path)
    if left and session.exitstatus == pytest.ExitCode.OK:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: object) -> None:
    """Take over what a process of the run says that its tests have left."""
    config: pytest.Config = getattr(node, "config")  # noqa: B009
    config.stash[LEFT] += getattr(node, "workeroutput", {}).get("left", [])


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Say what the tests have left."""
    if left := config.stash[LEFT]:
        terminalreporter.section("left behind by the tests", red=True)
        for line in left:
            terminalreporter.line(line)


def pytest_unconfigure(config: pytest.Config) -> None:
    """Remove the temporary files of the run."""
    if RUN_FOLDER.owned:
        RUN_FOLDER.remove()


@pytest.fixture(scope="session", autouse=True)
def _plain_environment() -> Iterator[None]:
    """Settings of whoever runs the tests must not steer what is tested."""
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith("ZEUS_BSO_")]:
            patch.delenv(name)
        yield


@pytest.fixture(autouse=True)
def _no_run_outlives_its_test() -> Iterator[None]:
    """End the runs that a test leaves."""
    yield
    assert leftovers.end_runs() == []


@pytest.fixture(autouse=True)
def spool_dir(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A spool of the test's own, also for the processes that it starts; made by who first keeps something there."""
    folder = tmp_path_factory.getbasetemp() / f"spool-{uuid.uuid4().hex}"
    monkeypatch.setenv("ZEUS_BSO_SPOOL_DIR", str(folder))
    return folder


@pytest.fixture(scope="session")
def _forking() -> Iterator[None]:
    """Servers are forked, unless a test is about their start."""
    with forking():
        yield


@pytest.fixture(scope="session")
def databases() -> Iterator[DatabaseServers]:
    """The database servers of the run; nothing is started before a test wants it."""
    servers = DatabaseServers(RUN_FOLDER.path)
    yield servers
    servers.let_go()


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    """Each kind of database in turn; a test that is about some only parametrizes it."""
    found: str = request.param
    return found


@pytest.fixture
def empty_url(kind: str, databases: DatabaseServers, tmp_path: Path) -> Iterator[str]:
    """The URL of a fresh database without any table."""
    with databases.fresh(kind, tmp_path) as url:
        yield url


@pytest.fixture
def database_url(kind: str, databases: DatabaseServers, tmp_path: Path) -> Iterator[str]:
    """The URL of a fresh database with our schema."""
    with databases.migrated(kind, tmp_path) as url:
        yield url


@pytest.fixture(scope="session")
def _migrated_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An SQLite file with our schema: a copy of it takes a fifth of the time that a server takes to make one."""
    file = tmp_path_factory.mktemp("migrated") / "zeus-bso.db"
    migrate.upgrade(f"sqlite:///{file}")
    return file


@pytest.fixture
def own_server(_migrated_file: Path, tmp_path: Path) -> Iterator[Server]:
    """An application in this process, on an SQLite file, that the test may restart and change."""
    server = Server(shutil.copy(_migrated_file, tmp_path / "zeus-bso.db"))
    server.start()
    yield server
    server.close()

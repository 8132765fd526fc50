"""Where the spool lies, what of it may be sent, and what it does where the disk does not do its part."""

from __future__ import annotations

import errno
import fcntl
import logging
import os
import pwd
import threading
import time
from itertools import repeat
from pathlib import Path

import pytest
from tests.support.away import end_process
from tests.unit.client.tiny_server import CONVERGED, Reply, ScriptedTransport, TinyServer

from zeus_bso import BatchSizeOptimizer, JobSpec
from zeus_bso.client.connection.api import Api
from zeus_bso.client.connection.http_transport import HttpTransport
from zeus_bso.client.delivery.sender import ReportSender
from zeus_bso.client.delivery.spool import (
    SPOOL_DIR_VARIABLE,
    Spool,
    SpoolFile,
    TrialMessage,
    clear_remains,
    left_over,
    spool_folder,
    spooled_files,
)
from zeus_bso.client.delivery.spool_flush import DeliveryStatus, flush, flush_in_background, flush_run
from zeus_bso.monitor import ReplayMonitor
from zeus_bso.protocol.messages import TrainingResult, TrialId
from zeus_bso.protocol.urls import REPORT_END_URL, REPORT_RESULT_URL

TRIAL = TrialId(job_id="job", batch_size=64, trial_number=1)
JOB = JobSpec(job_id="spooled", job_id_prefix="spooled", batch_sizes=[64], default_batch_size=64, target_metric=0.9)


def message(epoch: int) -> TrialMessage:
    return TrialMessage(
        report=TrainingResult(**TRIAL.model_dump(), time=1.0, energy=1.0, metric=0.1, current_epoch=epoch)
    )


def spool() -> Spool:
    return Spool("http://server", TRIAL, instance="this", run_id="run")


def kept_epoch(folder: Path) -> int:
    [path] = spooled_files(folder)
    kept = SpoolFile(path).read()
    assert kept is not None
    assert kept.report is not None
    return kept.report.current_epoch


class Disk:
    """What the operating system says of each write and each lock."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.full = False
        self.locks: int | None = None
        write_text, lockf = Path.write_text, fcntl.lockf

        def write(path: Path, text: str, **more: str) -> int:
            if self.full:
                write_text(path, text[:10], **more)
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            return write_text(path, text, **more)

        def lock(descriptor: int, how: int) -> object:
            if self.locks is not None:
                raise OSError(self.locks, os.strerror(self.locks))
            return lockf(descriptor, how)

        monkeypatch.setattr(Path, "write_text", write)
        monkeypatch.setattr(fcntl, "lockf", lock)


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Disk:
    return Disk(monkeypatch)


def test_a_script_that_changes_its_directory_keeps_its_spool(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(SPOOL_DIR_VARIABLE, "spool")
    monkeypatch.chdir(tmp_path)
    assert spool_folder() == tmp_path / "spool"


def test_the_latest_message_comes_back_as_it_was_kept(spool_dir: Path) -> None:
    keeper = spool()
    for epoch in (1, 2):
        keeper.keep(message(epoch))
        [path] = spooled_files(spool_dir)
        kept = SpoolFile(path).read()
        assert kept is not None
        assert (kept.report, kept.end) == (message(epoch).report, None)
    assert not list(spool_dir.glob("*.tmp"))
    keeper.clear()


def test_one_at_a_time_may_take_a_message_and_nobody_while_its_owner_lives() -> None:
    keeper = spool()
    keeper.keep(message(1))
    assert keeper.path is not None
    with left_over(keeper.path) as file:
        assert file is None

    keeper.release()
    with left_over(keeper.path) as file:
        assert file is not None
        with left_over(keeper.path) as second:
            assert second is None


def test_a_message_that_is_not_ours_to_lock_is_passed_over(tmp_path: Path) -> None:
    spooled = tmp_path / "message.json"
    spooled.touch()
    spooled.with_suffix(".lock").mkdir()
    with left_over(spooled) as file:
        assert file is None


class TestADiskThatIsFull:
    def test_for_a_moment_costs_no_later_message(
        self, disk: Disk, spool_dir: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        server = ScriptedTransport()
        server.away = True
        sender = ReportSender(Api(server), spool(), lambda answer: None)
        sender.send_and_wait(message(1), 0.1)
        disk.full = True
        sender.send_and_wait(message(2), 0.1)
        sender.send_and_wait(message(3), 0.1)
        assert (sender.spooled, sender.latest_spooled, kept_epoch(spool_dir)) == (True, False, 1)
        disk.full = False
        sender.send_and_wait(message(4), 0.1)
        sender.close()
        assert (sender.latest_spooled, kept_epoch(spool_dir)) == (True, 4)
        assert len([line for line in caplog.messages if "No space left" in line]) == 1
        assert list(spool_dir.glob("*.tmp")) == []

    def test_leaves_nothing_behind_once_all_is_told(self, disk: Disk, spool_dir: Path) -> None:
        server = ScriptedTransport()
        server.away = True
        sender = ReportSender(Api(server), spool(), lambda answer: None)
        sender.send_and_wait(message(1), 0.1)
        disk.full = True
        sender.send_and_wait(message(2), 0.1)
        server.away = False
        assert sender.send_and_wait(message(3), 10.0) is not None
        sender.close()
        assert list(spool_dir.iterdir()) == []

    def test_to_the_end_is_said_as_it_is(
        self, disk: Disk, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with TinyServer() as server:
            bso = BatchSizeOptimizer(ReplayMonitor(repeat((1.0, 10.0))), server.url, JOB, heartbeat_s=None)
            bso.get_batch_size()
            bso.on_train_begin()
            server.answers[REPORT_RESULT_URL] = server.answers[REPORT_END_URL] = (503, {})
            disk.full = True
            bso.on_evaluate(0.5)
            end_process(bso, 0.5)
        assert "kept nowhere" in caplog.text
        assert "zeus-bso flush" not in caplog.text

    def test_after_a_first_message_is_said_as_it_is(self, disk: Disk, caplog: pytest.LogCaptureFixture) -> None:
        with TinyServer() as server:
            bso = BatchSizeOptimizer(ReplayMonitor(repeat((1.0, 10.0))), server.url, JOB, heartbeat_s=None)
            bso.get_batch_size()
            bso.on_train_begin()
            server.answers[REPORT_RESULT_URL] = server.answers[REPORT_END_URL] = (503, {})
            bso.on_evaluate(0.5)
            bso.on_evaluate(0.5)
            disk.full = True
            end_process(bso, 0.5)
        assert "an earlier report of it is kept in" in caplog.text


@pytest.mark.parametrize("says", [errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.EINVAL, errno.EIO])
def test_a_home_without_locks_keeps_and_sends(says: int, disk: Disk, spool_dir: Path) -> None:
    disk.locks = says
    with TinyServer() as server:
        bso = BatchSizeOptimizer(ReplayMonitor(repeat((1.0, 10.0))), server.url, JOB, heartbeat_s=None)
        bso.get_batch_size()
        bso.on_train_begin()
        server.answers[REPORT_RESULT_URL] = (503, {})
        bso.on_evaluate(0.95)
        end_process(bso, 0.5)
        assert kept_epoch(spool_dir) == 1
        server.answers[REPORT_RESULT_URL] = (200, CONVERGED)
        [flushed] = list(flush(lambda address: Api(HttpTransport(address))))
    assert flushed.status is DeliveryStatus.SENT
    assert list(spool_dir.iterdir()) == []


@pytest.mark.parametrize("says", [errno.EAGAIN, errno.EACCES])
def test_an_owner_that_lives_keeps_its_message(says: int, disk: Disk, spool_dir: Path) -> None:
    keeper = spool()
    keeper.keep(message(1))
    keeper.release()
    disk.locks = says
    assert list(flush(lambda address: Api(HttpTransport(address)))) == []
    assert kept_epoch(spool_dir) == 1


def test_a_run_that_starts_sends_its_own_messages_then_others_for_its_server_and_none_for_another(
    spool_dir: Path,
) -> None:
    server = ScriptedTransport()
    kept = [(server.address, "this"), (server.address, "other"), ("http://elsewhere", "this")]
    for epoch, (address, run_id) in enumerate(kept, 1):
        keeper = Spool(address, TRIAL, instance=str(epoch), run_id=run_id)
        keeper.keep(message(epoch))
        keeper.release()

    flush_run(Api(server), "this")
    assert [report["current_epoch"] for report in server.reports] == [1]
    flush_in_background(Api(server))
    for thread in threading.enumerate():
        if thread.name == "zeus-bso-flush":
            thread.join(240)
    assert [report["current_epoch"] for report in server.reports] == [1, 2]
    assert kept_epoch(spool_dir) == 3


def test_a_message_that_was_replaced_since_it_was_read_is_not_removed(spool_dir: Path) -> None:
    owner = spool()
    owner.keep(message(1))
    [path] = spooled_files(spool_dir)
    sender = SpoolFile(path)
    sender.read()
    owner.keep(message(2))
    sender.remove()
    assert kept_epoch(spool_dir) == 2
    owner.clear()


def test_a_spool_that_is_cleared_meanwhile_is_locked_anew(spool_dir: Path) -> None:
    owner = spool()
    owner.keep(message(1))
    for path in spool_dir.iterdir():
        path.unlink()
    spool_dir.rmdir()
    owner.keep(message(2))
    assert kept_epoch(spool_dir) == 2
    assert {path.suffix for path in spool_dir.iterdir()} == {".json", ".lock"}
    owner.clear()
    assert list(spool_dir.iterdir()) == []


def test_what_a_killed_process_left_beside_its_message_is_cleared(spool_dir: Path) -> None:
    spool_dir.mkdir()
    for name in ("dead.lock", "dead.1-0.tmp", "young.2-0.tmp"):
        (spool_dir / name).touch()
    long_ago = time.time() - 3600
    for name in ("dead.lock", "dead.1-0.tmp"):
        os.utime(spool_dir / name, (long_ago, long_ago))
    clear_remains(spool_dir)
    assert [path.name for path in spool_dir.iterdir()] == ["young.2-0.tmp"]


class TestAUserWithoutAHome:
    @pytest.fixture(autouse=True)
    def _homeless(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        def unknown(uid: int) -> pwd.struct_passwd:
            raise KeyError(uid)

        for variable in ("HOME", "XDG_STATE_HOME", SPOOL_DIR_VARIABLE):
            monkeypatch.delenv(variable, raising=False)
        monkeypatch.setattr(pwd, "getpwuid", unknown)
        monkeypatch.chdir(tmp_path)

    def test_has_no_spool(self, tmp_path: Path) -> None:
        assert spool_folder() is None
        assert list(flush(lambda address: Api(HttpTransport(address)))) == []
        assert list(tmp_path.iterdir()) == []

    def test_trains_and_is_told_once_that_nothing_is_kept(
        self, caplog: pytest.LogCaptureFixture, tmp_path: Path
    ) -> None:
        with TinyServer() as server, caplog.at_level(logging.WARNING):
            bso = BatchSizeOptimizer(ReplayMonitor(repeat((1.0, 10.0))), server.url, JOB, heartbeat_s=None)
            bso.get_batch_size()
            bso.on_train_begin()
            bso.on_evaluate(0.5)
            assert caplog.messages == []
            server.answers[REPORT_RESULT_URL] = (503, {})
            bso.on_evaluate(0.6)
            bso.on_evaluate(0.7)
            server.answers[REPORT_RESULT_URL] = (200, CONVERGED)
            bso.on_evaluate(0.95)
            end_process(bso, 5.0)
            assert server.reports[-1]["metric"] == 0.95
        assert len([line for line in caplog.messages if "no home folder" in line and SPOOL_DIR_VARIABLE in line]) == 1
        assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("status", [400, 404, 422])
def test_a_run_whose_job_was_deleted_leaves_no_message(
    status: int, spool_dir: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with TinyServer() as server:
        bso = BatchSizeOptimizer(ReplayMonitor(repeat((1.0, 10.0))), server.url, JOB, heartbeat_s=None)
        bso.get_batch_size()
        bso.on_train_begin()
        server.answers[REPORT_RESULT_URL] = (503, {})
        bso.on_evaluate(0.5)
        gone: Reply = (status, {"message": "There is no such job."})
        server.answers[REPORT_RESULT_URL] = server.answers[REPORT_END_URL] = gone
        bso.on_evaluate(0.6)
        end_process(bso, 1.0)
    assert not spool_dir.exists() or list(spool_dir.iterdir()) == []
    assert "There is no such job" in caplog.text
    assert "zeus-bso flush" not in caplog.text

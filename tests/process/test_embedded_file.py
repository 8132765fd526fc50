"""A file of jobs that other processes use as well, or that cannot be used at all."""

from __future__ import annotations

import errno
import fcntl
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import repeat
from pathlib import Path

import pytest
from tests.support.forked import run_python

from zeus_bso import BatchSizeOptimizer, JobSpec, embedded
from zeus_bso.exceptions import ZeusBSOConfigError, ZeusBSOServerUnreachableError
from zeus_bso.monitor import ReplayMonitor

JOB = JobSpec(job_id_prefix="held", batch_sizes=[64], default_batch_size=64, target_metric=0.9)

HOLD = """
import sqlite3, sys, time
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("BEGIN EXCLUSIVE")
print("held", flush=True)
time.sleep(float(sys.argv[2]))
"""


@contextmanager
def held(path: Path, seconds: float) -> Iterator[None]:
    """Another process holds the file for so long."""
    with subprocess.Popen([sys.executable, "-c", HOLD, path, str(seconds)], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"held\n"
        yield
        process.kill()


def optimizer(path: Path) -> BatchSizeOptimizer:
    return BatchSizeOptimizer(ReplayMonitor(repeat((1.0, 10.0))), f"sqlite:///{path}", JOB, heartbeat_s=None)


def test_a_launch_waits_while_another_process_holds_the_file(tmp_path: Path) -> None:
    with held(tmp_path / "jobs.db", 3.0):
        bso = optimizer(tmp_path / "jobs.db")
    assert bso.get_batch_size() == 64
    bso.cancel()


def test_an_ask_waits_while_another_process_holds_the_file(tmp_path: Path) -> None:
    bso = optimizer(tmp_path / "jobs.db")
    with held(tmp_path / "jobs.db", 6.0):
        assert bso.get_batch_size() == 64
    bso.cancel()


def test_patience_that_is_over_is_said_without_a_word_of_servers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(embedded, "_PATIENCE_S", 2.0)
    with held(tmp_path / "jobs.db", 60.0), pytest.raises(ZeusBSOServerUnreachableError) as caught:
        optimizer(tmp_path / "jobs.db")
    assert "jobs.db, could not be used" in str(caught.value)
    assert "another process holds it" in str(caught.value)
    assert "zeus-bso serve" not in str(caught.value)


def test_runs_on_several_files_are_all_told_how_they_ended_at_the_exit(tmp_path: Path, spool_dir: Path) -> None:
    script = f"""
from tests.process.test_embedded_file import Path, optimizer
runs = []
for name in ("first.db", "second.db"):
    runs.append(optimizer(Path({str(tmp_path)!r}) / name))
    runs[-1].get_batch_size()
    runs[-1].on_train_begin()
    runs[-1].on_evaluate(0.1)
"""
    done = run_python("-c", script)
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("without reaching its target") == 2, done.stderr
    assert not list(spool_dir.glob("*.json")), done.stderr


def test_a_file_system_without_locks_is_named_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(descriptor: object, how: int) -> None:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(fcntl, "lockf", refuse)
    with pytest.raises(ZeusBSOConfigError, match=r"has no locks .*local disk"):
        optimizer(tmp_path / "jobs.db")


def test_a_file_that_is_no_database_is_said_in_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "jobs.db").write_text("this is a shopping list, and a long one\n" * 100)
    with pytest.raises(ZeusBSOServerUnreachableError, match="not a database") as caught:
        optimizer(tmp_path / "jobs.db")
    assert "Traceback" not in str(caught.value)

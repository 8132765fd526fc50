"""The demo as a user runs it."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest
from tests.support.forked import shell_variables

from zeus_bso.cli import repeated_runs
from zeus_bso.cli.demo import MOST_RUNS, training_script
from zeus_bso.cli.main import main
from zeus_bso.cli.repeated_runs import Plan
from zeus_bso.protocol.words import FailReason
from zeus_bso.results.results import connect

SIZES = [8, 16, 32, 64, 128, 256, 512, 1024]


def demo(tmp_path: Path, *options: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["zeus-bso", "demo", "--dir", str(tmp_path / "demo"), *options],
        cwd=tmp_path,
        env=os.environ | shell_variables(),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )


def processes_that_mention(path: Path) -> list[str]:
    """Command lines of live processes that name a path."""
    found = []
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            command = entry.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if str(path) in command and entry.parent.name != str(os.getpid()):
            found.append(command)
    return found


def _wait_for_training(log: Path) -> None:
    """Wait until the run under way has trained for an epoch."""
    size = log.stat().st_size
    while log.stat().st_size == size:
        time.sleep(0.02)


def test_demo_trains_and_goes_on_with_the_commands_that_it_prints(tmp_path: Path) -> None:
    """Its processes are forked, those of a demo that is interrupted are not."""
    first = demo(tmp_path, "--recurrences", "2")

    assert first.returncode == 0, first.stdout + first.stderr
    assert first.stderr == ""
    runs = [line.split()[0] for line in first.stdout.splitlines() if re.match(r" +\d+/", line)]
    assert runs == ["1/2", "2/2"]
    assert "MAB" not in first.stdout
    table = [line.split()[0] for line in first.stdout.splitlines() if re.match(r" +\d+ ", line)]
    assert table == [str(size) for size in SIZES]
    assert max(len(line) for line in first.stdout.splitlines() if not line.startswith("  ")) <= 80
    for command in re.findall(r"^  (\S*zeus-bso (?:jobs|trials) .*)$", first.stdout, re.MULTILINE):
        environment = os.environ | shell_variables()
        done = subprocess.run(
            command, shell=True, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
        )
        assert (done.returncode, done.stderr) == (0, "")
        assert "256" in done.stdout
    assert "serve --database-url sqlite:///demo/zeus-bso.db" in first.stdout

    second = demo(tmp_path, "--recurrences", "1", "--json")

    assert second.returncode == 0, second.stdout + second.stderr
    assert second.stderr.startswith("Training a small network on handwritten digits once. Ctrl-C stops it.\n")
    assert "(runs so far: 2)" in second.stderr
    report = json.loads(second.stdout)
    assert report["recurrences"] == 3
    assert sum(row["runs"] for row in report["sizes"]) == 3
    assert processes_that_mention(tmp_path) == []


def test_unless_told_how_often_it_trains_until_its_size_is_settled(
    shared_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What comes of it, `zeus-bso try` shows on a script that is quick."""
    plans: list[Plan] = []
    monkeypatch.setattr(repeated_runs, "repeat", lambda plan, *others: plans.append(plan))

    for options in ([], ["--recurrences", "7"]):
        assert main(["demo", "--dir", str(tmp_path), "--server-url", shared_url, *options]) == 0
    assert [(plan.stops_when_settled, plan.most_runs) for plan in plans] == [(True, MOST_RUNS), (False, 7)]
    assert [plan.command for plan in plans] == [[sys.executable, str(training_script())]] * 2


def test_an_interrupted_demo_cancels_its_run_leaves_no_process_and_says_how_to_go_on(tmp_path: Path) -> None:
    """Its dashboard is there before the first run has ended."""
    command = [sys.executable, "-m", "zeus_bso", "demo", "--dir", str(tmp_path / "demo"), "--recurrences", "30"]
    process = subprocess.Popen(
        command, cwd=tmp_path, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None
        first = process.stdout.readline()
        address = next(line for line in process.stdout if line.startswith("Watch it live: "))
        page = urllib.request.urlopen(address.split()[-1], timeout=240).read().decode()
        while "1/30" not in process.stdout.readline():
            assert process.poll() is None
        _wait_for_training(tmp_path / "demo" / "train.log")
        process.send_signal(signal.SIGINT)
        output, errors = process.communicate(timeout=240)
    finally:
        process.kill()

    assert first.startswith("Training a small network on handwritten digits 30 times. ")
    assert "zeus-bso" in page
    assert process.returncode == 130
    assert "Run the demo again to continue" in errors
    assert "Traceback" not in output + errors
    assert processes_that_mention(tmp_path) == []
    with connect(f"sqlite:///{tmp_path / 'demo' / 'zeus-bso.db'}") as results:
        [job] = results.jobs()
        trials = results.trials(job.job_id)
    assert job.open_trials == 0
    assert len(trials) >= 2
    assert trials[-1].reason is FailReason.CANCELLED

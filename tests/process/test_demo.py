"""The demo as a user runs it."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

from zeus_bso.cli.demo_api import DemoApi
from zeus_bso.cli.demo_server import started_server
from zeus_bso.protocol.words import FailReason

SIZES = [8, 16, 32, 64, 128, 256, 512, 1024]


def demo(tmp_path: Path, *options: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "zeus_bso", "demo", "--dir", str(tmp_path / "demo"), *options],
        cwd=tmp_path,
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


def test_demo_trains_shows_a_table_and_goes_on_when_run_again(tmp_path: Path) -> None:
    first = demo(tmp_path, "--recurrences", "6")

    assert first.returncode == 0, first.stdout + first.stderr
    assert first.stderr == ""
    assert "a new job" in first.stdout
    assert [line.split()[0] for line in first.stdout.splitlines() if "/6 " in line] == [f"{n}/6" for n in range(1, 7)]
    table = [line.split()[0] for line in first.stdout.splitlines() if line.strip()[:1].isdigit() and "/6" not in line]
    assert table == [str(size) for size in SIZES]
    assert "Best batch size so far: " in first.stdout or "Chosen batch size: " in first.stdout
    assert "Saved per run against the default size 256" in first.stdout or "This is the default size" in first.stdout
    assert "zeus-bso serve --port 8000 --database-url sqlite:///demo/zeus-bso.db" in first.stdout
    assert re.search(r"open the job +http://127\.0\.0\.1:8000/job\?job_id=digits-mlp\S* in a browser\n", first.stdout)

    second = demo(tmp_path, "--recurrences", "2", "--json")

    assert second.returncode == 0, second.stdout + second.stderr
    assert "(trials so far: 6)" in second.stderr
    report = json.loads(second.stdout)
    assert report["recurrences"] == 8
    assert sum(row["runs"] for row in report["sizes"]) == 8
    assert processes_that_mention(tmp_path) == []


def test_an_interrupted_demo_cancels_its_run_leaves_no_process_and_says_how_to_go_on(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "zeus_bso", "demo", "--dir", str(tmp_path / "demo"), "--recurrences", "30"]
    process = subprocess.Popen(
        command, cwd=tmp_path, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None
        while "1/30" not in process.stdout.readline():
            assert process.poll() is None
        _wait_for_training(tmp_path / "demo" / "train.log")
        process.send_signal(signal.SIGINT)
        output, errors = process.communicate(timeout=60)
    finally:
        process.kill()

    assert process.returncode == 130
    assert "Run the demo again to continue" in errors
    assert "Traceback" not in output + errors
    assert processes_that_mention(tmp_path) == []
    with started_server(tmp_path / "demo") as url:
        api = DemoApi(url)
        [job] = api.jobs()
        trials = api.trials(job.job_id)
    assert job.open_trials == 0
    assert len(trials) >= 2
    assert trials[-1].reason is FailReason.CANCELLED

"""``zeus-bso try`` as a user runs it, on a real script."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import time
from pathlib import Path

from tests.support.forked import shell_variables

from zeus_bso.protocol.words import FailReason
from zeus_bso.results.results import connect

TRAIN = """
import sys, time
from zeus_bso import BatchSizeOptimizer, JobSpec, ReplayMonitor

EPOCHS = {8: 9, 16: 3, 32: 8}
job = JobSpec(job_id_prefix="tried", batch_sizes=list(EPOCHS), default_batch_size=32, target_metric=0.9, max_epochs=20)
bso = BatchSizeOptimizer(ReplayMonitor([(100.0, 1000.0)] * 30), job=job)
size = bso.get_batch_size()
print("given", size, flush=True)
bso.on_train_begin()
for epoch in range(1, 21):
    time.sleep(float(sys.argv[1]) if len(sys.argv) > 1 else 0)
    bso.on_evaluate(0.95 if epoch >= EPOCHS[size] else 0.1)
    if bso.training_finished:
        break
"""


COMMAND = ["zeus-bso", "try"]


def environment(*, fresh: bool = False, server_url: str = "") -> dict[str, str]:
    return os.environ | shell_variables(fresh=fresh) | {"ZEUS_BSO_SERVER_URL": server_url}


def tried(folder: Path, *options: str, script: str = TRAIN, server_url: str = "") -> subprocess.CompletedProcess[str]:
    (folder / "train.py").write_text(script)
    return subprocess.run(
        [*COMMAND, *options, "--", "python", "train.py"],
        cwd=folder,
        env=environment(server_url=server_url),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )


def printed(line: str, folder: Path) -> str:
    """What a line prints that the command has told its user."""
    return subprocess.run(
        line, shell=True, cwd=folder, env=environment(), capture_output=True, text=True, check=True
    ).stdout


def test_a_script_is_launched_until_settled_and_its_own_launches_go_on_from_the_file(tmp_path: Path) -> None:
    done = tried(tmp_path)

    assert (done.returncode, done.stderr) == (0, "")
    runs = re.findall(r"^ +\d+/40 +batch size +(\d+) ", done.stdout, re.MULTILINE)
    assert runs[0] == "32"
    assert runs[-3:] == ["16"] * 3
    assert "\nBatch size: 16.\n" in done.stdout
    assert re.search(r"Against your default size 32 it would save 62 % .*between", done.stdout, re.DOTALL)
    assert "batch_size = 16" in done.stdout
    assert '  server_url="sqlite:///' in done.stdout
    launch = next(line for line in done.stdout.splitlines() if line.startswith("  ZEUS_BSO_SERVER_URL="))
    assert printed(launch, tmp_path) == "given 16\n"
    for shown in re.findall(r"^  (\S.* jobs show .*)$", done.stdout, re.MULTILINE):
        assert f"{len(runs) + 1} runs" in printed(shown, tmp_path)

    repeated = tried(tmp_path)
    assert re.findall(r"^ +\d+/40 +batch size +(\d+) ", repeated.stdout, re.MULTILINE) == ["16"]
    assert "Go on until it is settled" not in repeated.stdout


def test_it_stops_once_no_size_can_reach_the_target(tmp_path: Path) -> None:
    hopeless = TRAIN.replace("max_epochs=20", "max_epochs=2")

    done = tried(tmp_path, script=hopeless)

    assert done.returncode == 1
    assert "No batch size reached the target within max_epochs (2). A larger max_epochs" in done.stdout
    assert "Go on" not in done.stdout
    assert done.stdout.count("/40") <= 2 * 3


def test_the_file_of_the_environment_is_used_and_its_spaces_are_quoted(tmp_path: Path) -> None:
    (tmp_path / "my jobs").mkdir()

    done = tried(tmp_path, "--max-runs", "1", server_url="sqlite:///my jobs/kept.db")

    assert done.returncode == 0, done.stderr
    assert "at most 1" not in done.stdout
    assert not (tmp_path / "zeus-bso.db").exists()
    assert "--file" not in done.stdout
    launch = next(line for line in done.stdout.splitlines() if line.startswith("  ZEUS_BSO_SERVER_URL="))
    printed(launch, tmp_path)
    with connect(f"sqlite:///{tmp_path / 'my jobs' / 'kept.db'}") as results:
        assert [job.trials for job in results.jobs()] == [2]


def test_a_script_that_fails_before_it_asks_is_not_told_to_use_the_client(tmp_path: Path) -> None:
    done = tried(tmp_path, script="raise RuntimeError('boom')", server_url="http://127.0.0.1:9")

    assert done.returncode == 1
    assert done.stderr == "zeus-bso: the script failed (status 1): RuntimeError: boom (log: zeus-bso.log)\n"
    assert "The server in ZEUS_BSO_SERVER_URL is not used" in done.stdout


def test_max_runs_and_json_serve_scripts(tmp_path: Path) -> None:
    done = tried(tmp_path, "--max-runs", "2", "--json", "--file", "kept.db")

    report = json.loads(done.stdout)
    assert (report["recurrences"], report["settled"], report["default_batch_size"]) == (2, False, 32)
    assert report["server_url"] == f"sqlite:///{tmp_path / 'kept.db'}"
    assert "2/2" in done.stderr
    assert (tmp_path / "kept.log").read_text().count("given ") == 2


def test_ctrl_c_cancels_the_run_and_says_how_to_go_on(tmp_path: Path) -> None:
    """All of its processes are interpreters of their own."""
    (tmp_path / "train.py").write_text(TRAIN)
    with subprocess.Popen(
        [*COMMAND, "--", "python", "train.py", "0.1"],
        cwd=tmp_path,
        env=environment(fresh=True),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        while "1/40" not in process.stdout.readline():
            assert process.poll() is None
        log = tmp_path / "zeus-bso.log"
        while log.read_text().count("given ") < 2:
            time.sleep(0.02)
        process.send_signal(signal.SIGINT)
        output, errors = process.communicate(timeout=240)

    assert process.returncode == 130
    assert "the same command goes on from here" in errors
    assert "Traceback" not in output + errors
    with connect(f"sqlite:///{tmp_path / 'zeus-bso.db'}") as results:
        [job] = results.jobs()
        reasons = {trial.reason for trial in results.trials(job.job_id)}
    assert reasons == {None, FailReason.CANCELLED}


def test_a_script_that_never_asks_is_told_what_it_lacks(tmp_path: Path) -> None:
    done = tried(tmp_path, script="print('trained as ever')")

    assert done.returncode == 1
    assert "It printed last: trained as ever (log: zeus-bso.log)" in done.stderr
    assert "leave server_url out" in done.stderr
    assert "bso.get_batch_size()" in done.stderr


def test_a_script_that_crashes_is_not_launched_for_ever(tmp_path: Path) -> None:
    done = tried(tmp_path, script=TRAIN.replace("for epoch", "raise RuntimeError('no data')\nfor epoch"))

    assert done.returncode == 1
    assert "the script failed (status 1): RuntimeError: no data" in done.stderr
    assert done.stdout.count("/40") == 3


def test_a_command_that_is_not_there_is_named(tmp_path: Path) -> None:
    done = subprocess.run(
        [*COMMAND, "--", "trane"],
        cwd=tmp_path,
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
    )

    assert (done.returncode, done.stderr) == (127, "zeus-bso: there is no command 'trane'.\n")

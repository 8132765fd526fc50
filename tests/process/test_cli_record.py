"""``zeus-bso record`` on real processes: a training script that only pretends to train."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from tests.support.forked import shell_variables

from zeus_bso.cli.main import main
from zeus_bso.simulator.recorded import DIGITS
from zeus_bso.simulator.traces import Pair, read_traces

SCRIPT = """
import os, sys
from pathlib import Path
from zeus_bso import BatchSizeOptimizer, JobSpec
from zeus_bso.testing import ReplayMonitor

launches = Path(sys.argv[1])
bso = BatchSizeOptimizer(
    ReplayMonitor([(2.0, 100.0)] * 20),
    job=JobSpec(
        job_id_prefix="pretence", batch_sizes=[8, 16, 32], default_batch_size=16, target_metric=0.9, max_epochs=5,
    ),
)
size = bso.get_batch_size()
with launches.open("a") as log:
    log.write(f"{size}\\n")
if size == 32:
    raise MemoryError("CUDA out of memory")
bso.on_train_begin()
for epoch in range(1, 6):
    bso.on_evaluate(0.1 + 0.2 * epoch * (size == 8))
    if bso.training_finished:
        break
"""


@pytest.fixture
def script(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    path = tmp_path / "train.py"
    path.write_text(SCRIPT)
    for name, value in shell_variables().items():
        monkeypatch.setenv(name, value)
    return ["--", "python", str(path), str(tmp_path / "launches")]


def launches(script: list[str]) -> list[int]:
    path = Path(script[-1])
    return [int(line) for line in path.read_text().split()] if path.exists() else []


def recorded(folder: Path) -> Pair:
    (pair,) = read_traces(folder).pairs()
    return pair


def test_every_size_is_run_and_written_as_traces(
    tmp_path: Path, script: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "traces"

    assert main(["record", "--out", str(out), "--runs", "2", "--workload", "a/b/c", "--gpu", "My GPU", *script]) == 0

    pair = recorded(out)
    assert (pair.workload.key, pair.gpu) == (("a", "b", "c"), "my-gpu")
    assert (pair.workload.max_epochs, pair.workload.target_metric, pair.default_batch_size) == (5, 0.9, 16)
    # 0.3, 0.5, 0.7, 0.9: the target in epoch 4; the metric of 16 stays where it is; 32 does not fit.
    assert [run.target_epoch for run in pair.runs[8]] == [4, 4]
    assert [run.target_epoch for run in pair.runs[16]] == [None, None]
    assert pair.batch_sizes == (8, 16)
    ((limit, pace),) = pair.paces[8].items()
    assert (limit, pace.time_s, pace.power_w) == (pair.max_power_w, 2.0, 50.0)
    assert sorted(launches(script)) == [8, 8, 16, 16, 32, 32]
    assert "4/4" in capsys.readouterr().err


def test_a_recording_goes_on_where_it_stopped(tmp_path: Path, script: list[str]) -> None:
    command = ["record", "--out", str(tmp_path / "traces"), "--batch-sizes", "8", "16", "--runs"]
    main([*command, "1", *script])
    (recording,) = (tmp_path / "traces").glob("recording-*.jsonl")
    lines = recording.read_text().splitlines()
    recording.write_text("\n".join(lines[:2]) + "\n")

    assert main([*command, "2", *script]) == 0

    assert launches(script) == [8, 16, 16, 8, 16]
    assert len(recorded(tmp_path / "traces").runs[8]) == 2


def test_a_finished_recording_is_left_as_it_is(tmp_path: Path, script: list[str]) -> None:
    command = ["record", "--out", str(tmp_path / "traces"), "--batch-sizes", "8", "--runs", "1", *script]
    main(command)

    assert main(command) == 0

    assert launches(script) == [8]


def test_a_launch_that_gets_no_size_is_told_so_at_once(tmp_path: Path, script: list[str]) -> None:
    command = ["record", "--out", str(tmp_path / "traces"), "--batch-sizes", "8", "--runs", "1", *script]
    main(command)

    main(command)

    assert "No batch size is left to record." in (tmp_path / "traces" / "record.log").read_text()


def test_what_was_recorded_can_be_simulated(
    tmp_path: Path, script: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    out = str(tmp_path / "traces")
    main(["record", "--out", out, "--runs", "1", "--batch-sizes", "8", "16", *script])
    capsys.readouterr()

    assert main(["simulate", "--traces", out, "--policy", "oracle", "--seeds", "1", "--json"]) == 0

    (row,) = json.loads(capsys.readouterr().out)["rows"]
    assert row["mean_regret"]["T"] == pytest.approx(0)


def test_a_command_that_asks_for_no_size_is_told_what_is_missing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["record", "--out", str(tmp_path / "traces"), "--", sys.executable, "-c", "print('hello')"]) == 1

    error = capsys.readouterr().err
    assert "without asking for a batch size" in error
    assert "ZEUS_BSO_SERVER_URL" in error
    assert (tmp_path / "traces" / "record.log").read_text() == "hello\n"


def test_traces_of_others_are_not_overwritten(
    tmp_path: Path, script: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "traces"
    out.mkdir()
    (out / "workloads.csv").write_bytes((DIGITS / "workloads.csv").read_bytes())

    assert main(["record", "--out", str(out), *script]) == 1

    assert "which would be overwritten" in capsys.readouterr().err
    assert (out / "workloads.csv").read_bytes() == (DIGITS / "workloads.csv").read_bytes()


def test_a_recording_of_another_job_is_not_mixed_in(
    tmp_path: Path, script: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["record", "--out", str(tmp_path / "traces"), "--runs", "1", "--batch-sizes", "8"]
    main([*command, *script])
    path = Path(script[2])
    path.write_text(path.read_text().replace("max_epochs=5", "max_epochs=6"))

    assert main([*command, *script]) == 1

    assert "was recorded with max_epochs 5, but now it is 6" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "give the command to run"),
        (["--", "/no/such/command"], "/no/such/command cannot be run"),
    ],
)
def test_bad_use_is_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], said: str
) -> None:
    assert main(["record", "--out", str(tmp_path / "traces"), *arguments]) in (1, 2)

    assert said in capsys.readouterr().err


def test_a_size_that_the_job_does_not_have_is_refused(
    tmp_path: Path, script: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["record", "--out", str(tmp_path / "traces"), "--batch-sizes", "7", *script]) == 2

    assert "the job has no batch size 7" in capsys.readouterr().err
    assert launches(script) == []

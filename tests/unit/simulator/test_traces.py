from __future__ import annotations

from pathlib import Path

import pytest
from tests.support.traces import POWER, TRAIN, WORKLOADS, tiny_pair, write_tiny_traces

from zeus_bso.simulator.recorded import DIGITS
from zeus_bso.simulator.trace_rows import TraceError
from zeus_bso.simulator.traces import read_traces


def test_a_pair_has_the_sizes_that_both_traces_know(tmp_path: Path) -> None:
    power = "\n".join(line for line in POWER.splitlines() if ",16,sgd" not in line)

    pair = tiny_pair(tmp_path, power=power)

    assert pair.batch_sizes == (32, 64, 128)
    assert pair.power_limits_w == (100, 200)
    assert pair.recurrences == 2 * 3 * 2


def test_runs_and_paces_are_those_of_the_files(tmp_path: Path) -> None:
    pair = tiny_pair(tmp_path)

    assert [run.target_epoch for run in pair.runs[32]] == [3, 5]
    assert [run.target_epoch for run in pair.runs[128]] == [None]
    assert pair.runs[16][0].levels == (0.5, 0.9)
    assert (pair.paces[64][200.0].time_s, pair.paces[64][200.0].energy_j) == (8, 8 * 180)
    assert pair.max_power_w == 200


@pytest.mark.parametrize(("largest", "default"), [(128, 64), (32, 32), (16, 16)])
def test_the_default_is_capped_at_the_largest_size_of_the_gpus_trace(
    tmp_path: Path, largest: int, default: int
) -> None:
    head, *lines = POWER.splitlines()
    kept = [line for line in lines if int(line.split(",")[2]) <= largest]

    assert tiny_pair(tmp_path, power="\n".join([head, *kept])).default_batch_size == default


def test_where_lower_is_better_the_easiest_level_is_the_highest(tmp_path: Path) -> None:
    train = "dataset,network,batch_size,optimizer,learning_rate,run,target_metric,target_epoch\n"
    train += "shapes,mlp,32,sgd,,1,40,7\nshapes,mlp,32,sgd,,1,80,1\nshapes,mlp,32,sgd,,1,60,3\n"
    workloads = WORKLOADS.replace("0.9,true", "45,false")

    (run,) = tiny_pair(tmp_path, train=train, workloads=workloads).runs[32]

    assert run.levels == (80, 60, 40)
    assert run.target_epoch == 7
    assert run.floor == 100


def test_a_workload_goes_by_any_of_its_names(tmp_path: Path) -> None:
    traces = read_traces(write_tiny_traces(tmp_path))

    for name in ("shapes/mlp", "shapes", "MLP", "sgd", "all"):
        assert [pair.workload.name for pair in traces.pairs((name,), ("tiny",))] == ["shapes/mlp"]


def test_workloads_that_differ_in_the_optimizer_alone_are_told_apart(tmp_path: Path) -> None:
    workloads = WORKLOADS + WORKLOADS.splitlines()[1].replace("sgd", "adam") + "\n"
    train = TRAIN + "".join(line.replace("sgd", "adam") + "\n" for line in TRAIN.splitlines()[1:])

    traces = read_traces(write_tiny_traces(tmp_path, workloads=workloads, train=train))

    assert [workload.name for workload in traces.workloads] == ["shapes/mlp/sgd", "shapes/mlp/adam"]


@pytest.mark.parametrize(
    ("file", "old", "new", "said"),
    [
        ("workloads.csv", "max_epochs", "epochs", "workloads.csv, line 1: the column max_epochs is missing"),
        ("workloads.csv", ",10,64", ",ten,64", "workloads.csv, line 2: max_epochs should be a positive integer"),
        ("workloads.csv", "true", "perhaps", "workloads.csv, line 2: higher_is_better should be true or false"),
        ("summary_train.csv", "0.9,4", "0.9,4.5", "summary_train.csv, line 3: target_epoch should be an epoch"),
        ("summary_train.csv", "0.9,4", "0.5,4", "summary_train.csv, line 3: run 1 of batch size 16 gives the level"),
        ("summary_train.csv", ",sgd,0.1,1,0.9,nan", "", "summary_train.csv, line 11: the row ends before the column"),
        ("summary_train.csv", ",0.9,", ",0.8,", "no run of shapes/mlp has a level at its target of 0.9 or beyond"),
        ("summary_power_tiny.csv", "100,20,80", "100,-20,80", "tiny.csv, line 2: time_per_epoch should be a positive"),
        ("summary_power_tiny.csv", "16,sgd,200", "16,sgd,100", "tiny.csv, line 3: batch size 16 has the power limit"),
        ("summary_power_tiny.csv", "100,20,80", "100,20,inf", "tiny.csv, line 2: average_power should be a positive"),
    ],
)
def test_what_is_wrong_is_told_with_file_and_line(tmp_path: Path, file: str, old: str, new: str, said: str) -> None:
    write_tiny_traces(tmp_path)
    path = tmp_path / file
    path.write_text(path.read_text().replace(old, new))

    with pytest.raises(TraceError) as raised:
        read_traces(tmp_path)

    assert said in str(raised.value)


@pytest.mark.parametrize("file", ["workloads.csv", "summary_train.csv", "summary_power_tiny.csv"])
def test_a_missing_file_is_named(tmp_path: Path, file: str) -> None:
    write_tiny_traces(tmp_path)
    (tmp_path / file).unlink()

    with pytest.raises(TraceError, match=file.replace("tiny", "GPU")):
        read_traces(tmp_path)


def test_an_unknown_name_is_answered_with_those_that_there_are(tmp_path: Path) -> None:
    traces = read_traces(write_tiny_traces(tmp_path))

    with pytest.raises(TraceError, match=r"no GPU 'a100'.*there are: tiny"):
        traces.pairs(gpus=("a100",))
    with pytest.raises(TraceError, match=r"no workload 'mnist'.*there are: shapes/mlp"):
        traces.pairs(("mnist",))


def test_the_package_comes_with_traces_of_the_demo_job() -> None:
    (pair,) = read_traces(DIGITS).pairs()

    assert pair.batch_sizes == (8, 16, 32, 64, 128, 256, 512, 1024)
    assert pair.default_batch_size == 256
    assert all(len(runs) >= 3 for runs in pair.runs.values())

"""The trackers themselves, without a network: what ``log_to`` leaves in a run of W&B, of MLflow and of TensorBoard."""

from __future__ import annotations

import itertools
import json
import re
import struct
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import mlflow
import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from torch.utils.tensorboard import SummaryWriter

from zeus_bso import BatchSizeOptimizer, JobSpec
from zeus_bso.testing import InMemoryServer, ReplayMonitor

PAGE = Path(__file__).parents[2] / "docs" / "results.md"
JOB = JobSpec(job_id_prefix="tracked", batch_sizes=[64], default_batch_size=64, target_metric=0.9, max_epochs=9)
METRICS = (0.1, 0.5, 0.7, 0.95)


@pytest.fixture
def bso() -> BatchSizeOptimizer:
    return BatchSizeOptimizer(
        ReplayMonitor(itertools.repeat((1.0, 10.0))), job=JOB, transport=InMemoryServer(), heartbeat_s=None
    )


def train(bso: BatchSizeOptimizer, each_epoch: Any = None) -> None:
    bso.get_batch_size()
    bso.on_train_begin()
    for epoch, metric in enumerate(METRICS):
        bso.on_evaluate(metric)
        if each_epoch is not None:
            each_epoch(epoch)
    assert bso.training_finished


@pytest.fixture(scope="module")
def wandb(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """The package W&B. It makes temporary folders when it is imported."""
    with pytest.MonkeyPatch.context() as patch:
        folder = str(tmp_path_factory.mktemp("wandb"))
        patch.setattr(tempfile, "tempdir", folder)
        for name in ("WANDB_CACHE_DIR", "WANDB_CONFIG_DIR", "WANDB_DATA_DIR"):
            patch.setenv(name, folder)
        patch.setenv("WANDB_SILENT", "true")
        import wandb

        yield wandb


class TestWandb:
    @pytest.fixture
    def run(self, wandb: Any, tmp_path: Path) -> Iterator[Any]:
        with wandb.init(project="test", mode="offline", dir=tmp_path) as run:
            yield run
        wandb.teardown()

    def test_config_and_summary(self, wandb: Any, run: Any, bso: BatchSizeOptimizer) -> None:
        bso.log_to(wandb.run)
        train(bso)

        assert run.config["zeus_bso/batch_size"] == 64
        assert run.config["zeus_bso/type"] == "MAB"
        assert "the default" in run.config["zeus_bso/why"]
        assert run.summary["zeus_bso/outcome"] == "converged"
        assert run.summary["zeus_bso/energy_j"] == 40.0
        assert run.summary["zeus_bso/saved_energy_j"] == 0.0

    def test_the_module_is_as_good_as_its_run(self, wandb: Any, run: Any, bso: BatchSizeOptimizer) -> None:
        bso.log_to(wandb)
        train(bso)
        assert run.summary["zeus_bso/outcome"] == "converged"

    def test_where_nobody_else_logs_every_evaluation_is_a_step(self, run: Any, bso: BatchSizeOptimizer) -> None:
        bso.log_to(run)
        train(bso)

        rows = history(run)
        assert [(row["zeus_bso/epoch"], row["zeus_bso/energy_j"]) for row in rows] == [
            (1, 10),
            (2, 20),
            (3, 30),
            (4, 40),
        ]

    def test_the_steps_of_the_script_keep_all_that_it_logs(self, run: Any, bso: BatchSizeOptimizer) -> None:
        bso.log_to(run)
        train(bso, lambda epoch: run.log({"loss": epoch}, step=epoch))
        run.log({"test": 1.0}, step=len(METRICS) - 1)
        run.log({"later": 1.0}, step=len(METRICS))

        rows = history(run)
        assert [row["loss"] for row in rows if "loss" in row] == [0, 1, 2, 3]
        assert [(row["_step"], row["test"]) for row in rows if "test" in row] == [(3, 1.0)]
        assert [row["_step"] for row in rows if "later" in row] == [4]
        assert [row["zeus_bso/epoch"] for row in rows if "zeus_bso/epoch" in row][-1] == 4


def history(run: Any) -> list[dict[str, Any]]:
    """Finish a run, and read the rows that it has written to its file."""
    from wandb.proto import wandb_internal_pb2

    run.finish()
    sys.modules["wandb"].teardown()  # only then all is written
    [path] = Path(run.dir).parent.glob("*.wandb")
    rows = []
    for data in records(path.read_bytes()):
        record = wandb_internal_pb2.Record()
        record.ParseFromString(data)
        if record.HasField("history"):
            items = record.history.item
            rows.append({item.key or "/".join(item.nested_key): json.loads(item.value_json) for item in items})
            rows[-1].setdefault("_step", record.history.step.num)
    return rows


def records(data: bytes) -> Iterator[bytes]:
    """The records of a file in LevelDB's format, after W&B's own header: blocks that hold pieces of records."""
    at, record = 7, b""
    while at + 7 <= len(data):
        left = 32768 - at % 32768
        if left < 7:
            at += left
            continue
        length, kind = struct.unpack("<HB", data[at + 4 : at + 7])
        record += data[at + 7 : at + 7 + length]
        at += 7 + length
        if kind in (1, 4):  # a whole record, or the last piece of one
            yield record
            record = b""


class TestMlflow:
    @pytest.fixture(autouse=True)
    def store(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
        monkeypatch.chdir(tmp_path)
        mlflow.set_tracking_uri(f"sqlite:///{tmp_path / 'mlflow.db'}")
        yield
        while mlflow.active_run() is not None:
            mlflow.end_run()

    def test_parameters_metrics_and_outcome(self, bso: BatchSizeOptimizer) -> None:
        with mlflow.start_run() as run:
            bso.log_to(mlflow)
            train(bso)

        data = mlflow.get_run(run.info.run_id).data
        assert data.params["zeus_bso/batch_size"] == "64"
        assert "the default" in data.params["zeus_bso/why"]
        assert data.metrics["zeus_bso/energy_j"] == 40.0
        assert data.metrics["zeus_bso/saved_energy_j"] == 0.0
        assert data.tags["zeus_bso/outcome"] == "converged"
        curve = mlflow.MlflowClient().get_metric_history(run.info.run_id, "zeus_bso/metric")
        assert [(point.step, point.value) for point in curve] == [(1, 0.1), (2, 0.5), (3, 0.7), (4, 0.95)]

    def test_a_run_may_begin_after_the_ask(self, bso: BatchSizeOptimizer) -> None:
        bso.log_to(mlflow)
        bso.get_batch_size()
        assert mlflow.active_run() is None
        with mlflow.start_run() as run:
            train(bso)

        data = mlflow.get_run(run.info.run_id).data
        assert data.params["zeus_bso/batch_size"] == "64"
        assert data.tags["zeus_bso/outcome"] == "converged"

    def test_without_a_run_it_starts_none_and_says_what_to_do(
        self, bso: BatchSizeOptimizer, caplog: pytest.LogCaptureFixture
    ) -> None:
        bso.log_to(mlflow)
        train(bso)

        assert mlflow.active_run() is None
        assert len([said for said in caplog.messages if "call mlflow.start_run() before" in said]) == 1


class TestTensorBoard:
    def test_scalars_and_tables(self, bso: BatchSizeOptimizer, tmp_path: Path) -> None:
        with SummaryWriter(str(tmp_path)) as writer:
            bso.log_to(writer)
            train(bso)

        read = EventAccumulator(str(tmp_path)).Reload()
        assert [(event.step, event.value) for event in read.Scalars("zeus_bso/energy_j")] == [
            (1, 10.0),
            (2, 20.0),
            (3, 30.0),
            (4, 40.0),
        ]
        config, summary = (
            read.Tensors(f"zeus_bso/{name}/text_summary")[0].tensor_proto.string_val[0].decode()
            for name in ("config", "summary")
        )
        assert "| batch_size | 64 |" in config
        assert "| outcome | converged |" in summary
        assert len(list(tmp_path.iterdir())) == 1


def test_the_lines_of_the_documentation_log_to_all_of_them(
    wandb: Any,
    bso: BatchSizeOptimizer,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    mlflow.set_tracking_uri(f"sqlite:///{tmp_path / 'mlflow.db'}")
    [lines] = re.findall(r"^```python tracker\n(.*?)^```$", PAGE.read_text(), re.MULTILINE | re.DOTALL)
    with wandb.init(mode="offline", dir=tmp_path) as run, mlflow.start_run() as active:
        exec(lines, {"bso": bso, "wandb": wandb, "mlflow": mlflow, "SummaryWriter": SummaryWriter})
        train(bso)
        assert run.summary["zeus_bso/outcome"] == "converged"
    wandb.teardown()

    assert mlflow.get_run(active.info.run_id).data.tags["zeus_bso/outcome"] == "converged"
    assert EventAccumulator("runs").Reload().Scalars("zeus_bso/energy_j")[-1].step == 4
    assert "summary {'outcome': 'converged'" in capsys.readouterr().out

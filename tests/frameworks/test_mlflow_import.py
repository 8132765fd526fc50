"""``zeus-bso runs import`` from a real MLflow store."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from mlflow import MlflowClient
from mlflow.entities import Metric, Param

from tests.support.jobs import spec
from zeus_bso.cli.importing import mlflow_source
from zeus_bso.cli.main import main
from zeus_bso.client.connection.connect import transport_for

BEGIN_MS = 1_767_323_045_000


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Runs as a training script logs them: a batch size, a metric after each epoch, and energy."""
    uri = f"sqlite:///{tmp_path_factory.mktemp('mlflow') / 'mlflow.db'}"
    client = MlflowClient(uri)
    experiment = client.create_experiment("nightly")
    for number, (size, epochs, best, status) in enumerate(
        [(16, 5, 0.95, "FINISHED"), (32, 6, 0.95, "FINISHED"), (64, 10, 0.5, "FINISHED"), (8, 2, 0.4, "FAILED")]
    ):
        begin = BEGIN_MS + number * 86_400_000
        run = client.create_run(experiment, start_time=begin)
        curve = [Metric("acc", best * min(1.0, (at + 1) / epochs), begin, at) for at in range(10)]
        energy = [Metric("energy_kwh", 1.0 / (number + 1), begin, 0)]
        params = [Param("bs", str(size)), Param("epochs", "99")]
        client.log_batch(run.info.run_id, metrics=curve + energy, params=params)
        client.set_terminated(run.info.run_id, status, end_time=begin + 1_000_000)
    return uri


@pytest.fixture
def jobs(tmp_path: Path) -> str:
    """A file with a job."""
    url = f"sqlite:///{tmp_path / 'jobs.db'}"
    transport = transport_for(url, None)
    transport.request("POST", "/jobs", body=spec(policy="surrogate", eta_knob=0.5), timeout_s=60.0)
    transport.close()
    return url


def imported(source: str, jobs: str, *options: str) -> int:
    return main(["runs", "import", f"mlflow:{source}", "--job", "job", "--server-url", jobs, *options])


@pytest.mark.parametrize("together", [True, False])
@pytest.mark.parametrize("most_kept", [mlflow_source._MOST_KEPT, 0])
def test_finished_runs_are_learnt_from_their_curves(
    store: str,
    jobs: str,
    together: bool,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    most_kept: int,
) -> None:
    monkeypatch.setattr(mlflow_source, "_MOST_KEPT", most_kept)
    if not together:
        monkeypatch.delattr("mlflow.store.tracking.sqlalchemy_store.SqlAlchemyStore.get_metric_history_bulk")
    assert imported(f"{store}#nightly", jobs, "--map", "batch_size=bs,curve=acc", "--json") == 0
    said = capsys.readouterr()
    answer: dict[str, Any] = json.loads(said.out)

    assert answer["learnt"] == {"run": 3}
    sizes = {size["batch_size"]: size for size in answer["batch_sizes"]}
    assert (sizes[16]["mean_epochs"], sizes[32]["mean_epochs"], sizes[64]["reached"]) == (5.0, 6.0, 0)
    assert sizes[16]["mean_time"] == pytest.approx(500.0)
    assert sizes[16]["mean_energy"] == pytest.approx(1.8e6)
    assert "1 run has not finished and is passed over." in said.err


def test_runs_are_read_in_pages(
    store: str, jobs: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mlflow_source, "_PAGE", 2)
    monkeypatch.setattr(mlflow_source, "_TOGETHER", 1)
    options = ("--map", "batch_size=bs,metric=acc", "--json")
    assert imported(f"{store}#nightly", jobs, *options) == 0
    first = json.loads(capsys.readouterr().out)
    assert imported(f"{store}#nightly", jobs, *options) == 0
    again = json.loads(capsys.readouterr().out)

    assert (first["added"], first["learnt"]) == (3, {"cost": 1, "nothing": 2}), (
        "what was planned is not taken for epochs"
    )
    assert (again["added"], again["known"]) == (0, 3)


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("{store}#weekly", "has no experiment 'weekly'; it has "),
        ("{store}", "write mlflow:URI#EXPERIMENT"),
        ("sqlite:////no/such/mlflow.db#nightly", "there is no such MLflow store"),
        ("http://127.0.0.1:9#nightly", "cannot be read"),
    ],
)
def test_what_is_wrong_is_said_in_a_sentence(
    store: str,
    jobs: str,
    source: str,
    said: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    assert imported(source.format(store=store), jobs) in (1, 2)
    error = capsys.readouterr().err

    assert said in error
    assert "Traceback" not in error

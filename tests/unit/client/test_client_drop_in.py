"""What scripts of the zeus package's kind, and whatever holds an optimizer, do with it."""

from __future__ import annotations

import copy
import logging
import pickle
from itertools import repeat

import numpy as np
import pytest
from tests.unit.client.tiny_server import CONVERGED, ScriptedTransport

from zeus_bso import BatchSizeOptimizer, EnergyMonitor, JobSpec, ZeusBSOOrderError
from zeus_bso.client import copies
from zeus_bso.monitor import ReplayMonitor
from zeus_bso.protocol.urls import REPORT_RESULT_URL

JOB = JobSpec(job_id_prefix="drop-in", batch_sizes=[64], default_batch_size=64, target_metric=0.9)


@pytest.fixture
def server() -> ScriptedTransport:
    return ScriptedTransport()


@pytest.fixture
def bso(server: ScriptedTransport) -> BatchSizeOptimizer:
    made = BatchSizeOptimizer(ReplayMonitor(repeat((1.0, 10.0))), job=JOB, transport=server, heartbeat_s=None)
    made.get_batch_size()
    made.on_train_begin()
    return made


def test_the_moments_of_a_callback_set_mean_nothing(bso: BatchSizeOptimizer, server: ScriptedTransport) -> None:
    asked = len(server.requests)
    bso.on_epoch_begin()
    bso.on_step_begin()
    bso.on_instruction_begin("forward")
    bso.on_instruction_end("forward")
    bso.on_step_end()
    bso.on_epoch_end()
    assert len(server.requests) == asked
    bso.cancel()


class ArrayWithoutItem:
    """As TensorFlow's tensors are."""

    def numpy(self) -> np.ndarray:
        return np.array([[0.95]])


@pytest.mark.parametrize(
    "metric",
    [
        0.95,
        np.float32(0.95),
        np.array(0.95),
        np.array([0.95]),
        np.array([[[0.95]]], dtype=np.float32),
        ArrayWithoutItem(),
    ],
    ids=["float", "scalar", "0-d", "1-d", "3-d", "numpy()"],
)
def test_a_metric_may_be_any_array_of_one_element(
    metric: float, bso: BatchSizeOptimizer, server: ScriptedTransport
) -> None:
    server.answers[REPORT_RESULT_URL] = (200, CONVERGED)
    bso.on_evaluate(metric)
    assert server.reports[-1]["metric"] == pytest.approx(0.95)
    assert bso.training_finished


@pytest.mark.parametrize("metric", [np.array([0.1, 0.2]), np.array([]), None, "good", 1j, object()])
def test_what_is_no_number_is_said_and_not_reported(
    metric: float, bso: BatchSizeOptimizer, server: ScriptedTransport, caplog: pytest.LogCaptureFixture
) -> None:
    bso.on_evaluate(metric)
    assert server.reports == []
    assert "The metric is not a number" in caplog.text
    bso.cancel()


def test_copies_of_what_holds_an_optimizer_share_it(bso: BatchSizeOptimizer) -> None:
    holder = {"model": [1, 2], "bso": bso}
    assert copy.deepcopy(holder)["bso"] is bso
    assert copy.copy(bso) is bso
    monitor = EnergyMonitor(gpu_indices=[])
    assert copy.deepcopy([monitor]) == [monitor]
    bso.cancel()


def test_what_is_saved_with_an_optimizer_keeps_its_state(bso: BatchSizeOptimizer) -> None:
    bso.on_evaluate(0.5)
    loaded = pickle.loads(pickle.dumps({"bso": bso}))["bso"]
    assert loaded.state_dict() == bso.state_dict()
    assert loaded.state_dict()["current_epoch"] == 1
    assert copy.deepcopy(loaded).state_dict() == loaded.state_dict()
    assert pickle.loads(pickle.dumps(loaded)).state_dict() == loaded.state_dict()
    with pytest.raises(ZeusBSOOrderError, match="build a new one with resume=state"):
        loaded.on_evaluate(0.5)
    bso.cancel()


def test_saving_says_once_what_to_do(bso: BatchSizeOptimizer, caplog: pytest.LogCaptureFixture) -> None:
    copies._say_once.cache_clear()
    with caplog.at_level(logging.WARNING):
        pickle.dumps(bso)
        pickle.dumps(bso)
    [sentence] = [line for line in caplog.messages if "resume=state" in line]
    assert "state_dict()" in sentence
    bso.cancel()

"""PyTorch's tensors as metrics, and modules that hold an optimizer."""

from __future__ import annotations

import copy
from itertools import repeat
from pathlib import Path

import pytest
import torch

from zeus_bso import BatchSizeOptimizer, JobSpec
from zeus_bso.testing import InMemoryServer, ReplayMonitor

JOB = JobSpec(job_id_prefix="torch", batch_sizes=[64], default_batch_size=64, target_metric=0.9, max_epochs=9)


@pytest.fixture
def bso() -> BatchSizeOptimizer:
    made = BatchSizeOptimizer(ReplayMonitor(repeat((1.0, 10.0))), job=JOB, transport=InMemoryServer())
    made.get_batch_size()
    made.on_train_begin()
    return made


@pytest.mark.parametrize(
    "metric",
    [
        torch.tensor(0.95),
        torch.tensor([0.95]),
        torch.tensor([[0.95]], requires_grad=True),
        torch.tensor(0.95, dtype=torch.bfloat16),
        torch.nn.Parameter(torch.tensor([0.95])),
    ],
    ids=["0-d", "1-d", "2-d with a gradient", "half precision", "parameter"],
)
def test_a_tensor_of_one_element_is_a_metric(metric: torch.Tensor, bso: BatchSizeOptimizer) -> None:
    bso.on_evaluate(metric)
    assert bso.training_finished


def test_a_module_that_holds_an_optimizer_is_copied_and_saved(bso: BatchSizeOptimizer, tmp_path: Path) -> None:
    module = torch.nn.Linear(2, 1)
    module.bso = bso
    averaged = torch.optim.swa_utils.AveragedModel(module)
    assert averaged.module.bso is bso
    assert copy.deepcopy(module).bso is bso
    bso.on_evaluate(0.5)
    torch.save(module, tmp_path / "module.pt")
    loaded = torch.load(tmp_path / "module.pt", weights_only=False)
    assert loaded.bso.state_dict() == bso.state_dict()
    bso.cancel()

"""Specs and trials to talk about."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

Json = dict[str, Any]

SPEC: Json = {
    "job_id": "job",
    "job_id_prefix": "unit",
    "batch_sizes": [8, 16, 32, 64],
    "default_batch_size": 16,
    "eta_knob": 1.0,
    "beta_knob": 2.0,
    "target_metric": 0.9,
    "higher_is_better_metric": True,
    "max_epochs": 10,
    "num_pruning_rounds": 1,
    "window_size": 0,
    "mab_prior_mean": 0.0,
    "mab_prior_precision": 0.0,
    "mab_num_explorations": 2,
    "mab_seed": 1,
    "max_power": 300.0,
    "number_of_gpus": 1,
    "gpu_model": "A100",
}
"""Every field that the protocol names; with ``eta_knob`` 1 a run's cost is its energy."""


def spec(**changes: Any) -> Json:
    """A valid spec with some fields changed."""
    return SPEC | changes


@dataclass(frozen=True)
class Trial:
    """A trial as it was offered."""

    job_id: str
    batch_size: int
    trial_number: int

    @classmethod
    def of(cls, answer: Mapping[str, Any]) -> Trial:
        """Read it from the answer to an ask."""
        return cls(answer["job_id"], answer["batch_size"], answer["trial_number"])

    @property
    def body(self) -> Json:
        """Its TrialId."""
        return {"job_id": self.job_id, "batch_size": self.batch_size, "trial_number": self.trial_number}

    def result(self, **changes: Any) -> Json:
        """A TrainingResult that decides nothing, with some fields changed."""
        return self.body | {"time": 10.0, "energy": 100.0, "metric": 0.5, "current_epoch": 1} | changes

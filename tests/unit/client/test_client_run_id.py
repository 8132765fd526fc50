"""What a recurrence is called."""

from __future__ import annotations

import pytest

from zeus_bso.client.run_id import named_run_id
from zeus_bso.exceptions import ZeusBSOConfigError

VARIABLES = (
    "ZEUS_BSO_RUN_ID",
    "SLURM_JOB_ID",
    "SLURM_ARRAY_JOB_ID",
    "SLURM_ARRAY_TASK_ID",
    "SLURM_RESTART_COUNT",
    "TORCHELASTIC_RUN_ID",
    "ZEUS_BSO_KUBERNETES_JOB",
    "JOB_COMPLETION_INDEX",
    "HOSTNAME",
)


@pytest.fixture(autouse=True)
def _outside_of_any_scheduler(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)


def test_without_a_name_there_is_none() -> None:
    assert named_run_id(None) is None


def test_the_argument_goes_before_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ZEUS_BSO_RUN_ID", "theirs")
    assert (named_run_id("mine"), named_run_id(None)) == ("mine", "theirs")


@pytest.mark.parametrize(
    ("scheduler", "variables", "run_id"),
    [
        ("slurm", {"SLURM_JOB_ID": "77", "SLURM_RESTART_COUNT": "2"}, "slurm-77"),
        ("slurm", {"SLURM_JOB_ID": "80", "SLURM_ARRAY_JOB_ID": "77", "SLURM_ARRAY_TASK_ID": "3"}, "slurm-77_3"),
        ("torchelastic", {"TORCHELASTIC_RUN_ID": "night-1"}, "torchelastic-night-1"),
        ("kubernetes", {"ZEUS_BSO_KUBERNETES_JOB": "train-28", "HOSTNAME": "train-28-x7f"}, "kubernetes-train-28"),
        ("kubernetes", {"ZEUS_BSO_KUBERNETES_JOB": "train", "JOB_COMPLETION_INDEX": "0"}, "kubernetes-train-0"),
    ],
)
@pytest.mark.parametrize("by", ["argument", "environment"])
def test_a_schedulers_name_outlives_a_restart(
    monkeypatch: pytest.MonkeyPatch, scheduler: str, variables: dict[str, str], run_id: str, by: str
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    if by == "environment":
        monkeypatch.setenv("ZEUS_BSO_RUN_ID", scheduler)
    assert named_run_id(scheduler if by == "argument" else None) == run_id


@pytest.mark.parametrize(
    ("scheduler", "variables", "remedy"),
    [
        ("slurm", {}, "sbatch"),
        ("torchelastic", {}, "torchrun"),
        ("torchelastic", {"TORCHELASTIC_RUN_ID": "none"}, "--rdzv-id"),
        ("kubernetes", {"HOSTNAME": "train-x7f"}, r"metadata\.labels\['batch\.kubernetes\.io/job-name'\]"),
    ],
)
def test_what_the_scheduler_does_not_say_is_an_error_with_its_remedy(
    monkeypatch: pytest.MonkeyPatch, scheduler: str, variables: dict[str, str], remedy: str
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(ZeusBSOConfigError, match=remedy):
        named_run_id(scheduler)

"""What a recurrence is called."""

from __future__ import annotations

import pytest

from zeus_bso.client.resume import SavedRun, run_id_of
from zeus_bso.client.run_id import named_run_id, reused_name
from zeus_bso.exceptions import ZeusBSOConfigError

VARIABLES = (
    "ZEUS_BSO_RUN_ID",
    "SLURM_JOB_ID",
    "SLURM_CLUSTER_NAME",
    "TORCHELASTIC_ERROR_FILE",
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
        ("slurm", {"SLURM_JOB_ID": "77", "SLURM_CLUSTER_NAME": "alps"}, "slurm-alps-77"),
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
        ("kubernetes", {"HOSTNAME": "train-x7f"}, r"metadata\.labels\['batch\.kubernetes\.io/controller-uid'\]"),
    ],
)
def test_what_the_scheduler_does_not_say_is_an_error_with_its_remedy(
    monkeypatch: pytest.MonkeyPatch, scheduler: str, variables: dict[str, str], remedy: str
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(ZeusBSOConfigError, match=remedy):
        named_run_id(scheduler)


class TestNamesThatComeAgain:
    UID = "0c7a2f6e-9d1b-4a57-8f6a-5b1d7f0a9e11"

    def elastic(self, monkeypatch: pytest.MonkeyPatch, launch: str, attempt: int) -> str:
        monkeypatch.setenv("TORCHELASTIC_RUN_ID", "night")
        monkeypatch.setenv("TORCHELASTIC_ERROR_FILE", f"/tmp/torchelastic_x/{launch}/attempt_{attempt}/0/error.json")
        name = named_run_id("torchelastic")
        assert name is not None
        return name

    def test_a_launch_of_torchrun_has_one_run_id_in_all_its_attempts_and_another_has_another(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        first = self.elastic(monkeypatch, "night_a", 0)
        assert self.elastic(monkeypatch, "night_a", 1) == first
        assert self.elastic(monkeypatch, "night_b", 0) != first

    @pytest.mark.parametrize(
        ("run_id", "name"),
        [
            ("kubernetes-train", "kubernetes-train"),
            (f"kubernetes-{UID}", None),
            (f"kubernetes-{UID}-3", None),
            ("torchelastic-night", "torchelastic-night"),
            ("torchelastic-night-launch-0123456789ab", "torchelastic-night"),
            ("slurm-alps-77", None),
            ("mine", None),
        ],
    )
    def test_which_part_of_a_run_id_may_come_again(self, run_id: str, name: str | None) -> None:
        assert reused_name(run_id) == name

    @pytest.mark.parametrize(("finished", "goes_on"), [(False, True), (True, False)])
    def test_an_unfinished_checkpoint_carries_a_run_over_launches_of_the_same_name(
        self, monkeypatch: pytest.MonkeyPatch, finished: bool, goes_on: bool
    ) -> None:
        before, named = self.elastic(monkeypatch, "night_a", 0), self.elastic(monkeypatch, "night_b", 0)
        saved = SavedRun(
            job_id="j", run_id=before, trial_number=1, time=1.0, energy=1.0, current_epoch=1, finished=finished
        )
        assert run_id_of(named, saved) == (before if goes_on else named)

    def test_a_checkpoint_of_another_name_does_not(self) -> None:
        saved = SavedRun(
            job_id="j", run_id="slurm-76", trial_number=1, time=1.0, energy=1.0, current_epoch=1, finished=False
        )
        assert run_id_of("slurm-77", saved) == "slurm-77"

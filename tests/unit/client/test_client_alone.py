"""Several processes that each ask for themselves."""

from __future__ import annotations

import pytest

from zeus_bso.client.single_process import SingleProcess
from zeus_bso.exceptions import ZeusBSOConfigError, ZeusBSOOrderError

VARIABLES = ("WORLD_SIZE", "RANK", "LOCAL_RANK", "SLURM_NTASKS", "SLURM_PROCID", "OMPI_COMM_WORLD_SIZE")


@pytest.fixture(autouse=True)
def _alone(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize(
    "variables",
    [
        {"WORLD_SIZE": "2", "RANK": "1"},
        {"WORLD_SIZE": "4", "LOCAL_RANK": "3"},
        {"SLURM_NTASKS": "8", "SLURM_PROCID": "2"},
        {"OMPI_COMM_WORLD_SIZE": "2", "OMPI_COMM_WORLD_RANK": "1"},
    ],
)
def test_one_of_several_processes_that_asks_for_itself_is_told_what_to_say(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str]
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(ZeusBSOConfigError, match="distributed=True"):
        SingleProcess(0).check_asking()


@pytest.mark.parametrize(
    "variables",
    [
        {},
        {"WORLD_SIZE": "2", "RANK": "0"},
        {"WORLD_SIZE": "1", "RANK": "0"},
        {"SLURM_NTASKS": "8", "SLURM_PROCID": "0"},
        {"SLURM_NTASKS": "8"},
        {"WORLD_SIZE": "two", "RANK": "1"},
    ],
)
def test_rank_0_and_a_process_alone_ask(monkeypatch: pytest.MonkeyPatch, variables: dict[str, str]) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    SingleProcess(0).check_asking()


def test_a_rank_that_knows_that_it_is_none_that_asks_is_told_so() -> None:
    with pytest.raises(ZeusBSOOrderError, match="broadcast"):
        SingleProcess(1).check_asking()

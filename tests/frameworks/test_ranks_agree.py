"""Whatever happens to one rank of a training happens to all, and to every rank in the same way."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.frameworks.launches import SCRIPTS, Launch, jobs, trials
from tests.support.process import ServerProcess

pytest.importorskip("torch", reason="run by: make test-frameworks")

Met = dict[str, list[str]]


@pytest.fixture(scope="module")
def met(tmp_path_factory: pytest.TempPathFactory) -> tuple[Met, Met]:
    """What each of two ranks has met."""
    folder = tmp_path_factory.mktemp("errors")
    server = ServerProcess(folder / "zeus-bso.db")
    server.start()
    with Launch([SCRIPTS / "errors.py", server.url], folder, ranks=2, variables={"ZEUS_BSO_WAIT_S": 1}) as launch:
        first, second = launch.last_words()
    server.end()
    return first, second


@pytest.mark.parametrize(
    ("name", "error", "words"),
    [
        ("no_server", "ZeusBSOServerUnreachableError", "cannot be reached"),
        ("no_server_but_a_default", "ZeusBSOError", "stopped: True, after 2"),
        ("other_gpus", "ZeusBSOMonitorError", "Model 0 on rank 0; Model 1 on rank 1"),
        ("target_missed", "ZeusBSOTrainFailError", "max_epochs (2)"),
        ("ended_early", "ZeusBSOTrainFailError", ""),
        ("broken_monitor", "ZeusBSOTrainFailError", "max_epochs (2)"),
        ("no_metric", "ZeusBSOError", "evaluated: 0"),
        ("late_rank", "ZeusBSODistributedError", "did not come within 2 s"),
    ],
)
def test_both_ranks_meet_the_same(met: tuple[Met, Met], name: str, error: str, words: str) -> None:
    first, second = met[0][name], met[1][name]

    assert first[0] == error
    assert words in first[1]
    assert second[0] == error
    if name != "late_rank":
        assert first == second


def test_a_script_of_the_reference_s_shape_runs_as_it_is(server: ServerProcess, tmp_path: Path) -> None:
    with Launch([SCRIPTS / "reference_shape.py", server.url], tmp_path, ranks=2) as launch:
        first, second = launch.last_words()

    assert (first["epoch"], first["size"]) == (3, 32)
    assert first == second
    [job] = jobs(server.url)
    [trial] = trials(server.url, job["job_id"])
    assert (trial["outcome"], trial["current_epoch"], trial["energy"]) == ("converged", 3, 30.0)


def test_lightning_stops_both_ranks_together(server: ServerProcess, tmp_path: Path) -> None:
    with Launch([SCRIPTS / "lightning_ranks.py", server.url], tmp_path, ranks=2) as launch:
        first, second = launch.last_words()

    assert first == second == {"epoch": 3, "finished": True}
    [job] = jobs(server.url)
    [trial] = trials(server.url, job["job_id"])
    assert (trial["outcome"], trial["current_epoch"], trial["energy"]) == ("converged", 3, 60.0)

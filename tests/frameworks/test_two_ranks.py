"""Two processes of PyTorch that train one model against a real server."""

from __future__ import annotations

import json
import signal
from pathlib import Path

import pytest

from tests.frameworks.launches import SCRIPTS, Json, Launch, be_silent, trials
from tests.support.process import ServerProcess

pytest.importorskip("torch", reason="run by: make test-frameworks")

EPOCH_S, EPOCH_J = 2.0, 30.0


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    return tmp_path / "checkpoint.pt"


def two_ranks(server: ServerProcess, checkpoint: Path, **variables: object) -> Launch:
    """Two ranks of the script, which reaches its target at epoch 8."""
    command = [SCRIPTS / "two_ranks.py", server.url, checkpoint]
    return Launch(command, checkpoint.parent, ranks=2, variables=variables)


def only_trial(server: ServerProcess) -> Json:
    [trial] = trials(server.url, "ranks")
    return trial


def test_both_ranks_train_with_one_size_and_end_at_one_epoch(server: ServerProcess, checkpoint: Path) -> None:
    with two_ranks(server, checkpoint) as launch:
        first, second = launch.last_words()

    assert (first["epoch"], first["size"], first["trial"]) == (8, 32, 1)
    logged = [f"evaluation {epoch}" for epoch in range(1, 9)]
    assert (first.pop("logged"), second.pop("logged")) == (["config", *logged, "summary converged"], [])
    assert first == second
    trial = only_trial(server)
    assert (trial["outcome"], trial["current_epoch"]) == ("converged", 8)
    assert (trial["time"], trial["energy"]) == (8 * EPOCH_S, 8 * EPOCH_J)


@pytest.mark.parametrize("by", [signal.SIGKILL, signal.SIGTERM])
def test_a_killed_run_goes_on_from_its_checkpoint_and_its_lost_epochs_are_kept_apart(
    by: signal.Signals, server: ServerProcess, checkpoint: Path
) -> None:
    with two_ranks(server, checkpoint, STOPS_AT=5) as launch:
        assert [json.loads(said)["state"] for said in launch.hear()] == ["waits", "waits"]
        launch.send(by)
        assert all(code != 0 for code in launch.wait())
    cut = only_trial(server)
    assert (cut["current_epoch"], cut["energy"]) == (5, 5 * EPOCH_J)
    assert cut["reason"] == ("preempted" if by is signal.SIGTERM else None)

    be_silent()

    with two_ranks(server, checkpoint) as launch:
        first, second = launch.last_words()

    assert (first["epoch"], first["trial"]) == (8, 1)
    assert first.pop("logged")[:2] == ["config", "evaluation 4"]
    assert second.pop("logged") == []
    assert first == second
    trial = only_trial(server)
    assert (trial["outcome"], trial["current_epoch"]) == ("converged", 8)
    # The checkpoint's three epochs and five new ones lead to the target; the first launch's last two do not.
    assert (trial["time"], trial["energy"]) == (8 * EPOCH_S, 8 * EPOCH_J)
    assert (trial["wasted_time"], trial["wasted_energy"]) == (2 * EPOCH_S, 2 * EPOCH_J)


def test_a_rank_that_dies_ends_the_other_which_says_so(server: ServerProcess, checkpoint: Path) -> None:
    with two_ranks(server, checkpoint, FAILS_AT=2, FAILS_BY="exit") as launch:
        assert launch.wait()[1] == 3
        assert launch.wait()[0] != 0
        assert "The ranks have lost each other" in launch.errors[0]

    trial = only_trial(server)
    # It says nothing about the batch size that a rank was lost.
    assert (trial["status"], trial["reason"], trial["current_epoch"]) == ("Failed", "preempted", 1)


def test_ranks_that_part_are_told_which_of_them_called_what(server: ServerProcess, checkpoint: Path) -> None:
    with two_ranks(server, checkpoint, FAILS_AT=2, FAILS_BY="leaving") as launch:
        assert all(code != 0 for code in launch.wait())
        for said in launch.errors:
            assert "rank 0 in on_evaluate(), rank 1 in on_train_end()" in said

    trial = only_trial(server)
    assert (trial["status"], trial["reason"], trial["current_epoch"]) == ("Failed", "preempted", 1)


def test_a_rank_that_runs_out_of_memory_retires_the_size(server: ServerProcess, checkpoint: Path) -> None:
    with two_ranks(server, checkpoint, FAILS_AT=2, FAILS_BY="oom") as launch:
        assert all(code != 0 for code in launch.wait())

    trial = only_trial(server)
    assert (trial["status"], trial["reason"]) == ("Failed", "oom")

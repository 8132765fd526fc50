"""Power limits in a training of two ranks, each with a stand-in for a GPU."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.frameworks.launches import SCRIPTS, Launch
from tests.support.process import ServerProcess

pytest.importorskip("torch", reason="run by: make test-frameworks")

GPUS: list[dict[str, object]] = [
    {"uuid": f"GPU-{rank}", "model": "H100", "power_w": 500.0, "limit_w": 700.0} for rank in (0, 1)
]


def launch(server: ServerProcess, folder: Path, gpus: list[dict[str, object]]) -> Launch:
    (folder / "state").mkdir()
    given: dict[str, object] = {
        "TEST_GPUS": json.dumps(gpus),
        "TEST_GPU_STATE": folder / "state",
        "ZEUS_BSO_POWER_DIR": folder / "claims",
    }
    return Launch([SCRIPTS / "power_ranks.py", server.url, "power"], folder, ranks=2, variables=given)


def limit_w(folder: Path, rank: int) -> float:
    return float(json.loads((folder / "state" / f"GPU-{rank}.json").read_text())["limit_mw"]) / 1000


def test_both_ranks_have_the_same_limit_in_every_epoch(server: ServerProcess, tmp_path: Path) -> None:
    with launch(server, tmp_path, GPUS) as ranks:
        first, second = ranks.last_words()

    assert first["limits"] == second["limits"]
    assert len(set(first["limits"])) > 3
    assert [limit_w(tmp_path, rank) for rank in (0, 1)] == [700, 700]


def test_if_one_rank_may_not_set_its_limit_none_does(server: ServerProcess, tmp_path: Path) -> None:
    with launch(server, tmp_path, [GPUS[0], GPUS[1] | {"forbidden": True}]) as ranks:
        first, second = ranks.last_words()

    assert set(first["limits"]) | set(second["limits"]) == {700.0}

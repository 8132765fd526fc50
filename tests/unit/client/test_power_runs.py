"""Whole runs with power limits: the real client and server, and a stand-in for the GPU with virtual time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from tests.support.power_card import PowerCard, insert_card

from zeus_bso import BatchSizeOptimizer, EnergyMonitor, JobSpec
from zeus_bso.testing import InMemoryServer

SIZES = [32, 64, 128]
STEP_S = {32: 0.010, 64: 0.015, 128: 0.025}
KNEE_W = {32: 300.0, 64: 420.0, 128: 600.0}
"""Larger batches draw more power, so their best limits differ."""


@pytest.fixture
def server() -> Iterator[InMemoryServer]:
    server = InMemoryServer()
    yield server
    server.close()


@pytest.fixture
def card(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, server: InMemoryServer) -> PowerCard:
    """A GPU whose time is that of this process. The server has started before."""
    return insert_card(monkeypatch, tmp_path)


def train(server: InMemoryServer, card: PowerCard, *, steps: int, epochs: int, **settings: Any) -> BatchSizeOptimizer:
    """One launch of a script, which reaches its target in the last epoch. The next step does not begin at once."""
    job = JobSpec(job_id_prefix="power", batch_sizes=SIZES, default_batch_size=64, beta_knob=None, **settings)
    bso = BatchSizeOptimizer(EnergyMonitor([0]), job=job, transport=server, heartbeat_s=None)
    size = bso.get_batch_size()
    card.step_s, card.knee_w = STEP_S[size], KNEE_W[size]
    bso.on_train_begin()
    for epoch in range(1, epochs + 1):
        for _ in range(steps):
            bso.on_step_begin()
            card.train_step()
            bso.on_step_end()
        card.clock.advance(0.5)
        bso.on_evaluate(0.9 if epoch == epochs else 0.1)
    assert bso.training_finished
    return bso


def trials_of(server: InMemoryServer, bso: BatchSizeOptimizer) -> Sequence[Any]:
    assert bso.job_id is not None
    return server.request("GET", "/api/v1/trials", params={"job_id": bso.job_id}).items


@pytest.mark.parametrize(("steps", "epochs"), [(40, 25), (2000, 3)])
def test_twenty_launches_measure_each_size_once(
    server: InMemoryServer, card: PowerCard, steps: int, epochs: int
) -> None:
    searched: dict[int, int] = {}
    for _ in range(20):
        before = len(card.limits_mw)
        bso = train(server, card, steps=steps, epochs=epochs, power_limit="optimize")
        size = bso.current_batch_size
        assert size is not None
        # The last limit restores what there was, and the one before is the choice.
        limits_w = [limit / 1000 for limit in card.limits_mw[before:]]
        searched[size] = searched.get(size, 0) + (len(set(limits_w)) > 2)
        best_w = card.best_limit_w()
        assert abs(limits_w[-2] - best_w) <= 25 or card.cost_per_step(limits_w[-2]) <= card.cost_per_step(best_w)
        assert card.limit_w == 700
    assert set(searched.values()) == {1}


def test_measuring_makes_no_run_look_dear(server: InMemoryServer, card: PowerCard) -> None:
    """The first run at a size measures, and later ones do not. The server sees the same pace in both."""
    bso = [train(server, card, steps=400, epochs=10, power_limit="optimize") for _ in range(12)][-1]
    trials = trials_of(server, bso)
    by_size: dict[int, list[Any]] = {}
    for trial in sorted(trials, key=lambda trial: trial["trial_number"]):
        by_size.setdefault(trial["batch_size"], []).append(trial)
    repeated = [found for found in by_size.values() if len(found) > 1]
    assert repeated
    for first, *later in repeated:
        assert first["profiling_time"] != 0
        for trial in later:
            assert trial["profiling_time"] == 0
            assert first["time"] == pytest.approx(trial["time"], rel=0.03)
            assert first["energy"] == pytest.approx(trial["energy"], rel=0.03)


def test_a_job_that_sets_no_limit_touches_none(server: InMemoryServer, card: PowerCard) -> None:
    train(server, card, steps=40, epochs=3)
    assert card.limits_mw == []

"""What tests of a job's life do again and again, and what they look at."""

from __future__ import annotations

import random
from collections.abc import Sequence

from tests.support.jobs import Trial, spec
from tests.support.server import Server

HOUR = 3600.0
LEASE = 6 * HOUR


def statuses(server: Server) -> list[tuple[int, str]]:
    """Number and status of every trial."""
    return [(view["trial_number"], view["status"]) for view in server.trials()]


def types(server: Server) -> dict[int, str]:
    """Type of every trial, by number."""
    return {view["trial_number"]: view["type"] for view in server.trials()}


def retired(server: Server) -> dict[int, str]:
    """The retired sizes, and why."""
    return {size["batch_size"]: size["retired"] for size in server.job()["batch_sizes"] if size["retired"]}


def run(server: Server, energy: float = 100.0) -> Trial:
    """One recurrence that converges."""
    trial = server.ask()
    server.converge(trial, energy)
    return trial


def play_on(server: Server, sizes: tuple[int, ...] = (8, 16, 32, 64)) -> None:
    """Take the job through Pruning, so that every size is an arm; from there on arms are taken at random."""
    server.change(mab_num_explorations=10_000)
    assert {run(server).batch_size for _ in sizes} == set(sizes)
    run(server)
    assert server.job()["stage"] == "MAB"


def ask_for(server: Server, batch_size: int) -> Trial:
    """Ask until a certain size is given; the other trials are left open."""
    for _ in range(200):
        trial = server.ask()
        if trial.batch_size == batch_size:
            return trial
    raise AssertionError(f"{batch_size} was never given")


def live_at_random(server: Server, chance: random.Random, job_ids: Sequence[str]) -> None:
    """Do something with one of these jobs: register, run, end or change it, and seldom reset or delete it."""
    job_id = chance.choice(job_ids)
    server.call("POST", "/jobs", spec(job_id=job_id))  # 409 where its settings were changed
    act = chance.choice(["converge", "miss", "cancel", "open", "change", "reset", "delete"])
    if act == "converge":
        server.report(server.ask(job_id), energy=chance.uniform(50, 150), metric=1.0)
    elif act == "miss":
        server.report(server.ask(job_id), energy=40.0, metric=0.1, current_epoch=10)
    elif act == "cancel":
        server.end(server.ask(job_id), "cancelled")
    elif act == "open":
        server.ask(job_id)
    elif act == "change":
        server.change(job_id, eta_knob=chance.choice([0.5, 1.0]))
    elif chance.random() < 0.2:
        server.reset(job_id) if act == "reset" else server.delete(job_id)

"""Jobs that have learnt, and jobs that begin with what those know."""

from __future__ import annotations

from tests.support.jobs import Json, Trial
from tests.support.server import Server

NEEDED = {8: 4, 16: 3, 32: 2, 64: 2}
"""Epochs that a run needs."""

ENERGY = {8: 90.0, 16: 60.0, 32: 50.0, 64: 100.0}
"""Energy of an epoch [J]: 32 is the cheapest size."""

CHEAPEST = 32


def finish(server: Server, trial: Trial, needed: int | None = None) -> None:
    """Train to the target."""
    epochs = needed or NEEDED[trial.batch_size]
    for epoch in range(1, epochs + 1):
        answer = server.report(
            trial,
            current_epoch=epoch,
            energy=epoch * ENERGY[trial.batch_size],
            time=float(epoch),
            metric=0.95 if epoch == epochs else 0.1,
        )
        if answer["stop_train"]:
            return


def learnt(server: Server, runs: int = 7, **spec: object) -> Json:
    """A job that has run so often; the spec as it was registered."""
    registered = server.register(policy="surrogate", **spec)
    for _ in range(runs):
        finish(server, server.ask(registered["job_id"]))
    return registered


def other(server: Server, **spec: object) -> Json:
    """Register a job of the same prefix on another GPU."""
    return server.register(**{"job_id": "other", "policy": "surrogate", "gpu_model": "H200", **spec})


def ancestor(server: Server, job_id: str = "other") -> Json | None:
    found: Json | None = server.job(job_id)["ancestor"]
    return found

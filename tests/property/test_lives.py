"""Random lives of runs: epochs, signals, exits, relaunches with and without checkpoint, several runs in a process.

The client, the server and the signals are real; only the process that ends is this one, which lives on.
"""

from __future__ import annotations

import itertools
import os
import signal
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from zeus_bso import BatchSizeOptimizer, JobSpec
from zeus_bso.client.exit_hooks import HOOKS
from zeus_bso.protocol.words import FailReason
from zeus_bso.testing import InMemoryServer, ReplayMonitor

MAX_EPOCHS = 6
TARGET = 0.9
Json = dict[str, Any]


@dataclass(frozen=True)
class Life:
    """One launch of a script.

    Attributes:
        night: Which recurrence it is a launch of.
        brings: Whether it brings the checkpoint that the launch before has left.
        epochs: How many it trains at most.
        saves_at: It saves once, after so many epochs.
        signal_at: A signal comes after so many epochs, which its script handles; None: none comes.
        signal: Which signal.
        reaches_at: It reaches the target in this epoch of the recurrence.
        end: How it ends.
        beside: Another life that begins when this one has trained, before it ends, in the same process.
    """

    night: int
    brings: bool
    epochs: int
    saves_at: int
    signal_at: int | None
    signal: int
    reaches_at: int
    end: str
    beside: Life | None = None


SIGNALS = (signal.SIGTERM, signal.SIGUSR1, signal.SIGINT)
ENDS = ["exit", "exit", "status", "exception", "word", "block", "cancel", "pause", "killed", "collected", "oom"]


def lives(*, beside: bool = True) -> st.SearchStrategy[Life]:
    return st.builds(
        Life,
        night=st.integers(0, 3),
        brings=st.booleans(),
        epochs=st.integers(0, 7),
        saves_at=st.integers(0, 5),
        signal_at=st.none() | st.integers(0, 4),
        signal=st.sampled_from(SIGNALS),
        reaches_at=st.integers(3, 20),
        end=st.sampled_from(ENDS),
        beside=(st.none() | lives(beside=False)) if beside else st.none(),
    )


def broken(night: int, *, brings: bool = False) -> Life:
    """A life that ends with an error after three epochs, and has saved after two."""
    return Life(night, brings, 3, 2, None, signal.SIGTERM, 20, "status")


def missing(night: int) -> Life:
    """A life that trains for all epochs without reaching its target."""
    return Life(night, False, MAX_EPOCHS, 0, None, signal.SIGTERM, 20, "exit")


NUMBERS = itertools.count(1)


@dataclass
class World:
    """A job of its own on the server, what the scripts have kept, and what was measured."""

    policy: str
    server: InMemoryServer
    job_id: str = field(default_factory=lambda: f"lives-{next(NUMBERS)}")
    checkpoints: dict[int, Json] = field(default_factory=dict)
    measured: Counter[int] = field(default_factory=Counter)
    silent: Counter[int] = field(default_factory=Counter)
    running: set[int] = field(default_factory=set)
    begun: int = 0
    stands: set[int] = field(default_factory=set)

    def optimizer(self, night: int, state: Json | None) -> BatchSizeOptimizer:
        return BatchSizeOptimizer(
            ReplayMonitor(itertools.repeat((1.0, 10.0))),
            job=JobSpec(
                job_id=self.job_id,
                job_id_prefix="x",
                batch_sizes=[16, 32, 64],
                default_batch_size=32,
                target_metric=TARGET,
                max_epochs=MAX_EPOCHS,
                beta_knob=None,
                policy=self.policy,
                policy_options={"curve_stop": False},
                mab_seed=1,
            ),
            run_id=f"night-{night}",
            resume=state,
            heartbeat_s=None,
            on_fail="stop",
            transport=self.server,
        )

    def trials(self) -> dict[int, Json]:
        answer = self.server.request("GET", "/api/v1/trials", params={"job_id": self.job_id, "limit": "200"})
        return {trial["trial_number"]: trial for trial in answer.items if isinstance(trial, dict)}

    def job(self) -> Json:
        return dict(self.server.request("GET", "/api/v1/job", params={"job_id": self.job_id}).body)

    def live(self, life: Life) -> None:
        """Launch, train, and end."""
        if life.night in self.running:
            return
        state = self.checkpoints.get(life.night) if life.brings else None
        before = self.trials() if state is not None else {}
        job = self.job() if state is not None else {}
        bso = self.optimizer(life.night, state)
        bso.get_batch_size()
        self.begun += 1
        if state is not None:
            self.check_return(bso, state, before, job)
        if bso.training_finished:
            return
        self.running.add(life.night)
        assert bso.trial_number is not None
        self.stands.discard(bso.trial_number)
        trained = self.train(bso, life)
        begun = self.begun
        if life.beside is not None:
            self.live(life.beside)
        decided, ended = bso.training_finished, bso._live.run is None
        self.end(bso, life)
        self.running.discard(life.night)
        if not decided:
            trial = self.trials()[bso.trial_number]
            told = trial["outcome"] or trial["reason"]
            known = truth(life, trained, ended_by_another=self.begun > begun, over=ended)
            # A process that is killed after a signal may have told of the signal, or not yet.
            assert told == known or (life.end == "killed" and told == signalled_by(life, trained)), (life, trial)

    def train(self, bso: BatchSizeOptimizer, life: Life) -> int:
        """Train; returns for how many epochs."""
        bso.on_train_begin()
        epoch = int(str(bso.state_dict()["current_epoch"]))
        for trained in range(life.epochs + 1):
            if trained == life.saves_at:
                self.checkpoints[life.night] = bso.state_dict()
            if trained == life.signal_at:
                os.kill(os.getpid(), life.signal)
            if trained == life.epochs or bso.training_finished:
                return trained
            epoch += 1
            assert bso.trial_number is not None
            self.measured[bso.trial_number] += 1
            self.stands.add(bso.trial_number)
            bso.on_evaluate(0.95 if epoch >= life.reaches_at else 0.1)
            assert bso.training_finished is (epoch >= min(life.reaches_at, MAX_EPOCHS))
        return trained

    def end(self, bso: BatchSizeOptimizer, life: Life) -> None:
        live = bso._live
        match life.end:
            case "exit":
                HOOKS.end_all(None)
            case "status":
                HOOKS.end_all(FailReason.ERROR)
            case "exception":
                live.note_error(ValueError("bad data"))
                HOOKS.end_all(None)
            case "oom":
                live.note_error(MemoryError())
                live.abandon()
            case "word":
                bso.on_train_end()
            case "block":
                bso.__exit__(None, None, None)
            case "cancel":
                bso.cancel()
            case "pause":
                bso.pause()
                live.abandon()
            case "killed":
                assert bso.trial_number is not None
                self.silent[bso.trial_number] += live.run is not None
                live.release(at_once=True)
            case "collected":
                live.abandon()

    def check_return(self, bso: BatchSizeOptimizer, state: Json, before: dict[int, Json], job: Json) -> None:
        """The same run id never trains twice what its checkpoint has, unless its trial is decided or out of memory."""
        trial = before.get(state["trial_number"])
        latest = max((number for number, each in before.items() if each["run_id"] == f"night-{state_night(state)}"))
        if trial is None or state["finished"] or trial["trial_number"] != latest:
            return
        if trial["status"] == "Succeeded" or trial["reason"] == "oom":
            return
        # A new generation forgets that sizes were retired.
        retired = trial["batch_size"] in self.retired() or self.job()["generation"] != job["generation"]
        if retired and trial["trial_number"] not in self.stands:
            return  # its latest process was gone without a report
        assert bso.resumed
        assert bso.state_dict()["current_epoch"] == state["current_epoch"]

    def retired(self) -> dict[int, str]:
        return {size["batch_size"]: size["retired"] for size in self.job()["batch_sizes"] if size["retired"]}

    def check(self) -> None:
        trials = self.trials()
        for number, trial in trials.items():
            assert trial["time"] + trial["wasted_time"] == self.measured[number], trial
            assert trial["energy"] + trial["wasted_energy"] == 10 * self.measured[number], trial
        generation = self.job()["generation"]
        ours = [trial for trial in trials.values() if trial["generation"] == generation]
        for size, why in self.retired().items():
            of_size = [trial for trial in ours if trial["batch_size"] == size]
            barren = sum(trial["reason"] in ("error", "expired") for trial in of_size)
            silent = sum(self.silent[trial["trial_number"]] for trial in of_size)
            ooms = [trial for trial in trials.values() if trial["reason"] == "oom" and trial["batch_size"] <= size]
            assert {
                "unconverged": has_missed(of_size, pruned=self.policy == "zeus"),
                "failures": barren + silent >= 3,
                "oom": bool(ooms),
            }[why], (size, why, of_size)


def signalled_by(life: Life, trained: int) -> str | None:
    """What the signal of a life says of its end, if the signal has come."""
    if life.signal_at is None or life.signal_at > trained:
        return None
    return "cancelled" if life.signal == signal.SIGINT else "preempted"


def truth(life: Life, trained: int, *, ended_by_another: bool, over: bool) -> str | None:
    """What the server is to know of the end of an undecided life; None: nothing.

    Args:
        life: The life.
        trained: How many epochs it has trained.
        ended_by_another: Another run of the job has begun in its process.
        over: Nothing more can be said of it.
    """
    signalled = signalled_by(life, trained)
    recent = signalled if signalled and trained - (life.signal_at or 0) < 2 else None
    by_itself = "target-missed" if trained else "cancelled"
    if life.end == "oom" and not over:
        return "oom"
    if ended_by_another:
        return signalled or "cancelled"
    return {
        "exit": signalled or by_itself,
        "status": recent or "error",
        "exception": recent or "error",
        "word": recent or by_itself,
        "block": recent or by_itself,
        "cancel": "cancelled",
        "pause": "preempted",
        "collected": signalled or "cancelled",
    }.get(life.end)


def has_missed(of_size: list[Json], *, pruned: bool) -> bool:
    """Whether a size has missed often enough to retire.

    Args:
        of_size: The trials of the size.
        pruned: Whether a miss at ``max_epochs`` is enough for a size that has converged, as in Pruning.
    """
    in_row, converged = 0, False
    for trial in sorted((each for each in of_size if each["outcome"]), key=lambda each: str(each["ended_at"])):
        if trial["outcome"] == "converged":
            in_row, converged = 0, True
            continue
        in_row += 1
        if in_row >= 2 or (trial["current_epoch"] >= MAX_EPOCHS and (pruned or not converged)):
            return True
    return False


def state_night(state: Json) -> str:
    return str(state["run_id"]).removeprefix("night-")


@contextmanager
def signals_are_handled() -> Iterator[None]:
    """As by a script that saves, and lives on."""
    found = [signal.signal(number, lambda *_: None) for number in SIGNALS]
    try:
        yield
    finally:
        for number, handler in zip(SIGNALS, found, strict=True):
            signal.signal(number, handler)


@pytest.fixture(scope="module")
def server() -> Iterator[InMemoryServer]:
    """Each world has a job of its own on it."""
    with closing(InMemoryServer()) as found:
        yield found


@pytest.mark.parametrize("policy", ["surrogate", "zeus"])
@settings(max_examples=25)
@given(st.lists(lives(), min_size=1, max_size=8))
@example([broken(night) for night in range(4)])
@example([broken(0), broken(0, brings=True)])
@example([broken(0), replace(broken(0), epochs=1), replace(broken(0), brings=True)])
@example([missing(0), replace(missing(1), epochs=0, beside=missing(0)), replace(missing(1), brings=True, epochs=0)])
def test_whatever_runs_go_through_the_job_learns_what_is_true(
    server: InMemoryServer, policy: str, nights: list[Life]
) -> None:
    world = World(policy, server)
    try:
        with signals_are_handled():
            for life in nights:
                world.live(life)
                world.check()
    finally:
        for run in HOOKS:
            HOOKS.remove(run)

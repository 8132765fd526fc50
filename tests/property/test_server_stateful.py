"""Ask, report, end, expire, crash, in any order, against the real server on SQLite: what holds after every step.

``HYPOTHESIS_PROFILE=thorough`` looks much longer, and elsewhere every time.
"""

from __future__ import annotations

import itertools
import os
import random
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import httpx
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)
from tests.support.jobs import Json, Trial, spec
from tests.support.server import Server
from tests.support.soundness import assert_sound

THOROUGH = os.environ.get("HYPOTHESIS_PROFILE") == "thorough"
MAX_POWER = 300.0

INSTANCES = [None, None, "a", "b"]
METRICS = [0.1, 0.5, 0.95, 1.0, None]
ETAS = [0.0, 0.25, 0.5, 1.0]
SETTINGS: list[Json] = [
    {},
    {"beta_knob": None},
    {"beta_knob": 1.0},
    {"beta_knob": 1.5},
    {"beta_knob": 3.0, "num_pruning_rounds": 2},
    {"max_epochs": 1},
    {"max_epochs": 6},
    {"num_pruning_rounds": 0},
    {"num_pruning_rounds": 3, "mab_num_explorations": 0},
    {"window_size": 1, "mab_num_explorations": 1},
    {"window_size": 3, "mab_prior_precision": 1.0},
    {"mab_num_explorations": 3, "mab_prior_mean": -50.0},
    {"mab_seed": None},
    {"mab_seed": 2, "mab_prior_precision": 0.1},
    {"policy_options": {"curve_stop": False}},
    {"policy_options": {"curve_stop": True}, "max_epochs": 9},
]

Domain = dict[str, list[Any]]

ANY_TRIAL = list(range(60))
REGISTER: Domain = {
    "sizes": [[8, 16, 32, 64], [8, 16, 32, 64], [16, 32], [8], [8, 64]],
    "default": [0, 1, 2, 3],
    "more": SETTINGS,
    "policy": ["zeus", "surrogate"],
}
ASK: Domain = {
    "run_id": [None, "r", "s"],
    "instance": INSTANCES,
    "heartbeat_s": [None, 30.0],
    "epoch": [None, 0, 1, 2],
}
NIGHTS: Domain = {
    "count": [1, 2, 3, 5, 8],
    "energy": [20.0, 50.0, 200.0],
    "missing": [(), (), (), (8,), (64,), (16, 32)],
}
REPORT: Domain = {
    "which": ANY_TRIAL,
    "step": [-2, 0, 1, 1, 1, 3],
    "metric": METRICS,
    "energy": [0.0, 1.0, 20.0, 50.0, 100.0, 400.0],
    "time": [0.0, 1.0, 7.0],
    "instance": INSTANCES,
    "final": [False, False, True],
    "source": [None, None, None, None, "counter", "estimate"],
}
RANKS: Domain = {
    "which": ANY_TRIAL,
    "step": [0, 1, 2],
    "of_ranks": [(0.1, 1.0, None, 0.5), (1.0, 0.1, 0.1, 0.1), (None, 1.0, 1.0, 1.0), (0.5, 0.5, 0.6, 0.4)],
}
END: Domain = {"which": ANY_TRIAL, "reason": [None, "error", "oom", "cancelled", "preempted"]}
BEAT: Domain = {"which": ANY_TRIAL, "energy": [0.0, 30.0, 1000.0], "time": [0.0, 3.0, 100.0]}
TIME: Domain = {"which": ANY_TRIAL, "hours": [None, None, 0.025, 0.1, 7.0]}
INTERFERE: Domain = {
    "what": ["restart", "settings", "settings", "eta", "eta", "reset", "delete"],
    "changes": SETTINGS,
    "eta_knob": ETAS,
}


_EXPIRE = "UPDATE trial SET lease_expires_at = '2001-01-01 00:00:00.000000' WHERE job_id = ? AND trial_number = ?"
_LATEST = "SELECT outcome, reason, type FROM trial WHERE job_id = ? ORDER BY trial_number DESC LIMIT 20"


def drawn(domain: Domain) -> Any:
    """Strategies that draw from a domain."""
    return {name: st.sampled_from(values) for name, values in domain.items()}


class Life(RuleBasedStateMachine):
    """One job's life; every example has a job of its own on the same server."""

    server: Server
    numbers = itertools.count(1)

    def __init__(self) -> None:
        super().__init__()
        self.job_id = f"job-{next(self.numbers)}"
        self.spec: Json = {}
        self.trials: list[Trial] = []
        self.before = 0
        """Number of the last trial of deleted namesakes."""
        self.decided: dict[int, Json] = {}
        """The answer that ended each trial, but for its message."""
        self.connection = sqlite3.connect(self.server.path, timeout=10, isolation_level=None)
        self.connection.row_factory = sqlite3.Row

    def teardown(self) -> None:
        """Look at everything once more, as a person would."""
        if self.spec:
            for url in ("/api/v1/job", "/api/v1/trials", "/api/v1/jobs"):
                self.call("GET", url, job_id=self.job_id)
        self.connection.close()

    # What every request is held to

    def call(self, method: str, url: str, body: object = None, *, may: tuple[int, ...] = (), **params: Any) -> Any:
        response = self.server.call(method, url, body, **params)
        assert response.status_code in (200, 201, *may), f"{response.status_code}: {response.text}"
        return response

    def rows(self, statement: str, *parameters: object) -> list[Json]:
        return [dict(row) for row in self.connection.execute(statement, (self.job_id, *parameters))]

    def row(self, trial: Trial) -> Json:
        return self.rows("SELECT * FROM trial WHERE job_id = ? AND trial_number = ?", trial.trial_number)[0]

    def job(self) -> Json:
        return self.rows("SELECT * FROM job WHERE job_id = ?")[0]

    def send_report(self, body: Json, may: tuple[int, ...] = ()) -> Json | None:
        response: httpx.Response = self.call("POST", "/report", body, may=may)
        if response.status_code != 200:
            return None
        answer: Json = response.json()
        answer.pop("message")
        if answer["stop_train"]:
            assert self.decided.setdefault(body["trial_number"], answer) == answer, "the answer to a replay changed"
        else:
            assert body["trial_number"] not in self.decided, "a run that was told to stop is told to go on"
        return answer

    def take(self, answer: Json, run_id: str | None) -> Trial:
        """Check what was offered."""
        trial = Trial.of(answer)
        row = self.row(trial)
        last = self.before + len(self.trials)
        if trial.trial_number <= last:
            assert run_id is not None, "an old trial was handed out to a run that named none"
            assert row["run_id"] == run_id
            assert row["status"] == "Dispatched" or row["outcome"] == "converged"
            assert trial == self.trials[trial.trial_number - self.before - 1]
            return trial
        assert trial.trial_number == last + 1
        assert row["status"] == "Dispatched"
        sizes = {
            size["batch_size"]: size["retired"] for size in self.rows("SELECT * FROM batch_size_state WHERE job_id = ?")
        }
        if sizes[trial.batch_size] is not None:
            assert set(sizes.values()) == {"oom"}, f"{trial.batch_size} is retired, but not all are: {sizes}"
        self.trials.append(trial)
        return trial

    # What may happen

    @initialize(**drawn(REGISTER))
    def register(self, sizes: list[int], default: int, more: Json, policy: str) -> None:
        start = sizes[default % len(sizes)]
        named = spec(job_id=self.job_id, batch_sizes=sizes, default_batch_size=start, max_power=MAX_POWER)
        self.spec = named | {"max_epochs": 4, "policy": policy} | more
        self.call("POST", "/jobs", self.spec)

    @rule(**drawn(ASK))
    def ask(self, run_id: str | None, instance: str | None, heartbeat_s: float | None, epoch: int | None) -> None:
        if instance is None and heartbeat_s is None:
            response = self.call("GET", "/jobs/batch_size", job_id=self.job_id, run_id=run_id)
        else:
            checkpoint = None if epoch is None else {"current_epoch": epoch, "time": 2.0 * epoch, "energy": 9.0 * epoch}
            body = {"job_id": self.job_id, "run_id": run_id, "instance": instance, "heartbeat_s": heartbeat_s}
            may = (409,) if run_id and instance else ()
            response = self.call("POST", "/api/v1/trials", body | {"checkpoint": checkpoint}, may=may)
        if response.status_code == 200:
            self.take(response.json(), run_id)

    @rule(**drawn(NIGHTS))
    def nights_pass(self, count: int, energy: float, missing: tuple[int, ...]) -> None:
        """Recurrences that run one after the other, to their end; some sizes do not converge."""
        for _ in range(count):
            trial = self.take(self.call("GET", "/jobs/batch_size", job_id=self.job_id).json(), None)
            metric = 0.1 if trial.batch_size in missing else 1.0
            cost = energy + trial.batch_size / 8
            self.send_report(trial.result(current_epoch=6, metric=metric, energy=cost, time=cost / 10))

    @rule(**drawn(REPORT))
    def report(
        self,
        which: int,
        step: int,
        metric: float | None,
        energy: float,
        time: float,
        instance: str | None,
        final: bool,
        source: str | None,
    ) -> None:
        if not self.trials:
            return
        trial = self.pick(which)
        row = self.row(trial)
        body = trial.result(
            current_epoch=max(0, row["current_epoch"] + step),
            metric=metric,
            energy=max(0.0, row["energy"] + energy - 10.0),
            time=row["time"] + time,
            instance=instance,
            final=final,
            energy_source=source,
        )
        may: tuple[int, ...] = ()
        if instance is not None and row["instance"] not in (None, instance):
            may = (409,)
        elif self.cost(max(body["energy"], row["energy"]), body["time"]) == 0:
            may = (422,)
        if self.send_report(body, may) is None:
            assert self.row(trial) == row, "a refused report left a trace"

    @rule(**drawn(RANKS))
    def four_ranks_report(self, which: int, step: int, of_ranks: tuple[float | None, ...]) -> None:
        if not self.trials:
            return
        trial = self.pick(which)
        row = self.row(trial)
        epoch = row["current_epoch"] + step
        answers = [
            self.send_report(
                trial.result(
                    current_epoch=epoch, metric=metric, energy=row["energy"] + 5 + rank, time=row["time"] + 1 + rank
                )
            )
            for rank, metric in enumerate(of_ranks)
        ]
        assert all(answer == answers[0] for answer in answers)
        after = self.row(trial)
        if row["status"] == "Dispatched" and epoch > row["current_epoch"]:
            first = (of_ranks[0], row["energy"] + 5, row["time"] + 1)
            assert (after["metric"], after["energy"], after["time"]) == first, "a later report of the epoch was stored"

    @rule(**drawn(END))
    def end(self, which: int, reason: str | None) -> None:
        if not self.trials:
            return
        trial = self.pick(which)
        row = self.row(trial)
        self.call("PATCH", "/trials", trial.body | ({"reason": reason} if reason else {}))
        after = self.row(trial)
        if row["status"] == "Dispatched":
            assert (after["status"], after["reason"]) == ("Failed", reason or "error")
        if row["status"] == "Succeeded":
            assert after == row

    @rule(**drawn(BEAT))
    def beat(self, which: int, energy: float, time: float) -> None:
        if self.trials:
            trial = self.pick(which)
            self.call("POST", "/api/v1/trials/heartbeat", trial.body | {"energy": energy, "time": time})

    @rule(**drawn(TIME))
    def time_passes(self, which: int, hours: float | None) -> None:
        """Some hours pass for all trials, or just enough for one of them to expire."""
        if hours is not None:
            self.server.time_passes(3600.0 * hours, self.job_id)
        elif self.trials:
            self.connection.execute(_EXPIRE, (self.job_id, self.pick(which).trial_number))

    @rule(**drawn(INTERFERE))
    def somebody_interferes(self, what: str, changes: Json, eta_knob: float) -> None:
        if what == "restart":
            self.server.restart()
        elif what == "settings":
            self.change_settings(changes)
        elif what == "eta":
            self.change_settings({"eta_knob": eta_knob})
        elif what == "reset" and len(self.trials) > 5:
            self.reset()
        elif what == "delete" and len(self.trials) > 8:
            self.delete_and_register()

    def change_settings(self, changes: Json) -> None:
        self.spec |= changes
        self.call("PATCH", "/api/v1/jobs", changes, job_id=self.job_id)

    def reset(self) -> None:
        generation = self.job()["generation"]
        self.call("POST", "/api/v1/jobs/reset", job_id=self.job_id)
        assert self.job()["generation"] == generation + 1

    def delete_and_register(self) -> None:
        generation = self.job()["generation"]
        self.call("DELETE", "/jobs", job_id=self.job_id)
        assert self.server.call("POST", "/jobs", self.spec).status_code == 201
        assert self.job()["generation"] > generation
        late = self.trials[-1]
        assert self.server.call("POST", "/report", late.result()).status_code == 400
        self.before += len(self.trials)
        self.trials, self.decided = [], {}

    def pick(self, which: int) -> Trial:
        """One of the latest trials, rather one that is not decided."""
        undecided = [trial for trial in self.trials[-20:] if trial.trial_number not in self.decided]
        trials = undecided if undecided and which % 4 else self.trials
        return trials[-1 - which % len(trials)]

    def cost(self, energy: float, time: float) -> float:
        eta = self.spec["eta_knob"]
        return float(eta * energy + (1 - eta) * MAX_POWER * time)

    # What always holds

    @invariant()
    def state_is_sound(self) -> None:
        if not self.spec:
            return
        trials = self.rows("SELECT * FROM trial WHERE job_id = ? ORDER BY trial_number")
        sizes = self.rows("SELECT * FROM batch_size_state WHERE job_id = ?")
        assert len(trials) == len(self.trials)
        assert_sound(self.job(), trials, sizes, numbers_before=self.before)


@pytest.fixture(scope="module")
def life_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server that every example restarts as it likes."""
    server = Server(tmp_path_factory.mktemp("life") / "zeus-bso.db")
    server.start()
    with closing(server):
        yield server


@pytest.mark.timeout(3600 if THOROUGH else 300)
def test_whatever_happens_the_state_stays_sound(life_server: Server) -> None:
    class LifeHere(Life):
        server = life_server

    how_long = settings(max_examples=300 if THOROUGH else 25, stateful_step_count=60 if THOROUGH else 40)
    run_state_machine_as_test(LifeHere, settings=how_long)


ACTIONS: list[tuple[str, Domain]] = [
    ("ask", ASK),
    ("ask", ASK),
    ("ask", ASK),
    ("nights_pass", NIGHTS),
    ("report", REPORT),
    ("report", REPORT),
    ("report", REPORT),
    ("four_ranks_report", RANKS),
    ("end", END),
    ("beat", BEAT),
    ("time_passes", TIME),
    ("somebody_interferes", INTERFERE),
]


@pytest.mark.parametrize("policy", ["zeus", "surrogate"])
@pytest.mark.parametrize("seed", range(200 if THOROUGH else 2))
def test_a_long_life_stays_sound(life_server: Server, seed: int, policy: str) -> None:
    """The same rules for longer than Hypothesis would; everything that may happen to a trial does happen."""

    class LifeHere(Life):
        server = life_server

    chance = random.Random(seed)
    life = LifeHere()
    seen: set[str] = set()

    def act(name: str, domain: Domain) -> None:
        drawn = {parameter: chance.choice(values) for parameter, values in domain.items()}
        getattr(life, name)(**drawn)
        try:
            life.state_is_sound()
        except AssertionError as error:
            raise AssertionError(f"after {name}({drawn}): {error}") from error
        seen.update(*[(row["outcome"], row["reason"], row["type"]) for row in life.rows(_LATEST)])

    act("register", REGISTER | {"policy": [policy]})
    for _ in range(250):
        act(*chance.choice(ACTIONS))
    life.teardown()

    reasons = {"expired", "error", "oom", "cancelled", "preempted"}
    outcomes = {"converged", "target-missed", "cost-bound", "curve-stop", "diverged"}
    assert len(seen & (reasons | outcomes)) >= 5, "this life was too quiet to show anything"

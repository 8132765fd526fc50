"""What people and trackers are told of a run: its trial at the ask, each evaluation, and its end."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Mapping

from zeus_bso.client.live_run import LiveRun
from zeus_bso.client.meter import Meter
from zeus_bso.client.stop_rules import JobRules
from zeus_bso.client.tracking.feed import TrackerFeed
from zeus_bso.client.tracking.run_lines import advice_after, lines_wanted, log_end, log_failure, log_launch
from zeus_bso.client.tracking.targets import Tracker, tracker_for
from zeus_bso.client.training_guard import TrainingGuard
from zeus_bso.cost import zeus_cost
from zeus_bso.protocol.messages import ReportResponse, TrialOffer
from zeus_bso.protocol.transport import CALL_S, Transport, TransportError
from zeus_bso.protocol.urls import JOB_URL, SAVINGS_URL, TRIALS_URL
from zeus_bso.protocol.words import FailReason, Outcome

logger = logging.getLogger("zeus_bso")

END_S = 1.0
"""How long the end of a run waits for what the server knows of its job [s]."""

_SAVED = {"energy": "saved_energy_j", "time": "saved_time_s", "cost": "saved_cost_j"}


class Trackers:
    """The trackers of one run.

    Args:
        guard: Logs errors.
        live: The run.
        meter: Its time and energy.

    Attributes:
        transport: The way to the server. None before the ask and before there is a tracker.
    """

    def __init__(self, guard: TrainingGuard, live: LiveRun, meter: Meter) -> None:
        self.transport: Transport | None = None
        self._guard = guard
        self._live = live
        self._meter = meter
        self._feeds: dict[int, tuple[object, TrackerFeed]] = {}
        self._trial: dict[str, str | int | None] = {}
        self._rules: JobRules | None = None
        self._next: Mapping[str, object] = {}
        self._why: str | None = None
        self._offer: TrialOffer | None = None
        self._ended: Outcome | FailReason | None = None

    def add(self, target: object) -> None:
        """Log to a target as well. It gets what is known about the trial so far."""
        if id(target) in self._feeds:
            return
        with self._guard("log the run"):
            tracker = tracker_for(target)
            if tracker is None:
                self._guard.log_once(_unknown(target))
                return
            # Kept, so that no other target gets the same id.
            self._feeds[id(target)] = target, TrackerFeed(tracker, type(target).__name__, self._guard)
            if self._trial:
                self._feeds[id(target)][1].post(self._tell_config)
        self._live.on_result, self._live.on_close = self.end, self.close

    def before_ask(self, job_id: str | None) -> None:
        """Read what the next run will get, and why. After the ask, nobody knows any more."""
        if self._feeds or lines_wanted():
            body = self._read(JOB_URL, {"job_id": str(job_id)}, CALL_S, "body")
            self._next = body if isinstance(body, dict) else {}

    def note_offer(self, offer: TrialOffer) -> None:
        """Keep the reason for this offer, unless it is an offer of another size or of an earlier run."""
        why, size = self._next.get("next_run"), self._next.get("next_batch_size")
        if isinstance(why, str) and not offer.resumed and size in (None, offer.batch_size):
            self._why = why.replace("The next run", "This run", 1) or None
        self._offer = offer
        self._live.on_result = self.end
        told = self.transport is not None and not offer.finished and lines_wanted()
        if self.transport is not None and told:
            log_launch(offer, self._next, self._why, self.transport.address)
        if offer.message and not offer.resumed and not (told and offer.message in (self._why or "")):
            logger.warning("%s", offer.message)

    def note_end(self, said: ReportResponse, cost_j: float, *, away: bool) -> ReportResponse:
        """Say how the run has ended, and add to a failure what to do next.

        Args:
            said: The decision.
            cost_j: Cost of the run [J].
            away: Whether the server does not answer.
        """
        failed = not said.converged and not said.target_reached
        if self._offer is None or not (failed or lines_wanted()):
            return said
        params = {"job_id": self._offer.job_id}
        body = None if away else self._read(JOB_URL, params, END_S, "body")
        job = body if isinstance(body, dict) else {}
        if lines_wanted():
            log_end(self._offer, said, cost_j, self._meter, job)
        if not failed:
            return said
        return said.model_copy(update={"message": f"{said.message} {advice_after(self._offer, said, job)}"})

    def asked(self, trial: Mapping[str, str | int | None], rules: JobRules) -> None:
        """Log the trial.

        Args:
            trial: What is known about it.
            rules: The rules of its job.
        """
        if dict(trial) != self._trial:
            self._trial, self._rules = dict(trial), rules
            self._post(self._tell_config)

    def evaluate(self, metric: float) -> None:
        """Log an evaluation."""
        self._ended = None
        if not self._feeds:
            return
        with self._guard("log the evaluation"):
            values = self._totals() | ({"metric": metric} if math.isfinite(metric) else {})
            self._post(lambda tracker: tracker.evaluation(values))

    def end(self, result: Outcome | FailReason, wait_s: float) -> None:
        """Log the end of the run, and wait for the trackers. An end without an outcome gets its line here.

        Args:
            result: The outcome, or the reason for which the run ended without one.
            wait_s: How long to wait at most [s].
        """
        if result is self._ended:
            return
        self._ended = result
        if isinstance(result, FailReason) and self._offer is not None and lines_wanted():
            log_failure(self._offer, result, self._meter)
        if not self._feeds:
            return
        with self._guard("log the end of the run"):
            deadline = time.monotonic() + wait_s
            values = {"outcome": result.value, **self._totals()}
            self._post(lambda tracker: tracker.summary({**values, **self._saved(deadline - time.monotonic())}))
            for _, feed in self._feeds.values():
                feed.flush(max(0.0, deadline - time.monotonic()))

    def close(self) -> None:
        """Let go of the trackers."""
        for _, feed in self._feeds.values():
            feed.close()

    def _post(self, act: Callable[[Tracker], None]) -> None:
        for _, feed in self._feeds.values():
            feed.post(act)

    def _tell_config(self, tracker: Tracker) -> None:
        values = {**self._trial, "type": self._type(), "why": self._why}
        tracker.config({name: value for name, value in values.items() if value is not None})

    def _type(self) -> str | None:
        """The type of the trial."""
        number = self._trial["trial_number"]
        if number is None:
            return None
        params = {"job_id": str(self._trial["job_id"]), "after": str(int(number) - 1), "limit": "1"}
        items = self._read(TRIALS_URL, params, CALL_S, "items")
        kind = items[0].get("type") if isinstance(items, tuple) and items and isinstance(items[0], dict) else None
        return kind if isinstance(kind, str) else None

    def _saved(self, wait_s: float) -> dict[str, float]:
        """What the job has saved so far, as far as that is known."""
        body = self._read(SAVINGS_URL, {"job_id": str(self._trial.get("job_id"))}, wait_s, "body")
        found = {name: body.get(name) for name in _SAVED} if isinstance(body, dict) else {}
        return {_SAVED[name]: float(saved["saved"]) for name, saved in found.items() if isinstance(saved, dict)}

    def _totals(self) -> dict[str, float]:
        """The cost, energy and time of the run so far."""
        energy_j, time_s, rules = self._meter.energy_j, self._meter.time_s, self._rules
        cost = {} if rules is None else {"cost_j": zeus_cost(energy_j, time_s, rules.eta_knob, rules.max_power_w)}
        return {"epoch": self._live.epoch, **cost, "energy_j": energy_j, "time_s": time_s}

    def _read(self, path: str, params: Mapping[str, str], timeout_s: float, part: str) -> object:
        """Read a part of an answer. None if there is none: a log without a figure is better than no log."""
        if self.transport is None or timeout_s <= 0:
            return None
        try:
            answer = self.transport.request("GET", path, params=params, timeout_s=timeout_s)
        except TransportError:
            return None
        return None if answer.status >= 400 else getattr(answer, part)


def _unknown(target: object) -> str:
    given = "None; wandb.run is None before wandb.init()" if target is None else f"a {type(target).__name__}"
    return (
        f"log_to() was given {given}. It takes a run of W&B, the module mlflow, a SummaryWriter or a function. "
        "Nothing is logged there."
    )

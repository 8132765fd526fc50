"""What ends a run while the server is away: its first run at another job's best size has a bound on its epochs."""

from __future__ import annotations

from zeus_bso.client.stop_rules import JobRules, LocalStopRules
from zeus_bso.protocol.messages import ReportResponse
from zeus_bso.protocol.words import Outcome

RULES = JobRules(0.9, True, max_epochs=10, eta_knob=1.0, max_power_w=300.0, epoch_bound=3)


def decided(metrics: list[float], rules: JobRules = RULES) -> list[ReportResponse]:
    """What is said about each evaluation."""
    local, said = LocalStopRules(rules), []
    for epoch, metric in enumerate(metrics, start=1):
        local.note(metric)
        said.append(local.decide(metric, epoch=epoch, time_s=float(epoch), energy_j=10.0 * epoch))
    return said


def test_a_run_is_stopped_at_its_bound_on_epochs() -> None:
    outcomes = [answer.outcome for answer in decided([0.1, 0.2, 0.3])]

    assert outcomes == [None, None, Outcome.COST_BOUND]


def test_a_run_that_reaches_its_target_at_the_bound_has_converged() -> None:
    assert decided([0.1, 0.2, 0.95])[-1].outcome is Outcome.CONVERGED


def test_max_epochs_below_the_bound_come_first() -> None:
    early = JobRules(0.9, True, max_epochs=2, eta_knob=1.0, max_power_w=300.0, epoch_bound=3)

    assert decided([0.1, 0.2], early)[-1].outcome is Outcome.TARGET_MISSED

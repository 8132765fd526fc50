"""What the demo says about what a job has learnt."""

from __future__ import annotations

import json
from dataclasses import asdict

import pytest
from tests.support.trial_views import job, size, trial

from zeus_bso.cli.job_report import JobReport, make_report, print_commands, print_report, sentences
from zeus_bso.cli.repeated_runs import CONFIRMATIONS, Confirmation
from zeus_bso.protocol.words import EnergySource, TrialStatus


@pytest.fixture
def settled() -> JobReport:
    """64 costs 40 J against the default's 100 J; 32 never converged."""
    sizes = [size(32, unconverged=1), size(64, converged=2, cost=40.0), size(256, converged=1, cost=100.0)]
    trials = [trial(1, 256, 100.0), trial(2, 64, 38.0), trial(3, 32, 80.0, converged=False), trial(4, 64, 42.0)]
    return make_report(job(sizes, chosen=64), trials, settled=True)


def test_the_saving_compares_the_means_of_chosen_and_default_size(settled: JobReport) -> None:
    assert settled.saving is not None
    assert settled.saving.cost == pytest.approx(0.6)
    assert (settled.saving.chosen_runs, settled.saving.default_runs) == (2, 1)


def test_the_bill_counts_failed_runs_and_only_models_that_reached_the_target(settled: JobReport) -> None:
    assert settled.bill is not None
    assert settled.bill.models == 3
    assert settled.bill.cost_j == pytest.approx(260.0)
    assert settled.bill.exploration_cost_j == pytest.approx(260.0 - 3 * 40.0)
    assert settled.bill.default_cost_j == pytest.approx(300.0)


def test_open_trials_are_not_on_the_bill() -> None:
    sizes = [size(64, converged=1, cost=40.0)]
    running = trial(2, 64, 10.0, converged=False).model_copy(update={"status": TrialStatus.DISPATCHED, "outcome": None})
    report = make_report(job([*sizes, size(256)], chosen=64), [trial(1, 64, 40.0), running], settled=True)

    assert report.bill is not None
    assert report.bill.cost_j == pytest.approx(40.0)


def test_exploring_is_not_hidden(settled: JobReport) -> None:
    text = "\n".join(sentences(settled))

    assert "140 J of it for exploring" in text
    assert "40.0 J less than as many models" in text


def test_the_fewer_runs_a_saving_rests_on_the_wider_is_its_interval() -> None:
    def interval(default_runs: int) -> float:
        sizes = [size(64, converged=9, cost=40.0), size(256, converged=default_runs, cost=100.0)]
        report = make_report(job(sizes, chosen=64), [], settled=True)
        assert report.saving is not None
        assert report.saving.cost_low < 0.6 < report.saving.cost_high < 1
        assert "would save 60 % of the cost of each run from now on, between " in sentences(report)[1]
        return report.saving.cost_high - report.saving.cost_low

    assert interval(1) > interval(3) > interval(30)


def test_a_saving_that_may_be_a_loss_has_an_interval_that_says_so() -> None:
    sizes = [size(64, converged=1, cost=90.0), size(256, converged=1, cost=100.0)]

    said = sentences(make_report(job(sizes, chosen=64), [], settled=True))[1]

    assert "would save 10 %" in said
    assert "between -" in said


@pytest.mark.parametrize("following", ["the best", "another"])
def test_a_job_is_settled_once_enough_runs_in_a_row_have_confirmed_its_size(following: str) -> None:
    confirmation, settled = Confirmation(), job([size(64), size(256)], chosen=64)
    exploring = settled.model_copy(update={"exploring": True})
    sizes_given = [64] * (CONFIRMATIONS - 1)

    assert not confirmation.note(trial(1, 64, 40.0), exploring)
    assert not any(confirmation.note(trial(2, given, 40.0), settled) for given in sizes_given)
    assert confirmation.note(trial(3, 64 if following == "the best" else 256, 40.0), settled) is (
        following == "the best"
    )


def test_a_loss_so_far_is_said_as_such() -> None:
    sizes = [size(32, unconverged=2), size(64, converged=1, cost=40.0), size(256, converged=1, cost=100.0)]
    trials = [trial(n, 32, 150.0, converged=False) for n in (1, 2)] + [trial(3, 64, 40.0), trial(4, 256, 100.0)]

    assert "240 J more than as many models" in "\n".join(
        sentences(make_report(job(sizes, chosen=64), trials, settled=True))
    )


def test_without_a_converged_run_of_the_default_there_is_no_saving_to_claim() -> None:
    report = make_report(job([size(64, converged=2, cost=40.0), size(256, unconverged=1)], chosen=64), [], settled=True)

    assert report.saving is None
    assert "not enough data" in "\n".join(sentences(report))


def test_before_any_size_has_converged_there_is_nothing_to_say() -> None:
    report = make_report(job([size(64), size(256, unconverged=1)], chosen=None), [], settled=True)

    assert sentences(report) == ["No batch size has converged yet: not enough data."]


def test_the_default_itself_may_be_the_best() -> None:
    report = make_report(
        job([size(64), size(256, converged=3, cost=50.0)], chosen=256), [trial(1, 256, 50.0)], settled=True
    )

    assert "No better size is known" in "\n".join(sentences(report))


def test_while_the_job_explores_nothing_counts_as_chosen(capsys: pytest.CaptureFixture[str]) -> None:
    sizes = [size(64, converged=1, cost=40.0), size(256, converged=1, cost=100.0)]
    trials = [trial(1, 256, 100.0), trial(2, 64, 40.0)]

    print_report(make_report(job(sizes, chosen=64), trials, settled=False))

    shown = capsys.readouterr().out
    assert "Best batch size so far: 64" in shown
    assert "hosen" not in shown


@pytest.mark.parametrize(("source", "estimated"), [(EnergySource.ESTIMATE, True), (EnergySource.RAPL, False)])
def test_estimates_are_called_so(source: EnergySource, estimated: bool, capsys: pytest.CaptureFixture[str]) -> None:
    sizes = [size(64, converged=2, cost=40.0), size(256, converged=1, cost=100.0)]
    report = make_report(job(sizes, chosen=64, source=source), [trial(1, 256, 100.0)], settled=True)

    print_report(report)

    shown = capsys.readouterr().out
    assert ("estimated" in shown) is estimated
    assert ("energy*" in shown) is estimated


def test_the_table_has_a_row_for_every_size_and_marks_chosen_and_default(
    settled: JobReport, capsys: pytest.CaptureFixture[str]
) -> None:
    print_report(settled)

    rows = {line.split()[0]: line for line in capsys.readouterr().out.splitlines() if line.strip()[:1].isdigit()}
    assert list(rows) == ["32", "64", "256"]
    assert rows["64"].split()[1:] == ["2", "0", "40.0", "J", "0.400", "s", "40.0", "J", "chosen"]
    assert rows["256"].rstrip().endswith("default")


def test_a_command_stays_on_one_line_whatever_it_holds(capsys: pytest.CaptureFixture[str]) -> None:
    command = f"zeus-bso demo --dir [odd] {'x' * 200}"

    print_commands([("Go on", command)])

    assert capsys.readouterr().out.splitlines()[-1] == f"  {command}"


def test_the_report_can_be_told_as_json(settled: JobReport) -> None:
    assert json.loads(json.dumps(asdict(settled)))["chosen_batch_size"] == 64

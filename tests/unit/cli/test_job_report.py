"""What the demo says about what a job has learnt."""

from __future__ import annotations

import json
from dataclasses import asdict

import pytest
from tests.support.trial_views import job, size, trial

from zeus_bso.cli.job_report import JobReport, make_report, print_commands, print_report, sentences
from zeus_bso.cli.settling import CONFIRMATIONS, is_confirmed, none_converges
from zeus_bso.protocol.words import EnergySource, TrialStatus


@pytest.fixture
def settled() -> JobReport:
    """64 costs 40 J against the default's 100 J; 32 never converged."""
    sizes = [size(32, unconverged=1), size(64, converged=2, cost=40.0), size(256, converged=1, cost=100.0)]
    trials = [trial(1, 256, 100.0), trial(2, 64, 38.0), trial(3, 32, 80.0, converged=False), trial(4, 64, 42.0)]
    return make_report(job(sizes, chosen=64), trials)


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
    report = make_report(job([*sizes, size(256)], chosen=64), [trial(1, 64, 40.0), running])

    assert report.bill is not None
    assert report.bill.cost_j == pytest.approx(40.0)


def test_exploring_is_not_hidden(settled: JobReport) -> None:
    text = "\n".join(sentences(settled))

    assert "140 J of it for exploring" in text
    assert "40.0 J less than as many models" in text


def test_the_fewer_runs_a_saving_rests_on_the_wider_is_its_interval() -> None:
    def interval(default_runs: int) -> float:
        sizes = [size(64, converged=9, cost=40.0), size(256, converged=default_runs, cost=100.0)]
        report = make_report(job(sizes, chosen=64), [])
        assert report.saving is not None
        assert report.saving.cost_low < 0.6 < report.saving.cost_high < 1
        assert "would save 60 % of the cost of each run from now on, between " in sentences(report)[1]
        return report.saving.cost_high - report.saving.cost_low

    assert interval(1) > interval(3) > interval(30)


def test_a_saving_that_may_be_more_than_the_cost_itself_is_left_out() -> None:
    sizes = [size(64, converged=1, cost=90.0), size(256, converged=1, cost=100.0)]

    said = sentences(make_report(job(sizes, chosen=64), []))[1]

    assert said.startswith("What it saves against your default size 256 is not certain yet, by 1 run against 1 run")


def test_a_saving_that_may_be_a_loss_has_an_interval_that_says_so() -> None:
    sizes = [size(64, converged=9, cost=90.0), size(256, converged=9, cost=100.0)]

    said = sentences(make_report(job(sizes, chosen=64), []))[1]

    assert "would save 10 %" in said
    assert "between -" in said


def test_a_settled_job_is_confirmed_once_enough_runs_in_a_row_have_taken_its_size() -> None:
    settled = job([size(64), size(256)], chosen=64)
    confirming = [trial(number, 64, 40.0) for number in range(1, 1 + CONFIRMATIONS)]

    assert is_confirmed(settled, [trial(9, 256, 40.0), *confirming])
    assert not is_confirmed(settled.model_copy(update={"exploring": True}), confirming)
    assert not is_confirmed(settled, confirming[1:])
    assert not is_confirmed(settled, [*confirming, trial(9, 256, 40.0)])


def test_no_size_converges_once_each_has_been_tried_in_vain() -> None:
    assert none_converges(job([size(64, unconverged=1), size(256, unconverged=2)], chosen=None))
    assert not none_converges(job([size(64), size(256, unconverged=2)], chosen=None))
    assert none_converges(job([size(64), size(256)], chosen=None, no_size_converges=True))
    assert not none_converges(job([size(64, converged=1, cost=1.0), size(256, unconverged=2)], chosen=64))


def test_a_cheaper_mean_than_that_of_the_chosen_size_is_not_passed_over() -> None:
    sizes = [size(64, converged=1, cost=40.0), size(256, converged=3, cost=50.0)]

    said = "\n".join(sentences(make_report(job(sizes, chosen=256), [])))

    assert "256 is believed to be the cheapest; 64 cost less in 1 run, which is not certain yet." in said
    assert "No better size" not in said


def test_without_any_difference_no_figure_of_nothing_is_given() -> None:
    sizes = [size(256, converged=2, cost=50.0)]

    said = sentences(make_report(job(sizes, chosen=256), [trial(1, 256, 50.0), trial(2, 256, 50.0)]))[-1]

    assert said.startswith("Finding it: 2 runs cost 100 J and gave 2 models. That is as much as ")


@pytest.mark.parametrize("width", [40, 80])
def test_the_marks_of_sizes_stay_on_a_narrow_terminal(
    width: int, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    retired = size(32, unconverged=2).model_copy(update={"retired": "unconverged"})
    sizes = [retired, size(64, converged=1, cost=123456.0), size(256, converged=1, cost=100.0)]

    print_report(make_report(job(sizes, chosen=256), []))

    rows = {line.split()[0]: line.rstrip() for line in capsys.readouterr().out.splitlines() if line.strip()}
    assert "not given again" in rows["32"]
    assert rows["256"].endswith("chosen, default")
    assert max(len(rows[each]) for each in ("batch", "32", "64", "256")) <= width


def test_a_loss_so_far_is_said_as_such() -> None:
    sizes = [size(32, unconverged=2), size(64, converged=1, cost=40.0), size(256, converged=1, cost=100.0)]
    trials = [trial(n, 32, 150.0, converged=False) for n in (1, 2)] + [trial(3, 64, 40.0), trial(4, 256, 100.0)]

    assert "240 J more than as many models" in "\n".join(sentences(make_report(job(sizes, chosen=64), trials)))


def test_without_a_converged_run_of_the_default_there_is_no_saving_to_claim() -> None:
    report = make_report(job([size(64, converged=2, cost=40.0), size(256, unconverged=1)], chosen=64), [])

    assert report.saving is None
    assert "not enough data" in "\n".join(sentences(report))


def test_before_any_size_has_converged_there_is_nothing_to_say() -> None:
    report = make_report(job([size(64), size(256, unconverged=1)], chosen=None), [])

    assert sentences(report) == ["No batch size has converged yet: not enough data."]


def test_the_default_itself_may_be_the_best() -> None:
    report = make_report(job([size(64), size(256, converged=3, cost=50.0)], chosen=256), [trial(1, 256, 50.0)])

    assert "No better size is known" in "\n".join(sentences(report))


def test_while_the_job_explores_nothing_counts_as_chosen(capsys: pytest.CaptureFixture[str]) -> None:
    sizes = [size(64, converged=1, cost=40.0), size(256, converged=1, cost=100.0)]
    trials = [trial(1, 256, 100.0), trial(2, 64, 40.0)]

    print_report(make_report(job(sizes, chosen=64, exploring=True), trials))

    shown = capsys.readouterr().out
    assert "Best batch size so far: 64" in shown
    assert "hosen" not in shown


@pytest.mark.parametrize(("source", "estimated"), [(EnergySource.ESTIMATE, True), (EnergySource.RAPL, False)])
def test_estimates_are_called_so(source: EnergySource, estimated: bool, capsys: pytest.CaptureFixture[str]) -> None:
    sizes = [size(64, converged=2, cost=40.0), size(256, converged=1, cost=100.0)]
    report = make_report(job(sizes, chosen=64, source=source), [trial(1, 256, 100.0)])

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
    assert rows["64"].split()[1:] == ["2", "2", "0", "0", "40.0", "J", "0.400", "s", "40.0", "J", "chosen"]
    assert rows["256"].rstrip().endswith("default")


def test_a_command_stays_on_one_line_whatever_it_holds(capsys: pytest.CaptureFixture[str]) -> None:
    command = f"zeus-bso demo --dir [odd] {'x' * 200}"

    print_commands([("Go on", command)])

    assert capsys.readouterr().out.splitlines()[-1] == f"  {command}"


def test_the_report_can_be_told_as_json(settled: JobReport) -> None:
    assert json.loads(json.dumps(asdict(settled)))["chosen_batch_size"] == 64

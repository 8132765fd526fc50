"""What the demo says about what a job has learnt."""

from __future__ import annotations

import json
from dataclasses import asdict

import pytest

from zeus_bso.cli.demo_report import DemoReport, make_report, print_report, sentences
from zeus_bso.protocol.job_spec import JobSpecFromClient
from zeus_bso.protocol.views import BatchSizeView, JobView, TrialView
from zeus_bso.protocol.words import EnergySource, Outcome, Stage, TrialStatus, TrialType

SPEC = JobSpecFromClient(
    job_id="digits-1",
    job_id_prefix="digits",
    batch_sizes=[32, 64, 256],
    default_batch_size=256,
    max_power=100.0,
    number_of_gpus=0,
    gpu_model="CPU",
)


def size(batch_size: int, converged: int = 0, unconverged: int = 0, cost: float | None = None) -> BatchSizeView:
    return BatchSizeView(
        batch_size=batch_size,
        trials=converged + unconverged,
        converged=converged,
        unconverged=unconverged,
        failed=0,
        mean_energy=cost,
        mean_time=None if cost is None else cost / 100,
        mean_cost=cost,
        observations=converged,
        belief_mean=None,
        belief_std=None,
        retired=None,
        is_arm=converged > 0,
    )


def trial(number: int, batch_size: int, cost: float | None, *, converged: bool = True) -> TrialView:
    return TrialView(
        job_id="digits-1",
        batch_size=batch_size,
        trial_number=number,
        generation=1,
        type=TrialType.MAB,
        status=TrialStatus.SUCCEEDED,
        outcome=Outcome.CONVERGED if converged else Outcome.COST_BOUND,
        reason=None,
        round=None,
        uncapped=False,
        run_id=None,
        time=1.0,
        energy=1.0,
        metric=0.9,
        current_epoch=3,
        cost=cost,
        target_reached=converged,
        wasted_time=0.0,
        wasted_energy=0.0,
        energy_source=EnergySource.ESTIMATE,
        started_at="2026-01-01T00:00:00+00:00",
        ended_at="2026-01-01T00:00:01+00:00",
        message="",
    )


def job(
    sizes: list[BatchSizeView],
    chosen: int | None,
    source: EnergySource = EnergySource.RAPL,
    stage: Stage = Stage.MAB,
    **changes: object,
) -> JobView:
    view = JobView(
        job_id="digits-1",
        stage=stage,
        policy="zeus",
        gpu_model="CPU",
        number_of_gpus=0,
        generation=1,
        trials=sum(view.trials for view in sizes),
        open_trials=0,
        chosen_batch_size=chosen,
        default_batch_size=256,
        min_cost=None,
        energy_source=source,
        no_size_converges=False,
        created_at="2026-01-01T00:00:00+00:00",
        updated_at="2026-01-01T00:00:00+00:00",
        spec=SPEC,
        batch_sizes=sizes,
    )
    return view.model_copy(update=changes)


@pytest.fixture
def settled() -> DemoReport:
    """64 costs 40 J against the default's 100 J; 32 never converged."""
    sizes = [size(32, unconverged=1), size(64, converged=2, cost=40.0), size(256, converged=1, cost=100.0)]
    trials = [trial(1, 256, 100.0), trial(2, 64, 38.0), trial(3, 32, 80.0, converged=False), trial(4, 64, 42.0)]
    return make_report(job(sizes, chosen=64), trials)


def test_the_saving_compares_the_means_of_chosen_and_default_size(settled: DemoReport) -> None:
    assert settled.saving is not None
    assert settled.saving.cost == pytest.approx(0.6)
    assert (settled.saving.chosen_runs, settled.saving.default_runs) == (2, 1)


def test_the_bill_counts_failed_runs_and_only_models_that_reached_the_target(settled: DemoReport) -> None:
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


def test_exploring_is_not_hidden(settled: DemoReport) -> None:
    text = "\n".join(sentences(settled))

    assert "Exploration accounts for 140 J of it" in text
    assert "40.0 J less in all" in text


@pytest.mark.parametrize(("default_runs", "rough"), [(1, True), (3, False)])
def test_a_saving_that_rests_on_few_runs_is_called_rough(default_runs: int, rough: bool) -> None:
    sizes = [size(64, converged=9, cost=40.0), size(256, converged=default_runs, cost=100.0)]
    text = "\n".join(sentences(make_report(job(sizes, chosen=64), [])))

    assert "cost 60%" in text
    assert ("rough" in text) is rough


def test_a_loss_so_far_is_said_as_such() -> None:
    sizes = [size(32, unconverged=2), size(64, converged=1, cost=40.0), size(256, converged=1, cost=100.0)]
    trials = [trial(n, 32, 150.0, converged=False) for n in (1, 2)] + [trial(3, 64, 40.0), trial(4, 256, 100.0)]

    assert "240 J more in all" in "\n".join(sentences(make_report(job(sizes, chosen=64), trials)))


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
    report = make_report(job(sizes, chosen=64, stage=Stage.PRUNING), [trial(1, 256, 100.0), trial(2, 64, 40.0)])

    print_report(report, [("go on", "zeus-bso demo")])

    shown = capsys.readouterr().out
    assert "Best batch size so far: 64" in shown
    assert "hosen" not in shown


@pytest.mark.parametrize(("following", "exploring"), [(32, True), (64, False)])
def test_a_job_of_the_surrogate_policy_explores_while_its_next_run_tries_another_size(
    following: int, exploring: bool
) -> None:
    sizes = [size(32), size(64, converged=1, cost=40.0), size(256, converged=1, cost=100.0)]
    view = job(sizes, 64, policy="surrogate", next_batch_size=following)
    first = sentences(make_report(view, []))[0]

    assert first == (
        "Best batch size so far: 64; the job is still exploring." if exploring else "Chosen batch size: 64."
    )


@pytest.mark.parametrize(("source", "estimated"), [(EnergySource.ESTIMATE, True), (EnergySource.RAPL, False)])
def test_estimates_are_called_so(source: EnergySource, estimated: bool, capsys: pytest.CaptureFixture[str]) -> None:
    sizes = [size(64, converged=2, cost=40.0), size(256, converged=1, cost=100.0)]
    report = make_report(job(sizes, chosen=64, source=source), [trial(1, 256, 100.0)])

    print_report(report, [("go on", "zeus-bso demo")])

    shown = capsys.readouterr().out
    assert ("estimated" in shown) is estimated
    assert ("energy* (J)" in shown) is estimated


def test_the_table_has_a_row_for_every_size_and_marks_chosen_and_default(
    settled: DemoReport, capsys: pytest.CaptureFixture[str]
) -> None:
    print_report(settled, [("go on", "zeus-bso demo --dir [odd]")])

    lines = capsys.readouterr().out.splitlines()
    rows = {line.split()[0]: line for line in lines if line.strip()[:1].isdigit()}
    assert list(rows) == ["32", "64", "256"]
    assert rows["64"].split()[1:] == ["2", "40.00", "0.40", "40.00", "0", "chosen"]
    assert rows["256"].rstrip().endswith("default")
    assert lines[-1].endswith("zeus-bso demo --dir [odd]")


def test_the_report_can_be_told_as_json(settled: DemoReport) -> None:
    assert json.loads(json.dumps(asdict(settled)))["chosen_batch_size"] == 64

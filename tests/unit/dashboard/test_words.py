from __future__ import annotations

from dataclasses import replace

from tests.unit.policy.test_forecast import KNOBS, MAB, PRUNING, arms

from zeus_bso.policy.forecast import foresee
from zeus_bso.policy.values import Place, PlaceState, Progress, Retirement, Sizes, SizeState
from zeus_bso.server.dashboard.formats import SPACE
from zeus_bso.server.dashboard.words import NextRun, next_run

FRESH = {size: SizeState(size) for size in KNOBS.batch_sizes}


def said(progress: Progress, sizes: Sizes, places: list[Place] | None = None) -> NextRun:
    places = places or []
    return next_run(KNOBS, progress, places, foresee(KNOBS, progress, sizes, places))


def test_a_fresh_job_starts_at_its_default() -> None:
    run = said(PRUNING, FRESH)

    assert run.headline == "Explore batch size 16"
    assert run.reason == "Pruning, round 1 of 2: it starts at the default batch size."


def test_the_walk_says_which_way_it_goes() -> None:
    down = said(PRUNING, FRESH, [Place(16, PlaceState.CONVERGED, 100.0)])
    up = said(PRUNING, FRESH, [Place(16, PlaceState.CONVERGED, 100.0), Place(8, PlaceState.UNCONVERGED)])

    assert down.headline == "Explore batch size 8"
    assert "from 16 it walks down through smaller batch sizes" in down.reason
    assert up.headline == "Explore batch size 32"
    assert "up through larger" in up.reason


def test_while_another_run_explores_it_says_so() -> None:
    sizes = FRESH | {16: SizeState(16, converged=1, ever_converged=True, best_cost=100.0)}
    progress = replace(PRUNING, min_cost=100.0)
    run = said(progress, sizes, [Place(16, PlaceState.CONVERGED, 100.0), Place(8, PlaceState.OPEN)])

    assert run.headline == "Batch size 16"
    assert run.reason == "While another run explores 8, others use the cheapest batch size so far."


def test_the_bandit_names_the_likely_arms_and_their_chances() -> None:
    run = said(MAB, arms(a=[-100.0, -120.0], b=[-105.0, -110.0], c=[-150.0, -180.0]))
    (first, share), (second, _) = run.chances[:2]

    assert {first, second} == {8, 16}
    assert f"batch size {first}" in run.headline
    assert f"{first} wins {100 * share:.0f}{SPACE}%" in run.reason


def test_a_settled_bandit_says_so() -> None:
    run = said(MAB, arms(a=[-100.0, -100.1], b=[-150.0, -150.1], c=[-150.0, -150.1]))

    assert run.headline == "Batch size 8"
    assert run.reason.startswith("It is believed to be the cheapest")


def test_arms_that_lack_observations_are_named() -> None:
    run = said(MAB, arms(a=[-100.0], b=[-100.0, -90.0], c=[]))

    assert run.headline == "Batch size 8 or 32"
    assert run.reason == "Beliefs decide once every size has 2 runs; they have fewer."


def test_what_the_policy_has_to_say_goes_first() -> None:
    drift = said(replace(MAB, cost_bound_in_row=2), arms(a=[-100.0, -90.0], b=[-80.0, -85.0], c=[-150.0, -180.0]))
    oom = {size: SizeState(size, retired=Retirement.OOM) for size in KNOBS.batch_sizes}

    assert "runs without a bound" in drift.reason
    assert "run out of memory" in said(PRUNING, oom).reason


def test_a_job_without_a_size_left_starts_anew() -> None:
    lost = {size: SizeState(size, retired=Retirement.MISSED) for size in KNOBS.batch_sizes}
    run = said(replace(PRUNING, min_cost=50.0), lost)

    assert "the job starts anew" in run.reason

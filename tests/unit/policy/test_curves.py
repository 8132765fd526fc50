"""Learning curves: references and how much slower a run is, by hand."""

from __future__ import annotations

from itertools import pairwise

import pytest

from zeus_bso.policy.state import Knobs
from zeus_bso.policy.surrogate.curves import (
    EVERY_EPOCH_TO,
    MAX_LEVELS,
    NEW_WEIGHT,
    blended,
    is_due,
    reference_curve,
    slowness,
)

KNOBS = Knobs((8, 16), 8, target_metric=0.8)
LOSS = Knobs((8, 16), 8, target_metric=0.2, higher_is_better_metric=False)
REFERENCE = ((0.2, 1.0), (0.4, 2.0), (0.6, 3.0), (0.8, 4.0))


def test_a_reference_has_the_levels_that_were_passed_up_to_the_target() -> None:
    curve = [(1, 0.2), (2, 0.1), (3, None), (4, 0.5), (5, 0.5), (6, 0.9)]

    assert reference_curve(KNOBS, curve) == ((0.2, 1.0), (0.5, 4.0), (0.8, 6.0))


def test_a_loss_is_passed_downward() -> None:
    assert reference_curve(LOSS, [(1, 2.0), (2, 1.0), (3, 1.5), (5, 0.1)]) == ((2.0, 1.0), (1.0, 2.0), (0.2, 5.0))


def test_a_reference_is_thinned_and_keeps_its_ends() -> None:
    reference = reference_curve(KNOBS, [(epoch, 0.8 * epoch / 1000) for epoch in range(1, 1001)])

    assert len(reference) == MAX_LEVELS
    assert reference[0] == (0.0008, 1.0)
    assert reference[-1] == (0.8, 1000.0)
    assert [epoch for _, epoch in reference] == sorted(epoch for _, epoch in reference)


def test_a_later_run_moves_the_epochs_of_the_reference_and_keeps_its_levels() -> None:
    moved = blended(KNOBS, REFERENCE, [(2, 0.4), (6, 0.8)])

    assert [level for level, _ in moved] == [0.2, 0.4, 0.6, 0.8]
    new = [2, 2, 6, 6]
    assert [epoch for _, epoch in moved] == pytest.approx(
        [(1 - NEW_WEIGHT) * old + NEW_WEIGHT * at for (_, old), at in zip(REFERENCE, new, strict=True)]
    )


def test_the_first_converged_run_is_the_reference() -> None:
    assert blended(KNOBS, (), [(1, 0.3), (2, 0.8)]) == ((0.3, 1.0), (0.8, 2.0))


@pytest.mark.parametrize(
    ("curve", "ratio"),
    [
        ([], 0.0),
        ([(1, 0.2), (2, 0.4)], 2 / 3),  # 0.6, passed at 3 by the reference, has been survived for 2.
        ([(1, 0.1), (2, 0.1), (3, 0.1)], 3.0),  # 0.2, passed at 1, has been survived for 3.
        ([(1, 0.1), (2, 0.1), (3, 0.1), (4, 0.5)], 3.0),  # Passed at last: what it was slower stays.
        ([(1, None), (2, None)], 2.0),
        ([(10, 0.1)], 10.0),  # Evaluated every ten epochs.
    ],
)
def test_how_much_slower_a_run_is_at_least(curve: list[tuple[int, float | None]], ratio: float) -> None:
    assert slowness(KNOBS, REFERENCE, curve) == pytest.approx(ratio)


def test_a_run_like_the_reference_is_not_slower() -> None:
    for length in range(1, 5):
        assert slowness(KNOBS, REFERENCE, [(epoch, 0.2 * epoch) for epoch in range(1, length + 1)]) <= 1.0


def test_without_a_reference_nothing_is_known() -> None:
    assert slowness(KNOBS, (), [(1, 0.1), (50, 0.1)]) == 0.0


def test_what_the_reference_passed_in_its_first_tenth_tells_nothing() -> None:
    reference = ((0.3, 1.0), (0.9, 20.0))

    assert slowness(Knobs((8,), 8, target_metric=0.9), reference, [(1, 0.1), (2, 0.1), (3, 0.1)]) == 3 / 20


def test_a_short_run_is_looked_at_at_every_report() -> None:
    assert all(is_due(epoch - 1, epoch) for epoch in range(1, EVERY_EPOCH_TO + 1))


def test_a_long_run_is_looked_at_whenever_it_has_grown_by_about_one_per_cent() -> None:
    looked_at = [epoch for epoch in range(1, 100_001) if is_due(epoch - 1, epoch)]
    gaps = [later / earlier for earlier, later in pairwise(looked_at) if earlier >= 200]

    assert len(looked_at) < 1000
    assert max(gaps) < 1.02


def test_a_long_run_that_is_evaluated_rarely_is_looked_at_every_time() -> None:
    assert all(is_due(epoch - 500, epoch) for epoch in range(500, 20_001, 500))

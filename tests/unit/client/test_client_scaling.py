"""What follows from a batch size."""

from __future__ import annotations

import dataclasses
import math
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zeus_bso import ZeusBSOConfigError
from zeus_bso.client.scaling import (
    LearningRateRule,
    Split,
    linear_learning_rate,
    scaled_learning_rate,
    split,
    square_root_learning_rate,
)

SIZES = st.integers(1, 100_000)
RATES = st.floats(1e-8, 10.0)


class TestLearningRate:
    def test_the_linear_rule_doubles_with_the_batch_size(self) -> None:
        assert linear_learning_rate(0.1, tuned_for=256, batch_size=512) == pytest.approx(0.2)

    def test_the_square_root_rule_doubles_with_four_times_the_batch_size(self) -> None:
        assert square_root_learning_rate(0.1, tuned_for=256, batch_size=1024) == pytest.approx(0.2)

    @pytest.mark.parametrize("rule", [linear_learning_rate, square_root_learning_rate])
    def test_the_batch_size_it_is_tuned_for_keeps_the_rate(self, rule: object) -> None:
        assert callable(rule)
        assert rule(0.3, 48, 48) == 0.3

    @given(RATES, SIZES, SIZES)
    def test_both_rules_undo_themselves(self, rate: float, one: int, other: int) -> None:
        for rule in (linear_learning_rate, square_root_learning_rate):
            assert rule(rule(rate, one, other), other, one) == pytest.approx(rate)

    @given(RATES, SIZES, SIZES)
    def test_the_square_root_rule_is_the_milder_one(self, rate: float, one: int, other: int) -> None:
        linear, root = linear_learning_rate(rate, one, other), square_root_learning_rate(rate, one, other)

        assert abs(math.log(root / rate)) <= abs(math.log(linear / rate)) + 1e-9

    def test_a_rule_has_a_name(self) -> None:
        assert scaled_learning_rate(0.1, 10, 40, "linear") == pytest.approx(0.4)
        assert scaled_learning_rate(0.1, 10, 40, "square-root") == pytest.approx(0.2)

    def test_an_unknown_rule_is_refused_with_the_known_ones(self) -> None:
        with pytest.raises(ZeusBSOConfigError, match="'linear' or 'square-root', not 'cubic'"):
            scaled_learning_rate(0.1, 10, 40, cast(LearningRateRule, "cubic"))

    @pytest.mark.parametrize(("tuned_for", "batch_size"), [(0, 8), (8, 0), (-1, 8)])
    def test_a_batch_size_is_positive(self, tuned_for: int, batch_size: int) -> None:
        with pytest.raises(ZeusBSOConfigError, match="at least 1"):
            linear_learning_rate(0.1, tuned_for, batch_size)


class TestSplit:
    def test_without_a_limit_each_device_takes_its_share_at_once(self) -> None:
        assert split(1024, 8) == Split(per_device=128, accumulation_steps=1, world_size=8)

    def test_what_does_not_fit_at_once_is_accumulated(self) -> None:
        assert split(1024, 4, max_per_device=100) == Split(per_device=64, accumulation_steps=4, world_size=4)

    def test_a_share_that_fits_exactly_is_taken_at_once(self) -> None:
        assert split(256, 2, max_per_device=128).accumulation_steps == 1

    def test_a_size_that_does_not_divide_is_an_error_that_says_what_to_choose(self) -> None:
        with pytest.raises(ZeusBSOConfigError, match=r"100 does not divide by 8 devices.* multiples of 8"):
            split(100, 8)

    def test_a_prime_share_goes_one_by_one(self) -> None:
        assert split(2 * 257, 2, max_per_device=256) == Split(per_device=1, accumulation_steps=257, world_size=2)

    @pytest.mark.parametrize(
        ("arguments", "name"),
        [((0, 1, None), "batch_size"), ((8, 0, None), "world_size"), ((8, 1, 0), "max_per_device")],
    )
    def test_arguments_are_positive(self, arguments: tuple[int, int, int | None], name: str) -> None:
        with pytest.raises(ZeusBSOConfigError, match=f"{name} must be at least 1, not 0"):
            split(*arguments)

    def test_it_cannot_be_changed(self) -> None:
        with pytest.raises(dataclasses.FrozenInstanceError):
            split(8, 2).per_device = 8  # type: ignore[misc]

    @given(st.integers(1, 2000), st.integers(1, 64), st.none() | st.integers(1, 300))
    def test_nothing_is_lost_nothing_is_too_large_and_no_fewer_steps_would_do(
        self, share: int, world_size: int, limit: int | None
    ) -> None:
        found = split(share * world_size, world_size, limit)

        assert found.batch_size == share * world_size
        assert limit is None or found.per_device <= limit
        for fewer in range(1, found.accumulation_steps):
            assert share % fewer or (limit is not None and share // fewer > limit)

    @given(st.integers(1, 10_000), st.integers(2, 64))
    def test_a_remainder_is_never_hidden(self, batch_size: int, world_size: int) -> None:
        if batch_size % world_size:
            with pytest.raises(ZeusBSOConfigError):
                split(batch_size, world_size)
        else:
            assert split(batch_size, world_size).per_device * world_size == batch_size

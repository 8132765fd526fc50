from __future__ import annotations

import math

import pytest

from zeus_bso import units
from zeus_bso.units import plain


@pytest.mark.parametrize(
    ("value_j", "said"),
    [
        (None, "-"),
        (0.0, "0 J"),
        (0.01234, "0.0123 J"),
        (999.6, "1,000 J"),
        (3_599.0, "3,600 J"),
        (3_600.0, "1.00 Wh"),
        (359_000.0, "99.7 Wh"),
        (360_000.0, "0.100 kWh"),
        (-5.58e8, "-155 kWh"),
        (3.6e9, "1.00 MWh"),
        (1e15, "278,000 MWh"),
    ],
)
def test_an_energy_has_three_digits_and_a_unit_that_fits(value_j: float | None, said: str) -> None:
    assert plain(units.energy(value_j)) == said


def test_energies_below_each_other_share_the_unit_of_the_largest() -> None:
    values_j = [36.0, 7_200.0, None]
    unit = units.energy_unit(values_j)

    assert [plain(units.energy(value, unit)) for value in values_j] == ["0.0100 Wh", "2.00 Wh", "-"]


def test_the_unit_of_several_energies_is_that_of_the_largest_by_itself() -> None:
    for value_j in (500.0, 1.7e5, 2e6, 4e8, 9e9):
        assert units.energy(value_j).endswith(f"\N{NO-BREAK SPACE}{units.energy_unit([value_j])}")


def test_what_is_no_number_is_said_rather_than_raised() -> None:
    assert units.number(math.nan) == "nan"
    assert units.duration(math.nan) == "nan\N{NO-BREAK SPACE}s"


def test_a_sentence_on_a_page_has_its_figures_as_the_page_has_them() -> None:
    sentence = "Takes 2048 (38 %): 1.64 kWh (-205 to 2,720), 3 h 5 min; last on 2026-11-24, sizes 112, 104."

    assert units.plain(units.typeset(sentence)) == sentence.replace("2048", "2,048")
    assert units.typeset(sentence) == (
        f"Takes 2{units.NARROW}048 (38{units.SPACE}%): 1.64{units.SPACE}kWh ({units.MINUS}205 to 2{units.NARROW}720), "
        f"3{units.SPACE}h 5{units.SPACE}min; last on 2026-11-24, sizes 112, 104."
    )


def test_of_energies_too_far_apart_for_one_unit_each_has_its_own() -> None:
    assert units.column_unit([36.0, 7_200.0, 0.0, None]) == "Wh"
    assert units.column_unit([36.0, 7.2e9]) is None


def test_a_column_has_the_unit_that_most_of_its_figures_have_by_themselves() -> None:
    assert units.column_unit([2e5, 2.1e5, 2.2e5, 5.5e5]) == "Wh"
    assert units.column_unit([2e5, 5.1e5, 5.2e5]) == "kWh"


@pytest.mark.parametrize(
    ("value_w", "said"), [(250.0, "250 W"), (5_600.0, "5,600 W"), (386e3, "386 kW"), (2e7, "20.0 MW")]
)
def test_a_measured_power_has_a_unit_that_fits(value_w: float, said: str) -> None:
    assert plain(units.power(value_w)) == said


@pytest.mark.parametrize(("value", "said"), [(0, "0 runs"), (1, "1 run"), (2, "2 runs"), (12_345, "12,345 runs")])
def test_one_thing_is_told_apart_from_several(value: int, said: str) -> None:
    assert plain(units.counted(value, "run")) == said


@pytest.mark.parametrize(("value_w", "said"), [(250.0, "250 W"), (0.5, "0.5 W"), (1e9, "1,000,000,000 W")])
def test_a_power_has_no_exponent(value_w: float, said: str) -> None:
    assert plain(units.watts(value_w)) == said


@pytest.mark.parametrize(
    ("value_s", "said"),
    [
        (None, "-"),
        (0.0, "0 s"),
        (0.2345, "0.234 s"),
        (59.96, "60.0 s"),
        (60.0, "1 min"),
        (3_599.9, "1 h"),
        (-2_606.0, "-43 min 26 s"),
        (86_399.0, "1 d"),
        (9e4, "1 d 1 h"),
        (1e15, "11,574,074,074 d 2 h"),
    ],
)
def test_a_duration_has_its_two_largest_units(value_s: float | None, said: str) -> None:
    assert plain(units.duration(value_s)) == said


@pytest.mark.parametrize(
    ("amount", "said"),
    [
        (0.0, "0.00 EUR"),
        (0.004, "under 0.01 EUR"),
        (-0.004, "under 0.01 EUR"),
        (-234.567, "-234.57 EUR"),
        (-1_234.567, "-1,235 EUR"),
    ],
)
def test_money_is_told_to_the_cent_and_much_of_it_without_cents(amount: float, said: str) -> None:
    assert plain(units.money(amount, "EUR")) == said


@pytest.mark.parametrize(("ends", "said"), [(("0.9", "1.2"), "0.9 to 1.2"), (("-0.345", "-0.345"), "")])
def test_an_interval_without_a_width_is_left_out(ends: tuple[str, str], said: str) -> None:
    assert units.interval(*ends) == said


@pytest.mark.parametrize(
    ("value_kg", "said"), [(5.8e-6, "5.80 mg"), (0.25, "250 g"), (46.5, "46.5 kg"), (2e3, "2.00 t")]
)
def test_a_mass_has_a_unit_that_fits(value_kg: float, said: str) -> None:
    assert plain(units.mass(value_kg)) == said


@pytest.mark.parametrize(
    ("share", "said"), [(0.0, "0 %"), (0.004, "<1 %"), (0.5, "50 %"), (0.996, ">99 %"), (1.0, "100 %"), (-0.2, "-20 %")]
)
def test_a_share_that_is_neither_none_nor_all_is_not_shown_as_such(share: float, said: str) -> None:
    assert plain(units.percent(share)) == said


def test_a_loss_is_more_and_not_less() -> None:
    assert [plain(units.less(share)) for share in (0.42, -0.2)] == ["42 % less", "20 % more"]


@pytest.mark.parametrize(
    ("value", "shown"), [(-0.0004, "0.00"), (-0.0, "0.00"), (-1234.5, "\u22121\u202f234.50"), (0.125, "0.12")]
)
def test_a_figure_of_a_column_has_its_decimals_and_zero_has_no_sign(value: float, shown: str) -> None:
    assert units.fixed(value, 2) == shown

"""Past runs in CSV files, however they are written."""

from __future__ import annotations

import contextlib
import itertools
import re
import tempfile
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zeus_bso.cli.errors import CommandError
from zeus_bso.cli.importing import checked_runs as checked
from zeus_bso.cli.importing import csv_source
from zeus_bso.cli.importing.checked_runs import check
from zeus_bso.cli.importing.rows import RunReader, columns_of, improvements, told_columns
from zeus_bso.cli.importing.tracker_curves import as_epochs, count_batches
from zeus_bso.cli.importing.written_figures import ENERGY_UNITS, read_moment, read_number, read_time, read_truth
from zeus_bso.protocol.job_spec import JobSpecFromClient
from zeus_bso.protocol.past_runs import PastRuns

JOB = JobSpecFromClient(
    job_id="job",
    job_id_prefix="p",
    batch_sizes=[8, 16, 32],
    default_batch_size=16,
    max_power=300.0,
    number_of_gpus=1,
    gpu_model="A100",
)


PAGE = Path(__file__).parents[3] / "docs" / "past-runs.md"


def imported(path: Path, told: str = "", job: JobSpecFromClient = JOB, **options: Any) -> list[dict[str, Any]]:
    """What would be sent of a file."""
    with csv_source.opened(path) as source:
        reader = RunReader(columns_of(source.names, told_columns(told)), decimal_comma=source.decimal_comma, **options)
        runs = check(source.runs(), reader, job, "runs.csv")
    with runs:
        return list(itertools.chain.from_iterable(runs.chunks()))


def written(folder: Path, text: str, encoding: str = "utf-8") -> Path:
    path = folder / "runs.csv"
    path.write_bytes(text.encode(encoding))
    return path


def refused(path: Path, told: str = "", **options: Any) -> str:
    with pytest.raises(CommandError) as caught:
        imported(path, told, **options)
    return str(caught.value)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "latin-1"])
@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_a_file_is_read_however_it_is_encoded_and_separated(tmp_path: Path, encoding: str, separator: str) -> None:
    lines = (("run_id", "batch_size", "epochs", "reached"), ("Übung é", "16", "3", "yes"))
    path = written(tmp_path, "\r\n".join(map(separator.join, lines)), encoding)

    assert imported(path) == [{"run_id": "Übung é", "batch_size": 16, "epochs": 3, "reached": True}]


def test_the_examples_of_the_page_are_right(tmp_path: Path) -> None:
    lines, body = (block.group(1) for block in re.finditer(r"```(?:csv|json)\n(.*?)```", PAGE.read_text(), re.DOTALL))
    job = JOB.model_copy(update={"batch_sizes": [64, 512]})
    first, second, third = imported(written(tmp_path, lines), job=job)

    assert (first["run_id"], first["time"], first["energy"]) == (
        "nightly-0412",
        pytest.approx(7110.0),
        pytest.approx(2_232_000.0),
    )
    assert ("energy" in second, third["reached"]) == (False, False)
    assert PastRuns.model_validate_json(body).runs[0].energy == 2_232_000.0


def test_an_encoding_that_was_guessed_is_named(tmp_path: Path) -> None:
    with csv_source.opened(written(tmp_path, "run_id,batch_size\né,8\n", "latin-1")) as source:
        assert source.notes() == [f"{source.path} is not in UTF-8; it was read as Latin-1."]


@pytest.mark.parametrize(
    ("header", "cell", "field", "value"),
    [
        ("energy", "3.2 kWh", "energy", 3.2 * 3.6e6),
        ("energy_kwh", "3.2", "energy", 3.2 * 3.6e6),
        ("energy_kWh", "500 Wh", "energy", 500 * 3.6e3),
        ("energy", "1e6", "energy", 1e6),
        ("energy", "25 MJ", "energy", 25e6),
        ("energy", "25000000 mJ", "energy", 25e3),
        ("energy", "7 MWh", "energy", 25.2e9),
        ("energy", "7000 mWh", "energy", 25.2e3),
        ("energy_mj", "2 kJ", "energy", 2e3),
        ("time", "120 min", "time", 7200.0),
        ("time_h", "0.5", "time", 1800.0),
        ("time_min", "1:00:30", "time", 3630.0),
        ("duration", "90", "time", 90.0),
        ("epoch", "12.0", "epochs", 12),
        ("metric", "-0.5", "metric", -0.5),
        ("curve", '"[[1, 0.5], [2, null], [3, 0.9]]"', "curve", [[1, 0.5], [3, 0.9]]),
        ("curve", '"[[1, 0.5], [2, null], [3, 0.4]]"', "epochs", 3),
        ("end_time", "2026-01-02 03:04:05+01:00", "ended_at", "2026-01-02T02:04:05Z"),
        ("ended_at", "1767323045000", "ended_at", "2026-01-02T03:04:05Z"),
    ],
)
def test_figures_have_units(tmp_path: Path, header: str, cell: str, field: str, value: object) -> None:
    (run,) = imported(written(tmp_path, f"bs,{header}\n16,{cell}\n"), all_reached=True)

    assert run[field] == (pytest.approx(value) if isinstance(value, float) else value)


@pytest.mark.parametrize("cell", ["", "NaN", "null", "None", "n/a", "-", "  "])
def test_what_is_not_known_is_left_out(tmp_path: Path, cell: str) -> None:
    (run,) = imported(written(tmp_path, f"batch_size,energy,epochs\n16,{cell},3\n"), all_reached=True)

    assert "energy" not in run


@pytest.mark.parametrize(
    ("header", "cell", "named"),
    [
        ("energy_mj", "25", "the unit 'mj' in the name of the column may be mega or milli; name the column energy"),
        ("energy_MWh", "25", "the unit 'mwh' in the name of the column may be mega or milli"),
        ("time", "1:58", "'1:58' may be hours and minutes, or minutes and seconds; write it as h:mm:ss"),
    ],
)
def test_a_unit_that_may_be_read_in_two_ways_is_refused(tmp_path: Path, header: str, cell: str, named: str) -> None:
    assert named in refused(written(tmp_path, f"bs,{header},epochs\n16,{cell},3\n"), all_reached=True)


def test_a_name_is_made_of_what_is_read_only(tmp_path: Path) -> None:
    before = imported(written(tmp_path, "batch_size,epochs\n8,3\n"), all_reached=True)
    after = imported(written(tmp_path, "batch_size,epochs,note\n8,3 ,fine\n"), all_reached=True)

    assert before == after


def test_a_cell_may_hold_a_long_curve(tmp_path: Path) -> None:
    curve = ",".join(f"[{epoch},{epoch / 20_000:.6f}]" for epoch in range(1, 10_000))
    (run,) = imported(written(tmp_path, f'batch_size,curve\n16,"[{curve}]"\n'))

    assert run["epochs"] == 9_999


def test_a_decimal_comma_goes_with_semicolons(tmp_path: Path) -> None:
    (run,) = imported(written(tmp_path, "batch_size;energy_kwh;epochs\n16;0,5;3\n"), all_reached=True)

    assert run["energy"] == pytest.approx(1.8e6)


@pytest.mark.parametrize(
    ("line", "named"),
    [
        ("x,3,1,yes", "line 2: batch_size: 'x' is no number"),
        (",3,1,yes", "line 2: batch_size is missing"),
        ("17,3,1,yes", "line 2: batch_size: 17 is none of the job's: 8, 16, 32"),
        ("16,2.5,1,yes", "line 2: epochs: '2.5' is no whole number"),
        ("16,-3,1,yes", "line 2: epochs: Input should be greater than or equal to 1"),
        ("16,3,inf,yes", "line 2: energy: 'inf' is not finite"),
        ("16,3,1e400,yes", "line 2: energy: '1e400' is not finite"),
        ("16,3,3 cal,yes", "line 2: energy: '3 cal' has the unit 'cal', which is not known here; known are j, kj"),
        ('16,3,"1,000",yes', "line 2: energy: '1,000' has a comma"),
        ("16,3,1,maybe", "line 2: reached: 'maybe' is neither true nor false"),
        ("16,3,1,", "line 2: nothing says whether it reached the target"),
        ("16,3,1", "line 2: it has 3 cells, and the header has 4"),
        ("16,3,1,yes,more", "line 2: it has 5 cells, and the header has 4"),
        ('16,3,"1"2,yes', "line 2: "),
        ('"16,3,1,yes', "line 2: unexpected end of data"),
    ],
)
def test_a_wrong_line_is_named_with_the_reason(tmp_path: Path, line: str, named: str) -> None:
    message = refused(written(tmp_path, f"batch_size,epochs,energy,reached\n{line}\n"))

    assert message.startswith("Nothing is imported: 1 run of runs.csv cannot be read.\n")
    assert named in message


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("", "is empty"),
        ("\n\n", "is empty"),
        ("batch_size,epochs\n", "runs.csv has no runs"),
        ("epochs,energy\n1,2\n", "No column has the batch sizes"),
        ("bs,bs\n1,2\n", "two columns 'bs'"),
        ("batch_size,epochs\n16\0,2\n", "null characters"),
        ("batch_size," + "x" * 2**20, "longer than"),
        (",".join(f"c{number}" for number in range(1001)), "more than 1000 columns"),
    ],
)
def test_a_file_that_is_none_is_named(tmp_path: Path, text: str, named: str) -> None:
    assert named in refused(written(tmp_path, text))


def test_a_run_id_that_comes_twice_is_named_with_both_lines(tmp_path: Path) -> None:
    message = refused(written(tmp_path, "run_id,batch_size,epochs\na,8,3\nb,8,3\na,16,3\n"), all_reached=True)

    assert "line 4: run_id: 'a' is that of line 2 too" in message


def test_lines_that_are_alike_are_runs_of_their_own_and_keep_their_ids(tmp_path: Path) -> None:
    path = written(tmp_path, "batch_size,epochs\n8,3\n8,3\n16,3\n")
    ids = [run["run_id"] for run in imported(path, all_reached=True)]

    assert len(set(ids)) == 3
    assert [run["run_id"] for run in imported(path, all_reached=True)] == ids


def test_columns_are_mapped(tmp_path: Path) -> None:
    path = written(tmp_path, "B,E_kwh,n,batch_size\n16,2,3,8\n")
    (run,) = imported(path, "batch_size=B, energy=E_kwh, epochs=n", all_reached=True)

    assert (run["batch_size"], run["energy"], run["epochs"]) == (16, pytest.approx(7.2e6), 3)
    assert "no column 'X' for energy" in refused(path, "energy=X")
    with pytest.raises(CommandError, match="write FIELD=NAME"):
        told_columns("size=B")


def test_the_word_about_another_target_does_not_count(tmp_path: Path) -> None:
    path = written(tmp_path, "batch_size,epochs,reached\n8,3,yes\n")

    assert "nothing says whether" in refused(path, believes_reached=False)


def test_the_oldest_run_comes_first(tmp_path: Path) -> None:
    text = "run_id,batch_size,epochs,ended_at\nnew,8,3,2026-02-01\nold,8,3,2026-01-01\nundated,8,3,\n"
    runs = imported(written(tmp_path, text), all_reached=True)

    assert [run["run_id"] for run in runs] == ["undated", "old", "new"]


def test_of_a_curve_the_improvements_are_sent() -> None:
    curve = ((1, 0.1), (2, None), (3, 0.3), (4, 0.2), (5, 0.25))

    assert improvements(curve, higher_is_better=True) == [(1, 0.1), (3, 0.3), (5, 0.25)]
    assert improvements(curve, higher_is_better=False) == [(1, 0.1), (5, 0.25)]


def test_steps_are_epochs_or_batches() -> None:
    assert as_epochs([(1, 0.2), (0, 0.1), (1, 0.3), (2, float("nan"))]) == [(1, 0.1), (2, 0.3), (3, None)]
    assert as_epochs([(2, 0.1), (4, 0.2)]) == [(2, 0.1), (4, 0.2)]
    assert as_epochs([(500, 0.1), (1000, 0.2)], batches=True) == [(1, 0.1), (2, 0.2)]
    assert as_epochs([(-1, 0.1), (2**40, 0.2)]) == []


def test_one_step_beyond_all_epochs_tells_what_all_steps_are() -> None:
    short, long, zero_based = [(4, 0.1), (8, 0.2)], [(4, 0.1), (12, 0.2)], [(0, 0.1), (10, 0.2)]

    assert not count_batches([short, []], 10)
    assert count_batches([short, long], 10)
    assert count_batches([zero_based], 10)


def test_of_a_million_wrong_lines_the_first_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checked, "MOST_IMPORTED", 3000)
    path = written(tmp_path, "batch_size,epochs\n" + "x,1\n" * 3000)
    message = refused(path)

    assert message.count("is no number") == checked.NAMED
    assert message.endswith("and 2980 more")
    assert refused(written(tmp_path, "batch_size,epochs\n" + "x,1\n" * 4000)).endswith("and 3980 more")
    right = written(tmp_path, "batch_size,epochs\n" + "8,1\n" * 3001)
    assert "more than 3000 runs" in refused(right, all_reached=True)


def test_chunks_are_bounded_in_number_and_size(tmp_path: Path) -> None:
    names = [f"{number:04}{'n' * 200}" for number in range(1200)]
    path = written(tmp_path, "run_id,batch_size,epochs\n" + "".join(f"{name},8,3\n" for name in names))
    with csv_source.opened(path) as source:
        runs = check(source.runs(), RunReader(columns_of(source.names, {}), all_reached=True), JOB, "runs.csv")
    with runs:
        chunks = list(runs.chunks())

    assert [len(chunk) for chunk in chunks] == [500, 500, 200]
    assert [run["run_id"] for chunk in chunks for run in chunk] == names


def test_figures_that_are_none() -> None:
    for text in ("", "1.2.3", "0x10", "١٢", "1 2", "--1", "1_000", "∞"):
        with pytest.raises(ValueError, match=r"."):
            read_number(text, ENERGY_UNITS)
    for text in ("1.234,5", "1,2,3"):
        with pytest.raises(ValueError, match="two ways"):
            read_number(text, decimal_comma=True)
    with pytest.raises(ValueError, match="no time"):
        read_moment("12")
    with pytest.raises(ValueError, match="unit"):
        read_time("1:2:3:4")
    with pytest.raises(ValueError, match="neither"):
        read_truth("2")
    assert read_moment("1767323045") == datetime(2026, 1, 2, 3, 4, 5, tzinfo=timezone.utc)


CELLS = st.one_of(
    st.text(max_size=12),
    st.sampled_from(
        ["8", "16", "17", "NaN", "inf", "-1", "3.2 kWh", "1,5", "yes", '"', "1e999", "\ufeff", "=1+1", "9" * 400]
    ),
    st.integers().map(str),
    st.floats().map(str),
)
NAMES = st.sampled_from(
    [
        "batch_size",
        "epochs",
        "time",
        "time_h",
        "energy",
        "energy_kwh",
        "reached",
        "metric",
        "curve",
        "ended_at",
        "run_id",
        "x",
        "",
    ]
)


@settings(max_examples=150, deadline=None)
@given(
    names=st.lists(NAMES, max_size=6),
    rows=st.lists(st.lists(CELLS, max_size=7), max_size=6),
    separator=st.sampled_from([",", ";", "\t", "|"]),
    end=st.sampled_from(["\n", "\r\n", "\r"]),
    encoding=st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-32", "latin-1"]),
)
def test_any_table_is_read_or_refused_with_a_sentence(
    names: list[str], rows: list[list[str]], separator: str, end: str, encoding: str
) -> None:
    text = end.join(separator.join(row) for row in [names, *rows])
    _read_or_refused(text.encode(encoding, errors="replace"))


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=300), st.booleans())
def test_any_bytes_are_read_or_refused_with_a_sentence(content: bytes, begins_well: bool) -> None:
    _read_or_refused(b"batch_size,epochs,reached\n" * begins_well + content)


def _read_or_refused(content: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "runs.csv"
        path.write_bytes(content)
        with contextlib.suppress(CommandError):
            assert {run["batch_size"] for run in imported(path)} <= set(JOB.batch_sizes)

"""Past runs in files that W&B has exported."""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import Any

import pytest
from tests.unit.cli.test_importing import JOB

from zeus_bso.cli.errors import CommandError
from zeus_bso.cli.importing.checked_runs import check
from zeus_bso.cli.importing.rows import RunReader, columns_of, told_columns
from zeus_bso.cli.importing.sources import opened

TABLE = """\
"Name","State","Runtime","batch_size","epochs","val/acc","energy_kwh"
"bright-sun-1","finished","3600","16","50","0.95","0.5"
"dark-moon-2","crashed","60","16","50","",""
"calm-sea-3","finished","1800","8","50","0.2","0.25"
"""

RUNS: list[dict[str, Any]] = [
    {
        "id": "abc",
        "name": "bright-sun-1",
        "state": "finished",
        "config": {"batch_size": 16, "epochs": 50, "layers": [1, 2]},
        "summary": {"_runtime": 3600.0, "_timestamp": 1767323045.5, "val/acc": 0.95, "energy": 1e6, "_wandb": {}},
        "history": [{"_step": 0, "val/acc": 0.4}, {"_step": 1, "loss": 1}, {"_step": 2, "val/acc": 0.95}],
    },
    {"id": "def", "state": "running", "config": {"batch_size": 8}, "summary": {}},
    {"id": "ghi", "config": {"batch_size": 8}, "summary": {"val/acc": "NaN", "_runtime": 10}, "history": None},
]


def imported(path: Path, told: str) -> tuple[list[dict[str, Any]], list[str]]:
    names = told_columns(told)
    with opened(f"wandb:{path}", names, 100) as source:
        reader = RunReader(columns_of(source.names, names, source.guessed), decimal_comma=source.decimal_comma)
        with check(source.runs(), reader, JOB, source.where) as runs:
            return list(itertools.chain.from_iterable(runs.chunks())), source.notes()


def test_a_table_is_read_and_what_has_not_finished_is_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "export.csv"
    path.write_text(TABLE)
    runs, notes = imported(path, "metric=val/acc,epochs=epochs")

    assert runs[0] == {
        "run_id": "bright-sun-1",
        "batch_size": 16,
        "epochs": 50,
        "time": 3600.0,
        "energy": 1.8e6,
        "metric": 0.95,
    }
    assert [run["run_id"] for run in runs] == ["bright-sun-1", "calm-sea-3"]
    assert notes == ["1 run has not finished and is passed over."]


def test_a_table_may_have_a_column_without_a_name_and_none_of_states(tmp_path: Path) -> None:
    path = tmp_path / "export.csv"
    path.write_text(",name,batch_size,Runtime,acc\n0,a,16,100,0.95\n1,b,32,100,0.95\n")
    runs, notes = imported(path, "metric=acc")

    assert [run["run_id"] for run in runs] == ["a", "b"]
    assert notes == []


@pytest.mark.parametrize("by_line", [True, False])
def test_a_list_of_runs_is_read(tmp_path: Path, by_line: bool) -> None:
    path = tmp_path / "runs.json"
    runs = RUNS[:2]
    path.write_text("\n".join(map(json.dumps, runs)) if by_line else json.dumps(runs))
    (run,), notes = imported(path, "curve=val/acc")

    assert run == {
        "run_id": "abc",
        "batch_size": 16,
        "epochs": 3,
        "time": 3600.0,
        "energy": 1e6,
        "curve": [[1, 0.4], [3, 0.95]],
        "ended_at": "2026-01-02T03:04:05.500000Z",
    }
    assert notes[1:] == ["The steps of all curves are read as epochs."]


def test_steps_of_all_runs_count_batches_if_one_is_beyond_all_epochs(tmp_path: Path) -> None:
    path = tmp_path / "runs.json"
    histories = [[{"_step": step, "acc": 0.9} for step in steps] for steps in ((4, 8), (4, 104))]
    runs = [{"id": f"{at}", "config": {"batch_size": 8}, "history": each} for at, each in enumerate(histories)]
    path.write_text(json.dumps(runs))
    found, notes = imported(path, "curve=acc")

    assert [run["epochs"] for run in found] == [2, 2]
    assert "read as batches" in notes[0]


def test_the_planned_epochs_are_not_taken_for_those_of_the_run(tmp_path: Path) -> None:
    path = tmp_path / "runs.json"
    path.write_text(json.dumps(RUNS[:1]))

    assert "epochs" not in imported(path, "metric=val/acc")[0][0]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ('[1, {"config": {"bs": 8}}]', "run 1: '1' is no JSON object"),
        ("{", "no list of runs in JSON"),
        ("[" * 100_000, "no list of runs in JSON"),
        (json.dumps(RUNS[2:]), "run 1: nothing says whether"),
        (json.dumps([RUNS[0] | {"history": [1]}]), "run 1: history is no list"),
        (json.dumps([RUNS[0] | {"config": 7}]), "No column has the batch sizes"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, content: str, said: str) -> None:
    path = tmp_path / "runs.json"
    path.write_text(content)
    with pytest.raises(CommandError) as caught:
        imported(path, "curve=val/acc")
    assert said in str(caught.value)


def test_another_file_is_refused_with_what_to_write() -> None:
    with pytest.raises(CommandError, match=r"write wandb:FILE\.csv"):
        imported(Path("entity/project"), "")
    with pytest.raises(CommandError, match="No such file"):
        imported(Path("/no/such/file.json"), "")

"""What an import refuses, by the line, and stores nothing of; what it logs."""

from __future__ import annotations

import json
import logging

import pytest
from tests.support.exports import Lines, export, file_of, lines_of, lived, rows, send
from tests.support.server import Server


def refused(own_server: Server, file: bytes) -> str:
    response = send(own_server, file)
    assert response.status_code == 422, response.text
    assert own_server.call("GET", "/api/v1/jobs").json() == [], "something was stored"
    message: str = response.json()["message"]
    return message


@pytest.fixture
def exported(own_server: Server) -> Lines:
    """The lines of an exported job; the server has none any more."""
    lines = lines_of(lived(own_server))
    own_server.wipe()
    return lines


def test_a_file_of_another_version_is_refused(own_server: Server, exported: Lines) -> None:
    exported[0]["version"] = 2

    assert refused(own_server, file_of(exported)) == "Line 1: version 2 of the format is unknown; this release reads 1."


@pytest.mark.parametrize("file", [b"", b"\n", b"{}\n", b"[1]\n", b"\xff\xfe\n", b"[" * 100_000, b'{"format": NaN}'])
def test_what_is_no_exported_job_is_refused(own_server: Server, file: bytes) -> None:
    refused(own_server, file)


def test_a_file_that_was_cut_off_is_refused_wherever_it_was_cut(own_server: Server, exported: Lines) -> None:
    whole = file_of(exported)

    for end in (1, len(whole) // 3, len(whole) // 2, len(whole) - 30, len(whole) - len(json.dumps(exported[-1])) - 1):
        refused(own_server, whole[:end])


CHANGES: dict[str, tuple[str, str, object, str]] = {
    "a column that is not known": ("job", "surprise", 1, "no column 'surprise'"),
    "an energy that is negative": ("trial", "energy", -1.0, "trial.energy must be a number from 0 to 1e+15"),
    "an energy that is a text": ("trial", "energy", "much", "trial.energy must be a finite number"),
    "an energy beyond all bounds": ("trial", "energy", 10**400, "trial.energy must be a finite number"),
    "a number that is too large": ("trial", "current_epoch", 2**31, "trial.current_epoch must be an integer"),
    "a flag that is a number": ("trial", "uncapped", 1, "trial.uncapped must be true or false"),
    "a time without its zone": ("trial", "started_at", "2026-01-01T00:00:00", "trial.started_at must be a timestamp"),
    "a missing value": ("trial", "status", None, "trial.status is missing"),
    "a status that means nothing": ("trial", "status", "Lost", "trial holds an invalid value"),
    "a status that contradicts": ("trial", "status", "Dispatched", "are inconsistent"),
    "a size that is not the job's": ("trial", "batch_size", 7, "trial.batch_size is not a batch size of the job"),
    "a null character": ("trial", "message", "a\x00b", "trial.message must be a string"),
    "half a character": ("trial", "message", "\ud800", "trial.message must be a shorter string in valid Unicode"),
    "a name of control characters": ("trial", "run_id", "a\nb", "trial.run_id must be a name"),
    "a job of another id": ("trial", "job_id", "other", "trial.job_id differs from that of the first line"),
    "a converged run for nothing": ("trial", "cost", 0.0, "cannot have cost nothing"),
    "a spec that is invalid": ("job", "eta_knob", 7.0, "job.eta_knob: Input should be less than or equal to 1"),
    "a stage that means nothing": ("job", "stage", "Rest", "job holds an invalid value"),
    "a round of other sizes": ("job", "round_start", 7, "its round does not fit its batch sizes"),
    "a random state that is none": ("job", "rng_state", {"state": 1}, "job.rng_state holds an invalid value"),
    "a random state with an infinity": (
        "job",
        "rng_state",
        {"far": float("inf")},
        "job.rng_state must contain finite numbers",
    ),
    "a generation without a next one": ("job", "generation", 2**31 - 1, "job.generation must be an integer from 0 to"),
    "trials without a next one": ("job", "last_trial_number", 2**31 - 1, "job.last_trial_number must be an integer"),
    "scatter below nothing": (
        "batch_size_state",
        "reward_m2",
        -1.0,
        "batch_size_state.reward_m2 must be a number from 0",
    ),
    "a mean beyond all bounds": (
        "batch_size_state",
        "reward_mean",
        1e308,
        "batch_size_state.reward_mean must be a number",
    ),
    "a cost below nothing": (
        "batch_size_state",
        "best_cost",
        -1.0,
        "batch_size_state.best_cost must be a number from 0",
    ),
    "options that are none": ("job", "policy_options", {"curve_stop": "perhaps"}, "job.policy_options.curve_stop"),
    "a belief that is a text": ("job", "surrogate", {"noise_ss": "0"}, "job.surrogate holds an invalid value"),
    "an incumbent of no size": ("job", "surrogate", {"incumbent": 7}, "its incumbent is not a batch size of the job"),
    "a curve that begins at 0": ("batch_size_state", "surrogate", {"curve": [[0.5, 0]]}, "batch_size_state.surrogate"),
    "a curve without epochs": ("batch_size_state", "surrogate", {"curve": [0.5]}, "batch_size_state.surrogate"),
    "beliefs without names": ("batch_size_state", "surrogate", [1.0], "batch_size_state holds an invalid value"),
    "too few trials known": ("job", "last_trial_number", 3, "is greater than the job's last one"),
    "a size state of no size": (
        "batch_size_state",
        "batch_size",
        65,
        "batch_size_state.batch_size is not a batch size",
    ),
    "power settings that are none": ("job", "power_settings", {"power_limit": "fast"}, "job.power_limit: must be"),
    "power settings of other things": ("job", "power_settings", {"max_epochs": 3}, "job holds an invalid value"),
    "power settings without names": ("job", "power_settings", [1], "job holds an invalid value"),
    "a profile of no size": ("power_profile", "batch_size", 65, "power_profile.batch_size is not a batch size"),
    "a profile by hours": ("power_profile", "unit", "hour", "power_profile holds an invalid value"),
    "a profile of no range": ("power_profile", "lowest", 301.0, "power_profile holds an invalid value"),
    "a limit of no profile": ("power_point", "batch_size", 65, "belongs to a power_profile that is missing"),
    "a limit out of range": ("power_point", "power_limit", 301.0, "power_point holds an invalid value"),
    "a pace of nothing": ("power_point", "rate", 0.0, "power_point holds an invalid value"),
    "a limit that was not measured": ("power_point", "windows", 0, "power_point holds an invalid value"),
    "a trial that measured too much": ("trial", "profiling_energy", -1e16, "trial.profiling_energy must be a number"),
    "a report of no trial": ("trial_report", "trial_number", 99, "belongs to a trial that is missing in the file"),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_line_that_makes_no_sense_is_refused_by_its_number(own_server: Server, exported: Lines, change: str) -> None:
    table, column, value, sentence = CHANGES[change]
    number = max(place for place, line in enumerate(exported, start=1) if line.get("table") == table)
    if table in ("trial", "job"):
        number = min(place for place, line in enumerate(exported, start=1) if line.get("table") == table)
    exported[number - 1]["row"][column] = value

    message = refused(own_server, file_of(exported).replace(b"Infinity", b"1e999"))

    assert sentence in message
    expected = number if change != "too few trials known" else message.split(":")[0].removeprefix("Line ")
    assert message.startswith(f"Line {expected}: ")


def test_a_profile_without_limits_and_one_with_too_many_are_refused(own_server: Server, exported: Lines) -> None:
    size = rows(exported, "power_profile")[0]["batch_size"]
    points = [line for line in exported if line.get("table") == "power_point" and line["row"]["batch_size"] == size]
    others = [line for line in exported if line not in points]
    first = exported.index(points[0])
    many = [points[0] | {"row": points[0]["row"] | {"power_limit": 125.0 + number}} for number in range(65)]
    counts = exported[-1]["rows"]

    none = [*others[:-1], {"rows": counts | {"power_point": counts["power_point"] - len(points)}}]
    assert f"the power_profile of batch size {size} has no power_point" in refused(own_server, file_of(none))
    too_many = [*exported[:first], *many, *exported[first + len(points) :]]
    assert refused(own_server, file_of(too_many)).startswith(f"Line {first + 65}: power_point holds an invalid value")


def test_a_row_that_stands_twice_is_refused(own_server: Server, exported: Lines) -> None:
    place = next(place for place, line in enumerate(exported) if line.get("table") == "trial")

    assert "ascending" in refused(own_server, file_of([*exported[:place], exported[place], *exported[place:]]))


def test_rows_out_of_their_order_are_refused(own_server: Server, exported: Lines) -> None:
    assert refused(own_server, file_of([exported[0], *exported[-2:0:-1], exported[-1]])).startswith("Line 2: ")


def test_a_column_that_an_older_release_did_not_know_may_be_missing(own_server: Server, exported: Lines) -> None:
    for line in exported:
        if line.get("table") == "trial":
            del line["row"]["heartbeat_s"]

    assert send(own_server, file_of(exported)).status_code == 201


def test_a_file_beyond_the_limit_is_refused(own_server: Server) -> None:
    file = lived(own_server)
    own_server.wipe()
    own_server.restart(import_max_bytes=len(file) - 1)

    response = send(own_server, file)

    assert response.status_code == 413
    assert "ZEUS_BSO_IMPORT_MAX_BYTES" in response.json()["message"]


def test_a_file_larger_than_other_bodies_may_be_is_taken(own_server: Server) -> None:
    lines = lines_of(lived(own_server))
    own_server.wipe()
    report = rows(lines, "trial_report")[-1]
    more = [{"table": "trial_report", "row": report | {"epoch": epoch}} for epoch in range(2, 8000)]
    lines[-1]["rows"]["trial_report"] += len(more)
    file = file_of([*lines[:-1], *more, lines[-1]])
    assert len(file) > 2**20

    assert send(own_server, file).status_code == 201
    assert export(own_server) == file_of_same_shape(file)


def file_of_same_shape(file: bytes) -> bytes:
    return b"".join(json.dumps(json.loads(line), separators=(",", ":")).encode() + b"\n" for line in file.splitlines())


def test_what_cannot_be_taken_back_is_audited(own_server: Server, caplog: pytest.LogCaptureFixture) -> None:
    file = lived(own_server)
    with caplog.at_level(logging.INFO, logger="zeus_bso.audit"):
        send(own_server, file, replace=True)
        own_server.reset()
        own_server.delete()
        own_server.call("DELETE", "/jobs", job_id="nobody")

    said = [record.getMessage() for record in caplog.records if record.name == "zeus_bso.audit"]
    assert said == ["act=import job=job trials=8 replaced=True", "act=reset job=job", "act=delete job=job"]


def test_a_past_run_that_comes_twice_is_refused_by_its_name(own_server: Server, exported: Lines) -> None:
    found = rows(exported, "observation")
    assert len(found) > 1
    found[1]["run_id"] = found[0]["run_id"]

    assert "observation: run " in (message := refused(own_server, file_of(exported)))
    assert "comes twice" in message
    assert found[0]["run_id"] in message


@pytest.mark.parametrize(
    ("column", "value", "said"),
    [
        ("curve", [["one", 0.5]], "observation.curve holds an invalid value"),
        ("curve", [[1, "much"]], "observation.curve holds an invalid value"),
        ("curve", [[0, 0.5]], "observation.curve holds an invalid value"),
        ("generation", 1000, "observation: its generation is greater than the job's"),
        ("generation", 0, "observation: its generation is greater than the job's, or 0"),
    ],
)
def test_a_past_run_that_cannot_be_is_refused(
    own_server: Server, exported: Lines, column: str, value: object, said: str
) -> None:
    rows(exported, "observation")[0][column] = value

    assert said in refused(own_server, file_of(exported))

"""Export and import of whole jobs: what travels, on every database."""

from __future__ import annotations

import pytest
from tests.support.contract import ANY_DATABASE
from tests.support.exports import export, file_of, lines_of, lived, nearly, rows, send
from tests.support.server import Server

POLICIES = ["zeus", "surrogate"]


@pytest.mark.parametrize("policy", POLICIES)
def test_a_job_comes_back_as_it_was(server: Server, policy: str) -> None:
    file = lived(server, policy=policy)
    before = (server.job(), server.trials())
    server.wipe()

    answer = send(server, file)

    assert (answer.status_code, answer.json()) == (201, {"job_id": "job", "trials": 8, "replaced": False})
    assert (server.job(), server.trials()) == nearly(before)
    assert export(server) == file


@pytest.mark.parametrize("policy", POLICIES)
def test_an_imported_job_goes_on_like_the_one_it_was_exported_from(server: Server, policy: str) -> None:
    file = lived(server, policy=policy)
    offers = [server.offer()["batch_size"] for _ in range(4)]
    server.delete()
    assert send(server, file, replace=True).status_code == 201

    assert [server.offer()["batch_size"] for _ in range(4)] == offers


def test_a_job_of_the_surrogate_policy_goes_on_too(server: Server) -> None:
    server.register(policy="surrogate", policy_options={"curve_stop": False})
    for energy in (1e15 / 3, 100.1, 77.7, 60.0):
        server.converge(server.ask(), energy=energy)
    server.miss(server.ask(), energy=50.0)
    file, before = export(server), server.job()
    offers = [server.offer()["batch_size"] for _ in range(4)]
    server.delete()
    assert send(server, file, replace=True).status_code == 201

    assert server.job()["batch_sizes"] == nearly(before["batch_sizes"])
    assert server.job()["spec"] == before["spec"]
    assert [server.offer()["batch_size"] for _ in range(4)] == offers


def test_an_export_has_every_column_of_every_table_of_a_job(server: Server) -> None:
    lines = lines_of(lived(server))
    tables = ("job", "batch_size_state", "observation", "power_profile", "trial", "power_point", "trial_report")

    assert lines[0] == {"format": "zeus-bso-job", "version": 1, "job_id": "job"}
    assert lines[-1]["rows"] == {table: len(rows(lines, table)) for table in tables}
    for table in tables:
        stored = server.sql(f"SELECT * FROM {table}")
        assert len(stored) == len(rows(lines, table))
        assert set(rows(lines, table)[0]) == set(stored[0])


def test_a_file_of_an_older_release_with_a_column_that_is_gone_is_read(server: Server) -> None:
    file = lived(server)
    lines = lines_of(file)
    rows(lines, "job")[0]["min_cost_since"] = 3
    server.delete()

    assert send(server, file_of(lines)).status_code == 201
    assert server.job()["trials"] == 8


@ANY_DATABASE
def test_a_file_of_an_older_release_with_former_names_of_columns_is_read(server: Server) -> None:
    file = lived(server)
    lines = lines_of(file)
    for row in rows(lines, "job"):
        row["wide"] = row.pop("try_all_sizes")
    for row in rows(lines, "batch_size_state"):
        row["barren_in_row"] = row.pop("no_result_in_row")
    server.delete()

    assert send(server, file_of(lines)).status_code == 201
    assert export(server) == file


@ANY_DATABASE
def test_a_file_from_before_power_limits_is_read(server: Server) -> None:
    lines = [line for line in lines_of(lived(server)) if not str(line.get("table")).startswith("power_")]
    for row in rows(lines, "job"):
        del row["power_settings"]
    for row in rows(lines, "trial"):
        for name in ("power_limit", "profiling_time", "profiling_energy"):
            del row[name]
    del lines[-1]["rows"]["power_profile"], lines[-1]["rows"]["power_point"]
    server.delete()

    assert send(server, file_of(lines)).status_code == 201
    assert (server.job()["trials"], server.job()["spec"]["power_limit"]) == (8, "off")


def test_an_existing_job_is_not_touched_unless_it_is_to_be_replaced(server: Server) -> None:
    file = lived(server)
    server.ask()
    before = export(server)

    refused = send(server, file)
    assert refused.status_code == 409
    assert "replace" in refused.json()["message"]
    assert export(server) == before

    assert send(server, file, replace=True).json()["replaced"]
    assert server.job()["trials"] == 8


def test_trials_of_a_replaced_job_are_not_numbered_again(server: Server) -> None:
    file = lived(server)
    late = server.ask()
    send(server, file, replace=True)

    assert server.call("POST", "/report", late.result()).status_code == 400
    assert server.ask().trial_number == late.trial_number + 1


def test_a_job_is_imported_under_another_id_beside_the_first(server: Server) -> None:
    file = lived(server)

    answer = send(server, file, **{"as": "copy/of it"})

    assert answer.json()["job_id"] == "copy/of it"
    copy, original = server.job("copy/of it"), server.job()
    assert copy["batch_sizes"] == original["batch_sizes"]
    assert [trial["energy"] for trial in server.trials("copy/of it")] == [trial["energy"] for trial in server.trials()]


@ANY_DATABASE
def test_an_unknown_job_is_not_exported(server: Server) -> None:
    assert server.call("GET", "/api/v1/jobs/export", job_id="nobody").status_code == 404

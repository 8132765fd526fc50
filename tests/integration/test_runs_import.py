"""``zeus-bso runs import``, on the embedded file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from tests.support.server import Server

from zeus_bso.cli.importing import checked_runs as checked
from zeus_bso.cli.main import main
from zeus_bso.cli.remote import Remote
from zeus_bso.exceptions import ZeusBSOServerUnreachableError
from zeus_bso.protocol.past_runs import PastRunsTaken

LINES = """\
bs;epochs;energy_kwh;time_min;reached
16;5;1,5;30;yes
32;6;1,2;20;yes
8;9;;55;yes
64;10;2;20;no
"""


class Import:
    """Runs the command on a file of jobs."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.folder = folder
        self._capsys = capsys

    def __call__(self, lines: str, *options: str, job: str = "job") -> tuple[int, str, str]:
        (self.folder / "runs.csv").write_text(lines)
        return self.run(str(self.folder / "runs.csv"), *options, job=job)

    def run(self, source: str, *options: str, job: str = "job") -> tuple[int, str, str]:
        url = f"sqlite:///{self.folder / 'jobs.db'}"
        code = main(["runs", "import", source, "--job", job, "--server-url", url, *options])
        said = self._capsys.readouterr()
        return code, said.out, said.err

    def job(self) -> dict[str, Any]:
        main(["jobs", "show", "job", "--json", "--server-url", f"sqlite:///{self.folder / 'jobs.db'}"])
        found: dict[str, Any] = json.loads(self._capsys.readouterr().out)
        return found


@pytest.fixture
def command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Import:
    server = Server(tmp_path / "jobs.db")
    server.start()
    server.register(policy="surrogate", eta_knob=0.5)
    server.close()
    return Import(tmp_path, capsys)


def test_a_job_learns_from_a_file_and_shows_it(command: Import, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = command(LINES)

    assert (code, err) == (0, "")
    assert "4 past runs added to job 'job'." in out
    assert "1 estimated" in out
    job = command.job()
    assert (job["chosen_batch_size"], job["past_runs"]) == (32, {"csv": 4})
    main(["jobs", "show", "job", "--server-url", f"sqlite:///{command.folder / 'jobs.db'}"])
    assert capsys.readouterr().out.count("4 past runs from csv are known.") == 1


def test_importing_again_changes_nothing(command: Import) -> None:
    command(LINES)
    before = command.job()
    code, out, _ = command(LINES)

    assert code == 0
    assert "4 runs known already, passed over." in out
    assert command.job() == before


def test_a_dry_run_shows_a_table_and_stores_nothing(command: Import) -> None:
    code, out, _ = command(LINES, "--dry-run")

    assert code == 0
    assert out.splitlines()[1].split()[:4] == ["8", "1", "1", "9.00"]
    assert out.endswith("Nothing is stored.\n")
    assert command.job()["past_runs"] == {}


def test_the_answer_comes_as_json(command: Import) -> None:
    code, out, _ = command(LINES, "--json", "--source-name", "old cluster")

    assert code == 0
    assert PastRunsTaken.model_validate_json(out).added == 4
    assert command.job()["past_runs"] == {"old cluster": 4}


@pytest.mark.parametrize(
    ("lines", "options", "code", "said"),
    [
        ("batch_size,epochs\nx,1\n", (), 1, "line 2: batch_size: 'x' is no number"),
        ("batch_size,epochs,reached,metric\n16,3,yes,0.1\n", (), 1, "line 2: reached is True, but its metric 0.1"),
        ("batch_size,epochs\n16,3\n", (), 1, "give reached, metric or curve, or --reached"),
        ("batch_size,epochs,reached\n16,3,yes\n", ("--target", "0.5"), 1, "with --target the column reached does not"),
        ("batch_size,epochs\n16,3\n", ("--map", "size=x"), 2, "write FIELD=NAME"),
        ("batch_size,epochs\n16,3\n", ("--reached", "--source-name", "x" * 256), 2, "--source-name"),
    ],
)
def test_what_is_wrong_is_said_and_nothing_is_stored(
    command: Import, lines: str, options: tuple[str, ...], code: int, said: str
) -> None:
    found, out, err = command(lines, *options)

    assert (found, out) == (code, "")
    assert said in err
    assert command.job()["past_runs"] == {}


def test_a_job_of_the_policy_zeus_is_told_what_it_does_not_learn(command: Import) -> None:
    server = Server(command.folder / "jobs.db")
    server.start()
    server.register(job_id="reference")
    server.close()

    assert "The policy zeus learns from its own trials only." in command(LINES, job="reference")[1]


def test_a_job_or_a_file_that_is_not_there_is_named(command: Import) -> None:
    assert "no job 'gone'" in command(LINES, job="gone")[2]
    assert command(LINES, "--dry-run", job="jo")[0] == 0
    assert "cannot be read: No such file" in command.run("/no/such/file.csv")[2]


@pytest.mark.parametrize("options", [(), ("--dry-run",)])
def test_an_estimate_rests_on_all_runs_of_the_file(
    command: Import, monkeypatch: pytest.MonkeyPatch, options: tuple[str, ...]
) -> None:
    monkeypatch.setattr(checked, "_CHUNK_RUNS", 1)
    lines = (
        "run_id,batch_size,epochs,time_s,energy_j,reached,ended_at\n"
        "old,8,3,10,,yes,2024-01-01\nnew,16,3,10,500,yes,2025-01-01\nnewest,32,3,10,1500,yes,2026-01-01\n"
    )
    answer = json.loads(command(lines, "--json", *options)[1])

    assert answer["batch_sizes"][0]["mean_energy"] == pytest.approx(1000.0)


def test_a_server_that_goes_away_in_the_middle_is_taken_up_again(
    command: Import, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checked, "_CHUNK_RUNS", 2)
    tell, told = Remote.tell_past_runs, list[int]()

    def tell_once(remote: Remote, *arguments: Any, dry_run: bool, **options: Any) -> PastRunsTaken:
        if not dry_run:
            told.append(1)
            if len(told) == 2:
                raise ZeusBSOServerUnreachableError("The server does not answer.")
        return tell(remote, *arguments, dry_run=dry_run, **options)

    with monkeypatch.context() as patch:
        patch.setattr(Remote, "tell_past_runs", tell_once)
        code, _, err = command(LINES)

    assert code == 1
    assert "The server does not answer. 2 of 4 runs are stored. Run the command again" in err
    assert command.job()["past_runs"] == {"csv": 2}
    assert "2 past runs added" in command(LINES)[1]
    assert command.job()["past_runs"] == {"csv": 4}


def test_a_file_in_latin_1_is_read_and_the_guess_is_said(command: Import) -> None:
    path = command.folder / "old.csv"
    path.write_bytes("run_id,batch_size,epochs\nÜ,16,3\n".encode("latin-1"))
    code, _, err = command.run(str(path), "--reached")

    assert code == 0
    assert err == f"zeus-bso: {path} is not in UTF-8; it was read as Latin-1.\n"

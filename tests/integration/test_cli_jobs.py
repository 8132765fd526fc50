"""``zeus-bso jobs`` and ``zeus-bso trials``, against a real server and against the embedded file."""

from __future__ import annotations

import csv
import io
import json
import os
import re
import shutil
import sys
import threading
from pathlib import Path

import pytest
from tests.support.jobs import Json
from tests.support.power import BEGUN, BEST_W, COMPLETE
from tests.support.server import Server

from zeus_bso.cli import remote
from zeus_bso.cli.main import main

Run = tuple[int, str, str]

LONG = "resnet-50-imagenet-nightly-0123abcd"


@pytest.fixture(scope="session")
def _left_by_scripts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("left") / "jobs.db"
    server = Server(path)
    server.start()
    server.register(job_id="nightly", gpu_model="[red]H200[/red]")
    server.converge(server.ask("nightly"), energy=5e6, time=3000.0, energy_source="estimate")
    server.converge(server.ask("nightly"), energy=3e6, time=2000.0, energy_source="estimate")
    running = server.ask("nightly")
    server.report(running, metric=0.25)
    server.register(job_id="weekly")
    server.register(job_id="limited", power_limit="optimize")
    limited: Json = {"power_limit": BEST_W, "power_profile": COMPLETE}
    server.converge(server.ask("limited"), **limited, profiling_time=61.0, profiling_energy=3e5)
    server.report(server.ask("limited"), power_profile=BEGUN)
    server.close()
    return path


@pytest.fixture
def file(_left_by_scripts: Path, tmp_path: Path) -> Path:
    """An embedded file with three jobs, as training scripts left it."""
    return Path(shutil.copy(_left_by_scripts, tmp_path / "jobs.db"))


@pytest.fixture
def url(file: Path) -> str:
    return f"sqlite:///{file}"


@pytest.fixture
def command(url: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Command:
    monkeypatch.setenv("ZEUS_BSO_SERVER_URL", url)
    monkeypatch.setattr(sys, "stdin", io.StringIO())
    return Command(capsys)


class Command:
    """Runs the command in this process."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys

    def __call__(self, *arguments: str) -> Run:
        code = main(arguments)
        said = self._capsys.readouterr()
        return code, said.out, said.err

    def json(self, *arguments: str) -> object:
        code, out, err = self(*arguments, "--json")
        assert (code, err) == (0, "")
        return json.loads(out)


def test_jobs_are_listed_with_their_choice_and_saving(command: Command) -> None:
    code, out, err = command("jobs", "list")

    assert (code, err) == (0, "")
    nightly, weekly = (line for line in out.splitlines() if "ly " in line)
    assert "1 x [red]H200[/red]" in nightly
    assert "0.556 kWh (20 % less) estimated" in nightly
    assert "not enough data yet" in weekly


def test_jobs_are_searched_and_sorted(command: Command) -> None:
    listed = command.json("jobs", "list", "--search", "LY", "--sort", "trials", "--reverse")

    assert isinstance(listed, list)
    assert [job["job_id"] for job in listed] == ["nightly", "weekly"]
    assert command.json("jobs", "list", "--search", "nothing") == []


def test_a_list_without_jobs_says_what_to_do_next(command: Command) -> None:
    searched = command("jobs", "list", "--search", "nothing")
    for job_id in ("nightly", "weekly", "limited"):
        command("jobs", "delete", job_id, "--yes")
    code, out, err = command("jobs", "list")

    assert searched == (0, "No job matches 'nothing'. `zeus-bso jobs list` lists all jobs.\n", "")
    assert (code, err) == (0, "")
    assert out.startswith("No job has registered yet. Run a training script")
    assert command.json("jobs", "list") == []


def test_a_job_is_shown_with_its_sizes(command: Command) -> None:
    code, out, err = command("jobs", "show", "nightly")

    assert (code, err) == (0, "")
    assert "batch size 8 chosen, 16 by default" in out
    assert re.search(r"^batch size +runs +converged +stopped +failed ", out, re.MULTILINE)
    assert "baseline: 1 run, last on " in out
    assert "0.833 kWh" in out


def test_a_job_and_its_trials_are_shown_with_their_power_limits(command: Command) -> None:
    shown, trials = command("jobs", "show", "limited")[1], command("trials", "list", "limited")[1]
    first = command("trials", "show", "limited", "1")[1]

    assert "batch size 16 chosen at 150 W per GPU, 16 by default" in shown
    sizes = {line.split()[0]: line for line in shown.splitlines() if line.strip()[:1].isdigit()}
    assert sizes["16"].rstrip().endswith("150 W  chosen, default")
    assert sizes["32"].split()[-1] == "-"
    assert " so far" in shown
    assert "by power limits, against batch size 16" in shown
    assert trials.count("150 W") == 1
    assert "Measuring power limits took 1 min 1 s and 83.3 Wh beyond these figures." in first
    assert "best limit" not in command("jobs", "show", "nightly")[1]


def test_what_json_says_is_what_the_api_says(command: Command, file: Path) -> None:
    listed, shown = command.json("jobs", "list"), command.json("jobs", "show", "nightly")
    trials = command.json("trials", "list", "nightly", "--all")

    server = Server(file)
    server.start()
    try:
        assert listed == server.call("GET", "/api/v1/jobs").json()
        assert shown == server.job("nightly")
        assert trials == server.trials("nightly")[::-1]
    finally:
        server.close()


def test_lists_are_printed_as_csv_with_all_digits(command: Command) -> None:
    code, out, err = command("jobs", "list", "--csv")
    assert (code, err) == (0, "")
    jobs = {row["job_id"]: row for row in csv.DictReader(io.StringIO(out, newline=""), strict=True)}
    shown = command.json("jobs", "show", "nightly")
    assert isinstance(shown, dict)
    assert set(jobs) == {"limited", "nightly", "weekly"}
    assert float(jobs["nightly"]["savings_energy_fraction"]) == shown["savings"]["energy"]["fraction"]
    assert jobs["weekly"]["savings_energy_saved"] == ""
    assert jobs["nightly"]["no_size_converges"] == "false"

    out = command("trials", "list", "nightly", "--csv", "--limit", "2")[1]
    assert [(row["trial_number"], row["type"]) for row in csv.DictReader(io.StringIO(out))] == [
        ("3", "Exploration"),
        ("2", "Exploration"),
    ]


def test_csv_is_no_formula_and_json_stays_as_it_is(command: Command, file: Path) -> None:
    server = Server(file)
    server.start()
    server.register(job_id='=HYPERLINK("http://x","y")', gpu_model="-1+1")
    server.close()

    out = command("jobs", "list", "--search", "HYPER", "--csv")[1]

    assert out.splitlines()[1].startswith('"\'=HYPERLINK(""http://x"",""y"")",')
    assert ",'-1+1," in out
    listed = command.json("jobs", "list", "--search", "HYPER")
    assert isinstance(listed, list)
    assert listed[0]["gpu_model"] == "-1+1"


def test_csv_and_json_are_not_given_together(command: Command) -> None:
    with pytest.raises(SystemExit):
        command("jobs", "list", "--csv", "--json")


def test_trials_are_listed_latest_first_and_filtered(command: Command) -> None:
    def numbers(*options: str) -> list[int]:
        found = command.json("trials", "list", "nightly", *options)
        assert isinstance(found, list)
        return [trial["trial_number"] for trial in found]

    assert numbers() == [3, 2, 1]
    assert numbers("--limit", "1") == [3]
    assert numbers("--status", "Succeeded") == numbers("--status", "decided") == [2, 1]
    assert numbers("--status", "running") == [3]
    assert numbers("--batch-size", "16") == [1]
    assert "estimated" in command("trials", "list", "nightly")[1]

    def last_line(*options: str) -> str:
        return command("trials", "list", "nightly", *options)[1].splitlines()[-1]

    assert last_line() == "3 trials"
    assert last_line("--limit", "2") == "2 of 3 trials; --all lists all"
    assert last_line("--limit", "1", "--status", "decided") == "the latest 1 trial of these; --all lists all"
    assert last_line("--status", "failed") == "0 trials"


def test_a_trial_is_shown_with_its_learning_curve(command: Command) -> None:
    shown = command.json("trials", "show", "nightly", "3")

    assert isinstance(shown, dict)
    assert [(report["epoch"], report["metric"]) for report in shown["reports"]] == [(1, 0.25)]
    assert "0.25" in command("trials", "show", "nightly", "3")[1]


def test_a_job_that_stays_on_its_default_has_saved_nothing_yet(own_server: Server) -> None:
    own_server.register(policy="surrogate", batch_sizes=[16], default_batch_size=16)
    own_server.converge(own_server.ask(), energy=8.896e8)
    own_server.converge(own_server.ask(), energy=8.8e8)
    message = own_server.job()["savings"]["message"]
    page = own_server.call("GET", "/job", job_id="job").text
    summary = own_server.call("GET", "/job/chart", job_id="job", name="savings").json()["summary"]

    assert message.startswith("The job has stayed on its default batch size 16 so far: nothing is saved yet")
    assert message in page
    assert "nothing yet" in own_server.call("GET", "/").text
    assert "Nothing is saved yet" in own_server.call("GET", "/api/v1/savings/fleet").json()["message"]
    assert summary.replace("\xa0", " ") == message
    assert "e+" not in page.partition('id="spec"')[0]


def test_a_trial_is_not_running_after_its_lease(command: Command, file: Path) -> None:
    server = Server(file)
    server.start()
    server.time_passes(37 * 3600, "nightly")
    server.close()

    assert "3 runs, 0 running" in command("jobs", "show", "nightly")[1]
    assert "given up" in command("trials", "list", "nightly")[1].splitlines()[1]
    assert "Silent for 1 d 13 h, given up." in command("trials", "show", "nightly", "3")[1]
    assert command.json("trials", "list", "nightly", "--status", "Dispatched") == []


def test_a_trial_whose_process_is_gone_can_be_ended(command: Command) -> None:
    assert command("trials", "end", "nightly", "3") == (0, "Trial 3 has ended: cancelled.\n", "")
    assert command("trials", "end", "nightly", "3", "--reason", "oom")[1] == "Trial 3 has ended: out of memory.\n"
    assert command("trials", "end", "nightly", "1")[1] == "Trial 1 had already ended: converged.\n"


@pytest.mark.parametrize("action", ["delete", "reset"])
def test_nothing_is_done_for_good_without_a_yes(command: Command, action: str) -> None:
    before = command.json("jobs", "show", "nightly")

    code, out, err = command("jobs", action, "nightly")

    assert (code, out) == (2, "")
    assert "3 trials" in err
    assert "--yes" in err
    assert command.json("jobs", "show", "nightly") == before


@pytest.mark.parametrize(("said", "code"), [("y\n", 0), ("Yes\n", 0), ("n\n", 1), ("\n", 1), ("", 1)])
def test_at_a_terminal_it_asks(command: Command, monkeypatch: pytest.MonkeyPatch, said: str, code: int) -> None:
    terminal = io.StringIO(said)
    monkeypatch.setattr(terminal, "isatty", lambda: True)
    monkeypatch.setattr(sys, "stdin", terminal)

    assert command("jobs", "delete", "nightly")[0] == code
    assert (command("jobs", "show", "nightly")[0] == 0) == (code != 0)


def test_a_job_is_reset_and_deleted(command: Command) -> None:
    assert command("jobs", "reset", "nightly", "--yes") == (0, "Job 'nightly' starts again from the beginning.\n", "")
    assert command("jobs", "delete", "nightly", "--yes") == (0, "Deleted job 'nightly' with 3 trials.\n", "")
    assert command("jobs", "show", "nightly") == (
        1,
        "",
        "zeus-bso: There is no job 'nightly'. `zeus-bso jobs list` lists all jobs.\n",
    )


def test_a_job_moves_from_one_file_to_another(command: Command, tmp_path: Path) -> None:
    exported, other = tmp_path / "nightly.ndjson", f"sqlite:///{tmp_path / 'other.db'}"

    assert command("jobs", "export", "nightly", "-o", str(exported))[0] == 0
    code, out, _ = command("jobs", "import", str(exported), "--server-url", other, "--as", "moved")

    assert (code, out) == (0, "Imported job 'moved' with 3 trials.\n")
    assert command("jobs", "show", "moved", "--server-url", other)[0] == 0
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


def test_a_terminal_obeys_nothing_that_an_imported_trial_was_told(command: Command, tmp_path: Path) -> None:
    exported = tmp_path / "nightly.ndjson"
    command("jobs", "export", "nightly", "-o", str(exported))
    lines = [json.loads(line) for line in exported.read_text().splitlines()]
    first = next(line["row"] for line in lines if line.get("table") == "trial")
    first["message"] = "\x1b]0;title\x07 \x9b31m [red]Ünï[/red]"
    exported.write_text("".join(json.dumps(line) + "\n" for line in lines))
    assert command("jobs", "import", str(exported), "--as", "odd")[0] == 0

    shown = command("trials", "show", "odd", str(first["trial_number"]))[1]

    assert "\ufffd]0;title\ufffd \ufffd31m [red]Ünï[/red]" in shown
    assert all(letter.isprintable() for letter in shown.replace("\n", ""))


def test_an_import_does_not_replace_unless_it_is_told_to(command: Command, tmp_path: Path) -> None:
    exported = tmp_path / "nightly.ndjson"
    command("jobs", "export", "nightly", "-o", str(exported))

    code, _, err = command("jobs", "import", str(exported))
    assert code == 1
    assert "exists. Import under another id (--as NEW_ID), or replace it (--replace)." in err
    assert command("jobs", "import", str(exported), "--replace")[1] == "Replaced job 'nightly' with 3 trials.\n"


def test_an_export_into_a_pipe_is_alone_in_it(command: Command, tmp_path: Path) -> None:
    pipe, read = tmp_path / "pipe", list[bytes]()
    os.mkfifo(pipe)
    reader = threading.Thread(target=lambda: read.append(pipe.read_bytes()))
    reader.start()
    code, out, _ = command("jobs", "export", "nightly", "-o", str(pipe))
    reader.join(240)

    assert (code, out) == (0, "")
    assert json.loads(read[0].splitlines()[0])


def test_a_failed_export_leaves_an_older_file_alone(command: Command, tmp_path: Path) -> None:
    exported = tmp_path / "nightly.ndjson"
    exported.write_text("older")

    assert command("jobs", "export", "nobody", "-o", str(exported))[0] == 1
    assert exported.read_text() == "older"
    assert sorted(path.name for path in tmp_path.glob(".*")) == []


@pytest.mark.parametrize(
    ("arguments", "code", "sentence"),
    [
        (("jobs", "show", "nobody"), 1, "There is no job 'nobody'"),
        (("trials", "list", "nobody"), 1, "There is no job 'nobody'"),
        (("trials", "show", "nightly", "99"), 1, "has no trial 99"),
        (("jobs", "import", "/no/such/file"), 1, "cannot be read: No such file or directory"),
        (("jobs", "export", "nightly", "-o", "/no/such/folder/x"), 1, "cannot be written"),
        (("jobs", "list", "--server-url", "sqlite:////no/such/file.db"), 1, "there is no such file"),
        (("jobs", "list", "--server-url", "ftp://x"), 2, "begins neither with"),
        (("jobs", "list", "--server-url", "http://127.0.0.1:9"), 1, "cannot be reached"),
    ],
)
def test_an_error_is_a_sentence_and_an_exit_code(
    command: Command, arguments: tuple[str, ...], code: int, sentence: str
) -> None:
    result, out, err = command(*arguments)

    assert (result, out) == (code, "")
    assert sentence in err
    assert err.startswith("zeus-bso: ")


def test_a_trial_without_an_evaluation_has_no_empty_table(file: Path, command: Command) -> None:
    server = Server(file)
    server.start()
    server.register(job_id="fresh")
    server.ask("fresh")
    server.close()

    shown = command("trials", "show", "fresh", "1")[1]

    assert "No evaluation is on record." in shown
    assert "reported" not in shown


@pytest.mark.parametrize("width", [40, 80, 120])
@pytest.mark.parametrize("arguments", [("jobs", "list"), ("jobs", "show", LONG), ("trials", "list", LONG)])
def test_on_a_narrow_terminal_columns_leave_and_no_id_is_broken(
    arguments: tuple[str, ...], width: int, file: Path, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = Server(file)
    server.start()
    server.register(job_id=LONG, gpu_model="NVIDIA RTX PRO 6000 Blackwell Workstation Edition")
    server.converge(server.ask(LONG), energy=5e6, time=3000.0, energy_source="estimate")
    server.close()
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
    monkeypatch.setenv("COLUMNS", str(width))
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("NO_COLOR", "1")

    code, out, _ = command(*arguments)

    lines = [line.rstrip() for line in re.sub(r"\x1b\[[0-9;]*m", "", out).splitlines()]
    assert code == 0
    assert "trials" in arguments or any(line.startswith(LONG) for line in lines)
    # Below the width of the columns that always stay, lines are longer than the terminal, but whole.
    assert max(map(len, lines)) <= max(width, 80)


def test_one_very_long_id_does_not_make_every_line_of_a_terminal_too_long(
    file: Path, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    very_long = "team/experiments/" + "x" * 183
    server = Server(file)
    server.start()
    server.register(job_id=very_long)
    server.close()
    in_a_file = command("jobs", "list")[1]
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("TERM", "dumb")
    lines = [line.rstrip() for line in command("jobs", "list")[1].splitlines()]

    assert very_long in in_a_file
    assert max(map(len, lines)) <= 80
    (line,) = (line for line in lines if line.startswith("team/"))
    assert line.split()[0].endswith("...")
    assert command("jobs", "show", line.split()[0].removesuffix("..."))[0] == 0


def test_the_beginning_of_an_id_is_enough_to_look_but_not_to_destroy(command: Command) -> None:
    assert command("jobs", "show", "nig")[1].startswith("nightly\n")
    assert command("trials", "show", "nig", "3")[0] == 0
    for final in (("jobs", "delete", "nig", "--yes"), ("jobs", "reset", "nig", "--yes"), ("trials", "end", "nig", "3")):
        code, _, err = command(*final)
        assert (code, err) == (1, "zeus-bso: There is no job 'nig'. Did you mean 'nightly'?\n")
    assert command("jobs", "show", "nigt")[2] == "zeus-bso: There is no job 'nigt'. Did you mean 'nightly'?\n"
    assert command("jobs", "show", "")[:2] == (2, "")
    assert command("jobs", "show", "nightyl")[2] == "zeus-bso: There is no job 'nightyl'. Did you mean 'nightly'?\n"


def test_a_beginning_that_several_ids_share_names_them(command: Command, file: Path) -> None:
    server = Server(file)
    server.start()
    server.register(job_id="night-shift")
    server.close()

    assert "several begin with it: night-shift, nightly." in command("jobs", "show", "night")[2]


def test_a_job_is_shown_with_its_costs_beliefs_and_next_run(command: Command) -> None:
    shown = command("jobs", "show", "nightly")[1]

    assert "The next run " in shown
    head = next(line for line in shown.splitlines() if "batch size  " in line)
    assert "cost" in head.split()
    assert "believed cost" in head
    assert re.search(r" \d\S* to \d\S* (kWh|Wh|J) ", shown)


def test_the_file_of_a_local_server_needs_no_second_variable(
    command: Command, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("ZEUS_BSO_SERVER_URL")
    monkeypatch.setenv("ZEUS_BSO_DATABASE_URL", f"sqlite+aiosqlite:///{file}")

    assert "nightly" in command("jobs", "list")[1]


def test_without_a_server_it_says_both_ways(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ZEUS_BSO_SERVER_URL")
    monkeypatch.setattr(remote, "LOCAL_SERVER", "http://127.0.0.1:9")

    code, _, err = command("jobs", "list")

    assert code == 2
    assert "none answers at http://127.0.0.1:9" in err
    assert "http://HOST:8000" in err
    assert "sqlite:///" in err
    assert "server_url" not in err


@pytest.mark.parametrize("encoding", ["latin-1", "ascii"])
def test_a_terminal_without_unicode_shows_every_job(
    encoding: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = Server(tmp_path / "jobs.db")
    server.start()
    server.register(job_id="nightly 🚀")
    server.close()

    def said(*options: str) -> str:
        terminal = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
        monkeypatch.setattr(sys, "stdout", terminal)
        assert main(["jobs", "list", "--server-url", f"sqlite:///{tmp_path / 'jobs.db'}", *options]) == 0
        terminal.seek(0)
        return terminal.read()

    assert "nightly \\U0001f680" in said()
    assert json.loads(said("--json"))[0]["job_id"] == "nightly 🚀"

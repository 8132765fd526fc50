"""The ``zeus-bso`` command as a process, and against a server in another process."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from tests.support.forked import run_python
from tests.support.process import ServerProcess
from tests.support.server import Server

import zeus_bso
from zeus_bso import ZeusBSORequestError, __version__
from zeus_bso.cli.errors import CommandError
from zeus_bso.cli.local_server import started_server

TOKEN = "a-secret-of-many-letters-and-digits-0123456789"


@pytest.mark.parametrize("module", ["zeus_bso", "zeus_bso.cli.main"])
def test_it_runs_as_a_module(module: str) -> None:
    done = subprocess.run([sys.executable, "-m", module, "version"], capture_output=True, text=True, check=False)

    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == f"zeus-bso {__version__}\n"


def test_help_loads_neither_server_nor_client() -> None:
    program = (
        "import sys; from zeus_bso.cli.main import main\n"
        "try: main(['--help'])\n"
        "except SystemExit: pass\n"
        "print([name for name in ('pydantic', 'rich', 'fastapi', 'sqlalchemy', 'numpy') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)

    assert done.stdout.splitlines()[-1] == "[]"


def test_a_server_that_does_not_start_is_an_error_with_its_last_words(tmp_path: Path) -> None:
    (tmp_path / "zeus-bso.db").mkdir()

    with pytest.raises(CommandError, match="the server did not start: zeus-bso: "), started_server(tmp_path):
        pytest.fail("there is no server to use")


def leave_a_job(path: Path) -> None:
    """Leave a job of three runs in a file, as a training script does."""
    server = Server(path)
    server.start()
    server.register(job_id="nightly", gpu_model="[red]H200[/red]")
    server.converge(server.ask("nightly"), energy=5e6, time=3000.0, energy_source="estimate")
    server.converge(server.ask("nightly"), energy=3e6, time=2000.0, energy_source="estimate")
    server.report(server.ask("nightly"), metric=0.25)
    server.close()


def test_a_real_server_is_asked_like_the_file(tmp_path: Path) -> None:
    path = tmp_path / "jobs.db"
    leave_a_job(path)
    show = ["jobs", "show", "nightly", "--json", "--server-url"]
    in_file = json.loads(_piped([*show, f"sqlite:///{path}"]))
    with ServerProcess(path) as server:
        url = server.url
        assert json.loads(_piped([*show, url])) == in_file
        exported = _piped(["jobs", "export", "nightly", "--server-url", url])
        assert exported.splitlines()[0].startswith('{"format":"zeus-bso-job"')
        answer = _piped(["jobs", "import", "-", "--as", "copy", "--server-url", url, "--json"], exported)
        assert json.loads(answer) == {"job_id": "copy", "trials": 3, "replaced": False}
        assert _piped(["jobs", "delete", "copy", "--yes", "--server-url", url])


def test_results_come_over_http_as_from_the_file(tmp_path: Path) -> None:
    path = tmp_path / "jobs.db"
    leave_a_job(path)
    with zeus_bso.connect(f"sqlite:///{path}") as file:
        expected = file.job("night"), file.trials("nightly").rows, file.savings("nightly")
    environment = {"ZEUS_BSO_API_TOKENS": f"reader:read={TOKEN}"}
    with ServerProcess(path, environment=environment) as server:
        with zeus_bso.connect(server.url, token=TOKEN) as results:
            assert [job.job_id for job in results.jobs()] == ["nightly"]
            assert (results.job("night"), results.trials("nightly").rows, results.savings("nightly")) == expected
        with (
            zeus_bso.connect(server.url, token="another") as results,
            pytest.raises(ZeusBSORequestError, match=r"Give a token with token= or ZEUS_BSO_TOKEN\."),
        ):
            results.jobs()


@pytest.mark.parametrize(("output", "code"), [("--csv", 141), ("--json", 141), (None, 1)])
def test_a_reader_that_leaves_is_told_nothing(output: str | None, code: int, tmp_path: Path) -> None:
    path = tmp_path / "jobs.db"
    leave_a_job(path)
    command = ["-m", "zeus_bso", "trials", "list", "nightly", "--server-url", f"sqlite:///{path}"]
    reading, writing = os.pipe()
    os.close(reading)
    try:
        done = run_python(*command, *([] if output is None else [output]), output=writing)
    finally:
        os.close(writing)

    assert (done.returncode, done.stderr) == (code, "")


def _piped(arguments: list[str], given: str = "") -> str:
    done = run_python("-m", "zeus_bso", *arguments, given=given)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


@pytest.mark.parametrize("arguments", [["--help"], ["simulate", "--help"], ["completion", "bash"]])
def test_a_reader_that_leaves_ends_a_command_without_a_traceback(arguments: list[str]) -> None:
    read, write = os.pipe()
    os.close(read)
    done = run_python("-m", "zeus_bso", *arguments, output=write)
    os.close(write)

    assert done.stderr == ""
    assert done.returncode == 141 or "--help" in arguments

"""The quick start on a container engine, from a fresh clone: one file of four lines, one command, one client.

It builds images and starts databases, so it has a target of its own: `make test-containers`. The names of its images,
containers and volumes are its own too, and it removes them.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import time
import urllib.request
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from benchmarks.servers import free_port
from tests.process.test_compose import ENV
from tests.process.test_seed_snippet import script
from tests.support.documented import run_documented
from tests.support.requests import request

from zeus_bso.cli.server_reader import ServerReader
from zeus_bso.protocol.views import TrialView

REPOSITORY = Path(__file__).resolve().parents[2]
UP = ["docker", "compose", "-f", "./docker/docker-compose.yaml", "up"]
BASE = "python:3.13-slim"
PATIENCE_S = 600
LARGEST_OVER_BASE = 250e6
IMAGES = ("server", "migration")

pytestmark = pytest.mark.timeout(3 * PATIENCE_S)


class Stack:
    """A fresh clone of what is committed, and what `docker compose` makes of it."""

    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.folder = folder
        name = f"zeus-bso-test-{uuid.uuid4().hex[:8]}"
        self.registry = f"{name}/"
        self._environment = os.environ | {"COMPOSE_PROJECT_NAME": name, "ZEUS_BSO_REGISTRY": self.registry}
        # Of a copy, so that what happens to the repository meanwhile does not matter.
        self._origin = folder.with_name("origin.git")
        git("clone", "--bare", str(REPOSITORY), str(self._origin))
        git("clone", str(self._origin), str(folder))
        self.configure(ENV)

    def configure(self, env: str) -> None:
        """Write docker/.env."""
        (self.folder / "docker" / ".env").write_text(env.replace("=8000", f"={self.port}"))

    def release(self) -> None:
        """Let there be a newer version where this one was cloned from."""
        newer = self.folder.with_name("newer")
        git("clone", str(self._origin), str(newer))
        with (newer / "src" / "zeus_bso" / "__init__.py").open("a") as module:
            module.write("\nNEW_IN_THIS_VERSION = True\n")
        identity = ("-c", "user.name=test", "-c", "user.email=test@localhost")
        git("-C", str(newer), *identity, "commit", "--all", "--message", "A newer version")
        git("-C", str(newer), "push")

    def run(self, *command: str) -> str:
        """Run a command in the clone; returns what it printed."""
        done = subprocess.run(
            command,
            cwd=self.folder,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=PATIENCE_S,
            check=False,
        )
        assert done.returncode == 0, f"{command}: {done.stdout}"
        return done.stdout

    def documented(self, title: str) -> str:
        """Run commands of docs/deployment.md in the clone."""
        return run_documented(title, self.folder, self._environment)

    def compose(self, *arguments: str, file: str = "docker-compose.yaml") -> str:
        """Run `docker compose` with a file."""
        return self.run("docker", "compose", "-f", f"docker/{file}", *arguments)

    def wait_until_ready(self) -> None:
        """Wait until the server answers, as seen from the host."""
        deadline = time.monotonic() + PATIENCE_S
        while not self._is_ready():
            assert time.monotonic() < deadline, self.compose("logs")
            time.sleep(0.5)

    def _is_ready(self) -> bool:
        try:
            urllib.request.urlopen(f"{self.url}/readyz", timeout=2).close()
        except OSError:
            return False
        return True

    def server(self, field: str, file: str = "docker-compose.yaml") -> str:
        """A field of the server's container, as a template names it."""
        container = self.compose("ps", "-aq", "server", file=file).strip()
        return self.run("docker", "inspect", "-f", f"{{{{{field}}}}}", container).strip()

    def train(self) -> list[TrialView]:
        """Launch the client's snippet on the host; returns the trials of its job."""
        program = self.folder / "train.py"
        program.write_text(script(self.url))
        done = subprocess.run([sys.executable, str(program)], capture_output=True, text=True, timeout=120, check=False)
        assert done.returncode == 0 or "ZeusBSOTrainFailError" in done.stderr, done.stderr
        api = ServerReader(self.url)
        [job] = api.jobs()
        return api.trials(job.job_id)


def git(*arguments: str) -> None:
    """Run git, quietly."""
    subprocess.run(["git", *arguments], check=True, capture_output=True)


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """The images, built without any cache; nothing runs yet."""
    for command in (["docker", "info"], ["docker", "compose", "version"]):
        if shutil.which("docker") is None or subprocess.run(command, capture_output=True, check=False).returncode:
            pytest.skip(f"NO CONTAINER ENGINE: `{' '.join(command)}` does not answer; the images are not tried")
    stack = Stack(tmp_path_factory.mktemp("clone") / "zeus-bso")
    try:
        stack.compose("build", "--no-cache")
        yield stack
    finally:
        stack.compose("down", "--volumes", "--rmi", "local", "--remove-orphans")
        subprocess.run(
            ["docker", "rmi", "--force", *(f"{stack.registry}zeus-bso-{name}" for name in IMAGES)], check=False
        )


@pytest.fixture
def running(stack: Stack) -> Stack:
    """The stack of the quick start, which runs."""
    stack.run(*UP, "--detach")
    stack.wait_until_ready()
    return stack


@pytest.mark.parametrize("name", IMAGES)
def test_an_image_is_small_and_its_user_has_no_rights(stack: Stack, name: str) -> None:
    image = f"{stack.registry}zeus-bso-{name}"
    sizes = [int(stack.run("docker", "image", "inspect", "-f", "{{.Size}}", of)) for of in (image, BASE)]
    print(f"{name}: {(sizes[0] - sizes[1]) / 1e6:.0f} MB over its base")

    assert sizes[0] - sizes[1] < LARGEST_OVER_BASE
    assert stack.run("docker", "run", "--rm", "--entrypoint", "id", image, "-u").strip() == "10001"


def test_the_quick_start_runs_and_the_job_goes_on_after_the_stack_was_taken_down(stack: Stack) -> None:
    stack.compose("down", "--volumes")
    stack.run(*UP, "--detach")
    stack.wait_until_ready()
    stack.train()
    first = stack.train()

    stack.compose("down")
    stack.run(*UP, "--detach")
    stack.wait_until_ready()
    second = stack.train()

    assert [trial.trial_number for trial in first] == [1, 2]
    assert [trial.trial_number for trial in second] == [1, 2, 3]
    assert second[:2] == first

    stack.compose("kill")
    stack.run(*UP, "--detach")
    stack.wait_until_ready()

    assert len(stack.train()) == 4


def test_the_server_runs_without_rights_on_a_root_that_is_read_only(running: Stack) -> None:
    assert running.server(".HostConfig.ReadonlyRootfs") == "true"
    assert json.loads(running.server("json .HostConfig.CapDrop")) == ["ALL"]
    assert running.compose("exec", "server", "id", "-u").strip() == "10001"
    with pytest.raises(AssertionError, match="Read-only file system"):
        running.compose("exec", "server", "touch", "/data/file")


def test_the_dashboard_has_its_charts(running: Stack) -> None:
    """Of the packages in the image only what the server reads is there."""
    [job_id] = {trial.job_id for trial in running.train()}
    page = request("GET", f"{running.url}/job", fields={"job_id": job_id})
    found = re.search(r'data-script="([^"]*plotly[^"]*)"', page.data.decode())

    assert page.status == 200
    assert found
    assert request("GET", running.url + found.group(1)).status == 200


def test_a_changed_password_ends_the_start_soon_and_is_named(stack: Stack) -> None:
    stack.compose("up", "--detach", "--wait", "server")
    stack.compose("down")
    began = time.monotonic()
    stack.configure(ENV.replace('"secret"', '"changed"'))
    try:
        with pytest.raises(AssertionError, match=r"migration.* exit 1"):
            stack.compose("up", "--detach", "--wait", "server")
        took_s = time.monotonic() - began
        said = stack.compose("logs", "migration")
    finally:
        stack.configure(ENV)
    stack.compose("up", "--detach", "--wait", "server")

    assert "Access denied for user 'me'" in said
    assert took_s < 120, "it waited for a database that could answer at once"


def test_the_server_ends_cleanly(running: Stack) -> None:
    running.compose("stop", "server")

    assert running.server(".State.ExitCode") == "0"


def test_an_upgrade_replaces_the_server_and_keeps_its_job(running: Stack) -> None:
    before, image = running.train(), running.server(".Image")
    running.release()
    running.documented("Upgrade the compose stack")
    running.wait_until_ready()

    assert running.server(".Image") != image
    assert len(running.train()) == len(before) + 1


def test_a_backup_brings_the_job_back(running: Stack) -> None:
    before = running.train()
    running.documented("Back up the compose stack")
    running.train()
    running.compose("down", "--volumes")

    running.documented("Restore the compose stack")
    running.wait_until_ready()
    after = running.train()

    assert after[:-1] == before


def test_a_password_may_hold_any_character(stack: Stack) -> None:
    stack.compose("down", "--volumes")
    stack.configure(ENV.replace('"secret"', "'p@ss:/?#%20\"$HOME${X}'"))
    try:
        stack.run(*UP, "--detach")
        stack.wait_until_ready()

        assert len(stack.train()) == 1
    finally:
        stack.compose("down", "--volumes")
        stack.configure(ENV)


def test_a_server_alone_keeps_an_sqlite_file_in_a_volume(stack: Stack) -> None:
    file = "docker-compose.sqlite.yaml"
    stack.compose("down", "--volumes")
    for number in (1, 2):
        stack.compose("up", "--detach", file=file)
        stack.wait_until_ready()

        assert len(stack.train()) == number
        assert stack.server(".HostConfig.ReadonlyRootfs", file) == "true"
        stack.compose("down", file=file)
    stack.compose("down", "--volumes", file=file)

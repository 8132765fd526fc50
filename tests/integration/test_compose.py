"""The compose file asks for the four variables of the quick start and no more; images are built from what is pinned."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

REPOSITORY = Path(__file__).resolve().parents[2]
DOCKER = REPOSITORY / "docker"
COMPOSE = DOCKER / "docker-compose.yaml"
OVERRIDES = sorted(path for path in DOCKER.glob("docker-compose.*.yaml"))
FOUR = {"ZEUS_BSO_DB_USER", "ZEUS_BSO_DB_PASSWORD", "ZEUS_BSO_ROOT_PASSWORD", "ZEUS_BSO_SERVER_PORT"}

ENV = """\
ZEUS_BSO_DB_USER="me" 
ZEUS_BSO_DB_PASSWORD="secret"
ZEUS_BSO_ROOT_PASSWORD="secret*"
ZEUS_BSO_SERVER_PORT=8000
"""  # noqa: W291


def resolved(folder: Path, env: str, *overrides: Path) -> dict[str, Any]:
    """What `docker compose config` makes of the files."""
    if (
        shutil.which("docker") is None
        or subprocess.run(["docker", "compose", "version"], capture_output=True).returncode
    ):
        pytest.skip("NO DOCKER COMPOSE: the compose files are not resolved; install docker and its compose plugin")
    (folder / "docker").mkdir()
    (folder / "docker" / ".env").write_text(env)
    files = []
    for path in (COMPOSE, *overrides):
        files += ["-f", str(shutil.copy(path, folder / "docker"))]
    done = subprocess.run(
        ["docker", "compose", *files, "config"], cwd=folder, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = yaml.safe_load(done.stdout)
    return found


def test_only_the_four_variables_are_needed() -> None:
    variables = re.findall(r"\$\{(\w+)(:?-)?", COMPOSE.read_text())

    assert {name for name, default in variables if not default} | {"ZEUS_BSO_SERVER_PORT"} == FOUR


def test_the_example_has_the_four_variables() -> None:
    lines = [line for line in (DOCKER / ".env.example").read_text().splitlines() if line and line[0] != "#"]

    assert {line.partition("=")[0] for line in lines} == FOUR


def test_the_quick_start_resolves(tmp_path: Path) -> None:
    services = resolved(tmp_path, ENV)["services"]

    assert services["db"]["environment"]["MYSQL_ROOT_PASSWORD"] == "secret*"
    assert services["server"]["environment"]["ZEUS_BSO_DB_PASSWORD"] == "secret"
    [port] = services["server"]["ports"]
    assert (port["host_ip"], port["published"], port["target"]) == ("127.0.0.1", "8000", 8000)


def test_a_password_may_hold_any_character(tmp_path: Path) -> None:
    services = resolved(tmp_path, ENV.replace('"secret"', "'p@ss:/?#%20\"$HOME${X}'"))["services"]

    # Its answer is a compose file again, where a dollar is written twice.
    assert services["db"]["environment"]["MYSQL_PASSWORD"] == 'p@ss:/?#%20"$$HOME$${X}'
    assert services["server"]["environment"]["ZEUS_BSO_DB_PASSWORD"] == 'p@ss:/?#%20"$$HOME$${X}'


@pytest.mark.parametrize("override", OVERRIDES, ids=lambda path: path.name)
def test_every_override_resolves(tmp_path: Path, override: Path) -> None:
    services = resolved(tmp_path, ENV, override)["services"]

    assert services["server"]["read_only"] is True


def required(extra: str) -> list[Requirement]:
    """What an extra of the package needs, with that of the extras that it names."""
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
    wanted, found, seen = [f"zeus-bso[{extra}]", *project["dependencies"]], list[Requirement](), set[str]()
    while wanted:
        requirement = Requirement(wanted.pop())
        if requirement.name == "zeus-bso":
            for name in requirement.extras - seen:
                seen.add(name)
                wanted += project["optional-dependencies"][name]
        else:
            found.append(requirement)
    return found


@pytest.mark.parametrize(("name", "extra"), [("sqlite", "server"), ("mysql", "mysql"), ("postgres", "postgres")])
def test_what_is_required_is_pinned_with_a_hash(name: str, extra: str) -> None:
    entries = (DOCKER / "requirements" / f"{name}.txt").read_text().replace("\\\n", " ")
    pins = {}
    for line in filter(None, entries.splitlines()):
        pin = Requirement(line.partition(" --hash")[0])
        assert "--hash=sha256:" in line
        pins[canonicalize_name(pin.name)] = next(iter(pin.specifier)).version

    requirements = required(extra)
    assert len(requirements) > 10
    for requirement in requirements:
        version = pins.get(canonicalize_name(requirement.name))
        assert version is not None, f"{requirement} is not pinned for {name}; run `make lock`"
        assert requirement.specifier.contains(version), f"{requirement} is pinned to {version}; run `make lock`"


def test_no_place_but_the_public_index_stands_in_what_is_pinned() -> None:
    for path in DOCKER.glob("requirements/*.txt"):
        assert not re.search(r"https?://|file:|--(extra-)?index-url|--find-links", path.read_text())


def test_both_images_are_built_in_the_same_way() -> None:
    """So that their layers are shared, and the migration is that of the server."""
    builds = [
        re.search(r"^FROM python.*?^COPY --from=build.*?$", (DOCKER / name).read_text(), re.MULTILINE | re.DOTALL)
        for name in ("Dockerfile.server", "Dockerfile.migration")
    ]

    assert builds[0]
    assert builds[1]
    assert builds[0].group() == builds[1].group()

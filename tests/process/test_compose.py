"""The compose files of the quick start resolve."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml

REPOSITORY = Path(__file__).resolve().parents[2]
DOCKER = REPOSITORY / "docker"
COMPOSE = DOCKER / "docker-compose.yaml"
POSTGRES = DOCKER / "docker-compose.postgres.yaml"
SQLITE = DOCKER / "docker-compose.sqlite.yaml"
STACKS = pytest.mark.parametrize(
    "files", [(COMPOSE,), (COMPOSE, POSTGRES), (SQLITE,)], ids=["mysql", "postgres", "sqlite"]
)

ENV = """\
ZEUS_BSO_DB_USER="me" 
ZEUS_BSO_DB_PASSWORD="secret"
ZEUS_BSO_ROOT_PASSWORD="secret*"
ZEUS_BSO_SERVER_PORT=8000
"""  # noqa: W291


def resolved(folder: Path, env: str, *files: Path) -> dict[str, Any]:
    """What `docker compose config` makes of the files, or of the main one."""
    if (
        shutil.which("docker") is None
        or subprocess.run(["docker", "compose", "version"], capture_output=True).returncode
    ):
        pytest.skip("NO DOCKER COMPOSE: the compose files are not resolved; install docker and its compose plugin")
    return _config(["docker", "compose"], folder, env, files or (COMPOSE,))


def resolved_by_1_29(folder: Path, env: str, *files: Path) -> dict[str, Any]:
    """What the version of Debian 12 makes of the files. It knows no project name in a file, and no `!reset`."""
    program = shutil.which("docker-compose")
    version = subprocess.run([program, "version", "--short"], capture_output=True, text=True).stdout if program else ""
    if not version.startswith("1."):
        pytest.skip("NO DOCKER-COMPOSE 1.29: the compose files are not resolved by it (Debian 12: docker-compose)")
    return _config(["docker-compose"], folder, env, files)


def _config(program: list[str], folder: Path, env: str, files: Sequence[Path]) -> dict[str, Any]:
    (folder / "docker").mkdir()
    (folder / "docker" / ".env").write_text(env)
    arguments = [part for path in files for part in ("-f", str(shutil.copy(path, folder / "docker")))]
    done = subprocess.run([*program, *arguments, "config"], cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = yaml.safe_load(done.stdout)
    return found


def test_the_quick_start_resolves(tmp_path: Path) -> None:
    services = resolved(tmp_path, ENV)["services"]

    assert services["db"]["environment"]["MYSQL_ROOT_PASSWORD"] == "secret*"
    assert services["server"]["environment"]["ZEUS_BSO_DB_PASSWORD"] == "secret"
    [port] = services["server"]["ports"]
    assert (port["host_ip"], port["published"], port["target"]) == ("127.0.0.1", "8000", 8000)


def test_the_quick_start_resolves_with_compose_1_29(tmp_path: Path) -> None:
    services = resolved_by_1_29(tmp_path, ENV, COMPOSE)["services"]

    assert services["server"]["depends_on"] == {"migration": {"condition": "service_completed_successfully"}}
    assert services["db"]["environment"]["MYSQL_ROOT_PASSWORD"] == "secret*"


@pytest.mark.parametrize("resolve", [resolved, resolved_by_1_29])
def test_another_file_selects_postgresql(tmp_path: Path, resolve: Callable[..., dict[str, Any]]) -> None:
    services = resolve(tmp_path, ENV, COMPOSE, POSTGRES)["services"]

    assert services["db"]["image"].startswith("postgres:")
    for name in ("migration", "server"):
        assert services[name]["environment"]["ZEUS_BSO_DB_KIND"] == "postgresql"


@pytest.mark.parametrize("resolve", [resolved, resolved_by_1_29])
def test_another_file_starts_one_server_on_an_sqlite_file(
    tmp_path: Path, resolve: Callable[..., dict[str, Any]]
) -> None:
    services = resolve(tmp_path, ENV, SQLITE)["services"]

    assert set(services) == {"server"}
    assert services["server"]["environment"]["ZEUS_BSO_DATABASE_URL"] == "sqlite:////data/zeus-bso.db"


def test_the_server_is_the_same_in_each_file() -> None:
    one, other = (yaml.safe_load(path.read_text())["services"]["server"] for path in (COMPOSE, SQLITE))
    of_the_database = {"depends_on", "volumes", "environment"}

    assert {key: one[key] for key in one if key not in of_the_database} == {
        key: other[key] for key in other if key not in of_the_database
    }
    without_database = {name: value for name, value in one["environment"].items() if "_DB_" not in name}
    assert without_database.items() < other["environment"].items()


@STACKS
def test_every_service_has_limits_on_its_memory_and_its_log(tmp_path: Path, files: tuple[Path, ...]) -> None:
    services = resolved(tmp_path, ENV, *files)["services"]

    assert services["server"]["read_only"] is True
    assert {name for name, service in services.items() if int(service["mem_limit"]) >= 2**28} == set(services)
    assert {service["logging"]["options"]["max-size"] for service in services.values()} == {"10m"}


def test_a_password_may_hold_any_character(tmp_path: Path) -> None:
    services = resolved(tmp_path, ENV.replace('"secret"', "'p@ss:/?#%20\"$HOME${X}'"))["services"]

    # Its answer is a compose file again, where a dollar is written twice.
    assert services["db"]["environment"]["MYSQL_PASSWORD"] == 'p@ss:/?#%20"$$HOME$${X}'
    assert services["server"]["environment"]["ZEUS_BSO_DB_PASSWORD"] == 'p@ss:/?#%20"$$HOME$${X}'

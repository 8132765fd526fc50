"""The server behind nginx, under a path prefix, and whose word it takes for an address."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urljoin

import pytest
import urllib3
from benchmarks.servers import free_port
from tests.support.access import JOB, SETTING, TOKENS, WRONG, hidden
from tests.support.jobs import spec
from tests.support.process import PATIENCE_S, ServerProcess
from tests.support.requests import request

from zeus_bso import BatchSizeOptimizer, JobSpec
from zeus_bso.testing import ReplayMonitor

PREFIX = "/team/zeus"
HTML = {"Accept": "text/html"}
BOSS = {"Authorization": f"Bearer {TOKENS['boss']}"}

CONFIGURATION = """\
daemon off; pid {folder}/nginx.pid; error_log {folder}/nginx.log; events {{}}
http {{
  access_log off; client_body_temp_path {folder}/1; proxy_temp_path {folder}/2; fastcgi_temp_path {folder}/3;
  uwsgi_temp_path {folder}/4; scgi_temp_path {folder}/5;
  server {{
    listen 127.0.0.1:{port};
    location {prefix}/ {{ proxy_pass http://127.0.0.1:{server}{path}; proxy_set_header Host $http_host; {headers} }}
  }}
}}
"""

STRIPS = {"path": "/", "headers": f"proxy_set_header X-Forwarded-Prefix {PREFIX};", "root_path": ""}
STRIPS_SILENTLY = {"path": "/", "headers": "", "root_path": PREFIX}
KEEPS = {"path": "", "headers": "", "root_path": PREFIX}


@contextmanager
def nginx(folder: Path, server: ServerProcess, way: dict[str, str]) -> Iterator[str]:
    """The address of the server as nginx shows it."""
    program = shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
    if program is None:
        message = "NO NGINX: the path prefix is not tried; install it (Debian: apt install nginx-light)"
        if os.environ.get("CI"):
            pytest.fail(message)
        pytest.skip(message)
    port, file = free_port(), folder / "nginx.conf"
    places = {"folder": folder, "port": port, "server": server.port, "prefix": PREFIX}
    file.write_text(CONFIGURATION.format(**places, path=way["path"], headers=way["headers"]))
    process = subprocess.Popen([program, "-c", str(file)], stderr=subprocess.DEVNULL)
    try:
        url, deadline = f"http://127.0.0.1:{port}{PREFIX}", time.monotonic() + PATIENCE_S
        while True:
            try:
                assert request("GET", f"{url}/readyz", retries=False).status == 200
                break
            except urllib3.exceptions.HTTPError:
                assert time.monotonic() < deadline
                time.sleep(0.05)
        yield url
    finally:
        process.terminate()
        process.wait(PATIENCE_S)


def addresses(html: str) -> set[str]:
    """Every address that a page refers to."""
    found = re.findall(r'(?:href|src|action|data-chart|data-script)="([^"#]+)', html)
    return {address.replace("&amp;", "&") for address in found}


@pytest.mark.parametrize("way", [STRIPS, STRIPS_SILENTLY, KEEPS], ids=["header", "option", "option and whole path"])
def test_pages_clients_and_logins_stay_within_the_prefix(tmp_path: Path, way: dict[str, str]) -> None:
    environment = {"ZEUS_BSO_API_TOKENS": SETTING, "ZEUS_BSO_ROOT_PATH": way["root_path"]}
    with ServerProcess(tmp_path / "jobs.db", environment=environment) as server, nginx(tmp_path, server, way) as url:
        assert request("POST", f"{url}/jobs", json=spec(job_id=JOB), headers=BOSS).status == 201
        seen = {
            f"{PREFIX}/",
            f"{PREFIX}/fleet",
            f"{PREFIX}/job?job_id={JOB}",
            f"{PREFIX}/login",
            f"{PREFIX}/job?job_id=none",
        }
        for page in sorted(seen):
            html = request("GET", urljoin(url, page), headers=HTML | BOSS).data.decode()
            assert "<html" in html
            seen |= addresses(html)
        statuses = {
            address: request("GET", urljoin(url, address), headers=BOSS).status
            for address in seen - {f"{PREFIX}/logout", f"{PREFIX}/job?job_id=none"}
        }

        sent = request("GET", f"{url}/fleet", headers=HTML, redirect=False)
        form = request("GET", urljoin(url, sent.headers["location"]), headers=HTML)
        fields = {"token": TOKENS["boss"], "csrf": hidden(form.data.decode(), "csrf"), "next": "/fleet"}
        cookie = {"Cookie": form.headers["set-cookie"].partition(";")[0]}
        back = request("POST", f"{url}/login", fields=fields, headers=cookie, encode_multipart=False, redirect=False)

        job = JobSpec(job_id_prefix="any", batch_sizes=[8], default_batch_size=8)
        bso = BatchSizeOptimizer(ReplayMonitor([(1.0, 10.0)]), url, job, token=TOKENS["boss"])
        size = bso.get_batch_size()
        bso.on_train_begin()
        bso.on_evaluate(0.9)

    assert [address for address in seen if not address.startswith(f"{PREFIX}/")] == []
    assert set(statuses.values()) == {200, 422}, statuses  # a form's address alone lacks its fields
    assert sent.headers["location"].startswith(f"{PREFIX}/login?")
    assert f"Path={PREFIX}/login" in form.headers["set-cookie"]
    assert (back.status, back.headers["location"]) == (303, f"{PREFIX}/fleet")
    assert f"Path={PREFIX}/;" in back.headers["set-cookie"]
    assert (size, bso.training_finished) == (8, True)


@pytest.mark.parametrize(("proxies", "believed"), [("", False), ("127.0.0.1", True), ("10.0.0.0/8", False)])
def test_an_address_is_taken_from_proxies_that_are_named(tmp_path: Path, proxies: str, believed: bool) -> None:
    environment = {"ZEUS_BSO_API_TOKENS": SETTING, "FORWARDED_ALLOW_IPS": proxies}
    headers = {"Authorization": f"Bearer {WRONG}", "X-Forwarded-For": "192.0.2.7"}
    with ServerProcess(tmp_path / "jobs.db", environment=environment) as server:
        request("GET", f"{server.url}/api/v1/jobs", headers=headers)
        said = server.said

    assert f"Unknown token from {'192.0.2.7' if believed else '127.0.0.1'}." in said


@pytest.mark.parametrize("prefix", ["//evil.example", "/a/../b", '/"><script>', "evil", "/a//b"])
def test_a_prefix_that_is_no_path_is_ignored(tmp_path: Path, prefix: str) -> None:
    with ServerProcess(tmp_path / "jobs.db") as server:
        plain = request("GET", server.url, headers=HTML).data
        forged = request("GET", server.url, headers=HTML | {"X-Forwarded-Prefix": prefix}).data

    assert forged == plain


def test_a_prefix_that_is_a_path_of_the_server_is_refused(tmp_path: Path) -> None:
    server = ServerProcess(tmp_path / "jobs.db", options=["--root-path", "/jobs/zeus"])
    server.spawn()

    assert server.wait() == 2
    assert server.said.startswith("zeus-bso: --root-path /jobs/zeus begins with a path of the server")

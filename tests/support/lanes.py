"""Which tests run where, by their ids: in the fast lane, and side by side."""

from __future__ import annotations

import re

from tests.support.databases import SERVER_KINDS

IN_PROCESS = ("contract", "integration", "property", "unit")
"""Folders of tests that run in one process, apart from those on a database server."""

ALONE = ("browser", "release")
"""Folders whose tests share something dear: one process of the run has them all."""

_SHARING_SERVERS = re.compile(
    r"(tests/databases/)(?:(test_many_servers\.py::).*\b(sqlite)\b|(test_database_outage\.py::).*\b(mariadb|postgresql)\b)"
)
"""Tests of a file that share servers over one database, or a database server of their own."""

_ON_ITS_OWN_SERVER = re.compile(
    r"tests/databases/test_(full_database_disk\.py|pool\.py::test_a_database_that_hangs|connections\.py::.*_encrypt)"
)
"""Tests that each start a database server, and wait for it most of the time."""

_ONE_AFTER_THE_OTHER = ("tests/process/test_access_table.py", "tests/process/test_client_outages.py")
"""Files whose tests share what a server has answered to many requests, or wait so long that one process is enough."""

_LONGEST_FIRST = (
    *("release", "browser", "databases/test_full_database_disk.py"),
    *("databases", "process/test_client_outages.py", "process/test_pages.py", "process/test_demo.py", "process"),
    *("property", "unit/client/test_client_strangers.py", "unit/monitor/test_monitor_amd.py", "integration"),
)

_SHARING_IN_FRAMEWORKS = re.compile(r"tests/frameworks/test_(mlflow_import|ranks_agree|reference|trackers)")
"""Files whose tests share a store, ranks, an interpreter or what a package is told when it is imported."""

_LONG_IN_FRAMEWORKS = re.compile(r"tests/frameworks/test_(ends|gpu_benchmark|pages|reference|trackers|try)")


def is_in_process(test: str) -> bool:
    """Whether a test may start no process and no database server."""
    return _folder_of(test) in IN_PROCESS and _server_kind_of(test) is None


def group_of(test: str) -> str:
    """The tests of a group run one after the other in one process; most are a group of their own."""
    if found := _SHARING_SERVERS.match(test):
        return "".join(part for part in found.groups() if part)
    if _ON_ITS_OWN_SERVER.match(test):
        return test
    if test.startswith(_ONE_AFTER_THE_OTHER):
        return test.partition("::")[0]
    if found := _SHARING_IN_FRAMEWORKS.match(test):
        return found.group()
    return (_folder_of(test) if _folder_of(test) in ALONE else _server_kind_of(test)) or test


def rank_of(test: str) -> int:
    """Where a test stands in the order of a run: what takes long comes first."""
    if _LONG_IN_FRAMEWORKS.match(test):
        return 0
    ranks = (rank for rank, which in enumerate(_LONGEST_FIRST) if test.startswith(f"tests/{which}"))
    return next(ranks, len(_LONGEST_FIRST))


def _folder_of(test: str) -> str:
    found = re.match(r"tests/(\w+)/", test)
    return found.group(1) if found else ""


def _server_kind_of(test: str) -> str | None:
    """The kind of database server that a test is parametrised with."""
    _, _, parameters = test.partition("[")
    return next((kind for kind in SERVER_KINDS if re.search(rf"\b{kind}\b", parameters)), None)

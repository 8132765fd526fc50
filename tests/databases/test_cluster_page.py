"""Whoever follows the page about a shared server has one on PostgreSQL that lets the team in, and nobody else."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.support.databases import DatabaseServers
from tests.support.pages import PageRun, blocks_of

from zeus_bso import ZeusBSORequestError, connect

TOKENS = "ops:admin=$(openssl rand -hex 32) vision:report:vision-=$(openssl rand -hex 32)"
KNOWN = f"ops:admin={'a' * 32} vision:report:vision-={'b' * 32}"


def test_the_shared_server_of_the_page(databases: DatabaseServers, tmp_path: Path) -> None:
    with databases.fresh("postgresql", tmp_path) as url:
        run = PageRun(
            tmp_path,
            replaced={
                "postgresql+psycopg://bso:secret@db.example.org/bso": url,
                "http://bso.example.org:8000": "http://127.0.0.1:8000",
                "the token of the team": "b" * 32,
                TOKENS: KNOWN,
            },
            exit_codes={"zeus-bso doctor": 3},
        )
        with run:
            for block in blocks_of("docs/howto/cluster.md"):
                run.run(block)
            with connect(run.url, "b" * 32) as results:
                assert len(results.jobs()) == 0
            with pytest.raises(ZeusBSORequestError), connect(run.url) as results:
                results.jobs()

    assert run.url in run.said

"""Somebody restores a backup of an older release under a server that runs."""

from __future__ import annotations

from tests.support.server import Server

from zeus_bso.server.database.revision import VERSION_TABLE, head


def test_a_server_is_not_ready_on_an_older_schema(database_url: str) -> None:
    server = Server(database_url)
    server.start()
    try:
        server.sql(f"UPDATE {VERSION_TABLE} SET version_num = '0001'")
        response = server.call("GET", "/readyz")

        assert response.status_code == 503
        assert response.json()["message"].endswith("Run: zeus-bso db upgrade")

        server.sql(f"UPDATE {VERSION_TABLE} SET version_num = '{head()}'")
        assert server.call("GET", "/readyz").status_code == 200
    finally:
        server.close()

"""``zeus-bso flush``: sends what is left in the spool."""

from __future__ import annotations

import argparse
import json
import os

from zeus_bso.cli.errors import FAILED, CommandError
from zeus_bso.client.connection.api import Api
from zeus_bso.client.connection.connect import SERVER_URL_VARIABLE, transport_for
from zeus_bso.client.delivery.spool import SPOOL_DIR_VARIABLE, spool_folder
from zeus_bso.client.delivery.spool_flush import DeliveryStatus, FlushSummary, flush
from zeus_bso.exceptions import ZeusBSOConfigError


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument("--json", action="store_true", help="print a JSON list, one object per spooled trial")
    parser.add_argument(
        "--server-url",
        help="where to send it, in place of the address that each trial was spooled for (which knows no password)",
    )
    parser.add_argument("--token", help="the server's token (default: ZEUS_BSO_TOKEN, or the file ZEUS_BSO_TOKEN_FILE)")


def run(args: argparse.Namespace) -> int:
    """Send it; 1 if something is left or was refused."""
    if spool_folder() is None:
        raise CommandError(f"this user has no home folder; {SPOOL_DIR_VARIABLE} names another place of the spool")
    servers = _Servers(args.server_url, args.token)
    try:
        flushed = list(flush(servers.at))
    except OSError as error:
        raise CommandError(f"the spool cannot be read: {error}") from error
    finally:
        servers.close()
    if args.json:
        print(json.dumps([each.model_dump(mode="json") for each in flushed], indent=2))
    else:
        _print(flushed)
    return 0 if all(each.status is DeliveryStatus.SENT for each in flushed) else FAILED


class _Servers:
    """The servers that spooled messages are for, each opened once."""

    def __init__(self, server_url: str | None, token: str | None) -> None:
        self._server_url = server_url
        self._token = token
        self._opened: dict[str, Api] = {}

    def at(self, address: str) -> Api:
        """The server of an address.

        Raises:
            ZeusBSOConfigError: It cannot be opened.
        """
        if address not in self._opened:
            self._opened[address] = Api(transport_for(self._url(address), self._token))
        return self._opened[address]

    def close(self) -> None:
        """Close what was opened."""
        for api in self._opened.values():
            api.transport.close()

    def _url(self, address: str) -> str:
        """The address with the user info that whoever flushes has for it: the spool holds none."""
        if self._server_url is not None:
            return self._server_url
        known = os.environ.get(SERVER_URL_VARIABLE, "").strip()
        try:
            same = known.startswith("http") and transport_for(known).address == address
        except ZeusBSOConfigError:
            same = False
        return known if same else address


def _print(flushed: list[FlushSummary]) -> None:
    for each in flushed:
        where = f" (in {each.path})" if each.status is not DeliveryStatus.SENT else ""
        print(f"trial {each.trial_number} of {each.job_id}: {each.status.value}: {each.message}{where}")
    if not flushed:
        print("Nothing is left to send.")

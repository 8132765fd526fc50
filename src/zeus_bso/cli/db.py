"""``zeus-bso db``: the database schema and its migrations."""

from __future__ import annotations

import argparse

from zeus_bso.cli.settings import read_settings


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the actions and their options."""
    database = argparse.ArgumentParser(add_help=False)
    database.add_argument(
        "--database-url", metavar="URL", help="the database (default: ZEUS_BSO_DATABASE_URL, as for `serve`)"
    )
    sql = argparse.ArgumentParser(add_help=False)
    sql.add_argument("--sql", action="store_true", help="print the SQL instead of running it")

    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    upgrade = actions.add_parser("upgrade", parents=[database, sql], help="bring the schema up to date")
    upgrade.add_argument("revision", nargs="?", default="head", help="the revision to go to (default: head)")
    downgrade = actions.add_parser("downgrade", parents=[database, sql], help="go back to an older schema")
    downgrade.add_argument("revision", help="the revision to go back to; `base` removes everything")
    actions.add_parser("current", parents=[database], help="print the revision that the database is at")
    actions.add_parser("check", parents=[database], help="fail unless the server could start on this database")


def run(args: argparse.Namespace) -> int:
    """Do what was asked of the database."""
    from zeus_bso.cli.database_errors import database_errors_in_one_line

    url = read_settings(database_url=args.database_url).database_url
    with database_errors_in_one_line():
        _act(args, url)
    return 0


def _act(args: argparse.Namespace, url: str) -> None:
    from zeus_bso.server.database import migrate

    if args.action == "upgrade":
        migrate.upgrade(url, args.revision, sql=args.sql)
    elif args.action == "downgrade":
        migrate.downgrade(url, args.revision, sql=args.sql)
    elif args.action == "check":
        migrate.check(url)
    if not getattr(args, "sql", False):
        print(migrate.current(url) or "empty: no migration has run")

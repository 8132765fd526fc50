"""``zeus-bso db``: the database schema and its migrations."""

from __future__ import annotations

import argparse

from zeus_bso.cli.confirmation import confirm
from zeus_bso.cli.errors import FAILED
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
    upgrade.add_argument("revision", nargs="?", default="head", help="the target revision (default: head)")
    downgrade = actions.add_parser("downgrade", parents=[database, sql], help="go back to an older schema")
    downgrade.add_argument("revision", help="the revision to go back to; `base` removes everything")
    downgrade.add_argument("--yes", action="store_true", help="do not ask for confirmation where data gets lost")
    actions.add_parser(
        "restored", parents=[database], help="skip trial numbers, after the database was set back to an older state"
    )
    actions.add_parser("current", parents=[database], help="print the revision of the database's schema")
    actions.add_parser("check", parents=[database], help="fail unless the server could start on this database")


def run(args: argparse.Namespace) -> int:
    """Run the chosen action on the database."""
    from zeus_bso.cli.database_errors import database_errors_in_one_line

    url = read_settings(database_url=args.database_url).database_url
    with database_errors_in_one_line():
        return _act(args, url)


def _act(args: argparse.Namespace, url: str) -> int:
    from zeus_bso.server.database import migrate

    if args.action == "upgrade":
        migrate.upgrade(url, args.revision, sql=args.sql)
    elif args.action == "downgrade":
        if not args.sql and not _may_lose(migrate.loss(url, args.revision), args):
            return FAILED
        migrate.downgrade(url, args.revision, sql=args.sql)
    elif args.action == "restored":
        migrate.skip_numbers(url)
    elif args.action == "check":
        migrate.check(url)
    if not getattr(args, "sql", False):
        print(migrate.current(url) or "empty: no migration has run")
    return 0


def _may_lose(lost: list[str], args: argparse.Namespace) -> bool:
    question = f"The downgrade to {args.revision} deletes {' and '.join(lost)}. Go on?"
    return not lost or confirm(question, yes=args.yes)

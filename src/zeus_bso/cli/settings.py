"""The server's settings, with the command line above the environment."""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING

from pydantic import ValidationError

from zeus_bso.cli.errors import BAD_USE, CommandError

if TYPE_CHECKING:
    from zeus_bso.server.config import Settings


def is_loopback(host: str) -> bool:
    """Whether a server on this address is reached from this machine alone."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def read_settings(**options: str | int | None) -> Settings:
    """Read the settings; an option that is None was not given and leaves the environment's word.

    Raises:
        CommandError: A value makes no sense; the message names it.
    """
    from zeus_bso.server.config import Settings

    given = {name: value for name, value in options.items() if value is not None}
    try:
        return Settings(**given)  # type: ignore[arg-type]
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        name = ".".join(str(part) for part in first["loc"])
        origin = f"--{name.replace('_', '-')}" if name in given else f"ZEUS_BSO_{name.upper()}"
        raise CommandError(f"{origin}: {first['msg']}", BAD_USE) from None

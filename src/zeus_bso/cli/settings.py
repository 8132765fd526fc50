"""The server's settings. The command line takes precedence over the environment."""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING

from pydantic import ValidationError

from zeus_bso.cli.errors import BAD_USE, CommandError

if TYPE_CHECKING:
    from zeus_bso.server.config import Settings


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach a server on this address."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def read_settings(**options: str | int | None) -> Settings:
    """Read the settings. For an option that is None, the value of the environment applies.

    Raises:
        CommandError: A value is invalid. The message names the setting.
    """
    from zeus_bso.server.config import Settings

    given = {name: value for name, value in options.items() if value is not None}
    try:
        return Settings(**given)  # type: ignore[arg-type]
    except UnicodeDecodeError:
        raise CommandError("the file .env is not in UTF-8; save it in UTF-8.", BAD_USE) from None
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        name = ".".join(str(part) for part in first["loc"])
        origin = f"--{name.replace('_', '-')}" if name in given else f"ZEUS_BSO_{name.upper()}"
        raise CommandError(f"{origin}: {first['msg']}", BAD_USE) from None

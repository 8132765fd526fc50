"""Settings of the server, from arguments, the environment (``ZEUS_BSO_...``) or a ``.env`` file."""

from __future__ import annotations

from typing import Any, Literal

import platformdirs
from pydantic import Field, ValidationInfo, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict
from sqlalchemy import URL


def default_database_url(parts: dict[str, Any]) -> str:
    """The URL of the database that the settings give in parts, or else of an SQLite file in the user's data directory.

    Args:
        parts: The settings ``db_...``. Without ``db_host`` the others have no effect.
    """
    if not parts.get("db_host"):
        path = platformdirs.user_data_path("zeus-bso") / "zeus-bso.db"
        return f"sqlite:///{path}"
    url = URL.create(
        parts["db_kind"],
        username=parts["db_user"],
        password=parts["db_password"],
        host=parts["db_host"],
        port=parts["db_port"],
        database=parts["db_name"],
    )
    text = url.render_as_string(hide_password=False)
    return f"{text}?{parts['db_options']}" if parts["db_options"] else text


class Settings(BaseSettings):
    """Settings of the server, which are read when the app is created.

    Attributes:
        db_kind: Kind of the database, if you give it in parts instead of as a URL.
        db_host: Host of the database. None if it is not given in parts.
        db_port: Port of the database. Default: the usual port of that kind.
        db_user: User that the server logs in as.
        db_password: Password of that user. It may hold any character.
        db_name: Name of the database.
        db_options: Options of the connection, as they follow the ``?`` of a URL: ``sslmode=verify-full``.
        api_tokens: API tokens and their scopes, in the format of ``security/tokens.py``. Unset: no authentication.
        api_tokens_file: A file with more tokens.
        session_s: How long a dashboard login lasts [s]. Default: 43200 (12 h).
        database_url: The database: ``sqlite:///relative/path``, ``sqlite:////absolute/path``,
            ``mysql+asyncmy://...`` or ``postgresql+psycopg://...``.
        database_pool_size: Largest number of connections that this process opens to a database server.
        host: Address to listen on.
        port: Port to listen on.
        allowed_hosts: More host names that a server without tokens answers to, separated by spaces or commas.
        root_path: The path prefix under which a proxy shows the server, such as ``/team/zeus``. Default: none.
        public_url: The URL at which users reach the server, for its first line of output. Default: the address it
            listens on.
        trial_lease_s: How long a client without heartbeats may stay silent before its trial is given up [s].
            Default: 21600 (6 h).
        import_max_bytes: Largest exported job that an import accepts [bytes]. Default: 268435456 (256 MiB).
        electricity_price: Price of a kilowatt-hour, in ``currency``. Unset: savings are not shown in money.
        currency: Currency of the price, as the server shows it.
        carbon_intensity: Emissions of a kilowatt-hour [g CO2e]. Unset: savings are not shown as emissions.
        dashboard_cache_s: How old the list of jobs and the totals of the fleet on the dashboard may be [s].
        metrics_cache_s: How old the totals over all jobs in ``/metrics`` may be [s].
        metrics_jobs: Number of jobs with a series of their own in ``/metrics``: the most recently active ones.
        drain_s: How long the server still answers after SIGTERM while ``/readyz`` says no [s].
        log_level: Level of the server's log. ``info`` writes one line per decision.
        log_format: ``text`` for people, ``json`` for machines.
    """

    model_config = SettingsConfigDict(
        env_prefix="ZEUS_BSO_",
        env_file=".env",
        env_file_encoding="utf-8-sig",  # some editors write a byte order mark
        extra="ignore",
        frozen=True,
    )

    # These come before the URL, because its default is built from them.
    db_kind: Literal["mysql", "mariadb", "postgresql"] = "mysql"
    db_host: str | None = None
    db_port: int | None = Field(default=None, ge=1, le=65535)
    db_user: str | None = None
    db_password: str | None = Field(default=None, repr=False)
    db_name: str = "zeus_bso"
    db_options: str | None = None
    database_url: str = Field(default_factory=default_database_url, repr=False)
    api_tokens: str | None = Field(default=None, repr=False)
    api_tokens_file: str | None = None
    session_s: int = Field(default=12 * 3600, ge=60, le=365 * 86400)
    database_pool_size: int = Field(default=10, ge=1, le=1000)
    host: str = "127.0.0.1"
    port: int = Field(default=8000, ge=0, le=65535)
    allowed_hosts: str = Field(default="", pattern=r"^[A-Za-z0-9_.\-\s,]*$")
    root_path: str = Field(default="", pattern=r"^(/[A-Za-z0-9._~-]+)*$")
    public_url: str | None = Field(default=None, pattern=r"^https?://[^\s;]+$")
    trial_lease_s: float = Field(default=6 * 3600.0, gt=0, le=365 * 86400.0)
    import_max_bytes: int = Field(default=256 * 2**20, ge=1024, le=2**40)
    electricity_price: float | None = Field(default=None, ge=0, le=1e6, allow_inf_nan=False)
    currency: str = Field(default="USD", min_length=1, max_length=16)
    carbon_intensity: float | None = Field(default=None, ge=0, le=1e6, allow_inf_nan=False)
    dashboard_cache_s: float = Field(default=3.0, ge=0, le=3600)
    metrics_cache_s: float = Field(default=15.0, ge=0, le=3600)
    metrics_jobs: int = Field(default=100, ge=0, le=10_000)
    drain_s: float = Field(default=0.0, ge=0, le=600)
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    log_format: Literal["text", "json"] = "text"

    @field_validator("port", "db_port", mode="before")
    @classmethod
    def _not_a_service_link(cls, port: object, info: ValidationInfo) -> object:
        """Ignore ``ZEUS_BSO_PORT=tcp://...``, which Kubernetes itself sets for a Service named zeus-bso."""
        if isinstance(port, str) and port.startswith("tcp://"):
            return 8000 if info.field_name == "port" else None
        return port

"""Settings of the server, from arguments, the environment (``ZEUS_BSO_...``) or a ``.env`` file."""

from __future__ import annotations

from typing import Any, Literal

import platformdirs
from pydantic import Field, ValidationInfo, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict
from sqlalchemy import URL


def default_database_url(parts: dict[str, Any]) -> str:
    """The database that the settings name in parts; if they name none, an SQLite file in the user's data directory.

    Args:
        parts: The settings ``db_...``; without ``db_host`` the others mean nothing.
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
    return url.render_as_string(hide_password=False)


class Settings(BaseSettings):
    """Settings of the server; read when the app is made.

    Attributes:
        db_kind: The database may also be given in parts: what it is,
        db_host: where it is; None: it is not given in parts,
        db_port: its port, where that is not the usual one,
        db_user: who is connecting,
        db_password: with which password, whatever characters it holds,
        db_name: and to which database.
        api_tokens: Who may ask for what, as ``security/tokens.py`` says; none: nobody is asked who they are.
        api_tokens_file: A file with more of them.
        session_s: How long who logged in to the dashboard stays so [s].
        database_url: Where the state is kept: ``sqlite:///relative/path``, ``sqlite:////absolute/path``,
            ``mysql+asyncmy://...`` or ``postgresql+psycopg://...``.
        database_pool_size: Connections that this process opens to a database server at most.
        host: Address to listen on.
        port: Port to listen on.
        trial_lease_s: How long a trial whose client sends no heartbeats may stay silent [s].
        import_max_bytes: The largest exported job that is taken in [bytes].
        electricity_price: What a kilowatt-hour costs, in ``currency``; left out: savings are not told in money.
        currency: The currency of the price, as it is shown.
        carbon_intensity: What a kilowatt-hour emits [g CO2e]; left out: savings are not told in emissions.
        metrics_cache_s: How old the sums over all jobs in ``/metrics`` may be [s].
        metrics_jobs: So many jobs are told one by one in ``/metrics`` at most, the latest active ones.
        drain_s: How long a server that is told to end still answers, while ``/readyz`` says no [s].
        log_level: Level of the server's log; ``info`` is a line per decision.
        log_format: ``text`` for people, ``json`` for machines.
    """

    model_config = SettingsConfigDict(env_prefix="ZEUS_BSO_", env_file=".env", extra="ignore", frozen=True)

    # Before the URL, which is made of them.
    db_kind: Literal["mysql", "mariadb", "postgresql"] = "mysql"
    db_host: str | None = None
    db_port: int | None = Field(default=None, ge=1, le=65535)
    db_user: str | None = None
    db_password: str | None = Field(default=None, repr=False)
    db_name: str = "zeus_bso"
    database_url: str = Field(default_factory=default_database_url, repr=False)
    api_tokens: str | None = Field(default=None, repr=False)
    api_tokens_file: str | None = None
    session_s: int = Field(default=12 * 3600, ge=60, le=365 * 86400)
    database_pool_size: int = Field(default=10, ge=1, le=1000)
    host: str = "127.0.0.1"
    port: int = Field(default=8000, ge=0, le=65535)
    trial_lease_s: float = Field(default=6 * 3600.0, gt=0, le=365 * 86400.0)
    import_max_bytes: int = Field(default=256 * 2**20, ge=1024, le=2**40)
    electricity_price: float | None = Field(default=None, ge=0, le=1e6, allow_inf_nan=False)
    currency: str = Field(default="USD", min_length=1, max_length=16)
    carbon_intensity: float | None = Field(default=None, ge=0, le=1e6, allow_inf_nan=False)
    metrics_cache_s: float = Field(default=15.0, ge=0, le=3600)
    metrics_jobs: int = Field(default=100, ge=0, le=10_000)
    drain_s: float = Field(default=0.0, ge=0, le=600)
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    log_format: Literal["text", "json"] = "text"

    @field_validator("port", "db_port", mode="before")
    @classmethod
    def _not_a_service_link(cls, port: object, info: ValidationInfo) -> object:
        """Kubernetes sets ``ZEUS_BSO_PORT=tcp://...`` by itself beside a Service named zeus-bso; that is no port."""
        if isinstance(port, str) and port.startswith("tcp://"):
            return 8000 if info.field_name == "port" else None
        return port

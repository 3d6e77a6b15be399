"""Settings of a deployment, read from `KRONOS_*` environment variables."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import quote

from platformdirs import user_data_path
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict


def _names(value: Any) -> Any:
    return [name.strip() for name in value.split(",") if name.strip()] if isinstance(value, str) else value


# Separated by commas: `desk.example.com, 192.168.1.5`.
Names = Annotated[list[str], NoDecode, BeforeValidator(_names)]


class ExchangeSettings(BaseModel):
    """Access to one crypto exchange; all fields are optional."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    base_url: str | None = Field(None, description="Scheme and host in place of the exchange's own.")
    proxies: dict[str, str] | None = Field(None, repr=False, description="Proxy by scheme.")
    options: dict[str, Any] | None = Field(None, description="ccxt's options of the exchange.")
    credentials: dict[str, SecretStr] | None = Field(None, description="ccxt's names, such as apiKey, to values.")


class Settings(BaseSettings):
    """All settings; the environment variable is `KRONOS_` and the name in capitals."""

    model_config = SettingsConfigDict(env_prefix="KRONOS_", frozen=True)

    home: Path = Field(
        default_factory=lambda: user_data_path("kronos-desk"), description="Folder for all files of the app."
    )
    database_url: str | None = Field(
        None, description="SQLAlchemy URL of the store; default: a DuckDB file in the home."
    )
    api_token: SecretStr | None = Field(
        None, description="Bearer token of API calls; without it, the API is open, or closed if there is a password."
    )
    password: SecretStr | None = Field(None, description="Password of the pages; without it, they are open.")
    allowed_hosts: Names = Field(
        default_factory=list,
        description="Host names of the server besides localhost, separated by commas; *.NAME for all subdomains.",
    )
    trusted_proxies: Names = Field(
        default_factory=list,
        description="Addresses or networks of proxies whose X-Forwarded-For is trusted, separated by commas.",
    )
    max_upload_mb: int = Field(200, gt=0, description="Largest upload, in MB, also after decompression.")
    max_rows: int = Field(2_000_000, gt=0, description="Maximum number of candles in one file.")
    max_loaded_models: int = Field(2, gt=0, description="Models in memory; the least recently used is removed first.")
    max_queued_jobs: int = Field(50, gt=0, description="Jobs that may be queued; one more is refused.")
    max_queued_jobs_per_caller: int | None = Field(
        None, gt=0, description="Jobs of one caller that may be queued; default: half of KRONOS_MAX_QUEUED_JOBS."
    )
    max_transfers_mb: int | None = Field(
        None, gt=0, description="Maximum memory of all uploads, in MB; default: 5 largest uploads."
    )
    max_transfers_per_caller_mb: int | None = Field(
        None, gt=0, description="Maximum memory of the uploads of one caller, in MB; default: 2 largest uploads."
    )
    body_seconds: int = Field(600, gt=0, description="Maximum time in which a request body must arrive, in seconds.")
    shutdown_seconds: int = Field(
        10, gt=0, description="Time for running requests to finish when the server stops, in seconds."
    )
    parallel_jobs: int = Field(
        8,
        gt=0,
        description="Jobs of one kind at a time, the rest is queued; evaluations and backtests run one at a time.",
    )
    fetch_minutes: int = Field(10, gt=0, description="Maximum duration of a fetch from a data source, in minutes.")
    store_mb: int = Field(
        4000, gt=0, description="Maximum size of stored series, in MB; the least recently used are removed first."
    )
    query_seconds: int = Field(60, gt=0, description="Maximum duration of a query to a SQL database, in seconds.")
    query_memory_mb: int = Field(2000, ge=500, description="Maximum memory of the process of a SQL query, in MB.")
    query_result_mb: int = Field(500, gt=0, description="Maximum size of the rows of a SQL query, in MB.")
    parallel_queries: int = Field(4, gt=0, description="Queries to SQL databases that run at the same time.")
    yahoo_url: str | None = Field(None, description="Address of a mirror or proxy in place of Yahoo Finance.")
    exchanges: dict[str, ExchangeSettings] = Field(
        default_factory=dict, description="Access to crypto exchanges, as JSON by the exchange's name."
    )
    qlib_folders: dict[Annotated[str, Field(pattern=r"^[\w-]{1,30}$")], Path] = Field(
        default_factory=dict, description="Folders in Qlib's layout, as JSON by name; default: Qlib's download folders."
    )
    allowed_addresses: tuple[Annotated[str, Field(pattern=r"^https?://[^\s/?#@]+(/[^\s?#]*)?$")], ...] = Field(
        (), description="Tracking servers that runs may send metrics to, as JSON; MLFLOW_TRACKING_URI is also allowed."
    )
    max_follows: int = Field(20, gt=0, description="Maximum number of followed series.")
    follow_seconds: int = Field(60, gt=0, description="Minimum poll interval of a followed series, in seconds.")
    parallel_runs: int = Field(1, gt=0, description="Fine-tuning runs at the same time; the rest is queued.")
    max_runs: int = Field(100, gt=0, description="Maximum number of stored fine-tuning runs.")
    max_queued_runs: int = Field(10, gt=0, description="Fine-tuning runs that may be queued; one more is refused.")
    max_training_candles: int = Field(20_000_000, gt=0, description="Maximum number of candles of a fine-tuning run.")
    run_free_mb: int = Field(500, ge=0, description="Disk space that must remain free when a run starts, in MB.")
    run_memory_mb: int | None = Field(
        None, ge=1000, description="Maximum memory of a run, in MB; default: 80 % of this machine's."
    )
    max_evaluations: int = Field(100, gt=0, description="Maximum number of stored evaluations.")
    max_cutoffs: int = Field(
        20_000,
        gt=0,
        description="Maximum number of cutoffs of one evaluation; fewer for long horizons.",
    )
    max_backtests: int = Field(100, gt=0, description="Maximum number of stored backtests.")
    max_backtest_forecasts: int = Field(500_000, gt=0, description="Maximum number of forecasts of one backtest.")
    threads: int | None = Field(None, gt=0, description="Threads of the model; default: all cores.")
    language: str = Field("en", pattern="^(en|zh_CN)$", description="Language of a new session.")

    @field_validator("api_token", "password")
    @classmethod
    def _refuse_empty_secrets(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and not value.get_secret_value().strip():
            raise ValueError("The value is empty. Set a secret, or remove the variable.")
        return value

    @property
    def run_memory_bytes(self) -> int | None:
        """Return the maximum memory of a run in bytes, None for the default."""
        return None if self.run_memory_mb is None else self.run_memory_mb * 1_000_000

    @property
    def store_url(self) -> str:
        """Return the URL of the store; default: a DuckDB file in the home folder."""
        # Folder names may contain characters with a meaning in URLs, such as `%` and `?`.
        path = quote(str(self.home / "kronos.duckdb"), safe="/\\: ")
        return self.database_url or f"duckdb:///{path}"


@cache
def get_settings() -> Settings:
    """Return the settings of this process; tests clear the cache with `get_settings.cache_clear()`."""
    return Settings()


def check_settings() -> Settings:
    """Return the settings of this process, or end it.

    Raises
    ------
    SystemExit
        With a line for each wrong variable.
    """
    try:
        return get_settings()
    except ValidationError as error:
        lines = [
            f"KRONOS_{str(item['loc'][0]).upper()}: {item['msg'].removeprefix('Value error, ')}"
            for item in error.errors(include_input=False)
        ]
        raise SystemExit("The settings are wrong:\n" + "\n".join(lines)) from None

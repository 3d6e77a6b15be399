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


# Written with commas: `desk.example.com, 192.168.1.5`.
Names = Annotated[list[str], NoDecode, BeforeValidator(_names)]


class ExchangeSettings(BaseModel):
    """How one crypto exchange is reached: all of it may be left out, as candles are public nearly everywhere."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    base_url: str | None = Field(None, description="Scheme and host to ask instead of the exchange's own.")
    proxies: dict[str, str] | None = Field(None, repr=False, description="Proxy by scheme.")
    options: dict[str, Any] | None = Field(None, description="ccxt's options of the exchange.")
    credentials: dict[str, SecretStr] | None = Field(None, description="ccxt's names, such as apiKey, to values.")


class Settings(BaseSettings):
    """Every setting with its default; the variable is the name in capitals behind `KRONOS_`."""

    model_config = SettingsConfigDict(env_prefix="KRONOS_", frozen=True)

    home: Path = Field(
        default_factory=lambda: user_data_path("kronos-desk"), description="Folder for everything the app writes."
    )
    database_url: str | None = Field(
        None, description="SQLAlchemy URL of the store; default: a DuckDB file in the home."
    )
    api_token: SecretStr | None = Field(
        None, description="Bearer token of API calls; unset, the API is open, or closed where there is a password."
    )
    password: SecretStr | None = Field(None, description="Password before the pages; unset, the pages are open.")
    allowed_hosts: Names = Field(
        default_factory=list,
        description="Host names that the server answers to besides localhost, with commas; *.NAME for all below.",
    )
    trusted_proxies: Names = Field(
        default_factory=list,
        description="Addresses or networks of proxies whose X-Forwarded-For is believed, with commas.",
    )
    max_upload_mb: int = Field(200, gt=0, description="Largest upload, in MB, also after decompression.")
    max_rows: int = Field(2_000_000, gt=0, description="Most candles in one file.")
    max_loaded_models: int = Field(2, gt=0, description="Models kept in memory; the least recently used goes first.")
    max_queued_jobs: int = Field(50, gt=0, description="Jobs that may wait; one more is refused.")
    max_queued_jobs_per_caller: int | None = Field(
        None, gt=0, description="Jobs of one caller that may wait; default half of KRONOS_MAX_QUEUED_JOBS."
    )
    max_transfers_mb: int | None = Field(
        None, gt=0, description="Most that uploads of all callers may take in memory, in MB; default 5 largest uploads."
    )
    max_transfers_per_caller_mb: int | None = Field(
        None, gt=0, description="Most that uploads of one caller may take in memory, in MB; default 2 largest uploads."
    )
    body_seconds: int = Field(600, gt=0, description="Longest that a request body may take to arrive, in seconds.")
    shutdown_seconds: int = Field(
        10, gt=0, description="Time that requests under way have to end when the server stops, in seconds."
    )
    parallel_jobs: int = Field(
        8,
        gt=0,
        description="Jobs of one kind at a time, the rest is queued; evaluations and backtests run one at a time.",
    )
    fetch_minutes: int = Field(10, gt=0, description="Longest a fetch from a market source may take, in minutes.")
    store_mb: int = Field(
        4000, gt=0, description="Most that stored series may take, in MB; those used longest ago go first."
    )
    query_seconds: int = Field(60, gt=0, description="Longest a query to a SQL database may take, in seconds.")
    query_memory_mb: int = Field(
        2000, ge=500, description="Most memory of the process that runs a query to a SQL database, in MB."
    )
    query_result_mb: int = Field(500, gt=0, description="Most that the rows of such a query may take, in MB.")
    parallel_queries: int = Field(4, gt=0, description="Queries to SQL databases that run at the same time.")
    yahoo_url: str | None = Field(
        None, description="Where Yahoo Finance is reached instead of its own addresses: a mirror or a proxy."
    )
    exchanges: dict[str, ExchangeSettings] = Field(
        default_factory=dict, description="How crypto exchanges are reached, as JSON by the exchange's name."
    )
    qlib_folders: dict[Annotated[str, Field(pattern=r"^[\w-]{1,30}$")], Path] = Field(
        default_factory=dict, description="Folders in Qlib's layout, as JSON by name; default: those Qlib downloads to."
    )
    allowed_addresses: tuple[Annotated[str, Field(pattern=r"^https?://[^\s/?#@]+(/[^\s?#]*)?$")], ...] = Field(
        (), description="Servers that runs may send figures to, as JSON; MLFLOW_TRACKING_URI is allowed, too."
    )
    max_follows: int = Field(20, gt=0, description="Series that may be followed at a time.")
    follow_seconds: int = Field(60, gt=0, description="Shortest time between two looks at a followed series.")
    parallel_runs: int = Field(1, gt=0, description="Fine-tuning runs at the same time; the rest is queued.")
    max_runs: int = Field(100, gt=0, description="Fine-tuning runs that are kept, finished ones included.")
    max_queued_runs: int = Field(10, gt=0, description="Fine-tuning runs that may wait; one more is refused.")
    max_training_candles: int = Field(20_000_000, gt=0, description="Most candles that a run may learn from.")
    run_free_mb: int = Field(500, ge=0, description="What a run must leave free on the disk when it begins, in MB.")
    run_memory_mb: int | None = Field(
        None, ge=1000, description="Most memory of a run, in MB; default 80 % of this machine's."
    )
    max_evaluations: int = Field(100, gt=0, description="Evaluations that are kept.")
    max_cutoffs: int = Field(
        20_000, gt=0, description="Most cutoffs of one evaluation, all series together; fewer for long horizons."
    )
    max_backtests: int = Field(100, gt=0, description="Backtests that are kept.")
    max_backtest_forecasts: int = Field(500_000, gt=0, description="Most forecasts of one backtest.")
    threads: int | None = Field(None, gt=0, description="Threads the model may use; default all cores.")
    language: str = Field("en", pattern="^(en|zh_CN)$", description="Language of a new session.")

    @field_validator("api_token", "password")
    @classmethod
    def _refuse_empty_secrets(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and not value.get_secret_value().strip():
            raise ValueError("The value is empty. Set a secret, or remove the variable.")
        return value

    @property
    def run_memory_bytes(self) -> int | None:
        """Return the most memory of a run in bytes, None for what suits the machine."""
        return None if self.run_memory_mb is None else self.run_memory_mb * 1_000_000

    @property
    def store_url(self) -> str:
        """Return the URL of the store, with the DuckDB file in the home folder as default."""
        # A folder may be called `100%` or `what?`, which mean something else in a URL.
        path = quote(str(self.home / "kronos.duckdb"), safe="/\\: ")
        return self.database_url or f"duckdb:///{path}"


@cache
def get_settings() -> Settings:
    """Return the settings of this process; tests clear the cache with `get_settings.cache_clear()`."""
    return Settings()


def check_settings() -> Settings:
    """Return the settings of this process, for programs that start with them.

    Raises
    ------
    SystemExit
        With a line for each variable that is wrong.
    """
    try:
        return get_settings()
    except ValidationError as error:
        lines = [
            f"KRONOS_{str(item['loc'][0]).upper()}: {item['msg'].removeprefix('Value error, ')}"
            for item in error.errors(include_input=False)
        ]
        raise SystemExit("The settings are wrong:\n" + "\n".join(lines)) from None

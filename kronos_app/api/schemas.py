"""Requests and answers of the API that are not models of a service."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, NaiveDatetime

from kronos_app.services.core.job_view import JobView
from kronos_app.services.core.labels import LONGEST_TAG
from kronos_app.services.core.view import ErrorView, View
from kronos_app.services.forecast.request import ForecastSettings
from kronos_app.services.forecast.service import MOST_SETUPS, Submission
from kronos_app.services.live.views import FollowView
from kronos_app.services.models.registry import ModelVersion
from kronos_app.services.models.service import ModelStatus
from kronos_app.store.records import ForecastColumn, ForecastFilter, JobStatus, UnreadableRecord

Repair = Literal["drop", "ffill", "keep"]
Fix = Literal["drop_unfinished", "adjust_splits", "drop_stale", "drop_outliers", "cap_outliers"]
FIXES = "Fixes beyond the repair of faults; a fix without anything to fix changes nothing."
RESAMPLE = "Coarser interval to resample to: 5min, 15min, 30min, 1h, 2h, 4h, 1d, 1w, 1mo."
CALENDAR = "Trading calendar such as XNYS, or learned; absent: guessed."


class ErrorBody(BaseModel):
    """The shape of every error."""

    error: ErrorView


Part = Literal["up", "down"]


class Health(BaseModel):
    """Whether the service can work."""

    status: Literal["ok", "failing"] = Field(description="ok where all parts are up.")
    version: str
    store: Part = Field(description="Whether the store answers.")
    workers: Part = Field(description="Whether queued jobs are started.")
    store_notice: str | None = Field(None, description="What happened when the store was opened; only with the token.")
    bundled_model: bool | None = Field(
        None, description="Whether the model that needs no network is installed; only with the token."
    )


class Models(View):
    """The models on offer."""

    models: list[ModelStatus]


class Preparation(BaseModel):
    """How candles are prepared before they are saved."""

    fixes: list[Fix] = Field(default_factory=list, max_length=5, description=FIXES)
    resample: str | None = Field(None, max_length=20, description=RESAMPLE)
    calendar: str | None = Field(None, max_length=20, description=CALENDAR)


class ForecastBody(ForecastSettings, Preparation):
    """A forecast of saved candles (`candles_id`), or of candles sent along (`candles`)."""

    candles_id: str | None = Field(None, min_length=1, max_length=64, description="Id of a saved candle set.")
    candles: list[Any] | dict[str, Any] | None = Field(
        None,
        description="Candles as a list of row objects or an object of columns, checked like an upload.",
        examples=[[{"timestamp": "2024-05-31", "open": 10.0, "high": 10.6, "low": 9.8, "close": 10.4, "volume": 1200}]],
    )
    name: str = Field("inline", min_length=1, max_length=100, description="Name of candles sent along.")
    repair: Repair | None = Field(None, description="Repair of faults in candles sent along; absent: refuse them.")
    start: datetime | None = Field(None, description="Time of the first candle, if candles have no times.")
    interval: str | None = Field(
        None, max_length=20, description="Interval such as 5min or 1d, if candles have no times."
    )


class ForecastQuery(BaseModel):
    """The forecasts to list, and their order."""

    model: str | None = Field(None, max_length=200, description="This model only.")
    candles_id: str | None = Field(None, max_length=64, description="This candle set only.")
    replay: bool | None = Field(None, description="true: only with a chosen cutoff; false: only of the future.")
    tag: str | None = Field(None, max_length=LONGEST_TAG, description="With this tag only.")
    text: str | None = Field(
        None, max_length=200, description="Part of the name of the candles or the model, of the id, a tag or the note."
    )
    sort: ForecastColumn = Field("created", description="Forecasts without a value come last.")
    order: Literal["ascending", "descending"] = Field("descending", description="Direction of `sort`.")

    def to_filter(self) -> ForecastFilter:
        """Return the forecasts to list."""
        return ForecastFilter(**self.model_dump(exclude={"sort", "order"}))


class CompareBody(BaseModel):
    """Forecasts of one candle set with several setups."""

    candles_id: str = Field(min_length=1, max_length=64, description="Id of a saved candle set.")
    setups: list[ForecastSettings] = Field(
        min_length=2,
        max_length=MOST_SETUPS,
        description="Settings as of a forecast; those without a seed get one seed in common.",
    )


class Compared(View):
    """The forecasts of a comparison, one for each setup."""

    setups: list[Submission] = Field(description="In the order of the request.")


class Accepted(BaseModel):
    """A forecast that is queued."""

    job_id: str
    status: JobStatus
    candles_id: str


class WatchedBody(BaseModel):
    """A series to fetch."""

    source: str = Field(
        min_length=1, max_length=50, description="Key of a source, such as yahoo, binance or qlib:cn_data."
    )
    symbol: str = Field(min_length=1, max_length=100, description="As the source writes it.", examples=["AAPL"])
    interval: str = Field("1d", min_length=1, max_length=20, description="As the source writes it.")
    options: dict[str, str] = Field(
        default_factory=dict, description="Options of this source, such as adjustment: none.", max_length=10
    )


class FetchBody(WatchedBody, Preparation):
    """Candles to fetch from a data source."""

    start: datetime | None = Field(None, description="First time, in UTC without an offset; absent: the earliest.")
    end: datetime | None = Field(None, description="Time after the last; absent: now.")
    repair: Repair | None = Field(None, description="Repair of faults; absent: refuse them.")


class FetchAccepted(BaseModel):
    """A job that is queued."""

    job_id: str
    status: JobStatus


class SeriesBody(BaseModel):
    """The key of a stored series."""

    source: str = Field(max_length=50, description="As the list of series has it.")
    symbol: str = Field(max_length=100, description="As the list of series has it.")
    interval: str = Field(max_length=20, description="As the list of series has it.")
    adjustment: str = Field("", max_length=50, description="As the list of series has it.")


class RefreshBody(BaseModel):
    """Series to update; without either field, all stored series."""

    series: list[SeriesBody] = Field(default_factory=list, max_length=500, description="Stored series.")
    watchlist: str | None = Field(None, max_length=60, description="Name of a watchlist, stored already or not.")


class WatchlistBody(BaseModel):
    """The entries of a watchlist."""

    entries: list[WatchedBody] = Field(max_length=500, description="In the order it is shown.")


class UnreadableOut(BaseModel):
    """A saved record that this version cannot read; it can be deleted."""

    id: str
    reason: str


def unreadable_out(records: Sequence[UnreadableRecord], language: str) -> list[UnreadableOut]:
    """Return records that cannot be read, with the reason in `language`."""
    return [UnreadableOut(id=one.id, reason=one.reason.render(language)) for one in records]


UNREADABLE = Field(description="Records that this version cannot read, with the reason; each can be deleted by its id.")


class Follows(View):
    """The followed series."""

    follows: list[FollowView]
    unreadable: list[UnreadableOut] = UNREADABLE


class FollowPatch(BaseModel):
    """Changes of a followed series."""

    model_config = ConfigDict(extra="forbid")

    active: bool = Field(description="true resumes, false pauses.")


class Jobs(View):
    """Jobs, the newest first."""

    total: int = Field(description="Number of all jobs.")
    jobs: list[JobView]


class RegisterBody(BaseModel):
    """Name of a registered model."""

    model_config = ConfigDict(extra="forbid")

    name: str = Field(min_length=1, max_length=40, description="Lower-case letters, digits and hyphens.")
    note: str = Field("", max_length=500, description="Free text.")


class ModelVersions(View):
    """The registered models."""

    models: list[ModelVersion]
    unreadable: list[UnreadableOut] = UNREADABLE


class BehindBody(BaseModel):
    """A trade or a holding whose forecast is wanted."""

    instrument: str = Field(max_length=60, description="As the tables have it.")
    day: NaiveDatetime = Field(description="On which it was traded or held, in the candles' own time.")

"""A followed series: its request and its view for page and API."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from pydantic import Field

from kronos_app.data.source import LONGEST_SYMBOL
from kronos_app.services.core.view import ErrorView, View
from kronos_app.services.forecast.request import ForecastSettings

WEEK = 7 * 24 * 3600
FollowState = Literal["off", "running", "failing", "on"]


class FollowRequest(ForecastSettings):
    """A series to follow, with the settings of its forecasts; the API documents the descriptions."""

    source: str = Field(min_length=1, max_length=50, description="Key of a market source.")
    symbol: str = Field(min_length=1, max_length=LONGEST_SYMBOL, description="As the source writes it.")
    interval: str = Field("1d", min_length=1, max_length=20, description="As the source writes it.")
    options: dict[str, str] = Field(
        default_factory=dict, description="Options of this source only, such as adjustment: none.", max_length=10
    )
    cadence: int | None = Field(
        None, ge=1, le=WEEK, description="Poll interval in seconds; absent: chosen by the length of a candle."
    )
    cutoff: None = Field(None, description="Always the newest completed candle.")


class FollowView(View):
    """A followed series and its state."""

    follow_id: str
    source: str
    symbol: str
    interval: str
    options: dict[str, str]
    settings: dict[str, Any] = Field(description="Of its forecasts.")
    cadence: int = Field(description="Poll interval in seconds.")
    state: FollowState = Field(description="running: a check is in progress; failing: the last check failed.")
    created: datetime
    last_run: datetime | None
    next_run: datetime | None
    job_id: str | None = Field(description="The check in progress.")
    last_candle: datetime | None = Field(description="The newest candle of a forecast, in the zone of the series.")
    candles_id: str | None = Field(description="The data set of its forecasts.")
    forecast_id: str | None = Field(description="The last forecast.")
    made: int = Field(description="Number of forecasts.")
    failures: int = Field(description="Number of consecutive failures.")
    error: ErrorView | None = Field(description="Reason of the last failure.")
    active: bool = Field(exclude=True)

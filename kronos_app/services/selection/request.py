"""Which candles a run uses, as pages and API name them."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import Field

from kronos_app.data.source import LONGEST_SYMBOL
from kronos_app.services.core.request import Request

MOST_SERIES = 500


class SeriesChoice(Request):
    """A stored series, identified by four names."""

    source: str = Field(max_length=50, description="As the list of series has it.")
    symbol: str = Field(max_length=LONGEST_SYMBOL, description="As the list of series has it.")
    interval: str = Field(max_length=20, description="As the list of series has it.")
    adjustment: str = Field("", max_length=50, description="As the list of series has it.")


class CandleSelection(Request):
    """Which candles to use; a folder is identified by its name, never by its path."""

    kind: Literal["candle_sets", "series", "watchlist", "qlib"] = Field(
        description="Where the candles are: data sets, stored series, a watchlist, a Qlib folder."
    )
    candle_sets: list[str] = Field(default_factory=list, max_length=MOST_SERIES, description="Ids of data sets.")
    series: list[SeriesChoice] = Field(default_factory=list, max_length=MOST_SERIES, description="Stored series.")
    watchlist: str | None = Field(None, max_length=60, description="Name of a watchlist; its stored series are taken.")
    qlib_folder: str | None = Field(
        None, max_length=60, description="Name of a Qlib folder; evaluations and backtests take its daily candles."
    )
    qlib_market: str = Field("all", max_length=60, description="Instrument set, such as csi300.")


class DataChoice(CandleSelection):
    """Which candles to learn from."""

    qlib_frequency: str = Field("day", max_length=20, description="Qlib's name of the candle length.")
    qlib_start: datetime | None = Field(None, description="First time to read; absent: the calendar's start.")
    qlib_end: datetime | None = Field(None, description="Last time to read; absent: the calendar's end.")

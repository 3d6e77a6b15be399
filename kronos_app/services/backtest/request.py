"""The request of a backtest: candles, a model, a signal, a rule and its costs."""

from __future__ import annotations

from datetime import date
from typing import Literal

from pydantic import Field

from kronos_app.services.selection.request import CandleSelection
from kronos_app.services.selection.setup import MAX_SEED, ForecastSetup

Signal = Literal[
    "last",
    "mean",
    "max",
    "min",
    "last_return",
    "mean_return",
    "max_return",
    "min_return",
    "risk_adjusted",
    "probability_up",
]
RuleName = Literal["topk", "single"]


class BacktestRequest(ForecastSetup):
    """A backtest to be made."""

    data: CandleSelection = Field(description="Which candles to trade.")
    model: str = Field(max_length=100, description="Name of the model.")
    signal: Signal = Field("mean_return", description="What each forecast is reduced to.")
    every: int = Field(1, ge=1, le=500, description="Candles from one signal to the next.")
    seed: int = Field(0, ge=0, le=MAX_SEED, description="Of paths and of random signals.")
    start: date | None = Field(None, description="First day of a signal; absent: the first that has enough history.")
    end: date | None = Field(None, description="Last day; absent: the last candle's.")
    rule: RuleName = Field("topk", description="topk: TopkDropout among many; single: one instrument, long or flat.")
    topk: int = Field(10, ge=1, le=500, description="Instruments held.")
    n_drop: int = Field(2, ge=1, le=500, description="Most that are replaced a day.")
    hold_thresh: int = Field(1, ge=1, le=500, description="Days that one is held at least.")
    threshold: float = Field(0.0, ge=0, allow_inf_nan=False, description="single: long above it.")
    short: bool = Field(False, description="single: short below its negative, else flat.")
    account: float = Field(1e6, gt=0, allow_inf_nan=False, description="Initial capital.")
    deal_price: Literal["open", "close", "vwap"] = Field("open", description="Execution price of orders.")
    limit_threshold: float | None = Field(
        None, gt=0, le=10, description="No order on a day whose close moved so far; absent: no limit."
    )
    open_cost: float = Field(0.0005, ge=0, lt=0.5, description="Share of the value, when buying.")
    close_cost: float = Field(0.0015, ge=0, lt=0.5, description="Share of the value, when selling.")
    min_cost: float = Field(0.0, ge=0, allow_inf_nan=False, description="Minimum commission of an order, in money.")
    slippage: float = Field(0.0005, ge=0, lt=0.5, description="How much worse than the price an order is filled.")
    benchmark: str | None = Field(
        None, max_length=60, description="Instrument of the data to compare with; it is not traded."
    )
    random_signals: int = Field(500, ge=20, le=2000, description="Random signals sent through the same rule.")

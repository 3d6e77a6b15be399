"""Notes on the data of a backtest."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
import pandas as pd

from training.errors import Message, message
from training.portfolio.market import Market
from training.portfolio.records import Backtest
from training.portfolio.rules import Dealing, TopkRule
from training.portfolio.tradable import Span

MOST_NAMED = 5


def settings_of(rule: TopkRule, dealing: Dealing, benchmark: str | None, span: Span) -> dict[str, Any]:
    """Return `Backtest.settings` of a portfolio."""
    return {
        "rule": asdict(rule),
        "dealing": asdict(dealing),
        "benchmark": benchmark,
        "days": [str(span.first), str(span.last)],
    }


def notes_on(
    scores: pd.Series[float],
    instruments: Sequence[str],
    backtest: Backtest,
    market: Market,
    span: Span,
    rule: TopkRule,
) -> Iterator[Message]:
    """Yield what the reader of a backtest should know, given its scores and the instruments that have candles."""
    benchmark = backtest.settings["benchmark"]
    if benchmark and not backtest.has_benchmark:
        yield message("There are no candles of the benchmark {symbol}: the result has no benchmark.", symbol=benchmark)
    if len(span.idle):
        yield message("{count} days of the signal are not trading days and are left out.", count=len(span.idle))
    names = scores.index.get_level_values("instrument").unique()
    yield from missing([name for name in names if name not in set(instruments)])
    yield from few(scores, instruments, rule)
    yield from stranded(market, backtest.positions)


def missing(names: Sequence[str]) -> Iterator[Message]:
    """Yield which instruments of the signal have no candles."""
    shown = ", ".join(names[:MOST_NAMED])
    if len(names) > MOST_NAMED:
        yield message(
            "{count} instruments have no candles on these days and are left out: {names} ...",
            count=len(names),
            names=shown,
        )
    elif names:
        yield message("There are no candles of {names} on these days: left out.", names=shown)


def few(scores: pd.Series[float], instruments: Sequence[str], rule: TopkRule) -> Iterator[Message]:
    """Yield the effect of the rule where there are not enough instruments for it."""
    known = scores[scores.index.isin(instruments, level="instrument")]
    most = int(known.groupby(level="datetime").size().max())
    if most < rule.topk + rule.n_drop:
        yield message(
            "At most {count} instruments have a score on one day, fewer than topk + n_drop = {wanted}: TopkDropout "
            "then sells the worst {n_drop} even though fewer can be bought instead.",
            count=most,
            wanted=rule.topk + rule.n_drop,
            n_drop=rule.n_drop,
        )


def stranded(market: Market, positions: pd.DataFrame) -> Iterator[Message]:
    """Yield which final holdings have no candle on the last days: they could not be sold."""
    for name in positions.loc[positions["day"] == market.days[-1], "instrument"]:
        close = market.close[:, market.instruments.index(name)]
        last = int(np.flatnonzero(~np.isnan(close)).max())
        if last < len(close) - 1:
            yield message(
                "{symbol} is held at the end at its price of {day}: it has no candle since.",
                symbol=name,
                day=f"{market.days[last]:%Y-%m-%d}",
            )

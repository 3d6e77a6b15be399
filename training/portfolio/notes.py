"""What a reader of a backtest must know about its data."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd

from training.errors import Message, message
from training.portfolio.market import Market
from training.portfolio.rules import TopkRule

MOST_NAMED = 5


def missing(unknown: Sequence[str]) -> Iterator[Message]:
    """Say which instruments of the signal have no candles."""
    named = ", ".join(unknown[:MOST_NAMED])
    if len(unknown) > MOST_NAMED:
        yield message(
            "{count} instruments have no candles on these days and are left out: {names} ...",
            count=len(unknown),
            names=named,
        )
    elif unknown:
        yield message("There are no candles on these days of {names}: left out.", names=named)


def no_benchmark(symbol: str) -> Message:
    """Say that there is nothing to compare with."""
    return message("There are no candles of the benchmark {symbol}: nothing is compared with it.", symbol=symbol)


def few(scores: pd.Series[float], instruments: Sequence[str], rule: TopkRule) -> Iterator[Message]:
    """Say what the rule does where there are not enough instruments for it."""
    known = scores[scores.index.isin(instruments, level="instrument")]
    most = int(known.groupby(level="datetime").size().max())
    if most < rule.topk + rule.n_drop:
        yield message(
            "At most {count} instruments have a score on one day, fewer than topk + n_drop = {wanted}: TopkDropout "
            "then sells the worst {n_drop} though there are not as many to buy instead.",
            count=most,
            wanted=rule.topk + rule.n_drop,
            n_drop=rule.n_drop,
        )


def stranded(market: Market, positions: pd.DataFrame) -> Iterator[Message]:
    """Say what is held at the end and has had no candle for a while: it could not be sold."""
    for name in positions.loc[positions["day"] == market.days[-1], "instrument"]:
        close = market.close[:, market.instruments.index(name)]
        last = int(np.flatnonzero(~np.isnan(close)).max())
        if last < len(close) - 1:
            yield message(
                "{symbol} is held at the end at its price of {day}: it has no candle since.",
                symbol=name,
                day=f"{market.days[last]:%Y-%m-%d}",
            )

"""TopkDropout backtests of a signal: by Qlib over a Qlib folder, and by the simulator over candles."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from training.adapters.qlib_support import require_qlib
from training.errors import DataError, Message, message
from training.portfolio.market import Market, closes, split_costs
from training.portfolio.process import lines
from training.portfolio.records import Backtest
from training.portfolio.rules import Dealing, TopkRule
from training.portfolio.tradable import Span, check_scores, find_span
from training.portfolio.vectorised import Journal, OnStep, of_signal, simulate

SOURCE = "the candles"
MOST_NAMED = 5
DAILY = ["account", "cash", "value", "return", "cost", "turnover", "bench"]


def backtest(
    folder: Path,
    signal: pd.Series[float],
    rule: TopkRule,
    dealing: Dealing,
    *,
    benchmark: str | None = None,
    end: pd.Timestamp | None = None,
    on_step: OnStep | None = None,
) -> tuple[Backtest, Market]:
    """Return Qlib's backtest of a signal, and its quotes.

    Parameters
    ----------
    folder
        Qlib's `provider_uri`; nothing is written to it.
    signal
        Scores by (datetime, instrument); the score of a day is traded on the next day of the folder's calendar. There
        are no trades on days without scores; a holding without a score on a day with others counts as the worst.
    benchmark
        Instrument of the folder.
    end
        Last day; None: the day on which the last scores are traded.
    on_step
        Called after each day with (done, total); may raise to cancel.

    Raises
    ------
    DataError
        Folder, signal or fields cannot be used; names what is wrong.
    TrainingError
        Qlib failed; says why.
    """
    scores, notes = check_scores(signal, benchmark)
    span = find_span(_calendar(folder), str(folder), scores, end)
    scores = scores[~scores.index.isin(span.idle, level="datetime")]
    require_qlib()
    settings = settings_of(rule, dealing, benchmark, span)
    with tempfile.TemporaryDirectory(prefix="kronos-backtest-") as name:
        work = Path(name)
        _write_request(work, folder, scores, settings, dealing)
        with closing(lines("training.portfolio.qlib_child", work)) as output:
            for line in output:
                done, _, total = line.partition(" ")
                if on_step and done.isdigit() and total.isdigit():
                    on_step(int(done), int(total))
        facts = json.loads((work / "facts.json").read_text(encoding="utf-8"))
        _check(facts, folder, dealing)
        daily, positions, trades, quotes = (
            pd.read_parquet(work / f"{table}.parquet") for table in ("daily", "positions", "trades", "quotes")
        )
        risk = json.loads((work / "risk.json").read_text(encoding="utf-8"))
    daily = daily.set_index("datetime").rename_axis("day")[DAILY]
    if not facts["benchmark"]:
        daily["bench"] = np.nan
    market = Market.of_quotes(quotes, pd.DatetimeIndex(daily.index), span.before)
    result = Backtest(daily, positions, split_costs(trades, market, dealing), settings, risk)
    notes += notes_on(scores, facts["instruments"], result, market, span, rule)
    return replace(result, notes=tuple(notes)), market


def backtest_candles(
    universe: Mapping[str, pd.DataFrame],
    signal: pd.Series[float],
    rule: TopkRule,
    dealing: Dealing,
    *,
    benchmark: str | None = None,
    end: pd.Timestamp | None = None,
    on_step: OnStep | None = None,
) -> tuple[Backtest, Market]:
    """Return the simulated backtest of a signal, and its quotes; raises DataError if signal or candles are unusable.

    `universe` has daily candles by instrument, those of the benchmark included: frames with a column timestamp at
    midnight. All else is as in `backtest`, which is preferred where Qlib is installed: that needs
    Python 3.12 or older.
    """
    scores, notes = check_scores(signal, benchmark)
    known = [name for name in scores.index.get_level_values("instrument").unique() if name in universe]
    if not known:
        raise DataError("{folder} has no candles of the signal's instruments.", folder=SOURCE)
    # The benchmark's days belong to the calendar, as in a Qlib folder.
    quoted = {name: universe[name] for name in {*known, *([benchmark] if benchmark in universe else [])}}
    everything = Market.of_candles(quoted, dealing)
    calendar = everything.days.insert(0, everything.before) if everything.before is not None else everything.days
    span = find_span(calendar, SOURCE, scores, end)
    market = everything.between(span.before, span.last, known)
    journal = Journal(market)
    ranks = scores[scores.index.isin(known, level="instrument")]
    daily = simulate(market, of_signal(market, ranks), 1, rule, dealing, journal=journal, on_step=on_step).daily()
    if benchmark in quoted:
        daily["bench"] = closes(quoted)[benchmark].pct_change(fill_method=None).reindex(daily.index).fillna(0.0)
    settings = settings_of(rule, dealing, benchmark, span)
    result = Backtest(daily, journal.positions(), split_costs(journal.trades(), market, dealing), settings)
    notes += notes_on(scores, known, result, market, span, rule)
    notes.append(message("Simulated without Qlib, which needs Python 3.12 or older; the rule is the same."))
    return replace(result, notes=tuple(notes)), market


def settings_of(rule: TopkRule, dealing: Dealing, benchmark: str | None, span: Span) -> dict[str, Any]:
    """Return `Backtest.settings` of a portfolio."""
    return {
        "rule": asdict(rule),
        "dealing": asdict(dealing),
        "benchmark": benchmark,
        "days": [str(span.first), str(span.last)],
    }


def notes_on(
    scores: pd.Series[float], instruments: Sequence[str], backtest: Backtest, market: Market, span: Span, rule: TopkRule
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


def _write_request(
    work: Path, folder: Path, scores: pd.Series[float], settings: Mapping[str, Any], dealing: Dealing
) -> None:
    request = {
        **{name: settings[name] for name in ("rule", "benchmark", "days")},
        "data": str(folder.resolve()),
        "exchange": {"change": dealing.exchange("$change"), "move": dealing.exchange("($close/Ref($close,1)-1)")},
        "price": dealing.deal_price,
        "account": dealing.account,
    }
    (work / "request.json").write_text(json.dumps(request), encoding="utf-8")
    scores.rename("score").reset_index().to_parquet(work / "signal.parquet")


def _calendar(folder: Path) -> pd.DatetimeIndex:
    try:
        return pd.DatetimeIndex((folder / "calendars" / "day.txt").read_text(encoding="utf-8-sig").split())
    except (OSError, ValueError) as error:
        raise DataError(
            "{folder} is not a Qlib folder: it has no calendar of days that can be read.", folder=str(folder)
        ) from error


def _check(facts: dict[str, Any], folder: Path, dealing: Dealing) -> None:
    if not facts["instruments"]:
        raise DataError("{folder} has no candles of the signal's instruments.", folder=str(folder))
    if not facts["priced"]:
        raise DataError(
            "{folder} has no field {field} for the execution price.", folder=str(folder), field=dealing.deal_price
        )

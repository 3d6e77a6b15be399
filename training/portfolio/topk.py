"""Qlib's TopkDropout backtest of a signal over a Qlib folder: `backtest`."""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from training.errors import DataError, Remark, remark
from training.portfolio.market import Market, ranked
from training.portfolio.notes import few, missing, stranded
from training.portfolio.process import lines
from training.portfolio.records import Backtest
from training.portfolio.rules import Dealing, TopkRule

OnStep = Callable[[int, int], object]
DAILY = ["account", "cash", "value", "return", "cost", "turnover", "bench"]
INSTRUMENT = re.compile(r"\.*[A-Za-z0-9_^=&-][A-Za-z0-9._^=&-]{0,39}")  # Qlib makes a path of it


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
    """Return what Qlib makes of a signal, and the quotes it dealt at.

    Parameters
    ----------
    folder
        What Qlib calls `provider_uri`; nothing is written to it.
    signal
        Scores by (datetime, instrument); the score of a day is traded on the next one of the folder's calendar. Days
        without scores change nothing; a held instrument without a score on a day that has others counts as the worst.
    benchmark
        Instrument of the folder to compare with.
    end
        Last day; None: the day on which the last scores are traded.
    on_step
        Called after each day with (done, total); may raise to cancel.

    Raises
    ------
    DataError
        The folder, the signal or the fields cannot be used; names what is at fault.
    TrainingError
        Qlib failed; says why.
    """
    scores, notes = _clean(signal, benchmark)
    span = _span(folder, scores, end)
    scores = scores[~scores.index.isin(span.idle, level="datetime")]
    settings: dict[str, Any] = {
        "rule": asdict(rule),
        "dealing": asdict(dealing),
        "benchmark": benchmark,
        "days": [str(span.first), str(span.last)],
    }
    with tempfile.TemporaryDirectory(prefix="kronos-backtest-") as name:
        _ask(Path(name), folder, scores, settings, dealing)
        facts, risk, tables = _answer(Path(name), folder, dealing, on_step)
    daily = tables["daily"].set_index("datetime").rename_axis("day")[DAILY]
    if not facts["benchmark"]:
        daily["bench"] = np.nan
        if benchmark:
            notes.append(
                remark("There are no candles of the benchmark {symbol}: nothing is compared with it.", symbol=benchmark)
            )
    if len(span.idle):
        notes.append(remark("{count} days of the signal are no trading days and are left out.", count=len(span.idle)))
    market = Market.of_quotes(tables["quotes"], pd.DatetimeIndex(daily.index), span.before)
    positions = tables["positions"]
    notes += [*missing(facts["unknown"]), *few(scores, facts["instruments"], rule), *stranded(market, positions)]
    trades = _parts(tables["trades"], market, dealing)
    return Backtest(daily, positions, trades, settings, risk, tuple(notes)), market


def _ask(work: Path, folder: Path, scores: pd.Series[float], settings: Mapping[str, Any], dealing: Dealing) -> None:
    """Write down what Qlib's process is to do."""
    request = {
        **{name: settings[name] for name in ("rule", "benchmark", "days")},
        "data": str(folder.resolve()),
        "exchange": {"change": dealing.exchange("$change"), "move": dealing.exchange("($close/Ref($close,1)-1)")},
        "price": dealing.deal_price,
        "account": dealing.account,
    }
    (work / "request.json").write_text(json.dumps(request), encoding="utf-8")
    scores.rename("score").reset_index().to_parquet(work / "signal.parquet")


def _answer(
    work: Path, folder: Path, dealing: Dealing, on_step: OnStep | None
) -> tuple[dict[str, Any], dict[str, Any], dict[str, pd.DataFrame]]:
    """Run Qlib's process and return what it says of the data, its risk analysis and its tables."""
    with closing(lines("training.portfolio.qlib_child", work)) as told:
        for line in told:
            done, _, total = line.partition(" ")
            if on_step and done.isdigit() and total.isdigit():
                on_step(int(done), int(total))
    facts = json.loads((work / "facts.json").read_text(encoding="utf-8"))
    _check(facts, folder, dealing)
    tables = {name: pd.read_parquet(work / f"{name}.parquet") for name in ("daily", "positions", "trades", "quotes")}
    return facts, json.loads((work / "risk.json").read_text(encoding="utf-8")), tables


@dataclass(frozen=True, eq=False)
class _Span:
    """Days that are traded: the one before the first, the first and the last; `idle` are the signal's that are none."""

    before: pd.Timestamp
    first: pd.Timestamp
    last: pd.Timestamp
    idle: pd.DatetimeIndex


def _span(folder: Path, scores: pd.Series[float], end: pd.Timestamp | None) -> _Span:
    try:
        lines = (folder / "calendars" / "day.txt").read_text(encoding="utf-8-sig").split()
        calendar = pd.DatetimeIndex(lines)
    except (OSError, ValueError) as error:
        raise DataError(
            remark("{folder} has no calendar of days that can be read: it is no Qlib folder.", folder=str(folder))
        ) from error
    asked = pd.DatetimeIndex(scores.index.get_level_values("datetime").unique())
    there = asked.isin(calendar)
    if not there.any():
        raise DataError(remark("No day of the signal is in the calendar of {folder}.", folder=str(folder)))
    begun, ended = asked[there].min(), asked[there].max()
    last = end or calendar[: int(calendar.searchsorted(ended, side="right")) + 1][-1]
    days = calendar[(calendar > begun) & (calendar <= last)]
    if not len(days):
        raise DataError(
            remark("{folder} has no day after the first of the signal: nothing can be traded.", folder=str(folder))
        )
    return _Span(begun, days[0], days[-1], asked[~there])


def _clean(signal: pd.Series[float], benchmark: str | None) -> tuple[pd.Series[float], list[Remark]]:
    """Return the ranks of each day, and what was left out."""
    if list(signal.index.names) != ["datetime", "instrument"]:
        raise DataError(remark("A signal is a series by datetime and instrument."))
    if signal.index.has_duplicates:
        day, name = signal.index[signal.index.duplicated()][0]
        raise DataError(remark("{symbol} has two scores on {day}.", symbol=str(name), day=f"{day:%Y-%m-%d}"))
    names = [*signal.index.get_level_values("instrument").unique(), *([benchmark] if benchmark else [])]
    for name in names:
        if not INSTRUMENT.fullmatch(name):
            raise DataError(remark("{symbol} cannot be the name of an instrument.", symbol=repr(name[:40])))
    days = pd.DatetimeIndex(signal.index.get_level_values("datetime"))
    if days.tz is not None or (days != days.normalize()).any():
        raise DataError(remark("A score belongs to a day: its time must be midnight, without a time zone."))
    scores = ranked(signal)
    if scores.empty:
        raise DataError(remark("The signal has no score that is a number."))
    dropped = len(signal) - len(scores)
    return scores, [remark("{count} scores are no numbers and are left out.", count=dropped)] if dropped else []


def _check(facts: dict[str, Any], folder: Path, dealing: Dealing) -> None:
    if not facts["instruments"]:
        raise DataError(remark("{folder} has no candles of the signal's instruments.", folder=str(folder)))
    if not facts["priced"]:
        raise DataError(
            remark("{folder} has no field {field} to deal at.", folder=str(folder), field=dealing.deal_price)
        )


def _parts(trades: pd.DataFrame, market: Market, dealing: Dealing) -> pd.DataFrame:
    """Return the orders with what their costs are made of; whatever a least cost adds is commission."""
    dealt = trades["value"] > 0
    row = market.days.get_indexer(pd.DatetimeIndex(trades["day"]))
    column = pd.Index(market.instruments).get_indexer(pd.Index(trades["instrument"]))
    turnover = market.volume[row, column] * market.price[row, column]
    ordered = trades["ordered"] * trades["price"]
    impact = dealing.impact * trades["value"] * share_squared(ordered.to_numpy(np.float64), turnover)
    slippage = dealing.slippage * trades["value"]
    parts = {"slippage": slippage.where(dealt, 0.0), "impact": impact.where(dealt, 0.0)}
    return trades.assign(**parts, commission=(trades["cost"] - slippage - impact).where(dealt, 0.0))


def share_squared(value: np.ndarray, turnover: np.ndarray) -> np.ndarray:
    """Return the squared share of the day's turnover, 1 where it is not known, as Qlib has it."""
    known = np.isfinite(turnover) & (turnover != 0)
    return np.where(known, (value / np.where(known, turnover, 1.0)) ** 2, 1.0)

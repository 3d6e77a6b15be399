"""Qlib's TopkDropout backtest of a signal over a Qlib folder: `backtest`."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from training.adapters.qlib_support import require_qlib
from training.errors import DataError
from training.portfolio.costs import split_costs
from training.portfolio.market import Market
from training.portfolio.notes import notes_on, settings_of
from training.portfolio.process import lines
from training.portfolio.records import Backtest
from training.portfolio.rules import Dealing, TopkRule
from training.portfolio.tradable import check_scores, find_span

OnStep = Callable[[int, int], object]
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

"""Qlib's TopkDropout backtest of a signal over a Qlib folder: `backtest`."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from training.adapters.qlib_support import require_qlib
from training.errors import DataError, message
from training.portfolio.costs import split_costs
from training.portfolio.market import Market
from training.portfolio.notes import few, missing, no_benchmark, stranded
from training.portfolio.process import lines
from training.portfolio.records import Backtest
from training.portfolio.rules import Dealing, TopkRule
from training.portfolio.scores import check_scores, find_span, idle_note

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
    scores, notes = check_scores(signal, benchmark)
    span = find_span(_calendar(folder), str(folder), scores, end)
    scores = scores[~scores.index.isin(span.idle, level="datetime")]
    require_qlib()
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
            notes.append(no_benchmark(benchmark))
    notes += idle_note(span)
    market = Market.of_quotes(tables["quotes"], pd.DatetimeIndex(daily.index), span.before)
    positions = tables["positions"]
    notes += [*missing(facts["unknown"]), *few(scores, facts["instruments"], rule), *stranded(market, positions)]
    trades = split_costs(tables["trades"], market, dealing)
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


def _calendar(folder: Path) -> pd.DatetimeIndex:
    try:
        return pd.DatetimeIndex((folder / "calendars" / "day.txt").read_text(encoding="utf-8-sig").split())
    except (OSError, ValueError) as error:
        raise DataError(
            message("{folder} has no calendar of days that can be read: it is no Qlib folder.", folder=str(folder))
        ) from error


def _check(facts: dict[str, Any], folder: Path, dealing: Dealing) -> None:
    if not facts["instruments"]:
        raise DataError(message("{folder} has no candles of the signal's instruments.", folder=str(folder)))
    if not facts["priced"]:
        raise DataError(
            message("{folder} has no field {field} to deal at.", folder=str(folder), field=dealing.deal_price)
        )

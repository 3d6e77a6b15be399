"""TopkDropout over candles without Qlib, by the simulator with the same rule: `backtest`.

Qlib itself is preferred where it is installed, which needs Python 3.12 or older.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pandas as pd

from training.errors import DataError, message
from training.portfolio.costs import split_costs
from training.portfolio.market import Market, closes
from training.portfolio.notes import notes_on, settings_of
from training.portfolio.records import Backtest
from training.portfolio.rules import Dealing, TopkRule
from training.portfolio.tradable import check_scores, find_span
from training.portfolio.vectorised import Journal, OnStep, of_signal, simulate

SOURCE = "the candles"


def backtest(
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
    midnight. All else is as in `topk.backtest`.
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

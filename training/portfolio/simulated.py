"""TopkDropout over candles without Qlib, by the simulator that equals Qlib's rule: `backtest`.

Qlib itself is preferred where it is installed, which Python 3.13 and newer do not allow; see
`training.adapters.qlib_support`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict

import pandas as pd

from training.errors import DataError, message
from training.portfolio.costs import split_costs
from training.portfolio.market import Market, closes
from training.portfolio.notes import few, missing, no_benchmark, stranded
from training.portfolio.records import Backtest
from training.portfolio.rules import Dealing, TopkRule
from training.portfolio.scores import check_scores, find_span, idle_note
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
    """Return what the simulator makes of a signal, and the quotes it dealt at.

    Parameters
    ----------
    universe
        Daily candles by instrument, those of the benchmark included: frames with a column timestamp at midnight.
    signal, benchmark, end, on_step
        As `topk.backtest` takes them.

    Raises
    ------
    DataError
        The signal or the candles cannot be used; names what is at fault.
    """
    scores, notes = check_scores(signal, benchmark)
    known = [name for name in scores.index.get_level_values("instrument").unique() if name in universe]
    if not known:
        raise DataError(message("{folder} has no candles of the signal's instruments.", folder=SOURCE))
    # The benchmark's days belong to the calendar, as they do in a Qlib folder.
    quoted = {name: universe[name] for name in {*known, *([benchmark] if benchmark in universe else [])}}
    everything = Market.of_candles(quoted, dealing)
    calendar = everything.days.insert(0, everything.before) if everything.before is not None else everything.days
    span = find_span(calendar, SOURCE, scores, end)
    market = everything.between(span.before, span.last).of(known)
    journal = Journal()
    ranks = scores[scores.index.isin(known, level="instrument")]
    simulation = simulate(market, of_signal(market, ranks), 1, rule, dealing, journal=journal, on_step=on_step)
    daily = simulation.daily()
    if benchmark in quoted:
        daily["bench"] = closes(quoted)[benchmark].pct_change(fill_method=None).reindex(daily.index).fillna(0.0)
    elif benchmark:
        notes.append(no_benchmark(benchmark))
    positions = _holdings(journal, market, daily["account"])
    notes += idle_note(span)
    unknown = [name for name in scores.index.get_level_values("instrument").unique() if name not in universe]
    notes += [*missing(unknown), *few(scores, known, rule), *stranded(market, positions)]
    notes.append(message("Simulated without Qlib, which needs Python 3.12 or older; the rule is the same."))
    settings = {
        "rule": asdict(rule),
        "dealing": asdict(dealing),
        "benchmark": benchmark,
        "days": [str(span.first), str(span.last)],
    }
    trades = split_costs(_orders(journal, market), market, dealing)
    return Backtest(daily, positions, trades, settings, notes=tuple(notes)), market


def _orders(journal: Journal, market: Market) -> pd.DataFrame:
    columns = ["day", "instrument", "side", "ordered", "amount", "price", "value", "cost"]
    rows = [
        (
            market.days[order.day],
            market.instruments[order.column],
            order.side,
            order.ordered,
            order.amount,
            order.price,
            order.value,
            order.cost,
        )
        for order in journal.orders
    ]
    return pd.DataFrame(rows, columns=columns)


def _holdings(journal: Journal, market: Market, account: pd.Series[float]) -> pd.DataFrame:
    rows = []
    for holding in journal.holdings:
        day = market.days[holding.day]
        weight = holding.amount * holding.price / account.iloc[holding.day]
        name = market.instruments[holding.column]
        rows.append((day, name, holding.amount, holding.price, weight, holding.days))
    frame = pd.DataFrame(rows, columns=["day", "instrument", "amount", "price", "weight", "days"])
    return frame.sort_values(["day", "instrument"], ignore_index=True)

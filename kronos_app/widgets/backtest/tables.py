"""Tables of a backtest: figures beside what it is compared with, a day's holdings and trades, costs, parameters."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import pandas as pd
import streamlit as st

from kronos_app import state
from kronos_app.runtime import desk
from kronos_app.services.backtest.service import BacktestView, Table
from kronos_app.state import gettext as _
from kronos_app.widgets.backtest import behind as backtest_behind
from kronos_app.widgets.backtest import words as backtest_words
from kronos_app.widgets.kit import errors, formats

WIDTH = 520  # pixels: two tables side by side where there is room
COSTS = ("commission", "slippage", "impact")


def figure_rows(*, benchmark: bool) -> list[tuple[str, str, Callable[[float | None], str]]]:
    """Return the figures that are shown: what readers call each, its key, and how it is written."""
    percent = partial(formats.percent, signed=True)
    rows: list[tuple[str, str, Callable[[float | None], str]]] = [
        (_("Return, after costs"), "total_return", percent),
        (_("Return, before costs"), "total_return_without_cost", percent),
        (_("Return a year, after costs"), "annual_return", percent),
        (_("Beyond the benchmark, after costs"), "excess_return", percent),
        (_("Beyond the benchmark, before costs"), "excess_return_without_cost", percent),
        (_("Deviation a year"), "annual_volatility", formats.percent),
        (_("Information ratio"), "information_ratio", formats.number),
        (_("Sharpe ratio"), "sharpe", formats.number),
        (_("Sortino ratio"), "sortino", formats.number),
        (_("Calmar ratio"), "calmar", formats.number),
        (_("Largest drawdown"), "max_drawdown", formats.percent),
        (_("Turnover a day"), "turnover", formats.percent),
        (_("Days that gained"), "hit_rate", formats.percent),
        (_("Holdings that gained"), "trip_hit_rate", formats.percent),
        (_("Exposure"), "exposure", formats.percent),
    ]
    return [row for row in rows if benchmark or not row[1].startswith(("excess", "information"))]


def draw_figures(seen: BacktestView, report: dict[str, Any]) -> None:
    """Draw one line a figure: the strategy, and what it is compared with."""
    figures, beside = report["figures"], report["beside"]
    names = backtest_words.others(seen)
    table = pd.DataFrame(
        [
            {
                "figure": label,
                "strategy": form(figures[key]),
                **{name: form(one.get(key)) for name, one in beside.items()},
            }
            for label, key, form in figure_rows(benchmark=report["has_benchmark"])
        ]
    )
    st.dataframe(
        table,
        hide_index=True,
        height="content",
        column_config={"figure": _("Figure"), "strategy": _("Strategy"), **{name: names[name] for name in beside}},
        alt=_("Figures of the strategy and of what it is compared with"),
        key=f"backtest.figures.{seen.id}",
    )
    if figures["drawdown_first"] is not None:
        first, lowest = (formats.time(pd.Timestamp(figures[f"drawdown_{name}"])) for name in ("first", "lowest"))
        last = figures["drawdown_last"]
        told = (
            _("The largest drawdown began on {first}, was deepest on {lowest} and is not over.")
            if last is None
            else _("The largest drawdown began on {first}, was deepest on {lowest} and ended on {last}.")
        )
        st.caption(told.format(first=first, lowest=lowest, last=last and formats.time(pd.Timestamp(last))))


def draw_days(seen: BacktestView) -> None:
    """Draw holdings and trades of one day, which the reader chooses."""
    with errors.shown():
        result = desk().backtests.result(seen.id)
        st.markdown("**" + _("Holdings and trades by day") + "**")
        days = list(reversed(result.daily.index))
        traded = set(result.trades["day"])
        day = st.selectbox(
            _("Day"),
            days,
            index=next((place for place, one in enumerate(days) if one in traded), 0),
            format_func=formats.time,
            key=f"{state.BACKTEST_DAY}.{seen.id}",
            width=260,
        )
        held = result.positions[result.positions["day"] == day]
        dealt = result.trades[result.trades["day"] == day]
        with st.container(horizontal=True, gap="medium"):
            with st.container(width=WIDTH):
                st.caption(_("Held at the end of the day"))
                _holdings(held, f"{seen.id}.{day}")
            with st.container(width=WIDTH):
                st.caption(_("Dealt on the day"))
                _trades(dealt, f"{seen.id}.{day}")
        backtest_behind.draw(seen, day, list(dict.fromkeys([*dealt["instrument"], *held["instrument"]])))


def draw_more(seen: BacktestView, report: dict[str, Any]) -> None:
    """Draw costs, drawdowns, holdings from purchase to sale, and parameters, folded away."""
    figures = report["figures"]
    with st.expander(_("Costs"), icon=":material/payments:"):
        labels = {"commission": _("Commission"), "slippage": _("Slippage"), "impact": _("Impact"), "cost": _("All")}
        with st.container(horizontal=True):
            for name in (*COSTS, "cost"):
                st.metric(labels[name], formats.number(figures[name], 0), width=170)
            st.metric(_("Of the money begun with"), formats.percent(figures["cost_share"]), width=220)
            st.metric(_("Orders dealt"), formats.number(figures["trades"], 0), width=140)
            st.metric(_("Orders not dealt"), formats.number(figures["failed"], 0), width=140)
    with st.expander(_("Drawdowns"), icon=":material/trending_down:"):
        _drawdowns(report["drawdowns"])
    with st.expander(_("Each holding from purchase to sale"), icon=":material/swap_vert:"):
        _trips(report["trips"])
    with st.expander(_("All settings"), icon=":material/tune:"):
        st.json(seen.request.model_dump(mode="json"), expanded=1)


def draw_downloads(seen: BacktestView) -> None:
    """Offer the tables as CSV and quantstats' page."""
    labels: Mapping[Table, str] = {
        "daily": _("Download days"),
        "trades": _("Download trades"),
        "positions": _("Download holdings"),
    }
    with st.container(horizontal=True):
        for table, label in labels.items():
            st.download_button(
                label,
                partial(desk().backtests.csv, seen.id, table),
                file_name=f"backtest-{seen.id}-{table}.csv",
                on_click="ignore",
                icon=":material/download:",
                key=f"backtest.{table}.{seen.id}",
            )
        with errors.shown():
            if len(desk().backtests.result(seen.id).daily) >= _fewest():
                st.download_button(
                    _("Download a full report"),
                    partial(desk().backtests.tearsheet, seen.id),
                    file_name=f"backtest-{seen.id}.html",
                    mime="text/html",
                    on_click="ignore",
                    icon=":material/description:",
                    key=f"backtest.page.{seen.id}",
                    help=_("A page of quantstats in English; drawing it takes some seconds."),
                )


def _fewest() -> int:
    from training.portfolio.tearsheet import FEWEST_DAYS

    return FEWEST_DAYS


def _holdings(rows: pd.DataFrame, key: str) -> None:
    if rows.empty:
        st.write(_("Nothing."))
        return
    st.dataframe(
        rows[["instrument", "amount", "price", "weight", "days"]].sort_values("weight", ascending=False),
        hide_index=True,
        height="content" if len(rows) <= 12 else 440,
        key=f"backtest.held.{key}",
        column_config={
            "instrument": _("Instrument"),
            "amount": st.column_config.NumberColumn(_("Quantity"), format="%.2f"),
            "price": st.column_config.NumberColumn(_("Price"), format="%.6g"),
            "weight": st.column_config.NumberColumn(_("Weight"), format="percent"),
            "days": _("Days held"),
        },
        alt=_("Held at the end of the day"),
    )


def _trades(rows: pd.DataFrame, key: str) -> None:
    if rows.empty:
        st.write(_("Nothing."))
        return
    sides = {"buy": _("buy"), "sell": _("sell")}
    st.dataframe(
        rows[["instrument", "side", "amount", "price", "value", "cost"]].assign(
            side=rows["side"].map(sides), value=rows["value"].round()
        ),
        hide_index=True,
        height="content" if len(rows) <= 12 else 440,
        key=f"backtest.dealt.{key}",
        column_config={
            "instrument": _("Instrument"),
            "side": _("Side"),
            "amount": st.column_config.NumberColumn(
                _("Quantity"), format="%.2f", help=_("0: the order could not be dealt.")
            ),
            "price": st.column_config.NumberColumn(_("Price"), format="%.6g"),
            "value": st.column_config.NumberColumn(_("Value"), format="localized"),
            "cost": st.column_config.NumberColumn(_("Cost"), format="%.2f"),
        },
        alt=_("Dealt on the day"),
    )


def _drawdowns(rows: list[dict[str, Any]]) -> None:
    if not rows:
        st.write(_("None."))
        return
    table = pd.DataFrame(rows)
    for name in ("first", "lowest", "last"):
        table[name] = pd.to_datetime(table[name])
    date = partial(st.column_config.DateColumn, format="YYYY-MM-DD")
    st.dataframe(
        table,
        hide_index=True,
        height="content",
        placeholder=formats.MISSING,
        column_config={
            "depth": st.column_config.NumberColumn(_("Depth"), format="percent"),
            "first": date(_("From")),
            "lowest": date(_("Deepest")),
            "last": date(_("To")),
            "days": _("Days"),
        },
        alt=_("The largest drawdowns"),
    )


def _trips(rows: list[dict[str, Any]]) -> None:
    if not rows:
        st.write(_("None."))
        return
    table = pd.DataFrame(rows).sort_values("opened", ascending=False)
    sides = {"long": _("long"), "short": _("short")}
    for name in ("opened", "closed"):
        table[name] = pd.to_datetime(table[name])
    date = partial(st.column_config.DateColumn, format="YYYY-MM-DD")
    st.dataframe(
        table.assign(side=table["side"].map(sides)),
        hide_index=True,
        height=360 if len(table) > 9 else "content",
        placeholder=formats.MISSING,
        column_config={
            "instrument": _("Instrument"),
            "opened": date(_("Opened")),
            "closed": date(_("Closed"), help=_("Empty: still held.")),
            "side": _("Side"),
            "earned": st.column_config.NumberColumn(_("Earned, after costs"), format="percent"),
        },
        alt=_("Each holding from purchase to sale"),
    )

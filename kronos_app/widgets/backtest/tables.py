"""Tables of a backtest: figures beside the benchmarks, holdings and trades of a day, costs, settings."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import pandas as pd
import streamlit as st

from kronos_app.runtime import desk
from kronos_app.services.backtest.service import Backtest, Table
from kronos_app.state import gettext as _
from kronos_app.widgets.backtest import behind, keys
from kronos_app.widgets.backtest.words import benchmark_names
from kronos_app.widgets.kit import errors, formats
from kronos_app.widgets.runs.parts import render_table

WIDTH = 520  # pixels: two tables side by side on a wide page
MOST_ROWS = 12  # of a table that does not scroll

Format = Callable[[float | None], str]


def figure_rows(*, benchmark: bool) -> list[tuple[str, str, Format]]:
    """Return the label, key and format of the figures that are shown."""
    signed = partial(formats.percent, signed=True)
    rows: list[tuple[str, str, Format]] = [
        (_("Return, after costs"), "total_return", signed),
        (_("Return, before costs"), "total_return_without_cost", signed),
        (_("Annualized return, after costs"), "annual_return", signed),
        (_("Excess return, after costs"), "excess_return", signed),
        (_("Excess return, before costs"), "excess_return_without_cost", signed),
        (_("Annualized volatility"), "annual_volatility", formats.percent),
        (_("Information ratio"), "information_ratio", formats.number),
        (_("Sharpe ratio"), "sharpe", formats.number),
        (_("Sortino ratio"), "sortino", formats.number),
        (_("Calmar ratio"), "calmar", formats.number),
        (_("Max drawdown"), "max_drawdown", formats.percent),
        (_("Turnover a day"), "turnover", formats.percent),
        (_("Win rate, days"), "hit_rate", formats.percent),
        (_("Win rate, trades"), "trip_hit_rate", formats.percent),
        (_("Exposure"), "exposure", formats.percent),
    ]
    return [row for row in rows if benchmark or not row[1].startswith(("excess", "information"))]


def render_figures(backtest: Backtest, report: dict[str, Any]) -> None:
    """Render a row for each figure: the strategy and its benchmarks."""
    figures, benchmarks = report["figures"], report["beside"]
    rows = [
        {"figure": label, "strategy": form(figures[key])}
        | {name: form(other.get(key)) for name, other in benchmarks.items()}
        for label, key, form in figure_rows(benchmark=report["has_benchmark"])
    ]
    names = benchmark_names(backtest)
    render_table(
        pd.DataFrame(rows),
        {"figure": _("Figure"), "strategy": _("Strategy"), **{name: names[name] for name in benchmarks}},
        _("Figures of the strategy and its benchmarks"),
        f"backtest.figures.{backtest.id}",
    )
    if figures["drawdown_first"] is not None:
        first, lowest, last = (figures[f"drawdown_{name}"] for name in ("first", "lowest", "last"))
        caption = (
            _("The max drawdown began on {first}, was deepest on {lowest} and has not recovered.")
            if last is None
            else _("The max drawdown began on {first}, was deepest on {lowest} and recovered on {last}.")
        )
        days = {"first": first, "lowest": lowest, "last": last}
        st.caption(caption.format(**{name: day and formats.time(pd.Timestamp(day)) for name, day in days.items()}))


def render_days(backtest: Backtest) -> None:
    """Render the holdings and trades of a chosen day."""
    with errors.render_errors():
        result = desk().backtests.result(backtest.id)
        st.markdown("**" + _("Holdings and trades by day") + "**")
        days = list(reversed(result.daily.index))
        traded = set(result.trades["day"])
        day = st.selectbox(
            _("Day"),
            days,
            index=next((place for place, other in enumerate(days) if other in traded), 0),
            format_func=formats.time,
            key=f"{keys.DAY}.{backtest.id}",
            width=260,
        )
        holdings = result.positions[result.positions["day"] == day]
        trades = result.trades[result.trades["day"] == day]
        with st.container(horizontal=True, gap="medium"):
            with st.container(width=WIDTH):
                st.caption(_("Holdings at the end of the day"))
                _render_holdings(holdings, f"backtest.held.{backtest.id}.{day}")
            with st.container(width=WIDTH):
                st.caption(_("Trades of the day"))
                _render_trades(trades, f"backtest.dealt.{backtest.id}.{day}")
        behind.render(backtest, day, list(dict.fromkeys([*trades["instrument"], *holdings["instrument"]])))


def render_more(backtest: Backtest, report: dict[str, Any]) -> None:
    """Render costs, drawdowns, round trips and settings, folded away."""
    figures = report["figures"]
    with st.expander(_("Costs"), icon=":material/payments:"), st.container(horizontal=True):
        labels = {"commission": _("Commission"), "slippage": _("Slippage"), "impact": _("Impact"), "cost": _("All")}
        for name, label in labels.items():
            st.metric(label, formats.number(figures[name], 0), width=170)
        st.metric(_("Share of the initial capital"), formats.percent(figures["cost_share"]), width=220)
        st.metric(_("Orders filled"), formats.number(figures["trades"], 0), width=140)
        st.metric(_("Orders not filled"), formats.number(figures["failed"], 0), width=140)
    with st.expander(_("Drawdowns"), icon=":material/trending_down:"):
        _render_drawdowns(report["drawdowns"])
    with st.expander(_("Round trips"), icon=":material/swap_vert:"):
        _render_trips(report["trips"])
    with st.expander(_("All settings"), icon=":material/tune:"):
        st.json(backtest.request.model_dump(mode="json"), expanded=1)


def render_downloads(backtest: Backtest) -> None:
    """Render the buttons that download the tables as CSV and the report of quantstats."""
    from training.portfolio.tearsheet import FEWEST_DAYS

    labels: Mapping[Table, str] = {
        "daily": _("Download days"),
        "trades": _("Download trades"),
        "positions": _("Download holdings"),
    }
    with st.container(horizontal=True):
        for table, label in labels.items():
            st.download_button(
                label,
                partial(desk().backtests.csv, backtest.id, table),
                file_name=f"backtest-{backtest.id}-{table}.csv",
                on_click="ignore",
                icon=":material/download:",
                key=f"backtest.{table}.{backtest.id}",
            )
        with errors.render_errors():
            if len(desk().backtests.result(backtest.id).daily) >= FEWEST_DAYS:
                st.download_button(
                    _("Download a full report"),
                    partial(desk().backtests.tearsheet, backtest.id),
                    file_name=f"backtest-{backtest.id}.html",
                    mime="text/html",
                    on_click="ignore",
                    icon=":material/description:",
                    key=f"backtest.page.{backtest.id}",
                    help=_("The report of quantstats in English; takes some seconds."),
                )


def _render_rows(
    rows: pd.DataFrame | list[dict[str, Any]], alt: str, columns: dict[str, Any], key: str | None = None
) -> None:
    """Render the given columns of a table, or that it is empty."""
    table = pd.DataFrame(rows)
    if table.empty:
        st.write(_("None."))
    else:
        render_table(table[list(columns)], columns, alt, key, most=MOST_ROWS)


def _render_holdings(rows: pd.DataFrame, key: str) -> None:
    columns = {
        "instrument": _("Instrument"),
        "amount": st.column_config.NumberColumn(_("Quantity"), format="%.2f"),
        "price": st.column_config.NumberColumn(_("Price"), format="%.6g"),
        "weight": st.column_config.NumberColumn(_("Weight"), format="percent"),
        "days": _("Days held"),
    }
    _render_rows(rows.sort_values("weight", ascending=False), _("Holdings at the end of the day"), columns, key)


def _render_trades(rows: pd.DataFrame, key: str) -> None:
    sides = {"buy": _("buy"), "sell": _("sell")}
    about = _("0: the order could not be filled.")
    columns = {
        "instrument": _("Instrument"),
        "side": _("Side"),
        "amount": st.column_config.NumberColumn(_("Quantity"), format="%.2f", help=about),
        "price": st.column_config.NumberColumn(_("Price"), format="%.6g"),
        "value": st.column_config.NumberColumn(_("Value"), format="localized"),
        "cost": st.column_config.NumberColumn(_("Cost"), format="%.2f"),
    }
    table = rows.assign(side=rows["side"].map(sides), value=rows["value"].round())
    _render_rows(table, _("Trades of the day"), columns, key)


def _render_drawdowns(rows: list[dict[str, Any]]) -> None:
    columns = {
        "depth": st.column_config.NumberColumn(_("Depth"), format="percent"),
        "first": _date_column(_("From")),
        "lowest": _date_column(_("Deepest")),
        "last": _date_column(_("To")),
        "days": _("Days"),
    }
    _render_rows(_with_dates(rows, "first", "lowest", "last"), _("Max drawdowns"), columns)


def _render_trips(rows: list[dict[str, Any]]) -> None:
    sides = {"long": _("long"), "short": _("short")}
    newest = sorted(rows, key=lambda row: row["opened"], reverse=True)
    named = [row | {"side": sides[row["side"]]} for row in newest]
    columns = {
        "instrument": _("Instrument"),
        "opened": _date_column(_("Opened")),
        "closed": _date_column(_("Closed"), help=_("Empty: still open.")),
        "side": _("Side"),
        "earned": st.column_config.NumberColumn(_("Return, after costs"), format="percent"),
    }
    _render_rows(_with_dates(named, "opened", "closed"), _("Round trips"), columns)


def _date_column(label: str, **options: Any) -> Any:
    return st.column_config.DateColumn(label, format="YYYY-MM-DD", **options)


def _with_dates(rows: list[dict[str, Any]], *columns: str) -> pd.DataFrame:
    table = pd.DataFrame(rows)
    return table.assign(**{name: pd.to_datetime(table[name]) for name in columns}) if rows else table

"""What models are worth: a plain verdict each, and a table of all forecasters coloured by skill."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd
import streamlit as st

from kronos_app import state
from kronos_app.charts.style import translucent
from kronos_app.data.export import safe_csv
from kronos_app.services.evaluation.service import EvaluationView
from kronos_app.state import gettext as _
from kronos_app.widgets.evaluation import words as evaluation_words
from kronos_app.widgets.kit import formats
from kronos_app.widgets.kit.errors import escape
from kronos_app.widgets.runs.score_columns import score_columns

GREEN, RED, GREY = "#2e9e5b", "#d64545", "#8593a3"
FIGURES = (
    *("crps", "crps_centred", "mae", "rank_ic", "direction"),
    *("coverage_50", "coverage_80", "coverage_90", "coverage_95"),
)


def draw_verdicts(seen: EvaluationView) -> None:
    """Say in plain words whether each model is worth anything; what makes that doubtful comes first, in red."""
    report = seen.report or {}
    for told in report["warnings"]:
        _warning(told)
    for model in report["models"]:
        sentence = escape(state.say(seen.verdicts[model]))
        worth = standing(report["forecasters"][model]["skill"])
        if worth > 0:
            st.success(sentence, icon=":material/trending_up:")
        elif worth < 0:
            st.error(sentence, icon=":material/trending_down:")
        else:
            st.info(sentence, icon=":material/trending_flat:")


def _warning(told: Mapping[str, Any]) -> None:
    from kronos_app.i18n import Text

    sentence = escape(state.say(Text.from_dict(told)))
    if "seen" in told["params"] or "cutoffs" in told["params"]:
        st.error(sentence, icon=":material/warning:")
    else:
        st.caption(":material/info: " + sentence)


def standing(skill: Mapping[str, Any]) -> int:
    """Return 1 for better than the best baseline beyond doubt, -1 for worse, 0 for neither."""
    low, high = skill["low"], skill["high"]
    if low is None or high is None:
        return 0
    return 1 if high < 1 else -1 if low > 1 else 0


def draw_table(report: Mapping[str, Any], key: str) -> None:
    """Draw one line a forecaster, the best first."""
    table = _table(report)
    colours = {1: GREEN, 0: GREY, -1: RED}
    worth = [standing(report["forecasters"][name]["skill"]) for name in table.index]
    shades = pd.Series([f"background-color: {translucent(colours[one], 0.22)}" for one in worth], table.index)
    styled = table.style.apply(lambda _column: shades, subset=["skill", "interval"])
    st.dataframe(
        styled,
        hide_index=True,
        height="content",
        placeholder=formats.MISSING,
        key=f"evaluate.scores.{key}",
        column_config=_columns(),
        alt=_("Scores of models and baselines"),
    )
    _draw_captions(report)


def _columns() -> dict[str, Any]:
    """Return how the columns of the table are headed, explained and written."""
    return {
        "name": st.column_config.TextColumn(_("Forecaster"), pinned=True, width=290),
        "skill": st.column_config.NumberColumn(
            _("CRPS ratio"),
            format="%.3f",
            help=_("To the best baseline: below 1 is better. Green is better beyond doubt, red worse, grey neither."),
        ),
        "interval": st.column_config.TextColumn(_("95 % interval")),
        "p": st.column_config.NumberColumn(
            _("p"), format="%.3f", help=_("Diebold–Mariano test of whether the two differ at all.")
        ),
        "crps_centred": st.column_config.NumberColumn(
            _("Without drift"),
            format="%.4f",
            help=_(
                "CRPS if the distribution were moved so that it expects no rise or fall. If this is less, the "
                "opinion of where the price goes cost more than it was worth."
            ),
        ),
        "direction": st.column_config.NumberColumn(_("Direction"), format="percent"),
        **score_columns((50, 80, 90, 95)),
    }


def _draw_captions(report: Mapping[str, Any]) -> None:
    """Say over what the table was averaged, and how much there was to gain."""
    told = _("{cutoffs} cutoffs of {series} series at {times} times, {first} to {last}. The best baseline is {best}.")
    best = evaluation_words.names([report["best_baseline"]])[report["best_baseline"]]
    counts = {name: formats.number(report[name], 0) for name in ("cutoffs", "series", "times")}
    ends = {name: formats.time(pd.Timestamp(report[name])) for name in ("first", "last")}
    st.caption(told.format(best=best, **counts, **ends))
    foreseen = report.get("volatility_foreseen", {}).get("value")
    if foreseen is not None:  # evaluations of an earlier version do not have it
        told = _(
            "A random walk whose volatility was foreseen would have {ratio} of the best baseline's CRPS: what lies "
            "between that and 1 is about what there was to gain by knowing how far prices go. More takes knowing "
            "where to."
        )
        st.caption(told.format(ratio=formats.number(foreseen, 3)))


def table_csv(report: Mapping[str, Any]) -> str:
    """Return the table as CSV, with the ends of the interval as numbers."""
    rows = [
        {"forecaster": name, **one["skill"], "p": one["diebold_mariano"]["p"]}
        | {figure: one["figures"][figure]["value"] for figure in one["figures"]}
        for name, one in report["forecasters"].items()
    ]
    return safe_csv(pd.DataFrame(rows).rename(columns={"value": "skill"}))


def _table(report: Mapping[str, Any]) -> pd.DataFrame:
    found = report["forecasters"]
    names = evaluation_words.names(found)
    order = sorted(found, key=lambda name: (found[name]["figures"]["crps"]["value"], name))
    return pd.DataFrame([_row(names[name], found[name]) for name in order], index=order)


def _row(name: str, one: Mapping[str, Any]) -> dict[str, Any]:
    skill = one["skill"]
    interval = None if skill["low"] is None else f"{skill['low']:.3f}–{skill['high']:.3f}"
    known = one["figures"]  # evaluations of an earlier version lack some
    figures = {figure: known[figure]["value"] if figure in known else None for figure in FIGURES}
    rounded = {
        figure: round(value, 3) if value is not None and figure.startswith(("coverage", "direction")) else value
        for figure, value in figures.items()
    }
    return {
        "name": name,
        "skill": skill["value"],
        "interval": interval,
        "p": one["diebold_mariano"]["p"],
        **rounded,
    }

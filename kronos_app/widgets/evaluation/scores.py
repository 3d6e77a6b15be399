"""The table of all forecasters, coloured by skill."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd
import streamlit as st

from kronos_app.charts.style import translucent
from kronos_app.data.export import safe_csv
from kronos_app.state import gettext as _
from kronos_app.widgets.evaluation.words import forecaster_names
from kronos_app.widgets.kit import formats
from kronos_app.widgets.runs.parts import render_table
from kronos_app.widgets.runs.score_columns import score_columns

COLOURS = {1: "#2e9e5b", 0: "#8593a3", -1: "#d64545"}  # green, grey, red
LEVELS = (50, 80, 90, 95)
NAME_WIDTH = 170  # pixels: on a phone two more columns fit beside it
FIGURES = ("crps", "crps_centred", "mae", "rank_ic", "direction", *(f"coverage_{level}" for level in LEVELS))
ROUNDED = ("coverage", "direction")


def grade(skill: Mapping[str, Any]) -> int:
    """Return 1 if significantly better than the best baseline, -1 if significantly worse, else 0."""
    low, high = skill["low"], skill["high"]
    if low is None or high is None:
        return 0
    return 1 if high < 1 else -1 if low > 1 else 0


def render(report: Mapping[str, Any], key: str) -> None:
    """Render a row for each forecaster, the best first."""
    scores = report["forecasters"]
    names = forecaster_names(scores)
    order = sorted(scores, key=lambda name: (scores[name]["figures"]["crps"]["value"], name))
    table = pd.DataFrame([_row(names[name], scores[name]) for name in order], index=order)
    colours = [translucent(COLOURS[grade(scores[name]["skill"])], 0.22) for name in order]
    shades = pd.Series([f"background-color: {colour}" for colour in colours], table.index)
    styled = table.style.apply(lambda _column: shades, subset=["skill", "interval"])
    render_table(styled, _columns(), _("Scores of models and baselines"), f"evaluate.scores.{key}")
    _render_captions(report)


def table_csv(report: Mapping[str, Any]) -> str:
    """Return the table as CSV, with the ends of the interval as numbers."""
    rows = [
        {"forecaster": name, **scores["skill"], "p": scores["diebold_mariano"]["p"]}
        | {figure: estimate["value"] for figure, estimate in scores["figures"].items()}
        for name, scores in report["forecasters"].items()
    ]
    return safe_csv(pd.DataFrame(rows).rename(columns={"value": "skill"}))


def _columns() -> dict[str, Any]:
    number = st.column_config.NumberColumn
    ratio = _("To the best baseline: below 1 is better. Green is significantly better, red significantly worse.")
    centred = _("CRPS of the forecast with its median fixed at the last close. If it is lower, the drift does harm.")
    return {
        "name": st.column_config.TextColumn(_("Forecaster"), pinned=True, width=NAME_WIDTH),
        "skill": number(_("CRPS ratio"), format="%.3f", help=ratio),
        "interval": st.column_config.TextColumn(_("95 % CI of the ratio")),
        "p": number(_("p"), format="%.3f", help=_("Diebold–Mariano test of equal accuracy.")),
        "crps_centred": number(_("Zero-drift CRPS"), format="%.4f", help=centred),
        "direction": number(_("Direction"), format="percent"),
        **score_columns(LEVELS),
    }


def _render_captions(report: Mapping[str, Any]) -> None:
    """Render what the table was averaged over, and how much there was to gain."""
    best = forecaster_names([report["best_baseline"]])[report["best_baseline"]]
    counts = {name: formats.number(report[name], 0) for name in ("cutoffs", "series", "times")}
    ends = {name: formats.time(pd.Timestamp(report[name])) for name in ("first", "last")}
    caption = _("{cutoffs} cutoffs of {series} series at {times} times, {first} to {last}. Best baseline: {best}.")
    st.caption(caption.format(best=best, **counts, **ends))
    foreseen = report.get("volatility_foreseen", {}).get("value")
    if foreseen is not None:  # earlier versions did not have it
        caption = _(
            "A random walk with the realized volatility of the future would have a CRPS ratio of {ratio}. A lower "
            "ratio than this takes skill in the direction of prices, too."
        )
        st.caption(caption.format(ratio=formats.number(foreseen, 3)))


def _row(name: str, scores: Mapping[str, Any]) -> dict[str, Any]:
    skill, estimates = scores["skill"], scores["figures"]
    row = {
        "name": name,
        "skill": skill["value"],
        "interval": None if skill["low"] is None else f"{skill['low']:.3f}–{skill['high']:.3f}",
        "p": scores["diebold_mariano"]["p"],
    }
    for figure in FIGURES:
        value = estimates.get(figure, {}).get("value")  # earlier versions lack some figures
        row[figure] = round(value, 3) if value is not None and figure.startswith(ROUNDED) else value
    return row

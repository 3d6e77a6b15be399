"""The verdict on a run, and its scores with those of its base model and the baselines."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd
import streamlit as st

from kronos_app import state
from kronos_app.i18n import Text
from kronos_app.state import gettext as _
from kronos_app.widgets.kit import formats
from kronos_app.widgets.kit.errors import escape
from kronos_app.widgets.models.names import own_name
from kronos_app.widgets.runs.parts import render_table
from kronos_app.widgets.runs.score_columns import score_columns

OWN = ("tuned", "base")  # these come first, baselines after them
DIGITS = {"coverage_50": 2, "coverage_80": 2, "coverage_90": 2}  # more than these are noise
PARTS = ("test", "validation")  # of a report, the strictest first


def render_verdict(report: Mapping[str, Any]) -> None:
    """Render the comparison with the base model: green if better, red if worse, else blue."""
    parts = [report[name] for name in PARTS if report.get(name)]
    if not parts:
        return
    verdict = _say(parts[0]["verdict"])
    against = parts[0].get("to_base") or {}
    if any(part["worse"] for part in parts):
        advice = _(
            "This model forecasts worse than its base model. Use the base model, or try again with a "
            "lower learning rate, fewer steps, more candles, or adapters (LoRA)."
        )
        worst = next(part for part in parts if part["worse"])
        st.error(f"{advice}\n\n{_say(worst['verdict'])}", icon=":material/trending_down:")
    elif against.get("high") is not None and against["high"] < 1:
        st.success(verdict, icon=":material/trending_up:")
    else:
        st.info(verdict, icon=":material/trending_flat:")


def _say(remark: Mapping[str, Any]) -> str:
    return escape(state.say(Text.from_dict(remark)))


def render_scores(scores: Mapping[str, Mapping[str, Any]], key: str) -> None:
    """Render a table with one row for each forecaster."""
    names = [*(name for name in OWN if name in scores), *(name for name in scores if name not in OWN)]
    table = pd.DataFrame([_row(name, scores[name]) for name in names])
    columns = {"name": st.column_config.TextColumn(_("Forecaster"), width="medium"), **score_columns((50, 80, 90))}
    render_table(table, columns, _("Scores of the run, its base and the baselines"), key)


def _row(name: str, scores: Mapping[str, Any]) -> dict[str, Any]:
    columns = ("crps", "coverage_50", "coverage_80", "coverage_90", "mae", "rank_ic")
    found = {column: scores.get(column) for column in columns}
    rounded = {name: value if value is None else round(value, DIGITS.get(name, 4)) for name, value in found.items()}
    return {"name": own_name(name), **rounded}


def render_parts(report: Mapping[str, Any], key: str) -> None:
    """Render the scores of the test set, or of validation; those of the other one are collapsed."""
    titles = {
        "test": _("Held-out test set"),
        "validation": _("Validation set"),
    }
    parts = [name for name in PARTS if report.get(name)]
    for part in parts[:1]:
        st.markdown(f"**{titles[part]}**")
        _part(report[part], f"{key}.{part}")
    for part in parts[1:]:
        with st.expander(titles[part], icon=":material/table:", key=f"{key}.more"):
            _part(report[part], f"{key}.{part}")


def _part(found: Mapping[str, Any], key: str) -> None:
    render_scores(found["forecasters"], key)
    st.caption(_counts(found))
    for sentence in (found["against_baselines"], *found["notes"]):
        st.caption(_say(sentence))


def _counts(part: Mapping[str, Any]) -> str:
    sentence = _("{cutoffs} cutoffs of {symbols} series at {times} times; {samples} paths each.")
    return sentence.format(
        **{name: formats.number(part[name], 0) for name in ("cutoffs", "symbols", "times", "samples")}
    )

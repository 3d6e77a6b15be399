"""The verdict on a run, and its scores with those of its base model and the baselines."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd
import streamlit as st

from kronos_app import state
from kronos_app.i18n import Text
from kronos_app.services.finetune.run import TuneRun
from kronos_app.state import gettext as _
from kronos_app.widgets.kit import formats
from kronos_app.widgets.kit.errors import escape
from kronos_app.widgets.models.names import own_name
from kronos_app.widgets.runs.parts import render_table
from kronos_app.widgets.runs.score_columns import score_columns

OWN = ("tuned", "base")  # these come first, baselines after them
DIGITS = {"coverage_50": 2, "coverage_80": 2, "coverage_90": 2}  # more than these are noise


def render_verdict(run: TuneRun) -> None:
    """Render the comparison of a finished run with its base model: green if better, red if worse, else blue."""
    if run.verdict is None:
        return
    verdict = escape(state.say(run.verdict))
    ratio = next(iter(run.judgements.values()))["to_base"] or {}
    high = ratio.get("high")
    if run.worse:
        advice = _(
            "This model forecasts worse than its base model. Use the base model, or try again with a "
            "lower learning rate, fewer steps, more candles, or adapters (LoRA)."
        )
        st.error(f"{advice}\n\n{verdict}", icon=":material/trending_down:")
    elif high is not None and high < 1:
        st.success(verdict, icon=":material/trending_up:")
    else:
        st.info(verdict, icon=":material/trending_flat:")


def render_scores(scores: Mapping[str, Mapping[str, Any]], key: str) -> None:
    """Render a table with one row for each forecaster."""
    names = [*(name for name in OWN if name in scores), *(name for name in scores if name not in OWN)]
    table = pd.DataFrame([_row(name, scores[name]) for name in names])
    columns = {"name": st.column_config.TextColumn(_("Forecaster"), width="medium"), **score_columns((50, 80, 90))}
    render_table(table, columns, _("Scores of the run, its base and the baselines"), key)


def _row(name: str, scores: Mapping[str, Any]) -> dict[str, Any]:
    columns = ("crps", "coverage_50", "coverage_80", "coverage_90", "mae", "rank_ic")
    values = {column: scores.get(column) for column in columns}
    rounded = {name: value if value is None else round(value, DIGITS.get(name, 4)) for name, value in values.items()}
    return {"name": own_name(name), **rounded}


def render_parts(run: TuneRun) -> None:
    """Render the scores of the test set, or of validation; those of the other one are collapsed."""
    titles = {
        "test": _("Held-out test set"),
        "validation": _("Validation set"),
    }
    for place, (split, judgement) in enumerate(run.judgements.items()):
        title, table_key = titles[split], f"finetune.scores.{run.id}.{split}"
        if place:
            with st.expander(title, icon=":material/table:", key=f"finetune.scores.{run.id}.more"):
                _render_judgement(judgement, table_key)
        else:
            st.markdown(f"**{title}**")
            _render_judgement(judgement, table_key)


def _render_judgement(judgement: Mapping[str, Any], key: str) -> None:
    render_scores(judgement["forecasters"], key)
    st.caption(_counts(judgement))
    for sentence in (judgement["against_baselines"], *judgement["notes"]):
        st.caption(escape(state.say(Text.from_dict(sentence))))


def _counts(judgement: Mapping[str, Any]) -> str:
    sentence = _("{cutoffs} cutoffs of {symbols} series at {times} times; {samples} paths each.")
    return sentence.format(
        **{name: formats.number(judgement[name], 0) for name in ("cutoffs", "symbols", "times", "samples")}
    )

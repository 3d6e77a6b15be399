"""What a model's forecasts of a data set were worth before, beside a new one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import streamlit as st

from kronos_app import nav, state
from kronos_app.i18n import Text
from kronos_app.runtime import desk
from kronos_app.services.forecast.view import ForecastView
from kronos_app.state import gettext as _
from kronos_app.widgets.kit import formats
from kronos_app.widgets.kit.errors import escape


def draw(view: ForecastView) -> None:
    """Draw the verdict of the model's newest evaluation on the data set, else its record elsewhere where it has one."""
    model = str(view.stored.provenance["model"])
    found = desk().evaluations.record(model, view.stored.candles_id)
    if found is None:
        other = desk().records.find(view)
        if other is not None:
            st.caption(":material/query_stats: " + escape(state.say(other)))
        return
    sentences = [state.say(one) for one in (found.verdicts[model], *found.warnings)]
    if view.driftless and found.report is not None:
        sentences.insert(1, _without_drift(found.report, model))
    with st.container(horizontal=True, vertical_alignment="center"):
        told = " ".join(filter(None, sentences))
        st.caption(":material/query_stats: " + escape(told), width="content")
        nav.link("evaluate", _("See the evaluation"), evaluation=found.id)


def _without_drift(report: Mapping[str, Any], model: str) -> str:
    """Return what an evaluation, of forecasts with their drift, says of those without; those of before say nothing."""
    from training.evaluation.verdicts import label

    scores, best = report["forecasters"], report["best_baseline"]
    centred = scores[model]["figures"].get("crps_centred", {}).get("value")
    if centred is None:
        return ""
    told = _("That was with its drift; without it its CRPS would have been {ratio} of that of {baseline}.")
    ratio = centred / scores[best]["figures"]["crps"]["value"]
    return told.format(ratio=formats.number(ratio, 3), baseline=state.say(Text.from_dict(label(best).to_dict())))

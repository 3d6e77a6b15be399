"""The record of a model on a data set, shown beside a new forecast."""

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


def render_record(view: ForecastView) -> None:
    """Render the verdict of the model's newest evaluation on the data set, else its record in the ledger."""
    model = str(view.stored.provenance["model"])
    evaluation = desk().evaluations.record(model, view.stored.candles_id)
    if evaluation is None:
        record = desk().records.find(view)
        if record is not None:
            st.caption(":material/query_stats: " + escape(state.say(record)))
        return
    quoted = (evaluation.verdicts[model], evaluation.describe_setup(model), *evaluation.warnings)
    sentences = [state.say(message) for message in quoted]
    if view.driftless and not evaluation.setups[model].driftless and evaluation.report is not None:
        sentences.insert(2, _zero_drift_sentence(evaluation.report, model))
    with st.container(horizontal=True, vertical_alignment="center"):
        st.caption(":material/query_stats: " + escape(" ".join(filter(None, sentences))), width="content")
        nav.link("evaluate", _("See the evaluation"), evaluation=evaluation.id)


def _zero_drift_sentence(report: Mapping[str, Any], model: str) -> str:
    """Return the CRPS ratio of zero-drift forecasts, empty for evaluations of earlier versions."""
    from training.evaluation.verdicts import label

    scores, best = report["forecasters"], report["best_baseline"]
    centred = scores[model]["figures"].get("crps_centred", {}).get("value")
    if centred is None:
        return ""
    ratio = centred / scores[best]["figures"]["crps"]["value"]
    baseline = state.say(Text.from_dict(label(best).to_dict()))
    return _("Zero-drift forecast: CRPS {ratio} × {baseline}.").format(
        ratio=formats.number(ratio, 3), baseline=baseline
    )

"""Columns of scores: their labels, explanations and formats."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import streamlit as st

from kronos_app.state import gettext as _


def score_columns(levels: Sequence[int]) -> dict[str, Any]:
    """Return the settings of the columns `crps`, `mae`, `rank_ic`, and `coverage_LEVEL` of each of the `levels`."""
    number = st.column_config.NumberColumn
    crps = _(
        "Distance between forecast distribution and actual values, in units of the history's standard deviation; lower "
        "is better."
    )
    mae = _("Mean absolute error of the median; lower is better.")
    rank_ic = _("Rank correlation of forecast and actual returns, from −1 to 1; 0 is chance.")
    coverage = _("Observed share of closes inside the band; ideal is the nominal level.")
    return {
        "crps": number(_("CRPS"), format="%.4f", help=crps),
        "mae": number(_("MAE"), format="%.4f", help=mae),
        "rank_ic": number(_("Rank IC"), format="%.3f", help=rank_ic),
        **{
            f"coverage_{level}": number(_("Coverage {level} %").format(level=level), format="percent", help=coverage)
            for level in levels
        },
    }

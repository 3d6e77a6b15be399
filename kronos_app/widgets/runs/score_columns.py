"""How columns of scores are headed, explained and written, wherever a table has them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import streamlit as st

from kronos_app.state import gettext as _


def score_columns(levels: Sequence[int]) -> dict[str, Any]:
    """Return the settings of the columns `crps`, `mae`, `rank_ic`, and `coverage_LEVEL` of each of the `levels`."""
    return {
        "crps": st.column_config.NumberColumn(
            _("CRPS"),
            format="%.4f",
            help=_(
                "Distance between forecast distribution and actual values, in units of the history's "
                "standard deviation; lower is better."
            ),
        ),
        "mae": st.column_config.NumberColumn(
            _("MAE"), format="%.4f", help=_("Mean absolute error of the median; less is better.")
        ),
        "rank_ic": st.column_config.NumberColumn(
            _("Rank IC"),
            format="%.3f",
            help=_("Rank correlation of forecast and actual returns, from −1 to 1; 0 is chance."),
        ),
        **{
            f"coverage_{level}": st.column_config.NumberColumn(
                _("Coverage {level} %").format(level=level),
                format="percent",
                help=_("Share of closes inside the band; should be near the band's own level."),
            )
            for level in levels
        },
    }

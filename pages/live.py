"""Live: series that are followed from candle to candle, and what all forecasts were worth."""

from __future__ import annotations

import streamlit as st

from kronos_app.runtime import desk
from kronos_app.state import gettext as _
from kronos_app.widgets.kit.errors import shown
from kronos_app.widgets.ledger import record as live_ledger
from kronos_app.widgets.live import follows as live_follows
from kronos_app.widgets.live import form as live_form


def draw() -> None:
    st.title(_("Live"))
    st.markdown(
        _(
            "Follow a series, and it is forecast anew whenever a candle has ended. The work goes on with this page "
            "closed, as long as the desk runs; what is missed while it does not is not made up for."
        )
    )
    with shown():
        live_follows.draw()
    with st.expander(_("Follow a series"), icon=":material/add:", expanded=not desk().following.list()), shown():
        live_form.draw()
    with shown():
        live_ledger.draw()


draw()

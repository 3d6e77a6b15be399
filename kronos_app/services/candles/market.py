"""The market of candles, as models name it: they know up to when they have seen each market."""

from __future__ import annotations

import re

from kronos_app.data.calendars import ALWAYS, CURRENCIES
from kronos_app.data.candle_frame import CandleFrame

MARKETS = {
    "XNYS": "us_equity",
    "XNAS": "us_equity",
    "XSHG": "cn_equity",
    "XSHE": "cn_equity",
    ALWAYS: "crypto",
    CURRENCIES: "fx",
}
UNKNOWN_MARKET = "other"


def market_of(candles: CandleFrame) -> str:
    """Return the market of candles by their calendar."""
    calendar = candles.about.calendar
    if not calendar:
        return UNKNOWN_MARKET
    return MARKETS.get(calendar) or re.sub(r"[^a-z0-9]+", "_", calendar.lower()).strip("_") or UNKNOWN_MARKET

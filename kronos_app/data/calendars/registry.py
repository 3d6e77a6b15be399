"""The calendars there are."""

from __future__ import annotations

from collections.abc import Mapping

from kronos_app.data.calendars.timetable import AlwaysCalendar, Calendar, CurrencyCalendar, ExchangeCalendar
from kronos_app.errors import InvalidInput
from kronos_app.i18n import text

ALWAYS, CURRENCIES = "24/7", "24/5"
LEARNED = "learned"  # said instead of a key where the candles themselves shall tell

_MOURNING = ("1994-04-27", "2004-06-11", "2007-01-02", "2018-12-05", "2025-01-09")  # for presidents
_ATTACKS = ("2001-09-11", "2001-09-12", "2001-09-13", "2001-09-14")
_STORM = ("2012-10-29", "2012-10-30")
# Attacks, storms, earthquakes, an epidemic and days of mourning: in the timetable today, unknown the week before.
UNFORESEEN: Mapping[str, tuple[str, ...]] = {
    "XNYS": ("1985-09-27", *_MOURNING, *_ATTACKS, *_STORM),
    "CMES": _MOURNING,
    "XCBF": (*_MOURNING, *_STORM),
    "IEPA": (*_MOURNING, *_STORM[:1]),
    "XTSE": ("2001-09-11", "2001-09-12"),
    "XLON": ("2022-09-19",),
    "XASX": ("2022-09-22",),
    "XNZE": ("2022-09-26",),
    "XIST": ("2023-02-08", "2023-02-09", "2023-02-10", "2023-02-13", "2023-02-14"),
    "XSHG": ("2020-01-31",),
    "XTAI": (
        "2005-07-18", "2005-08-05", "2007-09-18", "2008-07-28", "2008-09-29", "2009-08-07", "2012-08-02", "2013-08-21",
        "2014-07-23", "2015-07-10", "2015-09-29", "2016-07-08", "2016-09-27", "2016-09-28", "2019-08-09", "2019-09-30",
        "2023-08-03", "2024-07-24", "2024-07-25", "2024-10-02", "2024-10-03",
    ),
}  # fmt: skip

_TITLES = {
    "XNYS": text("New York Stock Exchange"),
    "XNAS": text("NASDAQ"),
    "XTSE": text("Toronto"),
    "XMEX": text("Mexico City"),
    "BVMF": text("São Paulo"),
    "XBUE": text("Buenos Aires"),
    "XSGO": text("Santiago"),
    "CMES": text("CME Group futures, Chicago"),
    "XCBF": text("Cboe futures, Chicago"),
    "IEPA": text("ICE futures, New York"),
    "XSHG": text("Shanghai"),
    "XSHE": text("Shenzhen"),
    "XHKG": text("Hong Kong"),
    "XTAI": text("Taipei"),
    "XTKS": text("Tokyo"),
    "XKRX": text("Seoul"),
    "XBOM": text("Mumbai"),
    "XSES": text("Singapore"),
    "XBKK": text("Bangkok"),
    "XIDX": text("Jakarta"),
    "XKLS": text("Kuala Lumpur"),
    "XPHS": text("Manila"),
    "XASX": text("Sydney"),
    "XNZE": text("Wellington"),
    "XLON": text("London"),
    "XDUB": text("Dublin"),
    "XETR": text("Frankfurt, Xetra"),
    "XFRA": text("Frankfurt, floor"),
    "XEUR": text("Eurex futures"),
    "XPAR": text("Paris"),
    "XAMS": text("Amsterdam"),
    "XBRU": text("Brussels"),
    "XLIS": text("Lisbon"),
    "XMIL": text("Milan"),
    "XMAD": text("Madrid"),
    "XSWX": text("Zurich"),
    "XWBO": text("Vienna"),
    "XSTO": text("Stockholm"),
    "XOSL": text("Oslo"),
    "XCSE": text("Copenhagen"),
    "XHEL": text("Helsinki"),
    "XICE": text("Reykjavík"),
    "XWAR": text("Warsaw"),
    "XPRA": text("Prague"),
    "XBUD": text("Budapest"),
    "XIST": text("Istanbul"),
    "XSAU": text("Riyadh"),
    "XJSE": text("Johannesburg"),
    "XMOS": text("Moscow"),
}
_SAME_DAYS = {"XNAS": "XNYS", "XSHE": "XSHG"}  # exchanges that keep another's timetable


def _all() -> dict[str, Calendar]:
    calendars: dict[str, Calendar] = {
        ALWAYS: AlwaysCalendar(ALWAYS, text("Round the clock, every day")),
        CURRENCIES: CurrencyCalendar(CURRENCIES, text("Currencies, Sunday to Friday by New York")),
    }
    for key, title in _TITLES.items():
        code = _SAME_DAYS.get(key, key)
        calendars[key] = ExchangeCalendar(key, title, code, UNFORESEEN.get(code, ()))
    return calendars


CALENDARS: Mapping[str, Calendar] = _all()


def get(key: str | None) -> Calendar | None:
    """Return a calendar; None for none and for `learned`.

    Raises
    ------
    InvalidInput
        There is no calendar of this key.
    """
    if key is None or key == LEARNED:
        return None
    if key not in CALENDARS:
        raise InvalidInput(
            "unknown_calendar",
            text("There is no calendar “{key}”.", key=key[:20]),
            text("Use learned, or one of {keys}.", keys=", ".join(CALENDARS)),
        )
    return CALENDARS[key]

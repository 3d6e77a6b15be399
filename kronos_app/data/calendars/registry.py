"""All calendars, by key."""

from __future__ import annotations

from collections.abc import Mapping

from kronos_app.data.calendars.timetable import AlwaysCalendar, Calendar, CurrencyCalendar, ExchangeCalendar
from kronos_app.errors import InvalidInput
from kronos_app.i18n import text

ALWAYS, CURRENCIES = "24/7", "24/5"
LEARNED = "learned"  # instead of a key: use the pattern of the series

_MOURNING = ("1994-04-27", "2004-06-11", "2007-01-02", "2018-12-05", "2025-01-09")  # of presidents
_ATTACKS = ("2001-09-11", "2001-09-12", "2001-09-13", "2001-09-14")
_STORM = ("2012-10-29", "2012-10-30")
# Closures that the timetable contains today and nobody knew the week before.
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

_EXCHANGES = {
    "XNYS": (text("New York Stock Exchange"), "America/New_York"),
    "XNAS": (text("NASDAQ"), "America/New_York"),
    "XTSE": (text("Toronto"), "America/Toronto"),
    "XMEX": (text("Mexico City"), "America/Mexico_City"),
    "BVMF": (text("São Paulo"), "America/Sao_Paulo"),
    "XBUE": (text("Buenos Aires"), "America/Argentina/Buenos_Aires"),
    "XSGO": (text("Santiago"), "America/Santiago"),
    "CMES": (text("CME Group futures, Chicago"), "America/Chicago"),
    "XCBF": (text("Cboe futures, Chicago"), "America/Chicago"),
    "IEPA": (text("ICE futures, New York"), "America/New_York"),
    "XSHG": (text("Shanghai"), "Asia/Shanghai"),
    "XSHE": (text("Shenzhen"), "Asia/Shanghai"),
    "XHKG": (text("Hong Kong"), "Asia/Hong_Kong"),
    "XTAI": (text("Taipei"), "Asia/Taipei"),
    "XTKS": (text("Tokyo"), "Asia/Tokyo"),
    "XKRX": (text("Seoul"), "Asia/Seoul"),
    "XBOM": (text("Mumbai"), "Asia/Kolkata"),
    "XSES": (text("Singapore"), "Asia/Singapore"),
    "XBKK": (text("Bangkok"), "Asia/Bangkok"),
    "XIDX": (text("Jakarta"), "Asia/Jakarta"),
    "XKLS": (text("Kuala Lumpur"), "Asia/Kuala_Lumpur"),
    "XPHS": (text("Manila"), "Asia/Manila"),
    "XASX": (text("Sydney"), "Australia/Sydney"),
    "XNZE": (text("Wellington"), "Pacific/Auckland"),
    "XLON": (text("London"), "Europe/London"),
    "XDUB": (text("Dublin"), "Europe/Dublin"),
    "XETR": (text("Frankfurt, Xetra"), "Europe/Berlin"),
    "XFRA": (text("Frankfurt, floor"), "Europe/Berlin"),
    "XEUR": (text("Eurex futures"), "Europe/Berlin"),
    "XPAR": (text("Paris"), "Europe/Paris"),
    "XAMS": (text("Amsterdam"), "Europe/Amsterdam"),
    "XBRU": (text("Brussels"), "Europe/Brussels"),
    "XLIS": (text("Lisbon"), "Europe/Lisbon"),
    "XMIL": (text("Milan"), "Europe/Rome"),
    "XMAD": (text("Madrid"), "Europe/Madrid"),
    "XSWX": (text("Zurich"), "Europe/Zurich"),
    "XWBO": (text("Vienna"), "Europe/Vienna"),
    "XSTO": (text("Stockholm"), "Europe/Stockholm"),
    "XOSL": (text("Oslo"), "Europe/Oslo"),
    "XCSE": (text("Copenhagen"), "Europe/Copenhagen"),
    "XHEL": (text("Helsinki"), "Europe/Helsinki"),
    "XICE": (text("Reykjavík"), "Atlantic/Reykjavik"),
    "XWAR": (text("Warsaw"), "Europe/Warsaw"),
    "XPRA": (text("Prague"), "Europe/Prague"),
    "XBUD": (text("Budapest"), "Europe/Budapest"),
    "XIST": (text("Istanbul"), "Europe/Istanbul"),
    "XSAU": (text("Riyadh"), "Asia/Riyadh"),
    "XJSE": (text("Johannesburg"), "Africa/Johannesburg"),
    "XMOS": (text("Moscow"), "Europe/Moscow"),
}
_TIMETABLES = {"XNAS": "XNYS", "XSHE": "XSHG"}  # exchanges that use another's timetable

CALENDARS: Mapping[str, Calendar] = {
    ALWAYS: AlwaysCalendar(ALWAYS, text("Round the clock, every day"), "UTC"),
    CURRENCIES: CurrencyCalendar(CURRENCIES, text("Currencies, Sunday to Friday by New York"), "America/New_York"),
    **{
        key: ExchangeCalendar(key, title, zone, code := _TIMETABLES.get(key, key), UNFORESEEN.get(code, ()))
        for key, (title, zone) in _EXCHANGES.items()
    },
}


def get(key: str | None) -> Calendar | None:
    """Return a calendar, None for no key and for `learned`; raise `InvalidInput` for an unknown key."""
    if key is None or key == LEARNED:
        return None
    if key not in CALENDARS:
        raise InvalidInput(
            "unknown_calendar",
            text("There is no calendar “{key}”.", key=key[:20]),
            text("Use learned, or one of {keys}.", keys=", ".join(CALENDARS)),
        )
    return CALENDARS[key]

"""Which calendar an instrument has, by how its source writes it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace

from kronos_app.data.calendars.registry import ALWAYS, CURRENCIES, get
from kronos_app.data.draft import Draft

SUFFIXES: Mapping[str, str] = {
    "SS": "XSHG", "SH": "XSHG", "XSHG": "XSHG", "SZ": "XSHE", "XSHE": "XSHE", "HK": "XHKG", "TW": "XTAI",
    "TWO": "XTAI", "T": "XTKS", "KS": "XKRX", "KQ": "XKRX", "NS": "XBOM", "BO": "XBOM", "SI": "XSES", "BK": "XBKK",
    "JK": "XIDX", "KL": "XKLS", "PS": "XPHS", "AX": "XASX", "NZ": "XNZE", "L": "XLON", "IL": "XLON", "IR": "XDUB",
    "DE": "XETR", "F": "XFRA", "PA": "XPAR", "AS": "XAMS", "BR": "XBRU", "LS": "XLIS", "MI": "XMIL", "MC": "XMAD",
    "SW": "XSWX", "VI": "XWBO", "ST": "XSTO", "OL": "XOSL", "CO": "XCSE", "HE": "XHEL", "IC": "XICE", "WA": "XWAR",
    "PR": "XPRA", "BD": "XBUD", "IS": "XIST", "SR": "XSAU", "JO": "XJSE", "ME": "XMOS",
    "TO": "XTSE", "V": "XTSE", "MX": "XMEX", "SA": "BVMF", "BA": "XBUE", "SN": "XSGO",
}  # fmt: skip
# Where Yahoo writes shares and indices without a suffix, the zone it states tells the exchange.
ZONES: Mapping[str, str] = {
    "America/New_York": "XNYS", "America/Toronto": "XTSE", "America/Sao_Paulo": "BVMF", "America/Mexico_City": "XMEX",
    "Europe/London": "XLON", "Europe/Berlin": "XETR", "Europe/Paris": "XPAR", "Europe/Amsterdam": "XAMS",
    "Europe/Brussels": "XBRU", "Europe/Madrid": "XMAD", "Europe/Rome": "XMIL", "Europe/Zurich": "XSWX",
    "Europe/Vienna": "XWBO", "Europe/Stockholm": "XSTO", "Europe/Oslo": "XOSL", "Europe/Copenhagen": "XCSE",
    "Europe/Helsinki": "XHEL", "Europe/Istanbul": "XIST", "Asia/Shanghai": "XSHG", "Asia/Hong_Kong": "XHKG",
    "Asia/Taipei": "XTAI", "Asia/Tokyo": "XTKS", "Asia/Seoul": "XKRX", "Asia/Kolkata": "XBOM",
    "Asia/Singapore": "XSES", "Australia/Sydney": "XASX", "Pacific/Auckland": "XNZE",
}  # fmt: skip
_MONEY = "USD|EUR|GBP|JPY|CHF|AUD|NZD|CAD|CNY|CNH|HKD|SGD|KRW|INR|SEK|NOK|DKK|PLN|CZK|HUF|TRY|ZAR|MXN|BRL|THB|TWD"
_CURRENCIES = re.compile(rf"({_MONEY}|XAU|XAG)[/_-]?({_MONEY})")
_COINS = re.compile(rf"[A-Z0-9]{{2,12}}([/_-]?(USDT|USDC|BUSD|FDUSD|TUSD|DAI)|[/_-]BTC|[/-]({_MONEY}))(:[A-Z]+)?")
_COIN_FIRST = re.compile(rf"(BTC|ETH|XBT|SOL|XRP|DOGE|LTC|ADA|BNB)[/_-]?({_MONEY})")
_CHINESE = re.compile(r"(?:(SH|SZ)[._]?)?([0-9]{6})")
_CHINESE_ZONES = {None, "Asia/Shanghai", "UTC+08:00"}


def guess(source: str, symbol: str | None, timezone: str | None = None) -> str | None:
    """Return the key of the calendar that an instrument most likely has, None where its candles had better tell.

    Parameters
    ----------
    source
        Key of the source, or of its family; `yahoo` alone has rules of its own.
    symbol
        As the source writes it.
    timezone
        As the source states it.
    """
    name = (symbol or "").strip().upper()
    if not name:
        return None
    if source == "yahoo":
        return _yahoo(name, timezone)
    if _CURRENCIES.fullmatch(name):
        return CURRENCIES
    if _COINS.fullmatch(name) or _COIN_FIRST.fullmatch(name):
        return ALWAYS
    chinese = _CHINESE.fullmatch(name)
    if chinese is not None and timezone in _CHINESE_ZONES:
        prefix, number = chinese.groups()
        return "XSHG" if prefix == "SH" or (prefix is None and number[0] in "569") else "XSHE"
    return _by_suffix(name)


def with_calendar(draft: Draft, said: str | None = None) -> Draft:
    """Return the draft with the calendar that was said, else with its own, else with the one guessed from its names.

    Parameters
    ----------
    said
        Key of a calendar, or `learned` for none.

    Raises
    ------
    InvalidInput
        There is no such calendar.
    """
    if said is None:
        about = draft.about
        key = about.calendar or guess(draft.source, about.symbol or _stem(draft.name), draft.timezone)
    else:
        found = get(said)
        key = None if found is None else found.key
    return draft if key == draft.about.calendar else replace(draft, about=replace(draft.about, calendar=key))


def _stem(filename: str) -> str:
    """Return what a file is called: `600519.SS.csv` and `BTCUSDT_1h.csv.gz` without endings and what follows."""
    stem = re.sub(r"(\.(csv|txt|gz|feather|arrow|parquet|pq))+$", "", filename.strip(), flags=re.IGNORECASE)
    return re.split(r"[_\s]", stem, maxsplit=1)[0]


def _yahoo(name: str, timezone: str | None) -> str | None:
    if name.endswith("=X"):
        return CURRENCIES
    if name.endswith("=F"):
        return "CMES"
    if re.fullmatch(rf"[A-Z0-9]{{2,15}}-({_MONEY})", name):
        return ALWAYS
    return _by_suffix(name) or (ZONES.get(timezone or "") if "." not in name else None)


def _by_suffix(name: str) -> str | None:
    head, dot, suffix = name.rpartition(".")
    if dot and re.fullmatch(r"(SH|SZ)", head) and re.fullmatch(r"[0-9]{6}", suffix):
        return SUFFIXES[head]
    return SUFFIXES.get(suffix) if dot and head else None

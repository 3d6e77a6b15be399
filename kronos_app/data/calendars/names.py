"""Calendars that a symbol or a file name suggests, before the candles are compared."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping

from kronos_app.data.calendars.registry import ALWAYS, CURRENCIES

SUFFIXES: Mapping[str, str] = {
    "SS": "XSHG", "SH": "XSHG", "XSHG": "XSHG", "SZ": "XSHE", "XSHE": "XSHE", "HK": "XHKG", "TW": "XTAI",
    "TWO": "XTAI", "T": "XTKS", "KS": "XKRX", "KQ": "XKRX", "NS": "XBOM", "BO": "XBOM", "SI": "XSES", "BK": "XBKK",
    "JK": "XIDX", "KL": "XKLS", "PS": "XPHS", "AX": "XASX", "NZ": "XNZE", "L": "XLON", "IL": "XLON", "IR": "XDUB",
    "DE": "XETR", "F": "XFRA", "PA": "XPAR", "AS": "XAMS", "BR": "XBRU", "LS": "XLIS", "MI": "XMIL", "MC": "XMAD",
    "SW": "XSWX", "VI": "XWBO", "ST": "XSTO", "OL": "XOSL", "CO": "XCSE", "HE": "XHEL", "IC": "XICE", "WA": "XWAR",
    "PR": "XPRA", "BD": "XBUD", "IS": "XIST", "SR": "XSAU", "JO": "XJSE", "ME": "XMOS",
    "US": "XNYS", "N": "XNYS", "O": "XNAS", "OQ": "XNAS",
    "TO": "XTSE", "V": "XTSE", "MX": "XMEX", "SA": "BVMF", "BA": "XBUE", "SN": "XSGO",
}  # fmt: skip
# Prefixes that vendors and terminals put before a symbol: `SH#600519`, `NASDAQ_AAPL, 60`, `HK.00700`.
PREFIXES: Mapping[str, str] = {
    "SH": "XSHG", "SSE": "XSHG", "SHSE": "XSHG", "XSHG": "XSHG", "SZ": "XSHE", "SZSE": "XSHE", "XSHE": "XSHE",
    "BJ": "XSHG", "HK": "XHKG", "HKEX": "XHKG", "TWSE": "XTAI", "TPEX": "XTAI", "TSE": "XTKS", "KRX": "XKRX",
    "KOSPI": "XKRX", "KOSDAQ": "XKRX", "NSE": "XBOM", "BSE": "XBOM", "SGX": "XSES", "IDX": "XIDX", "MYX": "XKLS",
    "ASX": "XASX", "NZX": "XNZE", "LSE": "XLON", "XETR": "XETR", "FWB": "XFRA", "SIX": "XSWX", "BIST": "XIST",
    "TADAWUL": "XSAU", "MOEX": "XMOS", "TSX": "XTSE", "TSXV": "XTSE", "BMV": "XMEX", "BMFBOVESPA": "BVMF",
    "US": "XNYS", "NYSE": "XNYS", "AMEX": "XNYS", "NASDAQ": "XNAS", "CME": "CMES", "CBOT": "CMES", "NYMEX": "CMES",
    "COMEX": "CMES",
}  # fmt: skip
MONEY = "USD|EUR|GBP|JPY|CHF|AUD|NZD|CAD|CNY|CNH|HKD|SGD|KRW|INR|SEK|NOK|DKK|PLN|CZK|HUF|TRY|ZAR|MXN|BRL|THB|TWD"
_STABLE = "USDT|USDC|BUSD|FDUSD|TUSD|DAI"
_KNOWN_COINS = (
    "BTC|XBT|ETH|SOL|XRP|DOGE|LTC|ADA|BNB|DOT|LINK|BCH|AVAX|TRX|XLM|XMR|ETC|EOS|DASH|ZEC|ATOM|UNI|MATIC|NEO|XTZ"
)
_CURRENCIES = re.compile(rf"({MONEY}|XAU|XAG)[/_-]?({MONEY})")
_COINS = re.compile(rf"[A-Z0-9]{{2,12}}([/_-]?({_STABLE}|BTC)|[/-]({MONEY}))(:[A-Z]+)?(\.P)?")
_COIN_FIRST = re.compile(rf"({_KNOWN_COINS})[/_-]?({MONEY}|BTC|ETH)(\.P|PERP)?")
_QUOTE = re.compile(rf"{_STABLE}|{MONEY}|BTC|ETH")
_SHORT_PERIOD = re.compile(r"(.*[A-Z])(1|5|15|30|60|240|1440|10080|M1|M5|M15|M30|H1|H4|D1)")  # EURUSD60 of MetaTrader
_PREFIXED = re.compile(r"(SH|SZ|BJ|HK)[._]?([0-9]{5,6})")
_ENDINGS = re.compile(r"(\.(csv|tsv|txt|json|xlsx?|gz|zip|feather|arrow|parquet|pq))+$", re.IGNORECASE)
# A code without a prefix may be of several exchanges; the candles decide which.
_SHANGHAI_ALONE = re.compile(r"60[0135][0-9]{3}|68[89][0-9]{3}")
_MUMBAI = re.compile(r"5[0-4][0-9]{4}|590[0-9]{3}")


def of_symbol(symbol: str) -> tuple[str, ...]:
    """Return the keys of the calendars that a symbol suggests, empty where it suggests none."""
    name = symbol.strip().upper()
    if _CURRENCIES.fullmatch(name) or name.endswith("=X"):
        return (CURRENCIES,)
    if name.endswith("=F"):
        return ("CMES",)
    if _COINS.fullmatch(name) or _COIN_FIRST.fullmatch(name):
        return (ALWAYS,)
    if prefixed := _PREFIXED.fullmatch(name):
        return (PREFIXES[prefixed[1]],)
    return _of_dotted(name) or _of_number(name)


def of_filename(filename: str) -> tuple[str, ...]:
    """Return the keys of the calendars that a file name suggests.

    The symbol may follow the name of an exchange and be followed by interval and dates: `BTC_USDT-1h`,
    `BINANCE_BTCUSDT, 60`, `SH#600519`, `DAT_ASCII_EURUSD_M1_2023`.
    """
    name = stem(filename).upper()
    parts = [part for part in re.split(r"[\s_,;:#()\[\]/-]+", name) if part]
    if not parts:
        return ()
    if whole := of_symbol(name):
        return whole
    if parts[0] in PREFIXES and len(parts) > 1:
        return of_symbol(parts[1]) if _names_money(parts[1]) else (PREFIXES[parts[0]],)
    return next(filter(None, _of_parts(parts)), ())


def stem(filename: str) -> str:
    """Return the name of a file without its endings: `600519.SS` of `600519.SS.csv.gz`."""
    return _ENDINGS.sub("", filename.strip())


def _of_parts(parts: list[str]) -> Iterator[tuple[str, ...]]:
    for at, part in enumerate(parts):
        following = parts[at + 1] if at + 1 < len(parts) else ""
        if part not in PREFIXES and _QUOTE.fullmatch(following):
            yield of_symbol(part + following)
        if at == 0 or _names_money(part):  # a number in a later part is a date or an interval
            yield of_symbol(part)
        if (period := _SHORT_PERIOD.fullmatch(part)) and _names_money(period[1]):
            yield of_symbol(period[1])


def _names_money(symbol: str) -> bool:
    """Return whether a symbol is a pair of currencies or coins."""
    return any(pattern.fullmatch(symbol) for pattern in (_CURRENCIES, _COINS, _COIN_FIRST))


def _of_dotted(name: str) -> tuple[str, ...]:
    head, dot, tail = name.rpartition(".")
    if not dot or not head:
        return ()
    if tail in SUFFIXES:
        return (SUFFIXES[tail],)
    first = name.split(".", maxsplit=1)[0]
    return (PREFIXES[first],) if first in PREFIXES else ()


def _of_number(name: str) -> tuple[str, ...]:
    if re.fullmatch(r"[0-9]{3}[A-Z]", name):  # Tokyo's codes since 2024
        return ("XTKS",)
    if re.fullmatch(r"[0-9]{4}", name):
        return ("XTKS", "XTAI", "XHKG", "XKLS", "XSAU")
    if re.fullmatch(r"[0-9]{5}", name):
        return ("XHKG", "XTAI", "XTKS")
    if re.fullmatch(r"A[0-9]{6}", name):
        return ("XKRX",)
    if not re.fullmatch(r"[0-9]{6}", name):
        return ()
    chinese = "XSHG" if name[0] in "569" else "XSHE"
    if _SHANGHAI_ALONE.fullmatch(name):
        return (chinese,)
    return (chinese, "XKRX", "XBOM") if _MUMBAI.fullmatch(name) else (chinese, "XKRX")


_SCRIPTS: Mapping[str, tuple[str, ...]] = {
    "[가-힣]": ("XKRX",),
    "[ぁ-ヿ値終]": ("XTKS",),
    "[开盘价额涨]": ("XSHG", "XSHE"),
    "[開盤價漲]": ("XTAI", "XHKG"),
}


def of_headers(keys: tuple[str, ...], headers: Iterable[str]) -> tuple[str, ...]:
    """Return those calendars whose country uses the script of a file's headers, all where none does."""
    joined = "".join(headers)
    for letters, native in _SCRIPTS.items():
        if re.search(letters, joined):
            return tuple(key for key in keys if key in native) or keys
    return keys

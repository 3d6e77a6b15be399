"""Writes candles as a folder in Qlib's layout, for Qlib itself and for backtests; Qlib is not imported.

Values are float32, as Qlib's own dump tool writes them; prices are written unchanged, with a factor of 1.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pandas as pd

from kronos_app.data.candle_frame import PRICES, CandleFrame
from kronos_app.data.qlib.files import feature_folder
from kronos_app.errors import Conflict, InvalidInput, Unavailable
from kronos_app.i18n import text

FREQUENCY = re.compile(r"(\d*min|day)")
_FOREIGN = re.compile(r"[^A-Za-z0-9._^=&-]+")
_LONGEST = 40
_FORMS = {"day": "%Y-%m-%d"}
_FORM = "%Y-%m-%d %H:%M:%S"


def qlib_name(symbol: str) -> str:
    """Return a symbol as a valid folder name, `BTC-USDT` for `BTC/USDT`; raise `InvalidInput` if nothing is left."""
    name = _FOREIGN.sub("-", symbol.strip()).strip(".")[:_LONGEST]
    if not name.strip("-._"):
        raise InvalidInput(
            "bad_symbol",
            text("“{symbol}” cannot be the name of an instrument in a Qlib folder.", symbol=symbol[:_LONGEST]),
            text("Give the series a symbol of letters and digits."),
        )
    return name


def write_folder(
    folder: Path,
    series: Mapping[str, CandleFrame],
    *,
    frequency: str = "day",
    markets: Mapping[str, Sequence[str]] | None = None,
) -> dict[str, str]:
    """Write candles to a new folder, completely or not at all, and return the name of each symbol in it.

    The calendar has the times of all series; where a series has no candle, its fields are NaN, which Qlib treats as
    suspended. Fields: open, high, low, close, change (of the close since the previous candle) and factor; volume,
    amount and vwap where there are volumes and amounts.

    Parameters
    ----------
    folder
        Must not exist, or be empty.
    series
        By symbol. Times are written as they are; for `day` they must be midnights.
    frequency
        `day`, `1min`, `5min`, ...
    markets
        Lists of symbols besides `all`.

    Raises
    ------
    Conflict
        The folder exists.
    InvalidInput
        No candles, two symbols with one name, or times that do not fit the frequency.
    Unavailable
        The folder cannot be written.
    """
    series = {symbol: candles for symbol, candles in series.items() if len(candles)}
    names = _names(series)
    calendar = _calendar(series, frequency)
    with _new_folder(folder) as draft:
        _write(draft, {names[symbol]: candles for symbol, candles in series.items()}, calendar, frequency)
        for market, symbols in (markets or {}).items():
            times = {names[symbol]: series[symbol].timestamps for symbol in symbols if symbol in names}
            _write_list(draft, qlib_name(market), times, frequency)
    return names


@contextmanager
def _new_folder(folder: Path) -> Iterator[Path]:
    """Yield a folder beside `folder` that takes its name once the block has succeeded."""
    draft = folder.with_name(f".{folder.name}.{os.getpid()}")
    try:
        if folder.exists() and any(folder.iterdir()):
            raise Conflict(
                "folder_exists",
                text("The folder {name} exists already.", name=folder.name),
                text("Choose another name, or remove it first."),
            )
        yield draft
        draft.replace(folder)
    except OSError as error:
        raise Unavailable(
            "cannot_write",
            text("The folder {name} cannot be written ({reason}).", name=folder.name, reason=error.strerror or ""),
            text("Free disk space, or choose another folder."),
        ) from error
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def _names(series: Mapping[str, CandleFrame]) -> dict[str, str]:
    if not series:
        raise InvalidInput(
            "no_candles", text("There are no candles to write."), text("Choose a series that has candles.")
        )
    names = {symbol: qlib_name(symbol) for symbol in series}
    symbols: dict[str, str] = {}
    for symbol, name in names.items():
        other = symbols.setdefault(name.lower(), symbol)  # Qlib's folder names are lower case
        if other != symbol:
            raise InvalidInput(
                "same_name",
                text("{first} and {second} have the same name in a Qlib folder.", first=other, second=symbol),
                text("Remove one of them."),
            )
    return names


def _calendar(series: Mapping[str, CandleFrame], frequency: str) -> pd.DatetimeIndex:
    if not FREQUENCY.fullmatch(frequency):
        raise InvalidInput(
            "unknown_interval",
            text("Qlib has no interval “{interval}”.", interval=frequency[:20]),
            text("Write days (day) or minutes (1min, 5min, ...)."),
        )
    for symbol, candles in series.items():
        times = candles.timestamps
        if frequency == "day" and (times != times.normalize()).any():
            raise InvalidInput(
                "not_daily",
                text("{symbol} has candles that do not start at midnight, so they are not daily.", symbol=symbol),
                text("Choose daily candles, or resample these."),
            )
    return pd.DatetimeIndex(sorted(set().union(*(candles.timestamps for candles in series.values()))))


def _write(draft: Path, series: Mapping[str, CandleFrame], calendar: pd.DatetimeIndex, frequency: str) -> None:
    (draft / "calendars").mkdir(parents=True)
    _write_lines(draft / "calendars" / f"{frequency}.txt", list(calendar.strftime(_FORMS.get(frequency, _FORM))))
    _write_list(draft, "all", {name: candles.timestamps for name, candles in series.items()}, frequency)
    for name, candles in series.items():
        home = draft / "features" / feature_folder(name)
        home.mkdir(parents=True)
        fields = _fields(candles)
        start = int(calendar.get_indexer(fields.index[:1])[0])
        spread = fields.reindex(calendar[start : int(calendar.get_indexer(fields.index[-1:])[0]) + 1])
        for field in spread:
            np.hstack([[start], spread[field]]).astype("<f4").tofile(home / f"{field}.{frequency}.bin")


def _fields(candles: CandleFrame) -> pd.DataFrame:
    frame = candles.frame.set_index("timestamp")
    fields = frame[list(PRICES)].assign(change=frame["close"].pct_change(), factor=1.0)
    for name in ("volume", "amount"):
        if name in frame:
            fields[name] = frame[name]
    if {"volume", "amount"} <= set(frame):
        # Without volume there is no average price; with the close instead, the amount is zero.
        fields["vwap"] = (frame["amount"] / frame["volume"]).where(frame["volume"] > 0, frame["close"])
    return fields


def _write_list(draft: Path, market: str, times: Mapping[str, pd.DatetimeIndex], frequency: str) -> None:
    form = _FORMS.get(frequency, _FORM)
    lines = ["\t".join([name, *own[[0, -1]].strftime(form)]) for name, own in sorted(times.items())]
    (draft / "instruments").mkdir(exist_ok=True)
    _write_lines(draft / "instruments" / f"{market}.txt", lines)


def _write_lines(path: Path, lines: Sequence[str]) -> None:
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")

"""Which columns of a file hold its times, by the names that vendors and libraries use."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

# All names are reduced by `columns.plain`. Earlier names win.
START_NAMES = (
    "opentime", "klineopentime", "timeperiodstart", "candledatetimeutc", "timeopen", "starttime", "startat",
    "windowstart", "candlebegintime", "barstart", "barstarttime", "startedat", "starttimestamp", "begin", "begintime",
    "bob", "start",
)  # fmt: skip
INSTANT_NAMES = (
    "timestamps", "timestamp", "datetime", "日期时间", "日期時間", "时间戳", "時間戳", "日時", "일시",
    "tsevent", "timekey", "candletime", "bartime", "datetimeutc", "utcdatetime", "snapshottimeutc",
    "체결시간", "snapshottime", "candledatetimekst", "localdatetime", "timestampms", "stime",
)  # fmt: skip
DATE_NAMES = (
    "date", "日期", "dates", "tradedate", "交易日期", "成交日期", "actionday", "tradingdate", "tradingday", "交易日",
    "dtyyyymmdd", "yyyymmdd", "dateyyyymmdd", "historicaldate", "exchangedate", "pricedate", "trddt", "traddt", "bizdt",
    "datadate", "caldt", "dlycaldt", "日付", "日付け", "データ日付", "年月日", "取引日", "일자", "날짜", "거래일",
    "거래일자", "day", "datum", "fecha",
    "дата", "tarih", "ngày", "tanggal", "stckbsopdate", "xymd", "data", "date1",
)  # fmt: skip
CLOCK_NAMES = (
    "time", "时间", "時間", "tradetime", "交易时间", "成交时间", "成交時間", "timebarstart", "timeofday", "hhmmss",
    "hhmm", "hour", "timehhmmss", "timehhmm", "minute", "時刻", "시간", "시각", "время", "hora", "godzina", "uhrzeit",
)  # fmt: skip
OTHER_NAMES = (
    "localtime", "gmttime", "utctime", "utc", "unix", "unixtime", "unixtimestamp", "epoch", "epochtime", "epochms",
    "mts", "dt", "ts", "t",
)  # fmt: skip
END_NAMES = (
    "closetime", "timeclose", "klineclosetime", "endtime", "timeperiodend", "windowend", "candleendtime", "barend",
    "barendtime", "endtimestamp", "end", "eob",
)  # fmt: skip
NAMES = (*START_NAMES, *INSTANT_NAMES, *DATE_NAMES, *CLOCK_NAMES, *OTHER_NAMES, *END_NAMES)

# A column of these names may hold the time of day alone, beside a date.
_MAYBE_CLOCK = frozenset({"timestamp", "timestamps", "bartime", "starttime", "barstart", "begintime", *CLOCK_NAMES})


@dataclass(frozen=True)
class TimeColumns:
    """Positions of the column of the time, and of the time of day where that is a column of its own."""

    time: int
    clock: int | None = None


def choose(names: Sequence[str]) -> TimeColumns | None:
    """Return which columns hold the times, None where no name says so.

    A date goes with a time of day. Where the latter may hold whole times as well, its cells decide later.

    Parameters
    ----------
    names
        All headers of a file, reduced by `columns.plain`.
    """
    ranked = sorted((p for p, name in enumerate(names) if name in NAMES), key=lambda p: NAMES.index(names[p]))
    if not ranked:
        return None
    best = ranked[0]
    date = next((p for p in ranked if names[p] in DATE_NAMES), None)
    clock = next((p for p in ranked if names[p] in _MAYBE_CLOCK), None)
    if date is not None and clock is not None and best in {date, clock}:
        return TimeColumns(date, clock)
    return TimeColumns(best)

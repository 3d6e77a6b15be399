"""A folder as Qlib's own tool for dumping writes it, small enough for a test."""

from __future__ import annotations

import numpy as np
import pandas as pd


def write(folder, symbols, calendar, *, frequency="day", markets=None):
    """Write `symbols`, a frame of fields by time for each, and the lists of instruments `markets` besides `all`.

    A frame's rows must follow one another in the calendar; what is not known is NaN there.
    """
    form = "%Y-%m-%d" if frequency == "day" else "%Y-%m-%d %H:%M:%S"
    for part in ("calendars", "instruments"):
        (folder / part).mkdir(parents=True, exist_ok=True)
    (folder / "calendars" / f"{frequency}.txt").write_text("\n".join(calendar.strftime(form)) + "\n")
    spans = {name: "\t".join([name, *frame.index[[0, -1]].strftime(form)]) for name, frame in symbols.items()}
    (folder / "instruments" / "all.txt").write_text("\n".join(spans.values()) + "\n")
    for market, lines in (markets or {}).items():
        (folder / "instruments" / f"{market}.txt").write_text("\n".join(spans.get(line, line) for line in lines) + "\n")
    for name, frame in symbols.items():
        home = folder / "features" / name.lower()
        home.mkdir(parents=True, exist_ok=True)
        start = calendar.get_loc(frame.index[0])
        for field in frame:
            np.hstack([[start], frame[field]]).astype("<f4").tofile(home / f"{field}.{frequency}.bin")


def walk(index, seed=0, *, factor=True):
    """Return random candles with all fields that Qlib's collectors know, split two for one in the middle."""
    rng = np.random.default_rng(seed)
    close = 10 * np.exp(np.cumsum(rng.normal(0, 0.02, len(index))))
    opened = np.concatenate([[10.0], close[:-1]])
    frame = pd.DataFrame({"open": opened, "close": close}, index=index)
    frame["high"], frame["low"] = frame.max(axis=1) * 1.01, frame.min(axis=1) * 0.99
    frame["volume"] = rng.integers(10**6, 10**7, len(index)).astype(float)
    frame["vwap"] = frame[["open", "high", "low", "close"]].mean(axis=1)
    frame["change"] = frame["close"].pct_change()
    return frame.assign(factor=np.where(np.arange(len(index)) < len(index) // 2, 0.5, 1.0)) if factor else frame

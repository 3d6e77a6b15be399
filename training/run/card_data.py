"""The candles of a run for its model card: source, splits, and until when the model learned."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from training.fit.corpus import Corpus
from training.run.config import SPLITS, FileData, QlibData, RunConfig, SplitName
from training.run.markdown import code, escape

if TYPE_CHECKING:
    from training.fit.building import Base

MAX_SYMBOLS = 5  # of a group, by name
USES: Mapping[SplitName, str] = {
    "train": "trained by this run on candles from",
    "validation": "checkpoint chosen, by the lowest validation loss, on candles from",
    "test": "held out and used for scores only: candles from",
}


def last_training_day(corpus: Corpus, base: Base) -> date:
    """Return the day of the last training candle of the run, or of its base if that is known and later."""
    days = [_day(int(corpus.times[segment.stop - 1])) for segment in corpus.of("train").segments]
    if base.trained_until is not None:
        days.append(base.trained_until)
    elif base.spec is not None:
        days += base.spec.trained_until.values()
    return max(days)


def periods(corpus: Corpus) -> Iterable[Sequence[object]]:
    """Yield what the candles of each split were used for, and the times of the first and the last of them."""
    for split, use in USES.items():
        segments = corpus.of(split).segments
        if segments:
            first = min(int(corpus.times[segment.start]) for segment in segments)
            last = max(int(corpus.times[segment.stop - 1]) for segment in segments)
            yield use, f"{_time(first)} to {_time(last)}"


def describe_source(config: RunConfig) -> str:
    """Return a sentence on where the candles are from, without paths and addresses."""
    data = config.data
    if isinstance(data, QlibData):
        return f"Qlib instruments of the set {code(data.market)}, interval {code(data.frequency)}."
    if isinstance(data, FileData):
        return escape(data.origin) or "Candles in files of unknown origin."
    return f"Series of a Kronos Desk store{f', watchlist {escape(data.watchlist)}' if data.watchlist else ''}."


def split_rows(config: RunConfig, corpus: Corpus) -> Iterable[Sequence[object]]:
    """Yield a row of each group and split: symbols, candles, windows, first and last day."""
    for group in corpus.groups:
        for split in SPLITS:
            segments = [segment for segment in corpus.segments if (segment.group, segment.split) == (group, split)]
            if not segments:
                continue
            symbols = sorted({segment.symbol for segment in segments})
            more = f" and {len(symbols) - MAX_SYMBOLS} more" if len(symbols) > MAX_SYMBOLS else ""
            yield (
                group,
                split,
                ", ".join(symbols[:MAX_SYMBOLS]) + more,
                f"{sum(map(len, segments)):,}",
                f"{sum(segment.windows(config.window.size, config.window.stride) for segment in segments):,}",
                _day(min(int(corpus.times[segment.start]) for segment in segments)),
                _day(max(int(corpus.times[segment.stop - 1]) for segment in segments)),
            )


def describe_windows(config: RunConfig) -> str:
    """Return sentences on windows, embargo and held-out symbols."""
    window, split = config.window, config.split
    embargo = f"{split.embargo} candles" if split.embargo is not None else "one window"
    held = (
        f", and {split.holdout_symbols:.0%} of the symbols were kept out of training" if split.holdout_symbols else ""
    )
    return (
        f"A window has up to {window.lookback} candles of history, whose statistics alone normalize it, and those "
        f"after it, {window.size} candles in all, {window.stride} apart. The embargo between two splits of a series is "
        f"{embargo}{held}."
    )


def _time(nanoseconds: int) -> str:
    """Return a day, with the time unless it is midnight."""
    stamp = pd.Timestamp(nanoseconds)
    return f"{stamp:%Y-%m-%d}" if stamp == stamp.normalize() else f"{stamp:%Y-%m-%d %H:%M}"


def _day(nanoseconds: int) -> date:
    day: date = np.datetime64(nanoseconds, "ns").astype("datetime64[D]").astype(date)
    return day

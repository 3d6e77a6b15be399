"""What a run would learn from and be judged on, known before it begins: windows of each split, refusals, warnings."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

import pandas as pd

from training.errors import DataError, Message, message
from training.fit.corpus import Corpus, Segment
from training.run.config import SPLITS, RunConfig, SplitName
from training.run.doubts import doubts


@dataclass(frozen=True)
class SplitSize:
    """How much a split holds.

    Attributes
    ----------
    windows
        Of the config's length and stride.
    candles
        Of all its segments, those too short for a window included.
    symbols
        Symbols with at least one window; one that two groups have counts twice.
    first, last
        Times of its first and last candle, None where it has none.
    """

    windows: int = 0
    candles: int = 0
    symbols: int = 0
    first: datetime | None = None
    last: datetime | None = None


@dataclass(frozen=True)
class Span:
    """Where the candles of a symbol serve for a split, from the first to the last."""

    group: str
    symbol: str
    split: SplitName
    first: datetime
    last: datetime
    windows: int


@dataclass(frozen=True)
class Preflight:
    """What was found."""

    splits: Mapping[SplitName, SplitSize]
    spans: tuple[Span, ...]
    notes: tuple[Message, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON-ready form; times are ISO 8601."""
        return {
            "splits": {name: _plain(asdict(size)) for name, size in self.splits.items()},
            "spans": [_plain(asdict(span)) for span in self.spans],
            "notes": [note.to_dict() for note in self.notes],
        }


def preflight(corpus: Corpus, config: RunConfig) -> Preflight:
    """Return what a run with this config on this corpus has before it.

    Raises
    ------
    ConfigError
        A window is longer than the base model's context.
    DataError
        There is no window to learn from or to validate on, fewer to learn from than a batch has, or nothing but prices
        that never move. Says how many candles there are and how many are needed.
    """
    spans = tuple(_spans(corpus, config))
    splits = {name: _size(name, spans, corpus) for name in SPLITS}
    for name in SPLITS[:2]:
        if not splits[name].windows:
            raise DataError(_empty(name, corpus, config))
    for stage in config.stages:
        if splits["train"].windows < config.stage(stage).batch:
            raise DataError(
                message(
                    "{stage}.batch is {batch}, but there are only {windows} training windows: choose a smaller batch, "
                    "a shorter window or more data.",
                    stage=stage, batch=config.stage(stage).batch, windows=splits["train"].windows,
                )
            )  # fmt: skip
    windows = {name: size.windows for name, size in splits.items()}
    return Preflight(splits, spans, tuple(doubts(corpus, config, windows)))


def _spans(corpus: Corpus, config: RunConfig) -> Iterator[Span]:
    """Yield one span for all pieces of a symbol and split."""
    found: dict[tuple[str, str, SplitName], list[Segment]] = {}
    for segment in corpus.segments:
        found.setdefault((segment.group, segment.symbol, segment.split), []).append(segment)
    size, stride = config.window.size, config.window.stride
    for (group, symbol, split), pieces in found.items():
        first, last = (_time(corpus, row) for row in (pieces[0].start, pieces[-1].stop - 1))
        yield Span(group, symbol, split, first, last, sum(piece.windows(size, stride) for piece in pieces))


def _size(name: SplitName, spans: tuple[Span, ...], corpus: Corpus) -> SplitSize:
    own = [span for span in spans if span.split == name]
    return SplitSize(
        windows=sum(span.windows for span in own),
        candles=sum(len(segment) for segment in corpus.segments if segment.split == name),
        symbols=sum(span.windows > 0 for span in own),
        first=min((span.first for span in own), default=None),
        last=max((span.last for span in own), default=None),
    )


def _empty(name: SplitName, corpus: Corpus, config: RunConfig) -> Message:
    longest = max((len(segment) for segment in corpus.of(name).segments), default=0)
    needed = message(
        "a window needs {size} (lookback {lookback} and horizon {horizon})",
        size=config.window.size, lookback=config.window.lookback, horizon=config.window.horizon,
    )  # fmt: skip
    if longest:
        return message(
            "The split {split} has no window: its longest stretch without a break has {longest} candles, {needed}. "
            "Choose a shorter window, or give the split more candles.",
            split=name, longest=longest, needed=needed,
        )  # fmt: skip
    return message(
        "The split {split} has no candles among the {candles} there are, and {needed}. Change the split, choose a "
        "shorter window, or take more data: between two splits {embargo} candles are left out.",
        split=name, candles=len(corpus.times), needed=needed, embargo=config.split.embargo or config.window.size,
    )  # fmt: skip


def _time(corpus: Corpus, row: int) -> datetime:
    return pd.Timestamp(int(corpus.times[row])).to_pydatetime(warn=False)


def _plain(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value.isoformat() if isinstance(value, datetime) else value for name, value in fields.items()}

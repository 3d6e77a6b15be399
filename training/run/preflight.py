"""Checks before a run: windows of each split, refusals and warnings."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

import pandas as pd
from pydantic import BaseModel

from training.errors import DataError, Message, message
from training.evaluation.cutoffs import pick_cutoffs
from training.evaluation.inference import FEWEST_TIMES
from training.fit.corpus import Corpus, Segment
from training.run.config import SPLITS, RunConfig, SplitName
from training.run.data_warnings import find_warnings

SCORED: Mapping[SplitName, Message] = {"validation": message("validation set"), "test": message("test set")}


class SplitSize(BaseModel):
    """The size of a split."""

    windows: int
    candles: int  # of all segments, also those too short for a window
    symbols: int  # with at least one window; one in two groups counts twice
    cutoffs: int  # of the final scores; 0 for the training split
    times: int  # different ones of the cutoffs
    first: datetime | None
    last: datetime | None


class Span(BaseModel):
    """The candles of a symbol in a split, from the first to the last time."""

    group: str
    symbol: str
    split: SplitName
    first: datetime
    last: datetime
    windows: int


class Preflight(BaseModel):
    """The result of the checks."""

    splits: dict[SplitName, SplitSize]
    spans: tuple[Span, ...]
    warnings: tuple[Message, ...]  # why there will be no verdict
    notes: tuple[Message, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON-ready form; times are ISO 8601."""
        return self.model_dump(mode="json")


def preflight(corpus: Corpus, config: RunConfig) -> Preflight:
    """Return the sizes of the splits of a run with this config on this corpus, and the warnings.

    Raises ConfigError if a window is longer than the base model's context; DataError if there is no training or
    validation window, less than a batch of training windows, or every price is constant.
    """
    spans = tuple(_spans(corpus, config))
    splits = {name: _size(name, spans, corpus, config) for name in SPLITS}
    for name in SPLITS[:2]:
        if not splits[name].windows:
            raise DataError(_empty(name, corpus, config))
    for stage in config.stages:
        if splits["train"].windows < config.stage(stage).batch:
            raise DataError(
                "{stage}.batch is {batch}, but there are only {windows} training windows: choose a smaller batch, "
                "a shorter window or more data.",
                stage=stage, batch=config.stage(stage).batch, windows=splits["train"].windows,
            )  # fmt: skip
    windows = {name: size.windows for name, size in splits.items()}
    return Preflight(
        splits=splits,
        spans=spans,
        warnings=tuple(_few_cutoffs(splits, corpus, config)),
        notes=tuple(find_warnings(corpus, config, windows)),
    )


def _spans(corpus: Corpus, config: RunConfig) -> Iterator[Span]:
    """Yield one span for all pieces of a symbol and split."""
    members: dict[tuple[str, str, SplitName], list[Segment]] = {}
    for segment in corpus.segments:
        members.setdefault((segment.group, segment.symbol, segment.split), []).append(segment)
    size, stride = config.window.size, config.window.stride
    for (group, symbol, split), pieces in members.items():
        first, last = (
            pd.Timestamp(int(corpus.times[row])).to_pydatetime(warn=False)
            for row in (pieces[0].start, pieces[-1].stop - 1)
        )
        windows = sum(piece.windows(size, stride) for piece in pieces)
        yield Span(group=group, symbol=symbol, split=split, first=first, last=last, windows=windows)


def _size(name: SplitName, spans: tuple[Span, ...], corpus: Corpus, config: RunConfig) -> SplitSize:
    own = [span for span in spans if span.split == name]
    count = config.judge.final_cutoffs if name in SCORED else 0
    cutoffs = pick_cutoffs(corpus.of(name), config.window, count, config.seed) if count else []
    return SplitSize(
        windows=sum(span.windows for span in own),
        candles=sum(len(segment) for segment in corpus.segments if segment.split == name),
        symbols=sum(span.windows > 0 for span in own),
        cutoffs=len(cutoffs),
        times=len({cutoff.time for cutoff in cutoffs}),
        first=min((span.first for span in own), default=None),
        last=max((span.last for span in own), default=None),
    )


def _few_cutoffs(splits: Mapping[SplitName, SplitSize], corpus: Corpus, config: RunConfig) -> Iterator[Message]:
    """Yield which splits the run will score at too few times for a verdict, and what to change."""
    for name, label in SCORED.items():
        size, limit = splits[name], config.judge.final_cutoffs
        if not limit or not size.windows or size.times >= FEWEST_TIMES:
            continue
        counts: dict[str, Any] = {"split": label, "cutoffs": size.cutoffs, "times": size.times, "needed": FEWEST_TIMES}
        if size.cutoffs == limit:
            yield message(
                "The {split} will be scored at {cutoffs} cutoffs of {times} different times, but a verdict needs "
                "{needed} times: set the cutoffs of the final scores (judge.final_cutoffs) to {enough} or more.",
                **counts, enough=max(limit + 1, FEWEST_TIMES**2 * len(corpus.groups)),
            )  # fmt: skip
            continue
        yield message(
            "The {split} will be scored at {cutoffs} cutoffs of {times} different times, but a verdict needs {needed} "
            "times. They need {candles} candles of a series in a row; the longest there has {longest}. Give the split "
            "a larger share, choose a shorter horizon or lookback, or add candles.",
            **counts, candles=config.window.lookback + FEWEST_TIMES * config.window.horizon,
            longest=max(len(segment) for segment in corpus.of(name).segments),
        )  # fmt: skip


def _empty(name: SplitName, corpus: Corpus, config: RunConfig) -> Message:
    window = config.window
    longest = max((len(segment) for segment in corpus.of(name).segments), default=0)
    needed = message(
        "a window needs {size} (lookback {lookback} and horizon {horizon})",
        size=window.size, lookback=window.lookback, horizon=window.horizon,
    )  # fmt: skip
    if longest:
        return message(
            "The split {split} has no window: its longest stretch without a break has {longest} candles, {needed}. "
            "Choose a shorter window, or give the split more candles.",
            split=name, longest=longest, needed=needed,
        )  # fmt: skip
    return message(
        "The split {split} has no candles of the {candles} in the data, and {needed}. Change the split, choose a "
        "shorter window, or add data: between two splits {embargo} candles are left out.",
        split=name, candles=len(corpus.times), needed=needed, embargo=config.split.embargo or window.size,
    )  # fmt: skip

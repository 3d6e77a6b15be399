"""Warnings before a run: what would flatter its scores, and what should change."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from engine.candles import CLOSE, VOLUME
from engine.loading.registry import ModelSpec, find_spec
from training.errors import ConfigError, DataError, Message, message
from training.fit.building import trained_until
from training.fit.corpus import Corpus, Segment
from training.run.config import RunConfig, SplitName

FEW_BATCHES = 20
GLANCE = 1000  # candles checked before a whole segment is
MAX_SYMBOLS = 5  # that a note lists


def find_warnings(corpus: Corpus, config: RunConfig, windows: Mapping[SplitName, int]) -> Iterator[Message]:
    """Yield what a user should know before a run begins.

    Raises ConfigError if a window is longer than the base model's context; DataError if all training prices are
    constant.
    """
    spec = find_spec(config.base.model) if config.base.model is not None else None
    _check_context(spec, config)
    if corpus.left_out:
        yield message("{count} candles without prices above zero are left out.", count=corpus.left_out)
    if corpus.jumps:
        yield message(
            "At {count} places a price doubles or halves from one candle to the next, as at an unadjusted share split: "
            "no window contains one.",
            count=corpus.jumps,
        )  # fmt: skip
    yield from _seen_by_base(corpus, config, spec)
    yield from _constant(corpus, config)
    yield from _seen_at_other_interval(corpus)
    yield from _seen_in_other_symbols(corpus)
    if not windows["test"]:
        yield message(
            "There is no test split: the final scores are those of the validation set, which chose the checkpoint."
        )
    symbols = {(segment.group, segment.symbol) for segment in corpus.of("train").segments}
    if len(symbols) == 1:
        yield message("There is only one training symbol: what is learned may hold for it alone.")
    for stage in config.stages:
        batch = config.stage(stage).batch
        if windows["train"] < FEW_BATCHES * batch:
            yield message(
                "{windows} training windows are only {batches} batches of the {stage}: it will soon overfit.",
                windows=windows["train"], batches=round(windows["train"] / batch, 1), stage=stage,
            )  # fmt: skip
    traded = {s.group for s in corpus.segments if (_glance(corpus, s)[:, VOLUME] > 0).any()}
    if silent := [group for group in corpus.groups if group not in traded]:
        yield message("{groups} have no volume: the model learns from prices alone.", groups=", ".join(silent))


def _check_context(spec: ModelSpec | None, config: RunConfig) -> None:
    window = config.window
    if spec is not None and window.size > spec.max_context:
        raise ConfigError(
            "A window has {size} candles (lookback {lookback} and horizon {horizon}), but {model} reads {context} "
            "at most: choose a shorter one.",
            size=window.size, lookback=window.lookback, horizon=window.horizon, model=spec.name,
            context=spec.max_context,
        )  # fmt: skip


def _seen_by_base(corpus: Corpus, config: RunConfig, spec: ModelSpec | None) -> Iterator[Message]:
    """Yield, for each market, how many windows the base model may have been trained on."""
    if config.base.model is None:
        return
    model = _model_name(config.base.model, spec)
    scored = [segment for segment in corpus.segments if segment.split != "train"]
    default = trained_until(config.base)
    for market in sorted({_market(segment) for segment in scored}):
        until = (spec.seen_until(market) if spec is not None else None) or default
        if until is None:
            yield message(
                "It is not known until when {model} was trained: give base.trained_until, or its scores on candles it "
                "knows may flatter it.",
                model=model,
            )  # fmt: skip
            return
        limit = (pd.Timestamp(until) + pd.Timedelta(days=1)).as_unit("ns").value
        starts = [_window_starts(segment, corpus, config) for segment in scored if _market(segment) == market]
        known = sum(int(np.searchsorted(times, limit)) for times in starts)
        if known:
            yield message(
                "{known} of {windows} validation and test windows of {market} begin by {until}, the end of {model}'s "
                "training data: scores on them may flatter it.",
                known=known, windows=sum(map(len, starts)), market=market, until=until.isoformat(), model=model,
            )  # fmt: skip


def _model_name(model: str, spec: ModelSpec | None) -> str | Message:
    """Return the name of the base model; an absolute path would tell people nothing."""
    if spec is not None:
        return spec.name
    return message("the base model") if Path(model).is_absolute() else model


def _window_starts(segment: Segment, corpus: Corpus, config: RunConfig) -> np.ndarray:
    stop = max(segment.start, segment.stop - config.window.size + 1)
    return np.asarray(corpus.times[segment.start : stop : config.window.stride])


def _constant(corpus: Corpus, config: RunConfig) -> Iterator[Message]:
    """Yield which symbols have segments of constant prices."""
    usable = [segment for segment in corpus.segments if segment.windows(config.window.size)]
    flat = [segment for segment in usable if _is_flat(corpus, segment)]
    if flat and {segment for segment in usable if segment.split == "train"} <= set(flat):
        raise DataError("The price of {symbols} is constant: there is nothing to learn.", symbols=_names(flat))
    if flat:
        yield message(
            "The price of {symbols} is constant over a whole stretch: leave them out, as they teach nothing.",
            symbols=_names(flat),
        )  # fmt: skip


def _seen_at_other_interval(corpus: Corpus) -> Iterator[Message]:
    """Yield which symbols are tested in one group on days that another group trains on, as with two intervals."""
    trained: dict[str, dict[str, int]] = {}
    for segment in corpus.of("train").segments:
        groups = trained.setdefault(f"{_market(segment)}/{segment.symbol}", {})
        groups[segment.group] = max(groups.get(segment.group, 0), int(corpus.times[segment.stop - 1]))
    leaks = [
        segment
        for segment in corpus.segments
        if segment.split != "train"
        for group, last in trained.get(f"{_market(segment)}/{segment.symbol}", {}).items()
        if group != segment.group and last >= int(corpus.times[segment.start])
    ]
    if leaks:
        yield message(
            "Validation or test days of {symbols} in {groups} are training days at another interval: give time ranges "
            "instead of fractions, so that validation and test come later.",
            symbols=_names(leaks), groups=", ".join(sorted({segment.group for segment in leaks})),
        )  # fmt: skip


def _seen_in_other_symbols(corpus: Corpus) -> Iterator[Message]:
    """Yield the groups whose checkpoints are chosen on training days of other symbols: markets move together."""
    last: dict[str, int] = {}
    for segment in corpus.of("train").segments:
        last[segment.group] = max(last.get(segment.group, 0), int(corpus.times[segment.stop - 1]))
    validation = corpus.of("validation").segments
    groups = sorted({s.group for s in validation if s.group in last and int(corpus.times[s.start]) <= last[s.group]})
    if groups:
        yield message(
            "Checkpoints of {groups} are chosen on training days of other symbols: the model can overfit to these days "
            "without a rise of the validation loss. Test on later days: use time ranges, or split.tail.",
            groups=", ".join(groups),
        )  # fmt: skip


def _market(segment: Segment) -> str:
    """Return the first part of a group such as `crypto/1h`."""
    return segment.group.split("/")[0]


def _names(segments: list[Segment]) -> str:
    names = list(dict.fromkeys(segment.symbol for segment in segments))
    return ", ".join(names[:MAX_SYMBOLS]) + (f" (+{len(names) - MAX_SYMBOLS})" if len(names) > MAX_SYMBOLS else "")


def _glance(corpus: Corpus, segment: Segment) -> np.ndarray:
    return np.asarray(corpus.values[segment.start : min(segment.stop, segment.start + GLANCE)])


def _is_flat(corpus: Corpus, segment: Segment) -> bool:
    """Return whether the close is constant; most segments need only a glance."""
    glance = _glance(corpus, segment)[:, CLOSE]
    return bool((glance == glance[0]).all()) and bool(
        (corpus.values[segment.start : segment.stop, CLOSE] == glance[0]).all()
    )

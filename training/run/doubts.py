"""What speaks against trusting a run's scores, or for changing it before it begins."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from engine.candles import CLOSE, VOLUME
from engine.registry import ModelSpec, find_spec
from training.errors import ConfigError, DataError, Message, message
from training.fit.building import known_until
from training.fit.corpus import Corpus, Segment
from training.run.config import RunConfig, SplitName

FEW_BATCHES = 20
GLANCE = 1000  # candles looked at before a whole segment is
NAMED = 5  # symbols that a note lists


def doubts(corpus: Corpus, config: RunConfig, windows: Mapping[SplitName, int]) -> Iterator[Message]:
    """Yield what a user should know before a run begins.

    Raises
    ------
    ConfigError
        A window is longer than the base model's context.
    DataError
        All prices to learn from never move.
    """
    spec = find_spec(config.base.model) if config.base.model is not None else None
    _check_context(spec, config)
    if corpus.left_out:
        yield message("{count} candles without prices above zero are left out.", count=corpus.left_out)
    if corpus.jumps:
        yield message(
            "At {count} places a price doubles or halves from one candle to the next, as with a split that prices are "
            "not adjusted for: no window goes over one.",
            count=corpus.jumps,
        )  # fmt: skip
    yield from _known_to_base(corpus, config, spec)
    yield from _constant(corpus, config)
    yield from _learned_elsewhere(corpus)
    yield from _learned_beside(corpus)
    if not windows["test"]:
        yield message("There is no test split: the final scores are those of the candles that chose the checkpoint.")
    symbols = {(segment.group, segment.symbol) for segment in corpus.of("train").segments}
    if len(symbols) == 1:
        yield message("There is only one symbol to learn from: what is learned may hold for it alone.")
    for stage in config.stages:
        batch = config.stage(stage).batch
        if windows["train"] < FEW_BATCHES * batch:
            yield message(
                "{windows} training windows are only {batches} batches of the {stage}: soon it knows them by heart.",
                windows=windows["train"], batches=round(windows["train"] / batch, 1), stage=stage,
            )  # fmt: skip
    silent = [group for group in corpus.groups if not _any(corpus, group, _has_volume)]
    if silent:
        yield message("There is no volume in {groups}: the model learns from prices alone.", groups=", ".join(silent))


def _check_context(spec: ModelSpec | None, config: RunConfig) -> None:
    if spec is not None and config.window.size > spec.max_context:
        raise ConfigError(
            message(
                "A window has {size} candles (lookback {lookback} and horizon {horizon}), but {model} reads {context} "
                "at most: choose a shorter one.",
                size=config.window.size, lookback=config.window.lookback, horizon=config.window.horizon,
                model=spec.name, context=spec.max_context,
            )
        )  # fmt: skip


def _known_to_base(corpus: Corpus, config: RunConfig, spec: ModelSpec | None) -> Iterator[Message]:
    """Yield, for each market, how many windows the base model may have been trained on."""
    if config.base.model is None:
        return
    model = _called(config.base.model, spec)
    judged = [segment for segment in corpus.segments if segment.split != "train"]
    told = known_until(config.base)
    for market in sorted({_market(segment) for segment in judged}):
        known_there = None if spec is None else spec.seen_until(market)
        until = told if known_there is None else known_there
        if until is None:
            yield message(
                "It is not known until when {model} was trained: give base.trained_until, or its scores on candles it "
                "knows may flatter it.",
                model=model,
            )  # fmt: skip
            return
        starts = [_starts(segment, corpus, config) for segment in judged if _market(segment) == market]
        limit = (pd.Timestamp(until) + pd.Timedelta(days=1)).as_unit("ns").value
        known, windows = (sum(counts) for counts in zip(*((_below(s, limit), len(s)) for s in starts), strict=True))
        if known:
            yield message(
                "{known} of {windows} validation and test windows of {market} begin by {until}, until when {model} was "
                "trained: it may know them, and scores on them flatter it.",
                known=known, windows=windows, market=market, until=until.isoformat(), model=model,
            )  # fmt: skip


def _called(model: str, spec: ModelSpec | None) -> str | Message:
    """Return the name that people know a model by; the folder it lies in says nothing to them."""
    if spec is not None:
        return spec.name
    return message("the base model") if Path(model).is_absolute() else model


def _starts(segment: Segment, corpus: Corpus, config: RunConfig) -> np.ndarray:
    """Return the times at which the windows of a segment begin."""
    stop = max(segment.start, segment.stop - config.window.size + 1)
    return np.asarray(corpus.times[segment.start : stop : config.window.stride])


def _below(times: np.ndarray, limit: int) -> int:
    return int(np.searchsorted(times, limit))


def _constant(corpus: Corpus, config: RunConfig) -> Iterator[Message]:
    """Yield which symbols have stretches of prices that never move."""
    long = [segment for segment in corpus.segments if segment.windows(config.window.size)]
    flat = [segment for segment in long if _is_flat(corpus, segment)]
    if flat and {segment for segment in long if segment.split == "train"} <= set(flat):
        raise DataError(message("The price of {symbols} never moves: there is nothing to learn.", symbols=_named(flat)))
    if flat:
        yield message(
            "The price of {symbols} never moves in a whole stretch: leave them out, for they teach nothing.",
            symbols=_named(flat),
        )  # fmt: skip


def _learned_elsewhere(corpus: Corpus) -> Iterator[Message]:
    """Yield which symbols are judged in one group on days that are learned from in another, as with two intervals."""
    learned: dict[str, dict[str, int]] = {}
    for segment in corpus.of("train").segments:
        groups = learned.setdefault(f"{_market(segment)}/{segment.symbol}", {})
        groups[segment.group] = max(groups.get(segment.group, 0), int(corpus.times[segment.stop - 1]))
    told = [
        segment
        for segment in corpus.segments
        if segment.split != "train"
        for group, last in learned.get(f"{_market(segment)}/{segment.symbol}", {}).items()
        if group != segment.group and last >= int(corpus.times[segment.start])
    ]
    if told:
        yield message(
            "{symbols} of {groups} are judged on days that are learned from at another interval: give ranges of time "
            "instead of fractions, and judge only what comes later.",
            symbols=_named(told), groups=", ".join(sorted({segment.group for segment in told})),
        )  # fmt: skip


def _learned_beside(corpus: Corpus) -> Iterator[Message]:
    """Yield where checkpoints are chosen on days that other symbols are learned from: markets move together."""
    last: dict[str, int] = {}
    for segment in corpus.of("train").segments:
        last[segment.group] = max(last.get(segment.group, 0), int(corpus.times[segment.stop - 1]))
    chosen_by = corpus.of("validation").segments
    told = sorted({s.group for s in chosen_by if s.group in last and int(corpus.times[s.start]) <= last[s.group]})
    if told:
        yield message(
            "Checkpoints of {groups} are chosen on days that other symbols are learned from: what happened on a day "
            "can be learned by heart, and the loss does not tell. Judge by later days: ranges of time, or split.tail.",
            groups=", ".join(told),
        )  # fmt: skip


def _market(segment: Segment) -> str:
    """Return the first part of a group such as `crypto/1h`."""
    return segment.group.split("/")[0]


def _named(segments: list[Segment]) -> str:
    names = list(dict.fromkeys(segment.symbol for segment in segments))
    return ", ".join(names[:NAMED]) + (f" (+{len(names) - NAMED})" if len(names) > NAMED else "")


def _any(corpus: Corpus, group: str, holds: Callable[[np.ndarray], bool]) -> bool:
    return any(holds(_glance(corpus, segment)) for segment in corpus.segments if segment.group == group)


def _glance(corpus: Corpus, segment: Segment) -> np.ndarray:
    return np.asarray(corpus.values[segment.start : min(segment.stop, segment.start + GLANCE)])


def _has_volume(values: np.ndarray) -> bool:
    return bool((values[:, VOLUME] > 0).any())


def _is_flat(corpus: Corpus, segment: Segment) -> bool:
    """Return whether the close never changes; most segments show it at a glance."""
    glance = _glance(corpus, segment)[:, CLOSE]
    return bool((glance == glance[0]).all()) and bool(
        (corpus.values[segment.start : segment.stop, CLOSE] == glance[0]).all()
    )

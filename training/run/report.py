"""What `report.json` holds, in words and figures: for the terminal and for the model card."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from training.errors import Message

Report = Mapping[str, Any]  # "validation" and "test" to `Judgement.to_dict()`, or to None where there was no cutoff
SPLITS = ("test", "validation")  # the one that nothing was chosen by first
SCORES = {"crps": "CRPS", "coverage_50": "50 %", "coverage_80": "80 %", "coverage_90": "90 %", "rank_ic": "rank IC"}


def judged(report: Report | None) -> dict[str, Mapping[str, Any]]:
    """Return the judgements there are, by split."""
    return {split: report[split] for split in SPLITS if report and report.get(split)}


def worse(report: Report | None) -> bool:
    """Return whether the run's model is worse than its base on any split."""
    return any(one["worse"] for one in judged(report).values())


def verdicts(report: Report | None, quote: Callable[[str], str] = str) -> Iterable[str]:
    """Yield a sentence a split: beside the base model where there is one, and beside the baselines; see `said`."""
    for split, one in judged(report).items():
        told = [one["verdict"]] + ([one["against_baselines"]] if one["to_base"] else [])
        yield f"On the {split} split: {' '.join(said(verdict, quote) for verdict in told)}"


def score_rows(one: Mapping[str, Any]) -> Iterable[Sequence[str]]:
    """Yield a head, and a row a forecaster, of a judgement."""
    yield "forecaster", *SCORES.values()
    for name, figures in one["estimates"].items():
        yield name, *(interval(figures[key]) if key in figures else "" for key in SCORES)


def interval(estimate: Mapping[str, Any]) -> str:
    """Return a figure and its 95 % interval, where it has one."""
    value, low, high = (estimate[name] for name in ("value", "low", "high"))
    if value is None:
        return "–"
    return f"{value:.3f}" if low is None or high is None else f"{value:.3f} [{low:.3f}, {high:.3f}]"


def said(told: Mapping[str, Any], quote: Callable[[str], str] = str) -> str:
    """Return the sentence that `Message.to_dict` keeps; `quote` is applied to the texts that go into it."""
    return str(Message(told["msgid"], {name: _param(value, quote) for name, value in told["params"].items()}))


def _param(value: Any, quote: Callable[[str], str]) -> Any:
    if isinstance(value, Mapping):
        return said(value, quote)
    return quote(value) if isinstance(value, str) else value

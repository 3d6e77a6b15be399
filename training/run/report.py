"""The contents of `report.json` as text, for the terminal and the model card."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from training.errors import Message

Report = Mapping[str, Any]  # "validation" and "test" to `Judgement.to_dict()`, or to None without cutoffs
SPLITS = ("test", "validation")  # the held-out one first
SCORES = {"crps": "CRPS", "coverage_50": "50 %", "coverage_80": "80 %", "coverage_90": "90 %", "rank_ic": "rank IC"}


def judgements(report: Report | None) -> dict[str, Mapping[str, Any]]:
    """Return the available judgements by split."""
    return {split: report[split] for split in SPLITS if report and report.get(split)}


def is_worse(report: Report | None) -> bool:
    """Return whether the run's model is worse than its base model on any split."""
    return any(judgement["worse"] for judgement in judgements(report).values())


def verdicts(report: Report | None, quote: Callable[[str], str] = str) -> Iterable[str]:
    """Yield the verdicts of each split: against the base model if there is one, and against the baselines."""
    for split, judgement in judgements(report).items():
        keys = ["verdict", "against_baselines"] if judgement["to_base"] else ["verdict"]
        sentences = [Message.from_dict(judgement[key]).render(quote) for key in keys]
        yield f"On the {split} split: {' '.join(sentences)}"


def score_rows(judgement: Mapping[str, Any]) -> Iterable[Sequence[str]]:
    """Yield the head and the rows of a table of scores, one row per forecaster."""
    yield "forecaster", *SCORES.values()
    for name, scores in judgement["estimates"].items():
        yield name, *(interval(scores[key]) if key in scores else "" for key in SCORES)


def interval(estimate: Mapping[str, Any]) -> str:
    """Return an estimate and its 95 % confidence interval, if it has one."""
    value, low, high = (estimate[name] for name in ("value", "low", "high"))
    if value is None:
        return "–"
    return f"{value:.3f}" if low is None or high is None else f"{value:.3f} [{low:.3f}, {high:.3f}]"

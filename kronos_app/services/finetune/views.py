"""Runs as pages and API show them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal

from kronos_app.i18n import Text

if TYPE_CHECKING:
    from training.run.config import RunConfig

RunState = Literal["queued", "running", "paused", "finished", "failed", "interrupted"]


@dataclass(frozen=True)
class TunePlan:
    """What a request comes to before anything is trained.

    Attributes
    ----------
    config
        Complete, with the data as it was laid down.
    preflight
        `Preflight.to_dict()`: windows and ranges by split, spans by symbol; its notes are `notes`.
    notes
        What the reader should know before starting.
    advice
        By stage that is trained: the learning rate, and why it is that.
    digest
        Names the request and its candles: equal digest, equal plan.
    """

    config: RunConfig
    preflight: dict[str, Any]
    notes: tuple[Text, ...]
    advice: Mapping[str, tuple[float, Text]]
    digest: str


@dataclass(frozen=True)
class StageEstimate:
    """What a short trial of one stage measured; memory in bytes, parameters trained and in all."""

    seconds_per_step: float
    memory_bytes: int
    trained: int
    parameters: int


@dataclass(frozen=True)
class Estimate:
    """What a short trial measured.

    Attributes
    ----------
    total_seconds
        Of all steps of all stages; validation and judging come on top.
    seconds_per_step, trained, parameters
        Of the last stage.
    memory_bytes
        Of the stage that takes most.
    """

    seconds_per_step: float
    total_seconds: float
    memory_bytes: int
    trained: int
    parameters: int
    stages: Mapping[str, StageEstimate]


@dataclass(frozen=True)
class RunView:
    """A run as it stands.

    Attributes
    ----------
    state, phase
        `interrupted`: whoever trained it is gone; `phase` is what it does now, or did last.
    step, steps
        Of the present stage.
    progress
        0 to 1, over all stages.
    loss, rate, remaining
        Last training loss, windows a second, seconds until the present stage ends; None while unknown.
    queue_position
        1 is next; None where it does not wait.
    base
        Name of the model it began with; None for one made from scratch.
    stopped
        Somebody ended the training before its last step and kept what there was.
    worse, verdict
        Whether its final scores are worse than its base model's, and the same in a sentence; None while there are none.
    scores
        By forecaster (`tuned`, `base`, baselines), then by score; None while there are none.
    registered
        The versions made of it, as `name@version`.
    """

    id: str
    name: str
    created: datetime
    state: RunState
    phase: str
    step: int
    steps: int
    progress: float
    loss: float | None
    rate: float | None
    remaining: float | None
    queue_position: int | None
    base: str | None
    method: str
    stages: tuple[str, ...]
    stopped: bool = False
    notes: tuple[Text, ...] = ()
    error: Text | None = None
    worse: bool | None = None
    verdict: Text | None = None
    scores: dict[str, Any] | None = None
    registered: list[str] = field(default_factory=list)

    @property
    def active(self) -> bool:
        """Return whether it trains, or waits to."""
        return self.state in {"queued", "running"}


@dataclass(frozen=True)
class Comparison:
    """Runs side by side.

    Attributes
    ----------
    runs
        In the order asked for.
    differences
        The settings in which they differ: the field, and its value in each run.
    scores
        By run id, as `RunView.scores`.
    """

    runs: tuple[RunView, ...]
    differences: tuple[tuple[str, tuple[Any, ...]], ...]
    scores: Mapping[str, dict[str, Any] | None]


def run_json(view: RunView, language: str = "en") -> dict[str, Any]:
    """Return a run as the API tells it."""
    told = {one.name: getattr(view, one.name) for one in fields(view)}
    return told | {
        "created": view.created.isoformat(),
        "notes": [note.render(language) for note in view.notes],
        "error": _rendered(view.error, language),
        "verdict": _rendered(view.verdict, language),
    }


def plan_json(plan: TunePlan, language: str = "en") -> dict[str, Any]:
    """Return a plan as the API tells it; where things lie on this machine is left out."""
    advice = {
        stage: {"learning_rate": rate, "reason": reason.render(language)}
        for stage, (rate, reason) in plan.advice.items()
    }
    return {
        "digest": plan.digest,
        "config": plan.config.model_dump(mode="json", exclude={"data", "base"}),
        "preflight": {name: value for name, value in plan.preflight.items() if name != "notes"},
        "notes": [note.render(language) for note in plan.notes],
        "advice": advice,
    }


def comparison_json(comparison: Comparison, language: str = "en") -> dict[str, Any]:
    """Return runs side by side as the API tells them."""
    return {
        "runs": [run_json(view, language) for view in comparison.runs],
        "differences": [{"field": field, "values": list(values)} for field, values in comparison.differences],
        "scores": dict(comparison.scores),
    }


def estimate_json(estimate: Estimate) -> dict[str, Any]:
    """Return what a trial measured as the API tells it."""
    return asdict(estimate)


def _rendered(told: Text | None, language: str) -> str | None:
    return None if told is None else told.render(language)

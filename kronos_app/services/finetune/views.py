"""Plans, estimates and runs for page and API."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Literal

from pydantic import Field, field_serializer

from kronos_app.services.core.view import Message, View

RunState = Literal["queued", "running", "paused", "finished", "failed", "interrupted"]


class Advice(View):
    """The suggested learning rate of a stage, and the reason."""

    learning_rate: float
    reason: Message


class TunePlan(View):
    """A request checked before training: its complete config and the size of its data.

    Attributes
    ----------
    config
        `RunConfig` with the prepared data; in JSON without the paths of this machine.
    preflight
        `training.run.preflight.Preflight` as JSON, without its notes.
    notes
        Warnings.
    advice
        By stage that is trained.
    digest
        Equal for equal requests on equal candles.
    """

    digest: str
    config: Any
    preflight: dict[str, Any]
    notes: tuple[Message, ...]
    advice: dict[str, Advice]

    @field_serializer("config")
    def _write_config(self, config: Any) -> dict[str, Any]:
        settings: dict[str, Any] = config.model_dump(mode="json", exclude={"data", "base"})
        return settings


class StageEstimate(View):
    """The measurements of a trial of one stage."""

    seconds_per_step: float
    memory_bytes: int
    trained: int  # parameters that are trained
    parameters: int


class Estimate(StageEstimate):
    """The estimate of a run: as its last stage, with the largest memory of all stages.

    Attributes
    ----------
    total_seconds
        Of all training steps; validation and scoring are not included.
    """

    total_seconds: float
    stages: Mapping[str, StageEstimate]


class RunView(View):
    """A fine-tuning run and its state."""

    id: str
    name: str
    created: datetime
    state: RunState = Field(description="interrupted: its trainer process ended; resume it.")
    phase: str = Field(description="preparing, tokenizer, predictor, judging or exporting: the current or last one.")
    step: int = Field(description="Of the current stage.")
    steps: int
    progress: float = Field(description="0 to 1, over all stages.")
    loss: float | None = Field(description="Last training loss.")
    rate: float | None = Field(description="Windows per second.")
    remaining: float | None = Field(description="Seconds until the current stage ends.")
    queue_position: int | None = Field(description="1 is next; null if it is not queued.")
    base: str | None = Field(description="Base model; null for one trained from scratch.")
    method: str
    stages: tuple[str, ...]
    stopped: bool = Field(description="Training was ended early, keeping the best checkpoint.")
    notes: tuple[Message, ...]
    error: Message | None
    worse: bool | None = Field(description="Whether it forecasts worse than its base model.")
    verdict: Message | None = Field(description="The same in a sentence.")
    scores: dict[str, Any] | None = Field(description="By forecaster (tuned, base, baselines), then by score.")
    registered: list[str] = Field(description="Registered versions, as name@version.")

    @property
    def active(self) -> bool:
        """Return whether it is running or queued."""
        return self.state in {"queued", "running"}


class RunComparison(View):
    """Runs side by side: the settings in which they differ, with a value for each run, and their scores by run id."""

    runs: tuple[RunView, ...]
    differences: dict[str, tuple[Any, ...]]
    scores: dict[str, dict[str, Any] | None]

    @field_serializer("differences")
    def _write_differences(self, differences: dict[str, tuple[Any, ...]]) -> list[dict[str, Any]]:
        return [{"field": field, "values": values} for field, values in differences.items()]

"""Plans, estimates and comparisons of runs for page and API."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import field_serializer

from kronos_app.services.core.view import Message, View
from kronos_app.services.finetune.run import TuneRun
from kronos_app.services.runs.pace import Seconds


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
        `training.run.preflight.Preflight` as JSON, without its warnings and notes.
    warnings
        Why the run will have no verdict.
    notes
        What else to know about the candles.
    advice
        By stage that is trained.
    digest
        Equal for equal requests on equal candles.
    """

    digest: str
    config: Any
    preflight: dict[str, Any]
    warnings: tuple[Message, ...]
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
    seconds_to_start: float
    seconds_per_validation: float | None  # of a window
    seconds_per_cutoff: float | None  # of the scores; in the last stage


class Estimate(StageEstimate):
    """The estimate of a run: as its last stage, with the largest memory of all stages.

    Attributes
    ----------
    total_seconds
        The shortest and the longest time of the whole run.
    parts
        The same of its parts: `start` (of the trainer), `training` (with validations), `scoring` (during training and
        at the end), without parts that the trial had no time to measure.
    """

    total_seconds: Seconds
    parts: Mapping[str, Seconds]
    stages: Mapping[str, StageEstimate]


class RunComparison(View):
    """Runs side by side: the settings in which they differ, with a value for each run, and their scores by run id."""

    runs: tuple[TuneRun, ...]
    differences: dict[str, tuple[Any, ...]]
    scores: dict[str, dict[str, Any] | None]

    @field_serializer("differences")
    def _write_differences(self, differences: dict[str, tuple[Any, ...]]) -> list[dict[str, Any]]:
        return [{"field": field, "values": values} for field, values in differences.items()]

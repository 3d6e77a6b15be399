"""Evaluations, saved in `evaluations/ID` of the home folder.

`candles/` holds a copy of the candles, `scores/` the results of `walk_forward` batch by batch, `scores.csv` the scores
of every cutoff once it has finished.
"""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import Field, model_validator

from kronos_app.i18n import Text, text
from kronos_app.services.evaluation.request import EvaluationRequest
from kronos_app.services.runs.job_run import JobRun, JobSummary
from kronos_app.services.runs.run import RunFolders, Summary
from kronos_app.services.selection.setup import ForecastSetup

if TYPE_CHECKING:
    from training.evaluation.cutoffs import Series

SCORES = "scores.csv"
ZERO_DRIFT, WITH_DRIFT = text("zero drift"), text("with drift")


class EvaluationSummary(JobSummary):
    """The fields of the report that a list shows."""

    verdicts: dict[str, Text]


class Evaluation(JobRun[EvaluationRequest]):
    """An evaluation."""

    kind: ClassVar[str] = "evaluation"
    noun: ClassVar[Text] = text("evaluation")
    nouns: ClassVar[Text] = text("evaluations")
    summary: ClassVar[type[Summary]] = EvaluationSummary
    private: ClassVar[frozenset[str]] = frozenset({"files", "pace"})

    setups: dict[str, ForecastSetup] = Field(description="Of each model, with what it recommended.")
    series: int
    cutoffs: int = Field(description="Of all series together, at most.")
    verdicts: dict[str, Text] = Field(
        default_factory=dict, description="By model, whether it is better than the best baseline."
    )

    @model_validator(mode="before")
    @classmethod
    def _add_setups(cls, fields: dict[str, Any]) -> dict[str, Any]:
        """Return the fields of an evaluation of an earlier version with setups: those forecast with drift."""
        request = fields.get("request")
        if "setups" in fields or not isinstance(request, dict):
            return fields
        setup = {"driftless": False} | {name: request[name] for name in ForecastSetup.model_fields if name in request}
        return {**fields, "setups": dict.fromkeys(request.get("models", ()), setup)}

    def describe_setup(self, model: str) -> Text:
        """Return the setup that the verdict on a model is about, in words."""
        setup = self.setups[model]
        return text(
            "Setup: {model}, lookback {lookback}, horizon {horizon}, {samples} samples, {drift}.",
            model=model,
            lookback=setup.lookback,
            horizon=setup.horizon,
            samples=setup.samples,
            drift=ZERO_DRIFT if setup.driftless else WITH_DRIFT,
        )

    @property
    def scores(self) -> Path:
        """Return the folder of `walk_forward`."""
        return self.path / "scores"

    def read_candles(self) -> list[Series]:
        """Return the copied candles."""
        from training.evaluation.command import read_series

        return list(read_series((self.path / "candles").glob("*/*.parquet")))

    def write_result(self, report: dict[str, Any], csv: str) -> None:
        """Write the scores of every cutoff, then the report.

        Raises Unavailable (the folder cannot be written to).
        """
        self.write_report(report, lambda: (self.path / SCORES).write_text(csv, encoding="utf-8"))

    def csv(self) -> str:
        """Return the scores of every forecaster at every cutoff, empty until the evaluation has finished."""
        with suppress(FileNotFoundError):
            return (self.path / SCORES).read_text(encoding="utf-8")
        return ""


EvaluationFolders = RunFolders[Evaluation]

"""Fine-tuning runs, saved in `runs/ID` of the home folder.

Beside the files of the trainer, `queued.json` exists while the run is queued and says since when.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Mapping
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal
from uuid import uuid4

from pydantic import BeforeValidator, Field, computed_field, model_validator
from pydantic.json_schema import SkipJsonSchema

from kronos_app.i18n import Text, text
from kronos_app.services.core.training_errors import training_errors
from kronos_app.services.finetune.request import TuneRequest
from kronos_app.services.runs.run import Run, RunFolders, Summary
from kronos_app.store.records import now
from training.errors import Unreadable
from training.saved import parse_saved

if TYPE_CHECKING:
    from kronos_app.services.finetune.base import BaseModel
    from training.run.config import RunConfig
    from training.run.folder import RunFolder, Status

QUEUED = "queued.json"
Runs = list["TuneRun"]
TuneState = Literal["queued", "running", "paused", "finished", "failed", "interrupted"]

# Whether a run is under way is found out by taking its lock for a moment: two who ask at once would see each other.
_probing = Lock()


def _complete(config: Any) -> dict[str, Any]:
    """Return a saved config with every setting of this version."""
    from training.run.config import RunConfig

    try:
        return parse_saved(RunConfig, config, "config").model_dump(mode="json")
    except Unreadable as error:
        raise ValueError(str(error)) from error


class TuneSummary(Summary):
    """The fields of the report that a list shows; a run is worse than its base model if any split is."""

    worse: bool | None = None
    verdict: Text | None = None
    scores: dict[str, Any] | None = None

    @model_validator(mode="before")
    @classmethod
    def _choose_split(cls, report: dict[str, Any]) -> dict[str, Any]:
        from training.run.report import judgements

        splits = list(judgements(report).values())
        if not splits:
            return {}
        decisive = next((split for split in splits if split["worse"]), splits[0])
        return {"worse": decisive["worse"], "verdict": decisive["verdict"], "scores": splits[0]["forecasters"]}


class TuneRun(Run[TuneRequest]):
    """A fine-tuning run with the state and the progress of its trainer.

    Attributes
    ----------
    context
        Candles that the base model can hold.
    config
        `RunConfig.model_dump(mode="json")`.
    data_digest
        The folder in `tuning_data` with its candles.
    """

    kind: ClassVar[str] = "run"
    noun: ClassVar[Text] = text("run")
    nouns: ClassVar[Text] = text("runs")
    ids: ClassVar[re.Pattern[str]] = re.compile(r"[a-z0-9][a-z0-9-]{0,100}")
    summary: ClassVar[type[Summary]] = TuneSummary

    base: str | None = Field(description="Base model; null for one trained from scratch.")
    context: SkipJsonSchema[int] = Field(exclude=True)
    config: SkipJsonSchema[Annotated[dict[str, Any], BeforeValidator(_complete)]] = Field(exclude=True)
    data_digest: SkipJsonSchema[str] = Field(exclude=True)
    state: TuneState = Field("interrupted", description="interrupted: its trainer process ended; resume it.")
    progress: float = Field(0.0, description="0 to 1, over all stages.")
    phase: str = Field(
        "preparing", description="preparing, tokenizer, predictor, judging or exporting: the current or last one."
    )
    step: int = Field(0, description="Of the current stage.")
    steps: int = 0
    loss: float | None = Field(None, description="Last training loss.")
    rate: float | None = Field(None, description="Windows per second.")
    remaining: float | None = Field(None, description="Seconds until the current stage ends.")
    queue_position: int | None = Field(None, description="1 is next; null if it is not queued.")
    stopped: bool = Field(False, description="Training was ended early, keeping the best checkpoint.")
    worse: bool | None = Field(None, description="Whether it forecasts worse than its base model.")
    verdict: Text | None = Field(None, description="The same in a sentence.")
    scores: dict[str, Any] | None = Field(None, description="By forecaster (tuned, base, baselines), then by score.")
    registered: list[str] = Field([], description="Registered versions, as name@version.")

    @computed_field  # type: ignore[prop-decorator]  # as pydantic's documentation says
    @property
    def name(self) -> str:
        """Return the name that the user chose."""
        return str(self.config["name"])

    @computed_field  # type: ignore[prop-decorator]
    @property
    def method(self) -> str:
        """Return the training method."""
        return str(self.config["method"]["kind"])

    @computed_field  # type: ignore[prop-decorator]
    @property
    def stages(self) -> tuple[str, ...]:
        """Return the stages that are trained."""
        return tuple(stage for stage in ("tokenizer", "predictor") if self.config[stage] is not None)

    @property
    def judgements(self) -> dict[str, Mapping[str, Any]]:
        """Return the parts of the report by split, the held-out one first; empty until the run has finished."""
        from training.run.report import judgements

        return judgements(self.report)

    @property
    def folder(self) -> RunFolder:
        """Return the folder as the trainer uses it."""
        from training.run.folder import RunFolder

        return RunFolder(self.path)

    def status(self) -> Status:
        """Return the status that the trainer wrote; `interrupted` if it died."""
        return read_status(self.path)

    @property
    def queued_since(self) -> float | None:
        """Return when the run was queued, in seconds since 1970, None if it is not queued."""
        return _queued_since(self.path)

    def queue(self) -> None:
        """Put the run at the end of the queue."""
        _queue(self.path)

    def leave_queue(self) -> None:
        """Remove the run from the queue."""
        (self.path / QUEUED).unlink(missing_ok=True)


class TuneFolders(RunFolders[TuneRun]):
    """The folders of all fine-tuning runs; every thread may use it."""

    def __init__(self, home: Path) -> None:
        super().__init__(home, TuneRun)

    def make_queued(self, request: TuneRequest, config: RunConfig, base: BaseModel, data_digest: str) -> TuneRun:
        """Create the folder of a new, queued run.

        Raises Unavailable (the disk is full, or the folder cannot be written to).
        """
        from training.run.config_file import write_config
        from training.run.folder import RunFolder

        def write(path: Path) -> dict[str, Any]:
            with training_errors():
                write_config(config, RunFolder(path).config)
            _queue(path)
            saved = {"base": base.name, "context": base.context, "config": config.model_dump(mode="json")}
            return {**saved, "data_digest": data_digest}

        slug = re.sub(r"[^a-z0-9]+", "-", config.name.lower()).strip("-") or "run"
        return self.make(request, write, f"{slug}-{now():%Y%m%d}-{uuid4().hex[:8]}")

    def queued(self) -> Runs:
        """Return the queued runs, the next one first."""
        waiting, _unreadable = self._read(path for path in self._paths() if _queued_since(path) is not None)
        return sorted(waiting, key=lambda run: (run.queued_since or 0.0, run.id))


def read_status(path: Path) -> Status:
    """Return the status that the trainer wrote into a run's folder; `interrupted` if it died."""
    from training.run.folder import RunFolder

    with _probing:
        return RunFolder(path).status()


def _queue(path: Path) -> None:
    from training.run.folder import write_json

    with training_errors():
        write_json(path / QUEUED, {"since": time.time()})


def _queued_since(path: Path) -> float | None:
    try:
        return float(json.loads((path / QUEUED).read_text(encoding="utf-8"))["since"])
    except (OSError, ValueError, KeyError, TypeError):
        return None

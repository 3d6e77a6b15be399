"""The folders of runs: `runs/ID` in the home folder, which are the truth about every run.

Beside what the trainer keeps there, `desk.json` says what was asked for and `queued.json`, while it is there, since
when the run waits for its turn. A folder without `desk.json` is one whose making was interrupted.
"""

from __future__ import annotations

import json
import re
import time
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Annotated, Any
from uuid import uuid4

from pydantic import BeforeValidator

from kronos_app.errors import CHECK_HOME, NotFound, explain_os_errors
from kronos_app.i18n import text
from kronos_app.services.core.training_errors import training_errors
from kronos_app.services.finetune.request import TuneRequest
from kronos_app.services.runs.folders import DESK, Saved, SavedFolders
from kronos_app.store.records import now
from training.errors import Unreadable
from training.saved import parse_saved

if TYPE_CHECKING:
    from training.run.config import RunConfig
    from training.run.folder import RunFolder, Status

ID = re.compile(r"[a-z0-9][a-z0-9-]{0,100}")
QUEUED = "queued.json"
Runs = list["Run"]

# Whether a run is under way is found out by taking its lock for a moment: two who ask at once would see each other.
_probing = Lock()


def _complete(config: Any) -> dict[str, Any]:
    """Return a saved config with every setting of this version."""
    from training.run.config import RunConfig

    try:
        return parse_saved(RunConfig, config, "config").model_dump(mode="json")
    except Unreadable as error:
        raise ValueError(str(error)) from error


class Run(Saved):
    """A run's folder, and what was asked for when it was made.

    Attributes
    ----------
    base, context
        Name of the model it began with, and how many candles that can hold.
    config
        `RunConfig.model_dump(mode="json")`.
    data_digest
        Which of `tuning_data` it learns from.
    """

    request: TuneRequest
    base: str | None
    context: int
    config: Annotated[dict[str, Any], BeforeValidator(_complete)]
    data_digest: str

    @property
    def folder(self) -> RunFolder:
        """Return the folder as the trainer knows it."""
        from training.run.folder import RunFolder

        return RunFolder(self.path)

    @property
    def name(self) -> str:
        """Return what people call it."""
        return str(self.config["name"])

    def status(self) -> Status:
        """Return what the trainer says of it; `interrupted` where it died."""
        return status_in(self.path)

    @property
    def queued_since(self) -> float | None:
        """Return since when it waits for its turn, None where it does not."""
        try:
            return float(json.loads((self.path / QUEUED).read_text(encoding="utf-8"))["since"])
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def queue(self) -> None:
        """Have it wait for its turn."""
        from training.run.folder import write_json

        with training_errors():
            write_json(self.path / QUEUED, {"since": time.time()})

    def leave_queue(self) -> None:
        """Have it wait no longer."""
        (self.path / QUEUED).unlink(missing_ok=True)


def status_in(path: Path) -> Status:
    """Return what the trainer says of the run in a folder."""
    from training.run.folder import RunFolder

    with _probing:
        return RunFolder(path).status()


class RunFolders(SavedFolders[Run]):
    """All runs of a home folder; every thread may use it."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, Run, ID)

    def make(self, request: TuneRequest, config: RunConfig, base: str | None, context: int, data_digest: str) -> Run:
        """Make the folder of a new run, waiting for its turn.

        Raises
        ------
        Unavailable
            The disk is full, or the folder cannot be written to.
        """
        from training.run.config_file import write_config
        from training.run.folder import RunFolder, write_json

        created = now()
        run_id = f"{_slug(config.name)}-{created:%Y%m%d}-{uuid4().hex[:8]}"
        path = self.folder / run_id
        kept = {
            "created": created.isoformat(),
            "request": request.model_dump(mode="json"),
            "base": base,
            "context": context,
            "config": config.model_dump(mode="json"),
            "data_digest": data_digest,
        }
        message = text("The run's folder could not be made: {reason}.")
        with explain_os_errors("run_folder", message, CHECK_HOME):
            path.mkdir(parents=True)
            with training_errors():
                write_config(config, RunFolder(path).config)
                write_json(path / QUEUED, {"since": time.time()})
                write_json(path / DESK, kept)  # last: a folder without it is incomplete
        return self.get(run_id)

    def queued(self) -> Runs:
        """Return the runs that wait for their turn, the next one first."""
        waiting = [(since, run.id, run) for run in self.list() if (since := run.queued_since) is not None]
        return [run for *_, run in sorted(waiting, key=lambda one: one[:2])]

    def _not_found(self, record_id: str) -> NotFound:
        return NotFound(
            "run_not_found",
            text("There is no run {id}.", id=record_id),
            text("It may have been discarded; the Fine-tune page lists all runs."),
        )


def _slug(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-") or "run"

"""The folders of runs: `runs/ID` in the home folder, which are the truth about every run.

Beside what the trainer keeps there, `desk.json` says what was asked for and `queued.json`, while it is there, since
when the run waits for its turn. A folder without `desk.json` is one whose making was interrupted.
"""

from __future__ import annotations

import json
import re
import shutil
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from kronos_app.errors import NotFound, Unavailable
from kronos_app.i18n import text
from kronos_app.services.core.training_errors import training_errors
from kronos_app.services.finetune.request import TuneRequest
from kronos_app.store.records import now

if TYPE_CHECKING:
    from training.run.config import RunConfig
    from training.run.folder import RunFolder, Status

ID = re.compile(r"[a-z0-9][a-z0-9-]{0,100}")
DESK, QUEUED = "desk.json", "queued.json"
Runs = list["Run"]

# Whether a run is under way is found out by taking its lock for a moment: two who ask at once would see each other.
_probing = Lock()


@dataclass(frozen=True)
class Run:
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

    id: str
    path: Path
    created: datetime
    request: TuneRequest
    base: str | None
    context: int
    config: Mapping[str, Any]
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
        with _probing:
            return self.folder.status()

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


class RunFolders:
    """All runs of a home folder; every thread may use it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def list(self) -> Runs:
        """Return all runs, newest first."""
        if not self.folder.is_dir():
            return []
        found = [self._read(path) for path in self.folder.iterdir() if ID.fullmatch(path.name)]
        return sorted((run for run in found if run is not None), key=lambda run: run.created, reverse=True)

    def get(self, run_id: str) -> Run:
        """Return a run.

        Raises
        ------
        NotFound
            There is none of this id.
        """
        run = self._read(self.folder / run_id) if ID.fullmatch(run_id) else None
        if run is None:
            raise NotFound(
                "run_not_found",
                text("There is no run {id}.", id=run_id[:100]),
                text("It may have been discarded; the Fine-tune page lists what there is."),
            )
        return run

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
        try:
            path.mkdir(parents=True)
            with training_errors():
                write_config(config, RunFolder(path).config)
                write_json(path / QUEUED, {"since": time.time()})
                write_json(path / DESK, kept)  # last: what lacks it is not whole
        except OSError as error:
            raise Unavailable(
                "run_folder",
                text("The run's folder could not be made: {reason}.", reason=error.strerror or str(error)),
                text("Check the free space and the permissions of the app's home."),
            ) from error
        return self.get(run_id)

    def queued(self) -> Runs:
        """Return the runs that wait for their turn, the next one first."""
        waiting = [(since, run.id, run) for run in self.list() if (since := run.queued_since) is not None]
        return [run for *_, run in sorted(waiting, key=lambda one: one[:2])]

    def remove(self, run: Run) -> None:
        """Delete a run that nobody trains; it is gone at once, however long deleting takes."""
        gone = self.folder / f".gone-{uuid4().hex}"
        with suppress(FileNotFoundError):
            run.path.rename(gone)
        shutil.rmtree(gone, ignore_errors=True)

    def tidy(self) -> None:
        """Delete what an interruption left behind: half-made and half-deleted runs."""
        for path in self.folder.iterdir() if self.folder.is_dir() else ():
            half = ID.fullmatch(path.name) and not (path / DESK).exists() and time.time() - path.stat().st_mtime > 3600
            if path.is_dir() and (half or path.name.startswith(".gone-")):
                shutil.rmtree(path, ignore_errors=True)

    def _read(self, path: Path) -> Run | None:
        try:
            kept = json.loads((path / DESK).read_text(encoding="utf-8"))
            return Run(
                id=path.name,
                path=path,
                created=datetime.fromisoformat(kept["created"]).astimezone(UTC),
                request=TuneRequest.model_validate(kept["request"]),
                base=kept["base"],
                context=kept["context"],
                config=kept["config"],
                data_digest=kept["data_digest"],
            )
        except (OSError, ValueError, KeyError, TypeError):
            return None


def _slug(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-") or "run"

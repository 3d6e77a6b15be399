"""The folders of evaluations: `evaluations/ID` in the home folder, which are the truth about every one.

`desk.json` says what was asked for; `candles/` are the series as they were then, `scores/` what `walk_forward` keeps,
batch by batch, and `report.json` and `scores.csv` are there once it has finished. A folder without `desk.json` is one
whose making was interrupted.
"""

from __future__ import annotations

import json
import re
import shutil
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from kronos_app.errors import NotFound, Unavailable
from kronos_app.i18n import Text, text
from kronos_app.services.evaluation_request import EvaluationRequest
from kronos_app.services.training_errors import training_errors
from kronos_app.services.tuning_files import Part, write
from kronos_app.store.records import now

if TYPE_CHECKING:
    from training.evaluation.cutoffs import Series

ID = re.compile(r"[a-f0-9]{12}")
DESK, REPORT, SCORES = "desk.json", "report.json", "scores.csv"
NAMED = 3  # series that an origin lists before it only counts
Evaluations = list["Evaluation"]


@dataclass(frozen=True)
class Evaluation:
    """An evaluation's folder, and what was asked for when it was made.

    Attributes
    ----------
    request
        Its models are names of exactly one version.
    origin
        The candles in words.
    series, cutoffs
        How many of each there are, as far as that was known when it was made.
    notes
        What to know about the candles.
    """

    id: str
    path: Path
    created: datetime
    request: EvaluationRequest
    origin: str
    series: int
    cutoffs: int
    notes: tuple[Text, ...]

    @property
    def scores(self) -> Path:
        """Return the folder of `walk_forward`."""
        return self.path / "scores"

    def read(self) -> list[Series]:
        """Return its candles, which nothing changes any more."""
        from training.evaluate import read_series

        return list(read_series((self.path / "candles").glob("*/*.parquet")))

    def report(self) -> dict[str, Any] | None:
        """Return what came of it, None as long as it has not finished."""
        path = self.path / REPORT
        try:
            return _report(path, path.stat().st_mtime_ns)
        except (OSError, ValueError):
            return None

    def write_report(self, report: dict[str, Any], csv: str) -> None:
        """Keep what came of it.

        Raises
        ------
        Unavailable
            The folder cannot be written to.
        """
        from training.run import write_json

        try:
            (self.path / SCORES).write_text(csv, encoding="utf-8")
        except OSError as error:
            raise _unwritable(error) from error
        with training_errors():
            write_json(self.path / REPORT, report)

    def csv(self) -> str:
        """Return the scores of every forecaster at every cutoff, empty as long as there are none."""
        with suppress(OSError):
            return (self.path / SCORES).read_text(encoding="utf-8")
        return ""


class EvaluationFolders:
    """All evaluations of a home folder; every thread may use it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def list(self) -> Evaluations:
        """Return all evaluations, newest first."""
        if not self.folder.is_dir():
            return []
        found = [_read(path) for path in self.folder.iterdir() if ID.fullmatch(path.name)]
        return sorted((one for one in found if one is not None), key=lambda one: one.created, reverse=True)

    def get(self, evaluation_id: str) -> Evaluation:
        """Return an evaluation.

        Raises
        ------
        NotFound
            There is none of this id.
        """
        found = _read(self.folder / evaluation_id) if ID.fullmatch(evaluation_id) else None
        if found is None:
            raise NotFound(
                "evaluation_not_found",
                text("There is no evaluation {id}.", id=evaluation_id[:100]),
                text("It may have been deleted; the Evaluate page lists what there is."),
            )
        return found

    def make(
        self, request: EvaluationRequest, parts: Sequence[Part], cutoffs: int, notes: Sequence[Text]
    ) -> Evaluation:
        """Make the folder of a new evaluation with a copy of its candles.

        Raises
        ------
        Unavailable
            The disk is full, or the folder cannot be written to.
        """
        from training.run import write_json

        self._tidy()
        path = self.folder / uuid4().hex[:12]
        names = [part.name for part in parts]
        kept = {
            "created": now().isoformat(),
            "request": request.model_dump(mode="json"),
            "origin": ", ".join(names[:NAMED]) + (f" + {len(names) - NAMED}" if len(names) > NAMED else ""),
            "series": len(parts),
            "cutoffs": cutoffs,
            "notes": [note.to_dict() for note in notes],
        }
        try:
            path.mkdir(parents=True)
            write(parts, path / "candles")
            with training_errors():
                write_json(path / DESK, kept)  # last: what lacks it is not whole
        except OSError as error:
            shutil.rmtree(path, ignore_errors=True)
            raise _unwritable(error) from error
        return self.get(path.name)

    def remove(self, evaluation: Evaluation) -> None:
        """Delete an evaluation; it is gone at once, however long deleting takes."""
        gone = self.folder / f".gone-{uuid4().hex}"
        with suppress(FileNotFoundError):
            evaluation.path.rename(gone)
        shutil.rmtree(gone, ignore_errors=True)

    def _tidy(self) -> None:
        """Delete what an interruption left behind: half-made and half-deleted evaluations."""
        for path in self.folder.iterdir() if self.folder.is_dir() else ():
            half = ID.fullmatch(path.name) and not (path / DESK).exists() and time.time() - path.stat().st_mtime > 3600
            if path.is_dir() and (half or path.name.startswith(".gone-")):
                shutil.rmtree(path, ignore_errors=True)


@lru_cache(maxsize=64)
def _report(path: Path, _changed: int) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return found


def _read(path: Path) -> Evaluation | None:
    try:
        kept = json.loads((path / DESK).read_text(encoding="utf-8"))
        return Evaluation(
            id=path.name,
            path=path,
            created=datetime.fromisoformat(kept["created"]).astimezone(UTC),
            request=EvaluationRequest.model_validate(kept["request"]),
            origin=kept["origin"],
            series=kept["series"],
            cutoffs=kept["cutoffs"],
            notes=tuple(Text.from_dict(note) for note in kept["notes"]),
        )
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _unwritable(error: OSError) -> Unavailable:
    return Unavailable(
        "evaluation_not_kept",
        text("The evaluation could not be kept: {reason}.", reason=error.strerror or str(error)),
        text("Check the free space and the permissions of the app's home."),
    )

"""Folders of work, `KIND/ID` in the home folder, which are the truth about every piece of it.

`desk.json` says what was asked for, `candles/` are the candles as they were then, and `report.json` is there once it
has finished. A folder without `desk.json` is one whose making was interrupted.
"""

from __future__ import annotations

import json
import re
import shutil
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any, Generic, TypeVar
from uuid import uuid4

from pydantic import BaseModel

from kronos_app.errors import NotFound, Unavailable
from kronos_app.i18n import Text
from kronos_app.services.core.training_errors import training_errors
from kronos_app.store.records import now

ID = re.compile(r"[a-f0-9]{12}")
DESK, REPORT = "desk.json", "report.json"
NAMED = 3  # series that an origin lists before it only counts
HALF_MADE_SECONDS = 3600  # after which nobody is still making it

Request = TypeVar("Request", bound=BaseModel)


@dataclass(frozen=True)
class Work(Generic[Request]):
    """A folder of work, and what was asked for when it was made.

    Attributes
    ----------
    request
        Its models are names of exactly one version.
    origin
        The candles in words.
    notes
        What to know about the candles.
    """

    id: str
    path: Path
    created: datetime
    request: Request
    origin: str
    notes: tuple[Text, ...]

    def report(self) -> dict[str, Any] | None:
        """Return what came of it, None as long as it has not finished."""
        path = self.path / REPORT
        try:
            return _report(path, path.stat().st_mtime_ns)
        except (OSError, ValueError):
            return None


Kept = TypeVar("Kept", bound=Work[Any])
Listed = list[Kept]
Copied = tuple[Sequence[str], dict[str, Any]]


class WorkFolders(ABC, Generic[Kept]):
    """All work of one kind in a home folder; every thread may use it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def list(self) -> Listed[Kept]:
        """Return all that there is, newest first."""
        if not self.folder.is_dir():
            return []
        found = [self._found(path) for path in self.folder.iterdir() if ID.fullmatch(path.name)]
        return sorted((one for one in found if one is not None), key=lambda one: one.created, reverse=True)

    def get(self, work_id: str) -> Kept:
        """Return one of them.

        Raises
        ------
        NotFound
            There is none of this id.
        """
        found = self._found(self.folder / work_id) if ID.fullmatch(work_id) else None
        if found is None:
            raise self._missing(work_id[:100])
        return found

    def make_folder(self) -> None:
        """Make the folder of all, where there is none.

        Raises
        ------
        Unavailable
            The home folder cannot be written.
        """
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise self._unwritable(error.strerror or str(error)) from error

    def remove(self, work: Kept) -> None:
        """Delete one of them; it is gone at once, however long deleting takes."""
        gone = self.folder / f".gone-{uuid4().hex}"
        with suppress(FileNotFoundError):
            work.path.rename(gone)
        shutil.rmtree(gone, ignore_errors=True)

    def _made(self, request: BaseModel, notes: Sequence[Text], copy: Callable[[Path], Copied]) -> Kept:
        """Make a new folder.

        Parameters
        ----------
        copy
            Writes the candles to the folder it is given, and returns their names and what else `desk.json` keeps.

        Raises
        ------
        Unavailable
            The disk is full, or the folder cannot be written to.
        """
        from training.run.folder import write_json

        self._tidy()
        path = self.folder / uuid4().hex[:12]
        try:
            path.mkdir(parents=True)
            names, own = copy(path / "candles")
            kept = {
                "created": now().isoformat(),
                "request": request.model_dump(mode="json"),
                "origin": ", ".join(names[:NAMED]) + (f" + {len(names) - NAMED}" if len(names) > NAMED else ""),
                **own,
                "notes": [note.to_dict() for note in notes],
            }
            with training_errors():
                write_json(path / DESK, kept)  # last: what lacks it is not whole
        except OSError as error:
            raise self._unwritable(error.strerror or str(error)) from error
        finally:
            if not (path / DESK).exists():
                shutil.rmtree(path, ignore_errors=True)
        return self.get(path.name)

    def _tidy(self) -> None:
        """Delete what an interruption left behind: the half-made and the half-deleted."""
        for path in self.folder.iterdir() if self.folder.is_dir() else ():
            half = ID.fullmatch(path.name) and not (path / DESK).exists()
            half = half and time.time() - path.stat().st_mtime > HALF_MADE_SECONDS
            if path.is_dir() and (half or path.name.startswith(".gone-")):
                shutil.rmtree(path, ignore_errors=True)

    def _found(self, path: Path) -> Kept | None:
        try:
            return self._read(path, json.loads((path / DESK).read_text(encoding="utf-8")))
        except (OSError, ValueError, KeyError, TypeError):
            return None

    @abstractmethod
    def _read(self, path: Path, kept: dict[str, Any]) -> Kept:
        """Return what `desk.json` kept; may raise ValueError, KeyError and TypeError where that is damaged."""

    @abstractmethod
    def _missing(self, work_id: str) -> NotFound:
        """Return what tells that there is none of this id."""

    @abstractmethod
    def _unwritable(self, reason: str) -> Unavailable:
        """Return what tells that the folder cannot be written to."""


def common(path: Path, kept: dict[str, Any]) -> dict[str, Any]:
    """Return the fields of `Work` that `desk.json` keeps alike for every kind: all but `request`."""
    return {
        "id": path.name,
        "path": path,
        "created": datetime.fromisoformat(kept["created"]).astimezone(UTC),
        "origin": kept["origin"],
        "notes": tuple(Text.from_dict(note) for note in kept["notes"]),
    }


@lru_cache(maxsize=192)
def _report(path: Path, _changed: int) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return found

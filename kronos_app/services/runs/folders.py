"""Folders of work, `KIND/ID` in the home folder, which are the truth about every piece of it.

`desk.json` says what was asked for, `candles/` are the candles as they were then, and `report.json` is there once it
has finished. A folder without `desk.json` is one whose making was interrupted.
"""

from __future__ import annotations

import re
import shutil
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any, Generic, TypeVar
from uuid import uuid4

from pydantic import AfterValidator, BaseModel, ConfigDict

from kronos_app.errors import NotFound, Unavailable
from kronos_app.i18n import Text
from kronos_app.services.core.training_errors import to_text, training_errors, unreadable_error
from kronos_app.store.records import UnreadableRecord, UnreadableRecords, now
from training.errors import Unreadable
from training.saved import load_json, load_saved

ID = re.compile(r"[a-f0-9]{12}")
DESK, REPORT = "desk.json", "report.json"
NAMED = 3  # series that an origin lists before it only counts
HALF_MADE_SECONDS = 3600  # after which nobody is still making it

Request = TypeVar("Request", bound=BaseModel)


class Saved(BaseModel):
    """A folder and its `desk.json`."""

    model_config = ConfigDict(frozen=True)

    id: str
    path: Path
    created: Annotated[datetime, AfterValidator(lambda moment: moment.astimezone(UTC))]


class Work(Saved, Generic[Request]):
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

    request: Request
    origin: str
    notes: tuple[Text, ...]

    def report(self) -> dict[str, Any] | None:
        """Return what came of it, None as long as it has not finished or where the file cannot be read."""
        path = self.path / REPORT
        with suppress(FileNotFoundError, Unreadable):
            return _report(path, path.stat().st_mtime_ns)
        return None

    def report_problem(self) -> Text | None:
        """Return why the report cannot be read, None where it can or there is none: resuming makes it again."""
        path = self.path / REPORT
        try:
            if path.exists():
                _report(path, path.stat().st_mtime_ns)
        except Unreadable as error:
            return to_text(error.message)
        return None


Kept = TypeVar("Kept", bound=Saved)
KeptWork = TypeVar("KeptWork", bound=Work[Any])
Listed = list[Kept]
Copied = tuple[Sequence[str], dict[str, Any]]


class SavedFolders(ABC, Generic[Kept]):
    """All folders of one kind in a home folder; every thread may use it.

    Attributes
    ----------
    kind
        What `desk.json` holds, with `id` and `path`.
    id_pattern
        Of the folders' names.
    """

    kind: type[Kept]
    id_pattern = ID

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def list(self) -> Listed[Kept]:
        """Return all that can be read, newest first."""
        return self._scan()[0]

    def unreadable(self) -> UnreadableRecords:
        """Return the folders whose `desk.json` this version cannot read, with the reason."""
        return self._scan()[1]

    def any(self) -> bool:
        """Return whether there is one, readable or not."""
        return any(self._paths())

    def get(self, saved_id: str) -> Kept:
        """Return one of them.

        Raises
        ------
        NotFound
            There is none of this id.
        Conflict
            This version cannot read it.
        """
        path = self.path(saved_id)
        try:
            return self._read(path)
        except Unreadable as error:
            raise unreadable_error(saved_id, to_text(error.message)) from error

    def path(self, saved_id: str) -> Path:
        """Return the folder of an id, whether or not it can be read.

        Raises
        ------
        NotFound
            There is none of this id.
        """
        path = self.folder / saved_id
        if not (self.id_pattern.fullmatch(saved_id) and (path / DESK).exists()):
            raise self._missing(saved_id[:100])
        return path

    def remove(self, saved_id: str) -> None:
        """Delete one of them; it is gone at once, however long deleting takes."""
        gone = self.folder / f".gone-{uuid4().hex}"
        with suppress(FileNotFoundError):
            (self.folder / saved_id).rename(gone)
        shutil.rmtree(gone, ignore_errors=True)

    def tidy(self) -> None:
        """Delete what an interruption left behind: the half-made and the half-deleted."""
        for path in self.folder.iterdir() if self.folder.is_dir() else ():
            half = self.id_pattern.fullmatch(path.name) and not (path / DESK).exists()
            half = half and time.time() - path.stat().st_mtime > HALF_MADE_SECONDS
            if path.is_dir() and (half or path.name.startswith(".gone-")):
                shutil.rmtree(path, ignore_errors=True)

    def _scan(self) -> tuple[Listed[Kept], UnreadableRecords]:
        saved: Listed[Kept] = []
        unreadable: UnreadableRecords = []
        for path in self._paths():
            try:
                saved.append(self._read(path))
            except Unreadable as error:
                unreadable.append(UnreadableRecord(path.name, to_text(error.message)))
        return sorted(saved, key=lambda one: one.created, reverse=True), unreadable

    def _paths(self) -> Iterator[Path]:
        for path in sorted(self.folder.iterdir()) if self.folder.is_dir() else ():
            if self.id_pattern.fullmatch(path.name) and (path / DESK).exists():
                yield path

    def _read(self, path: Path) -> Kept:
        return load_saved(self.kind, path / DESK, id=path.name, path=path)

    @abstractmethod
    def _missing(self, saved_id: str) -> NotFound:
        """Return what tells that there is none of this id."""


class WorkFolders(SavedFolders[KeptWork]):
    """All work of one kind in a home folder; every thread may use it."""

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

    def _made(self, request: BaseModel, notes: Sequence[Text], copy: Callable[[Path], Copied]) -> KeptWork:
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

        self.tidy()
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

    @abstractmethod
    def _unwritable(self, reason: str) -> Unavailable:
        """Return what tells that the folder cannot be written to."""


@lru_cache(maxsize=192)
def _report(path: Path, _changed: int) -> dict[str, Any]:
    return load_json(path)

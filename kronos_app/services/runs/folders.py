"""Saved records in folders of their own: `evaluations/ID`, `backtests/ID` and `runs/ID` in the home folder.

`desk.json` is written last. A folder without it was not completed and is deleted after an hour.
"""

from __future__ import annotations

import re
import shutil
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Generic, Self, TypeVar
from uuid import uuid4

from pydantic import AfterValidator, ConfigDict, Field
from pydantic.json_schema import SkipJsonSchema

from kronos_app.errors import NotFound
from kronos_app.services.core.training_errors import to_text, unreadable_error
from kronos_app.services.core.view import View
from kronos_app.store.records import UnreadableRecord, UnreadableRecords
from training.errors import Unreadable
from training.saved import load_saved

ID = re.compile(r"[a-f0-9]{12}")
DESK = "desk.json"
SECONDS_TO_COMPLETE = 3600

Record = TypeVar("Record", bound="Saved")
Listed = list[Record]


class Saved(View):
    """A folder and its `desk.json`."""

    model_config = ConfigDict(json_schema_serialization_defaults_required=True)

    id: str
    path: SkipJsonSchema[Path] = Field(exclude=True)
    created: Annotated[datetime, AfterValidator(lambda moment: moment.astimezone(UTC))]

    @classmethod
    def read(cls, path: Path) -> Self:
        """Return the record in a folder.

        Raises Unreadable (`desk.json` is damaged, or of a version that this one does not understand).
        """
        return load_saved(cls, path / DESK, id=path.name, path=path)


class SavedFolders(ABC, Generic[Record]):
    """All folders of one kind; every thread may use it.

    Parameters
    ----------
    folder
        The folder of the folders.
    record
        The class of the records.
    pattern
        The names of the folders.
    """

    def __init__(self, folder: Path, record: type[Record], pattern: re.Pattern[str] = ID) -> None:
        self.folder = folder
        self._record = record
        self._pattern = pattern

    def list(self) -> Listed[Record]:
        """Return the records that can be read, newest first."""
        return self._scan()[0]

    def unreadable(self) -> UnreadableRecords:
        """Return the folders whose `desk.json` this version cannot read, with the reason."""
        return self._scan()[1]

    def any(self) -> bool:
        """Return whether there is a record, readable or not."""
        return any(self._paths())

    def get(self, record_id: str) -> Record:
        """Return a record.

        Raises NotFound (there is no record of this id) or Conflict (this version cannot read it).
        """
        path = self.path(record_id)
        try:
            return self._record.read(path)
        except Unreadable as error:
            raise unreadable_error(record_id, to_text(error.message)) from error

    def path(self, record_id: str) -> Path:
        """Return the folder of an id, whether or not it can be read.

        Raises NotFound (there is no record of this id).
        """
        path = self.folder / record_id
        if not (self._pattern.fullmatch(record_id) and (path / DESK).exists()):
            raise self._not_found(record_id[:100])
        return path

    def remove(self, record_id: str) -> None:
        """Delete a folder. It is renamed first, so that it is gone at once."""
        deleted = self.folder / f".gone-{uuid4().hex}"
        with suppress(FileNotFoundError):
            (self.folder / record_id).rename(deleted)
        shutil.rmtree(deleted, ignore_errors=True)

    def tidy(self) -> None:
        """Delete folders whose creation or deletion was interrupted."""
        oldest = time.time() - SECONDS_TO_COMPLETE
        for path in self.folder.iterdir() if self.folder.is_dir() else ():
            incomplete = self._pattern.fullmatch(path.name) and not (path / DESK).exists()
            if path.name.startswith(".gone-") or (incomplete and path.stat().st_mtime < oldest):
                shutil.rmtree(path, ignore_errors=True)

    def _scan(self) -> tuple[Listed[Record], UnreadableRecords]:
        records: Listed[Record] = []
        unreadable: UnreadableRecords = []
        for path in self._paths():
            try:
                records.append(self._record.read(path))
            except Unreadable as error:
                unreadable.append(UnreadableRecord(path.name, to_text(error.message)))
        return sorted(records, key=lambda record: record.created, reverse=True), unreadable

    def _paths(self) -> Iterator[Path]:
        for path in sorted(self.folder.iterdir()) if self.folder.is_dir() else ():
            if self._pattern.fullmatch(path.name) and (path / DESK).exists():
                yield path

    @abstractmethod
    def _not_found(self, record_id: str) -> NotFound:
        """Return the error for an unknown id."""

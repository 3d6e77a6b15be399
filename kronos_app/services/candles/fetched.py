"""Fetched candles with their faults, stored in files until the user has reviewed them."""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from kronos_app.data import draft_file
from kronos_app.data.draft import Draft
from kronos_app.errors import NotFound, Unavailable
from kronos_app.i18n import Text, text

if TYPE_CHECKING:
    from kronos_app.services.candles.service import CandleService

log = logging.getLogger(__name__)

KEEP_SECONDS = 7 * 24 * 3600  # as long as the record of the job
_ID = re.compile(r"[0-9a-f]{16,64}")


class FetchedDrafts:
    """Drafts by id in one folder; thread-safe."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def save(self, draft: Draft, job: Mapping[str, Any], candles: CandleService) -> str:
        """Save the result of a job, and return its id: of a candle set, or of a draft for review.

        With `review` in the job's request the draft is stored as it is; it gets the id of a candle set, which is then
        saved too, only where it has no faults to decide about.
        """
        if job["review"] and not candles.inspect(draft).clean:
            return self.put(draft)
        saved = candles.keep(draft, job["repair"], job.get("fixes", ()), job.get("resample"))
        return self.put(draft, saved.id) if job["review"] else saved.id

    def put(self, draft: Draft, draft_id: str | None = None) -> str:
        """Store a draft, remove old ones, and return its id; raise `Unavailable` if the folder cannot be written."""
        draft_id = draft_id or uuid4().hex
        path = self._path(draft_id)
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            self._remove_old()
            # A reader sees the whole file or none, even after a crash during the write.
            part = path.with_suffix(f".{uuid4().hex}.part")
            try:
                part.write_bytes(draft_file.to_bytes(draft))
                part.replace(path)
            finally:
                part.unlink(missing_ok=True)
        except OSError as error:
            log.exception("Fetched candles could not be stored")
            raise Unavailable(
                "fetched_not_kept",
                text("The fetched candles of {name} could not be written to the disk.", name=draft.name),
                text("Check the free space and the permissions of {folder}.", folder=str(self._folder)),
            ) from error
        return draft_id

    def get(self, draft_id: str) -> Draft:
        """Return a draft; raise `NotFound` where it was removed or is damaged."""
        try:
            return draft_file.from_bytes(self._path(draft_id).read_bytes())
        except FileNotFoundError as error:
            raise _not_found(text("The fetched candles are not stored any more.")) from error
        except (OSError, ValueError) as error:
            log.warning("The fetched draft %s cannot be read: %s", draft_id[:64], error)
            raise _not_found(text("The fetched candles cannot be read: their file is damaged.")) from error

    def _path(self, draft_id: str) -> Path:
        if not _ID.fullmatch(draft_id):
            raise FileNotFoundError("not an id")
        return self._folder / f"{draft_id}.parquet"

    def _remove_old(self) -> None:
        oldest = time.time() - KEEP_SECONDS
        for path in self._folder.iterdir():
            if path.stat().st_mtime < oldest:
                path.unlink(missing_ok=True)


def _not_found(message: Text) -> NotFound:
    return NotFound("fetched_not_found", message, text("Fetch them again. Data sets saved from them are listed below."))

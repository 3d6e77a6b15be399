"""What was fetched, as it came and with its faults, kept in files until somebody has looked at it."""

from __future__ import annotations

import logging
import re
import time
from pathlib import Path
from uuid import uuid4

from kronos_app.data import draft_file
from kronos_app.data.draft import Draft
from kronos_app.errors import NotFound, Unavailable
from kronos_app.i18n import Text, text

log = logging.getLogger(__name__)

# As long as the record of the job that fetched it.
KEEP_SECONDS = 7 * 24 * 3600
_ID = re.compile(r"[0-9a-f]{16,64}")


class FetchedDrafts:
    """Drafts by id in one folder; every thread may use it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def put(self, draft: Draft, draft_id: str | None = None) -> str:
        """Keep a draft and return its id; one of the same id is replaced, and old ones go.

        Raises
        ------
        Unavailable
            The disk is full, or the folder cannot be written.
        """
        draft_id = draft_id or uuid4().hex
        path = self._path(draft_id)
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            self._prune()
            # A reader sees the whole file or none, also after the process dies in the middle.
            part = path.with_suffix(f".{uuid4().hex}.part")
            try:
                part.write_bytes(draft_file.to_bytes(draft))
                part.replace(path)
            finally:
                part.unlink(missing_ok=True)
        except OSError as error:
            log.exception("What was fetched could not be kept")
            raise Unavailable(
                "fetched_not_kept",
                text("What was fetched of {name} could not be written to the disk.", name=draft.name),
                text("Check the free space and the permissions of {folder}.", folder=str(self._folder)),
            ) from error
        return draft_id

    def get(self, draft_id: str) -> Draft:
        """Return a draft.

        Raises
        ------
        NotFound
            There is none of this id any more, or it is damaged.
        """
        try:
            return draft_file.from_bytes(self._path(draft_id).read_bytes())
        except FileNotFoundError as error:
            raise _not_found(text("What was fetched here is not kept any more.")) from error
        except (OSError, ValueError) as error:
            log.warning("The fetched draft %s cannot be read: %s", draft_id[:64], error)
            raise _not_found(text("What was fetched here cannot be read: its file is damaged.")) from error

    def _path(self, draft_id: str) -> Path:
        if not _ID.fullmatch(draft_id):
            raise ValueError("not an id")
        return self._folder / f"{draft_id}.parquet"

    def _prune(self) -> None:
        oldest = time.time() - KEEP_SECONDS
        for path in self._folder.iterdir():
            if path.stat().st_mtime < oldest:
                path.unlink(missing_ok=True)


def _not_found(message: Text) -> NotFound:
    return NotFound("fetched_not_found", message, text("Fetch it again. What you chose to use is still listed below."))

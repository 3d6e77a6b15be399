"""The columns that a user chose for a file, stored for all files with the same header."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING

from kronos_app.data.upload.mapping import ColumnMapping
from kronos_app.data.upload.preview import TablePreview, preview
from kronos_app.errors import AppError
from kronos_app.store.column_mappings import StoredMapping
from training.errors import Unreadable
from training.saved import parse_saved

if TYPE_CHECKING:
    from kronos_app.settings import Settings
    from kronos_app.store import Store

_log = logging.getLogger(__name__)


class ColumnMappings:
    """Previews files and stores the columns that were chosen for their headers."""

    def __init__(self, settings: Settings, store: Store) -> None:
        self._settings = settings
        self._store = store

    def preview(self, content: bytes, filename: str, mapping: ColumnMapping | None = None) -> TablePreview:
        """Return the first rows of a file and how its columns would be read, also where it would be refused.

        Raises InvalidInput or TooLarge: the file is no table, or lacks a column that `mapping` names.
        """
        return preview(content, filename, self._settings, mapping=mapping)

    def find(self, content: bytes, filename: str) -> ColumnMapping | None:
        """Return the mapping that is remembered for the header of a file; None where there is none or no header."""
        if not self._store.column_mappings.exist():
            return None
        try:
            headers = _headers(self.preview(content, filename))
        except AppError:
            return None  # reading the file reports what is wrong with it
        stored = self._store.column_mappings.get(_digest(headers))
        if stored is None:
            return None
        try:
            return parse_saved(ColumnMapping, stored.mapping, f"the remembered columns of the header {headers}")
        except (AppError, Unreadable) as error:
            _log.warning("The remembered columns of the header %s cannot be read and are not used: %s", headers, error)
            return None

    def remember(self, table: TablePreview, mapping: ColumnMapping) -> None:
        """Use a mapping for all files with the header of a preview from now on."""
        headers = _headers(table)
        self._store.column_mappings.put(StoredMapping(_digest(headers), headers, mapping.model_dump(mode="json")))

    def forget(self, table: TablePreview) -> None:
        """Detect the columns of files with the header of a preview again."""
        self._store.column_mappings.delete(_digest(_headers(table)))


def _headers(table: TablePreview) -> list[str]:
    return [column.header for column in table.columns]


def _digest(headers: Sequence[str]) -> str:
    return hashlib.sha256("\x1f".join(headers).encode()).hexdigest()

"""Rows of a table as records of a dataclass, by primary key."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import fields
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import sqlalchemy as sa

from kronos_app.errors import Unavailable
from kronos_app.i18n import Text, text
from kronos_app.store.database import Database
from kronos_app.store.records import UnreadableRecord, UnreadableRecords
from kronos_app.store.tables import DAMAGED

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

log = logging.getLogger(__name__)

Record = TypeVar("Record", bound="DataclassInstance")
Line = TypeVar("Line")
Conditions = Sequence[sa.ColumnElement[bool]]
Row = sa.RowMapping


class Repository(Generic[Record]):
    """Records of one table.

    A subclass overrides `_row` and `_record` where the fields of the dataclass are not the columns of the table.
    """

    def __init__(self, database: Database, table: sa.Table, record: type[Record]) -> None:
        self._database = database
        self._table = table
        self._type = record

    def put(self, record: Record) -> None:
        """Save a record in place of the one with the same key."""
        self.put_all([record])

    def put_all(self, records: Sequence[Record]) -> None:
        """Save all records or none, in place of those with the same keys."""
        rows = [self._row(record) for record in records]
        keys = [[row[column.name] for column in self._table.primary_key] for row in rows]
        # Delete and insert is the only upsert that every dialect has.
        deletes = [self._table.delete().where(self._has(*key)) for key in keys]
        self._database.execute(*deletes, *(self._table.insert().values(row) for row in rows))

    def get(self, *key: str | int) -> Record | None:
        """Return the record of a key, None if there is none.

        Raises Unavailable: the stored record is damaged, or the database fails.
        """
        rows = self._database.fetch(self._table.select().where(self._has(*key)))
        return self._record(undamaged(rows[0])) if rows else None

    def delete(self, *key: str | int) -> None:
        """Delete the record of a key, readable or not; an unknown key is no error."""
        self._database.execute(self._table.delete().where(self._has(*key)))

    def unreadable(self) -> UnreadableRecords:
        """Return the records that cannot be read, with the reason."""
        return self._read_all()[1]

    def _row(self, record: Record) -> dict[str, Any]:
        return {field.name: getattr(record, field.name) for field in fields(record)}

    def _record(self, row: Row) -> Record:
        return self._type(**row)

    def _has(self, *key: str | int) -> sa.ColumnElement[bool]:
        return sa.and_(*(column == value for column, value in zip(self._table.primary_key, key, strict=True)))

    def _equal(self, **values: Any) -> list[sa.ColumnElement[bool]]:
        """Return a condition for each value that is not None."""
        return [self._table.c[name] == value for name, value in values.items() if value is not None]

    def _order(self) -> Sequence[sa.ColumnElement[Any]]:
        """Return the order of lists: newest first, then by key, so that no row is on two pages."""
        return [self._table.c.created.desc(), *self._table.primary_key]

    def _rows(self, columns: Iterable[str], where: Conditions, limit: int | None, offset: int) -> Sequence[Row]:
        query = sa.select(*(self._table.c[name] for name in columns)).where(sa.and_(True, *where))
        query = query.order_by(*self._order())
        return self._database.fetch(query if limit is None else query.limit(limit).offset(offset))

    def _read_all(
        self, where: Conditions = (), limit: int | None = None, offset: int = 0
    ) -> tuple[list[Record], UnreadableRecords]:
        columns = [field.name for field in fields(self._type)]
        return split_rows(self._rows(columns, where, limit, offset), self._record, self._table)

    def _count(self, where: Conditions) -> int:
        query = sa.select(sa.func.count().label("rows")).select_from(self._table)
        return int(self._database.fetch(query.where(sa.and_(True, *where)))[0]["rows"])


def contains(column: sa.ColumnElement[str], text: str) -> sa.ColumnElement[bool]:
    """Return the condition that a column contains `text`, in upper or lower case."""
    return column.icontains(text.encode("utf-8", "replace").decode(), autoescape=True)


def split_rows(
    rows: Iterable[Row], make: Callable[[Row], Line], table: sa.Table
) -> tuple[list[Line], UnreadableRecords]:
    """Return what `make` makes of each row, and the key and reason of each row that cannot be read; log these."""
    lines, unreadable = [], []
    for row in rows:
        try:
            lines.append(make(undamaged(row)))
        except (Unavailable, TypeError, ValueError, KeyError) as error:
            key = "@".join(str(row.get(column.name)) for column in table.primary_key)
            log.warning("A record in %s cannot be read (%s): %s", table.name, key, error)
            unreadable.append(UnreadableRecord(key, _reason(error)))
    return lines, unreadable


def undamaged(row: Row) -> Row:
    """Return `row`.

    Raises Unavailable: `record_damaged`, if one of its values cannot be read.
    """
    if any(value is DAMAGED for value in row.values()):
        raise damaged_record(str(row.get("candles_name") or row.get("name") or row.get("symbol") or row.get("id")))
    return row


def damaged_record(name: str) -> Unavailable:
    """Return the error of a record that cannot be read."""
    return Unavailable(
        "record_damaged",
        text("The stored record of {name} is damaged and cannot be read. All other records are kept.", name=name),
        text("Delete it and make it again, or restore the database from a backup."),
    )


def _reason(error: Exception) -> Text:
    message = getattr(error, "message", None)
    if isinstance(message, Text):
        return message
    return Text.from_dict(message.to_dict()) if message is not None else text("Its stored record is damaged.")

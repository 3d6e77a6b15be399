"""A lock that allows one Kronos Desk per database; it ends with the connection, also when the process is killed.

DuckDB locks its file itself. PostgreSQL has an advisory lock, MySQL and MariaDB a named lock, SQLite an exclusive lock
of the file. The row in `owner` names the process that holds it.
"""

from __future__ import annotations

import os
import socket

import sqlalchemy as sa

from kronos_app.store import failures
from kronos_app.store.records import now
from kronos_app.store.tables import owner

# An arbitrary constant that locks of other programs do not use.
_KEY = 1_263_681_614
_POSTGRES = f"SELECT pg_try_advisory_lock({_KEY}, hashtext(coalesce(current_schema(), '')))"
_MYSQL = "SELECT GET_LOCK(CONCAT('kronos-desk-', MD5(DATABASE())), 0)"


def acquire(engine: sa.Engine, name: str) -> None:
    """Lock the database for the engine's one connection.

    Raises Outage: another process holds the lock; the message names it.
    """
    dialect = engine.dialect.name
    if dialect == "sqlite":
        sa.event.listen(engine, "connect", lambda raw, _record: raw.execute("PRAGMA locking_mode = EXCLUSIVE"))
        return
    query = {"postgresql": _POSTGRES, "mysql": _MYSQL, "mariadb": _MYSQL}.get(dialect)
    if query is None:
        return
    with engine.connect() as connection:
        if not connection.scalar(sa.text(query)):
            raise failures.owned(name, _holder(connection))


def record_owner(connection: sa.Connection) -> None:
    """Record that this process holds the database."""
    connection.execute(owner.delete())
    connection.execute(owner.insert().values(process=os.getpid(), host=socket.gethostname(), since=now()))


def _holder(connection: sa.Connection) -> str:
    if not sa.inspect(connection).has_table(owner.name):
        return "?"
    row = connection.execute(owner.select()).mappings().first()
    return "?" if row is None else f"process {row['process']} on {row['host']}, since {row['since']:%Y-%m-%d %H:%M} UTC"

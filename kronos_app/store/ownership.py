"""One Kronos Desk for one database: a lock that the connection holds, and that a killed process gives back.

DuckDB locks its file by itself. On PostgreSQL the lock is an advisory one, on MySQL and MariaDB a named one; SQLite's
file is locked exclusively. The row in `owner` says who holds it.
"""

from __future__ import annotations

import os
import socket

import sqlalchemy as sa

from kronos_app.store import failures
from kronos_app.store.records import now
from kronos_app.store.tables import owner

# Any number will do, as long as it is always the same: locks of other programs have others.
_KEY = 1_263_681_614
_POSTGRES = f"SELECT pg_try_advisory_lock({_KEY}, hashtext(coalesce(current_schema(), '')))"
_MYSQL = "SELECT GET_LOCK(CONCAT('kronos-desk-', MD5(DATABASE())), 0)"


def acquire(engine: sa.Engine, name: str) -> None:
    """Lock the database for the engine's one connection, until that ends.

    Raises
    ------
    Outage
        Another process holds it; the message says which.
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


def note(connection: sa.Connection) -> None:
    """Write down that this process holds the database."""
    connection.execute(owner.delete())
    connection.execute(owner.insert().values(process=os.getpid(), host=socket.gethostname(), since=now()))


def _holder(connection: sa.Connection) -> str:
    if not sa.inspect(connection).has_table(owner.name):
        return "?"
    row = connection.execute(owner.select()).mappings().first()
    return "?" if row is None else f"process {row['process']} on {row['host']}, since {row['since']:%Y-%m-%d %H:%M} UTC"

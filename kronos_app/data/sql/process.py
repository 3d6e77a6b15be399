"""Queries in processes of their own: whatever one takes or breaks, the server goes on.

A database inside this process (SQLite, DuckDB) obeys neither its own limit of memory nor an interrupt in the middle of
a function, and rows of a server may be of any length. So a child process (`child`) opens the connection, under limits
that the system enforces, and is killed when it takes longer or more.
"""

from __future__ import annotations

import json
import logging
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from queue import Empty, Queue
from threading import BoundedSemaphore, Thread
from typing import Any

import psutil

from kronos_app import errors
from kronos_app.data import draft_file
from kronos_app.data.draft import Draft
from kronos_app.data.sql import request as requests
from kronos_app.data.sql import results
from kronos_app.data.sql.connection import SqlConnection
from kronos_app.data.sql.limits import STOP_SECONDS, Limits, too_much_memory, too_slow
from kronos_app.data.sql.reader import Preview
from kronos_app.data.sql.request import SqlRequest, validate
from kronos_app.errors import AppError, InvalidInput, Unavailable
from kronos_app.i18n import Text, text

log = logging.getLogger(__name__)

ROOT = Path(__file__).parents[3]
LOOK_SECONDS = 0.2
START_SECONDS = 20.0  # for a process to start on a busy machine
LONGEST_REMARK = 2_000  # characters of what a process that broke down printed
# What the drivers read. The rest of the environment holds passwords and tokens that are none of a query's business.
_ENVIRONMENT = ("PG", "MYSQL", "SSL_", "KRB5", "LC_", "DYLD_", "LD_LIBRARY_PATH", "PYTHONHOME")
_NAMES = {"PATH", "HOME", "USER", "LANG", "TZ", "SYSTEMROOT", "USERPROFILE", "APPDATA", "LOCALAPPDATA", "VIRTUAL_ENV"}


class QueryProcesses:
    """Runs queries, a few at a time; every thread may use it.

    Parameters
    ----------
    at_once
        Most processes at a time. One more query waits for its turn as long as it may take.
    """

    def __init__(self, at_once: int) -> None:
        self._free = BoundedSemaphore(at_once)

    def tables(self, connection: SqlConnection, limits: Limits) -> list[str]:
        """Return the tables and views of a database, as `reader.tables`."""
        return results.to_names(self._run(_task(connection, limits, "tables"), connection, limits))

    def symbols(self, connection: SqlConnection, table: str, column: str, limits: Limits) -> list[str]:
        """Return the different values of a column, as `reader.symbols`."""
        task = _task(connection, limits, "symbols", table=table, column=column)
        return results.to_names(self._run(task, connection, limits))

    def preview(self, connection: SqlConnection, request: SqlRequest, limits: Limits) -> Preview:
        """Return the first rows of a table or a query, as `reader.preview`."""
        wanted = requests.to_dict(validate(request, connection.dialect))
        task = _task(connection, limits, "preview", request=wanted)
        return results.to_preview(self._run(task, connection, limits))

    def read(
        self,
        connection: SqlConnection,
        request: SqlRequest,
        *,
        limits: Limits,
        on_page: Callable[[int], None] = lambda _: None,
    ) -> Draft:
        """Return the candles of a request, as `reader.read`.

        Parameters
        ----------
        on_page
            Called five times a second with the number of rows so far; may raise to cancel.
        """
        wanted = requests.to_dict(validate(request, connection.dialect))
        task = _task(connection, limits, "read", request=wanted)
        return draft_file.from_bytes(self._run(task, connection, limits, on_page))

    def _run(
        self,
        task: Mapping[str, Any],
        connection: SqlConnection,
        limits: Limits,
        on_rows: Callable[[int], None] = lambda _: None,
    ) -> bytes:
        self._wait_for_turn(limits, on_rows)
        try:
            with tempfile.TemporaryDirectory(prefix="kronos-query-", ignore_cleanup_errors=True) as folder:
                return _Process(task, connection, limits, Path(folder)).result(on_rows)
        finally:
            self._free.release()

    def _wait_for_turn(self, limits: Limits, on_rows: Callable[[int], None]) -> None:
        end = time.monotonic() + limits.seconds
        while not self._free.acquire(timeout=LOOK_SECONDS):
            on_rows(0)
            if time.monotonic() > end:
                raise Unavailable(
                    "sql_busy",
                    text("Other queries have been running for {seconds} seconds.", seconds=round(limits.seconds)),
                    text("Try again later; KRONOS_PARALLEL_QUERIES sets how many may run at a time."),
                )


class _Process:
    """One child process and what it says."""

    def __init__(self, task: Mapping[str, Any], connection: SqlConnection, limits: Limits, folder: Path) -> None:
        self._connection, self._limits, self._folder = connection, limits, folder
        self._task = dict(task) | {"result": str(folder / "result")}
        self._messages: Queue[dict[str, Any] | None] = Queue()
        self._rows = 0

    def result(self, on_rows: Callable[[int], None]) -> bytes:
        """Return the bytes of the result; the process is gone when this returns or raises."""
        with (self._folder / "stderr").open("wb") as stderr:
            child = _start(self._folder, stderr)
        try:
            with suppress(OSError):  # It ended already: `_ended` says why.
                _send(child, self._task)
            Thread(target=self._listen, args=(child,), name="kronos-sql-listen", daemon=True).start()
            self._follow(child, on_rows)
            return (self._folder / "result").read_bytes()
        finally:
            _end(child)

    def _follow(self, child: subprocess.Popen[bytes], on_rows: Callable[[int], None]) -> None:
        """Take messages until the child is done; raise what went wrong."""
        end = time.monotonic() + self._limits.seconds + START_SECONDS
        looked = 0.0
        while True:
            with suppress(Empty):
                message = self._messages.get(timeout=LOOK_SECONDS)
                if message is None:
                    raise self._ended(child)
                end = min(end, self._take(message))
                if "done" in message:
                    return
            if time.monotonic() - looked >= LOOK_SECONDS:
                looked = time.monotonic()
                on_rows(self._rows)
                if looked > end or _memory(child) > self._limits.memory_bytes:
                    child.kill()  # It had its time to stop by itself.
                    raise (too_slow if looked > end else too_much_memory)(self._limits)

    def _take(self, message: Mapping[str, Any]) -> float:
        """Understand a message; return when the child has to be done, which is known once it has begun."""
        if "error" in message:
            raise _error(message["error"])
        if "log" in message:
            log.log(message["level"], "%s", self._connection.without_secrets(message["log"]))
        self._rows = max(self._rows, message.get("rows", 0))
        if "started" in message:
            return time.monotonic() + self._limits.seconds + STOP_SECONDS
        return float("inf")

    def _listen(self, child: subprocess.Popen[bytes]) -> None:
        with suppress(OSError, ValueError):  # It was closed, or the line was cut by the end of the process.
            for line in child.stdout or ():
                self._messages.put(json.loads(line))
        self._messages.put(None)

    def _ended(self, child: subprocess.Popen[bytes]) -> AppError:
        """Return why a process ended that did not say so."""
        code = child.wait()
        remark = (self._folder / "stderr").read_bytes()[-LONGEST_REMARK:].decode("utf-8", "replace")
        remark = self._connection.without_secrets(remark.strip())
        log.warning("Connection %s: the query's process ended with %s: %s", self._connection.name, code, remark)
        if code == -getattr(signal, "SIGXCPU", 0):
            return too_slow(self._limits)
        if code == -getattr(signal, "SIGKILL", 0) or "bad_alloc" in remark or "MemoryError" in remark:
            return too_much_memory(self._limits)
        return InvalidInput(
            "sql_crashed",
            text("The query ended the process that ran it (code {code}).", code=code),
            text("Write the query in simpler terms, with fewer rows; the log has the details."),
        )


def _task(connection: SqlConnection, limits: Limits, kind: str, **fields: Any) -> dict[str, Any]:
    """Return a task as JSON-ready values; it holds the password of the connection."""
    url = connection.url.render_as_string(hide_password=False)
    place = {"name": connection.name, "dialect": connection.dialect, "url": url}
    return {"kind": kind, "limits": asdict(limits), **place, **fields}


def _start(folder: Path, stderr: Any) -> subprocess.Popen[bytes]:
    kept = {name: value for name, value in os.environ.items() if name in _NAMES or name.startswith(_ENVIRONMENT)}
    scratch = dict.fromkeys(("TMPDIR", "TMP", "TEMP", "SQLITE_TMPDIR"), str(folder))
    one_thread = dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS"), "1")  # Each thread reserves memory.
    try:
        return subprocess.Popen(
            [sys.executable, "-P", "-m", "kronos_app.data.sql.child"],
            env={**kept, **scratch, **one_thread, "PYTHONPATH": str(ROOT)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=stderr,
            start_new_session=True,  # Ctrl-C in the terminal is for the server, which then ends its children.
        )
    except OSError as error:
        raise Unavailable(
            "sql_not_started",
            text(
                "The process that runs the query could not be started: {reason}.", reason=error.strerror or str(error)
            ),
            text("Whoever runs this desk checks the memory of the machine and its limit of processes."),
        ) from error


def _send(child: subprocess.Popen[bytes], task: Mapping[str, Any]) -> None:
    assert child.stdin is not None
    child.stdin.write(json.dumps(task).encode() + b"\n")
    child.stdin.flush()


def _end(child: subprocess.Popen[bytes]) -> None:
    """End a process: it has some seconds to tell its database, then it is killed."""
    with suppress(OSError):
        if child.stdin is not None:
            child.stdin.close()
    try:
        child.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()
    if child.stdout is not None:
        child.stdout.close()


def _memory(child: subprocess.Popen[bytes]) -> int:
    """Return the bytes that a process has in memory, 0 where it is gone."""
    with suppress(psutil.Error):
        return int(psutil.Process(child.pid).memory_info().rss)
    return 0


def _error(data: Mapping[str, Any]) -> AppError:
    kind: type[AppError] = getattr(errors, data["type"])
    return kind(data["code"], Text.from_dict(data["message"]), Text.from_dict(data["hint"]))

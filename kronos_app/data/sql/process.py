"""Runs each query in a child process, so that whatever it uses or breaks, the server goes on.

A database inside this process (SQLite, DuckDB) respects neither its own memory limit nor an interrupt in the middle of
a function, and rows of a server may have any length. So the child process (`child`) opens the connection, under limits
that the operating system enforces, and is killed when it exceeds them.
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
from kronos_app.data.sql.connection import SqlConnection
from kronos_app.data.sql.limits import STOP_SECONDS, Limits, too_much_memory, too_slow
from kronos_app.data.sql.reader import Preview
from kronos_app.data.sql.request import REQUEST, SqlRequest, validate
from kronos_app.errors import AppError, InvalidInput, Unavailable, explain_os_errors
from kronos_app.i18n import Text, text

log = logging.getLogger(__name__)

ROOT = Path(__file__).parents[3]
POLL_SECONDS = 0.2
START_SECONDS = 20.0  # for a process to start on a busy machine
LONGEST_OUTPUT = 2_000  # characters logged of what a crashed process printed
# Variables that drivers read. All others stay out: they may contain passwords and tokens.
_ENVIRONMENT = ("PG", "MYSQL", "SSL_", "KRB5", "LC_", "DYLD_", "LD_LIBRARY_PATH", "PYTHONHOME")
_NAMES = {"PATH", "HOME", "USER", "LANG", "TZ", "SYSTEMROOT", "USERPROFILE", "APPDATA", "LOCALAPPDATA", "VIRTUAL_ENV"}

OnRows = Callable[[int], None]


class QueryProcesses:
    """Runs at most `at_once` queries at a time; a further one waits up to its own time limit. Thread-safe."""

    def __init__(self, at_once: int) -> None:
        self._free = BoundedSemaphore(at_once)

    def tables(self, connection: SqlConnection, limits: Limits) -> list[str]:
        """Return the tables and views of a database; see `reader.tables`."""
        names: list[str] = json.loads(self._run(connection, limits, "tables"))
        return names

    def symbols(self, connection: SqlConnection, table: str, column: str, limits: Limits) -> list[str]:
        """Return the distinct values of a column; see `reader.symbols`."""
        names: list[str] = json.loads(self._run(connection, limits, "symbols", table=table, column=column))
        return names

    def preview(self, connection: SqlConnection, request: SqlRequest, limits: Limits) -> Preview:
        """Return the first rows of a table or a query; see `reader.preview`."""
        task = REQUEST.dump_python(validate(request, connection.dialect), mode="json")
        answer = json.loads(self._run(connection, limits, "preview", request=task))
        return Preview(tuple(answer["headers"]), tuple(map(tuple, answer["rows"])), answer["guessed"])

    def read(
        self, connection: SqlConnection, request: SqlRequest, *, limits: Limits, on_page: OnRows = lambda _: None
    ) -> Draft:
        """Return the candles of a request; see `reader.read`.

        `on_page` is called five times a second with the number of rows so far; it may raise to cancel.
        """
        task = REQUEST.dump_python(validate(request, connection.dialect), mode="json")
        return draft_file.from_bytes(self._run(connection, limits, "read", on_page, request=task))

    def _run(
        self, connection: SqlConnection, limits: Limits, kind: str, on_rows: OnRows = lambda _: None, **fields: Any
    ) -> bytes:
        self._wait(limits, on_rows)
        try:
            with tempfile.TemporaryDirectory(prefix="kronos-query-", ignore_cleanup_errors=True) as folder:
                return _Process(connection, limits, Path(folder)).run({"kind": kind, **fields}, on_rows)
        finally:
            self._free.release()

    def _wait(self, limits: Limits, on_rows: OnRows) -> None:
        end = time.monotonic() + limits.seconds
        while not self._free.acquire(timeout=POLL_SECONDS):
            on_rows(0)
            if time.monotonic() > end:
                raise Unavailable(
                    "sql_busy",
                    text("Other queries have been running for {seconds} seconds.", seconds=round(limits.seconds)),
                    text("Try again later; KRONOS_PARALLEL_QUERIES sets how many may run at a time."),
                )


class _Process:
    """One child process and its messages."""

    def __init__(self, connection: SqlConnection, limits: Limits, folder: Path) -> None:
        self._connection, self._limits, self._folder = connection, limits, folder
        self._messages: Queue[dict[str, Any] | None] = Queue()
        self._rows = 0

    def run(self, task: Mapping[str, Any], on_rows: OnRows) -> bytes:
        """Return the result of a task; the process has ended when this returns or raises."""
        result = self._folder / "result"
        url = self._connection.url.render_as_string(hide_password=False)
        place = {"name": self._connection.name, "dialect": self._connection.dialect, "url": url}
        message = {**task, **place, "limits": asdict(self._limits), "result": str(result)}
        with (self._folder / "stderr").open("wb") as stderr:
            child = _start(self._folder, stderr)
        try:
            with suppress(OSError):  # It ended already: `_crash` says why.
                assert child.stdin is not None
                child.stdin.write(json.dumps(message).encode() + b"\n")
                child.stdin.flush()
            Thread(target=self._listen, args=(child,), name="kronos-sql-listen", daemon=True).start()
            self._follow(child, on_rows)
            return result.read_bytes()
        finally:
            _end(child)

    def _follow(self, child: subprocess.Popen[bytes], on_rows: OnRows) -> None:
        """Handle messages until the child is done; raise its error."""
        end = time.monotonic() + self._limits.seconds + START_SECONDS
        polled = 0.0
        while True:
            with suppress(Empty):
                message = self._messages.get(timeout=POLL_SECONDS)
                if message is None:
                    raise self._crash(child)
                self._handle(message)
                if "started" in message:
                    end = min(end, time.monotonic() + self._limits.seconds + STOP_SECONDS)
                if "done" in message:
                    return
            if time.monotonic() - polled >= POLL_SECONDS:
                polled = time.monotonic()
                on_rows(self._rows)
                if polled > end or _memory(child) > self._limits.memory_bytes:
                    child.kill()  # Its grace period is over.
                    raise (too_slow if polled > end else too_much_memory)(self._limits)

    def _handle(self, message: Mapping[str, Any]) -> None:
        if "error" in message:
            error = message["error"]
            error_class: type[AppError] = getattr(errors, error["type"])
            raise error_class(error["code"], Text.from_dict(error["message"]), Text.from_dict(error["hint"]))
        if "log" in message:
            log.log(message["level"], "%s", self._connection.without_secrets(message["log"]))
        self._rows = max(self._rows, message.get("rows", 0))

    def _listen(self, child: subprocess.Popen[bytes]) -> None:
        with suppress(OSError, ValueError):  # The pipe was closed, or a line was cut by the end of the process.
            for line in child.stdout or ():
                self._messages.put(json.loads(line))
        self._messages.put(None)

    def _crash(self, child: subprocess.Popen[bytes]) -> AppError:
        """Return the error of a process that ended without a message."""
        code = child.wait()
        output = (self._folder / "stderr").read_bytes()[-LONGEST_OUTPUT:].decode("utf-8", "replace")
        output = self._connection.without_secrets(output.strip())
        log.warning("Connection %s: the query's process ended with %s: %s", self._connection.name, code, output)
        if code == -getattr(signal, "SIGXCPU", 0):
            return too_slow(self._limits)
        if code == -getattr(signal, "SIGKILL", 0) or "bad_alloc" in output or "MemoryError" in output:
            return too_much_memory(self._limits)
        return InvalidInput(
            "sql_crashed",
            text("The query crashed its process (exit code {code}).", code=code),
            text("Simplify the query or select fewer rows; the log has the details."),
        )


def _start(folder: Path, stderr: Any) -> subprocess.Popen[bytes]:
    environment = {
        **{name: value for name, value in os.environ.items() if name in _NAMES or name.startswith(_ENVIRONMENT)},
        **dict.fromkeys(("TMPDIR", "TMP", "TEMP", "SQLITE_TMPDIR"), str(folder)),
        **dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS"), "1"),  # Each thread reserves memory.
        "PYTHONPATH": str(ROOT),
    }
    started = explain_os_errors(
        "sql_not_started",
        text("The process for the query could not be started: {reason}."),
        text("The administrator must check the memory of the machine and its process limit."),
    )
    with started:
        return subprocess.Popen(
            [sys.executable, "-P", "-m", "kronos_app.data.sql.child"],
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=stderr,
            start_new_session=True,  # Ctrl-C in the terminal reaches only the server, which then ends its children.
        )


def _end(child: subprocess.Popen[bytes]) -> None:
    """End a process: it has some seconds to cancel its query in the database, then it is killed."""
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
    """Return the resident memory of a process in bytes, 0 where it has ended."""
    with suppress(psutil.Error):
        return int(psutil.Process(child.pid).memory_info().rss)
    return 0

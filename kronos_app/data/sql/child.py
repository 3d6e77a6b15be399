"""The process that runs one query: `python -m kronos_app.data.sql.child`, started only by `process`.

It reads one line of JSON from standard input: the task, the connection with its password, and the limits. It writes
lines of JSON to standard output: the number of rows read, log records, and finally `done` or an error. The result is a
file that the task names. The end of standard input cancels the query.
"""

from __future__ import annotations

import json
import logging
import os
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from threading import Event, Lock, Thread
from typing import Any, TextIO

from kronos_app.data import draft_file
from kronos_app.data.child_limits import limit_process
from kronos_app.data.sql import reader
from kronos_app.data.sql.connection import SqlConnection
from kronos_app.data.sql.limits import STOP_SECONDS, Limits, too_much_memory
from kronos_app.data.sql.request import REQUEST
from kronos_app.errors import AppError

CPU_SHARE = 4  # processor seconds allowed per second of the time limit


class _Cancelled(Exception):
    """Standard input was closed: the result is not needed any more."""


class _Messages(logging.Handler):
    """Writes messages for the parent process; log records are messages, too."""

    def __init__(self, output: TextIO) -> None:
        super().__init__(logging.WARNING)
        self._output = output
        self._writing = Lock()

    def send(self, message: Mapping[str, Any]) -> None:
        """Write one message."""
        with self._writing:
            print(json.dumps(message, default=str), file=self._output, flush=True)

    def emit(self, record: logging.LogRecord) -> None:
        """Send a log record."""
        self.send({"log": record.getMessage(), "level": record.levelno})


def do_task(task: Mapping[str, Any], limits: Limits, on_rows: Callable[[int], None]) -> bytes:
    """Return the result of a task: candles as a draft file, everything else as JSON; `on_rows` may raise to cancel."""
    import sqlalchemy as sa

    connection = SqlConnection(task["name"], task["dialect"], sa.make_url(task["url"]))
    kind = task["kind"]
    if kind == "read":
        request = REQUEST.validate_python(task["request"])
        return draft_file.to_bytes(reader.read(connection, request, limits=limits, on_page=on_rows))
    if kind == "preview":
        preview = reader.preview(connection, REQUEST.validate_python(task["request"]), limits)
        return json.dumps(asdict(preview)).encode()
    if kind == "tables":
        return json.dumps(reader.tables(connection, limits)).encode()
    return json.dumps(reader.symbols(connection, task["table"], task["column"], limits)).encode()


def _work(task: Mapping[str, Any], limits: Limits, messages: _Messages, cancelled: Event) -> None:
    def on_rows(count: int) -> None:
        if cancelled.is_set():
            raise _Cancelled
        messages.send({"rows": count})

    try:
        content = do_task(task, limits, on_rows)
        if len(content) > limits.result_bytes:
            raise MemoryError
        Path(task["result"]).write_bytes(content)
    except _Cancelled:
        return
    except AppError as error:
        messages.send({"error": {"type": type(error).__name__, **error.to_dict()}})
    except MemoryError:
        messages.send({"error": {"type": "TooLarge", **too_much_memory(limits).to_dict()}})
    else:
        messages.send({"done": True})


def _stop_with_parent(cancelled: Event) -> None:
    """Wait for the end of standard input, then cancel; exit after a grace period if a call cannot be interrupted."""
    while sys.stdin.readline():
        pass
    cancelled.set()
    time.sleep(STOP_SECONDS)
    os._exit(1)


def _main() -> None:
    messages = _Messages(os.fdopen(os.dup(1), "w", encoding="utf-8"))
    os.dup2(2, 1)  # Output of a driver is not a message.
    logging.getLogger().addHandler(messages)
    task = json.loads(sys.stdin.readline())
    cancelled = Event()
    Thread(target=_stop_with_parent, args=(cancelled,), daemon=True).start()
    limits = Limits(**task["limits"])
    limit_process(limits.memory_bytes, round(CPU_SHARE * (limits.seconds + STOP_SECONDS)) + 10)
    messages.send({"started": True})
    _work(task, limits, messages, cancelled)
    # Exit at once: threads of drivers may hang, and the thread above blocks on standard input.
    os._exit(0)


if __name__ == "__main__":
    _main()

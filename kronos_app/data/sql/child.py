"""The process that runs one query: `python -m kronos_app.data.sql.child`, started by `process` and by nobody else.

It reads one line of JSON from standard input: the task, the connection with its password, and the limits. It writes
lines of JSON to standard output: how many rows were read, what is to be logged, and at last `done` or an error. The
result itself is a file in the working folder of the task. When standard input ends, nobody wants the result any more.
"""

from __future__ import annotations

import json
import logging
import os
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from threading import Event, Lock, Thread
from typing import Any, TextIO

from kronos_app.data import draft_file
from kronos_app.data.child_limits import limit_process
from kronos_app.data.sql import reader, request, results
from kronos_app.data.sql.connection import SqlConnection
from kronos_app.data.sql.limits import STOP_SECONDS, Limits, too_much_memory
from kronos_app.errors import AppError

CPU_SHARE = 4  # processor seconds a second of the limit


class _Stopped(Exception):
    """Nobody wants the result any more."""


class _Messages(logging.Handler):
    """Writes messages for the process that started this one, log records among them."""

    def __init__(self, output: TextIO) -> None:
        super().__init__(logging.WARNING)
        self._output = output
        self._writing = Lock()

    def send(self, message: Mapping[str, Any]) -> None:
        """Write one message."""
        with self._writing:
            print(json.dumps(message, default=str), file=self._output, flush=True)

    def emit(self, record: logging.LogRecord) -> None:
        """Pass a log record on."""
        self.send({"log": record.getMessage(), "level": record.levelno})


def do_task(task: Mapping[str, Any], on_rows: Callable[[int], None]) -> bytes:
    """Return the result of a task as the bytes of a file; `on_rows` may raise to stop."""
    import sqlalchemy as sa

    connection = SqlConnection(task["name"], task["dialect"], sa.make_url(task["url"]))
    limits, kind = Limits(**task["limits"]), task["kind"]
    if kind == "tables":
        return results.from_names(reader.tables(connection, limits))
    if kind == "symbols":
        return results.from_names(reader.symbols(connection, task["table"], task["column"], limits))
    wanted = request.from_dict(task["request"])
    if kind == "preview":
        return results.from_preview(reader.preview(connection, wanted, limits))
    return draft_file.to_bytes(reader.read(connection, wanted, limits=limits, on_page=on_rows))


def _work(task: Mapping[str, Any], messages: _Messages, stopped: Event) -> None:
    def on_rows(count: int) -> None:
        if stopped.is_set():
            raise _Stopped
        messages.send({"rows": count})

    limits = Limits(**task["limits"])
    try:
        content = do_task(task, on_rows)
        if len(content) > limits.result_bytes:
            raise MemoryError
        Path(task["result"]).write_bytes(content)
    except _Stopped:
        return
    except AppError as error:
        messages.send({"error": {"type": type(error).__name__, **error.to_dict()}})
    except MemoryError:
        messages.send({"error": {"type": "TooLarge", **too_much_memory(limits).to_dict()}})
    else:
        messages.send({"done": True})


def _stop_with_parent(stopped: Event) -> None:
    """Wait for the end of standard input, then stop, if need be in the middle of a call that cannot be interrupted."""
    while sys.stdin.readline():
        pass
    stopped.set()
    time.sleep(STOP_SECONDS)
    os._exit(1)


def _main() -> None:
    messages = _Messages(os.fdopen(os.dup(1), "w", encoding="utf-8"))
    os.dup2(2, 1)  # What a driver prints is no message.
    logging.getLogger().addHandler(messages)
    task = json.loads(sys.stdin.readline())
    stopped = Event()
    Thread(target=_stop_with_parent, args=(stopped,), daemon=True).start()
    limits = Limits(**task["limits"])
    limit_process(limits.memory_bytes, round(CPU_SHARE * (limits.seconds + STOP_SECONDS)) + 10)
    messages.send({"started": True})
    _work(task, messages, stopped)
    # Without waiting for threads of drivers, and for the thread above, which holds standard input.
    os._exit(0)


if __name__ == "__main__":
    _main()

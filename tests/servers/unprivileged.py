"""Database servers refuse to run as root: who they run as instead, and the folder that is theirs."""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def user() -> str | None:
    """Return whom a server has to run as; None for whoever runs the tests."""
    if os.geteuid() != 0:
        return None
    known = {entry.pw_name for entry in pwd.getpwall()}
    return next(name for name in ("postgres", "mysql", "nobody") if name in known)


@contextmanager
def folder(name: str) -> Iterator[Path]:
    """Yield a fresh folder that belongs to `user()`; pytest's own cannot be entered by others."""
    path = Path(tempfile.mkdtemp(prefix=f"kronos-{name}-"))
    if (owner := user()) is not None:
        shutil.chown(path, owner)
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


def run(command: list[str], **options: object) -> None:
    """Run a program of a server to its end; its output is in the error where it fails."""
    done = subprocess.run(command, capture_output=True, text=True, user=user(), check=False, **options)
    assert done.returncode == 0, f"{command[0]}: {done.stdout}{done.stderr}"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]

"""A real PostgreSQL on this machine, with a cluster of its own in a temporary folder."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.servers import unprivileged
from tests.servers.find_databases import find
from tests.servers.waiting import wait_until_ready

ADMIN, PASSWORD = "admin", "Adm1n/pass w:rd"
# Nothing here has to outlive the machine: what makes it so is switched off.
OPTIONS = ("fsync=off", "synchronous_commit=off", "full_page_writes=off", "unix_socket_directories=", "lc_messages=C")


@dataclass
class Postgres:
    """The server: where it listens, and what its administrator may do."""

    port: int
    data: Path
    programs: Path
    process: subprocess.Popen | None = None

    def url(self, user: str = ADMIN, password: str = PASSWORD, database: str = "postgres") -> str:
        from urllib.parse import quote

        return f"postgresql://{user}:{quote(password, safe='')}@127.0.0.1:{self.port}/{database}"

    def execute(self, *statements: str) -> list[tuple]:
        """Run statements as the administrator, each by itself; return the rows of the last."""
        import psycopg

        with psycopg.connect(self.url(), autocommit=True) as connection:
            for statement in statements:
                cursor = connection.execute(statement)
            return cursor.fetchall() if cursor.description else []

    def start(self) -> None:
        """Start the server and wait until it answers."""
        import psycopg

        options = [part for option in OPTIONS for part in ("-c", option)]
        command = [str(self.programs / "postgres"), "-D", str(self.data), "-p", str(self.port), "-h", "127.0.0.1"]
        log_path = self.data.parent / "log"
        with log_path.open("ab") as log:
            self.process = subprocess.Popen(
                [*command, *options], stdout=log, stderr=log, user=unprivileged.user(), cwd=self.data.parent
            )
        wait_until_ready(lambda: self.execute("SELECT 1"), psycopg.OperationalError, self.process, log_path)

    def stop(self, *, orderly: bool = False) -> None:
        """Stop the server at once, whoever is connected; only an orderly stop keeps the latest transactions."""
        if self.process is not None:
            self.process.send_signal(signal.SIGINT if orderly else signal.SIGQUIT)
            self.process.wait(60)
            self.process = None


@contextmanager
def serve() -> Iterator[Postgres]:
    """Yield a running server; the test is skipped where there is no PostgreSQL."""
    programs = find("postgres")
    if programs is None:
        pytest.skip(
            "PostgreSQL is not installed: make test installs it, or KRONOS_POSTGRES names the folder of its programs"
        )
    with unprivileged.folder("postgres") as folder:
        secret = folder / "password"
        secret.write_text(PASSWORD)
        secret.chmod(0o644)
        unprivileged.run(
            [
                str(programs / "initdb"), "--pgdata", str(folder / "data"), "--username", ADMIN, "--encoding", "UTF8",
                "--pwfile", str(secret), "--auth", "scram-sha-256", "--locale", "C", "--no-sync",
            ],
            cwd=folder,
        )  # fmt: skip
        server = Postgres(unprivileged.free_port(), folder / "data", programs)
        try:
            server.start()
            yield server
        finally:
            server.stop()

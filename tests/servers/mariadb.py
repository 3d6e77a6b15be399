"""A real MariaDB on this machine, which speaks as MySQL does, with its files in a temporary folder."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import pytest

from tests.servers import unprivileged
from tests.servers.find_databases import find
from tests.servers.waiting import wait_until_ready

ADMIN, PASSWORD = "admin", "Adm1n/pass w:rd"


@dataclass
class MariaDb:
    """The server: where it listens, and what its administrator may do."""

    port: int

    def url(self, user: str = ADMIN, password: str = PASSWORD, database: str = "market") -> str:
        from urllib.parse import quote

        return f"mysql://{user}:{quote(password, safe='')}@127.0.0.1:{self.port}/{database}"

    def execute(self, *statements: str) -> list[tuple]:
        """Run statements as the administrator; return the rows of the last."""
        import pymysql

        with (
            pymysql.connect(host="127.0.0.1", port=self.port, user=ADMIN, password=PASSWORD, autocommit=True) as opened,
            opened.cursor() as cursor,
        ):
            for statement in statements:
                cursor.execute(statement)
            return list(cursor.fetchall())


@contextmanager
def serve() -> Iterator[MariaDb]:
    """Yield a running server with a database `market`; the test is skipped where there is no MariaDB."""
    import pymysql

    programs = find("mariadb")
    install = shutil.which("mariadb-install-db")
    if programs is None or install is None:
        pytest.skip(
            "MariaDB is not installed: make test installs it, or KRONOS_MARIADB names the folder of its programs"
        )
    with unprivileged.folder("mariadb") as folder:
        data = folder / "data"
        unprivileged.run(
            [install, "--no-defaults", f"--datadir={data}", "--auth-root-authentication-method=normal"], cwd=folder
        )
        first = folder / "first.sql"
        first.write_text(
            f"CREATE USER '{ADMIN}'@'%' IDENTIFIED BY '{PASSWORD}';\n"
            f"GRANT ALL ON *.* TO '{ADMIN}'@'%' WITH GRANT OPTION;\nCREATE DATABASE market;\n"
        )
        server = MariaDb(unprivileged.free_port())
        command = [
            str(programs / "mariadbd"), "--no-defaults", f"--datadir={data}", f"--port={server.port}",
            "--bind-address=127.0.0.1", f"--socket={folder / 'socket'}", f"--init-file={first}",
            f"--pid-file={folder / 'pid'}", "--innodb-flush-log-at-trx-commit=0", "--skip-name-resolve",
        ]  # fmt: skip
        log = folder / "log"
        with log.open("wb") as output:
            process = subprocess.Popen(command, stdout=output, stderr=output, user=unprivileged.user(), cwd=folder)
        try:
            wait_until_ready(lambda: server.execute("USE market"), pymysql.OperationalError, process, log)
            yield server
        finally:
            process.kill()
            process.wait(60)

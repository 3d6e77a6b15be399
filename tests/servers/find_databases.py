"""Print the folder with the programs of a database server for the tests, installing the server where there is none.

Called with `postgres` or `mariadb`. In this order: the variable KRONOS_POSTGRES or KRONOS_MARIADB, what is on the PATH,
where Debian and Homebrew keep it, and Debian's package where apt is at hand and may be used. Where all fail, nothing is
printed but a reason on standard error, and the tests that need the server are skipped; where CI is set, it is an error.
"""

from __future__ import annotations

import os
import re
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

from tests.browser.find_chromium import apt_install, call


@dataclass(frozen=True)
class Server:
    """A database server.

    Its program, where that is kept besides the PATH, the Debian packages all comes in, and what must be on the PATH
    beside it.
    """

    program: str
    places: tuple[str, ...]
    packages: tuple[str, ...]
    helpers: tuple[str, ...] = ()


SERVERS = {
    "postgres": Server(
        "postgres",
        ("/usr/lib/postgresql/*/bin", "/opt/homebrew/opt/postgresql*/bin", "/usr/local/opt/postgresql*/bin"),
        ("postgresql",),
    ),
    "mariadb": Server(
        "mariadbd",
        ("/usr/sbin", "/usr/libexec", "/opt/homebrew/opt/mariadb/bin", "/usr/local/opt/mariadb/bin"),
        ("mariadb-server-core", "mariadb-client-core"),
        ("mariadb-install-db", "my_print_defaults"),  # the second comes with the client, and the first calls it
    ),
}


def find(name: str, *, install: bool = False) -> Path | None:
    """Return the folder of the server's programs, None where there is none that runs."""
    server = SERVERS[name]
    chosen = os.environ.get(f"KRONOS_{name.upper()}")
    if chosen:
        return Path(chosen) if runs(Path(chosen) / server.program) else None
    found = next((folder for folder in _folders(server) if runs(folder / server.program)), None)
    if not all(map(shutil.which, server.helpers)):
        found = None
    if found is None and install and apt_install(*server.packages):
        return find(name)
    return found


def runs(program: Path) -> bool:
    """Return whether a program starts."""
    return program.exists() and call([str(program), "--version"], seconds=60)


def _folders(server: Server) -> list[Path]:
    on_path = shutil.which(server.program)
    found = [Path(on_path).resolve().parent] if on_path else []
    for place in server.places:
        folders = Path("/").glob(place.lstrip("/"))
        found += sorted(
            folders, key=lambda folder: [int(part) for part in re.findall(r"\d+", str(folder))], reverse=True
        )
    return found


def main() -> int:
    """Print the folder, or say what is missing."""
    name = sys.argv[1]
    variable = f"KRONOS_{name.upper()}"
    folder = find(name, install=True)
    if folder is None and os.environ.get(variable):
        print(f"{variable} names {os.environ[variable]}, where no {name} runs.", file=sys.stderr)
        return 1
    if folder is None and os.environ.get("CI"):
        print(f"No {name} could be found or installed, and no test may be skipped here.", file=sys.stderr)
        return 1
    if folder is None:
        print(
            f"No {name} could be found or installed: its tests are skipped. Set {variable} to its folder.",
            file=sys.stderr,
        )
        return 0
    print(folder)
    return 0


if __name__ == "__main__":
    sys.exit(main())

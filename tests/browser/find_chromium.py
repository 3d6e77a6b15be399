"""Print the path of a Chromium for the browser tests, installing one where there is none.

In this order: the variable KRONOS_CHROMIUM, a Chromium or Chrome of the system, Playwright's own download, the package
`chromium` where apt is at hand and may be used, and a fresh download by Playwright. Ends with an error when all fail,
so that the tests fail and are not skipped. Where apt may be used, a font with Chinese characters is installed as well.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
PLACES = (
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
)
SECONDS = 600


def find() -> str | None:
    """Return the first Chromium that runs."""
    ways: tuple[Callable[[], str | None], ...] = (of_system, of_playwright, from_apt, from_playwright)
    return next((path for way in ways if (path := way()) and runs(path)), None)


def runs(path: str) -> bool:
    """Return whether the program at `path` starts."""
    return call([path, "--version"], seconds=60)


def of_system() -> str | None:
    """Return a Chromium on the PATH or where macOS keeps it."""
    found = [shutil.which(name) for name in NAMES] + [place for place in PLACES if Path(place).exists()]
    return next((path for path in found if path), None)


def of_playwright() -> str | None:
    """Return the Chromium that Playwright downloaded earlier."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        path = playwright.chromium.executable_path
    return path if Path(path).exists() else None


def from_apt() -> str | None:
    """Install Debian's Chromium and return it."""
    return of_system() if apt_install("chromium") else None


def from_playwright() -> str | None:
    """Let Playwright download its Chromium and return it."""
    return of_playwright() if call([sys.executable, "-m", "playwright", "install", "chromium"]) else None


def install_chinese_font() -> None:
    """Install a font with Chinese characters where there is none; without it pages show boxes, but work."""
    if shutil.which("fc-list"):
        listed = subprocess.run(["fc-list", ":lang=zh-cn"], capture_output=True, text=True, check=False)
        if listed.stdout.strip():
            return
    if not apt_install("fonts-noto-cjk"):
        print("No font with Chinese characters was found: screenshots may show boxes.", file=sys.stderr)


def apt_install(*packages: str) -> bool:
    """Install Debian packages, where this user may; return whether it worked."""
    if shutil.which("apt-get") is None or os.geteuid() != 0:
        return False
    install = ["apt-get", "install", "--yes", "--no-install-recommends", *packages]
    # The lists of a fresh machine are empty or old: then the first try fails.
    return call(install) or (call(["apt-get", "update"]) and call(install))


def call(command: list[str], seconds: int = SECONDS) -> bool:
    """Run `command` silently on standard output; return whether it succeeded."""
    environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    try:
        done = subprocess.run(
            command, env=environment, stdin=subprocess.DEVNULL, stdout=sys.stderr, timeout=seconds, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        print(f"{command[0]}: {error}", file=sys.stderr)
        return False
    return done.returncode == 0


def main() -> int:
    """Print the path, or say what to do."""
    chosen = os.environ.get("KRONOS_CHROMIUM")
    if chosen and not runs(chosen):
        print(f"KRONOS_CHROMIUM names {chosen}, which does not run.", file=sys.stderr)
        return 1
    path = chosen or find()
    if path is None:
        print(
            "No Chromium could be found or installed, and the browser tests need one. "
            "Install Chromium or Chrome, or set KRONOS_CHROMIUM to its path.",
            file=sys.stderr,
        )
        return 1
    install_chinese_font()
    print(path)
    return 0


if __name__ == "__main__":
    sys.exit(main())

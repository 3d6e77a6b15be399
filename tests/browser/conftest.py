"""The real server on a free port and a real Chromium.

All browser tests of a worker share the server and its KRONOS_HOME. So a test expects only what it stored itself: it
uses a symbol or a name of its own, looks for its own row, and asserts no number or order that another test can change.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pandas as pd
import pytest

from tests.qlib_writer import walk, write
from tests.servers.exchange import binance
from tests.servers.yahoo import serve

ROOT = Path(__file__).parents[2]
BUNDLED = ROOT / "engine" / "bundled" / "kronos-nano"
PATIENCE = 120_000  # milliseconds, as Playwright counts: a machine under load is slow, not broken
ARGS = (
    "--no-sandbox",
    "--disable-quic",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


@pytest.fixture(scope="session")
def yahoo():
    """Yield a Yahoo Finance on this machine, which the server asks instead of the real one."""
    with serve() as yahoo:
        yield yahoo


@pytest.fixture
def market(yahoo):
    """Yield the local Yahoo Finance, and make it well again."""
    yield yahoo
    yahoo.fault = None


@pytest.fixture(scope="session")
def exchange():
    """Yield a Binance on this machine, which the server asks instead of the real one."""
    with binance() as exchange:
        yield exchange


@pytest.fixture(scope="session")
def qlib(tmp_path_factory):
    """Write a Qlib folder with three instruments, which the server reads."""
    folder = tmp_path_factory.mktemp("qlib") / "cn_data"
    days = pd.bdate_range("2020-01-01", periods=300)
    symbols = {name: walk(days, seed) for seed, name in enumerate(("SH600000", "SH600519", "SZ000001"))}
    write(folder, symbols, days, markets={"csi300": ["SH600519", "SZ000001"]})
    return folder


@pytest.fixture(scope="session")
def secrets(tmp_path_factory):
    """Return the server's secrets file, for a test to write."""
    return tmp_path_factory.mktemp("secrets") / "secrets.toml"


@pytest.fixture(scope="session")
def server(tmp_path_factory, yahoo, exchange, qlib, secrets):
    """Yield the address of `streamlit run Home.py`; its output is kept for the failure report."""
    home = tmp_path_factory.mktemp("home")
    if not (BUNDLED / "model" / "model.safetensors").exists():
        for part in ("model", "tokenizer"):
            shutil.copytree(ROOT / "tests" / "golden" / part, home / "models" / "kronos-nano" / part)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "streamlit", "run", "Home.py", "--server.port", str(port)]
    environment = {
        "KRONOS_HOME": str(home),
        "KRONOS_YAHOO_URL": yahoo.url,
        "KRONOS_EXCHANGES": json.dumps({"binance": {"base_url": exchange.url}}),
        "KRONOS_QLIB_FOLDERS": json.dumps({"cn_data": str(qlib)}),
    }
    environment["STREAMLIT_SECRETS_FILES"] = str(secrets)
    log = tmp_path_factory.mktemp("log") / "server.log"
    with log.open("w") as output:
        process = subprocess.Popen(
            command, cwd=ROOT, env=os.environ | environment, stdout=output, stderr=subprocess.STDOUT
        )
        address = f"http://127.0.0.1:{port}"
        try:
            wait_for(f"{address}/_stcore/health", process, log)
            yield address
        finally:
            process.terminate()
            process.wait(30)
    assert "Traceback" not in log.read_text(), log.read_text()


def wait_for(address: str, process: subprocess.Popen, log: Path, seconds: float = 180) -> None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        assert process.poll() is None, log.read_text()
        try:
            with urllib.request.urlopen(address, timeout=5):
                return
        except OSError:
            time.sleep(0.2)
    raise AssertionError(f"The server did not answer within {seconds} s: {log.read_text()}")


# Not for the session: Playwright keeps an event loop running in this thread, in which later tests could not start one.
@pytest.fixture(scope="module")
def browser():
    from playwright.sync_api import expect, sync_playwright

    expect.set_options(timeout=PATIENCE)
    program = os.environ.get("KRONOS_CHROMIUM") or shutil.which("chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=list(ARGS))
        yield browser
        browser.close()


@pytest.fixture
def page(server, browser):
    """Yield a page of a fresh session; what the browser reports as an error fails the test."""
    context = browser.new_context(base_url=server, viewport={"width": 1440, "height": 1000}, accept_downloads=True)
    context.set_default_timeout(PATIENCE)
    context.set_default_navigation_timeout(PATIENCE)
    page = context.new_page()
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("console", lambda message: errors.append(message.text) if "Content Security" in message.text else None)
    yield page
    context.close()
    assert errors == []

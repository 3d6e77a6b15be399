"""A fine-tune in a real browser: begun, watched, cut off with its server, found again, resumed, registered, used."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
from playwright.sync_api import expect

from tests.browser.conftest import BUNDLED, PATIENCE, ROOT, wait_for
from tests.browser.steps import fill, idle

pytestmark = [pytest.mark.browser, pytest.mark.timeout(1200)]

STEPS, CUT_AT = 16, 4


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    home = tmp_path_factory.mktemp("finetune")
    if not (BUNDLED / "model" / "model.safetensors").exists():
        for part in ("model", "tokenizer"):
            shutil.copytree(ROOT / "tests" / "golden" / part, home / "models" / "kronos-nano" / part)
    return home


@pytest.fixture
def own_server(home, tmp_path_factory):
    """Yield a function that starts a server on the home and returns it with its address; all are ended at the end."""
    log = tmp_path_factory.mktemp("log") / "server.log"
    started: list[subprocess.Popen] = []
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]

    def start() -> tuple[subprocess.Popen, str]:
        command = [sys.executable, "-m", "streamlit", "run", "Home.py", "--server.port", str(port)]
        with log.open("a") as output:
            process = subprocess.Popen(
                command, cwd=ROOT, env=os.environ | {"KRONOS_HOME": str(home)}, stdout=output, stderr=subprocess.STDOUT
            )
        started.append(process)
        address = f"http://127.0.0.1:{port}"
        wait_for(f"{address}/_stcore/health", process, log)
        return process, address

    yield start
    for process in started:
        process.kill()
        process.wait(30)
    for trainer in trainers(home):
        trainer.kill()
    assert "Traceback" not in log.read_text(), log.read_text()


@pytest.fixture
def page(browser):
    """Yield a page that may lose its server in between."""
    context = browser.new_context(viewport={"width": 1440, "height": 1000})
    context.set_default_timeout(PATIENCE)
    context.set_default_navigation_timeout(PATIENCE)
    yield context.new_page()
    context.close()


def trainers(home: Path) -> list[psutil.Process]:
    """Return the processes that train below `home`."""
    commands = {process: process.info["cmdline"] or [] for process in psutil.process_iter(["cmdline"])}
    return [process for process, words in commands.items() if "training" in words and str(home) in " ".join(words)]


def status(home: Path) -> dict:
    """Return what the trainer of the only run said last, nothing before it says anything."""
    paths = list(home.glob("runs/*/status.json"))
    return json.loads(paths[0].read_text()) if paths else {"step": 0}


def logged(home: Path) -> list[int]:
    """Return the steps whose losses are in the log."""
    (path,) = home.glob("runs/*/predictor/log.jsonl")
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    return [row["step"] for row in rows if "loss" in row]


def test_a_fine_tune_survives_its_server_and_is_resumed_registered_and_forecast_with(page, home, own_server):
    server, address = own_server()
    page.goto(f"{address}/finetune")
    page.get_by_role("button", name="Take a sample").click()
    expect(page.get_by_text("3,926 windows")).to_be_visible()
    fill(page, "Lookback", 64)
    fill(page, "Horizon", 4)
    fill(page, "Steps", STEPS)
    fill(page, "Batch size", 4)
    page.get_by_text("More settings").click()
    for label, value in (
        ("Validation windows", 8), ("Steps between checkpoints", 2), ("Cutoffs while training", 2),
        ("Cutoffs of the final scores", 2), ("Paths a forecast", 4),
    ):  # fmt: skip
        fill(page, label, value)
    page.get_by_role("button", name="Start", exact=True).click()

    # It is watched: the page draws by itself what the trainer writes.
    expect(page.get_by_text(re.compile(rf"Step \d+ of {STEPS}")).first).to_be_visible()
    expect(page.locator(".js-plotly-plot").first).to_be_visible()
    page.wait_for_url(re.compile("run="))
    run_in_address = re.search(r"run=[^&]+", page.url)[0]
    until(lambda: status(home)["step"] >= CUT_AT)

    # The server is gone, then the trainer, too: as when the machine loses power.
    server.kill()
    server.wait(30)
    (trainer,) = trainers(home)
    assert trainer.is_running(), "a run goes on without its server"
    trainer.send_signal(signal.SIGKILL)
    trainer.wait(30)
    cut_at = status(home)["step"]

    own_server()
    page.goto(f"{address}/finetune")
    expect(page.get_by_text("interrupted", exact=True)).to_be_visible()
    page.get_by_role("link", name="Open", exact=True).first.click()
    expect(page.get_by_text("It was interrupted")).to_be_visible()
    page.wait_for_url(re.compile(run_in_address))
    page.get_by_role("button", name="Resume").first.click()
    expect(page.get_by_role("button", name="Register this model")).to_be_visible(timeout=3 * PATIENCE)
    assert status(home)["state"] == "finished"
    assert cut_at < STEPS
    steps = logged(home)
    assert steps == sorted(set(steps))
    assert steps[-1] == STEPS

    # What came of it, and using it.
    for words in ("This run", "Base model"):
        expect(page.locator(".js-plotly-plot").last.get_by_text(words, exact=True)).to_be_visible()
    page.get_by_role("button", name="Register this model").click()
    name = page.get_by_role("textbox", name="Name of the model")
    name.fill("sp500-nano")
    name.press("Enter")
    page.get_by_role("button", name="Register", exact=True).click()
    expect(page.get_by_text("Registered as sp500-nano@1.").first).to_be_visible()
    page.get_by_role("button", name="Forecast with it").click()
    expect(page.get_by_role("button", name="Run forecast")).to_be_visible()
    idle(page)
    fill(page, "Horizon", 4)
    fill(page, "Lookback", 64)
    page.get_by_role("button", name="Run forecast").click()
    expect(page.locator(".js-plotly-plot").first.get_by_text("Representative path").first).to_be_visible()
    forecast = re.search(r"forecast=(\w+)", page.url)[1]
    told = page.request.get(f"{address}/api/v1/forecasts/{forecast}").json()
    assert told["provenance"]["model"] == "sp500-nano@1"


def until(true, seconds: float = 3 * PATIENCE / 1000) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.05)

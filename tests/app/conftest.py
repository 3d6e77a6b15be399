"""The frame driven by AppTest, over a real desk with a tiny random model in place of the bundled one."""

from __future__ import annotations

import shutil
import sys
import time
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

ROOT = Path(__file__).parents[2]
GOLDEN = ROOT / "tests" / "golden"


@pytest.fixture(autouse=True)
def _own_main():
    """Put back the main module: AppTest replaces it by the page's script, which child processes would then import."""
    main = sys.modules["__main__"]
    yield
    sys.modules["__main__"] = main


@pytest.fixture
def desk(tmp_path, monkeypatch):
    from kronos_app.services.desk import close_desk, get_desk
    from kronos_app.settings import get_settings

    home = tmp_path / "home"
    for part in ("model", "tokenizer"):
        shutil.copytree(GOLDEN / part, home / "models" / "kronos-nano" / part)
    monkeypatch.setenv("KRONOS_HOME", str(home))
    monkeypatch.setenv("KRONOS_THREADS", "1")
    get_settings.cache_clear()
    yield get_desk()
    close_desk()
    get_settings.cache_clear()


@pytest.fixture
def open_page(desk):
    """Return a function that opens a page as an address would: its name, the language and query parameters."""

    def open_(page: str = "home", *, lang: str = "en", **query: str) -> AppTest:
        app = AppTest.from_file(ROOT / "kronos_app" / "frame" / "main.py", default_timeout=120)
        app.query_params.update({"lang": lang})
        app.run()
        if page != "home":
            app.switch_page(f"../../pages/{page}.py")
            app.query_params.update({"lang": lang, **query})
            app.run()
        assert not app.exception, app.exception
        return app

    return open_


@pytest.fixture
def sample(desk):
    """Save a bundled series as the Data page does."""
    draft = desk.candles.sample("sp500")
    return desk.candles.save(desk.candles.preview(draft, None), desk.candles.inspect(draft))


@pytest.fixture
def forecast(desk, sample):
    """Return a function that makes a forecast of the sample and returns its id."""
    from kronos_app.services.forecast.request import ForecastRequest

    def make(**fields) -> str:
        cutoff = sample.candles.timestamps[-40].to_pydatetime()
        asked = {"candles_id": sample.id, "lookback": 48, "horizon": 6, "samples": 8, "seed": 1, "cutoff": cutoff}
        sent = desk.forecasts.submit(ForecastRequest.build(asked | fields))
        if sent.forecast_id:
            return sent.forecast_id
        deadline = time.monotonic() + 120
        while (job := desk.jobs.get(sent.job_id)).active and time.monotonic() < deadline:
            time.sleep(0.02)
        assert job.status == "succeeded", job
        return job.result_id

    return make

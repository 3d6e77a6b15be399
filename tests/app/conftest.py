"""The frame driven by AppTest, over a real desk with a tiny random model in place of the bundled one."""

from __future__ import annotations

import json
import shutil
import sys
import time
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from streamlit.testing.v1 import AppTest

from kronos_app.i18n import translate
from kronos_app.widgets.forecast import keys
from tests.qlib_writer import walk, write

ROOT = Path(__file__).parents[2]
GOLDEN = ROOT / "tests" / "golden"
FOLDERS = {"tuning": "runs", "evaluations": "evaluations", "backtests": "backtests"}  # of records, by service


def copy_model(home: Path) -> None:
    """Put the tiny random model into a home folder, under the name of the bundled one."""
    for part in ("model", "tokenizer"):
        shutil.copytree(GOLDEN / part, home / "models" / "kronos-nano" / part)


@contextmanager
def open_desk(home: Path):
    """Yield a started desk with the tiny model in `home`."""
    from kronos_app.services.desk import Desk
    from kronos_app.settings import Settings

    copy_model(home)
    desk = Desk(Settings(home=home, threads=1))
    desk.start()
    try:
        yield desk
    finally:
        desk.close()


def wait_for_end(service, record_id: str, seconds: float = 240):
    """Return a run, evaluation or backtest once it is no longer active, or as it is after `seconds`."""
    deadline = time.monotonic() + seconds
    while (record := service.get(record_id)).active and time.monotonic() < deadline:
        time.sleep(0.02)
    return record


def copy_record(folder: Path, desk) -> str:
    """Copy the folder of a run, evaluation or backtest to the home folder of a desk and return the id of the record."""
    shutil.copytree(folder, desk.settings.home / folder.parent.name / folder.name)
    return folder.name


def make_finished(home: Path, service: str, start: Callable[[Any], str]) -> Path:
    """Return the folder of the run, evaluation or backtest that `start` begins on a desk in `home`, once finished."""
    with open_desk(home) as desk:
        record = wait_for_end(getattr(desk, service), start(desk))
        assert record.state == "finished", record
        return home / FOLDERS[service] / record.id


def take_sample(desk, name: str = "sp500"):
    """Save a bundled series as the Data page does."""
    draft = desk.candles.sample(name)
    return desk.candles.save(desk.candles.preview(draft, None), desk.candles.inspect(draft))


def offer_qlib_folder(folder: Path, days: pd.DatetimeIndex, monkeypatch) -> None:
    """Write a Qlib folder with two instruments, which the desk offers as `cn_data`."""
    symbols = {name: walk(days, seed) for seed, name in enumerate(("SH600000", "SH600519"))}
    write(folder, symbols, days, markets={"csi300": ["SH600519"]})
    monkeypatch.setenv("KRONOS_QLIB_FOLDERS", json.dumps({"cn_data": str(folder)}))


def page_text(app: AppTest) -> str:
    """Return the titles, texts and messages of a page, without the backslashes of Markdown."""
    kinds = (app.title, app.subheader, app.markdown, app.caption, app.info, app.success, app.warning, app.error)
    return "\n".join(str(element.value) for elements in kinds for element in elements).replace("\\", "")


def message_texts(app: AppTest) -> list[str]:
    """Return the messages of success, information and error of a page, without the backslashes of Markdown."""
    return [element.value.replace("\\", "") for element in (*app.success, *app.info, *app.error)]


def labels_of(elements) -> list[str]:
    return [element.label for element in elements]


def find_button(app: AppTest, label: str):
    return next(element for element in app.button if element.label == label)


def find_field(app: AppTest, name: str, *parts: str):
    """Return the field whose key is the name and the parts, joined by dots."""
    return app.get_by_key(".".join((name, *parts)))


def fill_in_small(app: AppTest) -> AppTest:
    """Fill in the form of the Forecast page for a forecast that takes no time."""
    for key, value in {keys.LOOKBACK: 64, keys.HORIZON: 6, keys.SAMPLES: 8, keys.SEED: 3}.items():
        app.get_by_key(key).set_value(value)
    return app.run()


def run_button(app: AppTest, lang: str = "en"):
    return find_button(app, translate("Run forecast", lang))


def finish_forecast(app: AppTest, desk) -> AppTest:
    """Wait for the job in the address and draw the page again, as its fragment does by itself in a browser."""
    if "job" not in app.query_params:  # it was done before the page was
        return app
    job_id = app.query_params["job"]
    deadline = time.monotonic() + 120
    while desk.jobs.get(job_id).active and time.monotonic() < deadline:
        time.sleep(0.02)
    return app.run()


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
    copy_model(home)
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
def open_sample(open_page):
    """Return a function that opens a page without data, takes the sample there and returns the page and its metrics."""

    def open_sample(page: str, lang: str):
        app = open_page(page, lang=lang)
        start = translate("Start", lang)
        assert start not in labels_of(app.button)
        app.get_by_key(f"{page}.sample").click().run()
        assert not app.error
        return app, {metric.label: metric.value for metric in app.metric}

    return open_sample


@pytest.fixture
def start_hanging(desk, monkeypatch):
    """Return a function that starts a record whose job hangs after three steps, and returns the id of the record.

    Jobs that start later run as usual.
    """

    def start_hanging(kind: str, service: str, start: Callable[[Any], str], total: int) -> str:
        def hang(_job, on_step):
            while True:
                on_step(3, total)
                time.sleep(0.01)

        with monkeypatch.context() as patch:
            patch.setitem(desk.jobs._handlers, kind, hang)
            record_id = start(desk)
            deadline = time.monotonic() + 30
            while getattr(desk, service).get(record_id).done != 3 and time.monotonic() < deadline:
                time.sleep(0.01)
        return record_id

    return start_hanging


@pytest.fixture
def registry(monkeypatch):
    """Return a function that changes what is known about using the bundled model."""
    from engine.loading.registry import REGISTRY

    def change(**fields):
        changed = replace(REGISTRY["kronos-nano"], **fields)
        monkeypatch.setattr("engine.loading.registry.REGISTRY", dict(REGISTRY) | {"kronos-nano": changed})

    return change


@pytest.fixture
def sample(desk):
    """Return a bundled series, saved."""
    return take_sample(desk)


@pytest.fixture
def forecast(desk, sample):
    """Return a function that makes a forecast of the sample and returns its id."""
    from kronos_app.services.forecast.request import ForecastRequest

    def make(**fields) -> str:
        cutoff = sample.candles.timestamps[-40].to_pydatetime()
        asked = {"candles_id": sample.id, "lookback": 64, "horizon": 6, "samples": 8, "seed": 1, "cutoff": cutoff}
        sent = desk.forecasts.submit(ForecastRequest.build(asked | fields))
        if sent.forecast_id:
            return sent.forecast_id
        deadline = time.monotonic() + 120
        while (job := desk.jobs.get(sent.job_id)).active and time.monotonic() < deadline:
            time.sleep(0.02)
        assert job.status == "succeeded", job
        return job.result_id

    return make

"""Where a fine-tune takes its candles from: series of the store, watchlists, files handed in, Qlib folders."""

from __future__ import annotations

from datetime import date, datetime, time

import pandas as pd
import pytest

from kronos_app import state
from kronos_app.data.source import FetchRequest
from kronos_app.services.selection.request import DataChoice
from kronos_app.store.series import SeriesKey
from kronos_app.store.watchlists import Watched
from kronos_app.widgets.finetune.fields import key
from tests.app.conftest import offer_qlib_folder
from tests.fake_market import family
from tests.vendor import Vendor

KEY = SeriesKey("vendor", "ABC", "1h", "none")


def opened(open_page, source: str):
    app = open_page("finetune")
    app.get_by_key("finetune.source").set_value(source).run()
    assert not app.exception, app.exception
    return app


def windows(app) -> list[str]:
    """Return how many windows each split has, after the windows were made short."""
    app.get_by_key(key("window.lookback")).set_value(16)
    app.get_by_key(key("window.horizon")).set_value(2)
    app.get_by_key(key("predictor.batch")).set_value(4)
    app.run()
    assert not app.error, app.error[0].value
    return [metric.value for metric in app.metric]


@pytest.fixture
def stored(monkeypatch, request):
    """Return a desk that has fetched a series from the only market there is."""
    monkeypatch.setattr("kronos_app.services.desk.FAMILIES", (family(Vendor()),))
    desk = request.getfixturevalue("desk")
    desk.series.fetch("vendor", FetchRequest("ABC", "1h"))
    return desk


def test_stored_series_are_learned_from(stored, open_page):
    app = opened(open_page, "series")
    app.get_by_key("finetune.series").set_value([KEY]).run()
    assert len(windows(app)) == 3
    assert app.get("plotly_chart")


def test_a_watchlist_is_learned_from_as_far_as_it_is_stored(stored, open_page):
    entries = [Watched("vendor", symbol, "1h") for symbol in ("ABC", "XYZ")]
    stored.series.save_watchlist("Mine", entries)
    app = opened(open_page, "watchlist")
    assert any("1 of its 2 series are stored" in caption.value for caption in app.caption)
    assert len(windows(app)) == 3
    assert any("XYZ" in caption.value for caption in app.caption)


def test_without_series_watchlist_or_folder_the_page_says_where_to_get_them(open_page, desk):
    for source, told in (("series", "No series is stored yet"), ("watchlist", "no watchlist yet"), ("qlib", "no Qlib")):
        assert told in opened(open_page, source).info[0].value


def test_a_data_set_kept_from_a_file_is_chosen(open_page, desk):
    app = opened(open_page, "upload")
    assert app.get("file_uploader")
    draft = desk.candles.sample("sp500")
    saved = desk.candles.save(desk.candles.preview(draft, None), desk.candles.inspect(draft))
    app.session_state[state.CANDLES_ID] = saved.id
    app.run()
    assert app.get_by_key("finetune.source").value == "candle_sets"
    assert app.get_by_key("finetune.sets").value == [saved.id]


@pytest.fixture
def qlib(tmp_path, monkeypatch):
    offer_qlib_folder(tmp_path / "cn", pd.bdate_range("2020-01-01", periods=700), monkeypatch)


@pytest.mark.usefixtures("qlib")
def test_a_qlib_folder_is_learned_from_and_chosen_again_by_a_copy(qlib, open_page, desk):
    app = opened(open_page, "qlib")
    app.get_by_key("finetune.market.qlib:cn_data").set_value("csi300").run()
    app.get_by_key("finetune.from").set_value(date(2020, 2, 3))
    app.get_by_key("finetune.to").set_value(date(2022, 6, 1)).run()
    assert len(windows(app)) == 3
    app.get_by_key("finetune.start").click().run()
    run_id = app.query_params["run"]
    wanted = {"qlib_market": "csi300", "qlib_frequency": "day", "qlib_start": datetime(2020, 2, 3)}
    wanted["qlib_end"] = datetime.combine(date(2022, 6, 1), time.max)
    assert desk.tuning.request_of(run_id).data == DataChoice(kind="qlib", qlib_folder="cn_data", **wanted)
    app.get_by_key(f"finetune.clone.{run_id}").click().run()
    desk.tuning.delete(run_id)
    assert app.get_by_key("finetune.source").value == "qlib"
    assert app.get_by_key("finetune.market.qlib:cn_data").value == "csi300"
    assert app.get_by_key("finetune.frequency.qlib:cn_data").value == "1d"
    assert app.get_by_key("finetune.from").value == date(2020, 2, 3)

"""Many series at once on the Data page: files, long files, a Qlib folder; and several data sets on one scale."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

from kronos_app import state
from kronos_app.i18n import translate
from kronos_app.widgets.candles import keys
from tests.app.conftest import find_button, page_text
from tests.qlib_writer import walk, write

LANGUAGES = ("en", "zh_CN")
DAYS = pd.bdate_range("2020-01-01", periods=120)


def candles(rows=30, seed=0):
    close = 10 * np.exp(np.cumsum(np.random.default_rng(seed).normal(0, 0.02, rows)))
    frame = pd.DataFrame({"date": pd.bdate_range("2024-01-01", periods=rows), "open": close, "close": close})
    return frame.assign(high=close * 1.01, low=close * 0.99, volume=100)


def csv(frame) -> bytes:
    return frame.to_csv(index=False).encode()


def long(**frames) -> bytes:
    return csv(pd.concat([frame.assign(symbol=name) for name, frame in frames.items()]))


def faulty(rows=30, seed=1):
    frame = candles(rows, seed)
    frame.loc[4, "high"] = frame.loc[4, "low"] / 2
    return frame


def put(app, **files):
    app.file_uploader[0].set_value([(f"{name}.csv", content, "text/csv") for name, content in files.items()]).run()
    assert not app.exception
    return app


def table(app) -> pd.DataFrame:
    return app.dataframe[0].value.set_index("name")


def kept(desk) -> dict[str, int]:
    return {info.name: info.rows for info in desk.candles.list()}


@pytest.mark.parametrize("lang", LANGUAGES)
def test_several_files_are_listed_and_kept_together(open_page, desk, lang):
    app = put(open_page("data", lang=lang), one=csv(candles()), two=csv(candles(20, 2)))
    assert table(app)["rows"].to_dict() == {"one.csv": 30, "two.csv": 20}
    assert "file" not in table(app)
    find_button(app, translate("Save all {count}", lang).format(count=2)).click().run()
    assert not app.exception
    assert kept(desk) == {"one.csv": 30, "two.csv": 20}
    assert translate("{count} data sets were saved. Choose one of them below, or on the Forecast page.", lang).format(
        count=2
    ) in page_text(app)
    assert app.session_state[state.CANDLES_ID] in {info.id for info in desk.candles.list()}


def test_a_long_file_is_listed_by_symbol_and_repaired_for_all_but_one(open_page, desk):
    app = put(open_page("data"), market=long(GOOD=candles(), BAD=faulty(), WORSE=faulty(seed=2)))
    assert list(table(app).index) == ["GOOD", "BAD", "WORSE"]
    assert table(app)["state"].to_dict() == {"GOOD": "good", "BAD": "needs a repair", "WORSE": "needs a repair"}
    assert "2 of 3 series need one." in page_text(app)
    app.get_by_key(keys.SERIES).select(2).run()
    assert "Quality of WORSE" in page_text(app)
    assert "1 rows left out" in page_text(app)
    app.get_by_key(f"{keys.REPAIR}.2.WORSE").set_value("keep").run()
    assert "1 impossible candles kept" in page_text(app)
    app.get_by_key(keys.SERIES).select(1).run()
    assert "1 rows left out" in page_text(app)
    find_button(app, "Save all 3").click().run()
    assert kept(desk) == {"GOOD": 30, "BAD": 29, "WORSE": 30}


def test_one_of_many_can_be_used_alone(open_page, desk):
    app = put(open_page("data"), market=long(A=candles(), B=candles(20, 2)))
    app.get_by_key(keys.SERIES).select(1).run()
    find_button(app, "Use this data set").click().run()
    assert kept(desk) == {"B": 20}
    assert "This data set is in use." in page_text(app)


def test_a_series_that_cannot_be_kept_says_why_and_the_others_are(open_page, desk):
    empty = candles().astype({"close": object}).assign(close="-")
    app = put(open_page("data"), market=long(GOOD=candles(), EMPTY=empty))
    find_button(app, "Save all 2").click().run()
    assert kept(desk) == {"GOOD": 30}
    assert "These could not be saved:" in page_text(app)
    assert "EMPTY" in app.warning[0].value
    assert "No candle of “EMPTY” is left" in app.warning[0].value.replace("\\", "")


def test_one_bad_file_does_not_stop_the_others(open_page):
    app = put(open_page("data"), bad=b"\x00\x01\x02\xff" * 100, one=csv(candles()), two=csv(candles(20, 2)))
    assert len(app.error) == 1
    assert "bad.csv" in app.error[0].value
    assert list(table(app).index) == ["one.csv", "two.csv"]


def test_series_of_one_name_are_told_apart_by_their_files(open_page):
    app = put(open_page("data"), x=long(A=candles(), B=candles(9)), y=long(A=candles(20, 2), B=candles(9)))
    assert app.dataframe[0].value["file"].tolist() == ["x.csv", "x.csv", "y.csv", "y.csv"]
    assert "A · y.csv" in app.get_by_key(keys.SERIES).options


def test_a_file_taken_away_again_is_forgotten(open_page):
    app = put(open_page("data"), one=csv(candles()), two=csv(candles(20, 2)))
    put(app, one=csv(candles()))
    assert "Quality of one.csv" in page_text(app)
    assert len(app.session_state[keys.DRAFT]) == 1


def test_files_without_times_are_asked_for_once(open_page):
    bare = candles().drop(columns="date")
    app = put(open_page("data"), one=csv(bare), two=csv(bare.head(20)))
    assert "2 files have no time column" in app.warning[0].value
    assert "one.csv, two.csv" in app.warning[0].value.replace("\\", "")
    app.get_by_key(keys.INTERVAL).select("1h")
    app.datetime_input[0].set_value(pd.Timestamp("2024-01-01").to_pydatetime()).run()
    assert table(app)["last"].to_dict() == {"one.csv": "2024-01-02 05:00", "two.csv": "2024-01-01 19:00"}


def test_files_that_are_too_large_together_are_refused(open_page, monkeypatch):
    monkeypatch.setenv("KRONOS_MAX_UPLOAD_MB", "1")
    from kronos_app.services.desk import close_desk
    from kronos_app.settings import get_settings

    close_desk()
    get_settings.cache_clear()
    half = csv(candles()) + b"\n" * 600_000
    app = put(open_page("data"), one=half, two=half)
    assert "larger than 1 MB" in app.error[0].value


def test_many_data_sets_are_shown_by_the_page(open_page, desk):
    for seed in range(12):
        desk.candles.keep(desk.candles.read(csv(candles(9, seed)), f"set {seed:02d}.csv"))
    app = open_page("data")
    assert "12 of 12 data sets" in page_text(app)
    assert len([one for one in app.button if one.label == "Use"]) == 10
    app.get_by_key(keys.SETS_TEXT).set_value("SET 03").run()
    assert "1 of 12 data sets" in page_text(app)


# Qlib


@pytest.fixture
def qlib(tmp_path, monkeypatch, desk):
    """Put a small Qlib folder on the desk."""
    from kronos_app.services.desk import close_desk, get_desk
    from kronos_app.settings import get_settings

    symbols = {"SH600000": walk(DAYS, 1), "SZ000001": walk(DAYS[20:], 2), "SZ300750": walk(DAYS, 3, factor=False)}
    write(tmp_path / "cn", symbols, DAYS, markets={"csi300": ["SH600000", "SZ000001"]})
    monkeypatch.setenv("KRONOS_QLIB_FOLDERS", json.dumps({"cn_data": str(tmp_path / "cn")}))
    close_desk()
    get_settings.cache_clear()
    return get_desk()


def choose(app, market="csi300", *symbols):
    app.segmented_control[0].set_value("qlib").run()
    app.get_by_key(f"{keys.LISTED_MARKET}.qlib:cn_data").select(market).run()
    app.get_by_key(f"{keys.LISTED_SYMBOLS}.qlib:cn_data.{market}").set_value(list(symbols)).run()
    assert not app.exception
    return app


@pytest.mark.parametrize("lang", LANGUAGES)
def test_instruments_of_a_market_are_read_and_kept(open_page, qlib, lang):
    app = choose(open_page("data", lang=lang), "csi300", "SH600000", "SZ000001")
    options = app.get_by_key(f"{keys.LISTED_SYMBOLS}.qlib:cn_data.csi300").options
    assert options == ["SH600000 · 2020-01-01 – 2020-06-16", "SZ000001 · 2020-01-29 – 2020-06-16"]
    app.get_by_key("data.listed_button").click().run()
    assert table(app)["rows"].to_dict() == {"SH600000": 120, "SZ000001": 100}
    find_button(app, translate("Save all {count}", lang).format(count=2)).click().run()
    assert kept(qlib) == {"SH600000": 120, "SZ000001": 100}
    assert {info.source for info in qlib.candles.list()} == {"qlib:cn_data"}


def test_one_instrument_is_examined_at_once_in_its_days_and_as_traded(open_page, qlib):
    app = choose(open_page("data"), "all", "SH600000")
    app.get_by_key(f"{keys.FROM}.qlib:cn_data").set_value(DAYS[10].date()).run()
    app.get_by_key(state.joined(keys.OPTION, "adjustment")).set_value(False).run()
    app.get_by_key("data.listed_button").click().run()
    assert "Quality of SH600000" in page_text(app)
    assert "without the factor for splits and dividends" in page_text(app)
    assert {metric.label: metric.value for metric in app.metric}["First"] == "2020-01-15"


def test_an_instrument_that_cannot_be_read_says_so_beside_the_others(open_page, qlib):
    app = choose(open_page("data"), "all", "SH600000", "SZ300750")
    app.get_by_key(state.joined(keys.OPTION, "adjustment")).set_value(False).run()
    app.get_by_key("data.listed_button").click().run()
    assert "1 instruments could not be read:" in app.warning[0].value
    assert "has no adjustment factor of SZ300750" in app.warning[0].value.replace("\\", "")
    assert "Quality of SH600000" in page_text(app)


def test_a_desk_without_a_folder_says_what_to_set(open_page, monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    app = open_page("data")
    app.segmented_control[0].set_value("qlib").run()
    assert "This desk has no Qlib folder" in app.error[0].value
    assert "KRONOS_QLIB_FOLDERS" in app.error[0].value.replace("\\", "")


def test_a_folder_that_is_gone_is_said_to_be(open_page, qlib, tmp_path):
    (tmp_path / "cn").rename(tmp_path / "elsewhere")
    app = open_page("data")
    app.segmented_control[0].set_value("qlib").run()
    assert "“cn_data” does not exist" in app.error[0].value.replace("\\", "")
    assert not app.exception


# Comparison


@pytest.mark.parametrize("lang", LANGUAGES)
def test_data_sets_are_compared_on_one_scale(open_page, desk, lang):
    ids = [desk.candles.keep(desk.candles.sample(name)).id for name in ("sp500", "AAPL", "nasdaq")]
    app = open_page("data", lang=lang)
    assert translate("Compare data sets", lang) in page_text(app)
    app.get_by_key(keys.COMPARED).set_value(ids).run()
    assert not app.exception
    facts = app.table[-1].value
    assert list(facts.index) == ["sp500", "AAPL", "nasdaq"]
    start = translate("Each is 100 at {time}, from where on all have candles.", lang).format(time="2000-03-01")
    assert start in page_text(app)
    app.get_by_key(keys.COMPARED_RANGE).set_value("1y").run()
    assert not app.exception
    assert "AAPL" in app.info[-1].value


def test_a_data_set_that_is_deleted_leaves_the_comparison(open_page, desk):
    ids = [desk.candles.keep(desk.candles.sample(name)).id for name in ("sp500", "AAPL", "nasdaq")]
    app = open_page("data")
    app.get_by_key(keys.COMPARED).set_value(ids).run()
    desk.candles.delete(ids[0])
    app.run()
    assert not app.exception
    assert list(app.table[-1].value.index) == ["AAPL", "nasdaq"]

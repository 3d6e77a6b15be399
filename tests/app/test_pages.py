from __future__ import annotations

import time
from datetime import datetime

import pytest

from kronos_app import state
from kronos_app.i18n import translate
from kronos_app.nav import ENTRIES
from kronos_app.services.core.glossary import read_glossary
from kronos_app.services.forecast.request import ForecastRequest
from kronos_app.widgets.candles import keys
from tests.app.conftest import find_button, page_text

LANGUAGES = ("en", "zh_CN")


@pytest.mark.parametrize("lang", LANGUAGES)
@pytest.mark.parametrize("page", list(ENTRIES))
def test_every_page_opens_without_any_data(open_page, page, lang):
    app = open_page(page, lang=lang)
    assert not app.error
    assert app.title[0].value


@pytest.mark.parametrize("page", list(ENTRIES))
def test_a_page_in_chinese_has_no_english_sentence(open_page, sample, forecast, page):
    query = {"forecast": forecast()} if page == "forecast" else {}
    english = page_text(open_page(page, **query)).splitlines()
    chinese = page_text(open_page(page, lang="zh_CN", **query))
    sentences = [line for line in english if line.count(" ") > 4 and translate(line, "zh_CN") != line]
    assert sentences
    assert [line for line in sentences if line in chinese] == []


def test_the_language_chosen_in_the_sidebar_holds_on_the_next_page(open_page):
    app = open_page("home")
    app.sidebar.selectbox[0].select("zh_CN").run()
    assert app.query_params["lang"] == "zh_CN"
    app.switch_page("../../pages/models.py").run()
    assert app.title[0].value == "模型"


def test_the_sidebar_says_what_is_in_use(open_page, sample):
    app = open_page("home")
    assert "none chosen" in page_text(app)
    app.session_state[state.CANDLES_ID] = sample.id
    app.run()
    assert "sp500" in "\n".join(element.value for element in app.sidebar.markdown)


@pytest.mark.parametrize("lang", LANGUAGES)
def test_a_sample_is_inspected_and_kept(open_page, desk, lang):
    app = open_page("data", lang=lang)
    app.segmented_control[0].set_value("sample").run()
    assert {metric.label: metric.value for metric in app.metric}[translate("Candles", lang)] == "5,031"
    find_button(app, translate("Use this data set", lang)).click().run()
    assert [info.name for info in desk.candles.list()] == ["sp500"]
    assert translate("This data set is in use.", lang) in page_text(app)


def test_a_faulty_file_is_repaired_as_chosen(open_page, desk):
    rows = [f"2024-01-{day:02d},10,11,9,10.5,100" for day in range(1, 21)]
    rows[4] = "2024-01-05,10,8,9,10.5,100"
    app = open_page("data")
    app.file_uploader[0].upload(
        "walk.csv", ("date,open,high,low,close,volume\n" + "\n".join(rows)).encode(), "text/csv"
    ).run()
    assert "in row 6 high 8 is below low 9" in page_text(app).replace("\\", "")
    assert "1 rows left out" in page_text(app)
    app.radio[0].set_value("keep").run()
    assert "1 impossible candles kept" in page_text(app)
    find_button(app, "Use this data set").click().run()
    assert len(desk.candles.get(desk.candles.list()[0].id).candles) == 20


def test_a_file_without_times_waits_until_start_and_interval_are_stated(open_page):
    rows = "\n".join("10,11,9,10.5" for _ in range(20))
    app = open_page("data")
    app.file_uploader[0].upload("walk.csv", ("open,high,low,close\n" + rows).encode(), "text/csv").run()
    assert "This file has no time column" in page_text(app)
    assert not app.metric
    app.get_by_key(keys.INTERVAL).select("1h")
    app.datetime_input[0].set_value(datetime(2024, 1, 1)).run()
    assert {metric.label: metric.value for metric in app.metric}["Last"] == "2024-01-01 19:00"


def test_rubbish_gets_a_message_with_advice_and_no_traceback(open_page):
    app = open_page("data")
    app.file_uploader[0].upload("rubbish.csv", b"\x00\x01\x02\xff" * 100, "text/csv").run()
    assert len(app.error) == 1
    assert "rubbish" in app.error[0].value
    assert "Traceback" not in app.error[0].value


@pytest.mark.parametrize(("name", "kind"), [("prices.xls", "application/vnd.ms-excel"), ("prices.csv", "text/csv")])
def test_a_workbook_gets_the_way_to_csv_whatever_its_name_and_type(open_page, name, kind):
    app = open_page("data")
    app.file_uploader[0].upload(name, b"\xd0\xcf\x11\xe0" + bytes(600), kind).run()
    assert "is a workbook of Excel" in app.error[0].value.replace("\\", "")
    assert "CSV UTF-8" in app.error[0].value
    assert "Choose the columns" not in [field.label for field in app.selectbox]


def test_a_data_set_is_deleted_only_after_confirmation(open_page, desk, sample):
    app = open_page("data")
    app.get_by_key(f"data.delete.{sample.id}").click().run()
    assert desk.candles.list()
    app.get_by_key("app.confirm").click().run()
    assert desk.candles.list() == []


def test_a_model_is_loaded_and_unloaded(open_page, desk):
    app = open_page("models")
    app.get_by_key("models.load.kronos-nano").click().run()
    assert "in memory" in page_text(app)
    assert {"cpu"} == {status.device for status in desk.models.list() if status.loaded}
    app.get_by_key("models.unload.kronos-nano").click().run()
    assert "in memory" not in page_text(app)


def test_the_glossary_opens_from_the_sidebar_and_finds_a_term(open_page):
    app = open_page("home")
    find_button(app, "Glossary").click().run()
    assert len(app.table[0].value) == len(read_glossary())
    app.session_state[state.GLOSSARY_QUERY] = "覆盖率"
    find_button(app, "Glossary").click().run()
    assert "coverage" in set(app.table[0].value["Term"]) < {english for english, *_ in read_glossary()}


def test_the_glossary_explains_in_the_language_of_the_session(open_page):
    app = open_page("home", lang="zh_CN")
    find_button(app, translate("Glossary", "zh_CN")).click().run()
    assert "覆盖率" in list(app.table[0].value["术语"])


def test_home_shows_the_progress_of_a_running_forecast_until_it_ends(open_page, desk, sample, start_hanging):
    def submit(asked):
        return desk.forecasts.submit(ForecastRequest.build(asked)).job_id

    asked = {"candles_id": sample.id, "lookback": 64, "horizon": 6, "samples": 8}
    job_id = start_hanging("forecast", "jobs", lambda _jobs: submit(asked), 6)
    app = open_page("home")
    assert "Step 3 of 6" in "\n".join(link.proto.label for link in app.get("page_link"))
    assert [bar.proto.value for bar in app.get("progress")] == [50]
    desk.jobs.cancel(job_id)
    while desk.jobs.get(job_id).active:
        time.sleep(0.01)
    app.run()
    assert not app.get("progress")

"""Files of many series on the Data page: saved by a job that can be left, cancelled and found again."""

import threading

import pytest

from kronos_app import state
from kronos_app.i18n import translate
from kronos_app.services.candles import uploads
from kronos_app.services.desk import Desk
from tests.app.conftest import find_button, page_text
from tests.app.test_several_page import LANGUAGES, candles, faulty, kept, long, put

SERIES = 6


@pytest.fixture(autouse=True)
def few_at_once(monkeypatch):
    monkeypatch.setattr(uploads, "MOST_AT_ONCE", SERIES - 1)


@pytest.fixture
def market():
    """A file of six series, one of them faulty and one without a usable candle."""
    empty = candles().astype({"close": object}).assign(close="-")
    good = {f"S{number}": candles(20 + number, number) for number in range(SERIES - 2)}
    return long(**good, BAD=faulty(), EMPTY=empty)


@pytest.fixture
def hold(desk, monkeypatch):
    """Hold the job at its third series until the returned event is set."""
    ready = threading.Event()
    keep = desk.candles.keep_possible

    def holding(choices, on_step):
        def step(done, total):
            on_step(done, total)
            if done == 2:
                assert ready.wait(60)

        return keep(choices, step)

    monkeypatch.setattr(desk.candles, "keep_possible", holding)
    yield ready
    ready.set()


def start(app, market, lang="en"):
    put(app, market=market)
    find_button(app, translate("Save all {count}", lang).format(count=SERIES)).click().run()
    assert not app.exception
    return app.query_params["job"]


@pytest.mark.parametrize("lang", LANGUAGES)
def test_many_series_are_saved_by_a_job_that_a_closed_tab_does_not_end(open_page, desk, market, lang):
    job_id = start(open_page("data", lang=lang), market, lang)
    assert desk.jobs.wait(job_id, 60).status == "succeeded"
    names = {f"S{number}" for number in range(SERIES - 2)}
    assert set(kept(desk)) == {*names, "BAD"}
    again = open_page("data", lang=lang, job=job_id)
    done = "{count} data sets were saved. Choose one of them below, or on the Forecast page."
    assert translate(done, lang).format(count=SERIES - 1) in page_text(again)
    assert translate("These could not be saved:", lang) in again.warning[0].value
    assert "EMPTY" in again.warning[0].value
    assert again.session_state[state.CANDLES_ID] in {info.id for info in desk.candles.list()}


@pytest.mark.parametrize("lang", LANGUAGES)
def test_a_job_of_many_series_shows_its_progress_and_can_be_cancelled(open_page, desk, market, hold, monkeypatch, lang):
    monkeypatch.setattr("kronos_app.widgets.kit.job.LOOK_SECONDS", 0.01)
    app = open_page("data", lang=lang)
    start(app, market, lang)
    words = translate("{done} of {total} series are ready to be saved", lang)
    texts = {words.format(done=done, total=SERIES) for done in range(3)}
    assert {element.proto.text for element in app.get("progress")} <= texts
    assert app.get("progress")
    assert find_button(app, translate("Save all {count}", lang).format(count=SERIES)).disabled
    job_id = app.query_params["job"]
    find_button(app, translate("Cancel", lang)).click().run()
    hold.set()
    assert desk.jobs.wait(job_id, 60).status == "cancelled"
    assert kept(desk) == {}
    expected = translate("Saving these series was cancelled. None was saved.", lang)
    assert expected in page_text(open_page("data", lang=lang, job=job_id))


def test_a_job_of_many_series_goes_on_after_a_restart(open_page, desk, market, hold):
    job_id = start(open_page("data"), market)
    stopping = threading.Timer(0.5, hold.set)
    stopping.start()
    desk.jobs.stop()
    desk.close()
    again = Desk(desk.settings)
    try:
        assert kept(again) == {}
        again.start()
        assert again.jobs.wait(job_id, 60).status == "succeeded"
        assert len(kept(again)) == SERIES - 1
    finally:
        again.close()


def test_few_series_are_saved_at_once(open_page, desk):
    app = put(open_page("data"), market=long(A=candles(), B=candles(20, 2)))
    find_button(app, "Save all 2").click().run()
    assert set(kept(desk)) == {"A", "B"}
    assert "job" not in app.query_params
    assert desk.jobs.list(kind=uploads.KIND) == []

"""Several setups in one run of the Forecast page."""

from __future__ import annotations

import time

import pytest

from kronos_app.i18n import translate
from kronos_app.widgets.forecast import keys
from tests.app.conftest import find_button, find_field, labels_of, page_text

SETUP = keys.SETUP


@pytest.fixture
def form(open_page, sample):
    """Return a function that opens the form of a small forecast in a language."""

    def form(lang="en"):
        app = open_page("forecast", lang=lang)
        values = {keys.LOOKBACK: 64, keys.HORIZON: 6, keys.SAMPLES: 8, keys.SEED: 3, keys.MODE: "replay"}
        for key, value in values.items():
            app.get_by_key(key).set_value(value)
        return app.run()

    return form


def run_and_wait(app, desk, lang="en"):
    """Press Run, wait for the jobs and draw the page again, as its fragment does by itself in a browser."""
    find_button(app, translate("Run forecast", lang)).click().run()
    deadline = time.monotonic() + 120
    while desk.jobs.list(active_only=True) and time.monotonic() < deadline:
        time.sleep(0.02)
    return app.run()


def requests_of(app, desk):
    return [desk.forecasts.get(entry).stored.request for entry in app.query_params["compare"]]


@pytest.mark.parametrize("lang", ["en", "zh_CN"])
def test_setups_run_together_and_their_address_shows_them_again(form, open_page, desk, lang):
    app = form(lang)
    add = translate("Add a setup", lang)
    find_button(app, add).click().run()
    find_button(app, add).click().run()
    find_field(app, SETUP, "2", "sampling").set_value("own").run()
    find_field(app, SETUP, "2", "temperature").set_value(1.7).run()
    run_and_wait(app, desk, lang)
    assert not app.error, app.error
    made = requests_of(app, desk)
    assert [(one["temperature"], one["top_p"], one["samples"]) for one in made] == [
        (1.0, 1.0, 8),
        (0.6, 0.9, 8),
        (1.7, 1.0, 8),
    ]
    assert {(one["lookback"], one["horizon"], one["seed"], one["driftless"]) for one in made} == {(64, 6, 3, True)}
    shared = open_page("forecast", lang=lang, compare=app.query_params["compare"])
    for page in (app, shared):
        assert page.get("plotly_chart")
        assert page.table[0].value.shape[1] == 3
    assert find_field(app, SETUP, "1", "sampling").value == "conservative", "the form stays as it was submitted"
    assert (shared.get_by_key(keys.LOOKBACK).value, shared.get_by_key(keys.SAMPLES).value) == (64, 8)
    temperatures = [find_field(shared, SETUP, slot, "temperature").value for slot in ("1", "2")]
    assert temperatures == [0.6, 1.7], "the form has the setups of the address"


def test_a_setup_of_another_model_takes_what_that_model_recommends(form, desk):
    app = form()
    app.get_by_key(keys.PRESET).set_value("bands").run()
    find_button(app, "Add a setup").click().run()
    find_field(app, SETUP, "1", "model").set_value("kronos-small").run()
    find_field(app, SETUP, "1", "sampling").set_value("form").run()
    find_button(app, "Run forecast").click().run()
    fields = [job.request for job in desk.jobs.list()]
    small = next(one for one in fields if one["model"] == "kronos-small")
    advice = desk.models.spec("kronos-small").sampling["bands"]
    assert (small["temperature"], small["samples"], small["driftless"]) == (
        advice.temperature,
        advice.samples,
        advice.driftless,
    )


def test_equal_setups_are_refused_before_a_run(form):
    app = form()
    find_button(app, "Add a setup").click().run()
    find_field(app, SETUP, "1", "sampling").set_value("form").run()
    assert "Setup B is equal to setup A" in app.error[0].value
    assert find_button(app, "Run forecast").disabled


def test_suggested_setups_differ_from_the_form_and_from_each_other(form):
    app = form()
    for _ in range(3):
        find_button(app, "Add a setup").click().run()
    assert not app.error
    assert not find_button(app, "Run forecast").disabled


def test_a_setup_that_fails_leaves_the_others_their_letters_and_its_reason(form, desk):
    app = form()
    for _ in range(2):
        find_button(app, "Add a setup").click().run()
    find_field(app, SETUP, "1", "model").set_value("kronos-small").run()
    run_and_wait(app, desk)  # kronos-small is not downloaded, and there is no network
    assert page_text(app).count("kronos-small")
    assert len(app.error) == 1
    assert list(app.table[0].value.columns) == ["A", "C"]
    assert len(app.run().error) == 1, "a reload says it again"


def test_at_most_four_setups_and_removed_ones_do_not_run(form, desk):
    app = form()
    for _ in range(3):
        find_button(app, "Add a setup").click().run()
    assert "Add a setup" not in labels_of(app.button)
    for slot in ("1", "3"):
        find_field(app, SETUP, slot, "remove").click().run()
    run_and_wait(app, desk)
    assert [one["temperature"] for one in requests_of(app, desk)] == [1.0, 1.3]

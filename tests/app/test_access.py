from __future__ import annotations

import pytest


def test_pages_are_open_without_a_password(open_page):
    assert not open_page().text_input


def test_a_password_stands_before_every_page(open_page, monkeypatch):
    monkeypatch.setenv("KRONOS_PASSWORD", "correct horse")
    app = open_page()
    assert app.title[0].value == "Kronos Desk"
    app.text_input[0].set_value("wrong")
    app.button[0].click().run()
    assert app.error[0].value == "This password is not right."
    app.text_input[0].set_value("correct horse")
    app.button[0].click().run()
    assert app.title[0].value != "Kronos Desk"


@pytest.mark.parametrize("page", ["data", "forecast"])
def test_an_address_of_a_page_leads_past_the_door_only_with_the_password(open_page, monkeypatch, sample, page):
    monkeypatch.setenv("KRONOS_PASSWORD", "correct horse")
    app = open_page(page, forecast="anything", job="anything")
    assert [title.value for title in app.title] == ["Kronos Desk"]
    assert [field.label for field in app.text_input] == ["Password"]
    assert not app.error
    assert not app.metric
    app.text_input[0].set_value("correct horse")
    app.button[0].click().run()
    assert app.title[0].value.lower() == page

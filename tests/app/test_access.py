from __future__ import annotations


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

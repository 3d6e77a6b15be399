from __future__ import annotations

import pytest


def test_pages_are_open_without_a_password(open_page):
    assert not open_page().error


@pytest.mark.parametrize("page", ["home", "data", "forecast"])
def test_with_a_password_nothing_is_shown_to_a_session_that_did_not_pass_the_middleware(desk, monkeypatch, page):
    from streamlit.testing.v1 import AppTest

    from kronos_app.settings import get_settings
    from tests.app.conftest import ROOT

    monkeypatch.setenv("KRONOS_PASSWORD", "correct horse")
    get_settings.cache_clear()
    app = AppTest.from_file(ROOT / "kronos_app" / "frame" / "main.py", default_timeout=120).run()
    if page != "home":
        app.switch_page(f"../../pages/{page}.py").run()
    assert [message.value for message in app.error] == [
        "There is a password, but this server cannot ask for it. Start it with: streamlit run Home.py"
    ]
    assert not app.title
    assert not app.metric


def test_work_that_a_page_asks_for_is_counted_for_its_browser(desk, monkeypatch):
    from streamlit.runtime.context import ContextProxy
    from streamlit.testing.v1 import AppTest

    from kronos_app.callers import CALLER

    def script():
        import streamlit as st

        from kronos_app.callers import CALLER
        from kronos_app.runtime import desk

        desk()
        st.write(CALLER.get() or "nobody")

    assert AppTest.from_function(script).run().markdown[0].value == "nobody"
    monkeypatch.setattr(ContextProxy, "headers", {"X-Kronos-Browser": "browser 1"})
    assert AppTest.from_function(script).run().markdown[0].value == "browser 1"
    assert CALLER.get() == ""

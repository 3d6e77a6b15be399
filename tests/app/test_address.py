"""The address names the data set and the model in use: a reload or a shared link, a new session, begins with them."""

from __future__ import annotations

import pytest
from streamlit.testing.v1 import AppTest

from kronos_app import state
from kronos_app.widgets.candles import keys
from tests.app.conftest import ROOT, page_text, take_sample


@pytest.fixture
def open_address(desk):
    """Return a function that opens an address in a new session: home with query parameters."""

    def open_address(**query: str) -> AppTest:
        app = AppTest.from_file(ROOT / "kronos_app" / "frame" / "main.py", default_timeout=120)
        app.query_params.update({"lang": "en", **query})
        app.run()
        assert not app.exception, app.exception
        return app

    return open_address


def parameters(app: AppTest) -> dict[str, str]:
    """Return the data set and the model in the address."""
    return {name: app.query_params[name] for name in ("data", "model") if name in app.query_params}


def sidebar_text(app: AppTest) -> str:
    return "\n".join(element.value for element in app.sidebar.markdown)


def test_what_is_in_use_is_in_the_address_of_every_page_and_of_links(open_address, desk):
    chosen = take_sample(desk, "IBM")
    take_sample(desk)
    app = open_address()
    assert parameters(app) == {}
    app.session_state[state.CANDLES_ID] = chosen.id
    app.session_state[state.MODEL] = "kronos-mini"
    app.run()
    used = {"data": chosen.id, "model": "kronos-mini"}
    assert parameters(app) == used
    for page in ("forecast", "data", "history"):
        app.switch_page(f"../../pages/{page}.py")
        app.query_params.clear()  # as a click on the menu does
        app.run()
        assert parameters(app) == used, page
    again = open_address(**used)
    assert "IBM" in sidebar_text(again)
    assert "kronos-mini" in sidebar_text(again)
    links = [element.proto.query_string for element in again.get("page_link")]
    assert all(f"data={chosen.id}" in link for link in links)
    assert links


def test_an_address_with_what_does_not_exist_says_so_and_falls_back(open_address, desk):
    newest = take_sample(desk)
    app = open_address(data="<b>gone</b>", model="nobody@3")
    text = page_text(app)
    assert "The data set <b>gone</b> of this address does not exist" in text
    assert "The model nobody@3 of this address does not exist" in text
    assert parameters(app) == {}
    assert "none chosen" in sidebar_text(app)
    app.switch_page("../../pages/forecast.py").run()
    assert app.session_state[state.CANDLES_ID] == newest.id
    assert "The data set <b>gone</b>" in page_text(app), "the newest data set is used instead, and the note stays"
    other = take_sample(desk, "IBM")
    app.run()
    app.get_by_key(keys.PICKED).set_value(other.id).run()
    assert "<b>gone</b>" not in page_text(app)
    assert parameters(app) == {"data": other.id}


def test_a_data_set_deleted_elsewhere_is_said_and_leaves_the_address(open_address, desk):
    other, chosen = take_sample(desk, "IBM"), take_sample(desk)
    app = open_address(data=chosen.id)
    desk.candles.delete(chosen.id)
    app.run()
    assert parameters(app) == {}
    app.switch_page("../../pages/forecast.py").run()
    assert not app.exception
    assert [warning.value for warning in app.warning if chosen.id in warning.value]
    assert parameters(app)["data"] == other.id

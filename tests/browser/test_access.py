"""Every page for keyboard and screen reader: no serious finding of axe-core, light and dark, and the language."""

from __future__ import annotations

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from kronos_app.nav import ENTRIES
from tests.browser.steps import idle

pytestmark = [pytest.mark.browser, pytest.mark.timeout(1200)]

TITLES = [entry.title.msgid for entry in ENTRIES.values()]
GRAVE = {"serious", "critical"}


def find_grave_faults(page) -> list[str]:
    """Return the serious findings of axe-core on the page as it is now."""
    violations = Axe().run(page, options={"resultTypes": ["violations"]}).response["violations"]
    return [
        f"{violation['id']}: {node['target']} {node['failureSummary']}"
        for violation in violations
        if violation["impact"] in GRAVE
        for node in violation["nodes"]
    ]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_serious_on_any_page(page, scheme):
    page.emulate_media(color_scheme=scheme)
    page.goto("/")
    for title in TITLES:
        link = page.get_by_test_id("stSidebarNav").get_by_role("link", name=title, exact=True)
        link.click()
        expect(link).to_have_attribute("aria-current", "page")
        idle(page)
        assert find_grave_faults(page) == [], title


def test_the_document_follows_the_language(page):
    page.goto("/data?lang=zh_CN")
    html = page.locator("html")
    expect(html).to_have_attribute("lang", "zh-CN")
    page.get_by_role("combobox", name="Language / 语言").click()
    page.get_by_role("option", name="English").click()
    expect(page.get_by_role("heading", name="Data", exact=True)).to_be_visible()
    expect(html).to_have_attribute("lang", "en")


def test_the_focus_of_the_keyboard_is_visible_and_unlike_what_is_selected(page):
    page.goto("/data")
    selected = page.get_by_role("radio", checked=True).first
    expect(selected).to_be_visible()
    idle(page)
    plain = selected.evaluate("element => getComputedStyle(element).outlineStyle")
    assert plain == "none"
    page.keyboard.press("Tab")
    focused = page.evaluate("() => getComputedStyle(document.activeElement).outline")
    assert "3px" in focused
    assert "rgb(201, 106, 0)" in focused

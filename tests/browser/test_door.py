"""The password before the pages, in a browser."""

import pytest
from playwright.sync_api import expect

from tests.servers.desk import PASSWORD, ROOT, serving


@pytest.fixture(scope="module")
def locked(tmp_path_factory):
    with serving(tmp_path_factory.mktemp("locked")) as served:
        yield f"http://{served.host}"


@pytest.fixture
def page(locked, browser):
    context = browser.new_context(base_url=locked)
    page = context.new_page()
    errors = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("console", lambda message: errors.append(message.text) if "Content Security" in message.text else None)
    yield page
    context.close()
    assert errors == []


def test_the_password_opens_the_page_that_was_asked_for_and_uploads_there(page):
    page.goto("/data?lang=en")
    page.get_by_label("Password").fill("wrong")
    page.get_by_role("button", name="Enter").click()
    expect(page.get_by_role("alert")).to_have_text("This password is not right.")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Enter").click()
    expect(page.get_by_role("heading", name="Data", exact=True)).to_be_visible()
    page.locator("input[type=file]").first.set_input_files(ROOT / "tests" / "golden" / "candles.csv")
    expect(page.get_by_role("heading", name="Quality of candles.csv")).to_be_visible()
    page.reload()
    expect(page.get_by_role("heading", name="Data", exact=True)).to_be_visible()


def test_the_documentation_of_the_api_runs_with_scripts_of_the_server_alone(page):
    page.goto("/api/docs")
    expect(page.get_by_text("/v1/forecasts", exact=True).first).to_be_visible()

from __future__ import annotations

import time
from threading import Event, Thread

import pytest

from kronos_app import runtime


@pytest.fixture
def warm_up(desk, monkeypatch):
    """Start to warm up as the server does, and return the thread."""
    monkeypatch.setattr(runtime, "_first_page", Event())
    monkeypatch.setattr(runtime, "SECONDS_TO_DRAW", 0.0)
    thread = Thread(target=runtime.warm_up, args=[desk.models], daemon=True)
    thread.start()
    yield thread
    runtime.page_served()
    thread.join(60)


def test_the_bundled_model_is_loaded_once_the_first_page_was_served(warm_up, desk, open_page):
    time.sleep(0.2)
    assert not desk.models.status("kronos-nano").loaded
    open_page("home")
    warm_up.join(60)
    assert desk.models.status("kronos-nano").loaded
    assert [status.name for status in desk.models.list() if status.loaded] == ["kronos-nano"]


def test_a_model_that_cannot_be_loaded_does_not_disturb_the_pages(desk, open_page, request):
    (desk.settings.home / "models" / "kronos-nano" / "model" / "model.safetensors").write_bytes(b"damaged")
    thread = request.getfixturevalue("warm_up")
    open_page("home")
    thread.join(60)
    assert not thread.is_alive()
    assert not desk.models.status("kronos-nano").loaded

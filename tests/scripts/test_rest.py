"""Programs wait for a job or a run of the API."""

import httpx
import pytest

from scripts import rest


@pytest.fixture
def api(monkeypatch):
    """Return a function that makes a client of an API whose records have these states, one an answer."""
    monkeypatch.setattr(rest, "POLL_SECONDS", 0.0)

    def api(field, *states):
        answers = iter(states)
        transport = httpx.MockTransport(lambda _request: httpx.Response(200, json={field: next(answers)}))
        return httpx.Client(transport=transport, base_url="http://127.0.0.1")

    return api


@pytest.mark.parametrize(("field", "end"), [("status", "succeeded"), ("state", "finished")])
def test_a_job_and_a_run_are_awaited_until_they_have_succeeded(api, field, end):
    assert rest.await_state(api(field, "queued", "running", end), "/any") == {field: end}


def test_a_run_is_awaited_until_it_is_in_the_given_state(api):
    assert rest.await_state(api("state", "queued", "running"), "/any", "running") == {"state": "running"}


def test_a_job_that_has_failed_is_an_error(api):
    with pytest.raises(RuntimeError, match="/any is failed"):
        rest.await_state(api("status", "running", "failed"), "/any")


def test_waiting_ends(monkeypatch):
    monkeypatch.setattr(rest, "SECONDS_TO_END", 0.0)
    with pytest.raises(RuntimeError, match="in vain: it rains"):
        rest.wait_until(lambda: False, "it rains")

"""Fetching from a market source: what can be asked for, what the job keeps, and what goes wrong."""

import os
import time
from datetime import UTC, datetime

import pandas as pd
import pytest

from kronos_app.data import draft_file
from kronos_app.data.source import FetchRequest
from kronos_app.errors import InvalidInput, NotFound, Unavailable
from kronos_app.services.candles.fetched import KEEP_SECONDS, FetchedDrafts
from tests.fake_market import FakeSource, family

DAILY = FetchRequest("AAPL", "1d")


@pytest.fixture
def source():
    return FakeSource()


@pytest.fixture
def make_desk(open_desk, settings, make_spec, source):
    """Return a function that opens a desk with the fake market and, where given, other settings."""

    def make(start=True, **fields):
        desk = open_desk(settings.model_copy(update=fields), {"tiny": make_spec()}, [family(source)])
        if start:
            desk.start()
        return desk

    yield make
    source.gate.set()


@pytest.fixture
def desk(make_desk):
    return make_desk()


def test_clean_candles_are_kept_and_can_still_be_looked_at(desk, finished):
    job = finished(desk.fetching.submit("yahoo", DAILY, review=True))
    assert (job.status, job.done) == ("succeeded", 300)
    saved = desk.candles.get(job.result_id)
    assert (saved.candles.name, saved.candles.source, saved.candles.timezone) == ("AAPL", "yahoo", "America/New_York")
    assert saved.quality["findings"][0]["message"]["msgid"] == "A remark of the fake market."
    draft = desk.fetched.get(job.result_id)
    assert desk.candles.preview(draft, None).candles.digest == saved.candles.digest


def test_faulty_candles_wait_for_a_choice(desk, finished, source):
    source.dirty = True
    job = finished(desk.fetching.submit("yahoo", DAILY, review=True))
    assert desk.candles.list() == []
    draft = desk.fetched.get(job.result_id)
    report = desk.candles.inspect(draft)
    assert report.impossible == 1
    assert "in row 8 high" in " ".join(finding.message.render() for finding in report.findings)
    assert len(desk.candles.keep(draft, "drop").candles) == 299


def test_who_does_not_look_gets_a_set_or_the_reason(desk, finished, source):
    source.dirty = True
    refused = finished(desk.fetching.submit("yahoo", DAILY))
    assert (refused.status, refused.error["hint"] is not None) == ("failed", True)
    repaired = finished(desk.fetching.submit("yahoo", DAILY, repair="ffill"))
    assert desk.candles.get(repaired.result_id).repair["filled"] == 1


def test_the_request_reaches_the_source_as_it_was_made(desk, finished, source):
    start, end = datetime(2024, 1, 1, tzinfo=UTC), datetime(2024, 6, 1)
    finished(desk.fetching.submit("yahoo", FetchRequest(" AAPL ", "1h", start, end, {"adjustment": "none"})))
    assert source.requests == [FetchRequest("AAPL", "1h", start, end.replace(tzinfo=UTC), {"adjustment": "none"})]


def test_progress_counts_candles_and_cancelling_keeps_nothing(desk, finished, source):
    source.gate.clear()
    job_id = desk.fetching.submit("yahoo", DAILY, review=True)
    assert source.reached.wait(60)
    assert (desk.jobs.get(job_id).done, desk.jobs.get(job_id).total) == (100, 0)
    desk.jobs.cancel(job_id)
    source.gate.set()
    assert finished(job_id).status == "cancelled"
    assert desk.candles.list() == []


def test_the_same_fetch_twice_at_once_is_one_job(desk, source):
    source.gate.clear()
    assert desk.fetching.submit("yahoo", DAILY) == desk.fetching.submit("yahoo", DAILY)


def test_a_fetch_that_a_process_left_is_made_by_the_next(make_desk, finished):
    earlier = make_desk(start=False)
    job_id = earlier.fetching.submit("yahoo", DAILY, review=True)
    earlier.close()
    later = make_desk()
    deadline = time.monotonic() + 60
    while later.jobs.get(job_id).active and time.monotonic() < deadline:
        time.sleep(0.01)
    assert len(later.fetched.get(later.jobs.get(job_id).result_id)) == 300


def test_a_failure_of_the_source_is_told_as_it_says(desk, finished, source):
    source.fault = "rate_limited"
    job = finished(desk.fetching.submit("yahoo", DAILY, review=True))
    assert (job.status, job.error["code"]) == ("failed", "rate_limited")
    source.fault = None
    unknown = finished(desk.fetching.submit("yahoo", FetchRequest("NOPE", "1d"), review=True))
    assert unknown.error["code"] == "no_candles"


def test_a_fetch_stops_at_the_limit_of_rows(make_desk, source):
    desk = make_desk(max_rows=150)
    job_id = desk.fetching.submit("yahoo", DAILY)
    while desk.jobs.get(job_id).active:
        time.sleep(0.01)
    assert desk.jobs.get(job_id).error["code"] == "too_many_candles"


def test_a_fetch_stops_at_the_limit_of_time(desk, finished, source, monkeypatch):
    source.gate.clear()
    job_id = desk.fetching.submit("yahoo", DAILY)
    assert source.reached.wait(60)
    now = time.monotonic
    monkeypatch.setattr("kronos_app.services.candles.fetch_limits.time.monotonic", lambda: now() + 3600)
    source.gate.set()
    while desk.jobs.get(job_id).active:
        time.sleep(0.01)
    assert desk.jobs.get(job_id).error["code"] == "fetch_too_slow"


@pytest.mark.parametrize(
    ("key", "request_", "code"),
    [
        ("mtgox", DAILY, "unknown_source"),
        ("yahoo", FetchRequest("  ", "1d"), "no_symbol"),
        ("yahoo", FetchRequest("A" * 101, "1d"), "no_symbol"),
        ("yahoo", FetchRequest("AAPL", "1d", datetime(2999, 1, 1, tzinfo=UTC)), "empty_range"),
        ("yahoo", FetchRequest("AAPL", "1d", datetime(2024, 1, 2), datetime(2024, 1, 2)), "empty_range"),
    ],
)
def test_what_cannot_be_fetched_is_refused_before_it_is_queued(desk, key, request_, code):
    with pytest.raises((InvalidInput, NotFound)) as refused:
        desk.fetching.submit(key, request_)
    assert refused.value.code == code
    assert desk.jobs.list() == []


def test_search_asks_the_source_but_not_for_nothing(desk, source):
    assert [found.symbol for found in desk.sources.search("yahoo", "apple")] == ["AAPL", "AAPL.MX"]
    assert desk.sources.search("yahoo", "  ") == []
    assert source.searches == 1
    with pytest.raises(NotFound):
        desk.sources.search("mtgox", "apple")


def test_a_draft_comes_back_from_its_file_as_it_was(source):
    source.dirty = True
    draft = source.fetch(DAILY)
    read = draft_file.from_bytes(draft_file.to_bytes(draft))
    pd.testing.assert_frame_equal(read.frame, draft.frame)
    assert (read.name, read.source, read.timezone, read.findings) == (
        draft.name,
        draft.source,
        draft.timezone,
        draft.findings,
    )


@pytest.mark.parametrize("result_id", ["0" * 32, "../../etc/passwd", "", "\x00"])
def test_what_is_not_kept_any_more_is_said(desk, result_id):
    with pytest.raises(NotFound, match="not stored any more"):
        desk.fetched.get(result_id)


def test_a_damaged_file_is_said_and_old_ones_go(tmp_path, source):
    drafts = FetchedDrafts(tmp_path)
    old, damaged = (drafts.put(source.fetch(DAILY)) for _ in range(2))
    (tmp_path / f"{damaged}.parquet").write_bytes(b"PAR1 and no more")
    with pytest.raises(NotFound):
        drafts.get(damaged)
    past = time.time() - KEEP_SECONDS - 60
    os.utime(tmp_path / f"{old}.parquet", (past, past))
    kept = drafts.put(source.fetch(DAILY))
    assert sorted(path.stem for path in tmp_path.iterdir()) == sorted([damaged, kept])


def test_a_folder_that_cannot_be_written_is_named(tmp_path, source):
    (tmp_path / "fetched").write_text("in the way")
    with pytest.raises(Unavailable, match="could not be written"):
        FetchedDrafts(tmp_path / "fetched").put(source.fetch(DAILY))

"""Uploads of many series: all of them are saved or none, at once or by a job."""

import pandas as pd
import pytest

from kronos_app.data.checks import quality
from kronos_app.errors import InvalidInput, Unavailable
from kronos_app.services.candles import uploads
from kronos_app.services.candles.uploads import UploadOptions
from kronos_app.store import repositories


@pytest.fixture
def content(make_frame):
    def make(series, faulty=None):
        frames = [make_frame(20, seed=number).assign(symbol=f"S{number:04}") for number in range(series)]
        if faulty is not None:
            frames[faulty].loc[5, "close"] = None
        return pd.concat(frames).to_csv(index=False).encode()

    return make


def test_a_failure_of_the_store_in_the_middle_leaves_none_of_the_series(desk, content, monkeypatch):
    monkeypatch.setattr(repositories, "ROWS_AT_ONCE", 10)
    inserted = []

    def insert_rows(connection, table, rows):
        if len(inserted) == 2:
            raise OSError("the disk is gone")
        inserted.append(rows)
        real(connection, table, rows)

    real = repositories.bulk.insert_rows
    monkeypatch.setattr(repositories.bulk, "insert_rows", insert_rows)
    with pytest.raises(Unavailable):
        desk.uploads.save([("many.csv", content(30))], UploadOptions())
    assert len(inserted) == 2
    assert desk.candles.count() == 0


def test_one_faulty_series_keeps_out_all(desk, content):
    with pytest.raises(InvalidInput, match="S0007"):
        desk.uploads.save([("many.csv", content(12, faulty=7))], UploadOptions())
    assert desk.candles.count() == 0


def test_many_series_are_saved_by_a_job(desk, content, finished, monkeypatch):
    monkeypatch.setattr(uploads, "MOST_AT_ONCE", 10)
    files = [("one.csv", content(8)), ("two.csv", content(14))]
    job = finished(desk.uploads.save(files, UploadOptions(repair="drop")).id)
    assert (job.status, job.kind) == ("succeeded", "upload")
    ids = job.result_id.split(",")
    assert len(ids) == desk.candles.count() == 14, "series that are in both files are saved once"
    assert {desk.candles.get(candles_id).candles.name for candles_id in ids} == {f"S{n:04}" for n in range(14)}
    assert [path.name for path in (desk.settings.home / "uploads").rglob("*.*")] == ["result.json"]


def test_a_job_that_meets_a_fault_saves_nothing_and_says_which_series(desk, content, finished, monkeypatch):
    monkeypatch.setattr(uploads, "MOST_AT_ONCE", 10)
    job = finished(desk.uploads.save([("many.csv", content(12, faulty=11))], UploadOptions()).id)
    assert (job.status, job.error["code"]) == ("failed", "repair_needed")
    assert "S0011" in str(job.error)
    assert desk.candles.count() == 0


def test_a_cancelled_job_saves_nothing(desk, content, finished, monkeypatch):
    monkeypatch.setattr(uploads, "MOST_AT_ONCE", 10)
    seen = []
    inspect = quality.inspect

    def cancelling(draft, **known):
        if len(seen) == 3:
            desk.jobs.cancel(seen[0])
        seen.append(desk.jobs.list(kind="upload")[0].id)
        return inspect(draft, **known)

    monkeypatch.setattr(quality, "inspect", cancelling)
    job = finished(desk.uploads.save([("many.csv", content(12))], UploadOptions()).id)
    assert job.status == "cancelled"
    assert desk.candles.count() == 0


def test_the_options_of_an_upload_outlive_the_process():
    options = UploadOptions("ffill", pd.Timestamp("2024-01-02").to_pydatetime(), "1d", "XNYS", ("drop_stale",))
    read = UploadOptions.from_json(options.to_json())
    assert (read.start, read.repair, read.calendar, list(read.fixes)) == (
        options.start,
        "ffill",
        "XNYS",
        ["drop_stale"],
    )

import gzip
import io
import zipfile

import numpy as np
import pandas as pd
import pytest


def test_an_upload_answers_with_id_rows_and_quality(upload, client, make_frame):
    response = upload(make_frame(60))
    assert response.status_code == 201
    told = response.json()
    assert told["rows"] == 60
    assert told["quality"]["rows"] == 60
    assert told["interval_seconds"] == 3600
    again = client.get(f"/api/v1/candles/{told['id']}")
    assert told.pop("series") == [told]
    assert again.json() == told


@pytest.fixture
def upload_several(client):
    """Return a function that uploads named frames in one request."""

    def upload(files, **fields):
        parts = [("file", (name, frame.to_csv(index=False).encode())) for name, frame in files.items()]
        return client.post("/api/v1/candles", files=parts, data=fields)

    return upload


def test_several_files_and_several_instruments_in_a_file_are_kept_as_one_set_each(upload_several, client, make_frame):
    long = pd.concat([make_frame(20, seed=seed).assign(symbol=name) for seed, name in enumerate(("AAA", "BBB"))])
    answer = upload_several({"long.csv": long, "walk.csv": make_frame(30, seed=5)})
    assert answer.status_code == 201
    assert [(one["name"], one["rows"]) for one in answer.json()["series"]] == [
        ("AAA", 20),
        ("BBB", 20),
        ("walk.csv", 30),
    ]
    assert "id" not in answer.json()
    for one in answer.json()["series"]:
        assert client.get(f"/api/v1/candles/{one['id']}").json() == one


def test_of_several_instruments_all_are_kept_or_none(upload_several, refused, desk, make_frame):
    good, bad = make_frame(20), make_frame(20, seed=1)
    bad.loc[4, "high"] = bad.loc[4, "low"] / 2
    files = {"long.csv": pd.concat([good.assign(symbol="GOOD"), bad.assign(symbol="BAD")], ignore_index=True)}
    error = refused(upload_several(files), 422)
    assert "“BAD”" in error["message"]
    assert "rows 26" in error["message"]
    assert desk.candles.list() == []
    assert [one["rows"] for one in upload_several(files, repair="drop").json()["series"]] == [20, 19]


def test_candles_of_a_forecast_are_of_one_instrument(client, refused, make_frame):
    long = pd.concat([make_frame(20).assign(symbol=name) for name in ("AAA", "BBB")])
    rows = long.assign(timestamp=long["timestamp"].astype(str)).to_dict("records")
    error = refused(client.post("/api/v1/forecasts", json={"candles": rows, "model": "tiny"}), 422)
    assert error["code"] == "several_symbols"
    assert "one instrument at a time" in error["hint"]


def test_candles_come_back_as_they_were_sent(upload, client, make_frame):
    frame = make_frame(20)
    told = client.get(f"/api/v1/candles/{upload(frame).json()['id']}?candles=true").json()
    assert told["candles"]["close"] == pytest.approx(frame["close"].tolist())
    assert told["candles"]["timestamp"][0] == "2024-03-01T00:00:00"


def test_parquet_feather_and_gzip_are_read(upload, make_frame):
    frame = make_frame(20)
    parquet, feather = io.BytesIO(), io.BytesIO()
    frame.to_parquet(parquet)
    frame.to_feather(feather)
    files = {
        "a.parquet": parquet.getvalue(),
        "a.feather": feather.getvalue(),
        "a.csv.gz": gzip.compress(frame.to_csv(index=False).encode()),
    }
    answers = [upload(content, name) for name, content in files.items()]
    assert [answer.status_code for answer in answers] == [201, 201, 201], [answer.text for answer in answers]
    assert len({answer.json()["id"] for answer in answers}) == 1


def test_dirty_data_is_refused_by_row_until_a_repair_is_chosen(upload, refused, make_frame):
    frame = make_frame(20)
    frame.loc[4, "high"] = frame.loc[4, "low"] / 2
    assert "6" in refused(upload(frame), 422)["message"]
    repaired = upload(frame, repair="drop")
    assert repaired.status_code == 201
    assert (repaired.json()["rows"], repaired.json()["repair"]["dropped"]) == (19, 1)
    assert repaired.json()["quality"]["impossible"] == 1
    assert upload(frame, repair="ffill").json()["repair"]["filled"] == 1
    assert upload(frame, repair="keep").json()["repair"]["kept"] == 1


def test_a_file_without_times_needs_start_and_interval(upload, refused, make_frame):
    frame = make_frame(20).drop(columns="timestamp")
    refused(upload(frame), 422)
    told = upload(frame, start="2024-01-01T00:00:00", interval="1h")
    assert told.status_code == 201
    assert told.json()["first"] == "2024-01-01T00:00:00"


def with_value(frame, column, value):
    frame[column] = frame[column].astype(object)
    frame.loc[3, column] = value
    return frame


@pytest.mark.parametrize("value", ["abc", np.inf, -1.0, 0.0, ""])
def test_a_bad_price_is_refused(upload, refused, make_frame, value):
    refused(upload(with_value(make_frame(20), "close", value)), 422)


@pytest.mark.parametrize(
    ("content", "filename"),
    [
        (b"", "empty.csv"),
        (b"timestamp,open,high,low,close\n", "header.csv"),
        (bytes(range(256)) * 40, "rubbish.csv"),
        (b"not a parquet at all", "x.parquet"),
        (b"not a feather at all", "x.feather"),
        (b"not gzip", "x.csv.gz"),
        (b"timestamp,open,high,close\n2024-01-01,1,2,1\n", "no-low.csv"),
        (b"a,b\n1,2\n", "other.xyz"),
    ],
)
def test_a_file_that_is_no_candles_is_refused(upload, refused, content, filename):
    error = refused(upload(content, filename), 422)
    assert error["hint"] or filename in error["message"]


def test_a_missing_column_is_named(upload, refused):
    assert "low" in refused(upload(b"timestamp,open,high,close\n2024-01-01,1,2,1\n"), 422)["message"]


@pytest.mark.parametrize(
    "name", ["../../etc/passwd.csv", "a\x00b.csv", "=cmd().csv", "<script>.csv", "名" * 300 + ".csv"]
)
def test_a_hostile_file_name_does_no_harm(upload, settings, make_frame, name):
    response = upload(make_frame(20), name)
    assert response.status_code in {201, 422}
    assert {path.name for path in settings.home.iterdir()} <= {
        "desk.lock",
        "desk.process.json",
        "kronos.duckdb",
        "kronos.duckdb.wal",
    }


def test_a_form_without_a_file_names_the_field(client, refused):
    assert "file" in refused(client.post("/api/v1/candles", data={"x": "1"}), 422)["message"]
    assert "file" in refused(client.post("/api/v1/candles", files={"other": ("a.csv", b"x")}), 422)["message"]


def test_an_unknown_repair_is_told_the_known_ones(upload, refused, make_frame):
    error = refused(upload(make_frame(20), repair="invent"), 422)
    assert "repair" in error["message"]
    assert "ffill" in error["hint"]


def test_candles_are_renamed_tagged_and_found_by_name_and_tag(upload, client, refused, make_frame):
    ids = [upload(make_frame(20, seed=seed), f"{seed}.csv").json()["id"] for seed in range(3)]
    address = f"/api/v1/candles/{ids[0]}"
    changed = client.patch(address, json={"name": "Apple", "tags": ["us", "daily"]}).json()
    assert (changed["name"], changed["original_name"], changed["tags"]) == ("Apple", "0.csv", ["us", "daily"])
    assert client.patch(address, json={"tags": ["us"]}).json()["name"] == "Apple"
    told = client.get(address).json()
    assert (told["name"], told["original_name"], told["tags"]) == ("Apple", "0.csv", ["us"])
    client.patch(f"/api/v1/candles/{ids[1]}", json={"tags": ["us"]})
    found = {
        query: [one["name"] for one in client.get("/api/v1/candles", params=query).json()["candles"]]
        for query in ("tag=us", "tag=us&text=appl", "tag=us&tag=daily", "text=0.csv")
    }
    assert found == {
        "tag=us": ["1.csv", "Apple"],
        "tag=us&text=appl": ["Apple"],
        "tag=us&tag=daily": [],
        "text=0.csv": [],
    }
    assert client.patch(address, json={"name": None}).json()["name"] == "0.csv"
    assert refused(client.patch(address, json={"name": "1.CSV"}), 409)["code"] == "name_taken"
    assert "name" in refused(client.patch(address, json={"name": "x" * 101}), 422)["message"]
    assert refused(client.patch("/api/v1/candles/none", json={"tags": []}), 404)["code"] == "candles_not_found"


def test_a_workbook_is_refused_with_how_to_save_it_as_csv(upload, refused):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as workbook:
        workbook.writestr("xl/workbook.xml", "<workbook/>")
    for name in ("prices.xlsx", "prices.csv"):
        error = refused(upload(buffer.getvalue(), name), 422)
        assert error["code"] == "unsupported_workbook"
        assert "CSV UTF-8" in error["hint"]


def test_unknown_candles_are_not_found(client, refused):
    assert "abc" in refused(client.get("/api/v1/candles/abc"), 404)["message"]


def test_a_form_that_breaks_off_is_refused(client, refused):
    headers = {"content-type": "multipart/form-data; boundary=x"}
    refused(client.post("/api/v1/candles", content=b"--x\r\nContent-Disp", headers=headers), 422)
    refused(client.post("/api/v1/candles", content=b"nonsense", headers={"content-type": "multipart/form-data"}), 400)


def daily(make_frame, **columns):
    return make_frame(60).assign(timestamp=pd.bdate_range("2024-01-02", periods=60), **columns)


@pytest.mark.parametrize(
    ("columns", "fields", "expected"),
    [
        ({}, {}, None),
        ({"symbol": "600519.SS"}, {}, "XSHG"),
        ({"symbol": "600519.SS"}, {"calendar": "XHKG"}, "XHKG"),
        ({"symbol": "600519.SS"}, {"calendar": "learned"}, None),
    ],
)
def test_the_calendar_of_an_upload_is_guessed_or_said_and_kept(
    upload_several, client, make_frame, columns, fields, expected
):
    told = upload_several({"days.csv": daily(make_frame, **columns)}, **fields).json()
    assert told["calendar"] == expected
    assert client.get(f"/api/v1/candles/{told['id']}").json()["calendar"] == expected


def test_a_calendar_that_there_is_not_is_refused_with_those_there_are(upload_several, refused, make_frame, desk):
    error = refused(upload_several({"days.csv": daily(make_frame)}, calendar="MARS"), 422)
    assert error["code"] == "unknown_calendar"
    assert "XNYS" in error["hint"]
    assert desk.candles.list() == []


def test_candles_of_a_forecast_may_have_a_calendar(client, finished, make_frame, refused):
    frame = daily(make_frame)
    rows = frame.assign(timestamp=frame["timestamp"].astype(str)).to_dict("records")
    asked = {"candles": rows, "model": "tiny", "lookback": 32, "horizon": 8, "samples": 2, "calendar": "XNYS"}
    job = finished(client.post("/api/v1/forecasts", json=asked).json()["job_id"])
    told = client.get(f"/api/v1/forecasts/{job.result_id}").json()
    assert told["provenance"]["calendar"] == "XNYS"
    assert told["timestamps"][0] == "2024-03-26T00:00:00"
    assert "2024-03-29T00:00:00" not in told["timestamps"], "Good Friday"
    assert (
        refused(client.post("/api/v1/forecasts", json=asked | {"calendar": "MARS"}), 422)["code"] == "unknown_calendar"
    )


def test_fixes_and_a_coarser_interval_are_applied_recorded_and_told(upload, make_frame):
    frame = make_frame(200)
    frame.loc[100:, ["open", "high", "low", "close"]] /= 2
    told = upload(frame, fixes=["adjust_splits", "cap_outliers"], resample="4h").json()
    assert [step["kind"] for step in told["repair"]["steps"]] == ["adjust_splits", "resample"]
    assert told["repair"]["steps"][0]["message"].startswith("Prices were adjusted for 1 split(s): 2:1 ")
    assert told["interval_seconds"] == 4 * 3600
    assert told["quality"]["splits"] == 1
    assert told["quality"]["score"] < told["repair"]["score"] == 100


def test_unknown_fixes_and_intervals_are_refused(upload, refused, make_frame):
    assert "fixes" in refused(upload(make_frame(20), fixes=["magic"]), 422)["message"]
    assert "7min" in refused(upload(make_frame(20), resample="7min"), 422)["message"]

"""Every kind of bad input through the API: what is wrong, where, and what to do; and the service goes on."""

import gzip

import numpy as np
import pandas as pd
import pytest


def text_of(frame, **options):
    return frame.to_csv(index=False, **options).encode()


def spoilt(column, value, row=3):
    def spoil(frame):
        frame[column] = frame[column].astype(object)
        frame.loc[row, column] = value
        return text_of(frame)

    return spoil


def zoned(frame):
    offsets = ["+01:00" if row % 2 else "Z" for row in range(len(frame))]
    return text_of(frame.assign(timestamp=frame["timestamp"].astype(str) + pd.Series(offsets)))


# The file, its content made from a good frame, the status, and what the message must say.
REFUSED = [
    ("empty.csv", lambda _: b"", 422, ["empty.csv"]),
    ("header.csv", lambda _: b"timestamp,open,high,low,close\n", 422, ["header.csv", "no candles"]),
    ("rubbish.csv", lambda _: np.random.default_rng(0).bytes(50_000), 422, ["rubbish.csv", "not a table"]),
    ("fake.parquet", lambda _: b"PAR1 is not enough PAR1", 422, ["fake.parquet", "damaged"]),
    ("bomb.csv.gz", lambda _: gzip.compress(bytes(201_000_000), 1), 413, ["bomb.csv.gz", "200 MB"]),
    ("lacks.csv", lambda frame: text_of(frame.drop(columns="low")), 422, ["lacks.csv", "low"]),
    ("wide.csv", lambda _: b"date,open,high,low,close" + b",x" * 2000, 422, ["wide.csv", "1000 columns"]),
    ("ragged.csv", lambda frame: text_of(frame) + b"1,2,3,4,5,6,7,8,9\n", 422, ["ragged.csv", "Row 62"]),
    ("text.csv", spoilt("close", "abc"), 422, ["text.csv", "row 5", "close", "abc"]),
    ("inf.csv", spoilt("high", "inf"), 422, ["inf.csv", "row 5", "high", "infinite"]),
    ("missing.csv", spoilt("open", ""), 422, ["missing.csv", "row 5", "open"]),
    ("zero.csv", spoilt("low", 0.0), 422, ["zero.csv", "row 5", "zero or less"]),
    ("negative.csv", spoilt("low", -3.0), 422, ["negative.csv", "row 5", "zero or less"]),
    ("below.csv", spoilt("high", 1.0), 422, ["below.csv", "row 5", "high 1 is below low"]),
    ("time.csv", spoilt("timestamp", "banana"), 422, ["time.csv", "row 5", "timestamp", "banana"]),
    ("twice.csv", spoilt("timestamp", "2024-03-01 00:00:00"), 422, ["twice.csv", "row 5", "repeat a time"]),
    ("no_times.csv", lambda frame: text_of(frame.drop(columns="timestamp")), 422, ["no_times.csv", "no time"]),
]


@pytest.mark.parametrize(("name", "make", "status", "said"), REFUSED, ids=[case[0] for case in REFUSED])
def test_a_file_is_refused_by_name_place_and_reason(upload, client, refused, make_frame, name, make, status, said):
    error = refused(upload(make(make_frame(60)), name), status)
    for words in said:
        assert words in error["message"], error
    assert error["hint"]
    assert client.get("/api/v1/health").status_code == 200


READ = {
    "unsorted": lambda frame: text_of(frame.sample(frac=1, random_state=1)),
    "zones": zoned,
    "epoch_s": lambda frame: text_of(frame.assign(timestamp=frame["timestamp"].astype("datetime64[s]").astype(int))),
    "epoch_ms": lambda frame: text_of(frame.assign(timestamp=frame["timestamp"].astype("datetime64[ms]").astype(int))),
    "excel": lambda frame: text_of(frame.assign(timestamp=[45352 + row / 24 for row in range(len(frame))])),
}


@pytest.mark.parametrize("name", READ)
def test_what_had_to_be_decided_about_times_is_said(upload, make_frame, name):
    response = upload(READ[name](make_frame(60)), f"{name}.csv", repair="drop")
    assert response.status_code == 201, response.text
    assert response.json()["quality"]["findings"]


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"lookback": 61}, ["lookback", "60"]),
        ({"horizon": 64}, ["horizon", "64"]),
        ({"model": "x" * 201}, ["model", "long"]),
        ({"levels": []}, ["levels", "few"]),
    ],
)
def test_a_setting_that_does_not_fit_is_named(client, upload, refused, make_frame, fields, said):
    wanted = {"candles_id": upload(make_frame(60)).json()["id"], "model": "tiny", "lookback": 40, "horizon": 8}
    error = refused(client.post("/api/v1/forecasts", json=wanted | fields), 422)
    for words in said:
        assert words in error["message"], error
    assert error["hint"]


def test_a_single_candle_is_kept_but_not_forecast(client, upload, refused, make_frame):
    kept = upload(make_frame(1))
    assert kept.status_code == 201
    error = refused(client.post("/api/v1/forecasts", json={"candles_id": kept.json()["id"], "model": "tiny"}), 422)
    assert "1 candles" in error["message"]


def test_a_request_without_a_body_is_told_to_send_one(client, refused):
    answer = client.post("/api/v1/forecasts", content=b"", headers={"content-type": "application/json"})
    assert "JSON" in refused(answer, 422)["hint"]


def test_inline_candles_are_refused_with_the_reason(client, refused, make_frame):
    frame = make_frame(5)
    frame["timestamp"] = frame["timestamp"].astype(str)
    candles = frame.to_dict("list")
    candles["close"][2] = -1.0
    error = refused(client.post("/api/v1/forecasts", json={"candles": candles, "model": "tiny"}), 422)
    assert "row 4" in error["message"]
    assert "zero or less" in error["message"]

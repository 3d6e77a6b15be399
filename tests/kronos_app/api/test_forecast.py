import csv
import io
import json
import math
from dataclasses import replace
from datetime import date

import pytest

CUTOFF = "2024-03-02T23:00:00"
SETTINGS = {"model": "tiny", "lookback": 40, "horizon": 8, "samples": 5, "seed": 1, "cutoff": CUTOFF}


@pytest.fixture
def ask(client):
    """Return a function that posts a request for a forecast."""

    def ask(**fields):
        return client.post("/api/v1/forecasts", json={**SETTINGS, **fields})

    return ask


@pytest.fixture
def done(client, ask, finished):
    """Return a function that asks, waits, and returns the address of the forecast."""

    def done(**fields):
        accepted = ask(**fields)
        assert accepted.status_code == 202, accepted.text
        job = finished(accepted.json()["job_id"])
        assert job.status == "succeeded", job.error
        return f"/api/v1/forecasts/{job.result_id}"

    return done


def test_a_forecast_from_upload_to_result(client, upload, ask, finished, make_frame):
    candles_id = upload(make_frame(60)).json()["id"]
    accepted = ask(candles_id=candles_id)
    assert accepted.status_code == 202
    address = accepted.headers["location"]
    assert address == f"/api/v1/jobs/{accepted.json()['job_id']}"
    finished(accepted.json()["job_id"])
    job = client.get(address).json()
    assert (job["status"], job["progress"], job["error"]) == ("succeeded", 1.0, None)
    told = client.get(f"/api/v1/forecasts/{job['forecast_id']}").json()
    assert told["candles_id"] == candles_id
    assert len(told["timestamps"]) == len(told["median"]["close"]) == len(told["quantiles"]["0.9"]["close"]) == 8
    assert told["provenance"]["seed"] == 1
    assert len(told["actual"]["close"]) == 8
    assert told["comparison"]["matched"] == 8
    assert told["repairs"] >= 0


def test_an_equal_request_is_answered_with_the_forecast(client, upload, ask, done, make_frame):
    candles_id = upload(make_frame(60)).json()["id"]
    made = client.get(done(candles_id=candles_id)).json()
    again = ask(candles_id=candles_id)
    assert again.status_code == 200
    assert again.json()["cached"] is True
    assert {name: again.json()[name] for name in made} == made


def test_paths_and_csv_are_there_on_request(client, upload, done, make_frame):
    address = done(candles_id=upload(make_frame(60)).json()["id"])
    paths = client.get(f"{address}?paths=true").json()["paths"]
    assert (len(paths), len(paths[0]), len(paths[0][0])) == (5, 8, 6)
    table = client.get(f"{address}?format=csv")
    assert table.headers["content-type"].startswith("text/csv")
    assert "attachment" in table.headers["content-disposition"]
    assert len(list(csv.DictReader(io.StringIO(table.text)))) == 8


def test_what_is_left_open_is_told_as_it_was_filled_in(client, upload, done, make_frame):
    asked = client.get(done(candles_id=upload(make_frame(60)).json()["id"], samples=None)).json()["request"]
    assert (asked["temperature"], asked["top_p"], asked["samples"]) == (1.0, 1.0, 100)


def test_recalibrated_quantiles_are_there_on_request(client, upload, ask, done, desk, monkeypatch, make_frame):
    from engine.usage import SpreadFactor

    candles_id = upload(make_frame(60), calendar="24/7").json()["id"]
    address = done(candles_id=candles_id, recalibrate=True)
    nothing = client.get(address).json()
    assert nothing["recalibration"]["factor"] is None
    assert "20 completed forecasts" in nothing["recalibration"]["message"]
    factor = SpreadFactor(1.5, 60, date(2024, 3, 1), 1.0, 1.0)
    models = {"tiny": replace(desk.models.spec("tiny"), recalibration={"crypto/1h": factor})}
    monkeypatch.setattr(desk.models, "built_in", lambda: models)
    told = client.get(address).json()
    assert {name: told[name] for name in ("quantiles", "median", "mean")} == {
        name: nothing[name] for name in ("quantiles", "median", "mean")
    }
    corrected = told["recalibration"]
    assert (corrected["factor"], corrected["source"], corrected["forecasts"]) == (1.5, "model", 60)
    assert "crypto/1h" in corrected["message"]
    assert corrected["quantiles"]["0.9"]["close"][0] > told["quantiles"]["0.9"]["close"][0]
    assert ask(candles_id=candles_id, recalibrate=True).json()["recalibration"] == corrected
    assert "recalibration" not in client.get(f"{address}?recalibrate=false").json()
    assert "close_q0.9_recalibrated" in client.get(f"{address}?format=csv").text.splitlines()[0]


def test_several_setups_are_submitted_in_one_call(client, upload, done, finished, make_frame):
    candles_id = upload(make_frame(60)).json()["id"]
    known = done(candles_id=candles_id).rsplit("/", 1)[1]
    body = {"candles_id": candles_id, "setups": [SETTINGS, SETTINGS | {"temperature": 0.7}]}
    answer = client.post("/api/v1/forecasts/compare", json=body)
    assert answer.status_code == 202, answer.text
    first, second = answer.json()["setups"]
    assert first == {"job_id": None, "forecast_id": known}
    assert finished(second["job_id"]).status == "succeeded"
    refused = client.post("/api/v1/forecasts/compare", json=body | {"setups": [SETTINGS] * 2}).json()["error"]
    assert refused["message"] == "Setup B is equal to setup A."


def test_a_forecast_is_calibrated_on_request(client, upload, done, finished, make_frame):
    frame = make_frame(220)
    cutoff = str(frame["timestamp"].iloc[210])
    address = done(candles_id=upload(frame).json()["id"], cutoff=cutoff)
    started = client.post(f"{address}/calibration")
    assert started.status_code == 202, started.text
    evaluation = started.json()
    assert (evaluation["cutoffs"], evaluation["request"]["until"]) == (21, cutoff.replace(" ", "T"))
    assert finished(evaluation["job_id"]).status == "succeeded"
    learned = client.get(f"{address}?recalibrate=true").json()["recalibration"]
    assert (learned["source"], learned["forecasts"], learned["evaluation"]) == ("evaluation", 21, evaluation["id"])
    assert client.post(f"{address}/calibration").json()["id"] == evaluation["id"]
    assert client.post("/api/v1/forecasts/nothing/calibration").status_code == 404
    short = client.post(f"{done(candles_id=upload(make_frame(60)).json()['id'])}/calibration")
    assert (short.status_code, short.json()["error"]["code"]) == (422, "too_few_to_calibrate")


@pytest.mark.parametrize("shape", ["rows", "columns"])
def test_candles_can_be_sent_along(client, done, make_frame, shape):
    frame = make_frame(60)
    frame["timestamp"] = frame["timestamp"].astype(str)
    candles = frame.to_dict("records") if shape == "rows" else frame.to_dict("list")
    told = client.get(done(candles=candles, name="mine")).json()
    assert told["candles_name"].startswith("mine")
    assert told["last_close"] == pytest.approx(frame["close"].iloc[47])


def test_inline_candles_meet_the_checks_of_an_upload(client, ask, done, refused, make_frame):
    frame = make_frame(60)
    frame["timestamp"] = frame["timestamp"].astype(str)
    frame.loc[4, "high"] = 1.0
    candles = frame.to_dict("records")
    assert "6" in refused(ask(candles=candles), 422)["message"]
    told = client.get(done(candles=candles, repair="drop")).json()
    saved = client.get(f"/api/v1/candles/{told['candles_id']}").json()
    assert saved["repair"]["dropped"] == 1
    assert saved["quality"]["impossible"] == 1


@pytest.mark.parametrize(
    "candles",
    [
        [],
        {},
        [1, 2],
        [{"timestamp": [1]}],
        {"open": 3},
        {"open": [1, 2], "close": [1]},
        [{"timestamp": "2024-01-01", "open": True}],
        [{"open": 1.0}],
        {"timestamp": [], "open": []},
    ],
)
def test_inline_candles_of_another_form_are_refused(ask, refused, candles):
    refused(ask(candles=candles), 422)


def test_half_a_character_is_refused_like_any_other_text(client, refused):
    headers = {"content-type": "application/json"}
    for candles in (r'{"\ud800": [true]}', r'[{"timestamp": "\ud800", "open": 1, "high": 1, "low": 1, "close": 1}]'):
        body = f'{{"candles": {candles}, "model": "tiny"}}'
        refused(client.post("/api/v1/forecasts", content=body, headers=headers), 422)


def test_candles_or_their_id_but_not_both(ask, refused):
    assert "candles_id" in refused(ask(), 422)["message"]
    refused(ask(candles_id="a", candles=[{}]), 422)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("samples", 0),
        ("samples", 10**9),
        ("temperature", math.nan),
        ("temperature", math.inf),
        ("temperature", 0.01),
        ("top_p", 0),
        ("top_k", -1),
        ("lookback", 0),
        ("lookback", 61),
        ("horizon", 0),
        ("horizon", 63),
        ("horizon", 10**12),
        ("cutoff", "soon"),
        ("cutoff", "1999-01-01T00:00:00"),
        ("seed", -1),
        ("levels", [2]),
        ("levels", []),
        ("levels", "all"),
        ("unheard_of", 1),
    ],
)
def test_a_bad_setting_is_refused_by_name(client, upload, refused, make_frame, field, value):
    candles_id = upload(make_frame(60)).json()["id"]
    body = json.dumps({**SETTINGS, "candles_id": candles_id, field: value})  # json.dumps writes NaN and Infinity
    response = client.post("/api/v1/forecasts", content=body, headers={"content-type": "application/json"})
    assert field in refused(response, 422)["message"]


def test_fewer_candles_than_lookback_tells_the_largest_possible(upload, ask, refused, make_frame):
    candles_id = upload(make_frame(60)).json()["id"]
    error = refused(ask(candles_id=candles_id, cutoff="2024-03-02T05:00:00"), 422)
    assert "30" in error["hint"]


def test_a_horizon_over_the_context_tells_the_largest(upload, ask, refused, make_frame):
    candles_id = upload(make_frame(60)).json()["id"]
    assert "62" in refused(ask(candles_id=candles_id, horizon=63), 422)["hint"]


def test_one_row_is_too_few(upload, ask, refused, make_frame):
    candles_id = upload(make_frame(1)).json()["id"]
    refused(ask(candles_id=candles_id, lookback=2, cutoff=None), 422)


def test_what_nobody_knows_is_not_found(client, upload, ask, refused, make_frame):
    candles_id = upload(make_frame(60)).json()["id"]
    assert "kronos-giant" in refused(ask(candles_id=candles_id, model="kronos-giant"), 404)["message"]
    refused(ask(candles_id="nope"), 404)
    refused(client.get("/api/v1/forecasts/nope"), 404)
    refused(client.get("/api/v1/jobs/nope"), 404)
    refused(client.delete("/api/v1/jobs/nope"), 404)
    refused(client.get("/api/v1/nothing"), 404)
    refused(client.put("/api/v1/forecasts"), 405)


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"7", b"null", b'"text"', b"[" * 100_000, b"\xff\xfe"])
def test_a_body_that_is_no_json_object_is_refused(client, refused, body):
    response = client.post("/api/v1/forecasts", content=body, headers={"content-type": "application/json"})
    assert response.status_code in {400, 422}
    refused(response, response.status_code)


def test_a_format_that_does_not_exist_is_refused(client, refused):
    assert "format" in refused(client.get("/api/v1/forecasts/x?format=xml"), 422)["message"]


def test_a_forecast_on_doubtful_data_is_told_with_warnings(client, upload, done, make_frame):
    frame = make_frame(60)
    frame.loc[30:, ["open", "high", "low", "close"]] /= 2
    candles_id = upload(frame).json()["id"]
    told = client.get(done(candles_id=candles_id)).json()
    assert [warning["code"] for warning in told["warnings"]] == ["splits", "short_history"]
    assert told["warnings"][0]["message"].startswith("Not adjusted for a split of 2 for 1")
    assert told["data_repair"]["steps"] == []
    assert "warnings" not in told["provenance"]


def test_the_list_is_filtered_sorted_and_returned_as_csv(client, upload, done, make_frame):
    candles_id = upload(make_frame(60)).json()["id"]
    for fields in ({"seed": 5}, {"seed": 4, "cutoff": None}):
        done(candles_id=candles_id, **fields)
    listed = client.get("/api/v1/forecasts?sort=seed&order=ascending").json()
    assert (listed["total"], [line["seed"] for line in listed["forecasts"]]) == (2, [4, 5])
    assert [line["seed"] for line in client.get("/api/v1/forecasts?replay=true").json()["forecasts"]] == [5]
    table = client.get("/api/v1/forecasts?format=csv&sort=seed")
    assert table.headers["content-type"].startswith("text/csv")
    assert [row["seed"] for row in csv.DictReader(io.StringIO(table.text))] == ["5", "4"]


def test_tags_and_note_of_a_forecast_are_changed(client, upload, done, refused, make_frame):
    address = done(candles_id=upload(make_frame(60)).json()["id"])
    changed = client.patch(address, json={"tags": ["gold"], "note": "seen"}).json()
    assert (changed["tags"], changed["note"]) == (["gold"], "seen")
    assert client.patch(address, json={"note": ""}).json()["tags"] == ["gold"]
    assert [line["note"] for line in client.get("/api/v1/forecasts?tag=gold").json()["forecasts"]] == [""]
    assert client.get("/api/v1/forecasts?tag=silver").json() == {"total": 0, "forecasts": []}
    refused(client.patch(address, json={"note": "x" * 1001}), 422)
    refused(client.patch(address, json={"colour": "red"}), 422)
    refused(client.patch("/api/v1/forecasts/unknown", json={"note": "x"}), 404)

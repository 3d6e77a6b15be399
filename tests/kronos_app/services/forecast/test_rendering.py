import csv
import io
import json

import numpy as np
import pandas as pd
import pytest

from kronos_app.data.candle_frame import CandleFrame
from kronos_app.i18n import Text
from kronos_app.jsonable import json_ready, localised
from kronos_app.services.candles.views import candles_json
from kronos_app.services.forecast.calibration import _calibration
from kronos_app.services.forecast.rendering import ForecastResult, forecast_csv
from kronos_app.services.forecast.view import ForecastView
from kronos_app.store import CandleSet, StoredForecast
from kronos_app.store.records import now


@pytest.fixture
def view(make_frame):
    frame = make_frame(60)
    candles = CandleSet("walk", CandleFrame(frame, "=cmd()|walk.csv", "upload"), {}, {})
    paths = np.abs(np.random.default_rng(0).normal(100, 1, (7, 8, 6)))
    times = pd.DatetimeIndex(frame["timestamp"].iloc[50:58]).shift(0)
    stored = StoredForecast(
        id="f",
        created=now(),
        candles_id="walk",
        candles_name="=cmd()|walk.csv",
        request={"levels": [0.1, 0.5, 0.9], "model": "tiny"},
        provenance={"history_rows": 40, "seed": 1, "model": "tiny"},
        paths=paths,
        raw_paths=paths,
        timestamps=times,
        cutoff=frame["timestamp"].iloc[49],
        last_close=float(frame["close"].iloc[49]),
        repairs=2,
    )
    return ForecastView.of(stored, candles)


def strict(value):
    return json.loads(json.dumps(value, allow_nan=False))


def read(view, **options):
    return strict(ForecastResult.of(view, **options).to_json())


def test_a_forecast_as_json_has_everything(view):
    told = read(view)
    assert told["timestamps"][0] == "2024-03-03T02:00:00"
    assert set(told["quantiles"]) == {"0.1", "0.5", "0.9"}
    assert told["quantiles"]["0.5"]["close"] == told["median"]["close"]
    assert told["mean"]["close"] == pytest.approx(view.stored.paths[:, :, 3].mean(axis=0).tolist())
    path = view.stored.paths[told["representative_path"] - 1]
    assert told["representative"]["close"] == path[:, 3].tolist()
    assert told["actual"]["close"] == view.actual["close"].tolist()
    assert told["comparison"]["scores"][0]["name"] == "model"
    assert told["repairs"] == 2
    assert told["provenance"]["seed"] == 1
    assert "paths" not in told


def test_paths_are_added_on_request(view):
    assert np.array(read(view, paths=True)["paths"]).tolist() == view.stored.paths.tolist()


def test_recalibrated_values_stand_beside_the_raw_ones(view):
    found = _calibration(2.0, "evaluation", 30, pd.Timestamp("2024-03-01T04:00"))
    plain, told = read(view), read(view, calibration=found)
    assert {name: told[name] for name in plain} == plain
    assert "recalibration" not in plain
    corrected = told["recalibration"]
    assert (corrected["factor"], corrected["source"], corrected["forecasts"]) == (2.0, "evaluation", 30)
    assert set(corrected["quantiles"]) == {"0.1", "0.5", "0.9"}
    assert set(corrected["quantiles"]["0.1"]) == {"open", "high", "low", "close"}
    raw, median, wide = (
        np.array(one["close"]) for one in (told["quantiles"]["0.1"], told["median"], corrected["quantiles"]["0.1"])
    )
    np.testing.assert_allclose(wide, raw**2 / median, rtol=1e-12)
    row = next(csv.DictReader(io.StringIO(forecast_csv(view, found))))
    assert float(row["close_q0.1_recalibrated"]) == pytest.approx(wide[0])
    assert float(row["close_q0.1"]) == pytest.approx(raw[0])
    assert "close_q0.1_recalibrated" not in forecast_csv(view)


def test_why_nothing_is_recalibrated_is_told(view):
    told = read(view, calibration=Text("Nothing is known of {name}.", {"name": "walk"}))
    assert told["recalibration"] == {"factor": None, "message": "Nothing is known of walk."}


def test_numbers_that_json_lacks_become_null():
    told = json_ready({"a": [1.0, float("nan")], "b": np.array([[np.inf, 2.0]]), "c": (float("-inf"), "x", None, 3)})
    assert strict(told) == {"a": [1.0, None], "b": [[None, 2.0]], "c": [None, "x", None, 3]}


def test_a_forecast_as_csv_has_a_row_a_step(view):
    rows = list(csv.DictReader(io.StringIO(forecast_csv(view))))
    assert len(rows) == 8
    assert float(rows[0]["close_q0.5"]) == pytest.approx(view.candles("median")["close"].iloc[0])
    assert float(rows[7]["close_actual"]) == pytest.approx(view.actual["close"].iloc[7])


def test_a_csv_cannot_run_in_a_spreadsheet(view):
    assert not [line for line in forecast_csv(view).splitlines() if line.startswith(("=", "+", "-", "@"))]


def test_missing_values_of_candles_are_null(make_frame):
    frame = make_frame(5)
    frame.loc[2, "volume"] = np.nan
    told = strict(candles_json(CandleSet("a", CandleFrame(frame, "a.csv", "upload"), {}, {}), rows=True))
    assert told["candles"]["volume"][2] is None
    assert told["rows"] == 5


def test_stored_messages_are_rendered_wherever_they_are():
    stored = {"findings": [{"code": "x", "message": {"msgid": "Row {row}.", "params": {"row": 3}}}]}
    assert localised(stored, "en") == {"findings": [{"code": "x", "message": "Row 3."}]}

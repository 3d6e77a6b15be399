"""Which candles count as the outcome of a forecast, and what it was worth by them."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from kronos_app.data.candle_frame import CandleFrame
from kronos_app.services.ledger.grading import find_outcome, grade
from kronos_app.store.records import StoredForecast, now
from training.evaluation.one_forecast import score_forecast

CUTOFF = 60


@pytest.fixture
def frame(make_frame):
    return make_frame(80)


def candles(frame, timezone="UTC"):
    return CandleFrame(frame.reset_index(drop=True), "walk", "upload", timezone)


def known(frame):
    return frame.set_index("timestamp")["close"].iloc[:CUTOFF]


def told(frame, other, **fields):
    """Return what `other` tells of a forecast made from the first candles of `frame`."""
    asked = {"timezone": "UTC", "known": known(frame)} | fields
    return find_outcome(candles(other), frame["timestamp"].iloc[CUTOFF - 1], frame["close"].iloc[CUTOFF - 1], **asked)


def scaled(frame, ratio):
    return frame.assign(**{name: frame[name] * ratio for name in ("open", "high", "low", "close")})


def forecast(frame, horizon=8, rows=40):
    rng = np.random.default_rng(3)
    last = frame["close"].iloc[CUTOFF - 1]
    paths = last * np.exp(np.cumsum(rng.normal(0, 0.01, (30, horizon, 6)), axis=1))
    return StoredForecast(
        id="f",
        created=now(),
        candles_id="c",
        candles_name="walk",
        request={},
        provenance={"history_rows": rows},
        paths=paths,
        raw_paths=paths,
        timestamps=pd.DatetimeIndex(frame["timestamp"].iloc[CUTOFF : CUTOFF + horizon]),
        cutoff=frame["timestamp"].iloc[CUTOFF - 1],
        last_close=last,
        repairs=0,
    )


def test_only_candles_after_the_cutoff_are_an_outcome(frame):
    came = told(frame, frame)
    assert came.closes.index[0] == frame["timestamp"].iloc[CUTOFF]
    assert came.until == frame["timestamp"].iloc[-1]
    assert len(came.history) == CUTOFF
    assert came.ratio == 1.0


def test_a_series_that_ends_at_the_cutoff_tells_nothing(frame):
    assert told(frame, frame.iloc[:CUTOFF]) is None


def test_a_series_without_the_candle_of_the_cutoff_tells_nothing(frame):
    assert told(frame, frame.drop(index=CUTOFF - 1)) is None
    assert told(frame, frame.iloc[CUTOFF:]) is None


def test_after_a_split_what_came_is_told_in_the_prices_of_the_forecast(frame):
    came = told(frame, scaled(frame, 0.1))
    assert came.ratio == pytest.approx(10)
    np.testing.assert_allclose(came.closes, frame["close"].iloc[CUTOFF:], rtol=1e-12)
    np.testing.assert_allclose(came.history, frame["close"].iloc[:CUTOFF], rtol=1e-12)


def test_a_correction_of_the_last_known_candle_rescales_nothing(frame):
    corrected = frame.copy()
    corrected.loc[CUTOFF - 1, "close"] *= 1.02
    assert told(frame, corrected).ratio == 1.0


def test_another_instrument_of_the_same_times_is_told_apart(frame, make_frame):
    assert told(frame, make_frame(80, seed=9)) is None


def test_without_a_symbol_only_equal_prices_prove_the_instrument(frame):
    assert told(frame, frame, exact=True).ratio == 1.0
    assert told(frame, scaled(frame, 1.0001), exact=True) is None
    assert told(frame, scaled(frame, 0.1), exact=True) is None


def test_without_the_history_the_last_close_proves_it(frame):
    assert told(frame, frame, known=None).ratio == 1.0
    assert told(frame, scaled(frame, 0.5), known=None).ratio == pytest.approx(2)


def test_times_of_another_zone_are_brought_to_the_forecasts(frame):
    there = frame.assign(
        timestamp=frame["timestamp"].dt.tz_localize("UTC").dt.tz_convert("Asia/Tokyo").dt.tz_localize(None)
    )
    came = find_outcome(
        candles(there, "Asia/Tokyo"),
        frame["timestamp"].iloc[CUTOFF - 1],
        frame["close"].iloc[CUTOFF - 1],
        timezone="UTC",
        known=known(frame),
    )
    assert list(came.closes.index) == list(frame["timestamp"].iloc[CUTOFF:])


def test_a_grade_has_the_scores_of_model_and_baselines(frame):
    stored, came = forecast(frame), told(frame, frame)
    graded = grade(stored, came)
    actual = frame["close"].iloc[CUTOFF : CUTOFF + 8].to_numpy()
    assert graded.matched == 8
    assert set(graded.scores) == {"model", "last_close", "drift", "ewma"}
    scores = score_forecast(stored.paths[:, :, 3], actual, stored.last_close, (0.8,))
    assert graded.scores["model"]["crps"] == pytest.approx(scores.crps)
    assert graded.scores["model"]["coverage"]["0.8"] == pytest.approx(scores.coverage[0.8])


def test_a_grade_tells_the_error_in_deviations_of_the_paths(frame):
    stored, came = forecast(frame), told(frame, frame)
    moves = np.log(stored.paths[:, :, 3] / stored.last_close)
    actual = np.log(frame["close"].iloc[CUTOFF : CUTOFF + 8].to_numpy() / stored.last_close)
    error = np.sqrt((((actual - moves.mean(axis=0)) / moves.std(axis=0)) ** 2).mean())
    assert grade(stored, came).error_in_deviations == pytest.approx(error)
    one = stored.paths[:1]
    assert grade(replace(stored, paths=one), came).to_dict()["error_in_deviations"] is None


def test_the_baselines_see_nothing_after_the_cutoff(frame):
    changed = frame.copy()
    changed.loc[CUTOFF:, "close"] *= 1.5
    own = known(frame).to_numpy()[-40:]
    before, after = (
        grade(forecast(frame), told(frame, other), own).scores["ewma"]["mae"] for other in (frame, changed)
    )
    actual = frame["close"].iloc[CUTOFF : CUTOFF + 8].to_numpy()
    last = frame["close"].iloc[CUTOFF - 1]
    # The median of a random walk is the last known close, whatever came.
    assert before == pytest.approx(np.abs(actual - last).mean(), rel=1e-3)
    assert after == pytest.approx(np.abs(1.5 * actual - last).mean(), rel=1e-3)


def test_the_history_of_the_outcome_stands_in_where_the_forecasts_is_gone(frame):
    with_own = grade(forecast(frame), told(frame, frame), known(frame).to_numpy()[-40:])
    assert grade(forecast(frame), told(frame, frame, known=None)) == with_own


def test_candles_that_did_not_come_are_left_out(frame):
    came = told(frame, frame.drop(index=[CUTOFF, CUTOFF + 3]))
    assert grade(forecast(frame), came).matched == 6


def test_nothing_is_graded_while_none_of_its_candles_has_come(frame):
    stored = forecast(frame)
    came = told(frame, frame.drop(index=range(CUTOFF, CUTOFF + 8)))
    assert grade(stored, came) is None

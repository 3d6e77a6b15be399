from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from engine.predictor import KronosPredictor
from tests.qlib_writer import walk
from training.errors import DataError, RunError
from training.evaluation.asof import LookAhead
from training.portfolio.days import Past, next_times
from training.portfolio.signals import SIGNALS, signals_of
from training.portfolio.walk import WalkSettings, past_of, signals, stored_signals, task_of

GOLDEN = Path(__file__).parents[2] / "golden"
DAYS = pd.bdate_range("2020-01-01", periods=40)
SETTINGS = WalkSettings(lookback=16, horizon=3, samples=4, seed=3)


@pytest.fixture(scope="module")
def predictor():
    return KronosPredictor.from_pretrained(GOLDEN / "model", tokenizer=GOLDEN / "tokenizer", device="cpu")


def candles(seed=0, days=DAYS):
    frame = walk(days, seed)[["open", "high", "low", "close", "volume"]]
    return frame.rename_axis("timestamp").reset_index()


@pytest.fixture
def universe():
    """Three instruments: one suspended for some days, one that begins midway and ends early."""
    return {"A": candles(), "B": candles(1).drop(index=range(22, 26)), "C": candles(2, DAYS[10:34])}


def test_there_is_a_signal_wherever_there_is_history_and_a_candle_of_the_day(predictor, universe):
    found = signals(predictor, universe, SETTINGS)
    assert tuple(found) == SIGNALS
    days = found.reset_index().groupby("instrument")["datetime"].apply(list)
    assert days["A"] == list(DAYS[15:])
    assert days["B"] == [day for place, day in enumerate(DAYS) if place >= 15 and place not in range(22, 26)]
    assert days["C"] == list(DAYS[25:34])
    assert np.isfinite(found).to_numpy().all()


def test_a_signal_is_that_of_the_forecast_made_by_itself(predictor, universe):
    found = signals(predictor, universe, SETTINGS, start=DAYS[30], end=DAYS[31])
    history = universe["A"].iloc[15:31]
    features = ["open", "high", "low", "close", "volume"]
    future = pd.bdate_range(DAYS[30], periods=4)[1:]
    alone = predictor.forecast(history[features], history["timestamp"], future, samples=4, seed=3)
    assert found.loc[(DAYS[30], "A")].to_dict() == pytest.approx(signals_of(alone.paths, alone.last_close), rel=1e-5)


def leak(universe, how):
    later = {name: frame.copy() for name, frame in universe.items()}
    for name, frame in universe.items():
        after = frame["timestamp"] > DAYS[30]
        if how == "changed":
            later[name].loc[after, ["open", "high", "low", "close", "volume"]] *= 7
        elif how == "spoiled":
            later[name].loc[after, "close"] = np.nan
        else:
            later[name] = frame[~after]
    return later


@pytest.mark.parametrize("how", ["changed", "spoiled", "taken away"])
def test_no_candle_after_a_day_changes_its_signal(predictor, universe, how):
    until = {"start": DAYS[28], "end": DAYS[30]}
    known = signals(predictor, universe, SETTINGS, **until)
    pd.testing.assert_frame_equal(signals(predictor, leak(universe, how), SETTINGS, **until), known, check_exact=True)
    assert len(known) == 9


LEAKS = {
    "the candle of the next day": lambda past: past.seen.rows(len(past.seen), len(past.seen) + 1),
    "when it comes": lambda past: past.seen.times(0, len(past.seen) + 1),
    "all that is known a day later": lambda past: past.seen.until(past.seen.cutoff + 86_400 * 10**9),
}


@pytest.mark.parametrize("leak", LEAKS.values(), ids=LEAKS.keys())
def test_a_leak_planted_in_the_making_of_signals_is_caught(predictor, universe, monkeypatch, leak):
    values = Past.values.fget
    monkeypatch.setattr(Past, "values", property(lambda past: (leak(past), values(past))[1]))
    with pytest.raises(LookAhead, match=r"A: .* nothing after the cutoff 2020-02-11"):
        signals(predictor, universe, SETTINGS, start=DAYS[29], end=DAYS[30])


def test_a_score_is_found_again_with_the_paths_behind_it(predictor, universe, tmp_path):
    found = signals(predictor, universe, SETTINGS, start=DAYS[30], end=DAYS[31], folder=tmp_path)
    kept = stored_signals(tmp_path, predictor.digest, universe, SETTINGS, DAYS[30])
    pd.testing.assert_frame_equal(kept, found.loc[[DAYS[30]]])
    batch = predictor.begin([task_of(predictor, past_of("B", universe["B"], 16, DAYS[30]), SETTINGS)])
    while batch.active:
        batch.advance()
    drawn = batch.result(0)
    assert signals_of(drawn.paths, drawn.last_close) == pytest.approx(kept.loc[(DAYS[30], "B")].to_dict(), rel=1e-5)


def test_what_other_weights_settings_or_candles_made_is_not_taken_for_the_same(predictor, universe, tmp_path):
    signals(predictor, universe, SETTINGS, start=DAYS[30], end=DAYS[30], folder=tmp_path)
    other = WalkSettings(lookback=16, horizon=3, samples=4, seed=4)
    assert stored_signals(tmp_path, "0" * 64, universe, SETTINGS, DAYS[30]) is None
    assert stored_signals(tmp_path, predictor.digest, universe, other, DAYS[30]) is None
    universe["A"].loc[30, "close"] *= 1.01
    assert stored_signals(tmp_path, predictor.digest, universe, SETTINGS, DAYS[30]) is None


def test_a_day_without_a_candle_has_no_forecast_behind_it(universe):
    with pytest.raises(DataError, match="B has no signal of 2020-02-03"):
        past_of("B", universe["B"], 16, DAYS[23])


def test_the_candle_of_the_day_itself_is_known(predictor, universe):
    day = {"start": DAYS[30], "end": DAYS[30]}
    known = signals(predictor, universe, SETTINGS, **day)
    universe["A"].loc[30, "close"] *= 1.05
    universe["A"].loc[30, "high"] *= 1.05
    changed = signals(predictor, universe, SETTINGS, **day)
    assert changed.loc[(DAYS[30], "A"), "last"] != known.loc[(DAYS[30], "A"), "last"]
    assert changed.loc[(DAYS[30], "B")].equals(known.loc[(DAYS[30], "B")])


def test_signals_are_made_as_often_as_asked_and_progress_is_told(predictor, universe):
    told = []
    settings = WalkSettings(lookback=16, horizon=3, samples=2, every=5)
    found = signals(predictor, universe, settings, start=DAYS[20], on_step=lambda *step: told.append(step))
    assert list(found.index.get_level_values("datetime").unique()) == list(DAYS[20::5])
    assert told[-1] == (4, 4)


class Counting:
    """A predictor that counts the series it forecasts, and breaks off at will."""

    def __init__(self, predictor, most=1000):
        self.digest, self.predictor, self.most, self.count = predictor.digest, predictor, most, 0

    def forecast_batch(self, frames, *rest, **settings):
        self.count += len(frames)
        if self.count > self.most:
            raise KeyboardInterrupt
        return self.predictor.forecast_batch(frames, *rest, **settings)


def test_a_walk_that_was_broken_off_goes_on_where_it_was(predictor, universe, tmp_path, monkeypatch):
    monkeypatch.setattr("training.portfolio.walk.TOGETHER", 6)
    whole = signals(predictor, universe, SETTINGS)
    first = Counting(predictor, most=20)
    with pytest.raises(KeyboardInterrupt):
        signals(first, universe, SETTINGS, folder=tmp_path)
    kept = len(list(tmp_path.iterdir()))
    assert 0 < kept < 25
    second = Counting(predictor)
    pd.testing.assert_frame_equal(signals(second, universe, SETTINGS, folder=tmp_path), whole)
    assert second.count == len(whole) - sum(len(pd.read_parquet(p)) for p in sorted(tmp_path.iterdir())[:kept])
    third = Counting(predictor, most=0)
    pd.testing.assert_frame_equal(signals(third, universe, SETTINGS, folder=tmp_path), whole)


def test_days_whose_candles_or_settings_changed_are_made_anew(predictor, universe, tmp_path):
    until = {"start": DAYS[28], "end": DAYS[30], "folder": tmp_path}
    signals(predictor, universe, SETTINGS, **until)
    universe["C"].loc[20, "close"] *= 1.01  # the candle of DAYS[30]
    again = Counting(predictor)
    signals(again, universe, SETTINGS, **until)
    assert again.count == 3
    other = Counting(predictor)
    signals(other, universe, WalkSettings(lookback=16, horizon=3, samples=4, seed=4), **until)
    assert other.count == 9


def test_a_folder_that_takes_no_file_is_said_to_be_one(predictor, universe, tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(RunError, match="cannot be written to"):
        signals(predictor, universe, SETTINGS, end=DAYS[15], folder=tmp_path / "file")


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda frame: frame.assign(low=-1.0), "A: a price is not above zero"),
        (lambda frame: frame.iloc[::-1], "A: candles must ascend"),
        (lambda frame: frame.assign(close=np.nan), "No instrument has a candle"),
    ],
)
def test_candles_that_cannot_be_used_are_named(predictor, spoil, said):
    with pytest.raises(DataError, match=said):
        signals(predictor, {"A": spoil(candles())}, SETTINGS)


def test_a_universe_without_enough_history_has_no_signal(predictor):
    assert signals(predictor, {"A": candles().iloc[:10]}, SETTINGS).empty


@pytest.mark.parametrize(
    ("past", "expected"),
    [
        (pd.bdate_range("2024-01-01", "2024-01-12"), ["2024-01-15", "2024-01-16"]),
        (pd.date_range("2024-01-01", "2024-01-13"), ["2024-01-14", "2024-01-15"]),
        (pd.date_range("2024-01-05", "2024-02-02", freq="W-FRI"), ["2024-02-09", "2024-02-16"]),
        (pd.date_range("2024-01-01", periods=9, freq="h"), ["2024-01-01 09:00", "2024-01-01 10:00"]),
    ],
)
def test_times_go_on_as_they_went(past, expected):
    assert list(next_times(past, 2)) == [pd.Timestamp(time) for time in expected]


def test_a_calendar_tells_the_times_as_far_as_it_goes():
    past = pd.bdate_range("2024-01-01", "2024-01-12")
    calendar = pd.DatetimeIndex(["2024-01-12", "2024-01-16", "2024-01-17"])
    assert list(next_times(past, 2, calendar)) == list(calendar[1:])
    assert list(next_times(past, 3, calendar)) == list(pd.bdate_range("2024-01-15", periods=3))


def test_the_key_of_settings_with_drift_is_that_of_files_from_before_zero_drift():
    with_drift = WalkSettings(lookback=16, horizon=3, samples=4, seed=3)
    assert with_drift.key == (
        "{'lookback': 16, 'horizon': 3, 'every': 1, 'samples': 4, 'temperature': 1.0, 'top_k': 0, 'top_p': 1.0, "
        "'seed': 3}"
    )
    assert replace(with_drift, driftless=True).key != with_drift.key

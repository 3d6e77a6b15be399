import pandas as pd
import pytest

from engine.loading.registry import REGISTRY
from kronos_app.data import sample
from kronos_app.data.candle_frame import CandleFrame
from kronos_app.errors import NotFound
from kronos_app.services.candles.doubts import doubts, look_ahead


@pytest.fixture
def apple(desk):
    """Keep the sample whose splits of 2000 and 2005 were not adjusted for."""
    return desk.candles.keep(sample.load("AAPL"))


def codes(found):
    return [finding.code for finding in found]


def test_a_split_is_a_doubt_while_it_is_in_the_history(apple):
    assert codes(doubts(apple, pd.Timestamp("2005-06-01"), 400)) == ["splits"]
    assert codes(doubts(apple, pd.Timestamp("2005-06-01"), 20)) == []
    assert codes(doubts(apple, None, 400)) == []


def test_nothing_after_the_cutoff_is_looked_at(apple):
    assert codes(doubts(apple, pd.Timestamp("2005-02-25"), 400)) == []


def test_what_was_fixed_is_no_doubt_any_more_and_the_record_says_so(desk):
    saved = desk.candles.keep(sample.load("AAPL"), fixes=["adjust_splits"])
    assert codes(doubts(saved, pd.Timestamp("2005-06-01"), 400)) == []
    assert saved.repair["steps"][0]["kind"] == "adjust_splits"
    assert saved.repair["score"] == 100
    assert saved.quality["score"] < 80
    assert desk.candles.get(saved.id).repair == saved.repair


def test_doubts_of_unknown_candles_are_refused(desk):
    with pytest.raises(NotFound):
        desk.forecasts.doubts("nothing", None, 100)


@pytest.mark.parametrize(("cutoff", "warned"), [("2024-05-31 23:00", True), ("2024-06-01 00:00", False)])
def test_a_replay_up_to_the_last_day_that_chose_the_model_is_warned_of_look_ahead(make_frame, cutoff, warned):
    frame = make_frame(120).assign(timestamp=pd.date_range("2024-05-30", periods=120, freq="h"))
    candles = CandleFrame(frame, "walk.csv", "upload")
    for name in ("kronos-mini", "kronos-small", "kronos-base"):
        found = look_ahead(REGISTRY[name], candles, pd.Timestamp(cutoff))
        assert codes(found) == (["look_ahead"] if warned else [])
        assert all("up to 2024-05-31" in warning.message.render() for warning in found)


def test_a_forecast_from_the_last_candle_has_no_actual_candles_to_have_seen(make_frame):
    candles = CandleFrame(make_frame(60), "walk.csv", "upload")
    assert look_ahead(REGISTRY["kronos-small"], candles, candles.timestamps[-1]) == []

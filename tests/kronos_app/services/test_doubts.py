import pandas as pd
import pytest

from kronos_app.data import sample
from kronos_app.errors import NotFound
from kronos_app.services.doubts import doubts


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

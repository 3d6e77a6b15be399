from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from tests.training.portfolio.conftest import DAYS
from training.errors import DataError
from training.portfolio.signals import SIGNALS, frame, momentum, pick, signals_of


def paths_of(*closes):
    """Return paths with these closes; the other features are such that reading one of them would show."""
    paths = np.full((len(closes), len(closes[0]), 6), 999.0)
    paths[..., 3] = closes
    return paths


def test_the_published_signals_are_of_the_mean_path_less_the_last_close():
    found = signals_of(paths_of([10.0, 14.0, 12.0], [12.0, 10.0, 13.0]), 10.0)  # on average 11, 12, 12.5
    assert found["last"] == pytest.approx(2.5)
    assert found["mean"] == pytest.approx(35.5 / 3 - 10)
    assert found["max"] == pytest.approx(2.5)
    assert found["min"] == pytest.approx(1.0)
    for point in ("last", "mean", "max", "min"):
        assert found[f"{point}_return"] == pytest.approx(found[point] / 10)
    assert tuple(found) == SIGNALS


def test_the_signals_of_the_paths_weigh_the_return_by_its_deviation_and_count_rises():
    found = signals_of(paths_of([10.0, 11.0], [10.0, 9.0], [10.0, 13.0], [10.0, 10.0]), 10.0)
    ends = np.array([0.1, -0.1, 0.3, 0.0])
    assert found["risk_adjusted"] == pytest.approx(ends.mean() / ends.std(ddof=1))
    assert found["probability_up"] == 0.5


@pytest.mark.parametrize("closes", [([10.0, 11.0],), ([10.0, 11.0], [9.0, 11.0])])
def test_paths_that_do_not_differ_have_no_risk_to_adjust_by(closes):
    assert np.isnan(signals_of(paths_of(*closes), 10.0)["risk_adjusted"])


def test_a_panel_has_a_row_a_day_and_instrument_and_a_column_a_signal():
    one = signals_of(paths_of([10.0, 11.0], [10.0, 13.0]), 10.0)
    found = frame({(DAYS[1], "B"): one, (DAYS[0], "A"): one, (DAYS[1], "A"): one})
    assert found.index.names == ["datetime", "instrument"]
    assert list(found.index) == [(DAYS[0], "A"), (DAYS[1], "A"), (DAYS[1], "B")]
    assert tuple(found) == SIGNALS
    assert pick(found, "last_return").tolist() == pytest.approx([0.2] * 3)
    with pytest.raises(DataError, match=r"no signal 'best': choose one of last, mean"):
        pick(found, "best")
    assert frame({}).empty


def test_momentum_looks_back_over_the_candles_an_instrument_has():
    closes = pd.DataFrame({"A": [1.0, 2.0, np.nan, 4.0], "B": [8.0, 4.0, 2.0, np.nan]}, index=DAYS[:4])
    found = momentum(closes, days=2)
    assert found.to_dict() == {(DAYS[3], "A"): 3.0, (DAYS[2], "B"): -0.75}

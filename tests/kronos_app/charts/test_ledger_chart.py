from __future__ import annotations

import pandas as pd
import pytest

from kronos_app.charts.ledger import LedgerWords, ledger_chart
from kronos_app.services.ledger import record as ledger_record
from tests.kronos_app.services.ledger.test_record import entry

WORDS = LedgerWords("覆盖率", "名义", "容许", "比值", "相当")


@pytest.fixture
def running():
    return ledger_record.running_figures(ledger_record.tabulate([entry(number) for number in range(30)]))


def traces(figure):
    return {trace.name: trace for trace in figure.data if trace.name}


def test_the_coverage_of_the_chosen_band_stands_in_its_strip(running):
    found = traces(ledger_chart(running, 0.5, WORDS))
    assert list(found["覆盖率"].y) == running["share_0.5"].to_list()
    assert list(found["容许"].y) == running["high_0.5"].to_list()
    assert list(found["名义"].y) == [0.5, 0.5]


def test_the_ratio_stands_below_against_one(running):
    found = traces(ledger_chart(running, 0.8, WORDS))
    assert found["比值"].yaxis == found["相当"].yaxis == "y2"
    assert list(found["比值"].y) == running["ratio"].to_list()
    assert list(found["相当"].y) == [1.0, 1.0]


def test_a_lone_forecast_is_a_point(running):
    assert "markers" in traces(ledger_chart(running.head(1), 0.8, WORDS))["覆盖率"].mode
    assert traces(ledger_chart(running, 0.8, WORDS))["覆盖率"].mode == "lines"


def test_a_lone_forecast_has_one_tick_at_its_time_in_a_day_on_each_side(running):
    one = running.head(1)
    figure = ledger_chart(one, 0.8, WORDS)
    moment = one["end"].iloc[0]
    assert list(figure.layout.xaxis.tickvals) == [moment]
    assert (
        list(figure.layout.xaxis.range)
        == list(traces(figure)["名义"].x)
        == [
            moment - pd.Timedelta(days=1),
            moment + pd.Timedelta(days=1),
        ]
    )
    assert ledger_chart(running, 0.8, WORDS).layout.xaxis.tickvals is None


def test_every_word_is_handed_in(running):
    figure = ledger_chart(running, 0.8, WORDS)
    assert {trace.name for trace in figure.data} == {"覆盖率", "名义", "容许", "比值", "相当", None}

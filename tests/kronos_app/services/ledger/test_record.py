"""What many grades say together: against random walks, and against what the bands promise."""

from datetime import UTC, datetime

import numpy as np
import pandas as pd
import pytest

from kronos_app.services.ledger import record as ledger_record
from kronos_app.store.ledger import LedgerEntry

HOUR = pd.Timedelta("1h")


def entry(number, *, horizon=4, spacing=4, better=1.0, coverage=0.8, model="tiny", symbol="AAPL", **fields):
    """Return a graded forecast that begins `spacing` hours after the one before."""
    cutoff = pd.Timestamp("2026-01-05") + number * spacing * HOUR
    noise = 1 + 0.3 * np.sin(number * 1.7)
    measures = {"mae": 1.0, "mape": 0.01, "direction": 0.5}
    scores = {
        "model": measures | {"crps": better * noise, "coverage": {"0.5": 0.5, "0.8": coverage, "0.9": 0.9}},
        **{
            name: measures | {"crps": size * (1 + 0.3 * np.sin(number * 1.1)), "coverage": {}}
            for name, size in (("last_close", 1.2), ("drift", 1.3), ("ewma", 1.0))
        },
    }
    values = {
        "id": f"{model}{symbol}{number}",
        "created": datetime(2026, 1, 1, tzinfo=UTC),
        "candles_id": "c",
        "name": "walk",
        "source": "yahoo",
        "timezone": "UTC",
        "step": HOUR,
        "model": model,
        "weights": "w",
        "horizon": horizon,
        "samples": 30,
        "cutoff": cutoff,
        "first": cutoff + HOUR,
        "last": cutoff + horizon * HOUR,
        "last_close": 100.0,
        "ahead": True,
        "symbol": symbol,
        "interval": "1h",
        "state": "graded",
        "matched": horizon,
        "grade": {"scores": scores, "ratio": 1.0},
    }
    return LedgerEntry(**values | fields)


def table(entries):
    return ledger_record.tabulate(entries)


def test_what_is_not_graded_is_no_evidence():
    waiting = [entry(1, state="pending", matched=0, grade=None), entry(2, state="partial"), entry(3, state="lost")]
    assert table(waiting).empty
    assert len(table([*waiting, entry(4)])) == 1


def test_several_forecasts_of_one_cutoff_count_as_one():
    twins = [entry(1, better=1.0), entry(1, better=3.0, id="again")]
    (row,) = table(twins).itertuples()
    noise = 1 + 0.3 * np.sin(1.7)
    assert row.crps_model == pytest.approx(2.0 * noise / 100)
    assert len(table([*twins, entry(1, model="other")])) == 2


def test_forecasts_that_overlap_are_not_counted_as_lying_apart():
    assert ledger_record.build_record(table([entry(n, spacing=4) for n in range(10)])).apart == 10
    assert ledger_record.build_record(table([entry(n, spacing=1) for n in range(10)])).apart == 3
    two = [entry(n, spacing=1, symbol=symbol) for n in range(10) for symbol in ("AAPL", "MSFT")]
    assert ledger_record.build_record(table(two)).apart == 6
    models = [entry(n, spacing=4, model=model) for n in range(10) for model in ("a", "b")]
    assert ledger_record.build_record(table(models)).apart == 10


def test_the_verdict_waits_until_enough_lie_apart():
    record = ledger_record.build_record(table([entry(n, better=0.1) for n in range(4)]))
    assert "Too few" in record.verdict.render()
    assert record.skill["ewma"].low is None
    assert record.skill["ewma"].ratio < 1


@pytest.mark.parametrize(
    ("better", "said"), [(0.5, "Better than"), (1.0, "No significant difference from"), (2.0, "Worse than")]
)
def test_the_verdict_names_the_best_baseline(better, said):
    record = ledger_record.build_record(table([entry(n, better=better) for n in range(60)]))
    assert record.verdict.render().startswith(f"{said} EWMA random walk so far")
    skill = record.skill["ewma"]
    assert skill.low < skill.ratio < skill.high
    assert skill.ratio == pytest.approx(better, rel=0.1)


def test_the_interval_holds_the_truth_about_as_often_as_it_says():
    held = 0
    for trial in range(100):
        rng = np.random.default_rng(trial)
        drawn = pd.DataFrame({"crps_model": rng.exponential(1.0, 80), "crps_ewma": rng.exponential(1.0, 80)})
        skill = ledger_record._skill(drawn, "ewma", np.arange(80))
        held += skill.low <= 1 <= skill.high
    assert 88 <= held <= 100


def test_coverage_within_what_the_band_allows_for_raises_no_alarm():
    record = ledger_record.build_record(table([entry(n, coverage=0.75) for n in range(40)]))
    assert record.coverage[0.8] == pytest.approx(0.75)
    assert record.alarms == {}


def test_coverage_that_leaves_its_strip_lately_raises_an_alarm():
    entries = [entry(n, coverage=0.8 if n < 40 else 0.4) for n in range(60)]
    record = ledger_record.build_record(table(entries))
    assert record.alarms == {0.8: pytest.approx(0.4)}
    assert record.coverage[0.8] == pytest.approx(0.8 * 40 / 60 + 0.4 * 20 / 60)


def test_running_figures_look_back_over_twenty_forecasts_apart():
    running = ledger_record.running_figures(table([entry(n, coverage=0.0 if n < 20 else 1.0) for n in range(60)]))
    assert list(running["apart"][:3]) == [1, 2, 3]
    assert running["apart"].max() == 20
    assert running["share_0.8"].iloc[19] == 0.0
    assert running["share_0.8"].iloc[29] == pytest.approx(0.5)
    assert running["share_0.8"].iloc[39] == 1.0
    assert running["low_0.8"].iloc[-1] == pytest.approx(0.6)
    assert running["high_0.8"].iloc[-1] == pytest.approx(0.95)


def test_overlapping_forecasts_do_not_narrow_the_strip():
    dense = ledger_record.running_figures(table([entry(n, spacing=1) for n in range(200)]))
    apart = ledger_record.running_figures(table([entry(n, spacing=4) for n in range(60)]))
    assert dense["low_0.8"].iloc[-1] == apart["low_0.8"].iloc[-1]


def test_a_record_for_each_model_and_symbol_the_longest_first():
    entries = [entry(n) for n in range(3)] + [entry(n, symbol="MSFT") for n in range(5)] + [entry(1, model="b")]
    found = ledger_record.build_records(table(entries))
    assert [(one.model, one.symbol, one.forecasts) for one in found] == [
        ("tiny", "MSFT", 5),
        ("tiny", "AAPL", 3),
        ("b", "AAPL", 1),
    ]
    total = ledger_record.build_record(table(entries))
    assert (total.model, total.symbol, total.forecasts) == (None, None, 9)


def test_a_baseline_without_error_is_not_divided_by():
    flat = [entry(n) for n in range(10)]
    for one in flat:
        for name in ("last_close", "drift", "ewma"):
            one.grade["scores"][name]["crps"] = 0.0
    record = ledger_record.build_record(table(flat))
    assert record.skill["ewma"].ratio == float("inf")
    assert "made no error so far" in record.verdict.render()


def test_times_are_put_in_order_across_zones():
    early = entry(0, timezone="Asia/Tokyo")
    late = entry(0, timezone="America/New_York", symbol="MSFT")
    ordered = table([late, early])
    assert list(ordered["symbol"]) == ["AAPL", "MSFT"]
    assert ordered["begin"].iloc[1] - ordered["begin"].iloc[0] == pd.Timedelta("14h")


def test_graded_entries_are_counted_and_equal_forecasts_averaged():
    entries = [entry(number) for number in range(6)] + [entry(0, id="again", better=3.0)]
    table = ledger_record.tabulate([*entries, entry(9, id="unmatched", matched=0)])
    assert len(table) == 6
    total, groups = ledger_record.build_record(table), ledger_record.build_records(table)
    assert total.forecasts == sum(group.forecasts for group in groups) == len(entries)
    assert table["crps_model"].iloc[0] == pytest.approx(2 * 1.0 / 100)

"""Grades and follows come back as they were put in, on every database."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pandas as pd
import pytest

from kronos_app.store.ledger import Follow, LedgerEntry, LedgerFilter

MOMENT = datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)


@pytest.fixture
def entry():
    cutoff = pd.Timestamp("2026-01-01 09:30:00.000000001")
    return LedgerEntry(
        id="f1",
        created=MOMENT,
        candles_id="c1",
        name="贵州茅台 «2024».csv",
        source="upload",
        timezone=None,
        step=pd.Timedelta("5min"),
        model="kronos-nano",
        weights="ab",
        horizon=4,
        samples=3,
        cutoff=cutoff,
        first=cutoff + pd.Timedelta("5min"),
        last=cutoff + pd.Timedelta("20min"),
        last_close=0.1 + 0.2,
        ahead=True,
    )


@pytest.fixture
def follow():
    return Follow("w1", "binance", "BTC/USDT", "1h", {"model": "kronos-nano", "seed": None}, 900, created=MOMENT)


def test_an_entry_comes_back_with_every_field(store, entry):
    grade = {"scores": {"model": {"crps": 0.5, "direction": None}}, "ratio": 1.0}
    full = replace(
        entry, follow_id="w1", symbol="600519", interval="5m", adjustment="none", timezone="Asia/Shanghai",
        state="graded", until=entry.last, graded=MOMENT, matched=4, grade=grade,
    )  # fmt: skip
    for saved in (entry, full):
        store.ledger.put(saved)
        assert store.ledger.get("f1") == saved
    assert store.ledger.get("f2") is None


def test_entries_are_listed_newest_first_as_asked_for(store, entry):
    for number, fields in enumerate(
        [{"symbol": "A"}, {"model": "other"}, {"state": "graded"}, {"ahead": False}, {"follow_id": "w"}]
    ):
        store.ledger.put(replace(entry, id=f"f{number}", created=MOMENT + timedelta(days=number), **fields))

    def listed(limit=None, offset=0, **wanted):
        entries = store.ledger.list(LedgerFilter(**wanted), limit=limit, offset=offset)
        assert limit or store.ledger.count(LedgerFilter(**wanted)) == len(entries)
        return [entry.id for entry in entries]

    assert listed() == ["f4", "f3", "f2", "f1", "f0"]
    assert listed(limit=2) == ["f4", "f3"]
    assert listed(limit=2, offset=3) == ["f1", "f0"]
    assert listed(symbol="A") == ["f0"]
    assert listed(symbol=entry.name, model="other") == ["f1"]
    assert listed(states=["graded"]) == ["f2"]
    assert listed(ahead=False) == ["f3"]
    assert listed(follow_id="w") == ["f4"]
    assert listed(symbol="' OR '1'='1") == []


def test_forecasts_that_are_not_entered_are_told_the_oldest_first(store, entry, forecast):
    for number in (3, 1, 2):
        store.forecasts.put(forecast(f"f{number}", created=MOMENT + timedelta(days=number)))
    store.ledger.put(replace(entry, id="f2"))
    assert store.ledger.unnoted(10) == ["f1", "f3"]
    assert store.ledger.unnoted(1) == ["f1"]


def test_a_follow_comes_back_with_every_field(store, follow):
    error = {"code": "x", "message": {"msgid": "中文", "params": {}}, "hint": {"msgid": "", "params": {}}}
    full = replace(
        follow, options={"adjustment": "none"}, active=False, next_run=MOMENT, last_run=MOMENT, job_id="j",
        candles_id="c", last_candle=pd.Timestamp("2026-01-01"), forecast_id="f", made=3, failures=2, error=error,
    )  # fmt: skip
    for saved in (follow, full):
        store.follows.put(saved)
        assert store.follows.get("w1") == saved
        assert store.follows.list() == [saved]


def test_a_change_of_some_fields_leaves_the_others(store, follow):
    store.follows.put(follow)
    store.follows.update("w1", made=5, error=None, next_run=MOMENT)
    assert store.follows.get("w1") == replace(follow, made=5, next_run=MOMENT)
    store.follows.update("nobody", made=5)
    store.follows.update("\ud800", made=5)
    store.follows.delete("w1")
    assert store.follows.list() == []

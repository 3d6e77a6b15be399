"""What a model's forecasts have been worth, told beside a new one."""

import json
import shutil
from dataclasses import replace
from types import SimpleNamespace

import pandas as pd
import pytest

from kronos_app.data.about import About
from kronos_app.services.desk import Desk
from kronos_app.services.selection.training_files import group_of
from kronos_app.store.ledger import LedgerEntry
from tests.kronos_app.conftest import GOLDEN, spec


@pytest.fixture
def desk(settings, tmp_path):
    """A desk whose model lies in a folder of its own, as a bundled one does."""
    for part in ("model", "tokenizer"):
        shutil.copytree(GOLDEN / part, tmp_path / "tiny" / part)
    desk = Desk(settings, {"tiny": spec(model=tmp_path / "tiny" / "model", tokenizer=tmp_path / "tiny" / "tokenizer")})
    yield desk
    desk.close()


@pytest.fixture
def view(desk, save, make_frame):
    saved = save(make_frame(60))
    named = replace(saved, id="named", candles=replace(saved.candles, about=About(symbol="BTC/USDT")))
    desk.store.candles.put(named)
    return SimpleNamespace(model="tiny", stored=SimpleNamespace(candles_id="named"))


@pytest.fixture
def judge(desk, view, tmp_path):
    """Return a function that keeps a judgement of the model beside its weights."""
    group = group_of(desk.candles.get("named").candles)

    def judge(low=0.93, high=1.02, drift=None, **blocks):
        ratio = {"value": 0.97, "low": low, "high": high}
        coverage = {"value": 0.894, "low": None, "high": None}
        line = {"cutoffs": 300, "crps_ratio": ratio, "coverage_90": coverage, "best_baseline": "ewma"}
        blocks = {"new": {group: line}, "together": {group: line | {"cutoffs": 700}}, **blocks}
        judgement = {"blocks": blocks} | ({"settings": {"drift": drift}} if drift else {})
        (tmp_path / "tiny" / "judgement.json").write_text(json.dumps(judgement), encoding="utf-8")

    judge.group = group
    return judge


@pytest.fixture
def grade(desk):
    """Return a function that enters a graded forecast of the last hours into the ledger."""

    def grade(number, **fields):
        cutoff = pd.Timestamp("2024-03-01") + number * pd.Timedelta("4h")
        measures = {
            "crps": 1.0,
            "mae": 1.0,
            "mape": 0.01,
            "direction": 0.5,
            "coverage": {"0.5": 0.5, "0.8": 0.8, "0.9": 1.0},
        }
        names = ("model", "last_close", "drift", "ewma")
        scores = {name: measures | {"crps": 0.8 if name == "model" else 1.0} for name in names}
        about = {"source": "binance", "timezone": None, "name": "walk", "symbol": "BTC/USDT", "interval": "1h"}
        when = {"cutoff": cutoff, "first": cutoff + pd.Timedelta("1h"), "last": cutoff + pd.Timedelta("4h")}
        made = {"created": pd.Timestamp(cutoff, tz="UTC").to_pydatetime(), "ahead": True, "step": pd.Timedelta("1h")}
        size = {"model": "tiny", "weights": "w", "horizon": 4, "samples": 5, "last_close": 100.0, "candles_id": "named"}
        kept = {"state": "graded", "matched": 4, "grade": {"scores": scores, "ratio": 1.0}}
        desk.store.ledger.put(LedgerEntry(**{"id": f"f{number}", **about, **when, **made, **size, **kept, **fields}))

    return grade


def test_without_a_judgement_or_grades_nothing_is_told(desk, view):
    assert desk.records.find(view) is None


def test_the_ledger_tells_what_live_forecasts_of_the_series_were_worth(desk, view, judge, grade):
    judge()
    for number in range(6):
        grade(number)
    told = desk.records.find(view).render()
    assert told.startswith("Live forecasts of BTC/USDT by tiny: Better than ")
    assert "CRPS ratio 0.80" in told


def test_replays_and_other_series_are_no_record(desk, view, grade):
    others = [{"ahead": False}, {"symbol": "ETH/USDT"}, {"step": pd.Timedelta("1D")}, {"model": "other"}]
    for place, fields in enumerate(others):
        for number in range(6):
            grade(number, id=f"{place}/{number}", **fields)
    assert desk.records.find(view) is None


def test_with_few_live_forecasts_it_is_told_what_was_judged(desk, view, judge, grade):
    judge()
    grade(0)
    told = desk.records.find(view).render()
    assert told == (
        f"Track record of tiny on {judge.group}, 700 cutoffs, forecasts with drift: CRPS 0.97 × EWMA random walk "
        "(95 % CI 0.93–1.02); coverage of the 90 % band 89 %."
    )
    judge(low=None, high=None, together={})
    assert "300 cutoffs, forecasts with drift: CRPS 0.97 × EWMA random walk (no confidence interval)" in (
        desk.records.find(view).render()
    )


def test_it_is_told_where_a_model_was_judged_without_drift(desk, view, judge):
    judge(drift="removed")
    assert "700 cutoffs, zero-drift forecasts" in desk.records.find(view).render()


def test_a_judgement_of_other_markets_tells_nothing(desk, view, judge):
    judge(new={"fx/4h": {}}, together={})
    assert desk.records.find(view) is None


@pytest.mark.parametrize(
    ("written", "reason"),
    [
        ("{", "JSONDecodeError"),
        ("[]", "TypeError"),
        ("{}", "KeyError"),
        ('{"blocks": []}', "AttributeError"),
        ('{"blocks": {"new": {"GROUP": {"cutoffs": 3}}}}', "ValidationError"),
    ],
)
def test_an_unreadable_judgement_is_named_and_the_log_says_why(desk, view, judge, tmp_path, caplog, written, reason):
    (tmp_path / "tiny" / "judgement.json").write_text(written.replace("GROUP", judge.group), encoding="utf-8")
    assert desk.records.find(view).render() == "The track record of tiny cannot be read; the log says why."
    assert reason in caplog.text
    assert str(tmp_path / "tiny" / "judgement.json") in caplog.text

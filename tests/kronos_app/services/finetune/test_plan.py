"""What a request comes to before anything is trained: candles laid down, config complete, refusals in words."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from kronos_app.data.about import About
from kronos_app.data.source import FetchRequest
from kronos_app.errors import AppError, InvalidInput, NotFound, TooLarge
from kronos_app.services.candles.series_fetching import request_key
from kronos_app.services.desk import Desk
from kronos_app.services.finetune.request import TuneRequest
from kronos_app.services.finetune.trial import estimate_parts
from kronos_app.services.finetune.views import StageEstimate
from kronos_app.services.runs.pace import RUN_MARGIN
from kronos_app.store.series import SeriesKey, SeriesState
from kronos_app.store.watchlists import Watched
from tests import qlib_writer
from training.run.config import RunConfig


@pytest.fixture
def ask(save, make_frame, make_config):
    """Return a function that makes a request on data sets of as many rows as are named."""

    def ask(*rows, data=None, **changes):
        sets = [save(make_frame(count, seed=n), f"walk{n}.csv").id for n, count in enumerate(rows or (300,))]
        data = data or {"kind": "candle_sets", "candle_sets": sets}
        return TuneRequest.build({"data": data, "config": make_config(**changes)})

    return ask


@pytest.fixture
def stored(desk, save, make_frame):
    """Store a series of New York as a market source would, and return its key."""

    def stored(symbol="AAPL", rows=300, seed=0):
        candles = save(make_frame(rows, seed=seed, start="2024-04-01")).candles
        about = About(symbol=symbol, interval="1h", calendar="XNYS")
        key = SeriesKey("yahoo", symbol, "1h", "adjusted")
        state = SeriesState(asked=(request_key(FetchRequest(symbol, "1h")),))
        desk.store.series.merge(key, replace(candles, timezone="America/New_York", about=about), state=state)
        return key

    return stored


def files(plan):
    from pathlib import Path

    [folder] = plan.config.data.paths
    return {str(path.relative_to(folder)): pd.read_parquet(path) for path in sorted(Path(folder).rglob("*.parquet"))}


def test_a_plan_says_what_there_is_to_learn_from(desk, ask):
    plan = desk.tuning.plan(ask(400, 300))
    splits = plan.preflight["splits"]
    assert set(splits) == {"train", "validation", "test"}
    assert splits["train"]["windows"] > splits["validation"]["windows"] > 0
    assert splits["train"]["symbols"] == 2
    advice = plan.advice["predictor"]
    assert advice.learning_rate <= 1e-5
    assert "few" in advice.reason.render()
    assert plan.config.machine.threads == 1
    assert any("until when" in note.render() for note in plan.notes)


def test_planning_the_same_again_prepares_nothing_anew(desk, ask, monkeypatch):
    import training.fit.preparing

    request = ask()
    first = desk.tuning.plan(request)
    monkeypatch.setattr(training.fit.preparing, "prepare", lambda *_: pytest.fail("prepared again"))
    assert desk.tuning.plan(request) == first
    renamed = request.model_copy(update={"config": request.config | {"name": "another"}})
    assert desk.tuning.plan(renamed).config.name == "another"


def test_candles_are_laid_down_as_they_are_in_one_file_a_market_and_interval(desk, save, make_frame, make_config):
    frames = [make_frame(300), make_frame(100, seed=1), make_frame(300, seed=2, freq="D")]
    sets = [save(frame, name) for frame, name in zip(frames, ("a.csv", "b.csv", "c.csv"), strict=True)]
    data = {"kind": "candle_sets", "candle_sets": [one.id for one in sets]}
    laid = files(desk.tuning.plan(TuneRequest.build({"data": data, "config": make_config()})))
    assert {path: sorted(frame["symbol"].unique()) for path, frame in laid.items()} == {
        "crypto/1d.parquet": ["c.csv"],
        "crypto/1h.parquet": ["a.csv", "b.csv"],
    } or {path.split("/")[1] for path in laid} == {"1d.parquet", "1h.parquet"}
    hourly = next(frame for path, frame in laid.items() if path.endswith("1h.parquet"))
    mine = hourly[hourly["symbol"] == "a.csv"].reset_index(drop=True)
    assert mine["timestamp"].tolist() == sets[0].candles.timestamps.tolist()
    assert mine["close"].tolist() == sets[0].candles.frame["close"].tolist()


def test_a_stored_series_is_laid_down_in_the_time_of_its_exchange(desk, ask, stored):
    key = stored()
    plan = desk.tuning.plan(ask(data={"kind": "series", "series": [vars(key)]}))
    [(path, frame)] = files(plan).items()
    assert path == "us_equity/1h.parquet"
    assert frame["symbol"].unique() == ["AAPL"]
    assert frame["timestamp"].iloc[0] == pd.Timestamp("2024-04-01")
    assert plan.config.data.origin == "AAPL"


def test_candles_that_came_meanwhile_are_laid_down_anew(desk, ask, stored):
    request = ask(data={"kind": "series", "series": [vars(stored())]})
    before = desk.tuning.plan(request)
    stored(rows=400)
    after = desk.tuning.plan(request)
    assert after.digest != before.digest
    assert len(next(iter(files(after).values()))) == 400


def test_two_series_of_one_symbol_are_told_apart(desk, save, make_frame, make_config, ask):
    request = ask(300, 301)
    sets = [desk.candles.get(one) for one in request.data.candle_sets]
    for one in sets:
        desk.store.candles.put(replace(one, candles=replace(one.candles, about=About(symbol="X"))))
    assert set(next(iter(files(desk.tuning.plan(request)).values()))["symbol"]) == {"X", "X (2)"}


def test_what_of_a_watchlist_is_not_stored_is_named(desk, ask, stored):
    stored("AAPL")
    entries = [Watched("yahoo", "AAPL", "1h"), Watched("yahoo", "MSFT", "1h")]
    desk.series.save_watchlist("mine", entries)
    plan = desk.tuning.plan(ask(data={"kind": "watchlist", "watchlist": "mine"}))
    assert any("MSFT" in note.render() for note in plan.notes)
    desk.series.save_watchlist("other", entries[1:])
    with pytest.raises(InvalidInput, match="is stored yet"):
        desk.tuning.plan(ask(data={"kind": "watchlist", "watchlist": "other"}))


@pytest.fixture
def qlib_desk(settings, make_spec, tmp_path):
    """A desk whose administrator named a Qlib folder `mine` with two instruments, one of them in `few`."""
    calendar = pd.bdate_range("2020-01-01", periods=400)
    symbols = {name: qlib_writer.walk(calendar, seed) for seed, name in enumerate(("SH600000", "SZ000001"))}
    qlib_writer.write(tmp_path / "qlib", symbols, calendar, markets={"few": ["SH600000"]})
    named = settings.model_copy(update={"qlib_folders": {"mine": tmp_path / "qlib"}})
    desk = Desk(named, {"tiny": make_spec()})
    yield desk
    desk.close()


@pytest.mark.usefixtures("qlib")
def test_a_qlib_folder_is_learned_from_without_telling_where_it_lies(qlib_desk, make_config, tmp_path):
    data = {"kind": "qlib", "qlib_folder": "mine", "qlib_market": "few", "qlib_end": "2021-06-01"}
    plan = qlib_desk.tuning.plan(TuneRequest.build({"data": data, "config": make_config()}))
    assert plan.preflight["splits"]["train"]["symbols"] == 1
    assert plan.preflight["splits"]["test"]["last"] <= "2021-06-01T00:00:00"
    assert str(tmp_path) not in "".join(note.render() for note in plan.notes)


def find_refusal(desk, config, **fields):
    data = {"kind": "qlib", "qlib_folder": "mine"} | fields
    with pytest.raises(NotFound) as unknown:
        desk.tuning.plan(TuneRequest.build({"data": data, "config": config}))
    return unknown.value.code


@pytest.mark.parametrize("folder", ["/etc", "../qlib", "other"])
def test_a_qlib_folder_that_is_not_there_is_named(qlib_desk, make_config, folder):
    assert find_refusal(qlib_desk, make_config(), qlib_folder=folder) == "unknown_qlib_folder"


def test_a_qlib_market_that_is_not_there_is_named(qlib_desk, make_config):
    assert find_refusal(qlib_desk, make_config(), qlib_market="csi9000") == "unknown_market"


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"steps": 0}, "steps"),
        ({"learning_rate": 0}, "learning_rate"),
        ({"learning_rate": 10}, "learning_rate"),
        ({"batch": 2000}, "batch"),
        ({"typo": {"x": 1}}, "typo"),
        ({"seed": "many"}, "seed"),
        ({"split": {"fractions": [0.9, 0.0, 0.1]}}, "validation"),
        ({"split": {"train": ["2024-03-05", "2024-03-01"], "validation": ["2024-03-06", None]}}, "train"),
        ({"window": {"lookback": 60, "horizon": 8}}, "64"),
        ({"window": {"lookback": 8, "horizon": 50}}, "window"),
        ({"machine": {"device": "cuda:7"}}, "cuda:7"),
        ({"track": {"mlflow_uri": "/etc/mlflow"}}, "mlflow_uri"),
        ({"track": {"mlflow_uri": "http://169.254.169.254/"}}, "KRONOS_ALLOWED_ADDRESSES"),
        ({"track": {"mlflow_uri": "http://127.0.0.1:8501"}}, "KRONOS_ALLOWED_ADDRESSES"),
        ({"track": {"comet_project": "candles"}}, "KRONOS_ALLOWED_ADDRESSES"),
        ({"data": {"source": "files", "paths": ["/etc"]}}, "data"),
        ({"base": {"model": "tiny", "tokenizer": "/etc"}}, "tokenizer"),
        ({"base": {"model": "tiny", "trained_until": "2030-01-01"}}, "trained_until"),
        ({"method": {"kind": "magic"}}, "method"),
    ],
)
def test_settings_that_cannot_be_used_are_named(desk, ask, changes, word):
    with pytest.raises(InvalidInput) as refused:
        desk.tuning.plan(ask(**changes))
    assert word in refused.value.message.render()
    assert "\n\n" not in refused.value.message.render()
    assert str(desk.settings.home) not in refused.value.message.render()


@pytest.mark.parametrize("model", ["nobody", "../../etc", "/etc", "tests/golden/model", "tiny@1"])
def test_a_base_model_is_known_by_its_name_alone(desk, ask, model):
    with pytest.raises(NotFound, match="there is no model"):
        desk.tuning.plan(ask(base={"model": model}))


def test_too_few_candles_say_how_many_are_needed(desk, ask):
    with pytest.raises(InvalidInput, match="28") as refused:
        desk.tuning.plan(ask(40))
    assert refused.value.code == "training_data"


def test_candles_that_never_move_are_refused(desk, save, make_frame, make_config):
    frame = make_frame(300).assign(open=5.0, high=5.0, low=5.0, close=5.0)
    data = {"kind": "candle_sets", "candle_sets": [save(frame).id]}
    with pytest.raises(InvalidInput, match="is constant"):
        desk.tuning.plan(TuneRequest.build({"data": data, "config": make_config()}))


@pytest.mark.parametrize(
    ("data", "error"),
    [
        ({"kind": "candle_sets"}, InvalidInput),
        ({"kind": "series"}, InvalidInput),
        ({"kind": "candle_sets", "candle_sets": ["../../etc/passwd"]}, NotFound),
        ({"kind": "series", "series": [{"source": "yahoo", "symbol": "NOPE", "interval": "1d"}]}, NotFound),
        ({"kind": "watchlist"}, NotFound),
        ({"kind": "qlib"}, NotFound),
    ],
)
def test_data_that_is_not_there_is_named(desk, ask, data, error):
    with pytest.raises(error):
        desk.tuning.plan(ask(data=data))


@pytest.mark.parametrize("fields", [{}, {"data": {"kind": "folder"}}, {"data": {"kind": "qlib"}, "path": "/etc"}])
def test_a_request_of_another_form_names_the_field(fields):
    with pytest.raises(InvalidInput):
        TuneRequest.build(fields)


def test_more_candles_than_allowed_are_refused_before_they_are_read(desk, ask):
    request = ask()
    desk.settings.__dict__["max_training_candles"] = 200
    with pytest.raises(TooLarge, match="300 candles"):
        desk.tuning.plan(request)


def test_a_home_that_cannot_be_written_is_said(desk, ask):
    request = ask()
    (desk.settings.home / "tuning_data").write_text("in the way")
    with pytest.raises(AppError) as refused:
        desk.tuning.plan(request)
    assert refused.value.code == "tuning_data_not_kept"


def test_a_short_trial_measures_what_a_run_takes(desk, ask, finished):
    request = ask()
    assert desk.tuning.estimated(request) is None
    job = finished(desk.tuning.estimate(request), seconds=120)
    assert job.status == "succeeded", job.error
    measured = desk.tuning.estimated(request)
    assert measured.seconds_per_step > 0
    assert measured.memory_bytes > 0
    assert 0 < measured.trained <= measured.parameters
    assert measured.seconds_per_validation > 0
    assert measured.seconds_per_cutoff > 0
    assert set(measured.parts) == {"start", "training", "scoring"}
    assert measured.total_seconds == pytest.approx(np.sum([*measured.parts.values()], axis=0))
    longer = request.model_copy(update={"config": request.config | {"predictor": {"steps": 60, "batch": 4}}})
    assert desk.tuning.estimated(longer).parts["training"][0] > 60 * measured.seconds_per_step / RUN_MARGIN


def test_the_estimate_counts_steps_validations_checks_and_final_scores():
    config = RunConfig.model_validate(
        {
            "data": {"source": "files", "paths": ["a.csv"]},
            "predictor": {"steps": 100, "validate_every": 30, "validation_windows": 64},
            "judge": {"cutoffs": 16, "final_cutoffs": 60},
        }
    )
    size = {"candles": 0, "symbols": 1, "first": None, "last": None}
    splits = {
        "train": {**size, "windows": 900, "cutoffs": 0, "times": 0},
        "validation": {**size, "windows": 50, "cutoffs": 20, "times": 20},
        "test": {**size, "windows": 90, "cutoffs": 30, "times": 30},
    }
    measured = StageEstimate(
        seconds_per_step=0.5, memory_bytes=1, trained=1, parameters=1, seconds_to_start=4.0,
        seconds_per_validation=0.01, seconds_per_cutoff=0.2,
    )  # fmt: skip
    parts = estimate_parts(config, splits, {"predictor": measured})
    seconds = {part: low * RUN_MARGIN for part, (low, _high) in parts.items()}
    # Validations after steps 30, 60, 90 and 100, of 50 windows each; all four check the forecasts of 16 + 4 cutoffs.
    expected = {"start": 4.0, "training": 100 * 0.5 + 4 * 50 * 0.01, "scoring": 0.2 * (4 * (16 + 4) + 20 + 30)}
    assert seconds == pytest.approx(expected)
    assert all(high == pytest.approx(low * RUN_MARGIN**2) for low, high in parts.values())
    without = measured.model_copy(update={"seconds_per_cutoff": None})
    assert set(estimate_parts(config, splits, {"predictor": without})) == {"start", "training"}


def test_what_no_run_uses_goes_after_a_day(desk, ask):
    import os

    plan = desk.tuning.plan(ask())
    folder = desk.settings.home / "tuning_data"
    [kept] = folder.iterdir()
    desk.tuning._data.prune([])
    assert kept.is_dir(), "somebody may be about to use it"
    os.utime(kept, (0, 0))
    desk.tuning._data.prune([kept.name])
    assert kept.is_dir()
    desk.tuning._data.prune([])
    assert not kept.exists()
    assert desk.tuning.plan(ask()).digest == plan.digest

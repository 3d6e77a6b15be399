"""Evaluations by a tiny random model: planned, made, cancelled, resumed, deleted."""

import numpy as np
import pandas as pd
import pytest

from kronos_app.errors import Conflict, InvalidInput, NotFound, TooLarge
from kronos_app.services.desk import Desk
from kronos_app.services.evaluation.service import EvaluationRequest
from kronos_app.services.evaluation.worker import EvaluationWorker


@pytest.fixture(scope="module")
def desk(shared_desk):
    return shared_desk


@pytest.fixture
def ask(save, make_frame):
    """Return a function that makes a request for an evaluation of one saved series."""
    saved = {}

    def ask(rows=220, **fields):
        if rows not in saved:
            saved[rows] = save(make_frame(rows), f"walk{rows}.csv")
        data = {"kind": "candle_sets", "candle_sets": [saved[rows].id]}
        least = {"lookback": 24, "horizon": 4, "n_windows": 30, "samples": 6, "fitted": False, "models": ["tiny"]}
        return EvaluationRequest.build({"data": data, **least, **fields})

    return ask


@pytest.fixture
def make(desk, ask, run_to_end):
    """Return a function that makes an evaluation and waits for it."""
    return lambda **fields: run_to_end(desk.evaluations, ask(**fields))


@pytest.fixture
def made(make, known):
    """Return an evaluation that no test changes."""
    if "made" not in known:
        known["made"] = make()
    return known["made"]


@pytest.fixture
def stopped(desk, ask, cancel_midway, monkeypatch):
    """Return an evaluation that was cancelled after it had saved some batches."""
    from training.evaluation import walk_forward

    monkeypatch.setattr(walk_forward, "AT_ONCE", 8)
    return cancel_midway(desk.evaluations, ask(), walk_forward)


def test_a_plan_says_what_a_request_comes_to(desk, ask):
    plan = desk.evaluations.plan(ask())
    assert (plan.series, plan.cutoffs, plan.forecasts) == (1, 30, 30)
    assert desk.evaluations.plan(ask(n_windows=5000)).cutoffs == (220 - 24 - 4) // 4 + 1
    assert desk.evaluations.plan(ask(n_windows=5000, step_size=1)).cutoffs == 220 - 24 - 4 + 1


def test_an_evaluation_ends_with_a_verdict_and_every_forecaster(desk, made):
    found = made
    assert (found.state, found.progress, found.report["cutoffs"]) == ("finished", 1.0, 30)
    told = found.verdicts["tiny"].render()
    assert told.startswith(("On this data, tiny ", "The CRPS ratio of tiny"))
    assert set(found.report["forecasters"]) > {"tiny", "last_close", "ewma", "drift", "bootstrap"}
    tiny = found.report["forecasters"]["tiny"]
    assert tiny["skill"]["low"] <= tiny["skill"]["value"] <= tiny["skill"]["high"]
    assert len(found.report["steps"]["tiny"]) == 4
    assert sum(found.report["calibration"]["tiny"]["pit"]) == pytest.approx(1)
    assert sum(row["cutoffs"] for row in found.report["coverage_over_time"]["tiny"]) == 30
    lost = [row["crps"] - row["baseline"] for row in found.report["worst"]["tiny"]]
    assert lost == sorted(lost, reverse=True)
    assert [row["method"] for row in found.report["recalibration"]["tiny"]] == [
        "none",
        "split",
        "adaptive",
        "variance",
    ]
    assert found.id in [one.id for one in desk.evaluations.list()]


def test_the_scores_of_every_cutoff_are_there_as_csv(desk, made):
    import io

    import pandas as pd

    found = made
    table = pd.read_csv(io.StringIO(desk.evaluations.csv(found.id)))
    assert (table["forecaster"] == "tiny").sum() == 30
    mean = table[table["forecaster"] == "tiny"]["crps"].mean()
    assert mean == pytest.approx(found.report["forecasters"]["tiny"]["figures"]["crps"]["value"])


def test_the_next_plan_knows_about_how_long_it_takes(desk, ask, made):
    assert made.report["pace"]["tiny"] > 0
    one, two = (desk.evaluations.plan(ask(n_windows=count)).seconds for count in (10, 20))
    assert 0 < one < two == pytest.approx(2 * one)


def test_the_same_request_comes_to_the_same_scores(made, make):
    one, other = made, make()
    assert one.id != other.id
    assert one.report["forecasters"] == other.report["forecasters"]


def test_a_worst_cutoff_shows_the_forecast_as_it_was_and_what_came(desk, made, make_frame):
    found = made
    place = found.report["worst"]["tiny"][0]
    past = desk.evaluations.past(found.id, "tiny", 0)
    frame = make_frame(220).set_index("timestamp")
    assert past.history.index[-1].value == place["time"]
    assert len(past.history) == 24
    assert past.actual["close"].tolist() == frame.loc[past.actual.index, "close"].tolist()
    assert (past.bands["low_90"] <= past.bands["low_50"]).all()
    assert (past.bands["low_50"] <= past.bands["median"]).all()
    assert (past.bands["median"] <= past.bands["high_50"]).all()
    assert np.allclose(past.bands["median"], past.history["close"].iloc[-1], rtol=0.5)
    assert desk.evaluations.past(found.id, "tiny", 99) is None
    assert desk.evaluations.past(found.id, "nobody", 0) is None


def test_candles_may_go_once_an_evaluation_has_begun(desk, make, ask):
    found = make(rows=150, n_windows=6)
    desk.candles.delete(ask(rows=150).data.candle_sets[0])
    assert desk.evaluations.past(found.id, "tiny", 0) is not None


def test_one_that_was_cancelled_goes_on_where_it_was(desk, stopped, finished, monkeypatch):
    assert (stopped.state, stopped.report) == ("cancelled", None)
    path = desk.settings.home / "evaluations" / stopped.id / "scores"
    before = {one.name: one.stat().st_mtime_ns for one in path.glob("*.parquet")}
    assert before
    again = desk.evaluations.resume(stopped.id)
    assert finished(again.job_id).status == "succeeded"
    assert before.items() <= {one.name: one.stat().st_mtime_ns for one in path.glob("*.parquet")}.items()
    assert desk.evaluations.get(stopped.id).report["cutoffs"] == 30


def test_a_restart_takes_up_what_was_under_way(check_restart, make_frame):
    def make_request(desk):
        saved = desk.candles.keep(desk.candles.read(make_frame(80).to_csv(index=False).encode(), "walk.csv"))
        data = {"kind": "candle_sets", "candle_sets": [saved.id]}
        least = {"lookback": 24, "horizon": 4, "n_windows": 6, "samples": 4, "fitted": False, "models": ["tiny"]}
        return EvaluationRequest.build({"data": data, **least})

    check_restart(EvaluationWorker, "evaluations", make_request)


def test_one_whose_job_is_forgotten_is_interrupted_and_can_be_resumed(desk, stopped, finished, monkeypatch):
    monkeypatch.setattr(desk.evaluations, "_newest_jobs", dict)
    assert desk.evaluations.get(stopped.id).state == "interrupted"
    monkeypatch.undo()
    assert finished(desk.evaluations.resume(stopped.id).job_id).status == "succeeded"


def test_a_finished_one_is_not_resumed_and_a_deleted_one_is_gone(desk, make):
    found = make(n_windows=2)
    with pytest.raises(Conflict):
        desk.evaluations.resume(found.id)
    desk.evaluations.delete(found.id)
    with pytest.raises(NotFound):
        desk.evaluations.get(found.id)
    assert not (desk.settings.home / "evaluations" / found.id).exists()


def test_cutoffs_before_the_end_of_the_training_are_warned_of(settings, save, make_frame, make_spec):
    from dataclasses import replace
    from datetime import date

    specs = {"tiny": replace(make_spec(), trained_until={"": date(2024, 3, 5)})}
    desk = Desk(settings, specs)
    desk.start()
    try:
        saved = desk.candles.keep(desk.candles.read(make_frame(220).to_csv(index=False).encode(), "walk.csv"))
        data = {"kind": "candle_sets", "candle_sets": [saved.id]}
        least = {"lookback": 24, "horizon": 4, "n_windows": 30, "samples": 4, "fitted": False, "models": ["tiny"]}
        started = desk.evaluations.start(EvaluationRequest.build({"data": data, **least}))
        assert desk.jobs.wait(started.job_id, 60).status == "succeeded"
        told = [one.render() for one in desk.evaluations.get(started.id).warnings]
        assert len(told) == 1
        assert "cutoffs are within the training period of tiny" in told[0]
    finally:
        desk.close()


def test_a_model_of_unknown_training_is_said_to_be_one(made):
    assert "The end of the training data of tiny" in made.warnings[0].render()


def test_candles_after_until_change_nothing(desk, ask, run_to_end, save, make_frame):
    honest, cheat = make_frame(160), make_frame(160)
    until, prices = honest["timestamp"].iloc[119], ["open", "high", "low", "close"]
    cheat.loc[120:, prices] *= 1.3
    reports = []
    for frame in (honest, cheat):
        data = {"kind": "candle_sets", "candle_sets": [save(frame, "until.csv").id]}
        fields = ask().model_dump() | {"data": data, "until": until, "n_windows": 8}
        found = run_to_end(desk.evaluations, EvaluationRequest.build(fields))
        assert max(int(series.times[-1]) for series in found.read_candles()) == until.as_unit("ns").value
        reports.append(found.report["forecasters"]["tiny"])
    assert reports[0] == reports[1]
    assert found.cutoffs == 8


def test_every_model_is_evaluated_with_the_setup_that_it_recommends(settings, save, make_frame, make_spec):
    from dataclasses import replace

    from engine.usage import Recommended

    advice = {use: Recommended(0.9, 0.8, 6, "model", driftless=True) for use in ("point", "bands")}
    desk = Desk(settings, {"tiny": make_spec(), "zero": replace(make_spec(), sampling=advice)})
    desk.start()
    try:
        saved = desk.candles.keep(desk.candles.read(make_frame(120).to_csv(index=False).encode(), "walk.csv"))
        data = {"kind": "candle_sets", "candle_sets": [saved.id]}
        least = {"lookback": 24, "horizon": 4, "n_windows": 4, "samples": 8, "fitted": False}
        request = EvaluationRequest.build({"data": data, "models": ["tiny", "zero"], **least})
        started = desk.evaluations.start(request)
        assert desk.jobs.wait(started.job_id, 60).status == "succeeded"
        found = desk.evaluations.get(started.id)
    finally:
        desk.close()
    fields = ("temperature", "top_p", "samples", "driftless")
    setups = {name: tuple(getattr(setup, field) for field in fields) for name, setup in found.setups.items()}
    assert setups == {"tiny": (1.0, 1.0, 8, False), "zero": (0.9, 0.8, 8, True)}
    zero = found.report["forecasters"]["zero"]["figures"]
    assert zero["crps"] == zero["crps_centred"]


def test_an_evaluation_of_an_earlier_version_was_made_with_drift(desk, make):
    import json

    found = make(n_windows=2)
    path = found.path / "desk.json"
    saved = json.loads(path.read_text(encoding="utf-8"))
    del saved["setups"], saved["request"]["driftless"], saved["request"]["top_k"]
    saved["request"] |= {"temperature": 0.9, "top_p": 1.0, "samples": 300}
    path.write_text(json.dumps(saved), encoding="utf-8")
    setup = desk.evaluations.get(found.id).setups["tiny"]
    assert (setup.driftless, setup.top_k, setup.samples, setup.temperature) == (False, 0, 300, 0.9)


def test_a_verdict_names_its_setup(made):
    assert made.describe_setup("tiny").render() == ("Setup: tiny, lookback 24, horizon 4, 6 samples, with drift.")


def test_too_few_cutoffs_conclude_nothing(make):
    told = make(n_windows=2).verdicts["tiny"].render()
    assert "too few cutoff times for a conclusion" in told


def test_a_single_cutoff_of_a_single_candle_can_be_looked_at(desk, make):
    found = make(n_windows=1, horizon=1)
    assert (found.state, found.report["cutoffs"], found.report["recalibration"]["tiny"]) == ("finished", 1, [])
    assert "too few" in found.verdicts["tiny"].render()
    assert len(desk.evaluations.past(found.id, "tiny", 0).bands) == 1


def test_two_models_and_two_series_stand_side_by_side(settings, make_frame, make_spec):
    desk = Desk(settings, {"tiny": make_spec(), "other": make_spec()})
    desk.start()
    try:
        kept = [
            desk.candles.keep(desk.candles.read(make_frame(120, seed=n).to_csv(index=False).encode(), f"{n}.csv"))
            for n in (1, 2)
        ]
        data = {"kind": "candle_sets", "candle_sets": [one.id for one in kept]}
        least = {"lookback": 24, "horizon": 4, "n_windows": 8, "samples": 4, "fitted": False}
        request = EvaluationRequest.build({"data": data, "models": ["tiny", "other"], **least})
        assert desk.evaluations.plan(request).forecasts == 32
        started = desk.evaluations.start(request)
        assert desk.jobs.wait(started.job_id, 60).status == "succeeded"
        found = desk.evaluations.get(started.id)
        assert set(found.verdicts) == {"tiny", "other"}
        assert (found.report["series"], found.report["times"]) == (2, 8)
        tiny, other = (found.report["forecasters"][name]["figures"]["crps"] for name in ("tiny", "other"))
        assert tiny == other  # the same weights, under two names
    finally:
        desk.close()


def test_a_price_that_never_moves_fails_plainly(desk, ask, save, make_frame, finished):
    frame = make_frame(80)
    frame[["open", "high", "low", "close"]] = 100.0
    data = {"kind": "candle_sets", "candle_sets": [save(frame, "still.csv").id]}
    started = desk.evaluations.start(EvaluationRequest.build(ask().model_dump() | {"data": data}))
    assert finished(started.job_id).status == "failed"
    found = desk.evaluations.get(started.id)
    assert found.state == "failed"
    assert "There is no cutoff" in found.error.render()


def test_a_long_horizon_allows_fewer_cutoffs(settings, make_frame, make_spec):
    desk = Desk(settings.model_copy(update={"max_cutoffs": 10}), {"tiny": make_spec(context=512)})
    try:
        saved = desk.candles.keep(desk.candles.read(make_frame(400).to_csv(index=False).encode(), "walk.csv"))
        fields = {"data": {"kind": "candle_sets", "candle_sets": [saved.id]}, "models": ["tiny"], "lookback": 24}
        short, long = ({**fields, "step_size": 1, "n_windows": 8, "horizon": horizon} for horizon in (50, 100))
        assert desk.evaluations.plan(EvaluationRequest.build(short)).cutoffs == 8
        with pytest.raises(TooLarge, match="more than the 5"):
            desk.evaluations.plan(EvaluationRequest.build(long))
    finally:
        desk.close()


def test_the_record_of_a_model_on_a_data_set_is_its_newest_verdict(desk, make, ask):
    candles = ask(rows=160).data.candle_sets[0]
    assert desk.evaluations.record("tiny", candles) is None
    found = make(rows=160, n_windows=6)
    assert desk.evaluations.record("tiny", candles).verdicts == found.verdicts
    assert desk.evaluations.record("nobody", candles) is None
    assert desk.evaluations.record("tiny", "others") is None


@pytest.mark.parametrize(
    ("fields", "error", "code"),
    [
        ({"models": ["nobody"]}, NotFound, "unknown_model"),
        ({"lookback": 63, "horizon": 4}, InvalidInput, "window_too_long"),
        ({"rows": 20}, InvalidInput, "too_few_candles"),
        ({"data": {"kind": "candle_sets", "candle_sets": []}}, InvalidInput, "no_evaluation_data"),
        ({"data": {"kind": "candle_sets", "candle_sets": ["gone"]}}, NotFound, "candles_not_found"),
        ({"data": {"kind": "watchlist", "watchlist": "none"}}, NotFound, "watchlist_not_found"),
    ],
)
def test_what_cannot_be_evaluated_is_refused_before_it_starts(desk, ask, fields, error, code):
    before = desk.evaluations.list()
    with pytest.raises(error) as refused:
        desk.evaluations.start(ask(**fields))
    assert refused.value.code == code
    assert desk.evaluations.list() == before


@pytest.mark.parametrize("field", ["lookback", "horizon", "n_windows", "step_size", "samples", "temperature", "seed"])
def test_a_setting_out_of_bounds_names_itself(ask, field):
    with pytest.raises(InvalidInput, match=field):
        ask(**{field: -1})


def test_limits_of_the_deployment_hold(settings, make_frame, make_spec):
    desk = Desk(settings.model_copy(update={"max_cutoffs": 10, "max_evaluations": 1}), {"tiny": make_spec()})
    try:
        saved = desk.candles.keep(desk.candles.read(make_frame(220).to_csv(index=False).encode(), "walk.csv"))
        fields = {
            "data": {"kind": "candle_sets", "candle_sets": [saved.id]},
            "models": ["tiny"],
            "lookback": 24,
            "horizon": 10,
        }
        with pytest.raises(TooLarge):
            desk.evaluations.start(EvaluationRequest.build(fields))
        few = EvaluationRequest.build({**fields, "n_windows": 4})
        assert desk.evaluations.plan(few).seconds is None  # nothing was measured yet
        desk.evaluations.start(few)
        with pytest.raises(Conflict):
            desk.evaluations.start(few)
    finally:
        desk.close()


def test_series_that_are_too_short_are_left_out_and_named(desk, ask, save, make_frame):
    short = save(make_frame(20, seed=3), "short.csv")
    request = ask()
    both = {"kind": "candle_sets", "candle_sets": [request.data.candle_sets[0], short.id]}
    plan = desk.evaluations.plan(EvaluationRequest.build(request.model_dump() | {"data": both}))
    assert (plan.series, plan.cutoffs) == (1, 30)
    assert "short" in plan.notes[0].render()


def test_the_daily_candles_of_a_market_of_a_qlib_folder_are_forecast(tmp_path, make_spec):
    from kronos_app.settings import Settings
    from tests.qlib_writer import walk, write

    days = pd.bdate_range("2024-01-01", periods=70)
    symbols = {name: walk(days, seed) for seed, name in enumerate(("SH600000", "SH600004", "SH600009"))}
    symbols["SH600004"] *= np.nan  # listed, and never traded
    write(tmp_path / "cn", symbols, days, markets={"few": ["SH600000", "SH600004"]})
    settings = Settings(home=tmp_path / "home", threads=1, qlib_folders={"cn": tmp_path / "cn"})
    desk = Desk(settings, {"tiny": make_spec()})
    desk.start()
    try:
        data = {"kind": "qlib", "qlib_folder": "cn", "qlib_market": "few"}
        least = {"models": ["tiny"], "lookback": 24, "horizon": 4, "n_windows": 5, "samples": 2, "fitted": False}
        asked = EvaluationRequest.build({"data": data, **least})
        plan = desk.evaluations.plan(asked)
        assert (plan.series, plan.cutoffs) == (1, 5)
        started = desk.evaluations.start(asked)
        job = desk.jobs.wait(started.job_id, 60)
        assert job.status == "succeeded", job.error
        found = desk.evaluations.get(started.id)
        assert found.origin == "SH600000"
        assert found.report["cutoffs"] == 5
        for wrong, code in (({"qlib_folder": "/etc"}, "unknown_qlib_folder"), ({"qlib_market": "x"}, "unknown_market")):
            with pytest.raises(NotFound) as refused:
                desk.evaluations.plan(EvaluationRequest.build({"data": data | wrong, **least}))
            assert refused.value.code == code
    finally:
        desk.close()

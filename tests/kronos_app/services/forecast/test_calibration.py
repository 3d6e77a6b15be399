"""By how much bands should be wider: learned from what was over at the cutoff, and from nothing else."""

import time
from dataclasses import replace
from datetime import date

import numpy as np
import pytest

from kronos_app.errors import InvalidInput
from kronos_app.i18n import Text
from kronos_app.services.desk import Desk
from kronos_app.services.evaluation import series_scores as module
from kronos_app.services.evaluation.service import EvaluationRequest
from kronos_app.services.forecast.request import ForecastRequest
from kronos_app.services.selection.training_files import group_of

ROWS, LOOKBACK, HORIZON = 220, 24, 4


@pytest.fixture(scope="module")
def registry():
    """The models of the desk, which tests may change."""
    from tests.kronos_app.conftest import spec

    return {"tiny": spec()}


@pytest.fixture(scope="module")
def desk(tmp_path_factory, registry):
    from kronos_app.settings import Settings

    desk = Desk(Settings(home=tmp_path_factory.mktemp("recalibrating") / "home", threads=1), registry)
    desk.start()
    desk.keeper.stop()  # tests sweep the ledger themselves
    yield desk
    desk.close()


@pytest.fixture(scope="module")
def keep(desk):
    """Return a function that saves a random walk."""
    from tests.kronos_app.conftest import walk

    def keep(name, seed):
        return desk.candles.keep(desk.candles.read(walk(ROWS, seed=seed).to_csv(index=False).encode(), f"{name}.csv"))

    return keep


@pytest.fixture(scope="module")
def saved(keep):
    """A series that nobody evaluated."""
    return keep("plain", 1)


@pytest.fixture(scope="module")
def make(desk, saved):
    """Return a function that makes a forecast of a series from one of its rows, default the last."""

    def make(row=ROWS - 1, of=saved, **fields):
        cutoff = of.candles.timestamps[row].to_pydatetime()
        drawn = {"temperature": 1.0, "top_p": 1.0, "samples": 6, "seed": 1}
        asked = {"model": "tiny", "lookback": LOOKBACK, "horizon": HORIZON, "candles_id": of.id, "cutoff": cutoff}
        sent = desk.forecasts.submit(ForecastRequest.build({**asked, **drawn, **fields}))
        return desk.forecasts.get(sent.forecast_id or ended(desk, sent.job_id).result_id)

    return make


@pytest.fixture(scope="module")
def evaluated(desk, keep):
    """A series, and an evaluation of the model at the last thirty cutoffs of it."""
    series = keep("evaluated", 2)
    data = {"kind": "candle_sets", "candle_sets": [series.id]}
    sizes = {"lookback": LOOKBACK, "horizon": HORIZON, "n_windows": 30, "samples": 6}
    asked = EvaluationRequest.build({"data": data, "models": ["tiny"], "fitted": False, **sizes})
    ended(desk, desk.evaluations.start(asked).job_id)
    return series


def ended(desk, job_id, seconds=60):
    deadline = time.monotonic() + seconds
    while (job := desk.jobs.get(job_id)).active and time.monotonic() < deadline:
        time.sleep(0.01)
    assert job.status == "succeeded", job.error
    return job


def reason(desk, view):
    told = desk.calibrations.find(view)
    assert isinstance(told, Text)
    assert told.render("zh_CN")
    return told.render()


def test_an_evaluation_of_the_series_teaches_what_was_over_at_the_cutoff(desk, make, evaluated):
    times = evaluated.candles.timestamps
    late, early = (desk.calibrations.find(make(row, evaluated)) for row in (ROWS - 1, ROWS - 1 - 5 * HORIZON))
    assert (late.source, late.forecasts, late.until) == ("evaluation", 30, times[-1])
    assert (early.forecasts, early.until) == (25, times[-1 - 5 * HORIZON])
    assert 0 < early.factor != late.factor


@pytest.mark.parametrize("over", [False, True], ids=["planted in the future", "planted in the past"])
def test_only_a_forecast_that_was_over_changes_the_factor(desk, make, evaluated, monkeypatch, over):
    view = make(ROWS - 1 - 5 * HORIZON, evaluated)
    before, cutoff, read = desk.calibrations.find(view), view.stored.cutoff.as_unit("ns").value, module._read_records

    def planted(*series):
        table = read(*series)
        changed = (table["known_at"] <= cutoff) if over else (table["known_at"] > cutoff)
        assert changed.any()
        return table.assign(actual=table["actual"].mask(changed, 5.0))

    monkeypatch.setattr(module, "_read_records", planted)
    assert (desk.calibrations.find(view) == before) is not over


@pytest.fixture(scope="module")
def calibrate(desk):
    """Return a function that calibrates a forecast now and returns the evaluation."""

    def calibrate(view):
        run = desk.calibration_runs.start(view)
        ended(desk, run.job_id)
        return desk.evaluations.get(run.id)

    return calibrate


def change_after(desk, name, candles, row):
    """Save a series whose candles after a row are others, twice as high."""
    frame = candles.frame.copy()
    frame.loc[row + 1 :, ["open", "high", "low", "close"]] *= 2.0
    return desk.candles.keep(desk.candles.read(frame.to_csv(index=False).encode(), f"{name}.csv"))


def test_calibrating_now_learns_from_thirty_past_forecasts_of_the_same_setup(desk, make, keep, calibrate):
    series = keep("calibrated", 6)
    view = make(ROWS - 10, series, top_k=3, temperature=0.9, top_p=0.8, driftless=True)
    assert "20 completed forecasts" in reason(desk, view)
    run = calibrate(view)
    setup = {"lookback": LOOKBACK, "horizon": HORIZON, "samples": 6, "top_k": 3, "temperature": 0.9, "top_p": 0.8}
    assert run.request.model_dump(include=set(setup)) == setup
    assert (run.request.driftless, run.cutoffs, run.request.models) == (True, 30, ["tiny"])
    learned = desk.calibrations.find(view)
    assert (learned.source, learned.forecasts, learned.evaluation) == ("evaluation", 30, run.id)
    assert learned.until == view.stored.cutoff
    assert desk.evaluations.record("tiny", series.id) is None, "it is no verdict on the whole series"
    later = desk.calibrations.find(make(ROWS - 2, series, top_k=3, temperature=0.9, top_p=0.8, driftless=True))
    assert later.evaluation == run.id, "a later forecast of the series and setup is served, too"
    with_drift = make(ROWS - 10, series, top_k=3, temperature=0.9, top_p=0.8)
    assert isinstance(desk.calibrations.find(with_drift), Text), "zero-drift errors say nothing of forecasts with drift"


def test_an_evaluation_with_the_lookback_and_horizon_of_the_forecast_goes_before_a_newer_one(
    desk, make, keep, calibrate
):
    series = keep("windows", 9)
    first, second = (make(of=series, horizon=horizon) for horizon in (HORIZON, HORIZON + 1))
    run = calibrate(first)
    borrowed = desk.calibrations.find(second)
    assert (borrowed.evaluation, borrowed.same_window) == (run.id, False)
    newer = calibrate(second)
    found = [desk.calibrations.find(view) for view in (first, second)]
    assert [(one.evaluation, one.same_window) for one in found] == [(run.id, True), (newer.id, True)]


def test_candles_after_the_cutoff_do_not_change_the_calibration(desk, make, keep, calibrate):
    row = ROWS - 30
    honest = keep("honest", 7)
    factors = []
    for series in (honest, change_after(desk, "honest", honest.candles, row)):
        view = make(row, series)
        run = calibrate(view)
        (used,) = run.read_candles()
        assert used.times[-1] == honest.candles.timestamps[row].value
        factors.append(desk.calibrations.find(view).factor)
        desk.evaluations.delete(run.id)  # or it would serve the other series, too
    assert factors[0] == factors[1]


def test_a_calibration_that_was_started_is_found_again_and_started_once(desk, make, keep, calibrate, monkeypatch):
    view = make(of=keep("twice", 8))
    with monkeypatch.context() as patch:
        patch.setitem(desk.jobs._handlers, "evaluation", hang)
        first, again = (desk.calibration_runs.start(view) for _ in range(2))
        assert first.id == again.id == desk.calibration_runs.find(view).id
        assert desk.calibration_runs.find(view).active
        desk.jobs.cancel(first.job_id)
        desk.jobs.wait(first.job_id, 30)
    assert desk.calibration_runs.find(view).state == "cancelled"
    assert calibrate(view).id == first.id, "a cancelled one is resumed"
    assert desk.calibration_runs.start(view).id == first.id, "a finished one is returned"


def hang(_job, on_step):
    while True:
        on_step(0, 0)
        time.sleep(0.01)


def test_a_series_that_is_too_short_to_calibrate_says_how_many_candles_are_needed(desk, make, saved):
    row = LOOKBACK + 20 * HORIZON - 2
    with pytest.raises(InvalidInput, match=rf"needs {row + 2} candles .* there are {row + 1}"):
        desk.calibration_runs.start(make(row))
    with pytest.raises(InvalidInput, match="single path"):
        desk.calibration_runs.start(make(samples=1))


@pytest.mark.parametrize(
    "fields", [{"temperature": 0.8}, {"top_p": 0.9}, {"top_k": 3}], ids=lambda one: next(iter(one))
)
def test_what_was_drawn_otherwise_teaches_nothing(desk, make, evaluated, fields):
    assert "20 completed forecasts of this series by tiny" in reason(desk, make(of=evaluated, **fields))


def test_of_a_forecast_without_drift_an_evaluation_teaches_what_no_drift_would_have_missed(
    desk, make, evaluated, monkeypatch
):
    read = module._read_records
    drawn, still = (desk.calibrations.find(make(of=evaluated, driftless=one)) for one in (False, True))
    monkeypatch.setattr(module, "_read_records", lambda *series: read(*series).assign(mean=0.0))
    assert desk.calibrations.find(make(of=evaluated)) == still != drawn


def test_too_few_forecasts_that_were_over_teach_nothing(desk, make, evaluated):
    assert "20 completed forecasts" in reason(desk, make(ROWS - 1 - 12 * HORIZON, evaluated))


def test_an_evaluation_of_other_candles_of_the_same_name_teaches_nothing(desk, make, keep, evaluated):
    assert "20 completed forecasts" in reason(desk, make(of=keep("evaluated", 3)))


def test_the_ledger_teaches_where_no_evaluation_does(desk, make, keep):
    series = keep("followed", 4)
    view = make(ROWS - 1 - HORIZON, series)
    past = {f"past{row}": row for row in range(60, 60 + 21)}
    for name, row in past.items():
        copy(desk, view.stored, series, row, name)
    copy(desk, view.stored, series, ROWS - 1 - HORIZON, "future", wrong=9.0)
    while desk.ledger.sweep():
        pass
    learned = desk.calibrations.find(view)
    assert (learned.source, learned.forecasts) == ("ledger", 21)
    assert learned.until == series.candles.timestamps[60 + 20 + HORIZON]
    errors = [desk.ledger.get(name).grade["error_in_deviations"] for name in past]
    assert learned.factor == pytest.approx(np.sqrt(np.mean(np.square(errors))))
    assert desk.ledger.get("future").grade["error_in_deviations"] > 9 * max(errors)


def copy(desk, stored, series, row, name, *, wrong=1.0):
    """Keep a forecast as if it had been made from another row, its paths moved to the last close there."""
    times, close = series.candles.timestamps, float(series.candles.frame["close"].iloc[row])
    paths = stored.paths * wrong * close / stored.last_close
    when = {"timestamps": times[row + 1 : row + 1 + HORIZON], "cutoff": times[row], "last_close": close}
    desk.store.forecasts.put(replace(stored, id=name, paths=paths, **when))


@pytest.fixture
def shipped(registry, saved):
    """Return a function that ships a factor with the model."""
    from engine.usage import SpreadFactor

    plain, own = registry["tiny"], group_of(saved.candles)

    def ship(until=date(2024, 3, 5), group=own, driftless=False):
        factor = SpreadFactor(1.25, 60, until, 1.0, 1.0, driftless)
        registry["tiny"] = replace(plain, recalibration={group: factor})

    yield ship
    registry["tiny"] = plain


def test_else_the_factor_of_the_models_market_and_interval_is_taken(desk, make, saved, shipped):
    shipped()
    learned = desk.calibrations.find(make())
    assert (learned.factor, learned.source, learned.forecasts) == (1.25, "model", 60)
    assert group_of(saved.candles) in learned.message.render()
    assert learned.to_json()["until"] == "2024-03-05T00:00:00"


def test_a_shipped_factor_is_for_cutoffs_after_what_it_was_learned_from(desk, make, shipped):
    shipped(until=date(2024, 3, 8))
    midnight = 8 * 24
    assert "up to 2024-03-08, after this cutoff" in reason(desk, make(midnight - 1))
    assert desk.calibrations.find(make(midnight)).factor == 1.25


def test_a_shipped_factor_is_for_what_was_drawn_alike(desk, make, shipped):
    shipped()
    assert "temperature 1, top-p 1" in reason(desk, make(temperature=0.6))


def test_a_shipped_factor_is_for_paths_with_their_drift_or_for_those_without(desk, make, shipped):
    shipped()
    assert "forecasts with drift" in reason(desk, make(driftless=True))
    shipped(driftless=True)
    assert "zero-drift forecasts" in reason(desk, make())
    assert desk.calibrations.find(make(driftless=True)).factor == 1.25


def test_a_shipped_factor_is_for_no_other_market(desk, make, shipped):
    shipped(group="fx/4h")
    assert "20 completed forecasts" in reason(desk, make())


def test_without_its_data_set_nothing_is_known_of_a_forecast(desk, make, keep, shipped):
    shipped()
    series = keep("deleted", 5)
    view = make(of=series)
    desk.candles.delete(series.id)
    assert "deleted" in reason(desk, view)


def test_recalibrated_quantiles_keep_the_median_and_stretch_the_log_distance(make):
    view = make()
    raw, wide = view.quantiles((0.1, 0.5, 0.9)), view.calibrated((0.1, 0.5, 0.9), 2.0)
    assert list(wide[0.5]) == ["open", "high", "low", "close"]
    np.testing.assert_allclose(wide[0.5], raw[0.5][list(wide[0.5])], rtol=1e-12)
    for level in (0.1, 0.9):
        distance = np.log(raw[level]["close"] / raw[0.5]["close"])
        np.testing.assert_allclose(np.log(wide[level]["close"] / wide[0.5]["close"]), 2 * distance, rtol=1e-9)

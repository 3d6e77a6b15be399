from dataclasses import replace
from threading import Barrier, Thread

import numpy as np
import pytest

from kronos_app.errors import InvalidInput, NotFound
from kronos_app.services.desk import Desk
from kronos_app.services.forecast.request import ForecastRequest
from kronos_app.store.records import ForecastFilter

CUTOFF = "2024-03-02T23:00:00"


def request(candles, **fields):
    defaults = {"model": "tiny", "lookback": 40, "horizon": 8, "samples": 5, "seed": 1, "cutoff": CUTOFF}
    return ForecastRequest.build({"candles_id": candles.id, **defaults, **fields})


@pytest.fixture
def made(desk, finished):
    """Return a function that submits, waits and returns the view."""

    def made(*args, **fields):
        submission = desk.forecasts.submit(request(*args, **fields))
        if submission.cached:
            return desk.forecasts.get(submission.forecast_id)
        job = finished(submission.job_id)
        assert job.status == "succeeded", job.error
        return desk.forecasts.get(job.result_id)

    return made


def test_a_forecast_is_made_kept_and_shown_with_its_surroundings(save, made, make_frame):
    frame = make_frame(60)
    view = made(save(frame))
    assert view.stored.paths.shape == (5, 8, 6)
    assert view.history.index[-1] == view.stored.cutoff
    assert view.history["close"].tolist() == frame["close"].iloc[8:48].tolist()
    assert view.actual["close"].tolist() == frame["close"].iloc[48:56].tolist()
    assert view.quantiles([0.1, 0.9])[0.1].shape == (8, 6)
    assert (view.quantiles([0.1])[0.1] <= view.candles("median")).all(axis=None)
    assert np.allclose(view.candles("mean")["close"], view.stored.paths[:, :, 3].mean(axis=0))
    assert view.probability_up().between(0, 1).all()
    assert view.stored.provenance["history_rows"] == 40
    assert view.stored.provenance["features"] == ["open", "high", "low", "close", "volume"]


def test_a_forecast_of_the_future_has_nothing_to_compare_with(save, made, make_frame):
    view = made(save(make_frame(60)), cutoff=None)
    assert view.actual is None
    assert view.comparison is None


def test_actuals_that_are_known_in_part_are_matched_by_time(save, made, make_frame):
    frame = make_frame(54).drop(index=50)
    view = made(save(frame))
    assert list(view.actual.index) == list(frame["timestamp"].iloc[48:])
    assert view.comparison.matched == 5


def test_the_comparison_scores_the_model_and_every_baseline(save, made, make_frame):
    comparison = made(save(make_frame(60))).comparison
    assert [score.name for score in comparison.scores] == ["model", "last_close", "drift", "ewma"]
    assert comparison.matched == 8
    assert "8 candles" in comparison.verdict.render()


def test_an_equal_request_is_answered_without_computing(desk, save, made, make_frame):
    candles = save(make_frame(60))
    first = made(candles)
    again = desk.forecasts.submit(request(candles, levels=(0.5,)))
    assert again.cached
    assert (again.job_id, again.forecast_id) == (None, first.id)
    assert len(desk.jobs.list()) == 1


def test_an_equal_request_is_answered_from_the_file_after_a_restart(settings, desk, save, made, make_frame, make_spec):
    candles = save(make_frame(60))
    first = made(candles)
    desk.close()
    later = Desk(settings, {"tiny": make_spec()})
    assert later.forecasts.submit(request(candles)).forecast_id == first.id
    later.close()


def test_without_drift_the_paths_are_the_same_moved_together_and_another_forecast(save, made, make_frame):
    candles = save(make_frame(60))
    drawn, still = made(candles), made(candles, driftless=True)
    assert (drawn.driftless, still.driftless) == (False, True)
    assert drawn.id != still.id
    assert made(candles, driftless=True).id == still.id
    moved = np.log(still.stored.paths[..., 3] / drawn.stored.paths[..., 3])
    np.testing.assert_allclose(moved, np.broadcast_to(moved[0], moved.shape), atol=1e-12)
    np.testing.assert_allclose(still.candles("median")["close"], still.stored.last_close, rtol=1e-9)
    assert still.stored.provenance["settings"]["driftless"]
    assert drawn.comparison.scores[0].direction is not None
    assert still.comparison.scores[0].direction is None, "what does not move has no direction"


def test_a_forecast_of_before_there_was_a_choice_is_found_again(desk, save, made, make_frame):
    candles = save(make_frame(60))
    first = made(candles)
    old = {name: value for name, value in first.stored.request.items() if name != "driftless"}
    desk.store.forecasts.put(replace(first.stored, request=old))
    again = made(candles)
    assert (again.id, again.driftless) == (first.id, False)
    assert len(desk.jobs.list()) == 1


def test_without_a_seed_one_is_drawn_and_recorded(save, made, make_frame):
    candles = save(make_frame(60))
    one, other = made(candles, seed=None), made(candles, seed=None)
    assert one.id != other.id
    repeated = made(candles, seed=one.stored.provenance["seed"])
    assert repeated.id == one.id


def test_nothing_after_the_cutoff_reaches_the_forecast(save, made, make_frame):
    frame = make_frame(60)
    changed = frame.copy()
    changed.loc[48:, ["open", "high", "low", "close", "volume"]] *= 9
    changed.loc[48:, "timestamp"] += np.timedelta64(7, "m") * np.arange(1, 13)
    # The second is answered from the cache: by content, the two are one request.
    honest, cheating = made(save(frame)), made(save(changed, "other.csv"))
    assert honest.stored.provenance["content"] == cheating.stored.provenance["content"]
    assert np.array_equal(honest.stored.paths, cheating.stored.paths)
    assert honest.stored.timestamps.equals(cheating.stored.timestamps)


def test_nothing_after_the_cutoff_reaches_a_forecast_that_is_computed_anew(desk, save, made, make_frame):
    frame = make_frame(60)
    changed = frame.copy()
    changed.loc[48:, ["open", "high", "low", "close", "volume"]] *= 9
    honest = made(save(frame))
    desk.forecasts.delete(honest.id)
    cheating = made(save(changed, "other.csv"))
    assert np.array_equal(honest.stored.paths, cheating.stored.paths)


def test_each_candle_set_keeps_the_outcome_it_knows(desk, save, made, make_frame):
    longer = make_frame(60)
    short, long = save(longer.iloc[:48]), save(longer, "longer.csv")
    first, second = made(short), made(long)
    assert first.actual is None
    assert len(second.actual) == 8
    assert len(desk.jobs.list()) == 1, "the paths were computed once"
    assert desk.forecasts.get(first.id).actual is None
    assert second.stored.candles_name == "longer.csv"


def test_two_forecasts_at_once_are_what_each_is_alone(desk, save, made, finished, make_frame):
    candles = save(make_frame(60))
    alone = {seed: made(candles, seed=seed).stored.paths for seed in (1, 2)}
    for info in desk.forecasts.list():
        desk.forecasts.delete(info.id)
    barrier, submitted = Barrier(2), {}

    def ask(seed):
        barrier.wait()
        submitted[seed] = desk.forecasts.submit(request(candles, seed=seed))

    threads = [Thread(target=ask, args=(seed,)) for seed in (1, 2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for seed, submission in submitted.items():
        forecast = desk.forecasts.get(finished(submission.job_id).result_id)
        assert np.array_equal(forecast.stored.paths, alone[seed])


def test_the_same_request_twice_at_once_is_one_job(settings, make_frame, make_spec):
    desk = Desk(settings, {"tiny": make_spec()})  # not started: jobs stay queued
    candles = desk.candles.keep(desk.candles.read(make_frame(60).to_csv(index=False).encode(), "walk.csv"))
    one, other = (desk.forecasts.submit(request(candles)) for _ in range(2))
    assert one.job_id == other.job_id
    desk.close()


def test_a_queued_forecast_is_made_by_the_next_process(settings, make_frame, make_spec):
    earlier = Desk(settings, {"tiny": make_spec()})
    candles = earlier.candles.keep(earlier.candles.read(make_frame(60).to_csv(index=False).encode(), "walk.csv"))
    job_id = earlier.forecasts.submit(request(candles)).job_id
    earlier.close()
    later = Desk(settings, {"tiny": make_spec()})
    later.start()
    while later.jobs.get(job_id).active:
        pass
    assert later.forecasts.get(later.jobs.get(job_id).result_id).stored.candles_id == candles.id
    later.close()


def test_unknown_candles_model_and_forecast_are_named(desk, save, make_frame):
    candles = save(make_frame(60))
    with pytest.raises(NotFound, match="no model kronos-giant"):
        desk.forecasts.submit(request(candles, model="kronos-giant"))
    with pytest.raises(NotFound, match="no candles nowhere"):
        desk.forecasts.submit(request(candles, candles_id="nowhere"))
    with pytest.raises(NotFound, match="no forecast nothing"):
        desk.forecasts.get("nothing")


def test_a_request_that_cannot_succeed_is_refused_before_it_is_queued(desk, save, make_frame):
    with pytest.raises(InvalidInput):
        desk.forecasts.submit(request(save(make_frame(60)), horizon=63))
    assert desk.jobs.list() == []


def test_setups_of_one_run_share_a_seed_and_are_answered_in_order(desk, save, made, finished, make_frame):
    candles = save(make_frame(60))
    known = made(candles)
    others = [request(candles, seed=None, temperature=one) for one in (0.7, 1.3)]
    first, *queued = desk.forecasts.submit_all([request(candles), *others])
    assert (first.job_id, first.forecast_id) == (None, known.id)
    stored = [desk.forecasts.get(finished(one.job_id).result_id).stored for one in queued]
    assert [one.request["temperature"] for one in stored] == [0.7, 1.3]
    assert len({one.provenance["seed"] for one in stored}) == 1


@pytest.mark.parametrize("wrong", [{"horizon": 63}, {"seed": None}], ids=["too long", "equal to the second"])
def test_of_several_setups_none_is_queued_if_one_is_wrong(desk, save, make_frame, wrong):
    candles = save(make_frame(60))
    setups = [request(candles, top_p=0.9), request(candles, seed=None), request(candles, **wrong)]
    with pytest.raises(InvalidInput) as error:
        desk.forecasts.submit_all(setups)
    assert error.value.code in {"horizon_too_long", "equal_setups"}, error.value
    assert desk.jobs.list() == []


def test_the_list_is_filtered_by_model_candles_and_text(desk, save, made, make_frame):
    walk, other = save(make_frame(60)), save(make_frame(60, seed=5), "600519.csv")
    made(walk)
    made(other)
    assert len(desk.forecasts.list()) == 2
    assert [info.candles_id for info in desk.forecasts.list(ForecastFilter(candles_id=walk.id))] == [walk.id]
    assert [info.candles_id for info in desk.forecasts.list(ForecastFilter(text="6005"))] == [other.id]
    assert desk.forecasts.list(ForecastFilter(model="kronos-base")) == []


def test_a_forecast_outlives_its_candles(desk, save, made, make_frame):
    candles = save(make_frame(60))
    view = made(candles)
    desk.candles.delete(candles.id)
    left = desk.forecasts.get(view.id)
    assert left.history.empty
    assert left.actual is None
    assert left.comparison is None
    assert left.candles("median").equals(view.candles("median"))


def test_candles_deleted_while_the_job_waits_fail_it_with_a_message(settings, make_frame, make_spec):
    desk = Desk(settings, {"tiny": make_spec()})
    candles = desk.candles.keep(desk.candles.read(make_frame(60).to_csv(index=False).encode(), "walk.csv"))
    job_id = desk.forecasts.submit(request(candles)).job_id
    desk.candles.delete(candles.id)
    desk.start()
    while desk.jobs.get(job_id).active:
        pass
    assert desk.jobs.get(job_id).error["code"] == "candles_not_found"
    desk.close()

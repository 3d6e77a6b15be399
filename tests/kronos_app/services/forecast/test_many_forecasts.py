"""Several forecasts at the same time through the services, with one scheduler behind them."""

import time
from threading import Event

import numpy as np
import pytest

from kronos_app.services.forecast.request import ForecastRequest


def request(candles, **fields):
    defaults = {"model": "tiny", "lookback": 40, "horizon": 8, "samples": 5, "seed": 1}
    return ForecastRequest.build({"candles_id": candles.id, **defaults, **fields})


@pytest.fixture
def make_desk(open_desk, settings, make_spec):
    """Return a function that opens a desk with two models; it is not started."""
    return lambda: open_desk(settings, {name: make_spec(name) for name in ("tiny", "other")})


@pytest.fixture
def desk(make_desk):
    return make_desk()


@pytest.fixture
def hold(monkeypatch):
    """Return two events: the first says that a batch is at its first step, which the second lets it make."""
    from engine.batch import Batch

    entered, go = Event(), Event()
    advance = Batch.advance

    def held(batch):
        entered.set()
        assert go.wait(60)
        advance(batch)

    monkeypatch.setattr(Batch, "advance", held)
    yield entered, go
    go.set()


@pytest.fixture
def submit_held(desk, save, hold, make_frame):
    """Return a function that submits forecasts and returns their jobs once the first step is held."""
    entered, _ = hold

    def submit_held(count):
        candles = save(make_frame(60))
        desk.start()
        jobs = [desk.forecasts.submit(request(candles, seed=seed)).job_id for seed in range(count)]
        assert entered.wait(60)
        return jobs

    return submit_held


def test_forecasts_made_together_are_what_each_is_alone(desk, save, finished, make_frame):
    candles = save(make_frame(60))
    wanted = [request(candles, seed=seed, horizon=4 + 2 * seed, lookback=20 + 5 * seed) for seed in range(6)]
    jobs = [desk.forecasts.submit(one).job_id for one in wanted]
    desk.start()
    together = [desk.forecasts.get(finished(job).result_id).stored for job in jobs]
    predictor = desk.models.get("tiny")
    history = candles.candles
    for one, stored in zip(wanted, together, strict=True):
        alone = predictor.forecast(
            history.frame[history.features].iloc[-one.lookback :].reset_index(drop=True),
            history.timestamps[-one.lookback :],
            stored.timestamps,
            samples=one.samples,
            seed=one.seed,
        )
        assert np.allclose(stored.paths, alone.paths, rtol=1e-4)


def test_one_of_several_is_cancelled_and_leaves_nothing(desk, finished, hold, submit_held):
    _, go = hold
    jobs = submit_held(4)
    desk.jobs.cancel(jobs[2])
    assert finished(jobs[2]).status == "cancelled", "although no step was made since"
    go.set()
    assert [finished(job).status for job in jobs] == ["succeeded", "succeeded", "cancelled", "succeeded"]
    assert len(desk.forecasts.list()) == 3


def test_a_model_that_takes_long_to_load_keeps_nobody_waiting(desk, save, finished, make_frame, monkeypatch):
    from engine import KronosPredictor

    loading, loaded = Event(), Event()
    load = KronosPredictor.from_pretrained
    desk.models.get("tiny")

    def slow(*args, **options):
        loading.set()
        assert loaded.wait(60)
        return load(*args, **options)

    monkeypatch.setattr(KronosPredictor, "from_pretrained", slow)
    candles = save(make_frame(60))
    desk.start()
    waiting = desk.forecasts.submit(request(candles, model="other")).job_id
    assert loading.wait(60)
    assert finished(desk.forecasts.submit(request(candles)).job_id).status == "succeeded"
    assert desk.jobs.get(waiting).status == "running"
    loaded.set()
    assert finished(waiting).status == "succeeded"


def test_closing_in_the_middle_leaves_all_to_the_next_process(desk, make_desk, hold, submit_held):
    _, go = hold
    jobs = submit_held(3)
    desk.jobs.stop()
    assert [desk.jobs.get(job).status for job in jobs] == ["queued"] * 3
    go.set()
    desk.close()
    later = make_desk()
    later.start()
    while later.jobs.list(active_only=True):
        time.sleep(0.01)
    assert {later.jobs.get(job).status for job in jobs} == {"succeeded"}


def test_the_setting_bounds_the_threads_of_the_one_that_computes(desk, save, finished, make_frame, monkeypatch):
    import torch

    from engine.batch import Batch

    seen = []
    advance = Batch.advance
    monkeypatch.setattr(Batch, "advance", lambda batch: (seen.append(torch.get_num_threads()), advance(batch)))
    desk.start()
    finished(desk.forecasts.submit(request(save(make_frame(60)))).job_id)
    assert set(seen) == {1}

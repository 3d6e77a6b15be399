"""A desk with a tiny random model, for services and API."""

import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

GOLDEN = Path(__file__).parents[1] / "golden"
CONTEXT = 64


def spec(name="tiny", *, model=GOLDEN / "model", tokenizer=GOLDEN / "tokenizer", context=CONTEXT, bundled=True):
    from engine.registry import ModelSpec

    return ModelSpec(
        name=name,
        model_id=str(model),
        tokenizer_id=str(tokenizer),
        max_context=context,
        parameters=100_000,
        licence="MIT",
        bundled=bundled,
        description="A tiny random model.",
    )


@pytest.fixture
def make_spec():
    return spec


@pytest.fixture
def settings(tmp_path):
    from kronos_app.settings import Settings

    return Settings(home=tmp_path / "home", threads=1)


@pytest.fixture
def desk(settings):
    from kronos_app.services.desk import Desk

    desk = Desk(settings, {"tiny": spec()})
    desk.start()
    yield desk
    desk.close()


@pytest.fixture
def make_frame():
    """Return a function that makes a random walk of hourly candles."""

    def make(rows=60, *, seed=0, start="2024-03-01", freq="h"):
        rng = np.random.default_rng(seed)
        close = 100 * np.exp(np.cumsum(rng.normal(0, 0.01, rows)))
        opened = np.concatenate([[100.0], close[:-1]])
        frame = pd.DataFrame({"timestamp": pd.date_range(start, periods=rows, freq=freq), "open": opened})
        frame["high"] = np.maximum(opened, close) * 1.002
        frame["low"] = np.minimum(opened, close) * 0.998
        frame["close"] = close
        frame["volume"] = rng.integers(100, 1000, rows).astype(float)
        return frame

    return make


@pytest.fixture
def save(desk):
    """Return a function that saves a frame as an upload would."""

    def save(frame, name="walk.csv"):
        return desk.candles.keep(desk.candles.read(frame.to_csv(index=False).encode(), name))

    return save


@pytest.fixture
def finished(desk):
    """Return a function that waits for a job to end."""

    def finished(job_id, seconds=60):
        deadline = time.monotonic() + seconds
        while (job := desk.jobs.get(job_id)).active:
            assert time.monotonic() < deadline, f"still {job.status} after {seconds} s"
            time.sleep(0.01)
        return job

    return finished

"""A desk with a tiny random model, for services and API."""

import json
import shutil
import time
from contextlib import ExitStack, closing
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

GOLDEN = Path(__file__).parents[1] / "golden"
CONTEXT = 64


def spec(name="tiny", *, model=GOLDEN / "model", tokenizer=GOLDEN / "tokenizer", context=CONTEXT, bundled=True):
    from engine.loading.registry import ModelSpec

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
def open_desk():
    """Return a function that opens a desk, as `Desk` does; all are closed after the test."""
    from kronos_app.services.desk import Desk

    with ExitStack() as desks:
        yield lambda *args, **fields: desks.enter_context(closing(Desk(*args, **fields)))


@pytest.fixture
def clock():
    """Return a clock that only the test moves, for markets whose candles appear with time."""
    from tests.growing_market import Clock

    return Clock()


@pytest.fixture
def desk(settings):
    from kronos_app.services.desk import Desk

    desk = Desk(settings, {"tiny": spec()})
    desk.start()
    yield desk
    desk.close()


def walk(rows=60, *, seed=0, start="2024-03-01", freq="h"):
    rng = np.random.default_rng(seed)
    close = 100 * np.exp(np.cumsum(rng.normal(0, 0.01, rows)))
    opened = np.concatenate([[100.0], close[:-1]])
    frame = pd.DataFrame({"timestamp": pd.date_range(start, periods=rows, freq=freq), "open": opened})
    frame["high"] = np.maximum(opened, close) * 1.002
    frame["low"] = np.minimum(opened, close) * 0.998
    frame["close"] = close
    frame["volume"] = rng.integers(100, 1000, rows).astype(float)
    return frame


@pytest.fixture
def make_frame():
    """Return a function that makes a random walk of hourly candles."""
    return walk


def run_config(**changes):
    """Return the settings of a run of seconds, `changes` to its predictor by name, others by section."""
    predictor = {"steps": 6, "batch": 4, "validate_every": 3, "validation_windows": 4, "checkpoint_every": 2}
    config = {
        "name": "a run",
        "base": {"model": "tiny"},
        "window": {"lookback": 20, "horizon": 8},
        "split": {"fractions": [0.6, 0.2, 0.2]},
        "predictor": {**predictor, "log_every": 1},
        "judge": {"cutoffs": 2, "final_cutoffs": 4, "samples": 4},
        "track": {"tensorboard": False},
    }
    for name, value in changes.items():
        if name in config["predictor"] or name == "learning_rate":
            config["predictor"][name] = value
        elif isinstance(value, dict):
            config[name] = config.get(name, {}) | value
        else:
            config[name] = value
    return config


@pytest.fixture
def make_config():
    return run_config


def wait_for(tuning, run_id, reached, seconds=120):
    """Return the run once `reached` is true of it."""
    deadline = time.monotonic() + seconds
    while not reached(view := tuning.get(run_id)):
        words = tuning.tail(run_id)
        assert time.monotonic() < deadline, f"{view.state}, {view.phase} {view.step} after {seconds} s\n{words}"
        time.sleep(0.05)
    return view


@pytest.fixture
def reach():
    return wait_for


@pytest.fixture(scope="session")
def finished_home(tmp_path_factory):
    """A home folder with one finished run, `a run`, that a real trainer made."""
    from kronos_app.services.desk import Desk
    from kronos_app.services.finetune.request import TuneRequest
    from kronos_app.settings import Settings

    home = tmp_path_factory.mktemp("finished") / "home"
    desk = Desk(Settings(home=home, threads=1), {"tiny": spec()})
    try:
        content = walk(300).to_csv(index=False).encode()
        saved = desk.candles.keep(desk.candles.read(content, "walk.csv"))
        data = {"kind": "candle_sets", "candle_sets": [saved.id]}
        run = desk.tuning.start(TuneRequest.build({"data": data, "config": run_config()}))
        view = wait_for(desk.tuning, run.id, lambda view: not view.active)
        assert view.state == "finished", desk.tuning.tail(run.id)
    finally:
        desk.close()
    return home


@pytest.fixture
def tuned_desk(finished_home, settings):
    """A desk of its own with the finished run."""
    from kronos_app.services.desk import Desk

    shutil.copytree(finished_home, settings.home)
    desk = Desk(settings, {"tiny": spec()})
    desk.start()
    yield desk
    desk.close()


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


SAVED = Path(__file__).with_name("saved")


@pytest.fixture
def saved_folders(settings):
    """Copy folders that an earlier revision wrote to the home folder: `runs`, `evaluations`, `backtests`, one of each.

    Return them by kind.
    """
    for kind in SAVED.iterdir():
        shutil.copytree(kind, settings.home / kind.name)
    return {path.parent.name: path for path in settings.home.glob("*/*")}


@pytest.fixture
def edit_json():
    """Return a function that passes the JSON object in a file to another function and writes what that made of it."""

    def edit(path, change):
        value = json.loads(path.read_text(encoding="utf-8"))
        change(value)
        path.write_text(json.dumps(value), encoding="utf-8")

    return edit


@pytest.fixture
def truncate():
    """Return a function that cuts a file off in the middle."""

    def truncate(path):
        content = path.read_bytes()
        path.write_bytes(content[: len(content) // 2])

    return truncate

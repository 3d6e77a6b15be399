"""Runs by real trainers: started, paused, resumed, killed, found again, one after the other."""

import shutil
import socket

import numpy as np
import psutil
import pytest
import yaml
from safetensors.numpy import load_file, save_file

from engine.config import ModelConfig, TokenizerConfig
from kronos_app.errors import AppError, Conflict, InvalidInput, NotFound
from kronos_app.services.desk import Desk
from kronos_app.services.finetune.records import read_curves
from kronos_app.services.finetune.request import TuneRequest
from kronos_app.services.finetune.run import TuneFolders
from kronos_app.services.finetune.trainer import Trainers

LONG = 100_000  # steps, more than a test waits for


@pytest.fixture
def request_for(save, make_frame, make_config):
    """Return a function that asks for a run on a random walk."""
    saved = save(make_frame(300))

    def request_for(**changes):
        data = {"kind": "candle_sets", "candle_sets": [saved.id]}
        return TuneRequest.build({"data": data, "config": make_config(**changes)})

    return request_for


@pytest.fixture(autouse=True)
def _end(settings):
    """End what a test that failed leaves running."""
    yield
    for run in TuneFolders(settings.home).list():
        Trainers(settings, lambda: None).kill(run.path)


def test_runs_wait_for_their_turn_and_the_next_begins_by_itself(desk, request_for, reach):
    first = desk.tuning.start(request_for(name="one"))
    second = desk.tuning.start(request_for(name="two", seed=1))
    assert (first.state, first.queue_position) == ("running", None)
    assert (second.state, second.queue_position) == ("queued", 1)
    assert [view.name for view in desk.tuning.list()] == ["two", "one"]
    first = reach(desk.tuning, first.id, lambda view: not view.active)
    assert (first.state, first.progress, first.error) == ("finished", 1.0, None)
    second = reach(desk.tuning, second.id, lambda view: not view.active)
    assert (second.state, second.worse in {True, False}) == ("finished", True)
    assert {"tuned", "base", "ewma"} <= set(second.scores)
    compared = desk.tuning.compare([first.id, second.id])
    assert compared.differences == {"seed": (0, 1)}
    assert compared.scores == {first.id: first.scores, second.id: second.scores}


def test_a_run_is_paused_goes_on_after_the_desk_was_closed_is_killed_and_stopped(
    desk, settings, make_spec, request_for, reach
):
    run = desk.tuning.start(request_for(steps=LONG))
    reach(desk.tuning, run.id, lambda view: view.step >= 4)
    desk.tuning.pause(run.id)
    paused = reach(desk.tuning, run.id, lambda view: not view.active)
    assert (paused.state, paused.phase) == ("paused", "predictor")
    desk.tuning.resume(run.id)
    desk.close()

    later = Desk(settings, {"tiny": make_spec()})
    try:
        going = reach(later.tuning, run.id, lambda view: view.step > paused.step)
        assert going.state == "running"
        assert len(read_curves(later.tuning.get(run.id))["predictor"]) > 0
        with pytest.raises(Conflict, match="not finished"):
            later.registry.register(run.id, "mine")
        killed(later.tuning, run.id)
        view = reach(later.tuning, run.id, lambda view: not view.active)
        assert (view.state, view.queue_position) == ("interrupted", None)
        later.tuning.tick()
        assert later.tuning.get(run.id).state == "interrupted", "nobody asked for it to go on"
        later.tuning.resume(run.id)
        reach(later.tuning, run.id, lambda again: again.step > view.step)
        later.tuning.stop(run.id)
        kept = reach(later.tuning, run.id, lambda view: not view.active)
        assert (kept.state, kept.stopped) == ("finished", True)
        steps = read_curves(later.tuning.get(run.id))["predictor"]["step"]
        assert steps.is_monotonic_increasing
        assert "Fine" in later.tuning.card(run.id) or "fine" in later.tuning.card(run.id)
        for change in (later.tuning.resume, later.tuning.stop, later.tuning.pause):
            with pytest.raises(Conflict):
                change(run.id)
        later.tuning.delete(run.id)
        assert later.tuning.list() == []
    finally:
        later.close()


def killed(tuning, run_id):
    """End the trainer as `kill -9` does."""
    status = tuning.get(run_id).status()
    process = psutil.Process(status.pid)
    process.kill()
    psutil.wait_procs([process], timeout=10)


def test_a_run_that_is_discarded_while_it_trains_takes_its_process_along(desk, request_for, reach):
    run = desk.tuning.start(request_for(steps=LONG))
    reach(desk.tuning, run.id, lambda view: view.step >= 1)
    pid = desk.tuning.get(run.id).status().pid
    folder = desk.tuning.get(run.id).path
    desk.tuning.delete(run.id)
    assert not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    assert not folder.exists()
    with pytest.raises(NotFound, match="no run"):
        desk.tuning.get(run.id)


def test_a_loss_that_is_not_finite_is_told_in_words(settings, make_spec, make_frame, make_config, reach, tmp_path):
    spec = make_spec()
    folder = tmp_path / "broken"
    shutil.copytree(spec.model_id, folder)
    weights = load_file(folder / "model.safetensors")
    head = weights["head.proj_s1.weight"]
    weights["head.proj_s1.weight"] = np.copysign(np.float32(3e38), head)  # finite, but not what comes of it
    save_file(weights, folder / "model.safetensors")
    desk = Desk(settings, {"tiny": make_spec(model=folder)})
    try:
        saved = desk.candles.keep(desk.candles.read(make_frame(300).to_csv(index=False).encode(), "walk.csv"))
        data = {"kind": "candle_sets", "candle_sets": [saved.id]}
        run = desk.tuning.start(TuneRequest.build({"data": data, "config": make_config()}))
        view = reach(desk.tuning, run.id, lambda view: not view.active)
        assert view.state == "failed"
        assert "step 1" in view.error.render()
        assert "walk.csv from 2024-03-" in view.error.render(), "the window is named"
        assert str(tmp_path) not in view.error.render() + desk.tuning.tail(run.id)
    finally:
        desk.close()


def test_a_second_run_of_the_same_name_is_refused_and_a_clone_has_a_free_one(desk, request_for):
    desk.tuning._trainers.start = lambda run: None  # nobody trains in this test
    run = desk.tuning.start(request_for(name="Mine 7"))
    with pytest.raises(Conflict, match="called mine 7 already") as refused:
        desk.tuning.start(request_for(name="mine 7"))
    assert "mine 2" in refused.value.hint.render()
    clone = desk.tuning.request_of(run.id)
    assert clone.config["name"] == "Mine 2"
    assert clone.config | {"name": "Mine 7"} == desk.tuning.get(run.id).request.config


def test_runs_without_a_name_get_one_each(desk, request_for):
    desk.tuning._trainers.start = lambda run: None
    request = request_for()
    nameless = request.model_copy(update={"config": {k: v for k, v in request.config.items() if k != "name"}})
    names = [desk.tuning.start(nameless).name for _ in range(3)]
    assert names == ["run", "run 2", "run 3"]


@pytest.mark.parametrize("name", ["../../etc", "a/b", "..", "", "x" * 61, "tab\there", "名字", "-rf", "a\x00b"])
def test_hostile_names_of_runs_are_refused(desk, request_for, name):
    with pytest.raises(InvalidInput, match="name"):
        desk.tuning.start(request_for(name=name))
    assert not (desk.settings.home / "runs").exists()


@pytest.mark.parametrize("run_id", ["../a-run", "..", ".", "", "a/b", "A", "a" * 200, "\ud800"])
def test_hostile_ids_of_runs_are_unknown(desk, run_id):
    for ask in (desk.tuning.get, desk.tuning.delete, desk.tuning.tail, desk.tuning.resume):
        with pytest.raises(NotFound):
            ask(run_id)


def test_the_queue_and_the_number_of_runs_are_limited(settings, make_spec, make_frame, make_config):
    small = Desk(settings.model_copy(update={"max_queued_runs": 1, "max_runs": 2}), {"tiny": make_spec()})
    try:
        small.tuning._trainers.start = lambda run: None
        small.tuning._trainers.alive = lambda run: run.queued_since is None
        saved = small.candles.keep(small.candles.read(make_frame(300).to_csv(index=False).encode(), "walk.csv"))
        data = {"kind": "candle_sets", "candle_sets": [saved.id]}
        requests = [TuneRequest.build({"data": data, "config": make_config(name=name)}) for name in ("a", "b", "c")]
        assert [small.tuning.start(one).state for one in requests[:2]] == ["running", "queued"]
        with pytest.raises(Conflict, match="2 runs are saved"):
            small.tuning.start(requests[2])
        small.tuning.delete(small.tuning.list()[1].id)
        assert small.tuning.list()[0].state == "running", "its turn came"
        small.tuning.start(requests[2])
        small.tuning._most = 10
        with pytest.raises(Conflict, match="1 runs are waiting"):
            small.tuning.start(TuneRequest.build({"data": data, "config": make_config(name="d")}))
    finally:
        small.close()


def test_one_that_waits_leaves_the_queue_when_paused_and_has_nothing_to_keep(desk, request_for):
    desk.tuning._trainers.alive = lambda run: run.name == "busy"
    desk.tuning._trainers.start = lambda run: None
    desk.tuning.start(request_for(name="busy"))
    waiting = desk.tuning.start(request_for(name="waiting"))
    assert waiting.queue_position == 1
    with pytest.raises(Conflict) as nothing:
        desk.tuning.stop(waiting.id)
    assert nothing.value.code == "nothing_to_keep"
    assert desk.tuning.pause(waiting.id).state == "paused"
    assert desk.tuning.resume(waiting.id).queue_position == 1


def test_a_full_disk_is_said_before_anything_is_trained(desk, request_for, monkeypatch):
    request = request_for()
    desk.tuning.plan(request)
    usage = shutil.disk_usage("/")._replace(free=10_000_000)
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: usage)
    with pytest.raises(AppError, match="10 MB left") as full:
        desk.tuning.start(request)
    assert full.value.code == "disk_nearly_full"
    assert desk.tuning.list() == []


def test_what_an_interruption_left_half_made_is_no_run(desk, request_for):
    desk.tuning._trainers.start = lambda run: None
    run = desk.tuning.start(request_for())
    (desk.settings.home / "runs" / "half-20240101-abc").mkdir()
    (desk.settings.home / "runs" / ".gone-1").mkdir()
    assert [view.id for view in desk.tuning.list()] == [run.id]
    desk.tuning.start(request_for(name="another"))
    assert not (desk.settings.home / "runs" / ".gone-1").exists()


def test_a_trainer_reaches_no_server_that_the_administrator_did_not_name(
    desk, settings, request_for, reach, monkeypatch
):
    """Its config was written by an earlier version, which let the address through."""
    monkeypatch.setenv("MLFLOW_TRACKING_TOKEN", "t0ken")
    with monkeypatch.context() as unstarted:
        unstarted.setattr(desk.tuning._trainers, "start", lambda run: None)
        run_id = desk.tuning.start(request_for()).id
    run = desk.tuning.get(run_id)
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0)
        address = f"http://127.0.0.1:{server.getsockname()[1]}"
        written = yaml.safe_load(run.folder.config.read_text("utf-8"))
        written["track"] = {"mlflow_uri": address}
        run.folder.config.write_text(yaml.safe_dump(written), encoding="utf-8")
        Trainers(settings, lambda: None).start(run)
        view = reach(desk.tuning, run_id, lambda view: view.state == "failed")
        assert f"may not send data to {address}" in view.error.render()
        with pytest.raises(BlockingIOError):
            server.accept()


def test_a_trainer_that_takes_more_memory_than_estimated_fails_alone(
    settings, make_spec, make_frame, make_config, reach, monkeypatch
):
    monkeypatch.setattr("training.run.footprint.check_memory", lambda *_: None)  # an estimate that is wrong
    desk = Desk(settings.model_copy(update={"run_memory_mb": 1000}), {"tiny": make_spec()})
    shapes = ModelConfig(n_layers=16, d_model=512, ff_dim=2048), TokenizerConfig(d_model=32, ff_dim=32, n_heads=2)
    base = {"model": None, "shape": vars(shapes[0]), "tokenizer_shape": vars(shapes[1])}
    try:
        saved = desk.candles.keep(desk.candles.read(make_frame(3000).to_csv(index=False).encode(), "walk.csv"))
        data = {"kind": "candle_sets", "candle_sets": [saved.id]}
        run = desk.tuning.start(TuneRequest.build({"data": data, "config": make_config(base=base, batch=512)}))
        view = reach(desk.tuning, run.id, lambda view: not view.active)
        assert view.state == "failed"
        assert "memory" in view.error.render()
    finally:
        desk.close()


def test_a_run_that_does_not_fit_is_refused_before_it_is_made(desk, request_for):
    shape = {"n_layers": 64, "d_model": 16384, "ff_dim": 65536, "n_heads": 16}
    base = {"model": None, "shape": shape, "tokenizer_shape": {}}
    with pytest.raises(InvalidInput, match="GB of memory"):
        desk.tuning.start(request_for(base=base))
    assert desk.tuning.list() == []

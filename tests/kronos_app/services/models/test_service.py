import shutil
import socket
from datetime import date
from pathlib import Path
from threading import Barrier, Thread

import pytest

from engine.loading.registry import PINS
from engine.packed import PRECISIONS
from kronos_app.errors import AppError, InvalidInput, NotFound, Unavailable
from kronos_app.services.models.service import ModelService
from kronos_app.settings import Settings

ROOT = Path(__file__).parents[4]
GOLDEN = ROOT / "tests" / "golden"


@pytest.fixture
def models(settings, make_spec):
    return ModelService(settings, {name: make_spec(name) for name in ("one", "two", "three")})


def loaded(models):
    return [status.name for status in models.list() if status.loaded]


def test_a_model_is_listed_before_it_is_loaded(models):
    status = models.status("one")
    assert (status.context, status.licence, status.downloaded, status.loaded) == (64, "MIT", True, False)
    assert (status.device, status.load_seconds) == (None, None)
    assert status.memory_bytes == 800_000


def test_every_precision_has_its_memory_and_the_cost_that_the_documents_state(models):
    facts = {fact.precision: fact for fact in models.status("one").precisions}
    assert tuple(facts) == PRECISIONS
    assert [fact.memory_bytes for fact in facts.values()] == [800_000, 200_000, 100_000]
    table = (ROOT / "docs" / "benchmarks.md").read_text(encoding="utf-8")
    for name in ("float16", "int8"):
        cost = f"{facts[name].crps_change:+.2%} ± {facts[name].crps_error:.2%}".replace("%", " %")
        assert f"| {name} | {cost} |" in table


def test_a_published_model_tells_its_revision_and_period(settings):
    status = ModelService(settings).status("kronos-small")
    assert status.revision == PINS["NeoQuasar/Kronos-small"].revision
    assert (status.chosen_from, status.trained_until) == (date(2024, 3, 1), {"": date(2024, 5, 31)})


def test_the_list_does_not_tell_where_the_app_is_installed(models):
    assert models.status("one").tokenizer == "golden/tokenizer"


def test_a_loaded_model_tells_device_memory_and_time(models):
    status = models.load("one", "cpu")
    assert status.loaded
    assert status.device == "cpu"
    assert status.load_seconds > 0
    weights = [GOLDEN / part / "model.safetensors" for part in ("model", "tokenizer")]
    assert status.memory_bytes == pytest.approx(2 * sum(path.stat().st_size for path in weights), rel=0.1)


def test_a_loaded_model_is_laid_out_for_generation_already(models, monkeypatch):
    predictor = models.get("one")
    monkeypatch.setattr("engine.base.PackedKronos", None)
    assert predictor.packed() == predictor.packed()


def test_the_least_recently_used_model_goes_first(models):
    models.get("one")
    models.get("two")
    models.get("one")
    models.get("three")
    assert loaded(models) == ["one", "three"]


def test_unloading_lets_go(models):
    models.get("one")
    models.unload("one")
    models.unload("one")
    assert loaded(models) == []


def test_two_requests_at_once_load_a_model_once(models):
    barrier, got = Barrier(4), []

    def ask():
        barrier.wait()
        got.append(models.get("one"))

    threads = [Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(got) == 4
    assert len({id(predictor) for predictor in got}) == 1


def test_the_registry_is_the_engines_by_default(settings):
    names = [status.name for status in ModelService(settings).list()]
    assert names == ["kronos-nano", "kronos-mini", "kronos-small", "kronos-base"]


def test_an_unknown_model_is_told_the_names(models):
    with pytest.raises(NotFound, match="no model four") as caught:
        models.get("four")
    assert "one, two, three" in caught.value.hint.render()


def test_an_unknown_device_is_told_the_devices(models):
    with pytest.raises(InvalidInput, match="no toaster:0") as caught:
        models.load("one", "toaster:0")
    assert "cpu" in caught.value.hint.render()


def test_files_in_the_home_folder_take_the_place_of_the_hub(settings, make_spec):
    models = ModelService(settings, {"far": make_spec("far", model="nobody/far", tokenizer="nobody/t", bundled=False)})
    assert not models.status("far").downloaded
    for part in ("model", "tokenizer"):
        shutil.copytree(GOLDEN / part, settings.home / "models" / "far" / part)
    assert models.status("far").downloaded
    assert models.get("far").max_context == 64


def test_a_hub_that_does_not_answer_is_told_with_ways_out(settings, make_spec, monkeypatch, tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{port}")
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "cache"))
    models = ModelService(settings, {"far": make_spec("far", model="nobody/far", tokenizer="nobody/t", bundled=False)})
    with pytest.raises(Unavailable) as caught:
        models.get("far")
    assert caught.value.code == "hub_unreachable"
    hint = caught.value.hint.render()
    assert "HF_ENDPOINT" in hint
    assert "models/far/model" in hint
    assert "kronos-nano" in hint


def test_damaged_weights_are_an_error_that_says_so_and_loading_again_works(settings, make_spec, tmp_path):
    folder = tmp_path / "model"
    shutil.copytree(GOLDEN / "model", folder)
    whole = (folder / "model.safetensors").read_bytes()
    (folder / "model.safetensors").write_bytes(whole[: len(whole) // 2])
    models = ModelService(settings, {"broken": make_spec("broken", model=folder)})
    with pytest.raises(AppError) as caught:
        models.get("broken")
    assert caught.value.code == "checkpoint_unusable"
    (folder / "model.safetensors").write_bytes(whole)
    assert models.get("broken").max_context == 64


def test_the_number_of_models_in_memory_is_a_setting(tmp_path, make_spec):
    settings = Settings(home=tmp_path, max_loaded_models=1, threads=1)
    models = ModelService(settings, {name: make_spec(name) for name in ("one", "two")})
    models.get("one")
    models.get("two")
    assert loaded(models) == ["two"]

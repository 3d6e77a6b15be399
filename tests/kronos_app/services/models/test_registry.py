"""Models made here: registered, forecast with, promoted, retired, compared, deleted."""

import json
import shutil

import pytest

from kronos_app.errors import Conflict, InvalidInput, NotFound, Unavailable
from kronos_app.services.forecast.request import ForecastRequest


@pytest.fixture
def run(tuned_desk):
    [run] = tuned_desk.tuning.list()
    return run


@pytest.fixture
def forecast(tuned_desk):
    """Return a function that has a forecast made by a model and returns it."""
    [candles] = tuned_desk.candles.list()

    def forecast(model, seed=1):
        request = ForecastRequest.build(
            {"candles_id": candles.id, "model": model, "lookback": 30, "horizon": 4, "samples": 3, "seed": seed}
        )
        submission = tuned_desk.forecasts.submit(request)
        if submission.forecast_id is None:
            job = tuned_desk.jobs.wait(submission.job_id, 60)
            assert job.status == "succeeded", job.error
            return tuned_desk.forecasts.get(job.result_id)
        return tuned_desk.forecasts.get(submission.forecast_id)

    return forecast


def names(desk):
    return [status.name for status in desk.models.list()]


def test_what_a_run_made_is_registered_with_its_scores_and_forecast_with(tuned_desk, run, forecast):
    model = tuned_desk.registry.register(run.id, "mine", " a first try ")
    assert (model.label, model.state, model.note) == ("mine@1", "candidate", "a first try")
    assert (model.base, model.method, model.run_id, model.context) == ("tiny", "full", run.id, 64)
    assert (model.scores, model.worse) == (run.scores, run.worse)
    assert model.trained_until.year == 2024
    assert tuned_desk.registry.list() == [model]
    assert tuned_desk.registry.get("mine", 1) == model
    assert tuned_desk.tuning.get(run.id).registered == ["mine@1"]
    assert names(tuned_desk) == ["tiny", "mine"]
    status = tuned_desk.models.status("mine")
    assert (status.registered, status.downloaded, status.bundled, status.loaded) == ("mine@1", True, False, False)
    assert status.parameters == model.parameters
    by_name, by_version, base = forecast("mine"), forecast("mine@1"), forecast("tiny")
    assert by_name.stored.provenance["digest"] == by_version.stored.provenance["digest"] == model.digest
    assert base.stored.provenance["digest"] != model.digest
    assert by_name.id == by_version.id, "a name is kept as the version it stood for"
    assert [info.model for info in tuned_desk.forecasts.list()] == ["tiny", "mine@1"]
    assert tuned_desk.models.status("mine@1").loaded
    assert "tiny" in tuned_desk.registry.card("mine", 1)


def test_what_was_registered_tells_of_no_folder_here(tuned_desk, run, finished_home):
    tuned_desk.registry.register(run.id, "mine")
    folder = tuned_desk.settings.home / "registry" / "mine" / "1"
    assert {path.name for path in folder.iterdir()} >= {"model", "tokenizer", "README.md", "kronos.json"}
    assert json.loads((folder / "kronos.json").read_text())["name"] == "mine@1"
    words = "".join(path.read_text() for path in folder.iterdir() if path.is_file())
    assert str(finished_home) not in words
    assert "/golden" not in words


def test_a_name_stands_for_what_was_promoted_else_for_the_newest_on_offer(tuned_desk, run):
    registry, models = tuned_desk.registry, tuned_desk.models
    for _ in range(3):
        registry.register(run.id, "mine")

    def meant():
        return models.status("mine").registered

    assert meant() == "mine@3"
    assert names(tuned_desk) == ["tiny", "mine", "mine@3", "mine@2", "mine@1"]
    assert registry.change_state("mine", 1, "promoted").state == "promoted"
    assert meant() == "mine@1"
    registry.change_state("mine", 2, "promoted")
    assert meant() == "mine@2"
    assert [one.state for one in registry.list()] == ["candidate", "promoted", "candidate"]
    registry.change_state("mine", 2, "retired")
    assert meant() == "mine@3"
    assert names(tuned_desk) == ["tiny", "mine", "mine@3", "mine@1"]
    with pytest.raises(Conflict, match="retired"):
        registry.change_state("mine", 2, "promoted")
    assert models.status("mine@2").registered == "mine@2", "old forecasts name it"
    registry.change_state("mine", 3, "retired")
    registry.change_state("mine", 1, "retired")
    assert names(tuned_desk) == ["tiny"]
    with pytest.raises(NotFound, match="there is no model mine"):
        models.status("mine")
    registry.change_state("mine", 2, "candidate")
    assert meant() == "mine@2"


def test_a_name_that_stands_for_another_version_is_not_answered_from_memory(tuned_desk, run):
    tuned_desk.registry.register(run.id, "mine")
    first = tuned_desk.models.get("mine")
    assert tuned_desk.models.get("mine@1") is first
    tuned_desk.registry.register(run.id, "mine")
    assert tuned_desk.models.get("mine") is not first
    tuned_desk.models.unload("mine")
    assert not tuned_desk.models.status("mine@2").loaded
    assert tuned_desk.models.status("mine@1").loaded


def test_versions_are_compared_in_facts_and_scores(tuned_desk, run):
    tuned_desk.registry.register(run.id, "mine", "one")
    tuned_desk.registry.register(run.id, "mine", "two")
    tuned_desk.registry.change_state("mine", 2, "promoted")
    compared = tuned_desk.registry.compare(("mine", 1), ("mine", 2))
    differences = compared.differences
    assert {"note": ("one", "two"), "state": ("candidate", "promoted")}.items() <= differences.items()
    assert set(differences) == {"note", "state", "created"}
    assert compared.scores["tuned.crps"] == (run.scores["tuned"]["crps"],) * 2


def test_a_version_is_deleted_with_its_files_and_its_number_is_not_given_again_while_there_are_newer(tuned_desk, run):
    for _ in range(2):
        tuned_desk.registry.register(run.id, "mine")
    folder = tuned_desk.settings.home / "registry" / "mine"
    tuned_desk.registry.delete("mine", 1)
    assert [path.name for path in folder.iterdir()] == ["2"]
    with pytest.raises(NotFound):
        tuned_desk.registry.get("mine", 1)
    assert tuned_desk.registry.register(run.id, "mine").version == 3


def test_it_stays_when_its_run_is_discarded_and_can_be_trained_on(tuned_desk, run, forecast, make_config):
    from kronos_app.services.finetune.request import TuneRequest

    tuned_desk.registry.register(run.id, "mine")
    request = tuned_desk.tuning.request_of(run.id)
    tuned_desk.tuning.delete(run.id)
    assert forecast("mine").stored.provenance["model"] == "mine@1"
    config = make_config(base={"model": "mine"}, split={"fractions": [0.3, 0.3, 0.4]})
    plan = tuned_desk.tuning.plan(TuneRequest(data=request.data, config=config))
    assert plan.config.base.model == str(tuned_desk.settings.home / "registry" / "mine" / "1")
    told = " ".join(note.render() for note in plan.notes)
    assert str(tuned_desk.settings.home) not in told
    assert "the end of the base model's training data" in told, "it may have learned from these candles already"


@pytest.mark.parametrize("name", ["", "Mine", "../x", "a/b", "a@1", "-a", "a" * 41, "名", "a b", "a\n", "."])
def test_names_that_cannot_be_folders_are_refused(tuned_desk, run, name):
    with pytest.raises(InvalidInput) as refused:
        tuned_desk.registry.register(run.id, name)
    assert refused.value.code == "model_name"
    assert not (tuned_desk.settings.home / "registry").exists()


def test_the_name_of_a_model_that_comes_with_the_app_is_taken(tuned_desk, run):
    with pytest.raises(InvalidInput, match="built-in model"):
        tuned_desk.registry.register(run.id, "tiny")


def test_notes_are_limited_and_runs_must_be_there(tuned_desk, run):
    with pytest.raises(InvalidInput, match="500"):
        tuned_desk.registry.register(run.id, "mine", "x" * 501)
    with pytest.raises(NotFound, match="no run"):
        tuned_desk.registry.register("nobody", "mine")


def test_a_result_that_is_gone_or_damaged_is_not_registered(tuned_desk, run):
    export = tuned_desk.tuning.get(run.id).folder.export
    weights = export / "model" / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:1000])
    with pytest.raises(Unavailable, match="cannot be used"):
        tuned_desk.registry.register(run.id, "mine")
    shutil.rmtree(export)
    with pytest.raises(Conflict, match="was deleted"):
        tuned_desk.registry.register(run.id, "mine")
    assert tuned_desk.registry.list() == []
    assert names(tuned_desk) == ["tiny"]


def test_a_version_whose_files_are_gone_says_so(tuned_desk, run):
    tuned_desk.registry.register(run.id, "mine")
    shutil.rmtree(tuned_desk.settings.home / "registry" / "mine")
    assert not tuned_desk.models.status("mine").downloaded
    assert tuned_desk.registry.card("mine", 1) is None
    with pytest.raises(Unavailable) as unusable:
        tuned_desk.models.get("mine")
    assert unusable.value.code == "checkpoint_unusable"

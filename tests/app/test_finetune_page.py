"""The Fine-tune page, from a form to a registered model: one real run of a tiny model serves all of these tests."""

from __future__ import annotations

import json
import shutil
from datetime import date

import pytest

from kronos_app import state
from kronos_app.i18n import translate
from kronos_app.services.finetune.request import TuneRequest
from kronos_app.widgets.finetune import keys as finetune_keys
from kronos_app.widgets.finetune.fields import FIRST, LABELS, field_of, key
from kronos_app.widgets.forecast import keys
from kronos_app.widgets.models import keys as models_keys
from tests.app.conftest import find_button, labels_of, open_desk, page_text, take_sample, wait_for_end

LANGUAGES = ("en", "zh_CN")
CONFIG = {
    "name": "first try",
    "window": {"lookback": 24, "horizon": 4},
    "predictor": {"steps": 6, "batch": 4, "validate_every": 2, "validation_windows": 8, "log_every": 1},
    "judge": {"cutoffs": 4, "final_cutoffs": 6, "samples": 4, "every": 3},
    "track": {"tensorboard": False},
}


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """Return the folder of a run that a trainer has finished."""
    with open_desk(tmp_path_factory.mktemp("trained")) as desk:
        data = {"kind": "candle_sets", "candle_sets": [take_sample(desk).id]}
        run = wait_for_end(desk.tuning, desk.tuning.start(TuneRequest.build({"data": data, "config": CONFIG})).id)
        assert run.state == "finished", (run, desk.tuning.tail(run.id))
        return desk.settings.home / "runs" / run.id


@pytest.fixture
def put(desk, trained):
    """Return a function that puts a copy of the run on the desk, with changes to what its trainer said last."""

    def put(name: str = "first try", **status) -> str:
        run_id = name.replace(" ", "-")
        folder = shutil.copytree(trained, desk.settings.home / "runs" / run_id)
        for file, changes in (("status.json", status), ("desk.json", {})):
            kept = json.loads((folder / file).read_text()) | changes
            if file == "desk.json":
                kept["config"]["name"] = name
            (folder / file).write_text(json.dumps(kept))
        return run_id

    return put


def small(app):
    for path, value in {
        "window.lookback": 24, "window.horizon": 4, "predictor.steps": 4, "predictor.batch": 4,
        "predictor.validation_windows": 8, "judge.cutoffs": 2, "judge.final_cutoffs": 3, "judge.samples": 4,
    }.items():  # fmt: skip
        app.get_by_key(key(path)).set_value(value)
    return app.run()


@pytest.mark.parametrize("lang", LANGUAGES)
def test_somebody_without_data_takes_a_sample_and_sees_what_a_run_comes_to(open_sample, desk, lang):
    app, metrics = open_sample("finetune", lang)
    windows = translate("{count} windows", lang)
    assert metrics[translate("Training set", lang)] == windows.format(count="3,926")
    assert metrics[translate("Test", lang)] == windows.format(count="304")
    assert app.get("plotly_chart")
    assert "1e-05" in page_text(app)
    scored = translate("Final scores, {split}: {cutoffs} cutoffs at {times} different times.", lang)
    assert scored.format(split=translate("Test", lang), cutoffs=31, times=31) in page_text(app)
    assert not app.warning
    assert not find_button(app, translate("Start", lang)).disabled
    assert desk.candles.list()[0].name == "sp500"


def test_a_run_is_started_from_the_form_followed_and_registered(open_page, desk, sample):
    app = small(open_page("finetune"))
    assert "at 3 cutoffs of 3 different times, but a verdict needs 5 times" in app.warning[0].value
    app.get_by_key(key("name")).set_value("from the page").run()
    find_button(app, "Start").click().run()
    assert not app.error
    run_id = app.query_params["run"]
    assert desk.tuning.get(run_id).name == "from the page"
    assert "the run continues, and this address shows the result" in page_text(app)
    run = wait_for_end(desk.tuning, run_id)
    assert run.state == "finished", desk.tuning.tail(run_id)
    app.run()
    assert len(app.get("plotly_chart")) == 2
    app.get_by_key(f"{finetune_keys.NAME}.{run_id}").set_value("mine").run()
    app.get_by_key(f"finetune.register.{run_id}").click().run()
    assert not app.error
    assert desk.tuning.get(run_id).registered == ["mine@1"]
    assert "Registered as mine@1" in page_text(app)
    app.get_by_key(f"finetune.use.{run_id}").click().run()
    assert app.session_state[state.MODEL] == "mine@1"


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("window.lookback", 3000, "window: 3000 + 10 candles are more than"),
        ("predictor.batch", 5000, "predictor.batch is 5000, but there are only"),
        ("split.embargo", 5, "split.embargo is 5"),
        ("name", "../../etc", "name is"),
    ],
)
def test_what_cannot_be_trained_is_told_before_it_starts(open_page, desk, sample, path, value, message):
    app = open_page("finetune")
    app.get_by_key(key(path)).set_value(value).run()
    assert message in app.error[0].value.replace("\\", "")
    assert "Start" not in labels_of(app.button)
    assert desk.tuning.list() == []


@pytest.mark.parametrize(
    ("validation", "test", "message"),
    [("2010-01-01", "2014-01-01", None), ("2014-01-01", "2010-01-01", "must come before")],
)
def test_the_split_can_be_given_by_dates(open_page, sample, validation, test, message):
    app = open_page("finetune")
    app.get_by_key(finetune_keys.SPLIT).set_value("date").run()
    app.get_by_key(finetune_keys.VALIDATION).set_value(date.fromisoformat(validation))
    app.get_by_key(finetune_keys.TEST).set_value(date.fromisoformat(test)).run()
    if message is not None:
        assert message in app.error[0].value.replace("\\", "")
        return
    assert not app.error
    windows = [int(metric.value.split()[0].replace(",", "")) for metric in app.metric]
    assert windows[0] > windows[1] > 800


def test_a_learning_rate_of_ones_own_is_told_apart_from_the_advice(open_page, desk, sample):
    app = small(open_page("finetune"))
    assert "suggested learning rate" in page_text(app)
    app.get_by_key(key("predictor.learning_rate")).set_value(0.001).run()
    assert "your learning rate" in page_text(app)


@pytest.mark.parametrize("lang", LANGUAGES)
def test_a_finished_run_shows_curves_forecasts_scores_and_a_verdict(open_page, desk, put, lang):
    app = open_page("finetune", lang=lang, run=put())
    table = app.dataframe[0].value
    names = [translate(name, lang) for name in ("This run", "Base model", "last close")]
    names[2] = names[2][:1].upper() + names[2][1:]
    assert table["name"].to_list()[:3] == names
    assert table["coverage_90"].between(0, 1).all()
    assert len(app.get("plotly_chart")) == 2
    verdict = desk.tuning.get("first-try").report["test"]["verdict"]
    assert translate(verdict["msgid"], lang).format(**verdict["params"])[:12] in page_text(app)
    assert app.get_by_key("finetune.register.first-try").label == translate("Register", lang)


def test_a_run_that_made_the_model_worse_says_so_in_red(open_page, desk, put):
    run_id = put()
    path = desk.settings.home / "runs" / run_id / "report.json"
    report = json.loads(path.read_text())
    for part in report.values():
        part["worse"] = True
    path.write_text(json.dumps(report))
    app = open_page("finetune", run=run_id)
    assert "forecasts worse than its base model" in app.error[0].value
    assert ":red-badge[worse than the base model]" in page_text(app)


def test_an_interrupted_run_is_found_and_offers_to_go_on(open_page, desk, put):
    run_id = put(state="running", phase="predictor", step=4, steps=6)
    app = open_page("finetune", run=run_id)
    assert "It was interrupted" in app.warning[0].value
    app.get_by_key(f"finetune.resume.{run_id}").click().run()
    assert not app.error
    assert wait_for_end(desk.tuning, run_id).state == "finished", desk.tuning.tail(run_id)


def test_a_failed_run_says_why_and_shows_its_log(open_page, put):
    reason = {
        "msgid": "There was not enough memory: choose a smaller batch, or more gradient accumulation.",
        "params": {},
    }
    run_id = put(state="failed", error=reason)
    app = open_page("finetune", run=run_id)
    assert "not enough memory" in app.error[0].value
    assert "Try again" in labels_of(app.button)
    assert app.code
    app = open_page("finetune", lang="zh_CN", run=run_id)
    assert "内存不足" in app.error[0].value


def test_runs_are_listed_with_state_and_scores(open_page, put):
    put("one")
    put("two", state="paused")
    app = open_page("finetune")
    shown_text = page_text(app)
    assert "**one** :green-badge[finished]" in shown_text
    assert "**two** :orange-badge[paused]" in shown_text
    assert "CRPS ratio to the base model" in shown_text
    assert "Resume" in labels_of(app.button)


def test_a_run_is_copied_with_changes(open_page, desk, put):
    set_id = take_sample(desk).id
    run_id = put()
    app = open_page("finetune", run=run_id)
    app.get_by_key(f"finetune.clone.{run_id}").click().run()
    assert not app.error
    assert "run" not in app.query_params
    assert app.get_by_key(key("name")).value == "first try 2"
    assert app.get_by_key(key("window.lookback")).value == 24
    assert app.get_by_key(key("predictor.steps")).value == 6
    assert app.session_state["finetune.sets"] == [set_id]
    assert "Start" in labels_of(app.button)


def test_a_run_is_discarded_after_a_question(open_page, desk, put):
    run_id = put()
    app = open_page("finetune", run=run_id)
    app.get_by_key(f"finetune.delete.{run_id}").click().run()
    assert desk.tuning.list()
    app.get_by_key("app.confirm").click().run()
    assert desk.tuning.list() == []
    assert "run" not in app.query_params


def test_two_runs_stand_side_by_side(open_page, desk, put):
    ids = [put("one"), put("two")]
    path = desk.settings.home / "runs" / "two" / "desk.json"
    kept = json.loads(path.read_text())
    kept["config"]["predictor"]["learning_rate"] = 0.001
    path.write_text(json.dumps(kept))
    app = open_page("finetune")
    app.get_by_key(finetune_keys.VIEW).set_value("compare").run()
    app.get_by_key(finetune_keys.COMPARED).set_value(ids).run()
    assert app.query_params["compare"] == ids
    assert app.get("plotly_chart")
    differences, scores = (element.value for element in app.dataframe)
    assert differences["Setting"].to_list() == ["Predictor · Learning rate"]
    assert differences["two"].to_list() == ["0.001"]
    assert scores["name"].to_list()[0].startswith("one")


@pytest.fixture
def registered(desk, put):
    """Register two versions of a model."""
    run_id = put()
    return [desk.registry.register(run_id, "mine", note) for note in ("the first", "the second")]


@pytest.mark.parametrize("lang", LANGUAGES)
def test_models_made_here_are_listed_with_their_versions(open_page, registered, lang):
    shown_text = page_text(open_page("models", lang=lang))
    assert translate("Registered models", lang) in shown_text
    assert translate("version {version}", lang).format(version="mine@2") in shown_text
    assert "**mine@1**" in shown_text
    assert "the first" in shown_text
    assert shown_text.count(translate("candidate", lang)) >= 2


def test_a_version_is_promoted_retired_and_restored(open_page, desk, registered):
    app = open_page("models")
    app.get_by_key("models.promote.mine@1").click().run()
    assert desk.models.status("mine").registered == "mine@1"
    app.get_by_key("models.retire.mine@1").click().run()
    assert desk.models.status("mine").registered == "mine@2"
    app.get_by_key("models.retire.mine@2").click().run()
    assert "mine" not in [status.name for status in desk.models.list()]
    app.get_by_key("models.restore.mine@2").click().run()
    assert desk.registry.get("mine", 2).state == "candidate"
    assert not app.error


def test_exactly_one_version_is_used_for_forecasts(open_page, desk, sample, registered):
    app = open_page("models")
    app.get_by_key("models.pin.mine@1").click().run()
    app.switch_page("../../pages/forecast.py").run()
    assert not app.exception
    assert app.get_by_key(keys.MODEL).value == "mine@1"
    app.switch_page("../../pages/live.py").run()
    assert not app.exception
    desk.registry.delete("mine", 1)
    app.switch_page("../../pages/forecast.py").run()
    assert not app.exception
    assert app.get_by_key(keys.MODEL).value == "kronos-nano"


def test_two_versions_are_compared_and_one_deleted(open_page, desk, registered):
    app = open_page("models")
    app.get_by_key(models_keys.FIRST).set_value("mine@1")
    app.get_by_key(models_keys.SECOND).set_value("mine@2").run()
    table = app.table[0].value
    assert list(table.columns) == ["mine@1", "mine@2"]
    assert table.loc["Note"].to_list() == ["the first", "the second"]
    assert "CRPS · This run" in table.index
    app.get_by_key("models.delete.mine@1").click().run()
    app.get_by_key("app.confirm").click().run()
    assert [one.label for one in desk.registry.list()] == ["mine@2"]


def test_an_unknown_run_is_told_in_words(open_page):
    app = open_page("finetune", run="../../etc")
    assert "There is no run" in app.error[0].value


def test_every_setting_of_the_form_is_a_field_with_a_help_text():
    for path in LABELS:
        assert field_of(path).description
    for path, value in FIRST.items():
        assert type(field_of(path).get_default()) in {type(value), type(None)}


def test_the_card_of_an_earlier_version_loads_no_image():
    from kronos_app.widgets.finetune.run import card_body

    card = "---\ntags: [a]\n---\n# Run\n\n| ![x](https://evil.example/a.png) | AAPL |\n"
    assert card_body(card) == "# Run\n\n| \\!\\[x](https://evil.example/a.png) | AAPL |\n"

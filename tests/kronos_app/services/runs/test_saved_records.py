"""Records of other versions: unknown fields are ignored; what cannot be read is listed with its reason."""

import json
import shutil
from dataclasses import asdict
from io import BytesIO
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq
import pytest
import sqlalchemy as sa

from kronos_app.data import draft_file
from kronos_app.data.draft import BadCell, Draft, Finding
from kronos_app.errors import Conflict, InvalidInput, NotFound
from kronos_app.i18n import text
from kronos_app.services.candles.uploads import UploadOptions
from kronos_app.services.desk import Desk
from kronos_app.services.forecast.service import ForecastRequest
from kronos_app.store import tables
from kronos_app.store.ledger import Follow
from kronos_app.store.registry import RegisteredModel

KINDS = ("runs", "evaluations", "backtests")
FOLLOW = Follow("f1", "binance", "BTC/USDT", "1h", {"model": "tiny", "lookback": 40, "horizon": 4}, 900)
MODEL = RegisteredModel("mine", 1, "a-run", "tiny", "full", 10, 64, "ab" * 32, scores={"tuned": {"crps": 1.0}})


def service(desk, kind):
    return desk.tuning if kind == "runs" else getattr(desk, kind)


def ids(desk, kind):
    return [view.id for view in service(desk, kind).list()]


def unreadable_of(desk, kind):
    return service(desk, kind).read_all()[1]


@pytest.mark.parametrize("kind", KINDS)
def test_a_folder_of_an_earlier_revision_is_listed(saved_folders, desk, kind):
    [view] = service(desk, kind).list()
    assert (view.id, view.state, view.error) == (saved_folders[kind].name, "finished", None)
    assert service(desk, kind).get(view.id).created == view.created
    assert unreadable_of(desk, kind) == []


@pytest.mark.parametrize("kind", KINDS)
def test_unknown_fields_of_a_folder_are_ignored_and_logged(saved_folders, edit_json, desk, kind, caplog):
    def add(saved):
        saved["colour"] = "blue"
        saved["request"]["data"]["shade"] = [2]

    edit_json(saved_folders[kind] / "desk.json", add)
    [view] = service(desk, kind).list()
    assert (view.id, view.state) == (saved_folders[kind].name, "finished")
    assert unreadable_of(desk, kind) == []
    assert "colour, request.data.shade" in caplog.text or "request.data.shade, colour" in caplog.text


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("field", ["created", "request"])
def test_a_folder_that_lacks_a_field_is_listed_as_unreadable_and_can_be_deleted(
    saved_folders, edit_json, desk, kind, field, caplog
):
    folder = saved_folders[kind]
    edit_json(folder / "desk.json", lambda saved: saved.pop(field))
    assert ids(desk, kind) == []
    [unreadable] = unreadable_of(desk, kind)
    assert unreadable.id == folder.name
    assert unreadable.reason.render() == f"desk.json lacks the field {field}."
    assert str(folder) in caplog.text
    with pytest.raises(Conflict, match=f"{folder.name} cannot be read: desk.json lacks the field {field}"):
        service(desk, kind).get(folder.name)
    service(desk, kind).delete(folder.name)
    assert not folder.exists()
    assert unreadable_of(desk, kind) == []
    with pytest.raises(NotFound):
        service(desk, kind).delete(folder.name)


@pytest.mark.parametrize("kind", KINDS)
def test_a_list_reads_every_folder_once(saved_folders, truncate, desk, kind, monkeypatch):
    folder = saved_folders[kind]
    damaged = shutil.copytree(folder, folder.with_name("ab" * 6))
    truncate(damaged / "desk.json")
    opened = []
    read_text = Path.read_text
    monkeypatch.setattr(
        Path, "read_text", lambda path, *args, **more: opened.append(path) or read_text(path, *args, **more)
    )
    runs, unreadable = service(desk, kind).read_all()
    assert ([run.id for run in runs], [record.id for record in unreadable]) == ([folder.name], [damaged.name])
    assert sorted(path for path in opened if path.name == "desk.json") == sorted(
        path / "desk.json" for path in (folder, damaged)
    )


@pytest.mark.parametrize("kind", KINDS)
def test_a_folder_whose_record_is_cut_off_is_listed_as_unreadable(saved_folders, truncate, desk, kind):
    truncate(saved_folders[kind] / "desk.json")
    assert ids(desk, kind) == []
    [unreadable] = unreadable_of(desk, kind)
    assert unreadable.reason.render() == "desk.json is damaged or cut off."
    assert unreadable.reason.render("zh_CN") != unreadable.reason.render()


@pytest.mark.parametrize("kind", ["evaluations", "backtests"])
def test_a_result_that_is_cut_off_says_so_and_can_be_made_again(saved_folders, truncate, desk, kind):
    truncate(saved_folders[kind] / "report.json")
    [view] = service(desk, kind).list()
    assert view.state == "interrupted"
    assert view.error.render() == "report.json is damaged or cut off."


def test_the_status_and_the_config_of_a_run_may_have_unknown_fields(saved_folders, edit_json, desk):
    run = saved_folders["runs"]
    edit_json(run / "status.json", lambda saved: saved.update(mood="good"))
    edit_json(run / "desk.json", lambda saved: saved["config"]["judge"].update(mood="good"))
    [view] = desk.tuning.list()
    assert (view.state, len(view.notes)) == ("finished", 3)


def test_a_run_whose_config_lacks_a_section_has_the_defaults_of_this_version(saved_folders, edit_json, desk):
    edit_json(saved_folders["runs"] / "desk.json", lambda saved: saved["config"].pop("method"))
    [view] = desk.tuning.list()
    assert view.method == "full"


@pytest.mark.parametrize("damage", ["cut off", "another state"])
def test_a_run_whose_status_cannot_be_read_is_interrupted_and_says_why(
    saved_folders, edit_json, truncate, desk, damage
):
    file = saved_folders["runs"] / "status.json"
    if damage == "cut off":
        truncate(file)
    else:
        edit_json(file, lambda saved: saved.update(state="dreaming"))
    [view] = desk.tuning.list()
    assert view.state == "interrupted"
    assert view.error.render().startswith("status.json")


def test_a_registered_model_in_an_unknown_state_is_listed_as_unreadable_and_can_be_deleted(desk):
    desk.store.registered.put(MODEL)
    rows = tables.registered_models
    desk.store._database.execute(rows.update().values(state="archived"))
    assert desk.registry.list() == []
    [unreadable] = desk.registry.unreadable()
    assert unreadable.id == "mine@1"
    assert "state" in unreadable.reason.render()
    with pytest.raises(Conflict, match="mine@1 cannot be read"):
        desk.registry.get("mine", 1)
    desk.registry.delete("mine", 1)
    assert desk.registry.unreadable() == []


def test_the_settings_of_a_follow_may_have_unknown_and_missing_fields(desk):
    settings = {"model": "tiny", "horizon": 4, "mood": "good"}
    desk.store.follows.put(Follow(**vars(FOLLOW) | {"settings": settings}))
    [status] = desk.following.list()
    assert status.settings["lookback"] == 400
    assert "mood" not in status.settings


def test_a_follow_with_an_impossible_setting_is_listed_as_unreadable_and_can_be_deleted(desk):
    desk.store.follows.put(Follow(**vars(FOLLOW) | {"settings": FOLLOW.settings | {"horizon": "many"}}))
    assert desk.following.list() == []
    [unreadable] = desk.following.unreadable()
    assert unreadable.id == "f1"
    assert "horizon" in unreadable.reason.render()
    with pytest.raises(Conflict, match="f1 cannot be read"):
        desk.following.get("f1")
    assert desk.following.tick() is False
    desk.following.delete("f1")
    assert desk.following.unreadable() == []


def test_rows_that_are_damaged_are_listed_as_unreadable_and_can_be_deleted(settings, make_spec):
    url = f"sqlite:///{settings.home / 'kronos.sqlite'}"  # DuckDB's JSON type accepts no damaged text
    desk = Desk(settings.model_copy(update={"database_url": url}), {"tiny": make_spec()})
    try:
        desk.store.follows.put(FOLLOW)
        desk.store.registered.put(MODEL)
        for change in ("UPDATE follows SET settings = '{\"mod'", "UPDATE registered_models SET scores = '{\"mod'"):
            desk.store._database.execute(sa.text(change))
        assert (desk.following.list(), desk.registry.list()) == ([], [])
        assert [one.id for one in desk.following.unreadable()] == ["f1"]
        assert [one.id for one in desk.registry.unreadable()] == ["mine@1"]
        desk.following.delete("f1")
        desk.registry.delete("mine", 1)
        assert (desk.following.unreadable(), desk.registry.unreadable()) == ([], [])
    finally:
        desk.close()


@pytest.fixture
def draft():
    frame = pd.DataFrame({"timestamp": pd.date_range("2024-01-01", periods=2), "close": [1.0, 2.0]})
    finding = Finding("order", "info", text("Sorted {count} rows.", count=2), (1, 2))
    return Draft(frame, "a.csv", "upload", bad_cells=(BadCell(1, "close", "x"),), findings=(finding,))


def changed(draft, **fields):
    """Return a draft as a file in which another version changed the description."""
    table = pq.read_table(BytesIO(draft_file.to_bytes(draft)))
    about = json.loads(table.schema.metadata[b"kronos.draft"]) | fields
    buffer = BytesIO()
    pq.write_table(table.replace_schema_metadata({b"kronos.draft": json.dumps(about).encode()}), buffer)
    return buffer.getvalue()


def test_a_saved_draft_may_have_unknown_fields(draft):
    read = draft_file.from_bytes(changed(draft, mood="good"))
    assert (read.name, read.bad_cells, read.findings) == (draft.name, draft.bad_cells, draft.findings)


@pytest.mark.parametrize("fields", [{"name": None}, {"findings": [{"code": "order"}]}])
def test_a_saved_draft_with_an_impossible_field_is_damaged(draft, fields):
    with pytest.raises(ValueError, match="a saved draft"):
        draft_file.from_bytes(changed(draft, **fields))


def test_a_fetched_file_that_is_cut_off_is_told_from_one_that_is_gone(draft, settings, truncate):
    from kronos_app.services.candles.fetched import FetchedDrafts

    drafts = FetchedDrafts(settings.home / "fetched")
    draft_id = drafts.put(draft)
    truncate(settings.home / "fetched" / f"{draft_id}.parquet")
    with pytest.raises(NotFound, match="file is damaged"):
        drafts.get(draft_id)
    with pytest.raises(NotFound, match="not stored any more"):
        drafts.get("ab" * 16)


def test_the_options_of_an_upload_may_have_unknown_fields():
    options = UploadOptions(repair="drop", interval="1h")
    content = json.dumps(json.loads(options.to_json()) | {"mood": "good"})
    assert asdict(UploadOptions.from_json(content)) == asdict(options) | {"fixes": []}


def test_the_request_of_a_job_may_have_unknown_fields_but_a_form_may_not():
    fields = {"candles_id": "ab", "mood": "good"}
    assert ForecastRequest.read(fields, "a job").candles_id == "ab"
    with pytest.raises(InvalidInput, match="mood is not a known field"):
        ForecastRequest.build(fields)
    with pytest.raises(InvalidInput, match="a job lacks the field candles_id"):
        ForecastRequest.read({}, "a job")

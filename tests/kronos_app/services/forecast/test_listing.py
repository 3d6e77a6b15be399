"""The list of forecasts as page, API and CSV show it, and what users write about a forecast."""

import csv
import io

import pytest

from kronos_app.errors import InvalidInput, NotFound
from kronos_app.services.forecast.listing import LONGEST_NOTE, Annotation, ForecastItems
from kronos_app.services.forecast.request import ForecastRequest
from kronos_app.store.records import ForecastFilter


@pytest.fixture
def two(desk, finished, make_frame):
    """Return the ids of a replay and of a forecast of the future, from candles of which one row was repaired."""
    frame = make_frame(60)
    frame.loc[5, "close"] = float("nan")
    candles = desk.candles.keep(desk.candles.read(frame.to_csv(index=False).encode(), "walk.csv"), "drop")
    desk.start()
    fields = {"candles_id": candles.id, "model": "tiny", "lookback": 40, "horizon": 4, "samples": 3, "seed": 1}
    requests = [
        ForecastRequest.build(fields | {"cutoff": candles.candles.timestamps[-10], "temperature": 0.6, "top_p": 0.9}),
        ForecastRequest.build(fields | {"temperature": 0.75, "top_p": 1.0}),
    ]
    ids = [finished(desk.forecasts.submit(request).job_id).result_id for request in requests]
    desk.ledger.sweep()
    return ids


def test_a_line_names_settings_scores_and_what_is_special_about_the_data(desk, two):
    future, replay = desk.forecasts.list()
    assert [future.id, replay.id] == two[::-1]
    assert (replay.replay, replay.preset, future.replay, future.preset) == (True, "conservative", False, None)
    assert replay.marks == future.marks == ["repaired"]
    comparison = desk.forecasts.get(two[0]).comparison
    assert (replay.crps_ratio, replay.coverage) == (comparison.crps_ratio, comparison.coverage)
    assert (future.crps_ratio, future.coverage) == (None, None)
    assert replay.weights == desk.models.get("tiny").digest


def test_tags_and_a_note_are_changed_one_by_one(desk, two):
    annotate = desk.forecasts.annotate
    assert annotate(two[0], Annotation.build({"tags": [" gold\n ", "gold", "多头"]})).tags == ("gold", "多头")
    assert annotate(two[0], Annotation.build({"note": "seen"})).tags == ("gold", "多头")
    line = annotate(two[0], Annotation.build({"tags": []}))
    assert (line.tags, line.note) == ((), "seen")
    with pytest.raises(NotFound):
        annotate("unknown", Annotation.build({"note": "seen"}))


@pytest.mark.parametrize(
    "fields",
    [{"tags": ["x" * 31]}, {"tags": [""]}, {"tags": [f"{n}" for n in range(11)]}, {"note": "x" * (LONGEST_NOTE + 1)}],
)
def test_tags_and_notes_have_limits(fields):
    with pytest.raises(InvalidInput):
        Annotation.build(fields)


def test_tags_of_several_are_changed_all_or_none(desk, two):
    desk.forecasts.annotate(two[0], Annotation.build({"tags": [str(number) for number in range(9)]}))
    desk.forecasts.change_tags(two, ["new"], ["0"])
    assert [line.tags for line in desk.forecasts.list()] == [("new",), (*"12345678", "new")]
    with pytest.raises(InvalidInput):
        desk.forecasts.change_tags(two[::-1], ["a", "b"], [])
    assert desk.forecasts.list()[0].tags == ("new",)
    assert desk.forecasts.tags() == [*"12345678", "new"]


def test_a_table_of_the_list_has_no_formulas(desk, two):
    desk.forecasts.annotate(two[0], Annotation.build({"tags": ["@a", "b"], "note": "=1+1\nmore"}))
    items = desk.forecasts.list(ForecastFilter(replay=True))
    row = next(csv.DictReader(io.StringIO(ForecastItems(total=1, forecasts=items).to_csv())))
    assert (row["tags"], row["note"]) == ("'@a, b", "'=1+1 more")
    assert (row["model"], row["preset"], row["temperature"], row["marks"]) == (
        "tiny",
        "conservative",
        "0.6",
        "repaired",
    )
    assert float(row["crps_ratio"]) == items[0].crps_ratio
    assert row["cutoff"] == items[0].cutoff.isoformat()


def test_deleted_forecasts_leave_no_tags(desk, two):
    desk.forecasts.change_tags(two, ["gold"], [])
    desk.forecasts.delete(*two)
    assert (desk.forecasts.list(), desk.forecasts.tags()) == ([], [])

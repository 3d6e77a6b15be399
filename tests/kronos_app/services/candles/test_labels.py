"""Names and tags of data sets: no two have one name, and what was given stays when candles are saved again."""

import pytest

from kronos_app.errors import Conflict, InvalidInput
from kronos_app.services.candles.labels import LabelChange
from kronos_app.services.core.labels import LONGEST_NAME, LONGEST_TAG, MOST_TAGS
from kronos_app.services.forecast.request import ForecastRequest
from kronos_app.store.records import CandleSetFilter


def change(desk, candles_id, **fields):
    desk.candles.labels.change(candles_id, LabelChange.build(fields))
    return desk.candles.info(candles_id)


def titles(desk, **wanted):
    return sorted(info.title for info in desk.candles.list(CandleSetFilter(**wanted)))


def test_a_renamed_set_keeps_the_name_of_its_file_and_gets_it_back(desk, save, make_frame):
    saved = save(make_frame())
    info = change(desk, saved.id, name="  Walk\n of\u202e hours ")
    assert (info.title, info.name) == ("Walk of hours", "walk.csv")
    assert desk.candles.get(saved.id).title == "Walk of hours"
    assert desk.candles.get(saved.id).candles.name == "walk.csv"
    assert change(desk, saved.id, name=None).title == "walk.csv"


def test_a_name_that_another_set_has_is_refused_when_renaming_and_numbered_when_saving(desk, save, make_frame):
    first, second = (save(make_frame(seed=seed), "AAPL") for seed in (0, 1))
    assert [first.title, second.title] == ["AAPL", "AAPL (2)"]
    assert save(make_frame(seed=2), "aapl").title == "aapl (3)"
    longest = "x" * LONGEST_NAME
    assert [save(make_frame(seed=seed), longest).title for seed in (3, 4)] == [
        longest,
        "x" * (LONGEST_NAME - 4) + " (2)",
    ]
    with pytest.raises(Conflict) as refused:
        change(desk, second.id, name="aapl")
    assert refused.value.code == "name_taken"
    assert "“aapl”" in refused.value.message.render()
    with pytest.raises(Conflict):
        change(desk, second.id, name=None)
    assert change(desk, second.id, name="AAPL (2)").title == "AAPL (2)"


def test_candles_that_are_saved_again_keep_name_and_tags(desk, save, make_frame):
    saved = save(make_frame())
    change(desk, saved.id, name="mine", tags=["daily", "美股"])
    again = save(make_frame(), "another.csv")
    assert (again.id, again.title, again.tags) == (saved.id, "mine", ("daily", "美股"))
    assert desk.candles.info(saved.id).title == "mine"
    assert desk.candles.count() == 1


def test_a_name_and_tags_are_stated_when_candles_are_saved(desk, make_frame):
    draft = desk.candles.read(make_frame().to_csv(index=False).encode(), "walk.csv")
    repaired, report = desk.candles.preview(draft, None), desk.candles.inspect(draft)
    assert desk.candles.save(repaired, report, "My walk", ["a", "b", "a"]).tags == ("a", "b")
    with pytest.raises(InvalidInput, match="name is too long"):
        desk.candles.save(repaired, report, "x" * (LONGEST_NAME + 1))


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"name": " \n"}, "name is empty"),
        ({"tags": ["x" * (LONGEST_TAG + 1)]}, "tags.0 is too long"),
        ({"tags": [f"t{number}" for number in range(MOST_TAGS + 1)]}, "tags has too many values"),
        ({"tags": ["\u200b"]}, "tags.0 is empty"),
        ({"title": "x"}, "title is not a known field"),
    ],
)
def test_limits_of_names_and_tags_are_said(fields, message):
    with pytest.raises(InvalidInput, match=message):
        LabelChange.build(fields)


def test_the_list_is_filtered_by_text_and_by_whole_tags(desk, save, make_frame):
    for seed, tags in enumerate((["fx", "100%"], ["fx"], ["fxx"], [])):
        change(desk, save(make_frame(seed=seed), f"set {seed}").id, name=f"Set_{seed}", tags=tags)
    assert titles(desk, tags=("fx",)) == ["Set_0", "Set_1"]
    assert titles(desk, tags=("fx", "100%")) == ["Set_0"]
    assert titles(desk, tags=("_x",)) == []
    assert titles(desk, text="set_3") == ["Set_3"]
    assert titles(desk, text="set_1", tags=("fx",)) == ["Set_1"]
    assert desk.candles.count(CandleSetFilter(tags=("fxx",))) == 1
    assert desk.candles.labels.all_tags() == ["100%", "fx", "fxx"]


def test_a_forecast_keeps_the_name_of_its_data_set_and_the_list_has_the_present_one(desk, save, make_frame, finished):
    saved = save(make_frame(60))
    request = ForecastRequest.build(
        {"candles_id": saved.id, "model": "tiny", "lookback": 32, "horizon": 4, "samples": 2}
    )
    change(desk, saved.id, name="before")
    finished(desk.forecasts.submit(request).job_id)
    change(desk, saved.id, name="after")
    (info,) = desk.forecasts.list()
    assert (info.candles_name, info.data_set, info.title) == ("before", "after", "after (before)")
    assert desk.forecasts.data_sets() == {saved.id: "after"}
    desk.ledger.sweep()
    assert desk.ledger.get(info.id).name == "walk.csv", "by which the ledger finds later candles"
    desk.candles.delete(saved.id)
    (info,) = desk.forecasts.list()
    assert (info.data_set, info.title) == (None, "before")

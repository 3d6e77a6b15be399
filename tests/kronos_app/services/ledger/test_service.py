"""Every forecast is noted and graded when its candles have come, whoever asked for it."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from kronos_app.data.about import About
from kronos_app.data.candle_frame import CandleFrame
from kronos_app.errors import NotFound
from kronos_app.services.forecast.request import ForecastRequest
from kronos_app.services.ledger.service import LedgerService
from kronos_app.services.ledger.views import entry_json
from kronos_app.store.ledger import LedgerFilter
from kronos_app.store.series import SeriesKey

HORIZON = 8


@pytest.fixture
def made(desk, finished):
    """Return a function that has a forecast of a candle set made and returns its id."""

    def make(saved, cutoff=None, **fields):
        asked = {"model": "tiny", "lookback": 40, "horizon": HORIZON, "samples": 6, "seed": 1} | fields
        if cutoff is not None:
            asked["cutoff"] = saved.candles.timestamps[cutoff].to_pydatetime()
        sent = desk.forecasts.submit(ForecastRequest.build(asked | {"candles_id": saved.id}))
        return sent.forecast_id or finished(sent.job_id).result_id

    return make


@pytest.fixture
def keep(desk):
    """Return a function that keeps candles of a symbol, as a fetch does."""

    def keep(frame, *, symbol="AAPL", source="yahoo", timezone="UTC", adjustment=None, name=None):
        draft = desk.candles.read(frame.to_csv(index=False).encode(), f"{name or symbol}.csv")
        about = About(symbol, "1h", adjustment)
        draft = replace(draft, name=name or symbol, source=source, timezone=timezone, about=about)
        return desk.candles.keep(draft)

    return keep


@pytest.fixture
def recent(make_frame):
    """Return a function that makes candles of which the last one ended at the hour before now."""

    def make(rows, later=0):
        last = datetime.now(UTC).replace(tzinfo=None, minute=0, second=0, microsecond=0) - timedelta(hours=1)
        frame = make_frame(rows + later)
        frame["timestamp"] = [last + timedelta(hours=n - rows + 1) for n in range(rows + later)]
        return frame

    return make


def swept(desk):
    while desk.ledger.sweep():
        pass


def test_a_replay_is_noted_and_graded_at_once(desk, save, made, make_frame):
    forecast_id = made(save(make_frame(60)), cutoff=49)
    swept(desk)
    entry = desk.ledger.get(forecast_id)
    assert (entry.state, entry.matched, entry.ahead) == ("graded", HORIZON, False)
    assert entry.grade["scores"]["model"]["crps"] == pytest.approx(
        desk.forecasts.get(forecast_id).comparison.scores[0].crps
    )


def test_a_forecast_of_the_future_waits_for_its_candles(desk, save, made, make_frame):
    forecast_id = made(save(make_frame(60)))
    swept(desk)
    entry = desk.ledger.get(forecast_id)
    assert (entry.state, entry.matched, entry.grade) == ("pending", 0, None)
    assert desk.ledger.summary([entry]).static == 1


def test_only_what_was_made_before_its_first_candle_had_ended_counts_as_made_ahead(
    desk, save, made, make_frame, recent
):
    old, new = made(save(make_frame(60))), made(save(recent(60), "recent.csv"))
    swept(desk)
    assert not desk.ledger.get(old).ahead
    assert desk.ledger.get(new).ahead


def test_a_later_data_set_of_the_same_symbol_grades_it_in_parts_and_then_whole(desk, keep, made, make_frame):
    forecast_id = made(keep(make_frame(60)))
    keep(make_frame(63))
    swept(desk)
    entry = desk.ledger.get(forecast_id)
    assert (entry.state, entry.matched) == ("partial", 3)
    assert desk.ledger.summary([entry]).total is None
    keep(make_frame(70))
    swept(desk)
    entry = desk.ledger.get(forecast_id)
    assert (entry.state, entry.matched) == ("graded", HORIZON)
    assert desk.ledger.summary([entry]).total.forecasts == 1


def test_the_series_in_the_store_grades_it(desk, keep, made, make_frame):
    forecast_id = made(keep(make_frame(60), timezone="America/New_York", adjustment="adjusted"))
    frame = make_frame(70).astype({"timestamp": "datetime64[ns]"})
    about = About("AAPL", "1h", "adjusted")
    desk.store.series.merge(
        SeriesKey("yahoo", "AAPL", "1h", "none"), CandleFrame(frame, "AAPL", "yahoo", "America/New_York", about)
    )
    swept(desk)
    assert desk.ledger.get(forecast_id).state == "pending"
    desk.store.series.merge(
        SeriesKey("yahoo", "AAPL", "1h", "adjusted"), CandleFrame(frame, "AAPL", "yahoo", "America/New_York", about)
    )
    swept(desk)
    entry = desk.ledger.get(forecast_id)
    assert (entry.state, entry.matched, entry.until) == ("graded", HORIZON, frame["timestamp"].iloc[-1])


def test_another_symbol_source_or_adjustment_grades_nothing(desk, keep, made, make_frame):
    forecast_id = made(keep(make_frame(60), adjustment="adjusted"))
    keep(make_frame(70), symbol="MSFT")
    keep(make_frame(71), source="kraken")
    keep(make_frame(72, seed=5), adjustment="adjusted")
    keep(make_frame(73), adjustment="none")
    swept(desk)
    assert desk.ledger.get(forecast_id).state == "pending"


def test_uploads_of_one_name_are_one_series_only_where_their_prices_say_so(desk, save, made, make_frame):
    forecast_id = made(save(make_frame(60)))
    save(make_frame(70, seed=5))
    swept(desk)
    assert desk.ledger.get(forecast_id).state == "pending"
    save(make_frame(70))
    swept(desk)
    assert desk.ledger.get(forecast_id).state == "graded"


def test_the_last_candle_of_an_upload_does_not_count_before_it_has_ended(desk, save, made, recent):
    forecast_id = made(save(recent(60)), cutoff=57, horizon=3)
    running = made(save(recent(60, later=1), "running.csv"), cutoff=57, horizon=3)
    swept(desk)
    assert [desk.ledger.get(one).matched for one in (forecast_id, running)] == [2, 2]


def test_a_grade_outlives_the_forecast_and_its_candles(desk, save, made, make_frame):
    saved = save(make_frame(60))
    forecast_id = made(saved, cutoff=49)
    swept(desk)
    before = desk.ledger.get(forecast_id)
    desk.forecasts.delete(forecast_id)
    desk.candles.delete(saved.id)
    swept(desk)
    assert desk.ledger.get(forecast_id) == before


def test_a_forecast_whose_data_set_is_gone_is_graded_by_another(desk, keep, made, make_frame):
    saved = keep(make_frame(60))
    forecast_id = made(saved)
    swept(desk)
    desk.candles.delete(saved.id)
    keep(make_frame(70))
    swept(desk)
    assert desk.ledger.get(forecast_id).state == "graded"


def test_a_forecast_deleted_before_it_was_graded_is_told_as_lost(desk, keep, made, make_frame):
    forecast_id = made(keep(make_frame(60)))
    swept(desk)
    desk.forecasts.delete(forecast_id)
    keep(make_frame(70))
    swept(desk)
    assert desk.ledger.get(forecast_id).state == "lost"


def test_forecasts_of_an_earlier_version_are_entered_too_and_nothing_twice(desk, save, made, make_frame):
    saved = save(make_frame(60))
    forecasts = {made(saved, cutoff=cutoff) for cutoff in (47, 48, 49)}
    again = LedgerService(desk.store)
    for _ in range(2):
        swept(desk)
        while again.sweep():
            pass
    assert {entry.id for entry in desk.ledger.list()} == forecasts


def test_a_sweep_takes_on_little_and_says_that_there_is_more(desk, save, made, make_frame, monkeypatch):
    saved = save(make_frame(60))
    for cutoff in (47, 48, 49):
        made(saved, cutoff=cutoff)
    monkeypatch.setattr("kronos_app.services.ledger.service.GRADED_AT_ONCE", 2)
    assert desk.ledger.sweep()
    assert [entry.state for entry in desk.ledger.list()].count("graded") == 2
    assert not desk.ledger.sweep()
    assert {entry.state for entry in desk.ledger.list()} == {"graded"}


def test_what_grades_nothing_is_not_read_again(desk, save, made, make_frame, monkeypatch):
    made(save(make_frame(60)))
    save(make_frame(70, seed=5))
    swept(desk)
    monkeypatch.setattr(desk.store.candles, "get", lambda _id: pytest.fail("read again"))
    swept(desk)


def test_the_list_is_filtered_by_model_symbol_and_kind(desk, keep, made, make_frame, recent):
    replay, ahead = made(keep(make_frame(60)), cutoff=49), made(keep(recent(60), symbol="MSFT"))
    swept(desk)
    assert [entry.id for entry in desk.ledger.list(LedgerFilter(ahead=True))] == [ahead]
    assert [entry.id for entry in desk.ledger.list(LedgerFilter(symbol="AAPL"))] == [replay]
    assert len(desk.ledger.list(LedgerFilter(model="tiny"))) == 2
    assert desk.ledger.list(LedgerFilter(model="other")) == []


def test_forecasts_of_files_are_not_waited_for(desk, save, keep, made, make_frame, recent):
    upload, market = made(save(make_frame(60))), made(keep(recent(60)))
    swept(desk)
    entries = desk.ledger.list()
    assert {entry.id: desk.ledger.is_static(entry) for entry in entries} == {upload: True, market: False}
    summary = desk.ledger.summary(entries)
    assert (summary.waiting, summary.static) == (1, 1)


def test_an_entry_that_is_not_there_is_told(desk):
    with pytest.raises(NotFound):
        desk.ledger.get("0" * 32)


def test_an_entry_is_told_as_json(desk, save, made, make_frame):
    forecast_id = made(save(make_frame(60)), cutoff=49)
    swept(desk)
    told = entry_json(desk.ledger.get(forecast_id))
    assert told["forecast_id"] == forecast_id
    assert told["step_seconds"] == 3600
    assert told["cutoff"] == "2024-03-03T01:00:00"
    assert told["grade"]["scores"]["ewma"]["crps"] > 0

"""Following series: who is looked at when, what a look leaves behind, and what goes wrong. Nobody sleeps here."""

from datetime import UTC, datetime, timedelta

import pandas as pd
import pytest

from kronos_app.data.candle_frame import CandleFrame
from kronos_app.errors import Conflict, InvalidInput, NotFound
from kronos_app.services.forecast.request import ForecastRequest
from kronos_app.services.live.schedule import next_check, retry_pause, suggest_cadence
from kronos_app.services.live.service import PATIENCE
from kronos_app.services.live.views import FollowRequest
from kronos_app.services.live.worker import append_candles
from kronos_app.store.ledger import LedgerFilter
from tests.growing_market import GrowingSource, family

BTC = {"source": "binance", "symbol": "BTC/USDT", "interval": "1h"}
SMALL = {"model": "tiny", "lookback": 40, "horizon": 4, "samples": 4}


@pytest.fixture
def source(clock):
    return GrowingSource(clock)


@pytest.fixture
def make_desk(open_desk, settings, make_spec, source, clock):
    """Return a function that opens a desk on the growing market, without a keeper."""

    def make(**fields):
        desk = open_desk(settings.model_copy(update=fields), {"tiny": make_spec()}, [family(source)], clock=clock)
        desk.jobs.start()
        return desk

    return make


@pytest.fixture
def desk(make_desk):
    return make_desk()


@pytest.fixture
def looked(desk, finished):
    """Return a function that lets the follows be looked at that are due, and returns the jobs."""

    def looked():
        jobs = []
        while True:
            before = {job.id for job in desk.jobs.list()}
            desk.following.tick()
            new = [job for job in desk.jobs.list() if job.id not in before]
            if not new:
                return jobs
            jobs += [finished(job.id) for job in new]

    return looked


def add(desk, **fields):
    return desk.following.add(FollowRequest.build(BTC | SMALL | fields))


def test_a_series_is_looked_at_at_once_and_forecast_from_its_newest_candle(desk, looked):
    follow = add(desk)
    (job,) = looked()
    assert job.status == "succeeded", job.error
    status = desk.following.get(follow.follow_id)
    assert (status.state, status.made, status.forecast_id) == ("on", 1, job.result_id)
    stored = desk.forecasts.get(job.result_id).stored
    assert stored.cutoff == pd.Timestamp("2026-03-09 11:00")
    assert list(stored.timestamps) == list(pd.date_range("2026-03-09 12:00", periods=4, freq="h"))


def test_a_forecast_sees_only_candles_that_have_ended(desk, looked, clock, source):
    add(desk)
    looked()
    saved = desk.candles.get(desk.following.list()[0].candles_id)
    ends = saved.candles.timestamps[-1].tz_localize("UTC") + pd.Timedelta("1h")
    assert ends <= clock.present < ends + pd.Timedelta("1h")


def test_the_next_look_keeps_to_the_clock(desk, looked, clock):
    follow = add(desk)
    looked()
    assert desk.following.get(follow.follow_id).last_run == clock.present
    assert desk.following.get(follow.follow_id).next_run == datetime(2026, 3, 9, 12, 15, 15, tzinfo=UTC)
    clock.forward(minutes=14)
    assert looked() == []
    clock.forward(minutes=1)
    assert len(looked()) == 1


def test_without_a_new_candle_nothing_is_forecast(desk, looked, clock):
    follow = add(desk)
    looked()
    clock.forward(minutes=20)
    (job,) = looked()
    assert job.status == "succeeded"
    assert desk.following.get(follow.follow_id).made == 1
    assert len(desk.forecasts.list()) == 1


def test_each_new_candle_is_forecast_from_and_grades_the_forecasts_before_it(desk, looked, clock):
    follow = add(desk)
    looked()
    for _ in range(6):
        clock.forward(hours=1)
        looked()
    entries = desk.ledger.list(LedgerFilter(follow_id=follow.follow_id))
    assert len(entries) == 7
    assert {entry.follow_id for entry in entries} == {follow.follow_id}
    assert [entry.matched for entry in reversed(entries)] == [4, 4, 4, 3, 2, 1, 0]
    assert [entry.state for entry in reversed(entries)] == ["graded"] * 3 + ["partial"] * 3 + ["pending"]


def test_a_grade_compares_with_what_came_and_nothing_else(desk, looked, clock, source):
    follow = add(desk)
    looked()
    forecast = desk.forecasts.get(desk.following.get(follow.follow_id).forecast_id).stored
    for _ in range(5):
        clock.forward(hours=1)
        looked()
    view = desk.forecasts.get(forecast.id)
    truth = source.frame("BTC/USDT").set_index("timestamp")["close"].reindex(forecast.timestamps)
    assert view.actual["close"].to_list() == pytest.approx(truth.to_list())
    entry = desk.ledger.get(forecast.id)
    assert entry.grade["scores"]["model"]["crps"] == pytest.approx(view.comparison.scores[0].crps)
    assert entry.grade["scores"]["ewma"]["crps"] == pytest.approx(view.comparison.scores[3].crps)


def test_all_forecasts_of_a_series_share_one_data_set_in_which_nothing_changes(desk, looked, clock):
    add(desk)
    add(desk, horizon=3)
    looked()
    before = desk.candles.list()
    first = desk.candles.get(before[0].id).candles.frame
    for _ in range(3):
        clock.forward(hours=1)
        looked()
    (info,) = desk.candles.list()
    assert info.id == before[0].id
    assert info.rows == before[0].rows + 3
    grown = desk.candles.get(info.id).candles.frame
    pd.testing.assert_frame_equal(grown.iloc[: len(first)], first)


def test_the_series_in_the_store_grows_and_only_what_is_new_is_asked_for(desk, looked, clock, source):
    add(desk)
    looked()
    clock.forward(hours=3)
    looked()
    (info,) = desk.store.series.list()
    assert (info.key.symbol, info.last) == ("BTC/USDT", pd.Timestamp("2026-03-09 14:00", tz="UTC"))
    first, second = source.requests
    assert second.start > clock.present - timedelta(days=1) > first.start


def test_after_a_split_another_data_set_begins_and_old_forecasts_are_still_graded(desk, looked, clock, source):
    follow = add(desk)
    looked()
    before = desk.following.get(follow.follow_id)
    source.ratio = 0.1
    for _ in range(5):
        clock.forward(hours=1)
        looked()
    after_split = desk.following.get(follow.follow_id)
    assert after_split.candles_id != before.candles_id
    assert len(desk.candles.list()) == 2
    clock.forward(hours=1)
    desk.ledger.sweep()
    entry = desk.ledger.get(before.forecast_id)
    assert entry.state == "graded"
    assert entry.grade["ratio"] == pytest.approx(10)


def test_what_was_missed_while_nothing_ran_is_not_made_up_for_afterwards(desk, looked, clock):
    follow = add(desk)
    looked()
    clock.forward(hours=9)
    looked()
    assert desk.following.get(follow.follow_id).made == 2
    assert {entry.ahead for entry in desk.ledger.list()} == {False}  # this machine's clock is not the test's


def test_a_tick_begins_one_look_and_the_most_overdue_first(desk, clock, finished):
    first = add(desk)
    clock.forward(seconds=1)
    second = add(desk, symbol="ETH/USDT")
    assert desk.following.tick()
    (job,) = desk.jobs.list()
    assert job.request["follow"] == first.follow_id
    finished(job.id)
    assert not desk.following.tick()
    assert finished(desk.jobs.list()[0].id).request["follow"] == second.follow_id
    assert not desk.following.tick()


def test_no_look_begins_while_another_is_under_way(desk, clock, source, monkeypatch):
    jobs = desk.jobs
    add(desk)
    add(desk, symbol="ETH/USDT")
    monkeypatch.setattr(jobs, "submit", lambda kind, request: pytest.fail("a second look"))
    monkeypatch.setattr(jobs, "list", lambda **_: [type("Job", (), {"kind": "follow"})])
    assert desk.following.tick()


def test_looks_wait_for_forecasts_that_somebody_asked_for_though_not_for_ever(desk, clock, monkeypatch):
    add(desk)
    monkeypatch.setattr(desk.jobs, "list", lambda **_: [type("Job", (), {"kind": "forecast"})])
    begun = []
    monkeypatch.setattr(desk.jobs, "submit", lambda kind, request: begun.append(kind) or type("Job", (), {"id": "j"}))
    assert desk.following.tick()
    assert begun == []
    clock.forward(seconds=PATIENCE.total_seconds())
    desk.following.tick()
    assert begun == ["follow"]


def test_a_full_queue_is_no_failure_of_the_follow(desk, looked, monkeypatch):
    follow = add(desk)

    def full(kind, request):
        raise Conflict("queue_full", desk_text, desk_text)

    from kronos_app.i18n import text

    desk_text = text("full")
    with monkeypatch.context() as patch:
        patch.setattr(desk.jobs, "submit", full)
        desk.following.tick()
    assert desk.following.get(follow.follow_id).state == "on"
    assert len(looked()) == 1


def test_a_failure_is_shown_with_its_remedy_and_tried_again_later_and_later(desk, looked, clock, source):
    follow = add(desk)
    source.fault = "offline"
    pauses = []
    for number in range(1, 4):
        looked()
        status = desk.following.get(follow.follow_id)
        assert (status.state, status.failures) == ("failing", number)
        assert status.error.code == "offline"
        assert status.error.hint.msgid == "Try again later."
        pauses.append(status.next_run - clock.present)
        clock.present = status.next_run
    assert pauses == [timedelta(minutes=15), timedelta(minutes=30), timedelta(hours=1)]
    source.fault = None
    looked()
    status = desk.following.get(follow.follow_id)
    assert (status.state, status.failures, status.error, status.made) == ("on", 0, None, 1)


def test_one_that_fails_keeps_no_other_waiting(desk, looked, clock):
    add(desk, symbol="ETH/USDT", lookback=2, model="tiny", interval="nonsense")
    good = add(desk)
    looked()
    assert desk.following.get(good.follow_id).made == 1


def test_switched_off_nothing_is_looked_at_and_switched_on_it_is_at_once(desk, looked, clock):
    follow = add(desk)
    looked()
    assert desk.following.switch(follow.follow_id, False).state == "off"
    clock.forward(hours=5)
    assert looked() == []
    with pytest.raises(Conflict) as caught:
        desk.following.check_now(follow.follow_id)
    assert caught.value.code == "follow_is_off"
    desk.following.switch(follow.follow_id, True)
    assert len(looked()) == 1


def test_a_look_can_be_asked_for_between_two(desk, looked):
    follow = add(desk)
    looked()
    desk.following.check_now(follow.follow_id)
    assert len(looked()) == 1


def test_a_deleted_follow_leaves_its_forecasts_and_grades(desk, looked, clock):
    follow = add(desk)
    looked()
    clock.forward(hours=1)
    looked()
    desk.following.delete(follow.follow_id)
    desk.following.delete(follow.follow_id)
    assert desk.following.list() == []
    assert len(desk.ledger.list()) == len(desk.forecasts.list()) == 2
    with pytest.raises(NotFound):
        desk.following.get(follow.follow_id)


def test_follows_outlive_the_process(make_desk, desk, looked, clock, finished):
    follow = add(desk)
    looked()
    desk.close()
    clock.forward(hours=1)
    other = make_desk()
    assert other.following.list()[0].follow_id == follow.follow_id
    other.following.tick()
    (job,) = [job for job in other.jobs.list() if job.active or job.created > follow.created][:1]
    while other.jobs.get(job.id).active:
        other.jobs.wait(job.id, 1)
    assert other.following.get(follow.follow_id).made == 2


def test_a_look_done_again_makes_the_same_forecast_and_not_another(desk, looked):
    follow = add(desk)
    looked()
    # As if the process had died between forecast and note.
    desk.store.follows.update(follow.follow_id, last_candle=None, forecast_id=None, made=0)
    desk.following.check_now(follow.follow_id)
    looked()
    assert len(desk.forecasts.list()) == 1
    assert desk.following.get(follow.follow_id).made == 1


def test_the_end_of_a_look_that_nobody_remembers_is_no_failure(desk, looked):
    follow = add(desk)
    desk.store.follows.update(follow.follow_id, job_id="gone")
    looked()
    assert desk.following.get(follow.follow_id).state == "on"


def test_as_many_series_as_allowed_are_followed(make_desk):
    desk = make_desk(max_follows=2)
    add(desk)
    add(desk, symbol="ETH/USDT")
    with pytest.raises(Conflict) as caught:
        add(desk, symbol="SOL/USDT")
    assert caught.value.code == "too_many_follows"


def test_the_same_twice_is_refused(desk):
    add(desk)
    with pytest.raises(Conflict) as caught:
        add(desk)
    assert caught.value.code == "followed_already"
    add(desk, horizon=5)


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"cadence": 59}, "cadence_too_short"),
        ({"symbol": "  "}, "no_symbol"),
        ({"horizon": 63}, "horizon_too_long"),
        ({"samples": 0}, "invalid_field"),
        ({"samples": 1, "driftless": True}, "driftless_path"),
        ({"cutoff": "2026-03-01T00:00:00"}, "invalid_field"),
    ],
)
def test_what_cannot_be_followed_is_refused_at_once(desk, fields, code):
    with pytest.raises(InvalidInput) as caught:
        add(desk, **fields)
    assert caught.value.code == code
    assert desk.following.list() == []


@pytest.mark.parametrize(
    ("fields", "code"), [({"source": "nowhere"}, "unknown_source"), ({"model": "no"}, "unknown_model")]
)
def test_what_is_not_known_is_refused_at_once(desk, fields, code):
    with pytest.raises(NotFound) as caught:
        add(desk, **fields)
    assert caught.value.code == code


def test_a_forecast_that_somebody_asks_for_is_done_beside_a_look(desk, looked, save, make_frame, finished):
    add(desk)
    desk.following.tick()
    saved = save(make_frame(60))
    asked = desk.forecasts.submit(ForecastRequest.build(SMALL | {"candles_id": saved.id}))
    assert finished(asked.job_id).status == "succeeded"


def test_looks_fall_a_little_after_whole_multiples_of_the_cadence():
    moment = datetime(2026, 3, 9, 12, 0, 0, tzinfo=UTC)
    assert next_check(moment, 3600) == moment + timedelta(seconds=15)
    assert next_check(moment + timedelta(seconds=15), 3600) == moment + timedelta(hours=1, seconds=15)
    assert next_check(moment, 86_400) == datetime(2026, 3, 10, 0, 0, 15, tzinfo=UTC)


def test_pauses_grow_up_to_some_hours_or_the_cadence():
    assert retry_pause(60, 1) == timedelta(minutes=1)
    assert retry_pause(60, 4) == timedelta(minutes=8)
    assert retry_pause(60, 1000) == timedelta(hours=6)
    assert retry_pause(86_400, 3) == timedelta(days=1)


def test_without_a_cadence_a_series_is_looked_at_four_times_a_candle_and_hourly_at_most():
    assert suggest_cadence(timedelta(minutes=1), 60) == 60
    assert suggest_cadence(timedelta(hours=1), 60) == 900
    assert suggest_cadence(timedelta(days=1), 60) == 3600
    assert suggest_cadence(timedelta(hours=1), 7200) == 7200


@pytest.fixture
def candles(make_frame):
    def candles(begin, end, **changes):
        frame = make_frame(100).iloc[begin:end].reset_index(drop=True)
        return CandleFrame(frame.assign(**changes), "walk", "binance", "UTC")

    return candles


def test_new_candles_are_joined_to_the_end(candles):
    grown = append_candles(candles(0, 60), candles(40, 70))
    pd.testing.assert_frame_equal(grown.frame, candles(0, 70).frame)


def test_nothing_new_joins_to_the_very_same(candles):
    known = candles(0, 60)
    assert append_candles(known, candles(40, 60)) is known


def test_a_small_correction_leaves_what_was_known_as_it_came(candles):
    known, fresh = candles(0, 60), candles(40, 70)
    fresh.frame.loc[19, "close"] *= 1.005
    pd.testing.assert_frame_equal(append_candles(known, fresh).frame.iloc[:60], known.frame)


@pytest.mark.parametrize("begin", [60, 75])
def test_what_does_not_touch_is_not_joined(candles, begin):
    assert append_candles(candles(0, 60), candles(begin, 90)) is None


def test_another_scale_other_columns_or_another_zone_are_not_joined(candles):
    known, fresh = candles(0, 60), candles(40, 70)
    half = CandleFrame(fresh.frame.assign(close=fresh.frame["close"] / 2), "walk", "binance", "UTC")
    bare = CandleFrame(fresh.frame.drop(columns="volume"), "walk", "binance", "UTC")
    there = CandleFrame(fresh.frame, "walk", "binance", "Asia/Tokyo")
    assert [append_candles(known, other) for other in (half, bare, there)] == [None, None, None]

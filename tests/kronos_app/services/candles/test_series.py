"""Fetching by way of the store: what is asked of the vendor, what is kept, and what becomes of it when that changes."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from io import BytesIO, StringIO

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from kronos_app.data.source import FetchRequest
from kronos_app.errors import AppError, InvalidInput, NotFound, Unavailable
from kronos_app.services.candles.range_planning import REREAD
from kronos_app.services.candles.series_fetching import SeriesFetcher
from kronos_app.services.candles.sources import Sources
from kronos_app.services.desk import Desk
from kronos_app.settings import Settings
from kronos_app.store import Store
from kronos_app.store.series import SeriesKey
from kronos_app.store.watchlists import Watched
from tests.fake_market import family
from tests.vendor import BEGIN, HOUR, Vendor

KEY = SeriesKey("vendor", "ABC", "1h", "none")
ALL = FetchRequest("ABC", "1h")


def day(number):
    return BEGIN + timedelta(days=number)


def between(start, end):
    return FetchRequest("ABC", "1h", start, end)


class Shop:
    """A vendor, a store in memory and the fetcher between them."""

    def __init__(self, **fields):
        self.vendor = Vendor()
        self.store = Store.open("duckdb:///:memory:")
        self.settings = Settings(**fields)
        sources = Sources(self.settings, [family(self.vendor)])
        self.fetcher = SeriesFetcher(self.settings, self.store, sources, self.vendor)

    def fetch(self, request=ALL):
        self.vendor.requests.clear()
        return self.fetcher.fetch("vendor", request)

    @property
    def requests(self):
        return self.vendor.requests

    def is_truth(self, key=KEY, since=BEGIN):
        """Return whether the store has exactly what the vendor has."""
        stored = self.store.series.read(key)
        truth = self.vendor.truth()
        truth = truth[truth.index >= since]
        table = stored.frame.drop(columns="timestamp").set_axis(stored.utc.as_unit("ns"), axis=0)
        return table.equals(truth.loc[:, list(table)].rename_axis(None))


@pytest.fixture
def shop():
    shop = Shop()
    yield shop
    shop.store.close()


def codes(draft):
    return [finding.code for finding in draft.findings]


def test_a_first_fetch_asks_what_was_asked_and_gives_what_came(shop):
    draft = shop.fetch(between(day(1), day(3)))
    assert shop.requests == [(day(1), day(3))]
    assert (len(draft), draft.name, draft.source, draft.timezone) == (48, "ABC", "vendor", "UTC")
    assert (draft.frame.index.name, draft.frame.index[0], draft.about.calendar) == ("row", 1, "24/7")
    assert codes(draft) == ["adjustment"]
    assert shop.store.series.get(KEY).rows == 48


def test_what_is_stored_is_not_asked_for_again(shop):
    first = shop.fetch(between(day(1), day(3)))
    again = shop.fetch(between(day(1), day(3)))
    inner = shop.fetch(between(day(2), day(2) + 5 * HOUR))
    assert shop.requests == []
    pd.testing.assert_frame_equal(first.frame, again.frame)
    assert (len(inner), inner.frame["close"].iloc[0]) == (5, first.frame["close"].iloc[24])
    assert codes(again) == ["from_store"]


def test_only_what_is_missing_at_an_end_is_asked_for_with_a_stretch_beside_it(shop):
    shop.fetch(between(day(10), day(20)))
    shop.fetch(between(day(15), day(25)))
    assert shop.requests == [(day(20) - REREAD * HOUR, day(25))]
    shop.fetch(between(day(5), day(12)))
    assert shop.requests == [(day(5), day(10) + REREAD * HOUR)]
    shop.fetch(between(day(1), day(30)))
    assert shop.requests == [(day(1), day(5) + REREAD * HOUR), (day(25) - REREAD * HOUR, day(30))]
    assert len(shop.fetch(between(day(1), day(30)))) == 29 * 24
    assert shop.requests == []


def test_a_stretch_far_from_what_is_stored_is_fetched_alone_and_the_nearest_end_looked_at(shop):
    shop.fetch(between(day(10), day(11)))
    shop.fetch(between(day(40), day(41)))
    assert shop.requests == [(day(11) - REREAD * HOUR, day(11)), (day(40), day(41))]
    assert shop.store.series.get(KEY).rows == 48
    shop.fetch(between(day(2), day(3)))
    assert shop.requests[0][0] == day(10)
    assert shop.requests[1] == (day(2), day(3))
    assert len(shop.fetch(between(day(10), day(41)))) == 31 * 24
    assert [start for start, _ in shop.requests] == [day(11) - REREAD * HOUR]


def test_up_to_now_goes_on_where_it_stopped(shop):
    shop.fetch(between(day(50), None))
    shop.vendor.present += 30 * timedelta(minutes=1)
    shop.fetch(between(day(50), None))
    assert len(shop.requests) == 1
    shop.vendor.present += 48 * HOUR
    draft = shop.fetch(between(day(50), None))
    ((start, end),) = shop.requests
    assert end is None
    assert shop.vendor.present - start < timedelta(days=3)
    assert draft.frame["timestamp"].iloc[-1] == pd.Timestamp(shop.vendor.truth().index[-1]).tz_localize(None)
    assert shop.is_truth(since=day(50))


def test_everything_is_asked_for_once_and_then_its_end_alone(shop):
    draft = shop.fetch()
    assert shop.requests == [(None, None)]
    shop.vendor.present += HOUR
    grown = shop.fetch()
    assert len(grown) == len(draft) + 1
    assert len(shop.requests) == 1
    assert shop.requests[0][0] is not None
    shop.fetch(between(datetime(2020, 1, 1, tzinfo=UTC), day(3)))
    assert shop.requests == []


def test_a_range_before_the_first_candle_is_asked_for_once(shop):
    shop.fetch(between(day(5), day(6)))
    early = between(datetime(2020, 1, 1, tzinfo=UTC), day(6))
    first, second = shop.fetch(early), shop.fetch(early)
    assert shop.requests == []
    assert len(first) == len(second) == 6 * 24
    assert "range_cut" in codes(second)


def test_nothing_at_all_is_said_as_the_source_says_it(shop):
    with pytest.raises(NotFound, match="vendor has no candle"):
        shop.fetch(between(datetime(2020, 1, 1, tzinfo=UTC), datetime(2020, 2, 1, tzinfo=UTC)))
    assert shop.store.series.list() == []


def test_a_symbol_written_otherwise_leads_to_the_same_series(shop):
    shop.fetch(between(day(1), day(3)))
    shop.fetch(replace(between(day(1), day(3)), symbol="abc"))
    assert len(shop.requests) == 1
    shop.fetch(replace(between(day(1), day(3)), symbol="abc"))
    assert shop.requests == []
    assert [info.key for info in shop.store.series.list()] == [KEY]


@pytest.mark.parametrize("factor", [0.5, 1.7, 0.9993])
def test_a_split_is_noticed_and_all_is_replaced_with_a_note(shop, factor):
    shop.fetch()
    shop.vendor.present += 24 * HOUR
    shop.vendor.factors.append((shop.vendor.present - 12 * HOUR, factor))
    draft = shop.fetch()
    assert shop.is_truth()
    assert "revised" in codes(draft)
    info = shop.store.series.get(KEY)
    assert info.state.note.render().startswith("2024-03-02: Vendor had changed")
    shop.vendor.present += HOUR
    assert "revised" not in codes(shop.fetch())
    assert len(shop.requests) == 1


def test_a_single_correction_is_noticed_too(shop):
    shop.fetch()
    shop.vendor.corrected[pd.Timestamp(shop.vendor.present) - 5 * HOUR] = 123.0
    shop.vendor.present += HOUR
    shop.fetch()
    assert shop.is_truth()
    assert shop.store.series.get(KEY).state.note is not None


def test_trades_reported_late_belong_to_the_last_candle_and_are_no_revision(shop):
    shop.fetch()
    shop.vendor.corrected[pd.Timestamp(shop.vendor.present) - HOUR] = 123.0
    shop.vendor.present += HOUR
    assert "revised" not in codes(shop.fetch())
    assert len(shop.requests) == 1
    assert shop.is_truth()


def test_a_split_is_noticed_from_a_range_that_touches_nothing(shop):
    shop.fetch(between(day(10), day(20)))
    shop.vendor.factors.append((day(59), 0.25))
    shop.fetch(between(day(40), day(41)))
    stored = shop.store.series.read(KEY)
    assert np.allclose(stored.frame["close"], shop.vendor.truth()["close"].loc[stored.utc])


def test_candles_out_of_the_vendors_reach_are_fitted_to_a_split(shop):
    shop.vendor.reach = timedelta(days=30)
    shop.fetch()
    shop.vendor.present += timedelta(days=20)
    shop.vendor.factors.append((shop.vendor.present - HOUR, 0.1))
    shop.fetch()
    stored = shop.store.series.read(KEY)
    truth = shop.vendor.truth().loc[stored.utc]
    assert len(stored) == 50 * 24
    assert np.allclose(stored.frame["close"], truth["close"])
    assert np.allclose(stored.frame["volume"], truth["volume"])
    assert "multiplied by 0.1" in shop.store.series.get(KEY).state.note.render()


@pytest.mark.parametrize(("hours", "said"), [(700, "fit and are unchanged"), (1000, "may not fit")])
def test_candles_out_of_reach_stay_as_they_were_where_no_factor_fits(shop, hours, said):
    shop.vendor.reach = timedelta(days=30)
    shop.fetch()
    before = shop.store.series.read(KEY)
    shop.vendor.present += timedelta(days=20)
    for hour in range(1, hours, 2):
        shop.vendor.corrected[pd.Timestamp(shop.vendor.present) - hour * HOUR] = 123.0
    shop.fetch()
    stored = shop.store.series.read(KEY)
    pd.testing.assert_frame_equal(stored.frame.head(20 * 24), before.frame.head(20 * 24))
    assert said in shop.store.series.get(KEY).state.note.render()


def test_what_was_not_looked_after_for_longer_than_the_reach_goes_on_with_a_hole(shop):
    shop.vendor.reach = timedelta(days=7)
    shop.fetch()
    shop.vendor.present += timedelta(days=30)
    draft = shop.fetch()
    assert len(draft) == 2 * 7 * 24
    assert draft.frame["timestamp"].diff().max() > pd.Timedelta(days=20)


def test_a_vendor_that_fails_leaves_what_is_stored_and_its_reason(shop):
    shop.fetch()
    before = shop.store.series.read(KEY)
    shop.vendor.present += HOUR
    shop.vendor.fault = "rate_limited"
    with pytest.raises(Unavailable) as failed:
        shop.fetch()
    assert failed.value.code == "rate_limited"
    pd.testing.assert_frame_equal(shop.store.series.read(KEY).frame, before.frame)


def test_a_symbol_that_is_no_more_is_told_from_what_is_stored(shop):
    kept = shop.fetch()
    shop.vendor.gone = True
    shop.vendor.present += 10 * HOUR
    draft = shop.fetch()
    assert len(draft) == len(kept)
    (said,) = [finding.message.render() for finding in draft.findings if finding.code == "stored_only"]
    assert said == "There is no ABC. The stored candles are used."


def test_to_cancel_in_the_middle_keeps_what_was_stored(shop):
    shop.fetch(between(day(10), day(20)))

    def cancel(count):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        shop.fetcher.fetch("vendor", between(day(1), day(30)), cancel)
    assert shop.store.series.get(KEY).rows == 240
    assert len(shop.fetch(between(day(1), day(30)))) == 29 * 24


def test_a_failure_while_all_is_fetched_anew_changes_nothing_and_is_made_good_later(shop):
    shop.fetch()
    before = shop.store.series.read(KEY)
    shop.vendor.present += 24 * HOUR
    shop.vendor.factors.append((shop.vendor.present, 0.5))
    shop.vendor.during = lambda: setattr(shop.vendor, "fault", "offline")
    with pytest.raises(Unavailable):
        shop.fetch()
    pd.testing.assert_frame_equal(shop.store.series.read(KEY).frame, before.frame)
    shop.vendor.fault, shop.vendor.during = None, lambda: None
    shop.fetch()
    assert shop.is_truth()


def test_candles_of_days_are_cut_by_the_date_of_their_exchange(shop):
    shop.vendor.zone = "Asia/Tokyo"
    daily = shop.vendor.truth().iloc[15::24]  # midnight in Tokyo
    shop.vendor.truth = lambda: daily
    draft = shop.fetch(between(day(9), day(20)))
    dates = draft.frame["timestamp"].dt.strftime("%m-%d %H:%M")
    assert dates.iloc[0] in {"01-10 00:00", "01-11 00:00"}
    assert dates.iloc[-1] == "01-20 00:00"


@pytest.mark.parametrize("zone", ["America/New_York", "Asia/Tokyo", "UTC"])
def test_a_day_is_found_by_its_own_time_as_well(shop, zone):
    daily = shop.vendor.truth().iloc[{"America/New_York": 5, "Asia/Tokyo": 15, "UTC": 0}[zone] :: 24]
    shop.vendor.zone, shop.vendor.truth = zone, lambda: daily
    shop.fetch()
    last = daily.index[-1].to_pydatetime()
    assert len(shop.fetch(between(last, None))) == 1
    shop.vendor.present += timedelta(days=1)
    shop.fetcher.refresh("vendor", between(last, None))


def test_the_limit_of_the_store_makes_those_used_longest_ago_go():
    shop = Shop(store_mb=1)
    try:
        for name in "ABCDEFGHIJKLMNOPQRSTU":
            shop.fetch(replace(ALL, symbol=name))
            shop.vendor.present += timedelta(minutes=1)
        left = [info.key.symbol for info in shop.store.series.list()]
        assert left == list("GHIJKLMNOPQRSTU")[-len(left) :]
        assert len(left) < 21
        assert shop.store.series.size_bytes() <= 10**6
    finally:
        shop.store.close()


ranges = st.tuples(st.integers(-3, 40), st.integers(1, 12))


@example(asked=[(1, 1), (-1, 1), (0, 2)], splits=[])
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    asked=st.lists(ranges, min_size=1, max_size=6),
    splits=st.lists(st.tuples(st.integers(0, 5), st.sampled_from([0.5, 2.0, 1.02])), max_size=2),
)
def test_asked_in_any_order_with_splits_in_between_the_answer_is_the_vendors(asked, splits):
    """Whatever was fetched before, the answer to the last request is what the vendor would answer to it alone."""
    shop = Shop()
    try:
        for step, (start, length) in enumerate(asked):
            for when, factor in splits:
                if when == step:
                    shop.vendor.factors.append((shop.vendor.present, factor))
            request = between(day(start), day(start + length))
            alone = truth_of(shop.vendor, request)
            if alone.empty:
                with pytest.raises(AppError):
                    shop.fetch(request)
                continue
            draft = shop.fetch(request)
            assert draft.frame["timestamp"].to_list() == list(alone.index.tz_localize(None))
            if not any(when <= step for when, _ in splits) or shop.requests:
                assert np.allclose(draft.frame["close"], alone["close"])
            shop.vendor.present += timedelta(hours=3)
    finally:
        shop.store.close()


def truth_of(vendor, request):
    table = vendor.truth()
    return table[(table.index >= request.start) & (table.index < request.end)]


@pytest.fixture
def vendors():
    return {"vendor": Vendor(), "other": Vendor("other")}


@pytest.fixture
def desk(settings, make_spec, vendors):
    desk = Desk(settings, {"tiny": make_spec()}, [family(one) for one in vendors.values()], vendors["vendor"])
    desk.start()
    yield desk
    desk.close()


def test_all_are_refreshed_with_progress(desk, finished, vendors):
    for source in vendors:
        for symbol in "AB":
            desk.series.fetch(source, FetchRequest(symbol, "1h"))
    for one in vendors.values():
        one.present += 24 * HOUR
    job = finished(desk.series.refresh())
    assert (job.status, job.done, job.total, job.result_id) == ("succeeded", 4, 4, "4")
    assert {info.last.day for info in desk.series.list()} == {1}
    assert {info.state.checked for info in desk.series.list()} == {vendors["vendor"].present}


def test_one_that_fails_does_not_keep_the_others_and_is_named(desk, finished, vendors):
    for source in vendors:
        desk.series.fetch(source, ALL)
    for one in vendors.values():
        one.present += 24 * HOUR
    vendors["other"].fault = "rate_limited"
    job = finished(desk.series.refresh())
    assert (job.status, job.error["code"]) == ("failed", "refresh_incomplete")
    info = desk.series.get(replace(KEY, source="other"))
    assert info.state.error["code"] == "rate_limited"
    assert desk.series.get(KEY).last.day == 1
    vendors["other"].fault = None
    assert finished(desk.series.refresh([info.key])).status == "succeeded"
    assert desk.series.get(info.key).state.error is None


def test_a_source_that_is_silent_twice_is_not_asked_again(desk, finished, vendors):
    for symbol in "ABCDE":
        desk.series.fetch("vendor", FetchRequest(symbol, "1h"))
    vendors["vendor"].fault = "offline"
    vendors["vendor"].requests.clear()
    job = finished(desk.series.refresh())
    assert job.status == "failed"
    assert len(vendors["vendor"].requests) == 2
    assert "5 of 5" in job.error["message"]["msgid"].format(failed=5, total=5, reasons="")


def test_a_refresh_is_cancelled_between_pages(desk, finished, vendors):
    import threading

    for symbol in "AB":
        desk.series.fetch("vendor", FetchRequest(symbol, "1h"))
    reached, gate = threading.Event(), threading.Event()
    vendors["vendor"].present += HOUR
    vendors["vendor"].during = lambda: (reached.set(), gate.wait(60))
    job_id = desk.series.refresh()
    assert reached.wait(60)
    desk.jobs.cancel(job_id)
    gate.set()
    assert finished(job_id).status == "cancelled"


def test_nothing_to_refresh_is_said_and_what_is_not_there_is_not_queued(desk):
    with pytest.raises(InvalidInput):
        desk.series.refresh()
    with pytest.raises(NotFound):
        desk.series.refresh([KEY])
    with pytest.raises(NotFound):
        desk.series.refresh([Watched("mtgox", "A", "1h")])


def test_a_watchlist_is_kept_refreshed_and_deleted(desk, finished, vendors):
    entries = [Watched("vendor", " ABC ", "1h"), Watched("vendor", "ABC", "1h"), Watched("other", "XYZ", "1h")]
    kept = desk.series.save_watchlist("  My   list ", entries)
    assert (kept.name, len(kept.entries)) == ("My list", 2)
    assert desk.series.stored(kept.entries[0]) is None
    assert finished(desk.series.refresh(kept.entries)).status == "succeeded"
    assert desk.series.stored(kept.entries[0]).rows > 1000
    again = desk.series.save_watchlist("My list", kept.entries[:1])
    assert (again.created, len(desk.series.watchlist("My list").entries)) == (kept.created, 1)
    desk.series.delete_watchlist("My list")
    assert desk.series.watchlists() == []
    assert desk.series.get(KEY).rows > 1000
    with pytest.raises(NotFound):
        desk.series.watchlist("My list")


@pytest.mark.parametrize(
    ("name", "entries"),
    [("", []), ("x" * 61, []), ("a", [Watched("vendor", "", "1h")]), ("a", [Watched("vendor", "A", " ")]),
     ("a", [Watched("mtgox", "A", "1d")]), ("a", [Watched("vendor", "A", f"{n}h") for n in range(501)])],
)  # fmt: skip
def test_a_watchlist_that_cannot_be_is_refused(desk, name, entries):
    with pytest.raises((InvalidInput, NotFound)):
        desk.series.save_watchlist(name, entries)
    assert desk.series.watchlists() == []


def test_a_series_is_exported_in_utc(desk, vendors):
    vendors["vendor"].zone = "Asia/Shanghai"
    desk.series.fetch("vendor", FetchRequest("BTC/USDT:X", "1h"))
    key = desk.series.list()[0].key
    name, content = desk.series.export(key, "csv")
    assert name == "BTC_USDT_X_1h_none.csv"
    read = pd.read_csv(StringIO(content.decode()))
    assert read["timestamp"].iloc[0] == "2024-01-01T00:00:00Z"
    name, content = desk.series.export(key, "parquet")
    table = pd.read_parquet(BytesIO(content))
    assert str(table["timestamp"].dt.tz) == "UTC"
    np.testing.assert_array_equal(table["close"], vendors["vendor"].truth()["close"])
    with pytest.raises(NotFound):
        desk.series.export(replace(key, symbol="\ud800"), "csv")


def test_a_stored_series_becomes_a_data_set_that_says_what_it_is_of(desk):
    desk.series.fetch("vendor", ALL)
    saved = desk.candles.keep(desk.series.draft(KEY, last=100))
    assert len(saved.candles) == 100
    about = desk.candles.get(saved.id).candles.about
    assert (about.symbol, about.interval, about.adjustment, about.currency) == ("ABC", "1h", "none", "USD")
    desk.series.delete(KEY)
    assert desk.candles.get(saved.id).candles.about.calendar == "24/7"
    with pytest.raises(NotFound):
        desk.series.draft(KEY)

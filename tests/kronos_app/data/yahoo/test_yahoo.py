"""Yahoo Finance: the real yfinance over real HTTP, against a server on this machine."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pandas as pd
import pytest

from kronos_app.data.about import About
from kronos_app.data.checks import repair
from kronos_app.data.source import FetchRequest
from kronos_app.data.yahoo.source import INTERVALS, YahooSource
from kronos_app.errors import InvalidInput, NotFound, Unavailable
from tests.kronos_app.data.stopping import Stopped, stop_at_page
from tests.servers import yahoo as server

NEW_YORK = ZoneInfo("America/New_York")
SPRING = datetime(2024, 3, 1, tzinfo=UTC)


@pytest.fixture(scope="module", autouse=True)
def _cache(tmp_path_factory):
    """Keep yfinance's cookies out of the home of whoever runs the tests."""
    from yfinance.cache import set_cache_location

    set_cache_location(str(tmp_path_factory.mktemp("yfinance")))


@pytest.fixture
def yahoo():
    with server.serve() as yahoo:
        yield yahoo


@pytest.fixture
def source(yahoo):
    return YahooSource(yahoo.url, timeout=60, retries=1, backoff=0.01)


def codes(draft):
    return {finding.code for finding in draft.findings}


def said(draft, code):
    return next(finding.message.render() for finding in draft.findings if finding.code == code)


def ago(days):
    return datetime.now(UTC) - timedelta(days=days)


def test_a_search_finds_names_and_symbols_and_leaves_out_what_has_none(source, yahoo):
    found = source.search(" apple ")
    assert [(one.symbol, one.name, one.exchange) for one in found] == [
        ("AAPL", "Apple Inc.", "NASDAQ"),
        ("APLE", "Apple Hospitality REIT, Inc.", "NYSE"),
    ]
    assert [one.symbol for one in source.search("0700.hk")] == ["0700.HK"]
    assert len(source.search("apple", limit=1)) == 1
    assert source.search("nobody has this name") == []
    assert yahoo.asked("/v1/finance/search")[0]["crumb"] == server.CRUMB


def test_an_empty_search_asks_nobody(source, yahoo):
    assert source.search("  ") == []
    assert not yahoo.requests


def test_intervals_come_with_their_reach_and_the_shortest_first(source, yahoo):
    intervals = source.intervals()
    assert [one.length for one in intervals] == sorted(one.length for one in intervals)
    reach = {one.key: one.reach and one.reach.days for one in intervals}
    assert reach == {"1m": 30, "1h": 730} | dict.fromkeys(("2m", "5m", "15m", "30m", "90m"), 60) | dict.fromkeys(
        ("1d", "5d", "1wk", "1mo", "3mo")
    )
    assert not yahoo.requests


@pytest.mark.parametrize("key", INTERVALS)
def test_everything_there_is_of_an_interval_needs_no_repair(source, key):
    draft = source.fetch(FetchRequest("aapl", key))
    assert (draft.name, draft.source, draft.timezone) == ("AAPL", "yahoo", "America/New_York")
    times = draft.frame["timestamp"]
    assert times.is_monotonic_increasing
    assert times.is_unique
    assert times.dtype == "datetime64[ns]"
    candles = repair.apply(draft).candles
    assert len(candles) == len(draft) > 10
    assert candles.features == ["open", "high", "low", "close", "volume"]
    reach = INTERVALS[key].reach
    if reach is None:
        assert times.iloc[0].year in {1980, 1981}
    else:
        assert ago(reach.days) < times.iloc[0].tz_localize(NEW_YORK) < ago(reach.days - 5)
        opens = times[times.dt.normalize() != times.dt.normalize().shift()]
        assert set(opens.iloc[1:].dt.strftime("%H:%M")) == {"09:30"}


def test_minutes_come_in_pages_that_yahoo_allows(source, yahoo):
    counts = []
    draft = source.fetch(FetchRequest("BTC-USD", "1m"), counts.append)
    spans = [(int(asked["period1"]), int(asked["period2"])) for asked in yahoo.asked("/v8/finance/chart/BTC-USD")]
    assert len(spans) == len(counts) == 5
    assert all(end - start <= 7 * 86_400 for start, end in spans)
    assert all(before[1] == after[0] for before, after in pairwise(spans))
    assert counts == sorted(counts)
    assert set(draft.frame["timestamp"].diff().dropna()) <= {pd.Timedelta("1min"), pd.Timedelta("2min")}
    assert len(draft) > 29 * 1430


def test_a_fetch_can_be_stopped_between_pages(source, yahoo):
    with pytest.raises(Stopped):
        source.fetch(FetchRequest("BTC-USD", "1m"), stop_at_page)
    assert len(yahoo.asked("/v8/finance/chart")) == 1


def test_a_range_is_kept_to_and_other_names_of_an_interval_are_known(source):
    start, end = ago(20), ago(10)
    draft = source.fetch(FetchRequest("BTC-USD", "60m", start, end))
    times = draft.frame["timestamp"].dt.tz_localize("UTC")
    assert start <= times.iloc[0] < start + timedelta(hours=2)
    assert end - timedelta(hours=1) <= times.iloc[-1] < end
    assert draft.frame.equals(source.fetch(FetchRequest("BTC-USD", "1h", start, end)).frame)


def test_prices_are_adjusted_unless_told_otherwise(source):
    adjusted, plain = (
        source.fetch(FetchRequest("AAPL", "1d", SPRING, SPRING + timedelta(days=30), {"adjustment": how}))
        for how in ("adjusted", "none")
    )
    prices = ["open", "high", "low", "close"]
    ratio = adjusted.frame[prices].to_numpy() / plain.frame[prices].to_numpy()
    assert ratio == pytest.approx(0.9)
    assert said(adjusted, "adjustment") == "Prices in USD, adjusted for splits and dividends."
    assert said(plain, "adjustment") == "Prices in USD, adjusted for splits, not for dividends."
    assert source.fetch(FetchRequest("AAPL", "1d", SPRING, SPRING + timedelta(days=30))).frame.equals(adjusted.frame)


def test_times_are_the_exchanges_and_what_has_no_volume_gets_none(source):
    hong_kong = source.fetch(FetchRequest("0700.HK", "15m", ago(10)))
    assert hong_kong.timezone == "Asia/Hong_Kong"
    assert hong_kong.frame["timestamp"].dt.strftime("%H:%M").min() == "09:30"
    assert said(hong_kong, "adjustment").startswith("Prices in HKD")
    euro = source.fetch(FetchRequest("EURUSD=X", "1d", ago(30)))
    assert "volume" not in euro.frame
    assert "no_volume" in codes(euro)
    assert len(source.fetch(FetchRequest("^GSPC", "1d", ago(30)))) > 15


@pytest.mark.parametrize(("clock", "last", "left_out"), [("15:10", "2024-03-12", True), ("16:00", "2024-03-13", False)])
def test_the_day_that_is_not_over_is_left_out_and_said(source, yahoo, clock, last, left_out):
    yahoo.at = datetime.fromisoformat(f"2024-03-13 {clock}").replace(tzinfo=NEW_YORK)
    draft = source.fetch(FetchRequest("AAPL", "1d", SPRING))
    assert f"{draft.frame['timestamp'].iloc[-1]:%Y-%m-%d}" == last
    assert ("unfinished_candle" in codes(draft)) is left_out
    if left_out:
        assert said(draft, "unfinished_candle") == "The candle of 2024-03-13 00:00 is not complete and is left out."


@pytest.mark.parametrize("interval", ["1m", "1h"])
@pytest.mark.parametrize("hours", [-1, 0, 1])
def test_yahoos_clock_decides_what_has_ended(source, yahoo, hours, interval):
    yahoo.shift = timedelta(hours=hours)
    draft = source.fetch(FetchRequest("BTC-USD", interval))
    length = INTERVALS[interval].length
    end = draft.frame["timestamp"].iloc[-1].tz_localize("UTC") + length
    assert end <= yahoo.now() < end + length + timedelta(seconds=30)
    assert ("clock_differs" in codes(draft)) is bool(hours)
    if hours:
        assert f" {60 * hours:+d} minutes" in said(draft, "clock_differs")


def test_a_range_beyond_the_reach_is_refused_with_what_there_is_instead(source, yahoo):
    with pytest.raises(InvalidInput) as error:
        source.fetch(FetchRequest("AAPL", "1m", ago(100)))
    assert error.value.code == "range_too_long"
    assert "1m candles of the last 30 days only" in str(error.value)
    assert "choose 1h candles" in error.value.hint.render()
    with pytest.raises(InvalidInput, match="last 730 days only"):
        source.fetch(FetchRequest("AAPL", "1h", ago(3000), ago(2900)))
    assert not yahoo.requests


def test_a_start_just_beyond_the_reach_is_moved_and_said(source):
    draft = source.fetch(FetchRequest("BTC-USD", "5m", ago(60)))
    assert said(draft, "range_cut").startswith("Yahoo Finance has 5m candles only from ")
    assert draft.frame["timestamp"].iloc[0].tz_localize("UTC") > ago(60)


@pytest.mark.parametrize(
    ("request_", "code"),
    [
        (FetchRequest("AAPL", "7m"), "unknown_interval"),
        (FetchRequest("AAPL", "1d", options={"adjustment": "perhaps"}), "unknown_option"),
        (FetchRequest("AAPL", "1d", options={"colour": "red"}), "unknown_option"),
        (FetchRequest("", "1d"), "unknown_symbol"),
        (FetchRequest("../../v1/test", "1d"), "unknown_symbol"),
        (FetchRequest("AAPL", "1d", ago(5), ago(6)), "empty_range"),
        (FetchRequest("AAPL", "1d", ago(-5)), "empty_range"),
    ],
)
def test_what_cannot_be_had_is_refused_without_asking(source, yahoo, request_, code):
    with pytest.raises(InvalidInput) as error:
        source.fetch(request_)
    assert error.value.code == code
    assert error.value.hint.render()
    assert not yahoo.requests


def test_a_symbol_that_is_unknown_or_delisted_is_told_from_one_without_candles(source, yahoo):
    with pytest.raises(InvalidInput, match="does not know “GONE”") as unknown:
        source.fetch(FetchRequest("GONE", "1d"))
    assert unknown.value.code == "unknown_symbol"
    assert len(yahoo.asked("/v8/finance/chart")) <= 2  # yfinance asks again with another cookie; we do not
    with pytest.raises(NotFound, match="no completed 1d candle of QUIET") as quiet:
        source.fetch(FetchRequest("QUIET", "1d", SPRING))
    assert quiet.value.code == "no_candles"
    assert len(source.fetch(FetchRequest("QUIET", "1d", datetime(2015, 1, 1, tzinfo=UTC)))) > 80


def test_a_refusal_of_yahoo_is_passed_on_in_its_words(source, monkeypatch):
    monkeypatch.setitem(server.REACH, "1h", 100)
    with pytest.raises(InvalidInput, match="must be within the last 100 days") as error:
        source.fetch(FetchRequest("AAPL", "1h", ago(200)))
    assert error.value.code == "request_refused"


FAILURES = {
    "429": "rate_limited",
    "403": "access_denied",
    "500": "source_down",
    "503": "source_down",
    "hang": "timed_out",
    "cut": "connection_cut",
    "reset": "connection_cut",
    "malformed": "bad_answer",
    "not a chart": "bad_answer",
}


@pytest.mark.parametrize(("fault", "code"), FAILURES.items())
def test_failures_are_told_apart_and_say_what_to_do(yahoo, fault, code):
    yahoo.fault = fault
    source = YahooSource(yahoo.url, timeout=1 if fault == "hang" else 60, retries=0)
    for ask in (lambda: source.fetch(FetchRequest("AAPL", "1d", ago(30))), lambda: source.search("apple")):
        with pytest.raises(Unavailable) as error:
            ask()
        assert error.value.code == code
        assert error.value.hint.render()


def test_a_failure_leaves_nothing_behind(yahoo, source):
    yahoo.fault = "malformed"
    for ask in (lambda: source.fetch(FetchRequest("AAPL", "1d", ago(30), ago(2))), lambda: source.search("apple")):
        with pytest.raises(Unavailable):
            ask()
    yahoo.fault = None
    assert len(source.fetch(FetchRequest("AAPL", "1d", ago(30), ago(2)))) > 15
    assert source.search("apple")


@pytest.mark.parametrize("fault", sorted(set(FAILURES) - {"403", "hang", "not a chart", "429", "500", "503"}))
def test_what_fails_once_is_asked_again(source, yahoo, fault):
    yahoo.fault, yahoo.fails = fault, 1
    assert len(source.fetch(FetchRequest("AAPL", "1d", ago(30)))) > 15
    assert yahoo.fails == 0
    assert len(yahoo.asked("/v8/finance/chart")) == 2


@pytest.mark.parametrize("fault", ["429", "500", "503"])
def test_errors_of_the_server_are_asked_again_after_a_pause(source, yahoo, fault):
    yahoo.fault, yahoo.fails = fault, 2  # yfinance itself asks a second time, with another cookie
    assert len(source.fetch(FetchRequest("AAPL", "1d", ago(30)))) > 15
    assert len(yahoo.asked("/v8/finance/chart")) == 3
    assert yahoo.asked("/v2/collectConsent")


def test_no_more_is_asked_than_the_retries_allow(yahoo):
    yahoo.fault = "cut"
    with pytest.raises(Unavailable):
        YahooSource(yahoo.url, retries=3, backoff=0.001).fetch(FetchRequest("AAPL", "1d", ago(30)))
    assert len(yahoo.asked("/v8/finance/chart")) == 4


def test_an_answer_that_did_not_come_in_time_is_not_waited_for_again(yahoo):
    yahoo.fault = "hang"
    with pytest.raises(Unavailable):
        YahooSource(yahoo.url, timeout=0.5).search("apple")
    assert len(yahoo.asked("/v1/finance/search")) == 1


def test_cookies_that_hang_do_not_keep_the_candles_back(yahoo):
    yahoo.cookies = False
    assert YahooSource(yahoo.url, timeout=4).search("apple")
    assert "crumb" not in yahoo.asked("/v1/finance/search")[0]


@pytest.mark.parametrize("body", [{"chart": None}, {"chart": []}, {"chart": {"result": 7, "error": "no"}}, []])
def test_an_answer_of_another_shape_cannot_be_read(source, yahoo, monkeypatch, body):
    monkeypatch.setattr(yahoo, "chart", lambda symbol, params, fault: (200, body))
    with pytest.raises(Unavailable) as error:
        source.fetch(FetchRequest("AAPL", "1d", ago(30)))
    assert error.value.code == "bad_answer"


def test_nobody_there_is_offline():
    with server.serve() as yahoo:
        url = yahoo.url
    with pytest.raises(Unavailable) as error:
        YahooSource(url, retries=0).search("apple")
    assert error.value.code == "unreachable"


@pytest.mark.parametrize(
    ("fault", "code"),
    [("repeated rows", "repeated_rows"), ("unsorted rows", "unsorted_rows"), ("null rows", "empty_rows")],
)
def test_faulty_rows_are_put_right_and_said(source, yahoo, fault, code):
    request = FetchRequest("AAPL", "1d", SPRING, SPRING + timedelta(days=60))
    clean = source.fetch(request)
    yahoo.fault = fault
    draft = source.fetch(request)
    assert code in codes(draft) - codes(clean)
    expected = clean.frame.drop(index=[3, 4, 5]) if fault == "null rows" else clean.frame
    assert draft.frame.reset_index(drop=True).equals(expected.reset_index(drop=True))


def test_an_answer_without_rows_is_no_error_of_the_source(source, yahoo):
    yahoo.fault = "empty"
    with pytest.raises(NotFound) as error:
        source.fetch(FetchRequest("AAPL", "1m", ago(20)))
    assert error.value.code == "no_candles"
    yahoo.fails = 1  # a page of holidays among others
    assert len(source.fetch(FetchRequest("AAPL", "1m", ago(20)))) > 1000


def test_threads_share_a_source(source):
    symbols = ["AAPL", "MSFT", "0700.HK", "BTC-USD"] * 3
    with ThreadPoolExecutor(6) as pool:
        drafts = list(pool.map(lambda symbol: source.fetch(FetchRequest(symbol, "1d", ago(100))), symbols))
    assert [draft.name for draft in drafts] == symbols
    assert drafts[0].frame.equals(drafts[4].frame)
    assert not drafts[0].frame.equals(drafts[1].frame)


def test_a_draft_says_what_its_candles_are_of(source):
    about = source.fetch(FetchRequest("AAPL", "1d", SPRING, SPRING + timedelta(days=30), {"adjustment": "none"})).about
    assert about == About("AAPL", "1d", "none", "USD", calendar="XNYS", origin="Yahoo Finance")


@pytest.mark.parametrize(("symbol", "calendar"), [("EURUSD=X", "24/5"), ("BTC-USD", "24/7")])
def test_what_trades_through_the_hour_that_clocks_repeat_is_told_in_utc_within_a_day(source, symbol, calendar):
    within = source.fetch(FetchRequest(symbol, "15m", ago(5)))
    assert (within.timezone, within.about.calendar) == ("UTC", calendar)
    assert within.frame["timestamp"].is_monotonic_increasing
    euro = source.fetch(FetchRequest("EURUSD=X", "1d", ago(30)))
    assert euro.timezone == "Europe/London"
    assert (euro.frame["timestamp"] == euro.frame["timestamp"].dt.normalize()).all()

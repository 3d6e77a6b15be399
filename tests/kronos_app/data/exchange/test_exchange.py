"""The real ccxt clients against exchanges on this machine, over HTTP."""

from __future__ import annotations

import logging
import threading
import time
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import SecretStr

from kronos_app.data.exchange.pages import collect, merge, to_page
from kronos_app.data.exchange.source import ExchangeSource, exchange_names
from kronos_app.data.source import FetchRequest
from kronos_app.errors import InvalidInput, NotFound, Unavailable
from kronos_app.settings import ExchangeSettings
from tests.servers import exchange as servers

HOUR = 3600
NOW = datetime(2024, 3, 1, 10, 29, 30, tzinfo=UTC)
LISTED = datetime(2023, 7, 22, tzinfo=UTC)
BOTH = {"fetchMarkets": {"types": ["spot", "linear"]}}


def source(server, name="binance", **options):
    options = {"timeout": 5.0, "retries": 0, "backoff": 0.001, "pause": 0.0, "clock": NOW.timestamp} | options
    options.setdefault("options", BOTH if name == "binance" else None)
    reached = {key: options.pop(key, None) for key in ExchangeSettings.model_fields} | {"base_url": server.url}
    return ExchangeSource(name, ExchangeSettings(**reached), **options)


@pytest.fixture
def binance():
    with servers.binance(now=NOW.timestamp()) as server:
        yield server


@pytest.fixture
def kraken():
    with servers.kraken(now=NOW.timestamp()) as server:
        yield server


def expected(market, length, first, last):
    """Return the candles from `first` to `last` as the servers make them."""
    opens = range(int(first.timestamp()), int(last.timestamp()) + 1, length)
    values = [servers.candle(market, opened, length) for opened in opens]
    frame = pd.DataFrame(values, columns=["open", "high", "low", "close", "volume"]).astype("float64")
    frame.insert(0, "timestamp", pd.to_datetime(list(opens), unit="s").astype("datetime64[ns]"))
    frame.index = pd.RangeIndex(1, len(frame) + 1, name="row")
    return frame


def codes(draft):
    return [finding.code for finding in draft.findings]


def hourly(**range_):
    return FetchRequest("BTC/USDT", "1h", **range_)


# What there is


def test_every_exchange_with_candles_is_named():
    names = exchange_names()
    assert {"binance", "kraken", "okx", "bybit", "coinbase", "hyperliquid"} <= set(names)
    assert len(names) > 80


def test_an_unknown_exchange_is_told(binance):
    with pytest.raises(InvalidInput) as error:
        source(binance, "binanse").intervals()
    assert error.value.code == "unknown_exchange"


def test_intervals_are_the_exchanges_own_the_shortest_first(binance, kraken):
    found = source(binance).intervals()
    assert [interval.key for interval in found][:3] == ["1s", "1m", "3m"]
    assert [interval.length for interval in found] == sorted(interval.length for interval in found)
    assert {interval.reach for interval in found} == {None}
    reach = {interval.key: interval.reach for interval in source(kraken, "kraken").intervals()}
    assert reach["1h"] == timedelta(hours=720)
    assert binance.requests == kraken.requests == []


@pytest.mark.parametrize("query", ["btc", "BTC/USDT", "btcusdt", "btc usdt", "BTC-USDT"])
def test_search_finds_spot_and_swap_the_likeliest_first(binance, query):
    found = source(binance).search(query)
    assert [instrument.symbol for instrument in found][:2] == ["BTC/USDT", "BTC/USDT:USDT"]
    assert found[0].exchange == "Binance"
    assert found[1].name == "BTC/USDT (swap)"


def test_search_by_quote_has_delisted_markets_last_and_keeps_the_limit(binance):
    found = [instrument.symbol for instrument in source(binance).search("USDT")]
    assert set(found) == {"BTC/USDT", "BTC/USDT:USDT", "ETH/USDT", "LUNA/USDT"}
    assert found[-1] == "LUNA/USDT"
    assert len(source(binance).search("USDT", limit=2)) == 2


@pytest.mark.parametrize("query", ["", "  ", "/", "DOGE", "btc doge"])
def test_search_may_find_nothing(binance, query):
    assert source(binance).search(query) == []


def test_markets_are_read_once(binance):
    market = source(binance)
    market.search("btc")
    market.search("eth")
    assert len(binance.asked("/api/v3/exchangeInfo")) == 1


# Candles


def test_binance_is_paged_over_thousands_of_candles(binance):
    seen = []
    draft = source(binance).fetch(hourly(), seen.append)
    last = datetime(2024, 3, 1, 9, tzinfo=UTC)
    pd.testing.assert_frame_equal(draft.frame, expected(binance.market("BTCUSDT"), HOUR, LISTED, last), atol=1e-8)
    assert len(draft) > 5000
    assert seen == [1000, 2000, 3000, 4000, 5000, len(draft) + 1]
    assert len(binance.asked("klines")) == 6
    assert (draft.name, draft.source, draft.timezone) == ("BTC/USDT", "binance", "UTC")
    assert codes(draft) == ["unfinished_candle"]
    assert "2024-03-01 10:00" in draft.findings[0].message.render()


def test_a_swap_comes_from_its_own_market(binance):
    draft = source(binance).fetch(FetchRequest("BTC/USDT:USDT", "1d"))
    swap = binance.market("BTCUSDT", "swap")
    expected_frame = expected(swap, servers.DAY, LISTED, datetime(2024, 2, 29, tzinfo=UTC))
    pd.testing.assert_frame_equal(draft.frame, expected_frame, atol=1e-8)
    assert {path for path, _, _ in binance.requests if "klines" in path} == {"/fapi/v1/klines"}


@pytest.mark.parametrize("symbol", ["BTCUSDT", "btc/usdt", " BTC/USDT "])
def test_a_symbol_may_be_written_as_the_exchange_does(binance, symbol):
    draft = source(binance).fetch(FetchRequest(symbol, "1h", start=NOW - timedelta(hours=5)))
    assert draft.name == "BTC/USDT"


def test_start_is_included_and_end_is_not(binance):
    begin, end = datetime(2023, 9, 1, 0, tzinfo=UTC), datetime(2023, 12, 1, 12, tzinfo=UTC)
    draft = source(binance).fetch(hourly(start=begin, end=end))
    times = draft.frame["timestamp"]
    assert times.iloc[0] == pd.Timestamp("2023-09-01 00:00")
    assert times.iloc[-1] == pd.Timestamp("2023-12-01 11:00")
    assert len(draft) == (end - begin) // timedelta(hours=1)
    assert codes(draft) == []


def test_a_zone_of_the_request_is_understood(binance):
    shanghai = pd.Timestamp("2024-01-01 08:00", tz="Asia/Shanghai").to_pydatetime()
    draft = source(binance).fetch(hourly(start=shanghai, end=shanghai + timedelta(hours=2)))
    assert list(draft.frame["timestamp"]) == list(pd.date_range("2024-01-01 00:00", periods=2, freq="h"))


def test_a_start_before_the_listing_is_said(binance):
    draft = source(binance).fetch(hourly(start=datetime(2020, 1, 1, tzinfo=UTC)))
    assert codes(draft) == ["unfinished_candle", "range_cut"]
    assert draft.findings[1].message.render() == "Binance has 1h candles only from 2023-07-22 00:00 UTC."


def traded_minutes(days, *, first_day=datetime(2023, 10, 2, tzinfo=UTC), opens=14 * 60, closes=20 * 60):
    """Return a market that trades on weekdays from 14:00 to 20:00 only, and the number of its 1-minute candles."""
    begin = int(first_day.timestamp())
    stretches = [
        (begin + day * servers.DAY + opens * 60, begin + day * servers.DAY + closes * 60)
        for day in range(days)
        if day % 7 < 5
    ]
    gaps = [(stop, start) for (_, stop), (start, _) in pairwise(stretches)]
    market = servers.Market("BTC", "USDT", listed=stretches[0][0], delisted=stretches[-1][1], gaps=tuple(gaps))
    return market, sum(stop - start for start, stop in stretches) // 60


@pytest.mark.parametrize(
    ("fault", "ahead"), [(None, ()), ("descending", (36_000,)), ("overlap", (0,)), ("duplicates", (0, 36_000))]
)
def test_candles_behind_quiet_stretches_come_from_an_exchange_that_answers_by_windows(fault, ahead):
    market, count = traded_minutes(21)
    with servers.binance(now=NOW.timestamp(), window_only=True, markets=[market], ahead=ahead, fault=fault) as server:
        server.fault_on = "klines"
        draft = source(server).fetch(FetchRequest("BTC/USDT", "1m"))
    ended = draft.frame["timestamp"] < pd.Timestamp(market.delisted, unit="s")
    assert int(ended.sum()) == count
    assert draft.frame["timestamp"].is_unique
    assert len(server.asked("klines")) < 200
    assert "range_incomplete" not in codes(draft)


def test_coinbase_whose_client_asks_by_windows_gives_every_candle():
    market, count = traded_minutes(21)
    with servers.coinbase(now=NOW.timestamp(), markets=[market]) as server:
        draft = source(server, "coinbase").fetch(FetchRequest("BTC/USDT", "1m", start=LISTED))
    assert len(draft) == count
    assert codes(draft) == ["range_cut"]
    assert len(server.asked("candles")) < 200


def test_an_exchange_that_answers_by_windows_is_searched_for_the_listing_and_over_gaps():
    day = servers.DAY
    listed = int(LISTED.timestamp())
    gap = (listed + 30 * day, listed + 110 * day)
    market = servers.Market("BTC", "USDT", gaps=(gap,))
    with servers.binance(now=NOW.timestamp(), window_only=True, markets=[market]) as server:
        draft = source(server).fetch(hourly())
    wanted = expected(market, HOUR, LISTED, datetime(2024, 3, 1, 9, tzinfo=UTC))
    inside = wanted["timestamp"].between(*pd.to_datetime(gap, unit="s"), inclusive="left")
    np.testing.assert_array_equal(draft.frame["timestamp"], wanted["timestamp"][~inside])
    assert len(server.asked("klines")) < 60


def test_where_an_exchange_keeps_its_latest_fine_candles_only_the_missing_range_is_named():
    kept = 10 * 1440
    with servers.binance(now=NOW.timestamp(), window_only=True, kept={60: kept}) as server:
        draft = source(server).fetch(FetchRequest("BTC/USDT", "1m", start=NOW - timedelta(days=60)))
    assert len(draft) in {kept - 1, kept}
    assert len(server.asked("klines")) < 100
    finding = next(finding for finding in draft.findings if finding.code == "range_incomplete")
    assert finding.severity == "warning"
    assert "from 2024-01-02 00:00 UTC to 2024-02-19 00:00 UTC" in finding.message.render()


def test_a_delisted_market_ends_where_it_ended(binance):
    draft = source(binance).fetch(FetchRequest("LUNA/USDT", "1h"))
    ended = pd.Timestamp(binance.market("LUNAUSDT").delisted, unit="s")
    assert draft.frame["timestamp"].iloc[-1] == ended - pd.Timedelta(hours=1)
    assert codes(draft) == []


def test_months_are_counted_by_the_calendar():
    from kronos_app.data.exchange.source import _ends
    from kronos_app.data.source import Interval

    opens = pd.DatetimeIndex(["2024-01-01", "2024-02-01"])
    ends = _ends(opens, Interval("1M", timedelta(days=30)))
    assert list(ends) == [pd.Timestamp("2024-02-01"), pd.Timestamp("2024-03-01")]


def test_kraken_has_its_last_candles_only_and_says_so(kraken):
    draft = source(kraken, "kraken").fetch(hourly(start=datetime(2024, 1, 1, tzinfo=UTC)))
    frame = draft.frame
    last = datetime(2024, 3, 1, 9, tzinfo=UTC)
    first = frame["timestamp"].iloc[0].to_pydatetime().replace(tzinfo=UTC)
    pd.testing.assert_frame_equal(frame, expected(kraken.market("BTCUSDT"), HOUR, first, last), atol=1e-8)
    assert len(frame) == servers.KRAKEN_LAST - 1
    assert codes(draft) == ["unfinished_candle", "range_cut"]
    assert draft.source == "kraken"


def test_a_range_that_kraken_does_not_keep_is_refused_with_what_it_has(kraken):
    with pytest.raises(InvalidInput) as error:
        source(kraken, "kraken").fetch(
            hourly(start=datetime(2023, 8, 1, tzinfo=UTC), end=datetime(2023, 9, 1, tzinfo=UTC))
        )
    assert error.value.code == "range_too_long"
    assert "2024-01-31 10:29 UTC" in error.value.message.render()


# Limits


def test_without_a_start_the_latest_candles_within_the_limit_are_fetched(binance):
    draft = source(binance, max_rows=1500).fetch(hourly())
    assert len(draft) == 1499
    assert draft.frame["timestamp"].iloc[-1] == pd.Timestamp("2024-03-01 09:00")
    assert codes(draft) == ["range_cut", "unfinished_candle"]


def test_a_range_over_the_limit_is_refused_before_it_is_fetched(binance):
    with pytest.raises(InvalidInput) as error:
        source(binance, max_rows=1500).fetch(hourly(start=LISTED))
    assert error.value.code == "range_too_long"
    assert binance.asked("klines") == []


def test_a_start_that_has_not_come_is_refused(binance):
    with pytest.raises(InvalidInput) as error:
        source(binance).fetch(hourly(start=NOW + timedelta(days=1)))
    assert error.value.code == "empty_range"


def test_an_interval_that_the_exchange_has_not_is_refused(binance):
    with pytest.raises(InvalidInput) as error:
        source(binance).fetch(FetchRequest("BTC/USDT", "7h"))
    assert error.value.code == "unknown_interval"
    assert "1h" in error.value.hint.render()


def test_an_interval_that_the_exchange_refuses_after_all_is_told(binance):
    with pytest.raises(InvalidInput) as error:
        source(binance).fetch(FetchRequest("BTC/USDT", "3d"))
    assert error.value.code == "source_rejected"


@pytest.mark.parametrize(("symbol", "near"), [("BTC/EUR", ""), ("LUNAUSD", "LUNA/USDT"), ("DOGE/USDT", "")])
def test_an_unknown_symbol_is_told_with_similar_ones(binance, symbol, near):
    with pytest.raises(InvalidInput) as error:
        source(binance).fetch(FetchRequest(symbol, "1h"))
    assert error.value.code == "unknown_symbol"
    assert symbol in error.value.message.render()
    assert near in error.value.hint.render()


@pytest.mark.parametrize("name", ["binance", "kraken"])
def test_a_symbol_that_the_exchange_has_dropped_since_is_told(name, request):
    server = request.getfixturevalue(name)
    market = source(server, name)
    market.search("eth")
    server.markets = [left for left in server.markets if left.id != "ETHBTC"]
    with pytest.raises(InvalidInput) as error:
        market.fetch(FetchRequest("ETH/BTC", "1h"))
    assert error.value.code == "unknown_symbol"


def test_a_known_symbol_without_candles_in_the_range_is_not_found(binance):
    with pytest.raises(NotFound) as error:
        source(binance).fetch(hourly(start=datetime(2020, 1, 1, tzinfo=UTC), end=datetime(2020, 2, 1, tzinfo=UTC)))
    assert error.value.code == "no_candles"


# Faults


@pytest.mark.parametrize("name", ["binance", "kraken"])
@pytest.mark.parametrize(
    ("fault", "code"),
    [
        ("429", "rate_limited"),
        ("418", "rate_limited"),
        ("500", "source_fault"),
        ("503", "source_fault"),
        ("403", "source_refused"),
        ("451", "source_refused"),
        ("hang", "timed_out"),
        ("cut", "unreachable"),
        ("malformed", "malformed_answer"),
        ("html", "malformed_answer"),
    ],
)
@pytest.mark.parametrize("where", ["", "candles"])
def test_faults_are_told_apart(name, fault, code, where, request):
    server = request.getfixturevalue(name)
    path = {"binance": "klines", "kraken": "OHLC"}[name] if where else ""
    market = source(server, name, timeout=0.3 if fault == "hang" else 5.0)
    market.search("btc")
    server.fault, server.fault_on = fault, path
    with pytest.raises(Unavailable) as error:
        market.fetch(hourly())
    assert error.value.code == code
    assert error.value.hint.render()
    assert "127.0.0.1" not in error.value.message.render()
    assert error.value.__context__ is None


@pytest.mark.parametrize("fault", ["429", "503", "cut", "malformed", "hang"])
def test_what_is_temporary_is_asked_again(binance, fault):
    market = source(binance, retries=2, timeout=0.3 if fault == "hang" else 5.0)
    binance.fault, binance.fault_on, binance.fault_times = fault, "klines", 2
    assert len(market.fetch(hourly())) == 5362
    assert len(binance.asked("klines")) == 8


def test_what_is_not_temporary_is_asked_once(binance):
    binance.fault, binance.fault_on = "403", "klines"
    with pytest.raises(Unavailable):
        source(binance, retries=3).fetch(hourly())
    assert len(binance.asked("klines")) == 1


def test_a_list_of_markets_that_failed_is_read_again(binance):
    market = source(binance)
    binance.fault, binance.fault_times = "malformed", 1
    with pytest.raises(Unavailable):
        market.search("btc")
    assert market.search("btc")


def test_the_pause_that_an_exchange_asks_for_is_kept_unless_it_is_long(binance):
    binance.fault, binance.fault_on, binance.fault_times, binance.retry_after = "429", "klines", 1, "0.3"
    began = time.monotonic()
    source(binance, retries=1).fetch(hourly())
    assert time.monotonic() - began > 0.3
    binance.fault_times, binance.retry_after = 1, "3600"
    with pytest.raises(Unavailable) as error:
        source(binance, retries=1).fetch(hourly())
    assert error.value.code == "rate_limited"
    assert "3600" in error.value.hint.render()


def test_nobody_there():
    with servers.binance() as server:
        pass
    with pytest.raises(Unavailable) as error:
        source(server).search("btc")
    assert error.value.code == "unreachable"


@pytest.mark.parametrize("name", ["binance", "kraken"])
@pytest.mark.parametrize("fault", ["descending", "overlap"])
def test_pages_out_of_order_and_overlapping_give_the_same_series(name, fault, request):
    server = request.getfixturevalue(name)
    whole = source(server, name).fetch(hourly()).frame
    server.fault = fault
    pd.testing.assert_frame_equal(source(server, name).fetch(hourly()).frame, whole)


@pytest.mark.parametrize("minutes", [-60, 60])
@pytest.mark.parametrize("name", ["binance", "kraken"])
def test_the_exchanges_clock_decides_which_candle_has_ended(name, minutes, request):
    server = request.getfixturevalue(name)
    server.clock_offset = minutes * 60
    draft = source(server, name).fetch(hourly(start=NOW - timedelta(days=3)))
    finished = pd.Timestamp("2024-03-01 09:00") + pd.Timedelta(minutes=minutes)
    assert draft.frame["timestamp"].iloc[-1] == finished
    assert codes(draft)[:2] == ["clock_differs", "unfinished_candle"]
    assert f"{minutes:+d}" in draft.findings[0].message.render()


def test_a_fetch_is_cancelled_between_pages_and_while_it_waits(binance):
    class Cancelled(Exception):
        pass

    def cancel(_candles):
        raise Cancelled

    with pytest.raises(Cancelled):
        source(binance).fetch(hourly(), cancel)
    assert len(binance.asked("klines")) == 1
    binance.fault, binance.fault_on = "503", "klines"
    with pytest.raises(Cancelled):
        source(binance, retries=3, backoff=60.0).fetch(hourly(), cancel)
    assert len(binance.asked("klines")) == 2


def test_threads_share_a_source(binance):
    market, lengths = source(binance), []
    threads = [threading.Thread(target=lambda: lengths.append(len(market.fetch(hourly())))) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(lengths) == 3
    assert len(set(lengths)) == 1
    assert len(binance.asked("/api/v3/exchangeInfo")) == 1


# Secrets and the way out


def test_credentials_are_neither_shown_nor_logged_nor_sent_for_public_candles(binance, caplog):
    caplog.set_level(logging.DEBUG)
    keys = {"apiKey": SecretStr("key-of-the-desk"), "secret": SecretStr("secret-of-the-desk")}
    market = source(binance, credentials=keys)
    market.fetch(hourly())
    binance.fault = "500"
    with pytest.raises(Unavailable) as error:
        market.fetch(hourly())
    logging.getLogger("urllib3.connectionpool").debug("GET /?key=%s", "key-of-the-desk")
    shown = caplog.text + repr(market) + repr(vars(market)) + repr(vars(market._client)) + repr(error.value.to_dict())
    assert "of-the-desk" not in shown
    assert "GET /?key=***" in caplog.text
    assert repr(market) == "ExchangeSource('binance')"
    assert "of-the-desk" not in repr(binance.requests)


def test_a_credential_that_the_exchange_has_not_is_named_without_its_value(binance):
    with pytest.raises(ValueError, match="passwort") as error:
        source(binance, credentials={"passwort": SecretStr("of-the-desk")}).search("btc")
    assert "of-the-desk" not in str(error.value)


def test_requests_go_through_the_proxy(binance):
    reached = ExchangeSettings(
        base_url="http://exchange.invalid",
        proxies={"http": binance.url},
        options={"fetchMarkets": {"types": ["spot"]}},
    )
    market = ExchangeSource("binance", reached, pause=0.0, retries=0, clock=NOW.timestamp)
    assert binance.url not in repr(vars(market._client))
    assert len(market.fetch(hourly(start=NOW - timedelta(hours=10)))) == 9
    assert binance.requests[0][2]["Host"] == "exchange.invalid"
    assert binance.asked("/fapi/") == []


# Pages

SERIES = np.column_stack([np.arange(1, 61) * 60_000.0, *np.random.default_rng(0).normal(100, 5, (5, 60))])


@given(st.data())
@settings(max_examples=100, deadline=None)
def test_pages_in_any_order_with_any_overlaps_give_the_same_series(data):
    cuts = data.draw(st.lists(st.integers(0, 60), max_size=8).map(lambda cuts: sorted({0, 60, *cuts})))
    bounds = [
        (max(0, first - data.draw(st.integers(0, 10))), last + data.draw(st.integers(0, 10)))
        for first, last in pairwise(cuts)
    ]
    pages = [SERIES[data.draw(st.permutations(range(first, min(last, 60))))] for first, last in bounds]
    np.testing.assert_array_equal(merge(data.draw(st.permutations(pages))), SERIES)


@given(
    present=st.sets(st.integers(0, 300), max_size=60),
    begin=st.integers(0, 200),
    span=st.integers(1, 150),
    limit=st.integers(2, 20),
    back=st.integers(0, 5),
)
@settings(max_examples=200, deadline=None)
def test_collecting_pages_gives_what_there_is_in_the_range(present, begin, span, limit, back):
    opens = np.array(sorted(present), dtype="float64") * 60_000 + 60_000

    def fetch(since):
        since -= back * 60_000
        found = opens[opens >= since][: limit + back]
        return to_page([[moment, 1, 1, 1, 1, 1] for moment in found[::-1]])

    first, last = (begin + 1) * 60_000, (begin + span + 1) * 60_000
    rows = collect(fetch, first, last, length=60_000, limit=limit, on_page=lambda count: None)
    np.testing.assert_array_equal(rows[:, 0], opens[(opens >= first) & (opens < last)])


MINUTE = 60_000


def one_minute_candles(opens):
    return to_page([[moment * MINUTE, 1, 1, 1, 1, 1] for moment in opens])


@given(
    present=st.sets(st.integers(1, 3000), max_size=80),
    begin=st.integers(1, 2000),
    span=st.integers(1, 1500),
    limit=st.integers(2, 50),
    covered=st.sampled_from(["one more", "exactly", "one less"]),
    ahead=st.none() | st.integers(1, 5000),
)
@settings(max_examples=200, deadline=None)
def test_every_candle_between_quiet_stretches_is_collected_from_windows(present, begin, span, limit, covered, ahead):
    window = limit + {"one more": 1, "exactly": 0, "one less": -1}[covered]

    def fetch(since):
        first = -(-since // MINUTE)
        inside = {moment for moment in present if first <= moment < first + window}
        return one_minute_candles(sorted(inside | ({ahead} if ahead in present else set())))

    first, last = begin * MINUTE, (begin + span) * MINUTE
    rows = collect(fetch, first, last, length=MINUTE, limit=limit, on_page=lambda count: None)
    expected_opens = sorted(moment * MINUTE for moment in present if begin <= moment < begin + span)
    np.testing.assert_array_equal(rows[:, 0], expected_opens)


@pytest.mark.parametrize("ahead", [1, 10, -1])
def test_a_candle_that_every_page_adds_at_the_end_does_not_end_the_paging(ahead):
    def fetch(since):
        first = -(-since // MINUTE)
        return one_minute_candles([*range(first, min(first + 300, 1001)), 1000 + ahead])

    rows = collect(fetch, MINUTE, 1001 * MINUTE, length=MINUTE, limit=300, on_page=lambda count: None)
    np.testing.assert_array_equal(rows[:, 0], MINUTE * np.arange(1, 1001))


def test_a_window_shorter_than_the_limit_is_learned_from_the_answers():
    traded = [*range(1, 200), *range(460, 475), *range(700, 900)]

    def fetch(since):
        first = -(-since // MINUTE)
        return one_minute_candles([moment for moment in traded if first <= moment < first + 60])

    rows = collect(fetch, MINUTE, 1000 * MINUTE, length=MINUTE, limit=300, on_page=lambda count: None)
    np.testing.assert_array_equal(rows[:, 0], MINUTE * np.array(traded))


def test_a_quiet_stretch_can_be_cancelled():
    class Cancelled(Exception):
        pass

    def cancel(_count):
        raise Cancelled

    with pytest.raises(Cancelled):
        collect(lambda since: one_minute_candles([]), MINUTE, 10**6 * MINUTE, length=MINUTE, limit=9, on_page=cancel)


def test_the_last_reading_of_a_candle_stays():
    running, ended = SERIES[:5].copy(), SERIES[4:5].copy()
    ended[0, 4] = 123.0
    assert merge([running, ended])[-1, 4] == 123.0
    assert merge([]).shape == (0, 6)


@pytest.mark.parametrize("rows", [[[None, 1, 2, 3, 4, 5]], [["a", 1, 2, 3, 4, 5]], ["candle"], [[1, 2]]])
def test_what_are_no_candles_is_no_page(rows):
    with pytest.raises((TypeError, ValueError)):
        to_page(rows)

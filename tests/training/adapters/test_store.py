"""Series of a store that Kronos Desk itself wrote."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from kronos_app.data.about import About
from kronos_app.data.candle_frame import CandleFrame
from kronos_app.data.source import FetchRequest
from kronos_app.services.candles.series_fetching import request_key
from kronos_app.store import Store
from kronos_app.store.series import SeriesKey, SeriesState
from kronos_app.store.watchlists import Watched, Watchlist
from tests.training import conftest
from training.adapters import SymbolCandles, fingerprint, read_candles
from training.errors import DataError
from training.fit.preparing import prepare
from training.run.config import RunConfig, StoreData

DAY = {"start": "2024-03-01", "freq": "D"}


def merge(store: Store, key: SeriesKey, rows: int, calendar: str, zone: str | None, **about: Any) -> pd.DataFrame:
    frame = conftest.candles("x", rows, seed=rows, **{"start": "2024-01-02", **about}).drop(columns="symbol")
    candles = CandleFrame(frame, key.symbol, key.source, zone, About(key.symbol, key.interval, calendar=calendar))
    asked = request_key(FetchRequest(key.symbol.lower(), key.interval, options={"market": "spot"}))
    store.series.merge(key, candles, state=SeriesState(asked=(asked,)))
    return frame


@pytest.fixture(params=["duckdb", "sqlite"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return f"{request.param}:///{tmp_path / 'desk.db'}"


@pytest.fixture
def store(url: str) -> Iterator[Store]:
    """A store with three series, two of them of one symbol, and a watchlist."""
    store = Store.open(url)
    merge(store, SeriesKey("exchange", "BTC", "1h"), 900, "24/7", None)
    merge(store, SeriesKey("yahoo", "AAPL", "1d", "adjusted"), 300, "XNYS", "America/New_York", **DAY)
    merge(store, SeriesKey("yahoo", "AAPL", "1d", "none"), 310, "XNYS", "America/New_York", **DAY)
    entries = (Watched("exchange", "btc", "1h", {"market": "spot"}), Watched("exchange", "ETH", "1h"))
    store.watchlists.put(Watchlist("coins", entries))
    store.watchlists.put(Watchlist("wishes", entries[1:]))
    yield store
    store.close()


def read(url: str, **fields: Any) -> list[SymbolCandles]:
    return list(read_candles(StoreData(source="store", url=url, **fields)))


def test_every_series_is_read_in_its_exchange_s_time(store: Store, url: str) -> None:
    written = merge(store, SeriesKey("yahoo", "MSFT", "1d"), 200, "XNAS", "America/New_York", **DAY)
    store.close()
    found = read(url)
    assert [(one.group, one.symbol, len(one.frame), one.done, one.total) for one in found] == [
        ("crypto/1h", "BTC", 900, 0, 4),
        ("us_equity/1d", "AAPL (yahoo adjusted)", 300, 1, 4),
        ("us_equity/1d", "AAPL (yahoo none)", 310, 2, 4),
        ("us_equity/1d", "MSFT", 200, 3, 4),
    ]
    pd.testing.assert_frame_equal(found[3].frame[written.columns], written, check_dtype=False, check_column_type=False)


def test_symbols_interval_and_watchlist_choose_series(store: Store, url: str) -> None:
    store.close()
    assert [one.symbol for one in read(url, symbols=["BTC"])] == ["BTC"]
    assert [len(one.frame) for one in read(url, interval="1d")] == [300, 310]
    assert [one.symbol for one in read(url, watchlist="coins")] == ["BTC"]


def test_a_store_becomes_a_corpus(store: Store, url: str, config: RunConfig, tmp_path: Path) -> None:
    store.close()
    settings = config.model_copy(update={"data": StoreData(source="store", url=url, symbols=["BTC"])})
    corpus = prepare(settings, tmp_path / "prepared")
    frame = conftest.candles("x", 900, seed=900, start="2024-01-02")
    np.testing.assert_array_equal(corpus.values[:, 3], frame["close"].to_numpy(np.float32))
    assert prepare(settings, tmp_path / "prepared").digest == corpus.digest


def test_times_that_would_repeat_stay_in_utc(store: Store, url: str) -> None:
    zone = "Europe/Berlin"
    utc = pd.date_range("2024-10-26 22:00", periods=8, freq="h", tz="UTC", unit="ns")
    frame = conftest.candles("x", 8, seed=1).drop(columns="symbol").assign(timestamp=utc.tz_localize(None))
    store.series.merge(SeriesKey("yahoo", "DAX", "1h"), CandleFrame(frame, "DAX", "yahoo", "UTC", About("DAX", "1h")))
    later = conftest.candles("x", 5, seed=2, start="2024-11-01").drop(columns="symbol")
    store.series.merge(SeriesKey("yahoo", "DAX", "1h"), CandleFrame(later, "DAX", "yahoo", zone, About("DAX", "1h")))
    store.close()
    (found,) = read(url, symbols=["DAX"])
    assert found.frame["timestamp"].is_monotonic_increasing
    assert found.frame["timestamp"].tolist()[:8] == frame["timestamp"].tolist()
    assert found.group == "other/1h"


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"symbols": ["BTC", "DOGE"]}, "The store has no series DOGE. It has AAPL, BTC."),
        ({"interval": "5m"}, "The store has no series of interval 5m. It has 1d, 1h."),
        ({"watchlist": "shares"}, "The store has no watchlist “shares”. It has coins, wishes."),
        ({"watchlist": "wishes"}, "No series of the watchlist “wishes” is stored yet"),
    ],
)
def test_what_is_not_in_the_store_is_named(fields: dict[str, Any], message: str, store: Store, url: str) -> None:
    store.close()
    with pytest.raises(DataError) as error:
        read(url, **fields)
    assert message in str(error.value)


def test_a_store_that_a_desk_holds_is_told(tmp_path: Path) -> None:
    url = f"duckdb:///{tmp_path / 'desk.db'}"
    store = Store.open(url)
    merge(store, SeriesKey("exchange", "BTC", "1h"), 50, "24/7", None)
    with pytest.raises(DataError, match="is in use by a running Kronos Desk: stop it, or export the series"):
        read(url)
    store.close()
    assert len(read(url)) == 1


def test_the_fingerprint_follows_every_series(store: Store, url: str) -> None:
    store.close()
    wanted = StoreData(source="store", url=url)
    seen = [fingerprint(wanted)]
    assert fingerprint(wanted) == seen[0]
    for change in ({}, {"rows": 400}):
        again = Store.open(url)
        frame = conftest.candles("x", change.get("rows", 300), seed=5, **DAY).drop(columns="symbol")
        about = About("AAPL", "1d", calendar="XNYS")
        key = SeriesKey("yahoo", "AAPL", "1d", "adjusted")
        again.series.merge(key, CandleFrame(frame, "AAPL", "yahoo", "America/New_York", about))
        again.close()
        seen.append(fingerprint(wanted))
    assert seen[0] != seen[1] != seen[2]


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("duckdb:///{}/absent.db", "There is no store .*absent.db"),
        ("sqlite:///{}/other.db", "is not a readable Kronos Desk store"),
        ("duckdb:///{}/other.db", "is not a readable Kronos Desk store"),
        ("duckdb://", "There is no store"),
        ("nonsense", "The store's address cannot be used"),
        ("other://user:secret@host/name", "The store's address cannot be used"),
        ("postgresql+psycopg://user:secret@127.0.0.1:1/name", "is not a readable Kronos Desk store"),
    ],
)
def test_what_is_no_store_is_told_without_the_password(url: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "other.db").write_text("not a database, and long enough to be looked at " * 100)
    with pytest.raises(DataError, match=message) as error:
        read(url.format(tmp_path))
    assert "secret" not in str(error.value)

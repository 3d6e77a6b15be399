from datetime import UTC, datetime

import numpy as np
import pandas as pd
import pytest

from kronos_app.data.candle_frame import CandleFrame
from kronos_app.store import CandleSet, Job, Store, StoredForecast
from kronos_app.store.registry import RegisteredModel
from tests.servers import mariadb as mariadb_server
from tests.servers import postgres as postgres_server


@pytest.fixture(scope="session")
def postgres():
    with postgres_server.serve() as server:
        yield server


@pytest.fixture(scope="session")
def mariadb():
    with mariadb_server.serve() as server:
        yield server


@pytest.fixture(params=["duckdb", "sqlite"])
def url(request, tmp_path):
    return f"{request.param}:///{tmp_path / 'desk.db'}"


@pytest.fixture
def file(tmp_path):
    return tmp_path / "desk.db"


@pytest.fixture
def open_store():
    """Open stores that are closed again at the test's end."""
    opened = []

    def open_one(address):
        opened.append(Store.open(str(address)))
        return opened[-1]

    yield open_one
    for store in opened:
        store.close()


@pytest.fixture
def store(open_store, url):
    return open_store(url)


@pytest.fixture
def candle_set():
    def make(record_id="c1", rows=50, name="600519.csv"):
        random = np.random.default_rng(1)
        close = 100 * np.exp(np.cumsum(random.normal(0, 0.01, rows)))
        frame = pd.DataFrame(
            {
                "timestamp": pd.date_range("2024-01-01 09:30:00.000000001", periods=rows, freq="5min", unit="ns"),
                "open": close,
                "high": close * 1.01,
                "low": close * 0.99,
                "close": close,
                "volume": random.uniform(1, 9, rows),
            }
        )
        return CandleSet(record_id, CandleFrame(frame, name, "upload", "Asia/Shanghai"), {"rows": rows}, {"dropped": 0})

    return make


@pytest.fixture
def forecast():
    def make(record_id="f1", samples=3, horizon=4, created=None):
        raw_paths = np.random.default_rng(2).normal(size=(samples, horizon, 6))
        return StoredForecast(
            id=record_id,
            created=created or datetime.now(UTC),
            candles_id="c1",
            candles_name="贵州茅台 «2024».csv",
            request={"samples": samples, "seed": 2**63 - 1, "levels": [0.05, 0.95], "cutoff": None},
            provenance={"model": "kronos-nano", "digest": "ab", "history_rows": 400, "seed": 7},
            paths=np.abs(raw_paths),
            raw_paths=raw_paths,
            timestamps=pd.date_range("2024-03-01", periods=horizon, freq="h", unit="ns"),
            cutoff=pd.Timestamp("2024-02-29 23:00:00.000000001"),
            last_close=0.1 + 0.2,
            repairs=5,
        )

    return make


@pytest.fixture
def job():
    def make(record_id="j1", **values):
        return Job(record_id, "forecast", {"key": "k", "samples": 3}, **values)

    return make


@pytest.fixture
def registered():
    def make(name="mine", version=1, **values):
        facts = {"run_id": "r-1", "base": "kronos-nano", "method": "lora", "parameters": 2_811_200, "context": 512}
        scores = {"tuned": {"crps": 0.9, "rank_ic": None}}
        moment = datetime(2026, 11, 25, 12, 30, 1, 500000, tzinfo=UTC)
        made = {
            "created": moment,
            "trained_until": moment,
            "scores": scores,
            "worse": False,
            "digest": "ab",
            "note": "我",
        }
        return RegisteredModel(**{"name": name, "version": version, **facts, **made, **values})

    return make

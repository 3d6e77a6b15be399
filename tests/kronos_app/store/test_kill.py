"""A process that is killed while it writes candles: what was stored before is there, and no write is there by half."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from kronos_app.store import Store
from kronos_app.store.series import SeriesKey

ROOT = Path(__file__).parents[3]
KEY = SeriesKey("vendor", "ABC", "1m")
ROWS = 2_000

# Each write stands for all candles of the series; every price is the number of the write, which is said when it is in.
WRITER = """
import sys
import numpy as np, pandas as pd
from kronos_app.data.candle_frame import CandleFrame
from kronos_app.store import Store
from kronos_app.store.series import SeriesKey

store = Store.open(sys.argv[1])
assert store.notice is None, store.notice.render()
first = int(sys.argv[2])
for number in range(first, first + 100_000):
    times = pd.date_range("2024-01-01", periods=int(sys.argv[3]), freq="min", unit="ns")
    frame = pd.DataFrame({"timestamp": times} | {name: float(number) for name in ("open", "high", "low", "close")})
    candles = CandleFrame(frame, "ABC", "vendor", "UTC")
    store.series.merge(SeriesKey("vendor", "ABC", "1m"), candles, replace=number % 2 == 0)
    print(number, flush=True)
"""


@pytest.mark.parametrize("dialect", ["duckdb", "sqlite"])
def test_a_kill_in_the_middle_of_a_write_loses_nothing_that_was_stored(dialect, tmp_path):
    url = f"{dialect}:///{tmp_path / 'desk.db'}"
    said = 0
    for kill in range(4):
        command = [sys.executable, "-c", WRITER, url, str(said + 1), str(ROWS)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) as writer:
            said = int(writer.stdout.readline())
            time.sleep(0.05 + 0.037 * kill)  # a write takes some ten milliseconds: this ends in another part of one
            writer.send_signal(signal.SIGKILL)
            for line in writer.stdout:
                said = int(line)
            assert writer.wait() == -signal.SIGKILL
        store = Store.open(url)
        assert store.notice is None
        info, candles = store.series.get(KEY), store.series.read(KEY)
        (number,) = candles.frame["close"].unique()
        assert said <= number <= said + 1
        assert len(candles) == info.rows == ROWS
        said = int(number)
        store.close()

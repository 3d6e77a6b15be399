"""A process that is killed while a job saves many series: none or all of them are there, and the job goes on."""

import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from kronos_app.services.desk import Desk
from kronos_app.settings import Settings

ROOT = Path(__file__).parents[4]
SERIES = 450  # more than two statements of the store take

# Starts the job, and stops for ever at a moment of it, which is said.
WRITER = """
import sys, threading
from pathlib import Path
from kronos_app.services.desk import Desk
from kronos_app.services.candles.series_choices import SeriesChoice
from kronos_app.services.candles.uploads import UploadOptions, UploadWorker
from kronos_app.settings import Settings
from kronos_app.store import repositories

home, moment, door = sys.argv[1:]
content = (Path(home).parent / "market.csv").read_bytes()
desk = Desk(Settings(home=home, threads=1))

def stop():
    print(moment, flush=True)
    threading.Event().wait()

calls = []
insert, save = repositories.bulk.insert_rows, desk.candles.save_all

def insert_rows(connection, table, rows):
    if table.name == "candle_sets":
        calls.append(len(rows))
        if moment == "transaction" and len(calls) == 3:
            stop()
    insert(connection, table, rows)

def save_all(ready):
    if moment == "ready":
        stop()
    saved = save(ready)
    if moment == "saved":
        stop()
    return saved

repositories.bulk.insert_rows, desk.candles.save_all = insert_rows, save_all
if door == "api":
    job = desk.uploads.save([("market.csv", content)], UploadOptions())
else:
    drafts = desk.candles.read_all(content, "market.csv")
    job = desk.uploads.save_series([SeriesChoice(draft) for draft in drafts])
print(job.id, flush=True)
desk.start()
threading.Event().wait()
"""


@pytest.mark.parametrize(
    ("door", "moment", "there"),
    [("api", "transaction", 0), ("api", "saved", SERIES), ("page", "ready", 0), ("page", "transaction", 0)],
)
def test_after_a_kill_none_or_all_series_are_there_and_the_job_goes_on(door, moment, there, tmp_path):
    home = tmp_path / "home"
    (tmp_path / "market.csv").write_bytes(_market())
    command = [sys.executable, "-c", WRITER, str(home), moment, door]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) as writer:
        job_id = writer.stdout.readline().strip()
        assert writer.stdout.readline().strip() == moment
        writer.send_signal(signal.SIGKILL)
        assert writer.wait() == -signal.SIGKILL
    desk = Desk(Settings(home=home, threads=1))
    try:
        assert desk.candles.count() == there
        desk.start()
        job = desk.jobs.wait(job_id, 60)
        assert (job.status, len(job.result_id.split(","))) == ("succeeded", SERIES)
        assert desk.candles.count() == SERIES
    finally:
        desk.close()


def _market():
    close = 100 + np.random.default_rng(0).normal(0, 1, SERIES * 5).round(4)
    times = pd.date_range("2024-01-02", periods=5, freq="B")
    frame = pd.DataFrame({"symbol": np.repeat([f"S{n:04}" for n in range(SERIES)], 5), "time": np.tile(times, SERIES)})
    return frame.assign(open=close, high=close + 1, low=close - 1, close=close).to_csv(index=False).encode()

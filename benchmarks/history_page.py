"""How long History, Home and the list over REST take with many forecasts: `python -m benchmarks.history_page`."""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median
from typing import Any

import pandas as pd

ROOT = Path(__file__).resolve().parents[1]
PROMISED_SECONDS = 0.5
ROUNDS = 5


def fill(url: str, forecasts: int, data_sets: int) -> None:
    """Write a store with so many forecasts of so many data sets."""
    from kronos_app.store import Store, bulk, tables

    store = Store.open(url)
    begin = datetime(2024, 1, 1, tzinfo=UTC)
    rows = [_row(number, data_sets, begin) for number in range(forecasts)]
    for start in range(0, forecasts, 1000):
        chunk = rows[start : start + 1000]
        store._database.writing(lambda connection, chunk=chunk: bulk.insert_rows(connection, tables.forecasts, chunk))
    store.close()


def _row(number: int, data_sets: int, begin: datetime) -> dict[str, Any]:
    request = {"lookback": 400, "horizon": 30, "samples": 20, "seed": number}
    return {
        "id": f"{number:032x}",
        "created": begin + timedelta(minutes=number),
        "candles_id": f"c{number % data_sets}",
        "candles_name": f"SYM{number % data_sets}",
        "model": ("kronos-nano", "kronos-small")[number % 2],
        "cutoff": pd.Timestamp("2024-01-01") + pd.Timedelta(days=number % 500),
        **{name: request[name] for name in ("lookback", "horizon", "samples")},
        "last_close": 1.0,
        "repairs": 0,
        "request": request,
        "provenance": {"model": "kronos-nano", "seed": number, "warnings": [], "repair": None},
        "arrays": bytes(50_000),
    }


def seconds_of(work: Callable[[], object]) -> float:
    """Return the median seconds of some calls."""
    taken = []
    for _ in range(ROUNDS):
        began = time.perf_counter()
        work()
        taken.append(time.perf_counter() - began)
    return median(taken)


def main() -> None:
    """Print a line for each page and call."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--forecasts", type=int, default=20_000)
    parser.add_argument("--data-sets", type=int, default=500)
    parser.add_argument("--url", help="SQLAlchemy URL of an empty database; default: a DuckDB file")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as home:
        os.environ["KRONOS_HOME"] = home
        if arguments.url:
            os.environ["KRONOS_DATABASE_URL"] = arguments.url
        from streamlit.testing.v1 import AppTest

        from kronos_app.services.desk import close_desk, get_desk
        from kronos_app.settings import get_settings

        fill(get_settings().store_url, arguments.forecasts, arguments.data_sets)
        pages = {}
        for name in ("history", "home"):
            app = AppTest.from_file(str(ROOT / "kronos_app/frame/main.py"), default_timeout=120)
            pages[name] = app.switch_page(f"../../pages/{name}.py")
        for name, app in pages.items():
            app.run()
            assert not app.exception
            assert app.title, "the page was not drawn"
            assert any("SYM" in markdown.value for markdown in app.markdown), "no forecast is listed"
            print(f"{name}: {seconds_of(app.run):.3f} s (promised {PROMISED_SECONDS} s)")
        desk = get_desk()
        print(f"a page of the list: {seconds_of(lambda: desk.forecasts.list(limit=20, offset=1000)):.4f} s")
        close_desk()


if __name__ == "__main__":
    main()

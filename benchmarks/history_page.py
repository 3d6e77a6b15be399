"""The time of History, Home and the list over REST with many forecasts: `python -m benchmarks.history_page`."""

from __future__ import annotations

import os
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pandas as pd

from benchmarks.measure import build_parser, format_verdict, time_median, write_record

ROOT = Path(__file__).resolve().parents[1]
TARGET = 0.5  # seconds
ROUNDS = 5


def fill_store(url: str, forecasts: int, data_sets: int) -> None:
    """Write a store with `forecasts` forecasts of `data_sets` data sets."""
    from kronos_app.store import Store, bulk, tables

    store = Store.open(url)
    rows = [_make_row(number, data_sets) for number in range(forecasts)]
    for start in range(0, forecasts, 1000):
        chunk = rows[start : start + 1000]
        store._database.write(lambda connection, chunk=chunk: bulk.insert_rows(connection, tables.forecasts, chunk))
    store.close()


def _make_row(number: int, data_sets: int) -> dict[str, Any]:
    settings = {"lookback": 400, "horizon": 30, "samples": 20}
    return settings | {
        "id": f"{number:032x}",
        "created": datetime(2024, 1, 1, tzinfo=UTC) + timedelta(minutes=number),
        "candles_id": f"c{number % data_sets}",
        "candles_name": f"SYM{number % data_sets}",
        "model": ("kronos-nano", "kronos-small")[number % 2],
        "cutoff": pd.Timestamp("2024-01-01") + pd.Timedelta(days=number % 500),
        "last_close": 1.0,
        "repairs": 0,
        "request": settings | {"seed": number},
        "provenance": {"model": "kronos-nano", "seed": number, "warnings": [], "repair": None},
        "arrays": bytes(50_000),
    }


def main() -> None:
    """Print a line for each page and call."""
    parser = build_parser(__doc__, forecasts=20_000, data_sets=500)
    parser.add_argument("--url", help="SQLAlchemy URL of an empty database; default: a DuckDB file")
    options = parser.parse_args()
    seconds = {}
    with tempfile.TemporaryDirectory() as home:
        os.environ["KRONOS_HOME"] = home
        if options.url:
            os.environ["KRONOS_DATABASE_URL"] = options.url
        from streamlit.testing.v1 import AppTest

        from kronos_app.services.desk import close_desk, get_desk
        from kronos_app.settings import get_settings

        fill_store(get_settings().store_url, options.forecasts, options.data_sets)
        for name in ("history", "home"):
            app = AppTest.from_file(str(ROOT / "kronos_app/frame/main.py"), default_timeout=120)
            app.switch_page(f"../../pages/{name}.py").run()
            assert not app.exception
            assert app.title, "the page was not rendered"
            assert any("SYM" in markdown.value for markdown in app.markdown), "no forecast is listed"
            seconds[name] = time_median(app.run, ROUNDS)
            print(f"{name}: {seconds[name]:.3f} s, {format_verdict(seconds[name] <= TARGET, f'{TARGET} s')}")
        desk = get_desk()
        seconds["list"] = time_median(lambda: desk.forecasts.list(limit=20, offset=1000), ROUNDS)
        print(f"a page of the list: {seconds['list']:.4f} s")
        close_desk()
    write_record(options, seconds)


if __name__ == "__main__":
    main()

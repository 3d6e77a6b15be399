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
    """Write a store with `forecasts` graded forecasts of `data_sets` data sets, every tenth with a tag and a note."""
    from kronos_app.store import Store, bulk, tables

    store = Store.open(url)
    rows = [_make_row(number, data_sets) for number in range(forecasts)]
    grades = [_make_grade(row) for row in rows]
    notes = [{"id": row["id"], "tags": ("tag", f"tag {row['seed'] % 7}"), "note": "A note."} for row in rows[::10]]
    for start in range(0, forecasts, 1000):
        chunks = {
            tables.forecasts: rows[start : start + 1000],
            tables.ledger: grades[start : start + 1000],
            tables.forecast_notes: notes[start // 10 : start // 10 + 100],
        }
        for table, chunk in chunks.items():
            store._database.write(lambda connection, t=table, chunk=chunk: bulk.insert_rows(connection, t, chunk))
    store.close()


def _make_row(number: int, data_sets: int) -> dict[str, Any]:
    settings = {"lookback": 400, "horizon": 30, "samples": 20}
    sampling = {"temperature": (1.0, 0.8)[number % 2], "top_p": 1.0, "top_k": 0, "window": "fit"}
    return settings | {
        "id": f"{number:032x}",
        "created": datetime(2024, 1, 1, tzinfo=UTC) + timedelta(minutes=number),
        "candles_id": f"c{number % data_sets}",
        "candles_name": f"SYM{number % data_sets}",
        "model": ("kronos-nano", "kronos-small")[number % 2],
        "cutoff": pd.Timestamp("2024-01-01") + pd.Timedelta(days=number % 500),
        "last_close": 1.0,
        "repairs": 0,
        "request": settings | sampling | {"seed": number},
        "provenance": {"model": "kronos-nano", "seed": number, "warnings": [], "repair": None},
        "arrays": bytes(50_000),
        "replay": number % 3 == 0,
        "driftless": number % 2 == 0,
        "seed": number,
    }


def _make_grade(row: dict[str, Any]) -> dict[str, Any]:
    from kronos_app.store.ledger import LedgerEntry

    days = [row["cutoff"] + pd.Timedelta(days=day) for day in (1, 30)]
    same = ("id", "created", "candles_id", "model", "horizon", "samples", "cutoff", "last_close")
    entry = LedgerEntry(
        **{name: row[name] for name in same},
        name=row["candles_name"],
        source="upload",
        timezone=None,
        step=pd.Timedelta(days=1),
        weights="",
        first=days[0],
        last=days[1],
        ahead=False,
        state="graded",
        crps_ratio=0.9 + row["seed"] % 20 / 100,
        coverage=0.8,
    )
    return vars(entry)


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
        from kronos_app.services.forecast.listing import MOST_EXPORTED, ForecastItems
        from kronos_app.settings import get_settings
        from kronos_app.store.records import ForecastFilter

        fill_store(get_settings().store_url, options.forecasts, options.data_sets)
        for name in ("history", "home"):
            app = AppTest.from_file(str(ROOT / "kronos_app/frame/main.py"), default_timeout=120)
            app.switch_page(f"../../pages/{name}.py").run()
            assert not app.exception
            assert app.title, "the page was not rendered"
            listed = [markdown.value for markdown in app.markdown] + [str(table.value) for table in app.dataframe]
            assert any("SYM" in text for text in listed), "no forecast is listed"
            seconds[name] = time_median(app.run, ROUNDS)
            print(f"{name}: {seconds[name]:.3f} s, {format_verdict(seconds[name] <= TARGET, f'{TARGET} s')}")
        forecasts = get_desk().forecasts
        calls = {
            "list": lambda: forecasts.list(limit=20, offset=1000),
            "sorted": lambda: forecasts.list(by="crps_ratio", limit=20, offset=1000),
            "tagged": lambda: forecasts.list(ForecastFilter(tag="tag 3"), limit=20),
            "csv": lambda: ForecastItems(total=0, forecasts=forecasts.list(limit=MOST_EXPORTED)).to_csv(),
        }
        for name, call in calls.items():
            seconds[name] = time_median(call, ROUNDS)
            print(f"{name}: {seconds[name]:.4f} s")
        close_desk()
    write_record(options, seconds)


if __name__ == "__main__":
    main()

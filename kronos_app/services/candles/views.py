"""Candle sets as JSON, for the API's answers and the pages' downloads."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from kronos_app.jsonable import json_ready, localised
from kronos_app.store.records import CandleSet, CandleSetInfo


def candle_info_json(info: CandleSetInfo) -> dict[str, Any]:
    """Return a line of the list of candle sets as the API has it."""
    times = {name: getattr(info, name).isoformat() for name in ("created", "first", "last")}
    facts = {name: getattr(info, name) for name in ("id", "source", "rows", "tags")}
    names = {"name": info.title, "original_name": info.name}
    return {**names, **facts, **times, "interval_seconds": info.interval.total_seconds()}


def candles_json(saved: CandleSet, language: str = "en", rows: bool = False) -> dict[str, Any]:
    """Return a candle set with its quality report; with `rows` its candles too, by column."""
    candles = saved.candles
    result = {
        "id": saved.id,
        "name": saved.title,
        "original_name": candles.name,
        "tags": saved.tags,
        "source": candles.source,
        "timezone": candles.timezone,
        "calendar": candles.about.calendar,
        "created": saved.created.isoformat(),
        "rows": len(candles),
        "first": candles.timestamps[0].isoformat(),
        "last": candles.timestamps[-1].isoformat(),
        "interval_seconds": candles.interval.total_seconds(),
        "columns": candles.features,
        "quality": localised(saved.quality, language),
        "repair": localised(saved.repair, language),
    }
    if rows:
        result["candles"] = {
            "timestamp": times_json(candles.timestamps),
            **columns_json(candles.frame[candles.features]),
        }
    return dict(json_ready(result))


def columns_json(frame: pd.DataFrame) -> dict[str, Any]:
    """Return a frame by column, each as float64."""
    return {str(name): frame[name].to_numpy(np.float64) for name in frame}


def times_json(times: pd.DatetimeIndex) -> list[str]:
    """Return times in ISO 8601."""
    return [time.isoformat() for time in times]

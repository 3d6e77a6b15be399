"""The records the store keeps, as plain frozen dataclasses: what services, jobs and pages hold in their hands."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from kronos_app.data.candle_frame import FEATURES, CandleFrame
from kronos_app.i18n import Text

JobStatus = Literal["queued", "running", "succeeded", "failed", "cancelled"]
ACTIVE: tuple[JobStatus, ...] = ("queued", "running")


def now() -> datetime:
    """Return the present in UTC."""
    return datetime.now(UTC)


@dataclass(frozen=True)
class UnreadableRecord:
    """A saved record that this version cannot read, and why; it can be deleted."""

    id: str
    reason: Text


UnreadableRecords = list[UnreadableRecord]


@dataclass(frozen=True, eq=False)
class CandleSet:
    """Candles that somebody saved, with the quality report and the repair they went through (both JSON-ready)."""

    id: str
    candles: CandleFrame
    quality: dict[str, Any]
    repair: dict[str, Any]
    created: datetime = field(default_factory=now)


@dataclass(frozen=True)
class CandleSetInfo:
    """A line in the list of candle sets."""

    id: str
    name: str
    source: str
    rows: int
    first: pd.Timestamp
    last: pd.Timestamp
    interval: pd.Timedelta
    created: datetime


@dataclass(frozen=True, eq=False)
class StoredForecast:
    """A forecast as it was computed, complete enough to show it without the model.

    Attributes
    ----------
    id
        Hash of everything the result depends on.
    request, provenance
        JSON-ready: what was asked for, and what answered (model, digest, history_rows, seed, settings, seconds).
    paths, raw_paths
        float64 `(samples, horizon, 6)`, after and before repair.
    timestamps
        Times of the `horizon` steps.
    cutoff, last_close
        Time and close of the last candle the model was given.
    """

    id: str
    created: datetime
    candles_id: str
    candles_name: str
    request: dict[str, Any]
    provenance: dict[str, Any]
    paths: npt.NDArray[np.float64]
    raw_paths: npt.NDArray[np.float64]
    timestamps: pd.DatetimeIndex
    cutoff: pd.Timestamp
    last_close: float
    repairs: int

    @property
    def driftless(self) -> bool:
        """Return whether this is a zero-drift forecast; forecasts of earlier versions lack the field."""
        return bool(self.request.get("driftless"))

    @property
    def close_paths(self) -> npt.NDArray[np.float64]:
        """Return the closes of the paths, `(samples, horizon)`."""
        return self.paths[:, :, FEATURES.index("close")]


@dataclass(frozen=True)
class ForecastInfo:
    """A line in the list of forecasts.

    Attributes
    ----------
    damaged
        A part of the record cannot be read any more: `request` or `provenance` is empty for that reason.
    """

    id: str
    created: datetime
    candles_id: str
    candles_name: str
    model: str
    cutoff: pd.Timestamp
    horizon: int
    samples: int
    lookback: int
    request: dict[str, Any]
    provenance: dict[str, Any] = field(default_factory=dict)
    damaged: bool = False


@dataclass(frozen=True)
class ForecastFilter:
    """Which forecasts to list: None for any.

    Attributes
    ----------
    text
        Looked for in the names of candles and model and in the id, whatever the case.
    """

    id: str | None = None
    model: str | None = None
    candles_id: str | None = None
    text: str | None = None
    cutoff: pd.Timestamp | None = None
    horizon: int | None = None


ANY_FORECAST = ForecastFilter()


@dataclass(frozen=True)
class Job:
    """Work in the background: a record that outlives the process that does it.

    Attributes
    ----------
    kind, request
        Which handler does the work, and its JSON-ready argument; `request["key"]`, where present, names equal work.
    done, total
        Steps; `total` is 0 until the first step was reported.
    error
        `AppError.to_dict()` of what made it fail.
    result_id
        What the handler returned.
    attempts
        How often a process began to work on it; more than one means that a process died meanwhile.
    """

    id: str
    kind: str
    request: dict[str, Any]
    status: JobStatus = "queued"
    done: int = 0
    total: int = 0
    error: dict[str, Any] | None = None
    result_id: str | None = None
    created: datetime = field(default_factory=now)
    started: datetime | None = None
    finished: datetime | None = None
    attempts: int = 0

    @property
    def active(self) -> bool:
        """Return whether the job is still to be done."""
        return self.status in ACTIVE

    @property
    def progress(self) -> float:
        """Return the part done, from 0 to 1."""
        if self.status == "succeeded":
            return 1.0
        return min(self.done / self.total, 1.0) if self.total else 0.0

    @property
    def remaining(self) -> float | None:
        """Return the seconds still to go at the speed so far, None while that is unknown."""
        if self.status != "running" or self.started is None or not 0 < self.done <= self.total:
            return None
        elapsed = (now() - self.started).total_seconds()
        return max(elapsed, 0.0) * (self.total - self.done) / self.done

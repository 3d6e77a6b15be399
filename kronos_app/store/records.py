"""Records of the store as frozen dataclasses."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from kronos_app.data.candle_frame import FEATURES, CandleFrame
from kronos_app.i18n import Text

JobStatus = Literal["queued", "running", "succeeded", "failed", "cancelled"]
ACTIVE: tuple[JobStatus, ...] = ("queued", "running")


def now() -> datetime:
    """Return the present time in UTC."""
    return datetime.now(UTC)


@dataclass(frozen=True)
class UnreadableRecord:
    """A saved record that this version cannot read, and why; it can be deleted."""

    id: str
    reason: Text


UnreadableRecords = list[UnreadableRecord]


@dataclass(frozen=True, eq=False)
class CandleSet:
    """Saved candles.

    Attributes
    ----------
    quality, repair
        JSON-ready: the quality report, and what was repaired.
    given_name
        Name that replaces that of `candles` wherever the set is shown, None if there is none.
    tags
        Words of the user, by which the list is filtered.
    """

    id: str
    candles: CandleFrame
    quality: dict[str, Any]
    repair: dict[str, Any]
    created: datetime = field(default_factory=now)
    given_name: str | None = None
    tags: tuple[str, ...] = ()

    @property
    def title(self) -> str:
        """Return the name to show."""
        return self.given_name or self.candles.name


@dataclass(frozen=True)
class CandleSetInfo:
    """A line in the list of candle sets; `name` is that of the file or instrument, `given_name` the user's."""

    id: str
    name: str
    source: str
    rows: int
    first: pd.Timestamp
    last: pd.Timestamp
    interval: pd.Timedelta
    created: datetime
    given_name: str | None = None
    tags: tuple[str, ...] = ()

    @property
    def title(self) -> str:
        """Return the name to show."""
        return self.given_name or self.name


class Labels(NamedTuple):
    """The shown name and the tags of a candle set."""

    title: str
    tags: tuple[str, ...]


@dataclass(frozen=True)
class CandleSetFilter:
    """The candle sets to list: those that have all `tags`, and `text` in their shown name, in upper or lower case."""

    text: str | None = None
    tags: tuple[str, ...] = ()
    id: str | None = None


ANY_CANDLE_SET = CandleSetFilter()


@dataclass(frozen=True, eq=False)
class StoredForecast:
    """A computed forecast, which can be shown without the model.

    Attributes
    ----------
    id
        Hash of all inputs of the result.
    request, provenance
        JSON-ready: the request and its provenance (model, digest, history_rows, seed, settings, seconds).
    paths, raw_paths
        float64 `(samples, horizon, 6)`, after and before repair.
    timestamps
        Times of the `horizon` steps.
    cutoff, last_close
        Time and close of the last candle that the model received.
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
class ForecastNote:
    """What users wrote about a forecast."""

    id: str
    tags: tuple[str, ...] = ()
    note: str = ""


@dataclass(frozen=True)
class ForecastInfo:
    """A line in the list of forecasts.

    Attributes
    ----------
    replay
        Whether the cutoff was chosen; None for a damaged record.
    crps_ratio, coverage
        From the ledger; None before the grade.
    data_set
        Present name of the candles, None if they were deleted.
    damaged
        Whether a part of the record cannot be read; `request` or `provenance` is then empty.
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
    replay: bool | None = None
    driftless: bool | None = None
    seed: int | None = None
    crps_ratio: float | None = None
    coverage: float | None = None
    data_set: str | None = None
    tags: tuple[str, ...] = ()
    note: str = ""
    damaged: bool = False


ForecastColumn = Literal[
    "created",
    "candles_name",
    "model",
    "replay",
    "cutoff",
    "horizon",
    "lookback",
    "samples",
    "driftless",
    "seed",
    "crps_ratio",
    "coverage",
    "tags",
    "note",
]
"""A column by which forecasts are sorted."""


@dataclass(frozen=True)
class ForecastFilter:
    """The forecasts to list: None for any.

    Attributes
    ----------
    text
        Part of the names of candles or model, of the id, of a tag or of the note, in upper or lower case.
    """

    ids: tuple[str, ...] | None = None
    model: str | None = None
    candles_id: str | None = None
    replay: bool | None = None
    tag: str | None = None
    text: str | None = None
    cutoff: pd.Timestamp | None = None
    horizon: int | None = None


ANY_FORECAST = ForecastFilter()


@dataclass(frozen=True)
class Job:
    """Background work.

    Attributes
    ----------
    kind, request
        The kind selects the handler, the JSON-ready request is its argument. Equal `request["key"]` means equal work.
    done, total
        Steps; `total` is 0 until the first step.
    error
        `AppError.to_dict()` of a failed job.
    result_id
        The return value of the handler.
    attempts
        Number of starts; more than one if a process died while it ran.
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
        """Return whether the job is queued or running."""
        return self.status in ACTIVE

    @property
    def progress(self) -> float:
        """Return the progress from 0 to 1."""
        if self.status == "succeeded":
            return 1.0
        return min(self.done / self.total, 1.0) if self.total else 0.0

    @property
    def remaining(self) -> float | None:
        """Return the estimated remaining seconds, None if unknown."""
        if self.status != "running" or self.started is None or not 0 < self.done <= self.total:
            return None
        elapsed = (now() - self.started).total_seconds()
        return max(elapsed, 0.0) * (self.total - self.done) / self.done

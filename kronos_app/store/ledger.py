"""Graded forecasts and followed series."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

import pandas as pd
import sqlalchemy as sa

from kronos_app.store import tables
from kronos_app.store.database import Database
from kronos_app.store.records import now
from kronos_app.store.repository import Conditions, Repository

EntryState = Literal["pending", "partial", "graded", "lost"]
Ids = list[str]
OPEN: tuple[EntryState, ...] = ("pending", "partial")


@dataclass(frozen=True)
class LedgerEntry:
    """One forecast and its grade; it stays when forecast and candles are deleted.

    Attributes
    ----------
    id
        That of the forecast.
    created
        When the forecast was made.
    follow_id
        The follow that had it made, None where somebody asked for it.
    source, symbol, interval, adjustment
        What it is a forecast of, by the source's words; None where nobody has said.
    timezone
        To which the times below are local.
    step
        How long a candle is.
    weights
        Digest of the model's weights.
    cutoff, first, last
        Times of the last candle the model saw, and of the first and last one it forecast.
    ahead
        Made before its first candle had ended: what came could not be known.
    state
        `pending`: nothing has come; `partial`: some of its candles have; `graded`: all that will come have; `lost`: it
        was deleted before it was graded.
    until
        The last candle that came, as far as was looked.
    matched
        How many of its candles were compared.
    grade
        JSON-ready, see `kronos_app.services.ledger.grading.Grade`.
    crps_ratio, coverage
        Of the grade, for lists: the CRPS ratio to the EWMA random walk, and the coverage of the 80 % band.
    """

    id: str
    created: datetime
    candles_id: str
    name: str
    source: str
    timezone: str | None
    step: pd.Timedelta
    model: str
    weights: str
    horizon: int
    samples: int
    cutoff: pd.Timestamp
    first: pd.Timestamp
    last: pd.Timestamp
    last_close: float
    ahead: bool
    follow_id: str | None = None
    symbol: str | None = None
    interval: str | None = None
    adjustment: str | None = None
    state: EntryState = "pending"
    until: pd.Timestamp | None = None
    graded: datetime | None = None
    matched: int = 0
    grade: dict[str, Any] | None = None
    crps_ratio: float | None = None
    coverage: float | None = None


@dataclass(frozen=True)
class Follow:
    """A series that is forecast whenever a candle has ended.

    Attributes
    ----------
    source, symbol, interval, options
        The series, as it is fetched.
    settings
        JSON-ready: the settings of its forecasts.
    cadence
        Seconds between two looks at the source.
    active
        Off, nothing is looked at.
    next_run, last_run
        When it will be looked at next, and was looked at last.
    job_id
        The look under way, or the last one as long as its end was not noted.
    candles_id, last_candle
        The data set of its forecasts, and the newest candle that one was made from.
    forecast_id
        The last forecast.
    made
        How many forecasts it made.
    failures, error
        How many looks in a row failed, and `AppError.to_dict()` of the last one's reason.
    """

    id: str
    source: str
    symbol: str
    interval: str
    settings: dict[str, Any]
    cadence: int
    options: dict[str, str] = field(default_factory=dict)
    active: bool = True
    created: datetime = field(default_factory=now)
    next_run: datetime | None = None
    last_run: datetime | None = None
    job_id: str | None = None
    candles_id: str | None = None
    last_candle: pd.Timestamp | None = None
    forecast_id: str | None = None
    made: int = 0
    failures: int = 0
    error: dict[str, Any] | None = None


@dataclass(frozen=True)
class LedgerFilter:
    """Which entries to list: None for any.

    Attributes
    ----------
    symbol
        A symbol, or the name of a series without one.
    ahead
        True for those made before their first candle had ended, False for replays.
    """

    states: Sequence[EntryState] | None = None
    model: str | None = None
    symbol: str | None = None
    follow_id: str | None = None
    ahead: bool | None = None


ANY_ENTRY = LedgerFilter()


class Ledger(Repository[LedgerEntry]):
    """Forecasts with their grades."""

    def __init__(self, database: Database) -> None:
        super().__init__(database, tables.ledger, LedgerEntry)

    def list(self, only: LedgerFilter = ANY_ENTRY, *, limit: int | None = None, offset: int = 0) -> list[LedgerEntry]:
        """Return the entries that fit, newest first."""
        return self._read_all(self._where(only), limit, offset)[0]

    def count(self, only: LedgerFilter = ANY_ENTRY) -> int:
        """Return how many entries fit."""
        return self._count(self._where(only))

    def _where(self, only: LedgerFilter) -> Conditions:
        column = self._table.c
        conditions = self._equal(model=only.model, follow_id=only.follow_id, ahead=only.ahead)
        if only.states is not None:
            conditions.append(column.state.in_(only.states))
        if only.symbol is not None:
            conditions.append(sa.func.coalesce(column.symbol, column.name) == only.symbol)
        return conditions

    def unnoted(self, limit: int) -> Ids:
        """Return the ids of forecasts that are not in the ledger, the oldest first."""
        forecast = tables.forecasts.c
        joined = tables.forecasts.outerjoin(self._table, forecast.id == self._table.c.id)
        query = sa.select(forecast.id).select_from(joined).where(self._table.c.id.is_(None))
        return [str(row["id"]) for row in self._database.fetch(query.order_by(forecast.created).limit(limit))]


class Follows(Repository[Follow]):
    """Followed series."""

    def __init__(self, database: Database) -> None:
        super().__init__(database, tables.follows, Follow)

    def update(self, follow_id: str, **values: Any) -> None:
        """Change some fields and leave the others as they are; an unknown id is no error."""
        self._database.execute(self._table.update().where(self._has(follow_id)).values(values))

    def list(self) -> list[Follow]:
        """Return all follows that can be read, newest first."""
        return self._read_all()[0]

"""Followed series: adding, pausing and deleting them, and starting the next check of each.

A follow is a record in the store, so it outlives the process. The keeper calls `tick` every few seconds: it starts at
most one check, and none while another is running, so that any number of follows uses no more of the machine than one
forecast. A check waits while a forecast that a user submitted is running, for a limited time.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Literal
from uuid import uuid4

from pydantic import Field

from kronos_app.data.source import LONGEST_SYMBOL
from kronos_app.errors import AppError, Conflict, InvalidInput, NotFound, require
from kronos_app.i18n import text
from kronos_app.services.core.training_errors import unreadable_error
from kronos_app.services.core.view import ErrorView, View
from kronos_app.services.forecast.request import ForecastSettings, complete_settings
from kronos_app.services.forecast.sampling import fill_in
from kronos_app.services.forecast.service import KIND as FORECAST
from kronos_app.services.models.limits import check_horizon
from kronos_app.store.ledger import Follow
from kronos_app.store.records import UnreadableRecord, UnreadableRecords, now

if TYPE_CHECKING:
    from kronos_app.jobs import Job, JobRunner
    from kronos_app.services.candles.sources import Sources
    from kronos_app.services.models.service import ModelService
    from kronos_app.settings import Settings
    from kronos_app.store import Store

KIND = "follow"

SETTLE = timedelta(seconds=15)  # after the end of a candle, until its source has it
PATIENCE = timedelta(minutes=5)  # longest wait for forecasts of users
LONGEST_PAUSE = timedelta(hours=6)  # after failures
CADENCES = (60, 300, 900, 1800, 3600, 4 * 3600, 24 * 3600)
WEEK = 7 * 24 * 3600

FollowState = Literal["off", "running", "failing", "on"]
Views = list["FollowView"]
Follows = list[Follow]


class FollowRequest(ForecastSettings):
    """A series to follow, with the settings of its forecasts; the API documents the descriptions."""

    source: str = Field(min_length=1, max_length=50, description="yahoo, or the name of a crypto exchange.")
    symbol: str = Field(min_length=1, max_length=LONGEST_SYMBOL, description="As the source writes it.")
    interval: str = Field("1d", min_length=1, max_length=20, description="As the source writes it.")
    options: dict[str, str] = Field(
        default_factory=dict, description="Options of this source only, such as adjustment: none.", max_length=10
    )
    cadence: int | None = Field(
        None, ge=1, le=WEEK, description="Poll interval in seconds; absent: chosen by the length of a candle."
    )
    cutoff: None = Field(None, description="Always the newest completed candle.")


class FollowView(View):
    """A followed series and its state."""

    follow_id: str
    source: str
    symbol: str
    interval: str
    options: dict[str, str]
    settings: dict[str, Any] = Field(description="Of its forecasts.")
    cadence: int = Field(description="Poll interval in seconds.")
    state: FollowState = Field(description="running: a check is in progress; failing: the last check failed.")
    created: datetime
    last_run: datetime | None
    next_run: datetime | None
    job_id: str | None = Field(description="The check in progress.")
    last_candle: datetime | None = Field(description="The newest candle of a forecast, in the zone of the series.")
    candles_id: str | None = Field(description="The data set of its forecasts.")
    forecast_id: str | None = Field(description="The last forecast.")
    made: int = Field(description="Number of forecasts.")
    failures: int = Field(description="Number of consecutive failures.")
    error: ErrorView | None = Field(description="Reason of the last failure.")
    active: bool = Field(exclude=True)


class FollowService:
    """Follows: added, paused, resumed, checked, deleted; every thread may use it.

    An id that does not exist raises `NotFound`, except in `delete`.

    Parameters
    ----------
    clock
        The present, in UTC.
    """

    def __init__(
        self,
        settings: Settings,
        store: Store,
        jobs: JobRunner,
        sources: Sources,
        models: ModelService,
        clock: Callable[[], datetime] = now,
    ) -> None:
        self._settings = settings
        self._store = store
        self._jobs = jobs
        self._sources = sources
        self._models = models
        self._clock = clock

    def add(self, request: FollowRequest) -> FollowView:
        """Follow a series from now on.

        Raises
        ------
        InvalidInput
            No symbol, a horizon too long for the model, a zero-drift forecast of one path, a poll interval below the
            limit of this deployment.
        NotFound
            Unknown source or model.
        Conflict
            The limit of follows is reached, or this series is followed with these settings already.
        """
        self._sources.family(request.source)
        symbol = request.symbol.strip()
        if not symbol:
            raise InvalidInput(
                "no_symbol",
                text("A symbol is needed to follow a series."),
                text("Give it as the source writes it, such as AAPL or BTC/USDT."),
            )
        spec = self._models.spec(request.model)
        check_horizon(request.horizon, spec.max_context, request.window, request.model)
        fill_in(request, spec)  # refuses a zero-drift forecast of one path
        follow = Follow(
            id=uuid4().hex[:16],
            source=request.source,
            symbol=symbol,
            interval=request.interval,
            options=dict(request.options),
            settings=request.model_dump(mode="json", include=set(ForecastSettings.model_fields) - {"cutoff"}),
            cadence=self._choose_cadence(request),
            created=self._clock(),
            next_run=self._clock(),
        )
        self._check_room(follow)
        self._store.follows.put(follow)
        return self._view(follow)

    def list(self) -> Views:
        """Return all follows, newest first."""
        return [self._view(follow) for follow in self._read_all()[0]]

    def unreadable(self) -> UnreadableRecords:
        """Return the follows that this version cannot read, with the reason."""
        return self._read_all()[1]

    def get(self, follow_id: str) -> FollowView:
        """Return a follow; raise `Conflict` if this version cannot read it."""
        follows, unreadable = self._read_all()
        for record in unreadable:
            if record.id == follow_id:
                raise unreadable_error(follow_id, record.reason)
        follow = next((follow for follow in follows if follow.id == follow_id), None)
        return self._view(_existing(follow, follow_id))

    def switch(self, follow_id: str, on: bool) -> FollowView:
        """Resume a follow, which is checked at once, or pause it, which cancels a check in progress."""
        view = self.get(follow_id)
        if view.active != on:
            self._store.follows.update(follow_id, active=on, next_run=self._clock() if on else None, failures=0)
            if not on:
                self._cancel_check(view)
        return self.get(follow_id)

    def check_now(self, follow_id: str) -> FollowView:
        """Check a follow as soon as possible.

        Raises
        ------
        Conflict
            It is paused.
        """
        view = self.get(follow_id)
        if not view.active:
            raise Conflict(
                "follow_is_off",
                text("{symbol} cannot be checked: it is paused.", symbol=view.symbol),
                text("Resume it first."),
            )
        self._store.follows.update(follow_id, next_run=self._clock())
        return self.get(follow_id)

    def delete(self, follow_id: str) -> None:
        """Delete a follow; its forecasts and their grades stay."""
        follow = next((follow for follow in self._read_all()[0] if follow.id == follow_id), None)
        self._store.follows.delete(follow_id)
        if follow is not None:
            self._cancel_check(self._view(follow))

    def tick(self) -> bool:
        """Record how checks ended and start the one that is most overdue; return whether others are due as well.

        Raises
        ------
        Unavailable
            The store fails.
        """
        follows = [self._record_end(follow) for follow in self._read_all()[0]]
        present = self._clock()
        due = sorted(
            (follow.next_run, follow.id, follow)
            for follow in follows
            if follow.active and follow.next_run and follow.next_run <= present
        )
        if not due:
            return False
        since, _id, first = due[0]
        kinds = {job.kind for job in self._jobs.list(active_only=True)}
        if KIND in kinds or (FORECAST in kinds and present - since < PATIENCE):
            return True
        self._start_check(first, present)
        return len(due) > 1

    def _read_all(self) -> tuple[Follows, UnreadableRecords]:
        """Return the follows with complete settings, and those that this version cannot read."""
        follows: Follows = []
        unreadable = self._store.follows.unreadable()
        for follow in self._store.follows.list():
            try:
                follows.append(complete_follow(follow))
            except AppError as error:
                unreadable.append(UnreadableRecord(follow.id, error.message))
        return follows, unreadable

    def _start_check(self, follow: Follow, present: datetime) -> None:
        request = {"key": follow.id, "follow": follow.id, "symbol": follow.symbol, "interval": follow.interval}
        try:
            job = self._jobs.submit(KIND, request)
        except Conflict:  # the queue is full: the next tick tries again
            return
        later = next_check(present, follow.cadence)
        self._store.follows.update(follow.id, job_id=job.id, last_run=present, next_run=later)

    def _record_end(self, follow: Follow) -> Follow:
        """Store how the last check ended, if it has."""
        job = self._find_job(follow)
        if follow.job_id is None or (job is not None and job.active):
            return follow
        values = self._end_values(follow, job)
        self._store.follows.update(follow.id, **values)
        return replace(follow, **values)

    def _end_values(self, follow: Follow, job: Job | None) -> dict[str, Any]:
        """Return the fields that change with the end of a check."""
        values: dict[str, Any] = {"job_id": None}
        if job is not None and job.status == "succeeded":
            values |= {"failures": 0, "error": None}
        elif job is not None and job.status == "failed":
            values |= {"failures": follow.failures + 1, "error": job.error}
            if follow.active:
                values["next_run"] = self._clock() + retry_pause(follow.cadence, follow.failures + 1)
        return values

    def _find_job(self, follow: Follow) -> Job | None:
        try:
            return None if follow.job_id is None else self._jobs.get(follow.job_id)
        except NotFound:  # records of old jobs are deleted
            return None

    def _view(self, follow: Follow) -> FollowView:
        job = self._find_job(follow)
        if job is not None and not job.active:  # `tick` will store it
            follow, job = replace(follow, **self._end_values(follow, job)), None
        state: FollowState = "running" if job else "off" if not follow.active else "failing" if follow.error else "on"
        fields = vars(follow) | {"follow_id": follow.id, "state": state, "job_id": job.id if job else None}
        return FollowView.model_validate(fields)

    def _cancel_check(self, view: FollowView) -> None:
        if view.job_id is not None:
            self._jobs.cancel(view.job_id)

    def _choose_cadence(self, request: FollowRequest) -> int:
        least = self._settings.follow_seconds
        if request.cadence is None:
            lengths = {interval.key: interval.length for interval in self._sources.get(request.source).intervals()}
            return suggest_cadence(lengths.get(request.interval, timedelta(days=1)), least)
        if request.cadence < least:
            raise InvalidInput(
                "cadence_too_short",
                text(
                    "cadence: {cadence} seconds are below the limit of {least}.", cadence=request.cadence, least=least
                ),
                text("Choose {least} or more; KRONOS_FOLLOW_SECONDS sets the limit.", least=least),
            )
        return request.cadence

    def _check_room(self, new: Follow) -> None:
        existing = self._store.follows.list()
        if any(_same(follow, new) for follow in existing):
            raise Conflict(
                "followed_already",
                text("{symbol} is already followed with these settings.", symbol=new.symbol),
                text("Change a setting, or resume the existing one."),
            )
        if len(existing) >= self._settings.max_follows:
            raise Conflict(
                "too_many_follows",
                text("The limit of {count} followed series is reached.", count=len(existing)),
                text("Delete one first; KRONOS_MAX_FOLLOWS sets the limit."),
            )


def find_follow(store: Store, follow_id: str) -> Follow:
    """Return the record of a follow with complete settings.

    Raises
    ------
    NotFound
        There is none.
    InvalidInput
        This version cannot read its settings.
    """
    return complete_follow(_existing(store.follows.get(follow_id), follow_id))


def complete_follow(follow: Follow) -> Follow:
    """Return a follow whose settings have every field of this version."""
    return replace(follow, settings=complete_settings(follow.settings, f"follow {follow.id}"))


def _existing(follow: Follow | None, follow_id: str) -> Follow:
    return require(
        follow,
        "follow_not_found",
        text("There is no followed series {id}.", id=follow_id),
        text("It may have been deleted; the Live page lists all followed series."),
    )


def next_check(moment: datetime, cadence: int) -> datetime:
    """Return the time of the next check: a little after the next whole multiple of the poll interval.

    >>> next_check(datetime(2026, 1, 1, 10, 7, tzinfo=UTC), 900).isoformat()
    '2026-01-01T10:15:15+00:00'
    """
    start = datetime(1970, 1, 1, tzinfo=UTC) + SETTLE
    step = timedelta(seconds=cadence)
    return start + ((moment - start) // step + 1) * step


def retry_pause(cadence: int, failures: int) -> timedelta:
    """Return the pause after consecutive failures: doubled each time, up to `LONGEST_PAUSE` or the poll interval."""
    usual = timedelta(seconds=cadence)
    return min(usual * (1 << min(failures - 1, 20)), max(LONGEST_PAUSE, usual))


def suggest_cadence(length: timedelta, least: int) -> int:
    """Return the default poll interval in seconds: four checks per candle, at most one hour."""
    wanted = min(length.total_seconds() / 4, 3600)
    return max(max((cadence for cadence in CADENCES if cadence <= wanted), default=CADENCES[0]), least)


def _same(one: Follow, other: Follow) -> bool:
    names = ("source", "symbol", "interval", "options", "settings")
    return all(getattr(one, name) == getattr(other, name) for name in names)

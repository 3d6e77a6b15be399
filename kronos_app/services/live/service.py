"""Following series: which, how often, with what settings, and the next look at each.

A follow is a record in the store, so it outlives the process. Whoever keeps time calls `tick` now and then: it begins
at most one look, and none while another is under way, so that any number of follows takes no more of the machine than
one forecast does. While forecasts that somebody asked for are under way a look waits for them, though not for ever.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Literal
from uuid import uuid4

from pydantic import Field

from kronos_app.data.source import LONGEST_SYMBOL
from kronos_app.errors import AppError, Conflict, InvalidInput, NotFound
from kronos_app.i18n import text
from kronos_app.jsonable import localised
from kronos_app.services.core.training_errors import unreadable_error
from kronos_app.services.forecast import service as forecasting
from kronos_app.services.forecast.request import ForecastSettings, complete_settings
from kronos_app.services.forecast.sampling import settled
from kronos_app.store.ledger import Follow, Unread
from kronos_app.store.records import UnreadableRecord, now

if TYPE_CHECKING:
    from kronos_app.jobs import Job, JobRunner
    from kronos_app.services.candles.fetching import FetchService
    from kronos_app.services.models.service import ModelService
    from kronos_app.settings import Settings
    from kronos_app.store import Store

KIND = "follow"

# After a candle has ended its source takes a moment to have it.
SETTLE = timedelta(seconds=15)
# How long a look waits for forecasts that somebody asked for.
PATIENCE = timedelta(minutes=5)
LONGEST_PAUSE = timedelta(hours=6)  # after failures
CADENCES = (60, 300, 900, 1800, 3600, 4 * 3600, 24 * 3600)
WEEK = 7 * 24 * 3600

FollowState = Literal["off", "running", "failing", "on"]
Statuses = list["FollowStatus"]
Follows = list[Follow]


class FollowRequest(ForecastSettings):
    """A series to follow, with the settings of its forecasts; the descriptions are what the API documents."""

    source: str = Field(min_length=1, max_length=50, description="yahoo, or the name of a crypto exchange.")
    symbol: str = Field(min_length=1, max_length=LONGEST_SYMBOL, description="As the source writes it.")
    interval: str = Field("1d", min_length=1, max_length=20, description="As the source writes it.")
    options: dict[str, str] = Field(
        default_factory=dict, description="What only this source asks for, such as adjustment: none.", max_length=10
    )
    cadence: int | None = Field(
        None, ge=1, le=WEEK, description="Seconds between two looks at the source; absent: by the length of a candle."
    )
    cutoff: None = Field(None, description="Always the newest candle that has ended.")


@dataclass(frozen=True)
class FollowStatus:
    """A follow as it stands: `off`, `running` (a look is under way), `failing` (the last one did), else `on`."""

    follow: Follow
    state: FollowState
    job: Job | None = None


class FollowService:
    """Follows: added, switched on and off, looked after; every thread may use it.

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
        fetching: FetchService,
        models: ModelService,
        clock: Callable[[], datetime] = now,
    ) -> None:
        self._settings = settings
        self._store = store
        self._jobs = jobs
        self._fetching = fetching
        self._models = models
        self._clock = clock

    def add(self, request: FollowRequest) -> Follow:
        """Follow a series, beginning now.

        Raises
        ------
        InvalidInput
            No symbol, a horizon that the model cannot hold, one path without its drift, a cadence below the least of
            this deployment.
        NotFound
            Unknown source, or model.
        Conflict
            As many series as allowed are followed already, or this one with these settings.
        """
        self._fetching.family(request.source)
        symbol = request.symbol.strip()
        if not symbol:
            raise InvalidInput(
                "no_symbol",
                text("A symbol is needed to follow a series."),
                text("State one as the source writes it, such as AAPL or BTC/USDT."),
            )
        self._check_horizon(request)
        settled(request, self._models.spec(request.model))  # refuses what no forecast could be made with
        cadence = self._cadence(request)
        settings = request.model_dump(mode="json", include=set(ForecastSettings.model_fields) - {"cutoff"})
        follow = Follow(
            id=uuid4().hex[:16],
            source=request.source,
            symbol=symbol,
            interval=request.interval,
            options=dict(request.options),
            settings=settings,
            cadence=cadence,
            created=self._clock(),
            next_run=self._clock(),
        )
        self._check_room(follow)
        self._store.follows.put(follow)
        return follow

    def list(self) -> Statuses:
        """Return all follows as they stand, newest first."""
        return [self._status(follow) for follow in self._split()[0]]

    def unreadable(self) -> Unread:
        """Return the follows that this version cannot read, with the reason."""
        return self._split()[1]

    def get(self, follow_id: str) -> FollowStatus:
        """Return a follow as it stands.

        Raises
        ------
        NotFound
            There is none of this id.
        Conflict
            This version cannot read it.
        """
        follows, unreadable = self._split()
        for damaged in unreadable:
            if damaged.id == follow_id:
                raise unreadable_error(follow_id, damaged.reason)
        follow = next((follow for follow in follows if follow.id == follow_id), None)
        if follow is None:
            raise NotFound(
                "follow_not_found",
                text("No series is followed under {id}.", id=follow_id),
                text("It may have been deleted; the Live page lists what is followed."),
            )
        return self._status(follow)

    def switch(self, follow_id: str, on: bool) -> FollowStatus:
        """Switch a follow on, to be looked at now, or off, which also ends a look that is under way.

        Raises
        ------
        NotFound
            There is none of this id.
        """
        status = self.get(follow_id)
        if status.follow.active != on:
            self._store.follows.update(follow_id, active=on, next_run=self._clock() if on else None, failures=0)
            if not on:
                self._cancel(status)
        return self.get(follow_id)

    def look(self, follow_id: str) -> FollowStatus:
        """Have a follow looked at as soon as it can be.

        Raises
        ------
        NotFound
            There is none of this id.
        Conflict
            It is switched off.
        """
        status = self.get(follow_id)
        if not status.follow.active:
            raise Conflict(
                "follow_is_off",
                text("{symbol} is not looked at: its follow is switched off.", symbol=status.follow.symbol),
                text("Switch it on first."),
            )
        self._store.follows.update(follow_id, next_run=self._clock())
        return self.get(follow_id)

    def delete(self, follow_id: str) -> None:
        """Follow a series no more; its forecasts and their grades stay. An unknown id is no error."""
        follow = next((follow for follow in self._split()[0] if follow.id == follow_id), None)
        self._store.follows.delete(follow_id)
        if follow is not None:
            self._cancel(self._status(follow))

    def tick(self) -> bool:
        """Note how looks ended and begin the one that is most overdue; return whether others are due as well.

        Raises
        ------
        Unavailable
            The store fails.
        """
        follows = [self._settled(follow) for follow in self._split()[0]]
        present = self._clock()
        due = sorted(
            (follow for follow in follows if follow.active and follow.next_run and follow.next_run <= present),
            key=lambda follow: (follow.next_run, follow.id),
        )
        if not due:
            return False
        first = due[0]
        assert first.next_run is not None
        kinds = {job.kind for job in self._jobs.list(active_only=True)}
        if KIND in kinds or (forecasting.KIND in kinds and present - first.next_run < PATIENCE):
            return True
        self._begin(first, present)
        return len(due) > 1

    def _split(self) -> tuple[Follows, Unread]:
        """Return the follows with complete settings, and those that this version cannot read."""
        follows: Follows = []
        unreadable = self._store.follows.unreadable()
        for follow in self._store.follows.list():
            try:
                settings = complete_settings(follow.settings, f"follow {follow.id}")
            except AppError as error:
                unreadable.append(UnreadableRecord(follow.id, error.message))
            else:
                follows.append(replace(follow, settings=settings))
        return follows, unreadable

    def _begin(self, follow: Follow, present: datetime) -> None:
        request = {"key": follow.id, "follow": follow.id, "symbol": follow.symbol, "interval": follow.interval}
        try:
            job = self._jobs.submit(KIND, request)
        except Conflict:  # The queue is full of what others asked for.
            return
        later = after(present, follow.cadence)
        self._store.follows.update(follow.id, job_id=job.id, last_run=present, next_run=later)

    def _settled(self, follow: Follow) -> Follow:
        """Note how the last look of a follow ended, if it has."""
        job = self._job(follow)
        if follow.job_id is None or (job is not None and job.active):
            return follow
        values = self._end(follow, job)
        self._store.follows.update(follow.id, **values)
        return replace(follow, **values)

    def _end(self, follow: Follow, job: Job | None) -> dict[str, Any]:
        """Return what changes with the end of a look."""
        values: dict[str, Any] = {"job_id": None}
        if job is not None and job.status == "succeeded":
            values |= {"failures": 0, "error": None}
        elif job is not None and job.status == "failed":
            values |= {"failures": follow.failures + 1, "error": job.error}
            if follow.active:
                values["next_run"] = self._clock() + pause(follow.cadence, follow.failures + 1)
        return values

    def _job(self, follow: Follow) -> Job | None:
        try:
            return None if follow.job_id is None else self._jobs.get(follow.job_id)
        except NotFound:  # records of old jobs go
            return None

    def _status(self, follow: Follow) -> FollowStatus:
        job = self._job(follow)
        if job is not None and not job.active:  # `tick` will write it down
            follow, job = replace(follow, **self._end(follow, job)), None
        state: FollowState = "running" if job else "off" if not follow.active else "failing" if follow.error else "on"
        return FollowStatus(follow, state, job)

    def _cancel(self, status: FollowStatus) -> None:
        if status.job is not None:
            self._jobs.cancel(status.job.id)

    def _cadence(self, request: FollowRequest) -> int:
        least = self._settings.follow_seconds
        if request.cadence is None:
            lengths = {one.key: one.length for one in self._fetching.intervals(request.source)}
            return usual_cadence(lengths.get(request.interval, timedelta(days=1)), least)
        if request.cadence < least:
            raise InvalidInput(
                "cadence_too_short",
                text("cadence: {cadence} seconds are less than the {least} allowed here.",
                     cadence=request.cadence, least=least),
                text("Choose {least} or more; KRONOS_FOLLOW_SECONDS sets the limit.", least=least),
            )  # fmt: skip
        return request.cadence

    def _check_horizon(self, request: FollowRequest) -> None:
        context = self._models.context(request.model)
        longest = context - 2 if request.window == "fit" else context
        if request.horizon > longest:
            raise InvalidInput(
                "horizon_too_long",
                text("horizon: {horizon} candles are more than the {context} that {model} can hold.",
                     horizon=request.horizon, context=context, model=request.model),
                text("Set horizon to {largest} or less.", largest=longest),
            )  # fmt: skip

    def _check_room(self, new: Follow) -> None:
        present = self._store.follows.list()
        if any(_same(follow, new) for follow in present):
            raise Conflict(
                "followed_already",
                text("{symbol} is followed with these settings already.", symbol=new.symbol),
                text("Change a setting, or switch the other one on."),
            )
        if len(present) >= self._settings.max_follows:
            raise Conflict(
                "too_many_follows",
                text("{count} series are followed already.", count=len(present)),
                text("Delete one first; KRONOS_MAX_FOLLOWS sets the limit."),
            )


def follow_json(status: FollowStatus, language: str = "en") -> dict[str, Any]:
    """Return a follow as the API tells it."""
    follow = status.follow
    moments = {name: getattr(follow, name) for name in ("created", "last_run", "next_run")}
    return {
        "follow_id": follow.id,
        **{name: getattr(follow, name) for name in ("source", "symbol", "interval", "options", "settings", "cadence")},
        "state": status.state,
        **{name: moment and moment.isoformat() for name, moment in moments.items()},
        "job_id": status.job and status.job.id,
        "last_candle": follow.last_candle and follow.last_candle.isoformat(),
        **{name: getattr(follow, name) for name in ("candles_id", "forecast_id", "made", "failures")},
        "error": localised(follow.error, language),
    }


def after(moment: datetime, cadence: int) -> datetime:
    """Return the next look after `moment`: looks keep to the clock, a little after each whole multiple of the cadence.

    >>> after(datetime(2026, 1, 1, 10, 7, tzinfo=UTC), 900).isoformat()
    '2026-01-01T10:15:15+00:00'
    """
    start = datetime(1970, 1, 1, tzinfo=UTC) + SETTLE
    step = timedelta(seconds=cadence)
    return start + ((moment - start) // step + 1) * step


def pause(cadence: int, failures: int) -> timedelta:
    """Return how long to wait after so many failures in a row: twice as long each time, up to some hours."""
    usual = timedelta(seconds=cadence)
    return min(usual * (1 << min(failures - 1, 20)), max(LONGEST_PAUSE, usual))


def usual_cadence(length: timedelta, least: int) -> int:
    """Return how often to look where nobody said: four times a candle, at most hourly, by whole parts of the clock."""
    wanted = min(length.total_seconds() / 4, 3600)
    return max(max((one for one in CADENCES if one <= wanted), default=CADENCES[0]), least)


def _same(one: Follow, other: Follow) -> bool:
    names = ("source", "symbol", "interval", "options", "settings")
    return all(getattr(one, name) == getattr(other, name) for name in names)

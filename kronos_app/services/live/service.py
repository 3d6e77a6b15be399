"""Followed series: adding, pausing and deleting them, and starting the next check of each.

A follow is a record in the store, so it outlives the process. The keeper calls `tick` every few seconds: it starts at
most one check, and none while another is running, so that any number of follows uses no more of the machine than one
forecast. A check waits while a forecast that a user submitted is running, for a limited time.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from kronos_app.errors import AppError, Conflict, InvalidInput, NotFound, require
from kronos_app.i18n import text
from kronos_app.services.core.training_errors import unreadable_error
from kronos_app.services.forecast.request import ForecastSettings, complete_settings
from kronos_app.services.forecast.service import KIND as FORECAST
from kronos_app.services.live.schedule import next_check, retry_pause, suggest_cadence
from kronos_app.services.live.views import FollowRequest, FollowState, FollowView
from kronos_app.services.models.limits import check_horizon
from kronos_app.services.selection.setup import fill_in
from kronos_app.store.ledger import Follow
from kronos_app.store.records import UnreadableRecord, UnreadableRecords, now

if TYPE_CHECKING:
    from kronos_app.jobs import Job, JobRunner
    from kronos_app.services.candles.sources import Sources
    from kronos_app.services.models.service import ModelService
    from kronos_app.settings import Settings
    from kronos_app.store import Store

KIND = "follow"

PATIENCE = timedelta(minutes=5)  # longest wait for forecasts of users

Views = list[FollowView]
Follows = list[Follow]


@dataclass(eq=False)
class FollowService:
    """Adds, pauses, checks and deletes follows; an unknown id raises `NotFound`, except in `delete`."""

    _settings: Settings
    _store: Store
    _jobs: JobRunner
    _sources: Sources
    _models: ModelService
    _clock: Callable[[], datetime] = now

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
        """Check a follow as soon as possible; raise `Conflict` if it is paused."""
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
        """Record how checks ended and start the one that is most overdue; return whether others are due as well."""
        follows = [self._store_end(follow) for follow in self._read_all()[0]]
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

    def _settle(self, follow: Follow) -> tuple[dict[str, Any], Job | None]:
        """Return the fields that change with the end of the last check, and the job of a check in progress."""
        if follow.job_id is None:
            return {}, None
        try:
            job = self._jobs.get(follow.job_id)
        except NotFound:  # records of old jobs are deleted
            return {"job_id": None}, None
        if job.active:
            return {}, job
        values: dict[str, Any] = {"job_id": None}
        if job.status == "succeeded":
            values |= {"failures": 0, "error": None}
        elif job.status == "failed":
            values |= {"failures": follow.failures + 1, "error": job.error}
            if follow.active:
                values["next_run"] = self._clock() + retry_pause(follow.cadence, follow.failures + 1)
        return values, None

    def _store_end(self, follow: Follow) -> Follow:
        values, _job = self._settle(follow)
        if values:
            self._store.follows.update(follow.id, **values)
        return replace(follow, **values)

    def _view(self, follow: Follow) -> FollowView:
        values, job = self._settle(follow)
        follow = replace(follow, **values)  # `tick` will store them
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
    """Return the record of a follow with complete settings; raise `InvalidInput` if they cannot be read."""
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


def _same(one: Follow, other: Follow) -> bool:
    names = ("source", "symbol", "interval", "options", "settings")
    return all(getattr(one, name) == getattr(other, name) for name in names)

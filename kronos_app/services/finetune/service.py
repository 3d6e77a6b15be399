"""Fine-tuning for pages and API: plan a run, start it, follow it, look at what came of it.

A run is a folder and, while it trains, a process of its own: it goes on when the tab closes, and when the server does.
What is under way after a restart is found by its folder; what was interrupted waits until somebody resumes it.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from threading import Lock
from typing import TYPE_CHECKING, Any

from kronos_app.errors import AppError, Conflict, InvalidInput
from kronos_app.i18n import text
from kronos_app.services.core.redaction import Redaction
from kronos_app.services.core.training_errors import training_errors
from kronos_app.services.finetune import records, trial
from kronos_app.services.finetune.plan import Planner, share
from kronos_app.services.finetune.request import TuneRequest
from kronos_app.services.finetune.runs import QUEUED, RunFolders
from kronos_app.services.finetune.status import flat, view
from kronos_app.services.finetune.trainer import Trainers
from kronos_app.services.finetune.views import Comparison, Estimate, RunState, RunView, StageEstimate, TunePlan
from kronos_app.services.selection.request import DataChoice, SeriesChoice
from kronos_app.services.selection.series import SeriesSelector
from kronos_app.services.selection.training_data import TrainingData
from kronos_app.services.selection.training_files import check_room
from kronos_app.store.records import UnreadableRecords

if TYPE_CHECKING:
    import pandas as pd

    from kronos_app.jobs import JobRunner
    from kronos_app.services.candles.series import SeriesService
    from kronos_app.services.candles.service import CandleService
    from kronos_app.services.finetune.runs import Run
    from kronos_app.services.models.service import ModelService
    from kronos_app.settings import Settings
    from kronos_app.store import Store

__all__ = [
    "Comparison",
    "DataChoice",
    "Estimate",
    "RunState",
    "RunView",
    "SeriesChoice",
    "StageEstimate",
    "TunePlan",
    "TuneRequest",
    "TuningService",
]

log = logging.getLogger(__name__)

DEFAULT_NAME = "run"
MOST_COMPARED = 8
SECONDS_TO_PAUSE = 30.0  # after which a trainer that goes on will not pause any more
# Settings that name files or the run itself: no difference between two runs.
TOLD_APART = ("name", "data.paths", "data.folder", "base.tokenizer", "base.trained_until")
Views = list[RunView]
Rows = list[dict[str, Any]]
Labels = list[str]


class TuningService:
    """Runs: planned, started, followed, ended; every thread may use it."""

    def __init__(
        self,
        settings: Settings,
        store: Store,
        candles: CandleService,
        series: SeriesService,
        models: ModelService,
        jobs: JobRunner,
    ) -> None:
        self._settings = settings
        self._store = store
        self._data = TrainingData(SeriesSelector(settings, candles, series))
        self._runs = RunFolders(settings.home / "runs")
        self._trainers = Trainers(settings, self.tick)
        self._starting = Lock()
        self._closed = False
        self._jobs = jobs
        self.planner = Planner(settings, self._data, models)

    def plan(self, request: TuneRequest) -> TunePlan:
        """Return what a request comes to; cheap when nothing changed since it was asked last.

        Raises
        ------
        InvalidInput, NotFound, TooLarge, Unavailable
            A setting, the candles, the base model or the disk: what is wrong, and what to do.
        """
        return self.planner.plan(request).plan

    def estimate(self, request: TuneRequest) -> str:
        """Queue a short trial and return the id of its job; `estimated` has the result once that succeeded.

        Raises
        ------
        AppError
            As `plan`, or too many jobs wait already.
        """
        planned = self.planner.plan(request)
        wanted = {"key": planned.plan.digest, "request": request.model_dump(mode="json")}
        return self._jobs.submit(trial.KIND, wanted).id

    def estimated(self, request: TuneRequest) -> Estimate | None:
        """Return what a trial of such a run measured, None where there was none.

        Raises
        ------
        AppError
            As `plan`.
        """
        return trial.read(self.planner.plan(request))

    def start(self, request: TuneRequest) -> RunView:
        """Make a run; it trains as soon as it is its turn.

        Raises
        ------
        InvalidInput, NotFound, TooLarge, Unavailable
            As `plan`.
        Conflict
            There is a run of this name; too many runs are kept, or wait.
        """
        if "name" not in request.config:
            request = request.model_copy(update={"config": request.config | {"name": self.free_name(DEFAULT_NAME)}})
        planned = self.planner.plan(request)
        with self._starting:
            runs = self._runs.list()
            self._check_free(planned.plan.config.name, runs)
            check_room(self._data.folder, self._settings)
            base = planned.base
            run = self._runs.make(request, planned.plan.config, base.name, base.context, planned.data_digest)
            share(planned.prepared, run.folder.prepared)
        self._data.prune([one.data_digest for one in (*runs, run)])
        self._runs.tidy()
        self.tick()
        return self.get(run.id)

    def free_name(self, name: str) -> str:
        """Return the name, with a number where a run has it already."""
        taken = {run.name.casefold() for run in self._runs.list()}
        stem = name.rstrip("0123456789").rstrip() or name
        names = (name, *(f"{stem[:50]} {number}" for number in range(2, len(taken) + 3)))
        return next(one for one in names if one.casefold() not in taken)

    def list(self) -> Views:
        """Return all runs as they stand, newest first."""
        positions, registered = self._positions(), self._registered()
        return [self._view(run, positions.get(run.id), registered) for run in self._runs.list()]

    def any(self) -> bool:
        """Return whether there is a run, readable or not."""
        return self._runs.any()

    def unreadable(self) -> UnreadableRecords:
        """Return the runs that this version cannot read, with the reason."""
        return self._runs.unreadable()

    def get(self, run_id: str) -> RunView:
        """Return a run as it stands.

        Raises
        ------
        NotFound
            There is none of this id.
        Conflict
            This version cannot read it.
        """
        return self._seen(self._runs.get(run_id))

    def pause(self, run_id: str) -> RunView:
        """Have a run stop at its next step, to go on later; one that waits leaves the queue.

        Raises
        ------
        NotFound
            There is none of this id.
        Conflict
            It neither trains nor waits.
        """
        run, state = self._with_state(run_id)
        if state == "queued":
            self._leave_queue(run)
        elif state == "running":
            with training_errors():
                run.folder.request_stop("pause")
        elif state != "paused":
            raise _not_now("run_not_active", run, text("Only a running or queued run can be paused."))
        return self._seen(run)

    def resume(self, run_id: str) -> RunView:
        """Have a run that was paused, was interrupted or failed go on from its last checkpoint, when it is its turn.

        Raises
        ------
        NotFound
            There is none of this id.
        Conflict
            It is finished, or too many runs wait.
        """
        run, state = self._with_state(run_id)
        if state == "finished":
            raise _not_now("run_finished", run, text("The run is finished: copy it to train again."))
        pausing = state == "running" and run.folder.stop_request() == "pause"
        with training_errors():
            run.folder.request_stop(None)
        if pausing:
            run.queue()  # it may be too late to take the wish back
        elif state not in {"queued", "running"}:
            self._queue(run)
        return self._seen(run)

    def stop(self, run_id: str) -> RunView:
        """Have a run end its training now and keep the best so far, which is then judged and exported.

        Raises
        ------
        NotFound
            There is none of this id.
        Conflict
            It is finished, or has learned nothing yet.
        """
        run, state = self._with_state(run_id)
        status = run.status()
        if state == "finished":
            raise _not_now("run_finished", run, text("The run is finished: there is nothing to stop."))
        if status.phase == "preparing":
            raise _not_now("nothing_to_keep", run, text("There is no checkpoint to save yet: discard the run."))
        with training_errors():
            run.folder.request_stop("keep")
        if state not in {"queued", "running"}:
            self._queue(run)
        return self._seen(run)

    def discard(self, run_id: str) -> None:
        """End a run at once and delete it with all it has; what was registered of it stays.

        Raises
        ------
        NotFound
            There is none of this id.
        """
        path = self._runs.path(run_id)
        with self._starting:
            (path / QUEUED).unlink(missing_ok=True)
            self._trainers.kill(path)
            self._runs.remove(path.name)
        self.tick()

    def request_of(self, run_id: str) -> TuneRequest:
        """Return what was asked for, under a name that is free: to be changed and started anew.

        Raises
        ------
        NotFound
            There is none of this id.
        """
        run = self._runs.get(run_id)
        config = run.request.config | {"name": self.free_name(run.name)}
        return run.request.model_copy(update={"config": config})

    def curves(self, run_id: str) -> dict[str, pd.DataFrame]:
        """Return by stage what it logged: a row a line of its `log.jsonl`, NaN where a row lacks a column."""
        return records.curves(self._runs.get(run_id))

    def looks(self, run_id: str) -> Rows:
        """Return the scores of forecasts on validation cutoffs while it trained, a look after the other."""
        return records.looks(self._runs.get(run_id))

    def examples(self, run_id: str) -> dict[str, Any] | None:
        """Return a few forecasts of the last look with what came, None before the first."""
        return records.examples(self._runs.get(run_id))

    def report(self, run_id: str) -> dict[str, Any] | None:
        """Return the final scores, None as long as there are none."""
        return records.report(self._runs.get(run_id))

    def card(self, run_id: str) -> str | None:
        """Return the model card in Markdown, None as long as there is none."""
        run = self._runs.get(run_id)
        found = records.card(run)
        return None if found is None else self._places(run).redact(found)

    def tail(self, run_id: str, lines: int = 50) -> str:
        """Return the last lines that the trainer printed."""
        run = self._runs.get(run_id)
        return self._places(run).redact(records.tail(run, lines))

    def config_text(self, run_id: str) -> str:
        """Return `config.yaml`, without where things lie on this machine."""
        run = self._runs.get(run_id)
        return self._places(run).redact(records.config_text(run))

    def compare(self, run_ids: Sequence[str]) -> Comparison:
        """Return runs side by side.

        Raises
        ------
        NotFound
            One of them is not there.
        InvalidInput
            More than can be shown.
        """
        if not 1 <= len(run_ids) <= MOST_COMPARED:
            raise InvalidInput(
                "runs_to_compare",
                text("From 1 to {most} runs can be compared.", most=MOST_COMPARED),
                text("Choose fewer."),
            )
        runs = [self._runs.get(run_id) for run_id in dict.fromkeys(run_ids)]
        configs = [flat(dict(run.config)) | {"data": run.data_digest, "base.model": run.base} for run in runs]
        fields = [name for name in dict.fromkeys(name for one in configs for name in one) if name not in TOLD_APART]
        rows = [(name, tuple(one.get(name) for one in configs)) for name in fields]
        differences = tuple((name, values) for name, values in rows if any(value != values[0] for value in values))
        views = tuple(self._seen(run) for run in runs)
        return Comparison(views, differences, {one.id: one.scores for one in views})

    def tick(self) -> bool:
        """Start the runs whose turn it is; return False, as there is nothing to be done soon.

        Whoever keeps time calls it now and then, and so does the end of every trainer.
        """
        with self._starting:
            waiting = [] if self._closed else self._runs.queued()
            busy = sum(self._trainers.alive(run) for run in self._runs.list()) if waiting else 0
            for run in waiting:
                if self._trainers.alive(run):  # it was resumed while it was pausing
                    if run.status().updated > (run.queued_since or 0) + SECONDS_TO_PAUSE:
                        run.leave_queue()
                    continue
                if busy >= self._settings.parallel_runs:
                    break
                run.leave_queue()
                if run.status().state == "finished":
                    continue
                try:
                    self._trainers.start(run)
                    busy += 1
                except AppError as error:
                    log.warning("Run %s: %s", run.id, error)
        return False

    def close(self) -> None:
        """Start no further run; those that train go on by themselves."""
        with self._starting:
            self._closed = True

    def run(self, run_id: str) -> Run:
        """Return the folder of a run, for whoever registers what came of it."""
        return self._runs.get(run_id)

    def _with_state(self, run_id: str) -> tuple[Run, RunState]:
        run = self._runs.get(run_id)
        return run, self._seen(run).state

    def _seen(self, run: Run) -> RunView:
        positions = {} if run.queued_since is None else self._positions()  # only a queued run needs the other folders
        return self._view(run, positions.get(run.id), self._registered())

    def _positions(self) -> dict[str, int]:
        waiting = [run.id for run in self._runs.queued() if not self._trainers.alive(run)]
        return {run_id: place for place, run_id in enumerate(waiting, start=1)}

    def _view(self, run: Run, position: int | None, registered: dict[str, Labels]) -> RunView:
        return view(run, self._trainers.alive(run), position, registered.get(run.id, []), self._places(run))

    def _places(self, run: Run) -> Redaction:
        return Redaction(self._settings, run.config["base"], run.base)

    def _registered(self) -> dict[str, Labels]:
        found: dict[str, Labels] = {}
        for one in self._store.registered.list():
            found.setdefault(one.run_id, []).append(one.label)
        return found

    def _queue(self, run: Run) -> None:
        self._check_queue()
        run.queue()
        self.tick()

    def _leave_queue(self, run: Run) -> None:
        with self._starting, training_errors():
            run.leave_queue()
            if not self._trainers.alive(run):
                with run.folder.locked():
                    run.folder.write_status(state="paused", pid=None)

    def _check_queue(self) -> None:
        waiting = len(self._runs.queued())
        if waiting >= self._settings.max_queued_runs:
            raise Conflict(
                "run_queue_full",
                text("{waiting} runs are waiting already.", waiting=waiting),
                text("Wait until one has finished, or discard one."),
                retry_after=60,
            )

    def _check_free(self, name: str, runs: Sequence[Run]) -> None:
        if any(run.name.casefold() == name.casefold() for run in runs):
            raise Conflict(
                "run_name_taken",
                text("There is a run called {name} already.", name=name),
                text("Choose another name, such as {free}.", free=self.free_name(name)),
            )
        if len(runs) >= self._settings.max_runs:
            raise Conflict(
                "too_many_runs",
                text("{count} runs are saved already, the most allowed.", count=len(runs)),
                text("Discard some runs; registered models stay."),
            )
        self._check_queue()


def _not_now(code: str, run: Run, hint: Any) -> Conflict:
    return Conflict(code, text("{name} cannot do this now.", name=run.name), hint)

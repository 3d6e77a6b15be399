"""Fine-tuning runs for page and API: plan, start, control, read and compare them.

A run is a folder and, during training, a separate process, which continues when the tab is closed or the server stops.
After a restart, running trainers are found by their folders; an interrupted run waits until somebody resumes it.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from itertools import chain
from threading import Lock
from typing import TYPE_CHECKING, Any

from kronos_app.errors import AppError, Conflict, InvalidInput
from kronos_app.i18n import text
from kronos_app.services.core.redaction import Redaction
from kronos_app.services.core.training_errors import training_errors
from kronos_app.services.finetune import records, trial
from kronos_app.services.finetune.plan import Planner, share
from kronos_app.services.finetune.request import TuneRequest, flatten_settings
from kronos_app.services.finetune.runs import QUEUED, RunFolders
from kronos_app.services.finetune.status import view_run
from kronos_app.services.finetune.trainer import Trainers
from kronos_app.services.finetune.views import Estimate, RunComparison, RunState, RunView, TunePlan
from kronos_app.services.selection.series import SeriesSelector
from kronos_app.services.selection.training_data import TrainingData
from kronos_app.services.selection.training_files import check_room
from kronos_app.store.records import UnreadableRecords

if TYPE_CHECKING:
    from kronos_app.jobs import JobRunner
    from kronos_app.services.candles.series import SeriesService
    from kronos_app.services.candles.service import CandleService
    from kronos_app.services.finetune.runs import Run
    from kronos_app.services.models.service import ModelService
    from kronos_app.settings import Settings
    from kronos_app.store import Store

log = logging.getLogger(__name__)

DEFAULT_NAME = "run"
MOST_COMPARED = 8
SECONDS_TO_PAUSE = 30.0  # a trainer that is still running after this time will not pause any more
# Settings that name files or the run itself, which a comparison leaves out.
NOT_COMPARED = ("name", "data.paths", "data.folder", "base.tokenizer", "base.trained_until")
Views = list[RunView]
Labels = list[str]


class TuningService:
    """Plans, starts, controls and reads runs; every thread may use it.

    A run that does not exist raises `NotFound`, one that this version cannot read `Conflict`. Pausing, resuming or
    stopping a run in a state that does not allow it raises `Conflict`.
    """

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
        """Return the plan of a run, from memory if nothing has changed.

        Raises
        ------
        InvalidInput, NotFound, TooLarge, Unavailable
            A setting, the candles, the base model or the disk is the reason.
        """
        return self.planner.plan(request).plan

    def estimate(self, request: TuneRequest) -> str:
        """Queue a trial and return the id of its job; `estimated` returns the result. Raises as `plan` and `submit`."""
        job = {"key": self.plan(request).digest, "request": request.model_dump(mode="json")}
        return self._jobs.submit(trial.KIND, job).id

    def estimated(self, request: TuneRequest) -> Estimate | None:
        """Return the estimate of an earlier trial of such a run, or None. Raises as `plan`."""
        return trial.read_estimate(self.planner.plan(request))

    def start(self, request: TuneRequest) -> RunView:
        """Create and queue a run.

        Raises
        ------
        Conflict
            The name is taken, or too many runs are saved or queued.
        InvalidInput, NotFound, TooLarge, Unavailable
            As `plan`.
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
        """Return `name`, with a number if a run has that name."""
        taken = {run.name.casefold() for run in self._runs.list()}
        stem = name.rstrip("0123456789").rstrip() or name
        names = (name, *(f"{stem[:50]} {number}" for number in range(2, len(taken) + 3)))
        return next(free for free in names if free.casefold() not in taken)

    def list(self) -> Views:
        """Return all runs, newest first."""
        positions, registered = self._positions(), self._registered()
        return [self._view(run, positions.get(run.id), registered) for run in self._runs.list()]

    def any(self) -> bool:
        """Return whether there is a run, readable or not."""
        return self._runs.any()

    def unreadable(self) -> UnreadableRecords:
        """Return the runs that this version cannot read, with the reason."""
        return self._runs.unreadable()

    def get(self, run_id: str) -> RunView:
        """Return a run and its state."""
        return self._view_now(self._runs.get(run_id))

    def pause(self, run_id: str) -> RunView:
        """Request that a running run stops after its current step, or remove it from the queue."""
        run, state = self._with_state(run_id)
        if state == "queued":
            self._leave_queue(run)
        elif state == "running":
            with training_errors():
                run.folder.request_stop("pause")
        elif state != "paused":
            raise _not_now("run_not_active", run, text("Only a running or queued run can be paused."))
        return self._view_now(run)

    def resume(self, run_id: str) -> RunView:
        """Queue a paused, interrupted or failed run, which continues from its last checkpoint.

        Raises
        ------
        Conflict
            It is finished, or too many runs are queued.
        """
        run, state = self._with_state(run_id)
        if state == "finished":
            raise _not_now("run_finished", run, text("The run is finished: copy it to train again."))
        pausing = state == "running" and run.folder.stop_request() == "pause"
        with training_errors():
            run.folder.request_stop(None)
        if pausing:
            run.queue()  # the trainer may have read the request already
        elif state not in {"queued", "running"}:
            self._queue(run)
        return self._view_now(run)

    def stop(self, run_id: str) -> RunView:
        """End the training of a run; its best checkpoint is scored and exported.

        Raises
        ------
        Conflict
            It is finished, or has no checkpoint yet.
        """
        run, state = self._with_state(run_id)
        if state == "finished":
            raise _not_now("run_finished", run, text("The run is finished: there is nothing to stop."))
        if run.status().phase == "preparing":
            raise _not_now("nothing_to_keep", run, text("There is no checkpoint to save yet: discard the run."))
        with training_errors():
            run.folder.request_stop("keep")
        if state not in {"queued", "running"}:
            self._queue(run)
        return self._view_now(run)

    def discard(self, run_id: str) -> None:
        """End a run at once and delete its folder; registered versions stay."""
        path = self._runs.path(run_id)
        with self._starting:
            (path / QUEUED).unlink(missing_ok=True)
            self._trainers.kill(path)
            self._runs.remove(path.name)
        self.tick()

    def request_of(self, run_id: str) -> TuneRequest:
        """Return the request of a run, with a free name, to start a similar one."""
        run = self._runs.get(run_id)
        config = run.request.config | {"name": self.free_name(run.name)}
        return run.request.model_copy(update={"config": config})

    def card(self, run_id: str) -> str:
        """Return the model card in Markdown, empty until the run has finished."""
        return self._redact(run_id, records.read_card)

    def tail(self, run_id: str, lines: int = 50) -> str:
        """Return the last lines of the trainer's output."""
        return self._redact(run_id, lambda run: records.read_tail(run, lines))

    def config_text(self, run_id: str) -> str:
        """Return `config.yaml` without paths of this machine."""
        return self._redact(run_id, records.read_config)

    def compare(self, run_ids: Sequence[str]) -> RunComparison:
        """Return runs side by side; raises InvalidInput if there are none or too many."""
        if not 1 <= len(run_ids) <= MOST_COMPARED:
            raise InvalidInput(
                "runs_to_compare",
                text("From 1 to {most} runs can be compared.", most=MOST_COMPARED),
                text("Choose fewer."),
            )
        runs = [self._runs.get(run_id) for run_id in dict.fromkeys(run_ids)]
        configs = [flatten_settings(run.config) | {"data": run.data_digest, "base.model": run.base} for run in runs]
        names = [name for name in dict.fromkeys(chain.from_iterable(configs)) if name not in NOT_COMPARED]
        rows = [(name, tuple(config.get(name) for config in configs)) for name in names]
        views = tuple(self._view_now(run) for run in runs)
        return RunComparison(
            runs=views,
            differences={name: values for name, values in rows if any(value != values[0] for value in values)},
            scores={view.id: view.scores for view in views},
        )

    def tick(self) -> bool:
        """Start queued runs while trainers are free; return False: the keeper need not call again soon.

        The keeper calls it regularly, and every trainer that ends.
        """
        with self._starting:
            waiting = [] if self._closed else self._runs.queued()
            busy = sum(self._trainers.alive(run) for run in self._runs.list()) if waiting else 0
            for run in waiting:
                if self._trainers.alive(run):  # resumed while it was pausing
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
        """Start no further run; running trainers continue."""
        with self._starting:
            self._closed = True

    def run(self, run_id: str) -> Run:
        """Return the folder of a run."""
        return self._runs.get(run_id)

    def _with_state(self, run_id: str) -> tuple[Run, RunState]:
        run = self._runs.get(run_id)
        return run, self._view_now(run).state

    def _view_now(self, run: Run) -> RunView:
        positions = {} if run.queued_since is None else self._positions()  # only a queued run needs the other folders
        return self._view(run, positions.get(run.id), self._registered())

    def _positions(self) -> dict[str, int]:
        waiting = [run.id for run in self._runs.queued() if not self._trainers.alive(run)]
        return {run_id: place for place, run_id in enumerate(waiting, start=1)}

    def _view(self, run: Run, position: int | None, registered: dict[str, Labels]) -> RunView:
        return view_run(run, self._trainers.alive(run), position, registered.get(run.id, []), self._places(run))

    def _places(self, run: Run) -> Redaction:
        return Redaction(self._settings, run.config["base"], run.base)

    def _redact(self, run_id: str, read: Callable[[Run], str]) -> str:
        run = self._runs.get(run_id)
        return self._places(run).redact(read(run))

    def _registered(self) -> dict[str, Labels]:
        labels: dict[str, Labels] = {}
        for model in self._store.registered.list():
            labels.setdefault(model.run_id, []).append(model.label)
        return labels

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

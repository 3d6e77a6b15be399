"""Fine-tuning runs for page and API: plan, start, control, read and compare them.

A run is a folder and, during training, a separate process, which continues when the tab is closed or the server stops.
After a restart, running trainers are found by their folders; an interrupted run waits until somebody resumes it.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Callable, Sequence
from itertools import chain
from typing import TYPE_CHECKING, Any

from kronos_app.errors import AppError, Conflict
from kronos_app.i18n import text
from kronos_app.services.core.redaction import Redaction
from kronos_app.services.core.training_errors import training_errors
from kronos_app.services.finetune import records, trial
from kronos_app.services.finetune.plan import Planner, share
from kronos_app.services.finetune.request import TuneRequest, flatten_settings
from kronos_app.services.finetune.run import QUEUED, TuneFolders, TuneRun
from kronos_app.services.finetune.status import with_status
from kronos_app.services.finetune.trainer import Trainers
from kronos_app.services.finetune.views import Estimate, RunComparison, TunePlan
from kronos_app.services.runs.run import Listed
from kronos_app.services.runs.service import RunService
from kronos_app.services.selection.series import SeriesSelector
from kronos_app.services.selection.training_data import TrainingData
from kronos_app.services.selection.training_files import check_room

if TYPE_CHECKING:
    from kronos_app.jobs import JobRunner
    from kronos_app.services.candles.series import SeriesService
    from kronos_app.services.candles.service import CandleService
    from kronos_app.services.models.service import ModelService
    from kronos_app.settings import Settings
    from kronos_app.store import Store

log = logging.getLogger(__name__)

DEFAULT_NAME = "run"
MOST_COMPARED = 8
SECONDS_TO_PAUSE = 30.0  # a trainer that is still running after this time will not pause any more
# Settings that name files or the run itself, which a comparison leaves out.
NOT_COMPARED = ("name", "data.paths", "data.folder", "base.tokenizer", "base.trained_until")


class TuningService(RunService[TuneRun]):
    """Plans, starts, controls and reads runs; every thread may use it.

    Pausing, resuming or stopping a run in a state that does not allow it raises Conflict.
    """

    _folders: TuneFolders

    def __init__(
        self,
        settings: Settings,
        store: Store,
        candles: CandleService,
        series: SeriesService,
        models: ModelService,
        jobs: JobRunner,
    ) -> None:
        super().__init__(settings, TuneFolders(settings.home), settings.max_runs)
        self._store = store
        self._data = TrainingData(SeriesSelector(settings, candles, series))
        self._trainers = Trainers(settings, self.tick)
        self._closed = False
        self._jobs = jobs
        self.planner = Planner(settings, self._data, models)

    def plan(self, request: TuneRequest) -> TunePlan:
        """Return the plan of a run, from memory if nothing has changed.

        Raises InvalidInput, NotFound, TooLarge or Unavailable: a setting, the candles, the base model or the disk
        is the reason.
        """
        return self.planner.plan(request).plan

    def estimate(self, request: TuneRequest) -> str:
        """Queue a trial and return the id of its job; `estimated` returns the result. Raises as `plan` and `submit`."""
        job = {"key": self.plan(request).digest, "request": request.model_dump(mode="json")}
        return self._jobs.submit(trial.KIND, job).id

    def estimated(self, request: TuneRequest) -> Estimate | None:
        """Return the estimate of an earlier trial of such a run, or None. Raises as `plan`."""
        return trial.read_estimate(self.planner.plan(request))

    def start(self, request: TuneRequest) -> TuneRun:
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
            runs = self._folders.list()
            self._check_free(planned.plan.config.name, runs)
            check_room(self._data.folder, self._settings)
            run = self._folders.make_queued(request, planned.plan.config, planned.base, planned.data_digest)
            share(planned.prepared, run.folder.prepared)
        self._data.prune([saved.data_digest for saved in (*runs, run)])
        self.tick()
        return self.get(run.id)

    def free_name(self, name: str) -> str:
        """Return `name`, with a number if a run has that name."""
        taken = {run.name.casefold() for run in self._folders.list()}
        stem = name.rstrip("0123456789").rstrip() or name
        names = (name, *(f"{stem[:50]} {number}" for number in range(2, len(taken) + 3)))
        return next(free for free in names if free.casefold() not in taken)

    def pause(self, run_id: str) -> TuneRun:
        """Request that a running run stops after its current step, or remove it from the queue."""
        run = self.get(run_id)
        if run.state == "queued":
            self._leave_queue(run)
        elif run.state == "running":
            with training_errors():
                run.folder.request_stop("pause")
        elif run.state != "paused":
            raise _not_now("run_not_active", run, text("Only a running or queued run can be paused."))
        return self.get(run_id)

    def resume(self, run_id: str) -> TuneRun:
        """Queue a paused, interrupted or failed run, which continues from its last checkpoint.

        Raises Conflict (it is finished, or too many runs are queued).
        """
        run = self.get(run_id)
        if run.state == "finished":
            raise run.finished(run_id)
        pausing = run.state == "running" and run.folder.stop_request() == "pause"
        with training_errors():
            run.folder.request_stop(None)
        if pausing:
            run.queue()  # the trainer may have read the request already
        elif not run.active:
            self._queue(run)
        return self.get(run_id)

    def stop(self, run_id: str) -> TuneRun:
        """End the training of a run; its best checkpoint is scored and exported.

        Raises Conflict (it is finished, or has no checkpoint yet).
        """
        run = self.get(run_id)
        if run.state == "finished":
            raise run.finished(run_id)
        if run.phase == "preparing":
            raise _not_now("nothing_to_keep", run, text("There is no checkpoint to save yet: delete the run."))
        with training_errors():
            run.folder.request_stop("keep")
        if not run.active:
            self._queue(run)
        return self.get(run_id)

    def delete(self, run_id: str) -> None:
        """End a run at once and delete its folder; registered versions stay."""
        path = self._folders.path(run_id)
        with self._starting:
            (path / QUEUED).unlink(missing_ok=True)
            self._trainers.kill(path)
            self._folders.remove(path.name)
        self.tick()

    def request_of(self, run_id: str) -> TuneRequest:
        """Return the request of a run, with a free name, to start a similar one."""
        run = self._folders.get(run_id)
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
        runs = self._get_compared(run_ids, 1, MOST_COMPARED)
        configs = [flatten_settings(run.config) | {"data": run.data_digest, "base.model": run.base} for run in runs]
        names = [name for name in dict.fromkeys(chain.from_iterable(configs)) if name not in NOT_COMPARED]
        rows = [(name, tuple(config.get(name) for config in configs)) for name in names]
        return RunComparison(
            runs=tuple(runs),
            differences={name: values for name, values in rows if any(value != values[0] for value in values)},
            scores={run.id: run.scores for run in runs},
        )

    def tick(self) -> bool:
        """Start queued runs while trainers are free; return False: the keeper need not call again soon.

        The keeper calls it regularly, and every trainer that ends.
        """
        with self._starting:
            waiting = [] if self._closed else self._folders.queued()
            busy = sum(self._trainers.alive(run) for run in self._folders.list()) if waiting else 0
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

    def _with_states(self, runs: Sequence[TuneRun]) -> Listed[TuneRun]:
        positions = self._positions() if any(run.queued_since is not None for run in runs) else {}
        registered: defaultdict[str, list[str]] = defaultdict(list)
        for model in self._store.registered.list():
            registered[model.run_id].append(model.label)
        return [
            with_status(run, self._trainers.alive(run), positions.get(run.id), registered[run.id], self._redaction(run))
            for run in runs
        ]

    def _positions(self) -> dict[str, int]:
        waiting = [run.id for run in self._folders.queued() if not self._trainers.alive(run)]
        return {run_id: place for place, run_id in enumerate(waiting, start=1)}

    def _redaction(self, run: TuneRun) -> Redaction:
        return Redaction(self._settings, run.config["base"], run.base)

    def _redact(self, run_id: str, read: Callable[[TuneRun], str]) -> str:
        run = self._folders.get(run_id)
        return self._redaction(run).redact(read(run))

    def _queue(self, run: TuneRun) -> None:
        self._check_queue()
        run.queue()
        self.tick()

    def _leave_queue(self, run: TuneRun) -> None:
        with self._starting, training_errors():
            run.leave_queue()
            if not self._trainers.alive(run):
                with run.folder.locked():
                    run.folder.write_status(state="paused", pid=None)

    def _check_queue(self) -> None:
        waiting = len(self._folders.queued())
        if waiting >= self._settings.max_queued_runs:
            raise Conflict(
                "run_queue_full",
                text("{waiting} runs are waiting already.", waiting=waiting),
                text("Wait until one has finished, or delete one."),
                retry_after=60,
            )

    def _check_free(self, name: str, runs: Sequence[TuneRun]) -> None:
        if any(run.name.casefold() == name.casefold() for run in runs):
            raise Conflict(
                "run_name_taken",
                text("There is a run called {name} already.", name=name),
                text("Choose another name, such as {free}.", free=self.free_name(name)),
            )
        self._check_count(len(runs))
        self._check_queue()


def _not_now(code: str, run: TuneRun, hint: Any) -> Conflict:
    return Conflict(code, text("{name} cannot do this now.", name=run.name), hint)

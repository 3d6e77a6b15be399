"""Trials: a few real steps of each stage, which estimate the time and memory of a run."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kronos_app.services.core.engine_errors import engine_errors
from kronos_app.services.core.training_errors import training_errors
from kronos_app.services.finetune.request import TuneRequest
from kronos_app.services.finetune.views import Estimate, StageEstimate
from training.errors import Unreadable
from training.saved import load_json, parse_saved

if TYPE_CHECKING:
    from kronos_app.services.finetune.plan import Planned, Planner

KIND = "trial"
OnStep = Callable[[int, int], None]


@dataclass
class TrialWorker:
    """Runs the trials that `TuningService.estimate` queued."""

    planner: Planner

    def run(self, job: Mapping[str, Any], on_step: OnStep) -> str:
        """Run a trial, save its measurements and return the digest of the plan; `on_step` may raise to cancel."""
        from training.fit.corpus import open_corpus
        from training.run.estimate import estimate
        from training.run.folder import write_json

        planned = self.planner.plan(TuneRequest.read(job["request"], f"the request of a {KIND} job"))
        config = planned.plan.config
        measured: dict[str, dict[str, Any]] = {}
        for done, stage in enumerate(config.stages):
            on_step(done, len(config.stages))
            with training_errors(), engine_errors(planned.base.name or ""):
                trial = estimate(config, open_corpus(planned.prepared), stage)
            measured[stage] = StageEstimate.model_validate(trial).model_dump()
        with training_errors():
            write_json(_path(planned), measured)
        on_step(len(measured), len(measured))
        return planned.plan.digest


def read_estimate(planned: Planned) -> Estimate | None:
    """Return the estimate of an earlier trial of this plan, or None."""
    path, config = _path(planned), planned.plan.config
    if not path.exists():
        return None
    try:
        saved = load_json(path)
        stages = {stage: parse_saved(StageEstimate, saved.get(stage), path) for stage in config.stages}
    except Unreadable:  # logged; the next trial replaces the file
        return None
    *_, last = stages.values()
    return Estimate(
        seconds_per_step=last.seconds_per_step,
        total_seconds=sum(stage.seconds_per_step * config.stage(name).steps for name, stage in stages.items()),
        memory_bytes=max(stage.memory_bytes for stage in stages.values()),
        trained=last.trained,
        parameters=last.parameters,
        stages=stages,
    )


def _path(planned: Planned) -> Path:
    """Return the file of all plans whose steps take the same time and memory, whatever their number."""
    config = planned.plan.config
    settings = config.model_dump(mode="json", include={"base", "method", "machine", "window"})
    stages = {stage: config.stage(stage).model_dump(include={"batch", "accumulate", "ema"}) for stage in config.stages}
    key = hashlib.sha256(json.dumps([settings, stages], sort_keys=True).encode()).hexdigest()[:24]
    return planned.prepared.parent / f"trial-{key}.json"

"""Short trials: what a run will take, measured before it is started."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import asdict
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
    from training.run.config import StageName

KIND = "trial"
OnStep = Callable[[int, int], None]


class TrialWorker:
    """Tries the plans that `TuningService.estimate` queued."""

    def __init__(self, planner: Planner) -> None:
        self._planner = planner

    def run(self, job: Mapping[str, Any], on_step: OnStep) -> str:
        """Try it, keep what was measured, and return the plan's digest; `on_step` may raise to cancel."""
        from training.fit.corpus import open_corpus
        from training.run.estimate import estimate
        from training.run.folder import write_json

        planned = self._planner.plan(TuneRequest.read(job["request"], f"the request of a {KIND} job"))
        config = planned.plan.config
        stages: dict[str, StageEstimate] = {}
        for done, stage in enumerate(config.stages):
            on_step(done, len(config.stages))
            with training_errors(), engine_errors(planned.base.name or ""):
                tried = estimate(config, open_corpus(planned.prepared), stage)
            stages[stage] = StageEstimate(
                seconds_per_step=tried.seconds_per_step,
                memory_bytes=tried.memory_bytes,
                trained=tried.trained,
                parameters=tried.parameters,
            )
        with training_errors():
            write_json(_path(planned), {stage: asdict(one) for stage, one in stages.items()})
        on_step(len(stages), len(stages))
        return planned.plan.digest


def read(planned: Planned) -> Estimate | None:
    """Return what a trial of this plan measured, None where there was none."""
    if not _path(planned).exists():
        return None
    try:
        kept = load_json(_path(planned))
        stages: dict[StageName, StageEstimate] = {
            stage: parse_saved(StageEstimate, kept.get(stage), _path(planned)) for stage in planned.plan.config.stages
        }
    except Unreadable:  # logged, and measured again
        return None
    *_, last = stages.values()
    config = planned.plan.config
    return Estimate(
        seconds_per_step=last.seconds_per_step,
        total_seconds=sum(one.seconds_per_step * config.stage(name).steps for name, one in stages.items()),
        memory_bytes=max(one.memory_bytes for one in stages.values()),
        trained=last.trained,
        parameters=last.parameters,
        stages={str(name): one for name, one in stages.items()},
    )


def _path(planned: Planned) -> Path:
    """Return the file of all plans that take the same a step, however many steps they have."""
    config = planned.plan.config.model_dump(mode="json", include={"base", "method", "machine", "window"})
    stages = {
        name: planned.plan.config.stage(name).model_dump(include={"batch", "accumulate", "ema"})
        for name in planned.plan.config.stages
    }
    key = hashlib.sha256(json.dumps([config, stages], sort_keys=True).encode()).hexdigest()[:24]
    return planned.prepared.parent / f"trial-{key}.json"

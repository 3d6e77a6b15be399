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
from kronos_app.services.runs.pace import RUN_MARGIN, Seconds
from training.errors import Unreadable
from training.saved import load_json, parse_saved

if TYPE_CHECKING:
    from kronos_app.services.finetune.plan import Planned, Planner
    from training.run.config import RunConfig, SplitName, StageName

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
                trial = estimate(config, open_corpus(planned.prepared), stage, scoring=stage == config.stages[-1])
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
    parts = estimate_parts(config, planned.plan.preflight["splits"], stages)
    return Estimate(
        seconds_per_step=last.seconds_per_step,
        seconds_to_start=last.seconds_to_start,
        seconds_per_validation=last.seconds_per_validation,
        seconds_per_cutoff=last.seconds_per_cutoff,
        total_seconds=(sum(low for low, _ in parts.values()), sum(high for _, high in parts.values())),
        parts=parts,
        memory_bytes=max(stage.memory_bytes for stage in stages.values()),
        trained=last.trained,
        parameters=last.parameters,
        stages=stages,
    )


def estimate_parts(
    config: RunConfig, splits: Mapping[SplitName, Mapping[str, Any]], stages: Mapping[StageName, StageEstimate]
) -> dict[str, Seconds]:
    """Return the shortest and the longest time of each part of a run; see `Estimate.parts`.

    Parameters
    ----------
    splits
        Of the preflight: windows and cutoffs of each split.
    stages
        The measurements, by stage that is trained.
    """
    from training.run.preflight import SplitSize
    from training.run.scoring_time import count_scored

    sizes = {name: SplitSize.model_validate(size) for name, size in splits.items()}
    *_, last = stages.values()
    seconds = {"start": last.seconds_to_start, "training": 0.0}
    for name, measured in stages.items():
        stage = config.stage(name)
        validations = -(-stage.steps // stage.validate_every)
        windows = validations * min(stage.validation_windows, sizes["validation"].windows)
        seconds["training"] += stage.steps * measured.seconds_per_step
        seconds["training"] += windows * (measured.seconds_per_validation or 0.0)
    if last.seconds_per_cutoff is not None:
        seconds["scoring"] = count_scored(config, sizes) * last.seconds_per_cutoff
    return {part: (time / RUN_MARGIN, time * RUN_MARGIN) for part, time in seconds.items()}


def _path(planned: Planned) -> Path:
    """Return the file of all plans whose steps take the same time and memory, whatever their number."""
    config = planned.plan.config
    settings = config.model_dump(mode="json", include={"base", "method", "machine", "window"})
    stages = {stage: config.stage(stage).model_dump(include={"batch", "accumulate", "ema"}) for stage in config.stages}
    judge = config.judge.model_dump(include={"samples"})
    key = hashlib.sha256(json.dumps([settings, stages, judge], sort_keys=True).encode()).hexdigest()[:24]
    return planned.prepared.parent / f"trial-{key}.json"

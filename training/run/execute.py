"""Executes a run from its config to its result: prepare, train, score, export; resumes where it stopped."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from contextlib import nullcontext
from copy import deepcopy
from typing import Any

import torch

from engine.errors import KronosError
from engine.predictor import KronosPredictor
from engine.tokenizer import KronosTokenizer
from engine.transformer import Kronos
from training.errors import Message, TrainingError, message
from training.evaluation.base_comparison import BASE, TUNED, judge
from training.evaluation.cutoffs import Cutoff, pick_cutoffs
from training.fit.adaptation import adapt
from training.fit.advice import advise_rate
from training.fit.building import Base, build_base
from training.fit.corpus import Corpus, open_corpus
from training.fit.distributed import World
from training.fit.looking import ForecastChecks
from training.fit.loop import Callbacks, Paused, StageTraining, StepReport, Validation
from training.fit.memory import describe_failure, is_out_of_memory
from training.fit.preparing import prepare
from training.fit.stages import PredictorStage, Stage, TokenizerStage
from training.fit.tokens import TokenCache
from training.fit.windows import WindowSampler
from training.run.config import STAGES, RunConfig, SplitName
from training.run.config_file import read_saved_config
from training.run.export import export_run
from training.run.folder import Phase, RunFolder, Status, write_json
from training.run.preflight import SCORED, preflight
from training.run.provenance import provenance
from training.run.tracking import open_trackers

log = logging.getLogger(__name__)
Check = Callable[[Validation], dict[str, float]]

EXPECTED = (TrainingError, KronosError, OSError)
WRITE_SECONDS = 1.0  # between two writes of the status
VALIDATION_SEED = 1  # added to the run's: validation windows have other histories than training windows


def execute(run: RunFolder, world: World | None = None) -> Status:
    """Do the rest of a run and return its final status, which contains a failure.

    Every process of a world calls it; the first one holds the folder and writes.

    Raises RunError if another process holds the run, or its status cannot be written; ConfigError if the config cannot
    be read.
    """
    config = read_saved_config(run.config)
    world = world or World.from_environment(config.machine.device)
    with run.locked() if world.first else nullcontext():
        recorder = _Recorder(run, world)
        recorder.set(state="running", error=None, started=time.time(), notes=(), loss=None, rate=None)
        try:
            _Execution(run, config, world, recorder).execute()
        except Paused as paused:
            return recorder.set(state="paused", step=paused.step)
        except BaseException as error:
            if not isinstance(error, EXPECTED) and not is_out_of_memory(error):
                recorder.set(state="interrupted")  # however this process ends, the run must not read as running
                raise
            log.error("The run failed: %s", error)
            log.debug("The failure", exc_info=True)
            return recorder.set(state="failed", error=describe_failure(error))
        return recorder.set(state="finished", phase="exporting")


class _Recorder:
    """Writes the status, in the first process only and not at every step."""

    def __init__(self, run: RunFolder, world: World) -> None:
        self.run, self.world = run, world
        self.status = run.status()
        self._written = 0.0

    def set(self, **changes: Any) -> Status:
        changes = {"remaining": None, **changes}
        if self.world.first:
            self.status = self.run.write_status(**changes)
        else:
            self.status = Status(**(dict(self.status) | changes))
        return self.status

    def phase(self, phase: Phase, steps: int = 0) -> None:
        log.info("%s", phase)
        self.set(phase=phase, step=0, steps=steps)

    def note(self, message: Message) -> None:
        if message not in self.status.notes:
            log.info("%s", message)
            self.set(notes=(*self.status.notes, message))

    def progress(self, done: int, total: int, **changes: Any) -> None:
        if time.monotonic() - self._written >= WRITE_SECONDS or done == total:
            self._written = time.monotonic()
            self.set(step=done, steps=total, **changes)

    def step(self, report: StepReport) -> None:
        figures = {"loss": report.loss, "rate": report.windows_per_second, "remaining": report.remaining}
        self.progress(report.step, report.steps, **figures)


class _Execution:
    """The phases of a run; those that an earlier process completed are skipped."""

    def __init__(self, run: RunFolder, config: RunConfig, world: World, recorder: _Recorder) -> None:
        self.run, self.config, self.world, self.recorder = run, config, world, recorder
        if config.machine.threads is not None:
            torch.set_num_threads(config.machine.threads)

    def execute(self) -> None:
        self.recorder.phase("preparing")
        corpus = self._corpus()
        base = build_base(self.config)
        tokenizer, predictor = base.tokenizer, base.predictor
        if self.world.first and not self.run.provenance.exists():
            write_json(self.run.provenance, provenance(self.config, corpus, base))
        if self.config.tokenizer is not None:
            tokenizer = self._train_tokenizer(corpus, base)
        if self.config.predictor is not None:
            predictor = self._train_predictor(corpus, base, tokenizer)
        if self.world.first:
            self._write_report(corpus, self._forecasters(base, tokenizer, predictor))
            self.recorder.phase("exporting")
            export_run(self.run, self.config, tokenizer, predictor, base)

    def _corpus(self) -> Corpus:
        # A run that has begun to train continues with the same candles, whatever happened to their source.
        if self.world.first and not self.run.provenance.exists():
            prepare(self.config, self.run.prepared, self.recorder.progress)
        self.world.barrier()
        corpus = open_corpus(self.run.prepared)
        result = preflight(corpus, self.config)
        notes = [*result.warnings, *result.notes]
        for name in self.config.stages:
            if self.config.stage(name).learning_rate is None:
                scratch = self.config.base.from_scratch(name)
                _, reason = advise_rate(name, result.splits["train"].windows, scratch=scratch)
                notes.append(message("Learning rate of the {stage}: {reason}", stage=name, reason=reason))
        for note in notes:
            self.recorder.note(note)
        return corpus

    def _samplers(self, corpus: Corpus, tokenizer: KronosTokenizer) -> tuple[WindowSampler, WindowSampler]:
        """Return training windows, and validation windows without augmentation."""
        shared = tokenizer.config.shared_deviation
        plain = dict.fromkeys(("volume_dropout", "mirrored", "turning", "moved"), 0.0)
        window, seed = self.config.window, self.config.seed
        return (
            WindowSampler(corpus.of("train"), window, seed, shared_deviation=shared),
            WindowSampler(
                corpus.of("validation"),
                window.model_copy(update=plain),
                seed + VALIDATION_SEED,
                shared_deviation=shared,
            ),
        )

    def _train_tokenizer(self, corpus: Corpus, base: Base) -> KronosTokenizer:
        module = adapt(deepcopy(base.tokenizer), self.config.method, "tokenizer", self.config.seed)
        stage = TokenizerStage(module.to(self.world.device), self.config.reconstruction)
        self._train(stage, *self._samplers(corpus, base.tokenizer), _no_check)
        return KronosTokenizer.from_pretrained(self.run.stage("tokenizer") / "best")

    def _train_predictor(self, corpus: Corpus, base: Base, tokenizer: KronosTokenizer) -> Kronos:
        samplers = self._samplers(corpus, tokenizer)
        folder = self.run.prepared if self.config.window.cache_tokens else None
        caches = [TokenCache(tokenizer, sampler, folder, self.world.device) for sampler in samplers]
        module = adapt(deepcopy(base.predictor), self.config.method, "predictor", self.config.seed)
        check: Check = _no_check
        if self.world.first and self.config.judge.cutoffs:
            cutoffs = self._cutoffs(corpus, "validation", self.config.judge.cutoffs)
            check = ForecastChecks(
                self.run, self.config, cutoffs, lambda predictor: self._forecasters(base, tokenizer, predictor)
            )
        try:
            self._train(PredictorStage(module.to(self.world.device), *caches), *samplers, check)
        finally:
            for cache in caches:
                cache.close()
                for note in cache.notes:
                    self.recorder.note(note)
        return Kronos.from_pretrained(self.run.stage("predictor") / "best")

    def _train(self, stage: Stage, samples: WindowSampler, validation: WindowSampler, check: Check) -> None:
        folder = self.run.stage(stage.name)
        self.recorder.phase(stage.name, self.config.stage(stage.name).steps)
        trackers = open_trackers(self.config, folder, self.recorder.note) if self.world.first else []

        def on_figures(step: int, figures: dict[str, float]) -> None:
            for tracker in trackers:
                tracker.figures(step, figures)

        def on_validation(result: Validation) -> None:
            best = " *" if result.best else ""
            log.info("step %d: validation loss %.4f%s", result.step, result.figures["loss"], best)
            if scores := check(result):
                on_figures(result.step, scores)

        note = self.recorder.note
        callbacks = Callbacks(self.recorder.step, self.run.stop_request, on_validation, note, on_figures)
        try:
            result = StageTraining(stage, self.config, samples, validation, folder, self.world, callbacks).run()
        finally:
            for tracker in trackers:
                tracker.close()
        if result.stopped:
            self.recorder.set(stopped=True)

    def _forecasters(self, base: Base, tokenizer: KronosTokenizer, predictor: Kronos) -> dict[str, KronosPredictor]:
        """Return the trained model, and its base model unless it was trained from scratch."""
        networks = {TUNED: (predictor, tokenizer)}
        if not any(map(self.config.base.from_scratch, STAGES)):
            networks[BASE] = (base.predictor, base.tokenizer)
        return {
            name: KronosPredictor(*pair, self.world.device, base.max_context, name=name)
            for name, pair in networks.items()
        }

    def _write_report(self, corpus: Corpus, forecasters: dict[str, KronosPredictor]) -> None:
        """Write the final scores once: a config, and hence a result, never changes."""
        if self.run.report.exists() or not self.config.judge.final_cutoffs:
            return
        self.recorder.phase("judging")
        report: dict[str, Any] = dict.fromkeys(SCORED)
        seed, progress = self.config.seed, self.recorder.progress
        for split in SCORED:
            if cutoffs := self._cutoffs(corpus, split, self.config.judge.final_cutoffs):
                judgement = judge(forecasters, cutoffs, self.config.judge, seed=seed, on_step=progress)
                report[split] = judgement.to_dict()
        write_json(self.run.report, report)

    def _cutoffs(self, corpus: Corpus, split: SplitName, count: int) -> list[Cutoff]:
        return pick_cutoffs(corpus.of(split), self.config.window, count, self.config.seed)


def _no_check(_: Validation) -> dict[str, float]:
    return {}

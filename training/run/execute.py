"""A run from its config to its result: prepare, train, judge, export; goes on where an earlier process stopped."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from copy import deepcopy
from dataclasses import replace
from typing import Any

import torch

from engine.errors import KronosError
from engine.predictor import KronosPredictor
from engine.tokenizer import KronosTokenizer
from engine.transformer import Kronos
from training.errors import DataError, Message, TrainingError, message
from training.evaluation.cutoffs import Cutoff
from training.evaluation.judging import BASE, TUNED, judge, pick_cutoffs
from training.fit.adaptation import adapt
from training.fit.advice import learning_rate
from training.fit.building import Base, build_base
from training.fit.corpus import Corpus, open_corpus
from training.fit.distributed import World
from training.fit.looking import Looks
from training.fit.loop import Paused, StepReport, Validation, train_stage
from training.fit.memory import is_out_of_memory
from training.fit.preparing import prepare
from training.fit.stages import PredictorStage, Stage, TokenizerStage
from training.fit.tokens import TokenCache
from training.fit.windows import WindowSampler
from training.run.config import STAGES, RunConfig, SplitName, StageName
from training.run.config_file import read_saved_config
from training.run.export import export_run
from training.run.folder import Phase, RunFolder, Status, write_json
from training.run.preflight import preflight
from training.run.provenance import provenance
from training.run.tracking import open_trackers

log = logging.getLogger(__name__)
Look = Callable[[Validation], dict[str, float] | None]

SECONDS_BETWEEN_WRITES = 1.0
JUDGED: tuple[SplitName, ...] = ("validation", "test")
VALIDATION_SEED = 1  # added to the run's: histories of validation windows are not those of training windows


def execute(run: RunFolder, world: World | None = None) -> Status:
    """Do what is left of a run and return how it ended; a failure is in the status, and in the log.

    Every process of a world calls it; the first one holds the folder and writes.

    Raises
    ------
    RunError
        Another process holds the run, or its state cannot be written.
    ConfigError
        The config cannot be read.
    """
    config = read_saved_config(run.config)
    world = world or World.from_environment(config.machine.device)
    with run.held() if world.first else nullcontext():
        recorder = _Recorder(run, world)
        recorder.begin()
        try:
            _Execution(run, config, world, recorder).go()
        except Paused as paused:
            return recorder.end(state="paused", step=paused.step)
        except (TrainingError, KronosError, OSError, MemoryError) as error:
            told = _told(error)
            log.error("The run failed: %s", told)
            log.debug("The failure", exc_info=True)
            return recorder.end(state="failed", error=told.to_dict())
        except RuntimeError as error:
            if not is_out_of_memory(error):
                recorder.end(state="interrupted")
                raise
            log.error("The run failed: %s", error)
            return recorder.end(state="failed", error=_told(MemoryError()).to_dict())
        except BaseException:  # whatever ends this process, nobody may take the run for one that goes on
            recorder.end(state="interrupted")
            raise
        return recorder.end(state="finished", phase="exporting")


def _told(error: Exception) -> Message:
    if isinstance(error, TrainingError):
        return error.message
    if isinstance(error, MemoryError):
        return message("There was not enough memory: choose a smaller batch, or accumulate it in more parts.")
    return message("{reason}", reason=str(error))


def _advised(stage: StageName, reason: Message) -> Message:
    if stage == "tokenizer":
        return message("Learning rate of the tokenizer: {reason}", reason=reason)
    return message("Learning rate of the predictor: {reason}", reason=reason)


class _Recorder:
    """Writes where a run is, by the first process alone, and not at every step."""

    def __init__(self, run: RunFolder, world: World) -> None:
        self.run, self.world = run, world
        self.status = run.status()
        self._written = 0.0

    def begin(self) -> None:
        """Note that the work goes on."""
        self.set(state="running", error=None, started=time.time(), notes=[], loss=None, rate=None, remaining=None)

    def set(self, **changes: Any) -> None:
        """Write changes at once."""
        self.status = self.run.write_status(**changes) if self.world.first else replace(self.status, **changes)

    def phase(self, phase: Phase, steps: int = 0) -> None:
        """Note which part of the work begins."""
        log.info("%s", phase)
        self.set(phase=phase, step=0, steps=steps, remaining=None)

    def note(self, message: Message) -> None:
        """Keep what its reader should know, once."""
        if message.to_dict() not in self.status.notes:
            log.info("%s", message)
            self.set(notes=[*self.status.notes, message.to_dict()])

    def progress(self, done: int, total: int, **changes: Any) -> None:
        """Note how far a part is, where the last time was a while ago."""
        if time.monotonic() - self._written >= SECONDS_BETWEEN_WRITES or done == total:
            self._written = time.monotonic()
            self.set(step=done, steps=total, **changes)

    def step(self, report: StepReport) -> None:
        """Note a training step."""
        self.progress(
            report.step,
            report.steps,
            loss=report.loss,
            rate=report.windows_per_second,
            remaining=report.remaining,
        )

    def end(self, **changes: Any) -> Status:
        """Note how the work ended."""
        self.set(remaining=None, **changes)
        return self.status


class _Execution:
    """The parts of the work, in their order."""

    def __init__(self, run: RunFolder, config: RunConfig, world: World, recorder: _Recorder) -> None:
        self.run, self.config, self.world, self.recorder = run, config, world, recorder
        if config.machine.threads is not None:
            torch.set_num_threads(config.machine.threads)

    def go(self) -> None:
        """Do all of it; what an earlier process finished is not done again."""
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
        if self.world.first:  # the others are done
            self._judge(corpus, base, tokenizer, predictor)
            self.recorder.phase("exporting")
            export_run(self.run, self.config, tokenizer, predictor, base)

    def _corpus(self) -> Corpus:
        # Once training began it goes on with the candles it began with, whatever became of their source.
        if self.world.first and not self.run.provenance.exists():
            prepare(self.config, self.run.prepared, self.recorder.progress)
        self.world.barrier()
        corpus = open_corpus(self.run.prepared)
        found = preflight(corpus, self.config)
        for note in found.notes:
            self.recorder.note(note)
        for name in self.config.stages:
            if self.config.stage(name).learning_rate is None:
                windows, scratch = found.splits["train"].windows, self.config.base.from_scratch(name)
                advice = learning_rate(name, windows, scratch=scratch)
                self.recorder.note(_advised(name, advice.reason))
        return corpus

    def _samplers(self, corpus: Corpus, tokenizer: KronosTokenizer) -> tuple[WindowSampler, WindowSampler]:
        """Return the windows to learn from and those to validate with, which stay as they are."""
        shared = tokenizer.config.shared_deviation
        whole = self.config.window.model_copy(
            update={"volume_dropout": 0.0, "mirrored": 0.0, "turning": 0.0, "moved": 0.0}
        )
        return (
            WindowSampler(corpus.of("train"), self.config.window, self.config.seed, shared_deviation=shared),
            WindowSampler(corpus.of("validation"), whole, self.config.seed + VALIDATION_SEED, shared_deviation=shared),
        )

    def _train_tokenizer(self, corpus: Corpus, base: Base) -> KronosTokenizer:
        module = adapt(deepcopy(base.tokenizer), self.config.method, "tokenizer", self.config.seed)
        self._train(
            TokenizerStage(module.to(self.world.device), self.config.reconstruction),
            *self._samplers(corpus, base.tokenizer),
            _no_look,
        )
        return KronosTokenizer.from_pretrained(self.run.stage("tokenizer") / "best")

    def _train_predictor(self, corpus: Corpus, base: Base, tokenizer: KronosTokenizer) -> Kronos:
        samples, validation = self._samplers(corpus, tokenizer)
        kept = self.run.prepared if self.config.window.cache_tokens else None
        caches = [TokenCache(tokenizer, sampler, kept, self.world.device) for sampler in (samples, validation)]
        module = adapt(deepcopy(base.predictor), self.config.method, "predictor", self.config.seed)
        look: Look = _no_look
        if self.world.first and self.config.judge.cutoffs:
            cutoffs = self._cutoffs(corpus, "validation", self.config.judge.cutoffs)
            look = Looks(self.run, self.config, cutoffs, lambda found: self._forecasters(base, tokenizer, found))
        try:
            self._train(PredictorStage(module.to(self.world.device), *caches), samples, validation, look)
        finally:
            for cache in caches:
                cache.close()
                for note in cache.notes:
                    self.recorder.note(note)
        return Kronos.from_pretrained(self.run.stage("predictor") / "best")

    def _train(self, stage: Stage, samples: WindowSampler, validation: WindowSampler, look: Look) -> None:
        folder = self.run.stage(stage.name)
        self.recorder.phase(stage.name, self.config.stage(stage.name).steps)
        trackers = open_trackers(self.config, folder, self.recorder.note) if self.world.first else []

        def on_validation(found: Validation) -> None:
            log.info("step %d: validation loss %.4f%s", found.step, found.figures["loss"], " *" if found.best else "")
            figures = look(found)
            if figures is not None:
                for tracker in trackers:
                    tracker.figures(found.step, figures)

        try:
            result = train_stage(
                stage.name,
                stage,
                self.config,
                samples,
                validation,
                folder,
                self.world,
                on_step=self.recorder.step,
                should_stop=self.run.asked,
                on_validation=on_validation,
                on_note=self.recorder.note,
                trackers=trackers,
            )
        finally:
            for tracker in trackers:
                tracker.close()
        if result.stopped:
            self.recorder.set(stopped=True)

    def _forecasters(self, base: Base, tokenizer: KronosTokenizer, predictor: Kronos) -> dict[str, KronosPredictor]:
        """Return the model as trained, and its base where that was trained before."""

        def ready(name: str, model: Kronos, codes: KronosTokenizer) -> KronosPredictor:
            return KronosPredictor(model, codes, self.world.device, base.max_context, name=name)

        found = {TUNED: ready(TUNED, predictor, tokenizer)}
        if not any(map(self.config.base.from_scratch, STAGES)):
            found[BASE] = ready(BASE, base.predictor, base.tokenizer)
        return found

    def _judge(self, corpus: Corpus, base: Base, tokenizer: KronosTokenizer, predictor: Kronos) -> None:
        """Write the final scores; they stay, as a config and hence a result never changes."""
        if self.run.report.exists() or not self.config.judge.final_cutoffs:
            return
        self.recorder.phase("judging")
        forecasters = self._forecasters(base, tokenizer, predictor)
        report: dict[str, Any] = {}
        for split in JUDGED:
            cutoffs = self._cutoffs(corpus, split, self.config.judge.final_cutoffs)
            report[split] = self._judgement(forecasters, cutoffs) if cutoffs else None
        write_json(self.run.report, report)

    def _cutoffs(self, corpus: Corpus, split: SplitName, count: int) -> list[Cutoff]:
        """Return cutoffs of a split, none where it has no window that moves."""
        if not corpus.of(split).segments:
            return []
        try:
            return pick_cutoffs(corpus.of(split), self.config.window, count, self.config.seed)
        except DataError as error:
            self.recorder.note(error.message)
            return []

    def _judgement(self, forecasters: Mapping[str, KronosPredictor], cutoffs: Sequence[Cutoff]) -> dict[str, Any]:
        seed, progress = self.config.seed, self.recorder.progress
        return judge(forecasters, cutoffs, self.config.judge, seed=seed, on_step=progress).to_dict()


def _no_look(_: Validation) -> None:
    """Look at no forecast."""

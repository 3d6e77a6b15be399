"""What a run is made of: one typed config for file, command line and page.

Each setting is documented beside its field and checked when built; `config_file.py` reads and writes YAML.
"""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, NaiveDatetime, model_validator

StageName = Literal["tokenizer", "predictor"]
STAGES: tuple[StageName, ...] = ("tokenizer", "predictor")
SplitName = Literal["train", "validation", "test"]
SPLITS: tuple[SplitName, ...] = ("train", "validation", "test")
Range = tuple[NaiveDatetime | None, NaiveDatetime | None]


class Section(BaseModel):
    """Settings that cannot change once built and know no others."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class FileData(Section):
    """Candles in files: CSV or Parquet with columns timestamp, open, high, low, close, optionally volume and amount.

    A column `symbol` tells several series of one file apart; without one the file's name is the symbol.
    """

    source: Literal["files"] = "files"
    paths: list[str] = Field(min_length=1, description="Files, folders, or patterns such as `data/*/*.parquet`.")
    origin: str = Field("", description="Where the candles came from, in words, for the model card.")


class StoreData(Section):
    """Series of a Kronos Desk candle store."""

    source: Literal["store"]
    url: str = Field(description="SQLAlchemy URL of the store, as in KRONOS_DATABASE_URL.")
    symbols: list[str] = Field(default_factory=list, description="Symbols to take; none takes all.")
    watchlist: str | None = Field(None, description="A watchlist whose series to take.")
    interval: str | None = Field(None, description="Candle length to take, such as `1d`; none takes all.")


class QlibData(Section):
    """Instruments of a folder in Qlib's layout, read by Qlib itself."""

    source: Literal["qlib"]
    folder: str = Field(description="What Qlib calls `provider_uri`.")
    market: str = Field("all", description="Instrument set, such as `csi300`.")
    frequency: str = Field("day", description="Qlib's name of the candle length: `day`, `1min`, ...")
    start: NaiveDatetime | None = Field(None, description="First time to read; none reads from the calendar's start.")
    end: NaiveDatetime | None = Field(None, description="Last time to read; none reads to the calendar's end.")
    members_only: bool = Field(True, description="Keep only the days on which an instrument belonged to the set.")


Data = Annotated[FileData | StoreData | QlibData, Field(discriminator="source")]


class SplitConfig(Section):
    """Which candles are learned from, which choose the checkpoint, and which are kept for the end."""

    by: Literal["time", "column"] = Field("time", description="By time, or by a column `split` that the data has.")
    train: Range | None = Field(None, description="First and last time learned from; none goes by `fractions`.")
    validation: Range | None = Field(None, description="First and last time that checkpoints are chosen by.")
    test: Range | None = Field(None, description="First and last time kept for the final scores.")
    fractions: tuple[float, float, float] = Field(
        (0.8, 0.1, 0.1), description="Shares of train, validation and test, where no ranges are given."
    )
    embargo: int | None = Field(
        None, ge=0, description="Candles left out between two splits, at least a window; none leaves out one window."
    )
    tail: float = Field(
        0.0,
        ge=0,
        le=0.5,
        description="By column: the last share of the `train` candles of each group, kept for the final scores.",
    )
    holdout_symbols: float = Field(
        0.0, ge=0, le=0.5, description="Share of the symbols that are never learned from, to validate on new ones."
    )

    @model_validator(mode="after")
    def _ranges_follow_one_another(self) -> Self:
        given = {name: getattr(self, name) for name in SPLITS if getattr(self, name) is not None}
        if given and not {"train", "validation"} <= given.keys():
            raise ValueError("give a range for both train and validation, or for none of the three.")
        for name, (first, last) in given.items():
            if first is not None and last is not None and first >= last:
                raise ValueError(f"{name} begins at {first} and ends at {last}: the first must come before the last.")
        ordered = list(given.items())
        for (one, (_, last)), (other, (first, _)) in pairwise(ordered):
            if last is None or first is None or last >= first:
                raise ValueError(f"{one} ends at {last} and {other} begins at {first}: ranges must not overlap.")
        if not given and (min(self.fractions) < 0 or not math.isclose(sum(self.fractions), 1.0, abs_tol=1e-6)):
            raise ValueError(f"fractions={list(self.fractions)} must not be negative and must add up to 1.")
        return self


class WindowConfig(Section):
    """The stretches of candles that are learned from."""

    lookback: int = Field(90, ge=8, le=8192, description="Candles of history, by whose statistics a window is scaled.")
    horizon: int = Field(10, ge=1, le=4096, description="Candles after the longest history.")
    lookback_min: int | None = Field(
        None,
        ge=2,
        description="Shortest history: each window has one between this and `lookback`, and learns what follows it. "
        "None takes a third of `lookback`.",
    )
    stride: int = Field(1, ge=1, description="Candles between the starts of two windows.")
    balance: float = Field(0.5, ge=0, le=1, description="Sampling weight of a market is its windows to this power.")
    volume_dropout: float = Field(0.0, ge=0, lt=1, description="Share of windows that lose volume and amount.")
    mirrored: float = Field(
        0.0,
        ge=0,
        le=1,
        description="Share of windows that are mirrored: they rise where prices fell, and fall where they rose.",
    )
    turning: float = Field(
        0.0,
        ge=0,
        le=1,
        description="Share of windows that throw coins for which way prices go on: they have no drift to learn.",
    )
    moved: float = Field(
        0.0,
        ge=0,
        le=1,
        description="Share of windows whose dates are moved by whole weeks: none can be learned by heart.",
    )
    cache_tokens: bool = Field(True, description="Keep each window's tokens on disk: none is then encoded twice.")

    @property
    def size(self) -> int:
        """Return the candles of a window."""
        return self.lookback + self.horizon

    @property
    def shortest(self) -> int:
        """Return the candles of the shortest history."""
        return max(2, self.lookback // 3) if self.lookback_min is None else self.lookback_min

    @model_validator(mode="after")
    def _history_fits(self) -> Self:
        if self.shortest > self.lookback:
            raise ValueError(f"lookback_min={self.lookback_min} must not exceed lookback={self.lookback}.")
        return self


class BaseConfig(Section):
    """What training begins with."""

    model: str | None = Field(
        "kronos-nano", description="Registry name, Hub id or folder of the predictor; none starts from `shape`."
    )
    tokenizer: str | None = Field(None, description="Hub id or folder, where the registry does not know the model's.")
    revision: str | None = Field(None, description="Branch, tag or commit of the model on the Hub.")
    shape: dict[str, Any] | None = Field(None, description="`config.json` of a predictor to be made from scratch.")
    tokenizer_shape: dict[str, Any] | None = Field(
        None, description="`config.json` of a tokenizer to be made from scratch."
    )
    by_bits: bool = Field(
        False, description="With `shape`: codes begin alike as far as their bits are, instead of each by itself."
    )
    shared_deviation: bool | None = Field(
        None,
        description="Divide all prices by the deviation of the close, so that decoded candles are possible; none as "
        "the tokenizer has it.",
    )
    trained_until: NaiveDatetime | None = Field(
        None, description="Last candle the base was trained on, where the registry does not know it."
    )

    @model_validator(mode="after")
    def _begins_somewhere(self) -> Self:
        if self.model is None and self.shape is None:
            raise ValueError("name a model to begin with, or give the shape of one to be made from scratch.")
        return self

    def from_scratch(self, stage: StageName) -> bool:
        """Return whether a stage begins with random weights: a shape goes before a name."""
        return (self.tokenizer_shape if stage == "tokenizer" else self.shape) is not None


class LoraConfig(Section):
    """Low-rank adapters beside frozen weights (arXiv:2106.09685)."""

    rank: int = Field(8, ge=1, le=256, description="Rank of the adapters.")
    alpha: float = Field(16.0, gt=0, description="Adapters count for alpha / rank.")
    dropout: float = Field(0.0, ge=0, lt=1, description="Dropout before the adapters.")
    targets: list[str] = Field(
        default_factory=lambda: ["q_proj", "k_proj", "v_proj", "out_proj"],
        min_length=1,
        description="Linear layers that get adapters, by the end of their names.",
    )


class MethodConfig(Section):
    """Which parameters are trained."""

    kind: Literal["full", "frozen", "lora"] = Field(
        "full", description="All of them; all but the lowest layers; or adapters beside frozen weights."
    )
    frozen_layers: int = Field(
        0,
        ge=0,
        description="With `frozen`: embeddings and so many lowest blocks stay put; with all, a tokenizer's tokens too.",
    )
    lora: LoraConfig = Field(default_factory=LoraConfig, description="With `lora`: the adapters.")

    @model_validator(mode="after")
    def _something_is_frozen(self) -> Self:
        if self.kind == "frozen" and not self.frozen_layers:
            raise ValueError("method frozen needs frozen_layers, the number of blocks that stay put.")
        return self


class StageConfig(Section):
    """How one of the two networks is trained."""

    steps: int = Field(1000, gt=0, le=10_000_000, description="Optimizer steps in all.")
    batch: int = Field(32, gt=0, le=65_536, description="Windows a step, over all processes.")
    accumulate: int = Field(1, gt=0, le=1024, description="Parts that a process takes its share of a batch in.")
    learning_rate: float | None = Field(
        None, gt=0, le=0.1, description="Highest learning rate; none chooses one by the amount of data."
    )
    schedule: Literal["onecycle", "cosine", "trapezoid"] = Field(
        "onecycle",
        description="Warm-up, then: a cosine to a thousandth, momentum the other way (one-cycle); a cosine to a tenth; "
        "or a plateau and a linear fall to zero (trapezoid).",
    )
    warmup: float = Field(0.1, ge=0, lt=1, description="Share of the steps over which the rate rises.")
    decay: float = Field(0.4, ge=0, le=1, description="With `trapezoid`: share of the steps over which it falls.")
    betas: tuple[float, float] = Field((0.9, 0.95), description="AdamW's decay of the two moments.")
    muon_rate: float | None = Field(
        None, gt=0, le=1, description="Highest rate of Muon, for matrices inside blocks; none leaves all to AdamW."
    )
    weight_decay: float = Field(0.1, ge=0, lt=10, description="AdamW's weight decay of matrices; vectors have none.")
    clip: float = Field(1.0, gt=0, description="Largest gradient norm.")
    ema: float = Field(0.0, ge=0, lt=1, description="Decay of a moving average of the weights; 0 keeps none.")
    patience: int = Field(0, ge=0, description="Validations without improvement after which it ends; 0 never does.")
    validate_every: int = Field(100, gt=0, description="Steps between two validations.")
    validation_windows: int = Field(256, gt=0, description="Windows of a validation, the same ones every time.")
    checkpoint_every: int = Field(100, gt=0, description="Steps between two checkpoints to resume from.")
    log_every: int = Field(10, gt=0, description="Steps between two lines of the log.")

    @model_validator(mode="after")
    def _batch_divides(self) -> Self:
        if self.batch < self.accumulate:
            raise ValueError(f"batch={self.batch} has fewer windows than accumulate={self.accumulate} parts.")
        if not all(0 <= beta < 1 for beta in self.betas):
            raise ValueError(f"betas={list(self.betas)} must lie between 0 and 1.")
        return self


class ReconstructionConfig(Section):
    """What the tokenizer's loss weighs; as it stands, the paper's: every value of a candle alike."""

    weights: tuple[float, float, float, float, float, float] = Field(
        (1.0, 1.0, 1.0, 1.0, 1.0, 1.0),
        description="Weights of the errors of open, high, low, close, volume and amount; only their ratios matter.",
    )
    coarse: float = Field(
        1.0, gt=0, le=10, description="Weight of what the coarse token alone reconstructs, that of both being 1."
    )
    moves: float = Field(
        0.0,
        ge=0,
        le=10,
        description="Weight of the error of moves from the close before, in units of the variance of those around it.",
    )
    shape: float = Field(
        0.0,
        ge=0,
        le=10,
        description="Weight of what high, low and volume lack to be possible, prices in units of a window's moves.",
    )
    bits: float = Field(
        0.0,
        ge=0,
        le=10,
        description="Weight of the squared correlations of bits: codes are used up where there are few.",
    )

    @model_validator(mode="after")
    def _something_weighs(self) -> Self:
        if min(self.weights) < 0 or not sum(self.weights):
            raise ValueError(f"weights={list(self.weights)} must not be negative, and one must be above 0.")
        return self


class JudgeConfig(Section):
    """Forecasts on validation cutoffs, beside the base model's and the baselines'."""

    cutoffs: int = Field(32, ge=0, le=10_000, description="Cutoffs forecast while training; 0 leaves it out.")
    final_cutoffs: int = Field(200, ge=0, le=100_000, description="Cutoffs of the final scores; 0 leaves them out.")
    samples: int = Field(50, ge=2, le=1000, description="Paths a forecast.")
    every: int = Field(0, ge=0, description="Steps between two such looks; 0: four over the predictor's training.")
    temperature: float = Field(1.0, gt=0, le=10, description="Sampling temperature.")
    top_p: float = Field(1.0, gt=0, le=1, description="Sampling top-p.")


class MachineConfig(Section):
    """What it runs on; changes speed and memory, not what is computed beyond rounding."""

    device: str | None = Field(None, description="`cpu`, `cuda`, `mps`; none takes the fastest there is.")
    precision: Literal["float32", "bfloat16"] = Field("float32", description="Of the forward pass; weights stay whole.")
    compile: bool = Field(False, description="Compile the network first: a minute of waiting, then faster steps.")
    checkpoint_activations: bool = Field(
        False, description="Compute activations twice instead of keeping them: less memory, slower."
    )
    threads: int | None = Field(None, gt=0, le=1024, description="CPU threads of a process; none takes all.")
    processes: int = Field(1, ge=1, le=64, description="Processes on this machine, started by torchrun.")


class TrackConfig(Section):
    """Where figures go besides `log.jsonl`; services outside are used only where named here."""

    tensorboard: bool = Field(True, description="Write TensorBoard event files.")
    mlflow_uri: str | None = Field(None, description="Address of an MLflow tracking server.")
    comet_project: str | None = Field(None, description="Comet project; the key is read from COMET_API_KEY.")


class RunConfig(Section):
    """Everything a run depends on: the same config and data give the same losses."""

    name: str = Field("run", pattern=r"^[A-Za-z0-9][A-Za-z0-9 ._-]{0,59}$", description="Name of the run.")
    seed: int = Field(0, ge=0, le=2**31 - 1, description="Seed of weights, windows and dropout.")
    data: Data = Field(description="Where candles come from.")
    split: SplitConfig = Field(default_factory=SplitConfig, description="Which candles serve for what.")
    window: WindowConfig = Field(default_factory=WindowConfig, description="What is learned from.")
    base: BaseConfig = Field(default_factory=BaseConfig, description="What training begins with.")
    method: MethodConfig = Field(default_factory=MethodConfig, description="Which parameters are trained.")
    tokenizer: StageConfig | None = Field(None, description="Training of the tokenizer; none leaves it as it is.")
    reconstruction: ReconstructionConfig = Field(
        default_factory=ReconstructionConfig, description="What the tokenizer's loss weighs."
    )
    predictor: StageConfig | None = Field(
        default_factory=StageConfig, description="Training of the predictor; none leaves it as it is."
    )
    judge: JudgeConfig = Field(default_factory=JudgeConfig, description="Forecasts that judge it.")
    machine: MachineConfig = Field(default_factory=MachineConfig, description="What it runs on.")
    track: TrackConfig = Field(default_factory=TrackConfig, description="Where figures go.")

    @model_validator(mode="after")
    def _something_is_trained(self) -> Self:
        if self.tokenizer is None and self.predictor is None:
            raise ValueError("name at least one of the stages tokenizer and predictor.")
        return self

    def stage(self, name: StageName) -> StageConfig:
        """Return the settings of a stage that is trained."""
        stage: StageConfig | None = getattr(self, name)
        assert stage is not None, f"{name} is not trained"
        return stage

    @property
    def stages(self) -> tuple[StageName, ...]:
        """Return what is trained, in order."""
        return tuple(name for name in STAGES if getattr(self, name) is not None)

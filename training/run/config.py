"""The settings of a run: one pydantic model for the YAML file, the command line, the form and the API.

Each setting is explained beside its field and checked when the config is built; `config_file.py` reads and writes YAML.
"""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Annotated, Any, Literal, Self, get_args

from pydantic import BaseModel, ConfigDict, Field, NaiveDatetime, ValidationInfo, field_validator, model_validator
from pydantic_core import PydanticCustomError

StageName = Literal["tokenizer", "predictor"]
STAGES: tuple[StageName, ...] = ("tokenizer", "predictor")
SplitName = Literal["train", "validation", "test"]
SPLITS: tuple[SplitName, ...] = ("train", "validation", "test")
Range = tuple[NaiveDatetime | None, NaiveDatetime | None]
Fraction = Annotated[float, Field(ge=0, le=1)]
Half = Annotated[float, Field(ge=0, le=0.5)]
Weight = Annotated[float, Field(ge=0, le=10)]


class Section(BaseModel):
    """A group of settings: immutable, and without unknown fields."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class NumberSection(Section):
    """A group of settings with numbers, which true and false are not."""

    @field_validator("*", mode="before")
    @classmethod
    def _refuse_true_for_a_number(cls, value: Any, info: ValidationInfo) -> Any:
        annotation = cls.model_fields[str(info.field_name)].annotation
        if isinstance(value, bool) and {int, float} & {annotation, *get_args(annotation)}:
            raise PydanticCustomError("float_type", "Input should be a number")
        return value


class FileData(Section):
    """CSV or Parquet files with the columns timestamp, open, high, low, close, optionally volume, amount and symbol."""

    source: Literal["files"] = "files"
    paths: list[str] = Field(min_length=1, description="Files, folders, or patterns such as `data/*/*.parquet`.")
    origin: str = Field("", description="Origin of the candles, in words, for the model card.")


class StoreData(Section):
    """Series of a Kronos Desk candle store."""

    source: Literal["store"]
    url: str = Field(description="SQLAlchemy URL of the store, as in KRONOS_DATABASE_URL.")
    symbols: list[str] = Field(default_factory=list, description="Symbols to use; none uses all.")
    watchlist: str | None = Field(None, description="A watchlist whose series to use.")
    interval: str | None = Field(None, description="Interval to use, such as `1d`; none uses all.")


class QlibData(Section):
    """Instruments of a folder in Qlib's layout, read by Qlib."""

    source: Literal["qlib"]
    folder: str = Field(description="Qlib's `provider_uri`.")
    market: str = Field("all", description="Instrument set, such as `csi300`.")
    frequency: str = Field("day", description="Qlib's name of the interval: `day`, `1min`, ...")
    start: NaiveDatetime | None = Field(None, description="First time to read; none starts with the calendar.")
    end: NaiveDatetime | None = Field(None, description="Last time to read; none ends with the calendar.")
    members_only: bool = Field(True, description="Use only the days on which an instrument belonged to the set.")


Data = Annotated[FileData | StoreData | QlibData, Field(discriminator="source")]


class SplitConfig(NumberSection):
    """The train, validation and test split."""

    by: Literal["time", "column"] = Field("time", description="By time, or by the column `split` of the data.")
    train: Range | None = Field(None, description="First and last time of the training split; none uses `fractions`.")
    validation: Range | None = Field(None, description="First and last time of the split that selects the checkpoint.")
    test: Range | None = Field(None, description="First and last time of the held-out test set.")
    fractions: tuple[float, float, float] = Field(
        (0.8, 0.1, 0.1), description="Fractions of the splits, without ranges."
    )
    embargo: int | None = Field(
        None, ge=0, description="Embargo between two splits, at least one window (the default)."
    )
    tail: Half = Field(0.0, description="By column: last fraction of each group's `train` candles, used as test set.")
    holdout_symbols: Half = Field(0.0, description="Fraction of the symbols kept out of training, for validation.")

    @model_validator(mode="after")
    def _check_ranges(self) -> Self:
        ranges = {name: getattr(self, name) for name in SPLITS if getattr(self, name) is not None}
        if ranges and not {"train", "validation"} <= ranges.keys():
            raise ValueError("give a range for both train and validation, or for none of the three.")
        for name, (first, last) in ranges.items():
            if first is not None and last is not None and first >= last:
                raise ValueError(f"{name} begins at {first} and ends at {last}: the first must come before the last.")
        for (name, (_, last)), (following, (first, _)) in pairwise(ranges.items()):
            if last is None or first is None or last >= first:
                raise ValueError(f"{name} ends at {last} and {following} begins at {first}: ranges must not overlap.")
        if not ranges and (min(self.fractions) < 0 or not math.isclose(sum(self.fractions), 1.0, abs_tol=1e-6)):
            raise ValueError(f"fractions={list(self.fractions)} must not be negative and must add up to 1.")
        return self


class WindowConfig(NumberSection):
    """The windows of candles that the networks learn from."""

    lookback: int = Field(90, ge=8, le=8192, description="Candles of history, whose statistics normalize the window.")
    horizon: int = Field(10, ge=1, le=4096, description="Candles after the longest history.")
    lookback_min: int | None = Field(None, ge=2, description="Shortest random history; none is a third of `lookback`.")
    stride: int = Field(1, ge=1, description="Candles between the starts of two windows.")
    balance: Fraction = Field(0.5, description="A market's sampling weight is its number of windows to this power.")
    volume_dropout: float = Field(0.0, ge=0, lt=1, description="Fraction of windows without volume and amount.")
    mirrored: Fraction = Field(0.0, description="Fraction of windows mirrored in log price: rises become falls.")
    turning: Fraction = Field(0.0, description="Fraction of windows with random changes of direction, hence no drift.")
    moved: Fraction = Field(0.0, description="Fraction of windows moved by whole weeks, against memorizing dates.")
    cache_tokens: bool = Field(True, description="Store each window's tokens on disk, so that each is encoded once.")

    @property
    def size(self) -> int:
        """Return the candles of a window."""
        return self.lookback + self.horizon

    @property
    def shortest(self) -> int:
        """Return the candles of the shortest history."""
        return max(2, self.lookback // 3) if self.lookback_min is None else self.lookback_min

    @model_validator(mode="after")
    def _check_history(self) -> Self:
        if self.shortest > self.lookback:
            raise ValueError(f"lookback_min={self.lookback_min} must not exceed lookback={self.lookback}.")
        return self


class BaseConfig(Section):
    """The networks that training starts from."""

    model: str | None = Field(
        "kronos-nano", description="Registry name, Hub id or folder of the predictor; none: `shape`."
    )
    tokenizer: str | None = Field(None, description="Hub id or folder, if the registry does not know the model's.")
    revision: str | None = Field(None, description="Branch, tag or commit of the model on the Hub.")
    shape: dict[str, Any] | None = Field(None, description="`config.json` of a predictor from scratch.")
    tokenizer_shape: dict[str, Any] | None = Field(None, description="`config.json` of a tokenizer from scratch.")
    by_bits: bool = Field(False, description="With `shape`: initialize codes that share bits alike.")
    shared_deviation: bool | None = Field(None, description="Divide prices by the close's deviation; none: as stored.")
    trained_until: NaiveDatetime | None = Field(None, description="Last candle of the base model's training data.")

    @model_validator(mode="after")
    def _check_start(self) -> Self:
        if self.model is None and self.shape is None:
            raise ValueError("name a base model, or give the shape of one to train from scratch.")
        return self

    def from_scratch(self, stage: StageName) -> bool:
        """Return whether a stage starts from random weights; a shape takes precedence over a name."""
        return (self.tokenizer_shape if stage == "tokenizer" else self.shape) is not None


class LoraConfig(NumberSection):
    """Low-rank adapters beside frozen weights (arXiv:2106.09685)."""

    rank: int = Field(8, ge=1, le=256, description="Rank of the adapters.")
    alpha: float = Field(16.0, gt=0, description="Adapters are scaled by alpha / rank.")
    dropout: float = Field(0.0, ge=0, lt=1, description="Dropout before the adapters.")
    targets: list[str] = Field(
        default_factory=lambda: ["q_proj", "k_proj", "v_proj", "out_proj"],
        min_length=1,
        description="Linear layers that get adapters, by the end of their names.",
    )


class MethodConfig(NumberSection):
    """Which parameters are trained."""

    kind: Literal["full", "frozen", "lora"] = Field(
        "full", description="All parameters; all but the lowest layers; or adapters beside frozen weights."
    )
    frozen_layers: int = Field(0, ge=0, description="With `frozen`: frozen lowest blocks, besides the embeddings.")
    lora: LoraConfig = Field(default_factory=LoraConfig, description="With `lora`: the adapters.")

    @model_validator(mode="after")
    def _check_frozen_layers(self) -> Self:
        if self.kind == "frozen" and not self.frozen_layers:
            raise ValueError("method frozen needs frozen_layers, the number of frozen blocks.")
        return self


class StageConfig(NumberSection):
    """How one of the two networks is trained."""

    steps: int = Field(1000, gt=0, le=10_000_000, description="Optimizer steps.")
    batch: int = Field(32, gt=0, le=65_536, description="Batch size in windows, over all processes.")
    accumulate: int = Field(1, gt=0, le=1024, description="Gradient accumulation: parts of a process's batch.")
    learning_rate: float | None = Field(
        None, gt=0, le=0.1, description="Peak learning rate; none: by number of windows."
    )
    schedule: Literal["onecycle", "cosine", "trapezoid"] = Field(
        "onecycle",
        description="After warm-up: cosine to a thousandth with inverse momentum (one-cycle); cosine to a tenth; or a "
        "plateau and linear decay to zero (trapezoid).",
    )
    warmup: float = Field(0.1, ge=0, lt=1, description="Fraction of the steps in which the rate rises.")
    decay: Fraction = Field(0.4, description="With `trapezoid`: fraction of the steps in which the rate falls.")
    betas: tuple[float, float] = Field((0.9, 0.95), description="Betas of AdamW.")
    muon_rate: float | None = Field(None, gt=0, le=1, description="Peak rate of Muon, for matrices; none: AdamW only.")
    weight_decay: float = Field(0.1, ge=0, lt=10, description="AdamW's weight decay of matrices; vectors have none.")
    clip: float = Field(1.0, gt=0, description="Gradient clipping: largest norm.")
    ema: float = Field(0.0, ge=0, lt=1, description="Decay of the weight averaging (EMA); 0 turns it off.")
    patience: int = Field(0, ge=0, description="Validations without improvement until early stopping; 0 never stops.")
    validate_every: int = Field(100, gt=0, description="Steps between two validations.")
    validation_windows: int = Field(256, gt=0, description="Windows of a validation, always the same ones.")
    checkpoint_every: int = Field(100, gt=0, description="Steps between two checkpoints to resume from.")
    log_every: int = Field(10, gt=0, description="Steps between two lines of the log.")

    @model_validator(mode="after")
    def _check_batch_and_betas(self) -> Self:
        if self.batch < self.accumulate:
            raise ValueError(f"batch={self.batch} has fewer windows than accumulate={self.accumulate} parts.")
        if not all(0 <= beta < 1 for beta in self.betas):
            raise ValueError(f"betas={list(self.betas)} must lie between 0 and 1.")
        return self


class ReconstructionConfig(NumberSection):
    """Weights of the tokenizer's loss; the defaults are the paper's."""

    weights: tuple[float, float, float, float, float, float] = Field(
        (1.0, 1.0, 1.0, 1.0, 1.0, 1.0),
        description="Weights of the errors of open, high, low, close, volume and amount; only their ratios matter.",
    )
    coarse: float = Field(1.0, gt=0, le=10, description="Weight of the reconstruction from the coarse token alone.")
    moves: Weight = Field(0.0, description="Weight of close-to-close move errors, in units of the local variance.")
    shape: Weight = Field(0.0, description="Weight of violations of valid candles by decoded high, low and volume.")
    bits: Weight = Field(0.0, description="Weight of squared correlations of bits, so that more codes are used.")

    @model_validator(mode="after")
    def _check_weights(self) -> Self:
        if min(self.weights) < 0 or not sum(self.weights):
            raise ValueError(f"weights={list(self.weights)} must not be negative, and one must be above 0.")
        return self


class JudgeConfig(NumberSection):
    """Forecasts that compare the model with its base model and the baselines."""

    cutoffs: int = Field(32, ge=0, le=10_000, description="Validation cutoffs forecast during training; 0: none.")
    final_cutoffs: int = Field(200, ge=0, le=100_000, description="Cutoffs of the final scores; 0: no final scores.")
    samples: int = Field(50, ge=2, le=1000, description="Paths per forecast.")
    every: int = Field(0, ge=0, description="Steps between forecasts during training; 0 makes four in all.")
    temperature: float = Field(1.0, gt=0, le=10, description="Sampling temperature.")
    top_p: float = Field(1.0, gt=0, le=1, description="Sampling top-p.")


class MachineConfig(NumberSection):
    """Where the run computes; affects speed and memory, and results only by rounding."""

    device: str | None = Field(None, description="`cpu`, `cuda`, `mps`; none selects the fastest available.")
    precision: Literal["float32", "bfloat16"] = Field("float32", description="Precision of the forward pass.")
    compile: bool = Field(False, description="Compile the network first: takes a minute, then steps are faster.")
    checkpoint_activations: bool = Field(False, description="Recompute activations: less memory, a third slower.")
    threads: int | None = Field(None, gt=0, le=1024, description="CPU threads per process; none uses all.")
    processes: int = Field(1, ge=1, le=64, description="Processes on this machine, started by torchrun.")


class TrackConfig(Section):
    """Trackers besides `log.jsonl`; external services are used only if named here."""

    tensorboard: bool = Field(True, description="Write TensorBoard event files.")
    mlflow_uri: str | None = Field(None, description="Address of an MLflow tracking server.")
    comet_project: str | None = Field(None, description="Comet project; the key is read from COMET_API_KEY.")


class RunConfig(NumberSection):
    """All settings of a run: the same config and data give the same losses."""

    name: str = Field("run", pattern=r"^[A-Za-z0-9][A-Za-z0-9 ._-]{0,59}$", description="Name of the run.")
    seed: int = Field(0, ge=0, le=2**31 - 1, description="Seed of weights, windows and dropout.")
    data: Data = Field(description="Source of the candles.")
    split: SplitConfig = Field(default_factory=SplitConfig, description="Train, validation and test split.")
    window: WindowConfig = Field(default_factory=WindowConfig, description="Training windows.")
    base: BaseConfig = Field(default_factory=BaseConfig, description="Networks that training starts from.")
    method: MethodConfig = Field(default_factory=MethodConfig, description="Parameters that are trained.")
    tokenizer: StageConfig | None = Field(None, description="Training of the tokenizer; none leaves it unchanged.")
    reconstruction: ReconstructionConfig = Field(
        default_factory=ReconstructionConfig, description="Weights of the tokenizer's loss."
    )
    predictor: StageConfig | None = Field(
        default_factory=StageConfig, description="Training of the predictor; none leaves it unchanged."
    )
    judge: JudgeConfig = Field(default_factory=JudgeConfig, description="Forecasts that score the model.")
    machine: MachineConfig = Field(default_factory=MachineConfig, description="Device, precision and processes.")
    track: TrackConfig = Field(default_factory=TrackConfig, description="Trackers besides `log.jsonl`.")

    @model_validator(mode="after")
    def _check_stages(self) -> Self:
        if not self.stages:
            raise ValueError("name at least one of the stages tokenizer and predictor.")
        return self

    def stage(self, name: StageName) -> StageConfig:
        """Return the settings of a stage that is trained."""
        stage: StageConfig | None = getattr(self, name)
        assert stage is not None, f"{name} is not trained"
        return stage

    @property
    def stages(self) -> tuple[StageName, ...]:
        """Return the stages that are trained, in order."""
        return tuple(name for name in STAGES if getattr(self, name) is not None)

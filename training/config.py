"""What a training run is made of. Each argument is documented beside its field and checked when built."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator


class TrainingConfig(BaseModel):
    """One stage of training; the same config and data give the same losses."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    stage: Literal["tokenizer", "predictor"] = Field(description="Which of the two networks is trained.")
    steps: int = Field(gt=0, description="Optimizer steps in all.")
    batch: int = Field(8, gt=0, description="Windows a step.")
    window: int = Field(512, ge=32, description="Candles a window.")
    prefix_min: int = Field(64, ge=8, description="Shortest history prefix a window is normalised by, in candles.")
    prefix_max: int = Field(400, description="Longest history prefix; what follows it is what the predictor learns.")
    learning_rate: float = Field(1e-3, gt=0, lt=1, description="Highest learning rate.")
    warmup: int = Field(100, ge=0, description="Steps of linear warm-up.")
    decay: float = Field(
        0.4, ge=0, le=1, description="Share of the steps, at the end, over which the rate falls to zero."
    )
    weight_decay: float = Field(0.1, ge=0, description="AdamW weight decay of matrices; vectors have none.")
    clip: float = Field(1.0, gt=0, description="Largest gradient norm.")
    volume_dropout: float = Field(0.1, ge=0, lt=1, description="Share of windows that lose volume and amount.")
    balance: float = Field(0.5, ge=0, le=1, description="Sampling weight of a market is its rows to this power.")
    seed: int = Field(0, ge=0, description="Seed of weights, windows and dropout.")
    validation_windows: int = Field(64, gt=0, description="Windows of the validation split, the same at every check.")
    validate_every: int = Field(250, gt=0, description="Steps between two validations, each with a checkpoint.")
    compile: bool = Field(
        False, description="Compile the network first: a minute of waiting, then 1.3 times the speed on a CPU."
    )
    log_every: int = Field(25, gt=0, description="Steps between two lines of the log.")

    @model_validator(mode="after")
    def _lengths_fit(self) -> TrainingConfig:
        if not self.prefix_min <= self.prefix_max < self.window:
            raise ValueError(
                f"prefix_min={self.prefix_min} <= prefix_max={self.prefix_max} < window={self.window} does not hold: "
                "each window needs a history and candles after it."
            )
        return self

    def rate(self, step: int) -> float:
        """Return the learning rate at `step`: warm-up, plateau, then a linear fall (arXiv:2405.18392)."""
        up = min(1.0, (step + 1) / self.warmup) if self.warmup else 1.0
        falling = self.steps * self.decay
        down = min(1.0, (self.steps - step) / falling) if falling else 1.0
        return self.learning_rate * up * down


class Recipe(BaseModel):
    """What a recipe file holds: fields of `TrainingConfig`, and the network's `config.json`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    training: dict[str, Any]
    model: dict[str, Any]

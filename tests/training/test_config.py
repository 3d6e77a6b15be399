"""Settings of a run are checked when they are read, and name the field at fault."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from engine.config import ModelConfig, TokenizerConfig
from training.config import TrainingConfig

RECIPES = sorted((Path(__file__).parents[2] / "training" / "recipes").glob("*.json"))


def test_defaults_are_kept() -> None:
    assert TrainingConfig(stage="tokenizer", steps=1).model_dump() == {
        "stage": "tokenizer",
        "steps": 1,
        "batch": 8,
        "window": 512,
        "prefix_min": 64,
        "prefix_max": 400,
        "learning_rate": 1e-3,
        "warmup": 100,
        "decay": 0.4,
        "weight_decay": 0.1,
        "clip": 1.0,
        "volume_dropout": 0.1,
        "balance": 0.5,
        "seed": 0,
        "validation_windows": 64,
        "validate_every": 250,
        "compile": False,
        "log_every": 25,
    }


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("stage", "both"),
        ("steps", 0),
        ("batch", -1),
        ("window", 8),
        ("learning_rate", 0),
        ("learning_rate", "fast"),
        ("decay", 1.5),
        ("volume_dropout", 1.0),
        ("validation_windows", 0),
        ("learning_rat", 1e-3),
    ],
)
def test_a_wrong_field_is_named(field: str, value: Any) -> None:
    with pytest.raises(ValidationError) as error:
        TrainingConfig.model_validate({"stage": "tokenizer", "steps": 5, field: value})
    assert error.value.errors()[0]["loc"] == (field,)


@pytest.mark.parametrize("lengths", [{"prefix_max": 512}, {"prefix_min": 300, "prefix_max": 200}, {"window": 100}])
def test_prefix_and_window_must_fit_together(lengths: dict[str, int]) -> None:
    with pytest.raises(ValidationError, match="each window needs a history and candles after it"):
        TrainingConfig(stage="predictor", steps=5, **lengths)


def test_the_rate_warms_up_holds_and_falls() -> None:
    config = TrainingConfig(stage="tokenizer", steps=100, learning_rate=0.1, warmup=10, decay=0.4)
    assert [config.rate(step) for step in (0, 4, 9, 30, 60)] == pytest.approx([0.01, 0.05, 0.1, 0.1, 0.1])
    assert config.rate(80) == pytest.approx(0.05)
    assert 0 < config.rate(99) < 0.01
    flat = TrainingConfig(stage="tokenizer", steps=100, learning_rate=0.1, warmup=0, decay=0)
    assert flat.rate(0) == flat.rate(99) == 0.1


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_every_recipe_is_valid(path: Path) -> None:
    recipe = json.loads(path.read_text())
    config = TrainingConfig.model_validate(recipe["training"])
    (TokenizerConfig if config.stage == "tokenizer" else ModelConfig)(**recipe["model"])

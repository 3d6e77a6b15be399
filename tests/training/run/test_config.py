"""Settings of a run are checked when they are read, and name the field at fault."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from training.run.config import RunConfig, Section, StageConfig

DATA = {"source": "files", "paths": ["candles"]}


def config(**fields: Any) -> RunConfig:
    return RunConfig.model_validate({"data": DATA, **fields})


def sections(section: Section) -> list[Section]:
    inner = [getattr(section, name) for name in type(section).model_fields]
    return [section, *(part for one in inner if isinstance(one, Section) for part in sections(one))]


def test_the_defaults_are_those_that_the_documents_name() -> None:
    kept = config()
    assert (kept.window.lookback, kept.window.horizon, kept.window.size, kept.window.shortest) == (90, 10, 100, 30)
    assert kept.split.fractions == (0.8, 0.1, 0.1)
    assert kept.split.embargo is None
    assert kept.base.model == "kronos-nano"
    assert kept.method.kind == "full"
    assert kept.stages == ("predictor",)
    stage = kept.stage("predictor")
    assert (stage.betas, stage.weight_decay, stage.clip, stage.ema) == ((0.9, 0.95), 0.1, 1.0, 0.0)
    assert (stage.schedule, stage.learning_rate, stage.accumulate) == ("onecycle", None, 1)


def test_every_field_says_what_it_is_for() -> None:
    stages = {name: StageConfig().model_dump() for name in ("tokenizer", "predictor")}
    for section in sections(config(**stages)):
        lacking = [name for name, field in type(section).model_fields.items() if not field.description]
        assert lacking in ([], ["source"])


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("predictor.steps", 0),
        ("predictor.batch", -1),
        ("predictor.learning_rate", 0),
        ("predictor.learning_rate", 10),
        ("predictor.learning_rate", float("nan")),
        ("predictor.schedule", "linear"),
        ("predictor.betas", [0.9, 1.0]),
        ("predictor.accumulate", 33),
        ("machine.threads", 1025),
        ("window.lookback", 7),
        ("window.lookback_min", 91),
        ("window.volume_dropout", 1.0),
        ("split.holdout_symbols", 0.9),
        ("split.fractions", [0.8, 0.3, -0.1]),
        ("split.fractions", [0.5, 0.1, 0.1]),
        ("method.kind", "frozen"),
        ("base.model", None),
        ("seed", -1),
        ("name", "../run"),
        ("name", "run\n"),
        ("split.train", ["2024-01-01", "2024-02-01"]),
        ("data.path", ["a"]),
    ],
)
def test_a_wrong_field_is_refused_where_it_stands(field: str, value: Any) -> None:
    section, _, name = field.rpartition(".")
    fields: dict[str, Any] = {"data": dict(DATA)}
    (fields.setdefault(section, {}) if section else fields)[name] = value
    with pytest.raises(ValidationError) as error:
        RunConfig.model_validate(fields)
    assert error.value.errors()[0]["loc"][0] == (section or name)


@pytest.mark.parametrize(
    ("train", "validation", "message"),
    [
        (["2024-02-01", "2024-01-01"], ["2024-03-01", None], "train begins at 2024-02-01 .* must come before"),
        ([None, "2024-02-01"], ["2024-01-15", None], "ranges must not overlap"),
        ([None, None], ["2024-01-15", None], "ranges must not overlap"),
        ([None, "2024-02-01"], None, "give a range for both train and validation"),
        ([None, "2024-02-01T00:00Z"], ["2024-03-01", None], "should not have timezone info"),
    ],
)
def test_ranges_that_are_reversed_or_overlap_are_refused(train: Any, validation: Any, message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        config(split={"train": train, "validation": validation})


def test_a_run_that_trains_nothing_is_refused() -> None:
    with pytest.raises(ValidationError, match="at least one of the stages"):
        config(predictor=None)

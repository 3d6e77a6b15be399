"""Config files: an error names file, line and field; what is written explains itself and reads back equal."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from training.errors import ConfigError, RunError
from training.run.config import RunConfig
from training.run.config_file import parse_config, read_config, read_saved_config, write_config

GOOD = """\
name: first
data:
  source: files
  paths: [a, b]
predictor:
  steps: 20
  learning_rate: 1e-5
"""


def save(folder: Path, text: str) -> Path:
    path = folder / "config.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_file_is_read(tmp_path: Path) -> None:
    config = read_config(save(tmp_path, GOOD))
    assert config.name == "first"
    assert config.stage("predictor").learning_rate == 1e-5
    assert config == parse_config(yaml.safe_load(GOOD))


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("1e-5", "10", "config.yaml, line 7: predictor.learning_rate is 10: it must be at most 0.1."),
        ("1e-5", "0", "config.yaml, line 7: predictor.learning_rate is 0: it must be greater than 0."),
        ("1e-5", ".nan", "config.yaml, line 7: predictor.learning_rate is nan: it must be at most 0.1."),
        ("20", "many", "config.yaml, line 6: predictor.steps is many: it must be a whole number."),
        ("20", "1.5", "config.yaml, line 6: predictor.steps is 1.5: it must be a whole number."),
        ("20", "true", "config.yaml, line 6: predictor.steps is true: it must be a number."),
        ("1e-5", "yes", "config.yaml, line 7: predictor.learning_rate is true: it must be a number."),
        ("steps", "stepps", "config.yaml, line 6: predictor.stepps is unknown: did you mean steps?"),
        ("  paths", "  pats", "config.yaml, line 4: data.pats is unknown: did you mean paths?"),
        ("  paths: [a, b]", "  zz: 1", "data.zz is unknown: there are source, paths, origin."),
        ("[a, b]", "a", "config.yaml, line 4: data.paths is a: it must be a list, such as [a, b]."),
        ("[a, b]", "[a, 600000]", "config.yaml, line 4: data.paths[1] is 600000: it must be text; write it in quotes."),
        ("[a, b]", "[]", "config.yaml, line 4: data.paths is []: it must be a list of 1 or more."),
        ("files", "tape", "config.yaml, line 3: data.source is tape: it must be one of files, store, qlib."),
        ("  source: files\n", "", "config.yaml, line 2: data.source is missing: it is one of files, store, qlib."),
        ("  paths: [a, b]\n", "", "config.yaml, line 2: data.paths is missing."),
        ("first", "a/b", "config.yaml, line 1: name is a/b: it must be letters, digits"),
        ("first", "x\nname: y", "config.yaml, line 2: name is given twice, first in line 1."),
        ("name: first", "split: {train: [2024-02-01, 2024-01-01], validation: [2024-03-01, null]}",
         "config.yaml, line 1: split: train begins at 2024-02-01 00:00:00 and ends at 2024-01-01 00:00:00"),
        ("name: first", "split:\n  train: [2024-02-01 00:00:00Z, null]",
         "it must be a time without zone: candles have their exchange's own."),
        ("name: first", "predictor: 5", "config.yaml, line 5: predictor is given twice, first in line 1."),
        ("name: first", "window: 5", "config.yaml, line 1: window is 5: it must be a section of fields."),
        ("name: first", "seed: [1", "config.yaml, line 2: this is not YAML: expected ',' or ']', but got ':'"),
        ("name: first", "seed: !!python/object:os.system {}", "config.yaml, line 1: this is not YAML: could not"),
        ("name: first", "\tname: first", "config.yaml, line 1: this is not YAML: found character '\\t'"),
    ],
)  # fmt: skip
def test_an_error_names_line_and_field(old: str, new: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as error:
        read_config(save(tmp_path, GOOD.replace(old, new, 1)))
    assert message in str(error.value)


@pytest.mark.parametrize("text", ["", "- a", "just words", "# nothing"])
def test_a_file_without_fields_is_refused(text: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"^config\.yaml, line 1: a config consists of fields"):
        read_config(save(tmp_path, text))


def test_every_problem_is_told_at_once(tmp_path: Path) -> None:
    text = GOOD.replace("20", "0").replace("1e-5", "10").replace("name", "nam")
    with pytest.raises(ConfigError) as error:
        read_config(save(tmp_path, text))
    assert str(error.value).splitlines() == [
        "config.yaml, line 6: predictor.steps is 0: it must be greater than 0.",
        "config.yaml, line 7: predictor.learning_rate is 10: it must be at most 0.1.",
        "config.yaml, line 1: nam is unknown: did you mean name?",
    ]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "cannot be read"),
        (b"name: \xff\xfe", "is not UTF-8 text"),
        (b"name: a\x00b", "is not YAML"),
        (b"#" * 1_000_001, "is too large for a config"),
        (b"[" * 100_000, "is not YAML"),
    ],
)
def test_a_file_that_is_no_text_is_refused(content: bytes | None, message: str, tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ConfigError, match=message):
        read_config(path)


def test_overrides_take_the_place_of_fields_and_make_sections(tmp_path: Path) -> None:
    wishes = ["predictor.steps=7", "tokenizer.batch=4", "data.paths=[c]", "base.model=null", "base.shape={d_model: 8}"]
    config = read_config(save(tmp_path, GOOD), wishes)
    assert config.stage("predictor").steps == 7
    assert config.stage("predictor").learning_rate == 1e-5
    assert config.stages == ("tokenizer", "predictor")
    assert config.model_dump()["data"]["paths"] == ["c"]
    assert config.base.shape == {"d_model": 8}


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("predictor.steps", "“predictor.steps” sets nothing: write FIELD=VALUE."),
        ("=3", "“=3” sets nothing"),
        ("predictor.steps=[1", "“predictor.steps=[1”: the value is not YAML."),
        ("predictor.steps=0", "“predictor.steps=0”: predictor.steps is 0: it must be greater than 0."),
        ("predictor.stepps=1", "“predictor.stepps=1”: predictor.stepps is unknown: did you mean steps?"),
        ("name.x=1", "“name.x=1”: name has no fields."),
        ("predictor=null", "config.yaml: name at least one of the stages tokenizer and predictor."),
    ],
)
def test_a_wrong_override_is_named(override: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as error:
        read_config(save(tmp_path, GOOD), [override])
    assert message in str(error.value)


def test_a_mapping_is_checked_without_lines() -> None:
    with pytest.raises(ConfigError, match=r"^data is missing\.$"):
        parse_config({})


times = st.none() | st.datetimes(datetime(1990, 1, 1), datetime(2050, 1, 1))
words = st.text(max_size=12)
files = st.fixed_dictionaries({"paths": st.lists(words, min_size=1, max_size=3), "origin": words})
store = st.fixed_dictionaries({"url": words, "symbols": st.lists(words, max_size=3), "watchlist": st.none() | words})
qlib = st.fixed_dictionaries({"folder": words, "market": words, "start": times, "end": times})
stages = st.fixed_dictionaries(
    {
        "steps": st.integers(1, 10**7),
        "learning_rate": st.none() | st.floats(1e-12, 0.1),
        "clip": st.floats(1e-6, allow_infinity=False, exclude_min=True),
        "schedule": st.sampled_from(["onecycle", "cosine", "trapezoid"]),
        "betas": st.tuples(st.floats(0, 0.99), st.floats(0, 0.99)),
    }
)
shapes = st.dictionaries(words, st.integers() | st.booleans() | words | st.floats(allow_nan=False), max_size=3)
configs = st.fixed_dictionaries(
    {
        "name": st.from_regex(r"\A[A-Za-z0-9][A-Za-z0-9 ._-]{0,59}\Z"),
        "data": st.one_of(
            files.map(lambda fields: {"source": "files", **fields}),
            store.map(lambda fields: {"source": "store", **fields}),
            qlib.map(lambda fields: {"source": "qlib", **fields}),
        ),
        "split": st.just({}) | st.just({"train": [None, "2020-01-01"], "validation": ["2020-02-01", None]}),
        "base": st.fixed_dictionaries({"model": words, "shape": st.none() | shapes, "trained_until": times}),
        "tokenizer": st.none() | stages,
        "predictor": stages,
    }
)


@given(fields=configs)
@example(fields={"data": {"source": "files", "paths": ["a\x85b"]}, "base": {"model": "\u2028"}})
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_what_is_written_reads_back_equal(fields: dict[str, Any], tmp_path: Path) -> None:
    config = RunConfig.model_validate(fields)
    write_config(config, tmp_path / "config.yaml")
    assert read_config(tmp_path / "config.yaml") == config


def test_every_field_is_written_with_what_it_means(config: RunConfig, tmp_path: Path) -> None:
    write_config(config, tmp_path / "config.yaml")
    text = (tmp_path / "config.yaml").read_text(encoding="utf-8")
    assert "# Seed of weights, windows and dropout.\nseed: 0\n" in text
    assert "  # Optimizer steps.\n  steps: 6\n" in text
    assert max(len(line) for line in text.splitlines() if line.lstrip().startswith("#")) <= 120


def test_a_folder_that_takes_no_file_is_told(config: RunConfig, tmp_path: Path) -> None:
    with pytest.raises(RunError, match="cannot be written to"):
        write_config(config, tmp_path / "absent" / "config.yaml")


def test_a_saved_config_may_have_unknown_fields_but_no_wrong_ones(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    assert read_saved_config(save(tmp_path, GOOD + "mood: good\n")) == read_config(save(tmp_path, GOOD))
    assert "mood" in caplog.text
    with pytest.raises(ConfigError, match="seed"):
        read_saved_config(save(tmp_path, GOOD + "mood: good\nseed: many\n"))

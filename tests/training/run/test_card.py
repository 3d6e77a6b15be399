"""The model card tells what was learned from, how, and first of all whether it got better."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from datetime import date
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest
import yaml
from markdown_it import MarkdownIt

from engine.config import UNPUBLISHED_NOTE
from tests.training.conftest import candles, corpus_of
from training.errors import message
from training.fit.building import build_base
from training.fit.corpus import Corpus
from training.run.card import Facts, model_card, tokenizer_card
from training.run.card_data import last_training_day
from training.run.config import RunConfig
from training.run.folder import RunFolder

FACTS = Facts("candles", 512, 2_811_200, "2024-05-01", "kronos-nano", "ab" * 32, "cd" * 32)
PROVENANCE = {"code": "12" * 32, "data": "34" * 32, "seed": 7, "packages": {"torch": "2.13.0"}}


def judgement(*, worse: bool = False, base: bool = True) -> dict[str, Any]:
    """Return what a report holds for a split."""
    figure = {"value": 0.5, "low": 0.4, "high": 0.6}
    figures = {"crps": figure, "coverage_50": figure, "coverage_80": figure, "coverage_90": figure}
    figures["rank_ic"] = {"value": None, "low": None, "high": None}
    verdict = message("Fine-tuning made it {how}.", how="worse" if worse else "better")
    return {
        "cutoffs": 40,
        "times": 20,
        "symbols": 2,
        "lookback": 20,
        "horizon": 12,
        "samples": 8,
        "rank_ic_over": "symbols",
        "best_baseline": "ewma",
        "estimates": dict.fromkeys(("tuned", "base", "ewma"), figures),
        "to_base": {"value": 1.2, "low": 1.1, "high": 1.3} if base else None,
        "to_baseline": {"value": 1.05, "low": None, "high": None},
        "verdict": verdict.to_dict(),
        "against_baselines": message("No better than EWMA.").to_dict(),
        "worse": worse,
        "notes": [message("One cutoff only.").to_dict()],
    }


@pytest.fixture
def run(tmp_path: Path, config: RunConfig) -> RunFolder:
    rows = [
        {"step": 1, "seconds": 60.0, "loss": 3.0, "learning_rate": 4e-5},
        {"step": 3, "seconds": 90.0, "validation_loss": 2.25},
        {"step": 6, "seconds": 120.0, "validation_loss": 2.5},
    ]
    for stage in config.stages:
        folder = tmp_path / "run" / stage
        folder.mkdir(parents=True)
        (folder / "log.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return RunFolder(tmp_path / "run")


def card(run: RunFolder, config: RunConfig, corpus: Corpus, report: dict[str, Any] | None = None) -> str:
    return model_card(run, config, FACTS, corpus, PROVENANCE, report)


def head(text: str) -> dict[str, Any]:
    _, front, _ = text.split("---\n", 2)
    found: dict[str, Any] = yaml.safe_load(front)
    return found


def on(config: RunConfig, **base: Any) -> RunConfig:
    return RunConfig.model_validate(config.model_dump() | {"base": base})


def test_worse_is_said_before_anything_else(run: RunFolder, config: RunConfig, corpus: Corpus) -> None:
    text = card(run, config, corpus, {"validation": judgement(worse=True), "test": None})
    body = text.split("# candles\n\n")[1]
    assert body.startswith("**Worse than its base model.**")
    assert "On the validation split: Fine-tuning made it worse. No better than EWMA." in body
    assert "Worse than" not in card(run, config, corpus, {"validation": judgement(), "test": None})


def test_the_test_split_comes_first(run: RunFolder, config: RunConfig, corpus: Corpus) -> None:
    text = card(run, config, corpus, {"validation": judgement(), "test": judgement()})
    assert text.index("On the test split") < text.index("On the validation split")
    assert text.index("## Scores on the test split") < text.index("## Scores on the validation split")


def test_scores_stand_beside_base_and_baselines_with_their_intervals(
    run: RunFolder, config: RunConfig, corpus: Corpus
) -> None:
    text = card(run, config, corpus, {"validation": judgement(), "test": None})
    for name in ("tuned", "base", "ewma"):
        assert f"| {name} | " + "0.500 [0.400, 0.600] | " * 4 + "– |" in text
    assert "CRPS ÷ base model: 1.200 [1.100, 1.300]" in text
    assert "CRPS ÷ best baseline (ewma): 1.050\n" in text
    assert "- One cutoff only." in text


def test_a_run_that_was_not_judged_says_so(run: RunFolder, config: RunConfig, corpus: Corpus) -> None:
    assert "**Not scored**" in card(run, config, corpus)


def test_a_run_from_scratch_is_compared_with_baselines_alone(run: RunFolder, config: RunConfig, corpus: Corpus) -> None:
    text = card(run, config, corpus, {"validation": judgement(base=False), "test": None})
    assert "÷ base model" not in text
    assert "none: trained from scratch" in text


def test_candles_are_told_by_group_and_split(run: RunFolder, config: RunConfig, corpus: Corpus) -> None:
    text = card(run, config, corpus)
    # Two symbols of 900 hours: 900 - 32 + 1 windows each, from the first of January on.
    assert "| crypto/1h | train | A, B | 1,800 | 1,738 | 2024-01-01 | 2024-02-07 |" in text
    assert "| stocks/1h | validation | A, B | 200 | 138 | 2024-01-14 | 2024-01-18 |" in text


def test_the_card_says_until_when_the_run_learned_and_on_what_its_checkpoint_was_chosen(
    run: RunFolder, config: RunConfig, corpus: Corpus
) -> None:
    text = card(run, config, corpus)
    assert "| trained by this run on candles from | 2024-01-01 to 2024-02-07 11:00 |" in text
    chosen = "checkpoint chosen, by the lowest validation loss, on candles from"
    # Stocks begin at hour 332 of the year; coins end after hour 1031.
    assert f"| {chosen} | 2024-01-14 20:00 to 2024-02-12 23:00 |" in text
    assert "held out" not in text, "there is no test split"
    assert "| trained on candles until, with its base model where that is known | 2024-05-01 |" in text


def test_many_symbols_are_counted_after_the_first_few(run: RunFolder, config: RunConfig) -> None:
    corpus = corpus_of(*[("crypto/1h", candles(name, 40, seed=1), "train") for name in "ABCDEFGH"])
    assert "| A, B, C, D, E and 3 more |" in card(run, config, corpus)


def test_training_is_told_by_stage(run: RunFolder, config: RunConfig, corpus: Corpus) -> None:
    text = card(run, config, corpus)
    assert "|  | tokenizer | predictor |" in text
    assert "| lowest validation loss | 2.2500 at step 3 | 2.2500 at step 3 |" in text
    assert "| minutes | 2.0 | 2.0 |" in text
    assert "| peak learning rate | 4e-05 | 4e-05 |" in text


def test_what_the_run_noted_is_passed_on(run: RunFolder, config: RunConfig, corpus: Corpus) -> None:
    run.write_status(state="finished", notes=[message("{n} windows overlap.", n=3)])
    assert "- 3 windows overlap." in card(run, config, corpus)


def test_code_candles_seed_and_settings_are_named(run: RunFolder, config: RunConfig, corpus: Corpus) -> None:
    text = card(run, config.model_copy(update={"seed": 7}), corpus)
    assert f"| code | `{'12' * 8}` |" in text
    assert f"| candles | `{'34' * 8}` |" in text
    assert "| seed | 7 |" in text
    assert "torch 2.13.0" in text
    assert "lookback_min: 8" in text


def test_no_folder_server_or_password_is_published(run: RunFolder, config: RunConfig, corpus: Corpus) -> None:
    values = config.model_dump() | {
        "data": {"source": "store", "url": "postgresql://desk:hush@db/desk"},
        "track": {"mlflow_uri": "http://tracker.internal"},
    }
    text = card(run, RunConfig.model_validate(values), corpus)
    assert "hush" not in text
    assert "tracker.internal" not in text
    assert str(run.path) not in text


@pytest.mark.parametrize(
    ("method", "told"),
    [
        ({"kind": "full"}, "every parameter trained"),
        ({"kind": "frozen", "frozen_layers": 3}, "the 3 lowest blocks and the embeddings frozen"),
        ({"kind": "lora", "lora": {"rank": 4, "targets": ["q_proj"]}}, r"LoRA, rank 4, alpha 16, on q\_proj"),
    ],
)
def test_the_method_is_named(
    run: RunFolder, config: RunConfig, corpus: Corpus, method: dict[str, Any], told: str
) -> None:
    assert told in card(run, RunConfig.model_validate(config.model_dump() | {"method": method}), corpus)


def test_the_front_matter_names_a_base_that_the_hub_has(run: RunFolder, config: RunConfig, corpus: Corpus) -> None:
    small = head(card(run, on(config, model="kronos-small"), corpus))
    assert (small["base_model"], small["license"]) == ("NeoQuasar/Kronos-small", "mit")
    nano = head(card(run, on(config, model="kronos-nano"), corpus))
    assert "base_model" not in nano
    scratch = head(card(run, config, corpus))
    assert not {"base_model", "license"} & scratch.keys()
    assert "base_model" not in head(card(run, on(config, model=str(run.path)), corpus))


def test_the_tokenizers_card_leads_to_the_model() -> None:
    text = tokenizer_card(FACTS, "acme/tuned")
    assert head(text)["library_name"] == "kronos"
    assert "(https://huggingface.co/acme/tuned)" in text


def test_both_cards_say_where_the_published_package_forecasts_otherwise(
    run: RunFolder, config: RunConfig, corpus: Corpus
) -> None:
    shared = model_card(run, config, FACTS, corpus, PROVENANCE, None, shared_deviation=True)
    assert UNPUBLISHED_NOTE in shared
    assert "loads both folders, too" not in shared
    assert UNPUBLISHED_NOTE not in card(run, config, corpus)
    assert UNPUBLISHED_NOTE in tokenizer_card(FACTS, "acme/tuned", shared_deviation=True)
    assert UNPUBLISHED_NOTE not in tokenizer_card(FACTS, "acme/tuned")


def test_training_ends_with_the_last_candle_learned_from_by_run_or_base(config: RunConfig, corpus: Corpus) -> None:
    base = build_base(config)
    assert last_training_day(corpus, base) == date(2024, 2, 7)
    assert last_training_day(corpus, replace(base, trained_until=date(2023, 1, 1))) == date(2024, 2, 7)
    assert last_training_day(corpus, replace(base, trained_until=date(2025, 1, 1))) == date(2025, 1, 1)
    nano = build_base(on(config, model="kronos-nano"))
    assert nano.spec is not None
    known = MappingProxyType({"crypto": date(2024, 6, 30), "": date(2020, 1, 1)})
    assert last_training_day(corpus, replace(nano, spec=replace(nano.spec, trained_until=known))) == date(2024, 6, 30)


def test_what_users_named_neither_links_nor_loads(run: RunFolder, config: RunConfig, corpus: Corpus) -> None:
    hostile = "![x](https://evil.example/a.png) <img src=https://evil.example/b.png> www.evil.example |"
    segments = tuple(replace(segment, symbol=hostile, group=hostile) for segment in corpus.segments)
    data = {"source": "files", "paths": ["a.csv"], "origin": hostile}
    settings = RunConfig.model_validate(config.model_dump() | {"data": data})
    run.write_status(notes=[message("Of {symbol}.", symbol=hostile)])
    verdict = judgement() | {"verdict": message("Not {name}.", name=hostile).to_dict(), "best_baseline": "ewma"}
    facts = replace(FACTS, name=hostile, base=hostile)
    provenance = PROVENANCE | {"packages": {hostile: hostile}}
    text = model_card(run, settings, facts, replace(corpus, segments=segments), provenance, {"validation": verdict})
    page = MarkdownIt("gfm-like", {"html": True, "linkify": False}).render(text.split("---\n", 2)[2])
    assert page.count("evil.example") >= 15
    assert not re.findall("<(?:img|a|script)[ >]", page)
    assert "![" not in text.replace("\\!\\[", "")
    assert "evil.example" not in MarkdownIt().render(tokenizer_card(facts, "me/model")).split("href")[1]

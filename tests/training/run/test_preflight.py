"""The preflight counts windows, refuses what cannot be trained on, and says what speaks against trusting the scores."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from engine.loading.registry import REGISTRY
from tests.training.conftest import candles, corpus_of
from training.errors import ConfigError, DataError
from training.evaluation.cutoffs import pick_cutoffs
from training.fit.advice import advise_rate
from training.fit.corpus import Corpus
from training.fit.preparing import prepare
from training.run.config import RunConfig
from training.run.preflight import preflight


def changed(config: RunConfig, **sections: dict[str, Any]) -> RunConfig:
    fields = config.model_dump()
    for name, values in sections.items():
        fields[name] |= values
    return RunConfig.model_validate(fields)


def notes(corpus: Corpus, config: RunConfig) -> str:
    return "\n".join(map(str, preflight(corpus, config).notes))


def test_windows_candles_and_times_of_each_split_are_counted(corpus: Corpus, config: RunConfig) -> None:
    found = preflight(corpus, config)
    train, validation = found.splits["train"], found.splits["validation"]
    assert train.windows == 2 * (900 - 31) + 2 * (300 - 31)
    assert train.candles == 2400
    assert train.symbols == 4
    assert train.first == datetime(2024, 1, 1)
    assert train.last == datetime(2024, 1, 1) + pd.Timedelta(hours=899)
    assert validation.windows == 4 * (100 - 31)
    assert found.splits["test"].windows == 0
    assert found.splits["test"].first is None
    assert [(s.group, s.symbol, s.split, s.windows) for s in found.spans[:2]] == [
        ("crypto/1h", "A", "train", 869),
        ("crypto/1h", "A", "validation", 69),
    ]


def test_a_stride_has_fewer_windows(corpus: Corpus, config: RunConfig) -> None:
    found = preflight(corpus, changed(config, window={"stride": 10}))
    assert found.splits["validation"].windows == 4 * 7


def test_pieces_of_a_symbol_are_one_span(corpus: Corpus, config: RunConfig) -> None:
    first, *rest = corpus.segments
    pieces = (replace(first, stop=400), replace(first, start=400))
    span = preflight(replace(corpus, segments=(*pieces, *rest)), config).spans[0]
    assert (span.windows, span.last) == (369 + 469, datetime(2024, 1, 1) + pd.Timedelta(hours=899))


def test_what_was_found_is_ready_for_json(corpus: Corpus, config: RunConfig) -> None:
    kept = json.loads(json.dumps(preflight(corpus, config).to_dict()))
    assert kept["splits"]["train"]["first"] == "2024-01-01T00:00:00"
    assert kept["splits"]["test"]["last"] is None
    assert kept["spans"][0]["split"] == "train"
    assert {"msgid", "params"} == kept["notes"][0].keys()
    assert {"msgid", "params"} == kept["warnings"][0].keys()


def test_a_whole_run_of_files_has_windows_in_every_split(config: RunConfig, tmp_path: Path) -> None:
    found = preflight(prepare(config, tmp_path / "prepared"), config)
    assert {name: size.windows for name, size in found.splits.items()} == {
        "train": 2 * (540 - 31) + 2 * (240 - 31),
        "validation": 2 * (180 - 32 - 31) + 2 * (80 - 32 - 31),
        "test": 2 * (180 - 32 - 31) + 2 * (80 - 32 - 31),
    }


def test_the_cutoffs_that_the_run_will_score_are_counted_by_the_same_rule(corpus: Corpus, config: RunConfig) -> None:
    many = changed(config, judge={"final_cutoffs": 40})
    splits = preflight(corpus, many).splits
    cutoffs = pick_cutoffs(corpus.of("validation"), many.window, 40, many.seed)
    assert splits["validation"].cutoffs == len(cutoffs) == 4 * ((100 - 20) // 12)
    assert splits["validation"].times == len({cutoff.time for cutoff in cutoffs}) == 2 * ((100 - 20) // 12)
    assert (splits["train"].cutoffs, splits["test"].cutoffs) == (0, 0)
    assert preflight(corpus, changed(config, judge={"final_cutoffs": 0})).splits["validation"].cutoffs == 0


def test_too_few_cutoffs_for_a_verdict_are_said_before_the_run(corpus: Corpus, config: RunConfig) -> None:
    [limited] = preflight(corpus, config).warnings
    assert str(limited).startswith(
        "The validation set will be scored at 4 cutoffs of 4 different times, but a verdict needs 5 times: set the "
        "cutoffs of the final scores (judge.final_cutoffs) to 50 or more"
    )
    assert preflight(corpus, changed(config, judge={"final_cutoffs": 50})).warnings == ()
    single = corpus_of(("g", candles("A", 200, seed=1), "train"), ("g", candles("B", 79, seed=2), "validation"))
    [short] = preflight(single, changed(config, judge={"final_cutoffs": 50})).warnings
    assert "scored at 4 cutoffs of 4 different times" in str(short)
    assert "They need 80 candles of a series in a row; the longest there has 79" in str(short)
    enough = corpus_of(("g", candles("A", 200, seed=1), "train"), ("g", candles("B", 80, seed=2), "validation"))
    assert preflight(enough, changed(config, judge={"final_cutoffs": 50})).warnings == ()


@pytest.mark.parametrize(
    ("split", "rows", "message"),
    [
        ("validation", 20, "The split validation has no window: its longest stretch without a break has 20 candles, "
                           "a window needs 32 (lookback 20 and horizon 12). Choose a shorter window"),
        ("validation", 0, "The split validation has no candles of the 132 in the data, and a window needs 32"),
        ("train", 20, "The split train has no window: its longest stretch without a break has 20 candles"),
    ],
)  # fmt: skip
def test_an_empty_split_is_refused_with_what_is_missing(split: str, rows: int, message: str, config: RunConfig) -> None:
    frame = candles("A", 132, seed=1)
    corpus = corpus_of(("g", frame[:66], "train"), ("g", frame[66:], "validation"))
    short = [replace(s, stop=s.start + rows) if s.split == split else s for s in corpus.segments]
    with pytest.raises(DataError) as error:
        preflight(replace(corpus, segments=tuple(s for s in short if len(s))), config)
    assert message in str(error.value)


def test_a_batch_larger_than_the_windows_is_refused(corpus: Corpus, config: RunConfig) -> None:
    with pytest.raises(DataError, match=r"predictor\.batch is 5000, but there are only 2276 training windows"):
        preflight(corpus, changed(config, predictor={"batch": 5000}))


def test_a_window_longer_than_the_context_of_the_base_is_refused(corpus: Corpus, config: RunConfig) -> None:
    long = changed(config, base={"model": "kronos-nano"}, window={"lookback": 500, "horizon": 60})
    roomy = replace(corpus, segments=(*corpus.segments, replace(corpus.segments[0], split="validation")))
    with pytest.raises(ConfigError, match=r"A window has 560 candles .* but kronos-nano reads 512 at most"):
        preflight(roomy, long)


def test_prices_that_never_move_are_refused_or_named(config: RunConfig) -> None:
    flat = candles("FLAT", 200, seed=1).assign(open=5.0, high=5.0, low=5.0, close=5.0)
    judged = ("g", candles("A", 100, seed=2), "validation")
    with pytest.raises(DataError, match="The price of FLAT is constant: there is nothing to learn"):
        preflight(corpus_of(("g", flat, "train"), judged), config)  # type: ignore[arg-type]
    both = corpus_of(("g", flat, "train"), ("g", candles("B", 200, seed=3), "train"), judged)  # type: ignore[arg-type]
    assert "The price of FLAT is constant over a whole stretch" in notes(both, config)


def test_a_price_that_moves_late_is_not_constant(config: RunConfig) -> None:
    late = candles("LATE", 1600, seed=1)
    late.loc[:1500, ["open", "high", "low", "close"]] = 50.0
    corpus = corpus_of(("g", late, "train"), ("g", candles("A", 100, seed=2), "validation"))
    assert "is constant" not in notes(corpus, config)


def test_windows_that_the_base_was_trained_on_are_counted_by_market(corpus: Corpus, config: RunConfig) -> None:
    crypto = changed(config, base={"model": "kronos-nano"})
    ends = {market: REGISTRY["kronos-nano"].seen_until(market) for market in ("crypto", "stocks")}
    # Validation of crypto begins 932 hours after the first candle of January 2024, that of stocks 332 hours after it.
    after = pd.Timestamp(ends["crypto"]) + pd.Timedelta("1D") - pd.Timestamp("2024-01-01") - pd.Timedelta(hours=932)
    shifted = replace(corpus, times=corpus.times + (after - pd.Timedelta("10D")).as_unit("ns").value)
    told = notes(shifted, crypto)
    assert f"138 of 138 validation and test windows of crypto begin by {ends['crypto']}, the end of" in told
    assert f"138 of 138 validation and test windows of stocks begin by {ends['stocks']}" in told
    edge = replace(corpus, times=corpus.times + (after - pd.Timedelta("10h")).as_unit("ns").value)
    assert f"20 of 138 validation and test windows of crypto begin by {ends['crypto']}" in notes(edge, crypto)
    later = replace(corpus, times=corpus.times + pd.Timedelta("3650D").as_unit("ns").value)
    assert "it may know them" not in notes(later, crypto)


def test_the_config_can_say_until_when_an_unknown_base_was_trained(corpus: Corpus, config: RunConfig) -> None:
    unknown = changed(config, base={"model": "acme/other"})
    assert "It is not known until when acme/other was trained" in notes(corpus, unknown)
    assert "until when the base model was trained" in notes(corpus, changed(config, base={"model": "/models/7"}))
    told = changed(config, base={"model": "acme/other", "trained_until": "2024-01-01"})
    assert "acme/other" not in notes(corpus, told)
    assert "2024" not in notes(corpus, config)  # from scratch


def test_what_speaks_against_trusting_the_scores_is_told(config: RunConfig) -> None:
    frame = candles("A", 180, seed=1).assign(volume=0.0)
    told = notes(corpus_of(("stocks/1d", frame[:80], "train"), ("stocks/1d", frame[112:], "validation")), config)
    assert "There is no test split" in told
    assert "There is only one training symbol" in told
    assert "49 training windows are only 12.2 batches of the tokenizer" in told
    assert "stocks/1d have no volume" in told


def test_candles_left_out_and_jumps_are_told(corpus: Corpus, config: RunConfig) -> None:
    told = notes(replace(corpus, left_out=7, jumps=3), config)
    assert "7 candles without prices above zero are left out" in told
    assert "At 3 places a price doubles or halves" in told


def test_a_run_with_enough_of_everything_has_no_notes(corpus: Corpus, config: RunConfig) -> None:
    tests = tuple(replace(s, start=s.start + 40, split="test") for s in corpus.of("validation").segments)
    found = preflight(replace(corpus, segments=corpus.segments + tests), config)
    assert found.notes == ()


def test_days_learned_from_at_another_interval_are_told(config: RunConfig) -> None:
    hourly, daily = candles("A", 900, seed=1), candles("A", 400, seed=2, start="2023-06-01", freq="D")
    corpus = corpus_of(
        ("crypto/1h", hourly, "train"), ("crypto/1d", daily[:150], "train"), ("crypto/1d", daily[200:], "validation")
    )
    assert "Validation or test days of A in crypto/1d are training days at another interval" in notes(corpus, config)
    apart = replace(corpus, times=np.where(np.arange(len(corpus.times)) < 900, corpus.times - 10**17, corpus.times))
    assert "another interval" not in notes(apart, config)


@pytest.mark.parametrize(
    ("stage", "windows", "scratch", "value", "reason"),
    [
        ("predictor", 500, False, 1e-5, "1e-05: 500 training windows are few"),
        ("predictor", 10_000, False, 1e-5, "10000 training windows are few"),
        ("predictor", 31_623, False, 2e-5, "2e-05: between 1e-05 for few training windows and the published"),
        ("predictor", 100_000, False, 4e-5, "4e-05: as in the published recipe for the predictor"),
        ("predictor", 10**7, False, 4e-5, "with 10000000 training windows"),
        ("tokenizer", 500, False, 2e-4, "0.0002: as in the published recipe for the tokenizer"),
        ("predictor", 10**7, True, 1e-3, "0.001: random initial weights"),
        ("tokenizer", 10, True, 1e-3, "0.001: random initial weights"),
    ],
)
def test_the_learning_rate_follows_the_amount_of_data(
    stage: Any, windows: int, scratch: bool, value: float, reason: str
) -> None:
    rate, message = advise_rate(stage, windows, scratch=scratch)
    assert rate == pytest.approx(value)
    assert reason in str(message)


def test_the_learning_rate_never_falls_as_data_grows() -> None:
    rates = [advise_rate("predictor", windows, scratch=False)[0] for windows in range(1000, 200_000, 1000)]
    assert rates == sorted(rates)


def test_days_learned_from_of_other_symbols_are_told(config: RunConfig) -> None:
    said = "Checkpoints of stocks/1d are chosen on training days of other symbols"
    one, other = candles("A", 400, seed=1), candles("B", 400, seed=2)
    assert said in notes(corpus_of(("stocks/1d", one, "train"), ("stocks/1d", other, "validation")), config)
    later = corpus_of(("stocks/1d", one[:150], "train"), ("stocks/1d", other[150:], "validation"))
    assert said not in notes(later, config)
    apart = corpus_of(("stocks/1d", one, "train"), ("fx/1d", other, "validation"))
    assert said not in notes(apart, config)

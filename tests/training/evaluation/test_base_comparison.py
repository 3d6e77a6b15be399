"""Whether training helped: told from forecasts, never from a loss."""

from __future__ import annotations

import json

import numpy as np
import pytest

from engine.predictor import KronosPredictor
from tests.training.evaluation.conftest import tiny_model, walk
from training.evaluation.base_comparison import BASELINES, Judgement, examples, judge
from training.evaluation.cutoffs import pick_cutoffs, spread
from training.evaluation.forecasters import Members, Request
from training.evaluation.kronos import KronosForecaster
from training.fit.corpus import Corpus
from training.run.config import JudgeConfig, WindowConfig

WINDOW = WindowConfig(lookback=20, horizon=4)
CONFIG = JudgeConfig(samples=4)


@pytest.fixture
def model() -> KronosPredictor:
    return tiny_model()


def judged(monkeypatch: pytest.MonkeyPatch, model: KronosPredictor, *, tuned: float, base: float) -> Judgement:
    """Judge two models whose closes are walks around the last one, of `tuned` and `base` times the right volatility."""

    def forecast(self: KronosForecaster, request: Request) -> Members:
        sigma = 0.01 * {"tuned": tuned, "base": base}[self.name]
        z = np.stack([np.random.default_rng(seed).normal(size=(40, request.horizon)) for seed in request.seeds])
        return Members(request.closes[:, -1, None, None] * np.exp(sigma * z.cumsum(axis=2)), drawn=True)

    monkeypatch.setattr(KronosForecaster, "forecast", forecast)
    cutoffs = spread([walk(f"S{i}", 400, i) for i in range(6)], lookback=20, horizon=4, count=60, seed=0)
    return judge({"tuned": model, "base": model}, cutoffs, CONFIG, seed=0)


def test_cutoffs_lie_in_the_segments_of_their_split(corpus: Corpus) -> None:
    cutoffs = pick_cutoffs(corpus.of("validation"), WINDOW, 40, seed=1)
    assert {(c.group, c.symbol) for c in cutoffs} == {(s.group, s.symbol) for s in corpus.segments}
    segments = [s for s in corpus.segments if s.split == "validation"]
    for cutoff in cutoffs:
        segment = next(s for s in segments if (s.group, s.symbol) == (cutoff.group, cutoff.symbol))
        first = int(np.flatnonzero(corpus.times[segment.start : segment.stop] == cutoff.time)[0]) + 1
        assert first >= WINDOW.lookback
        assert first + WINDOW.horizon <= len(segment)
    assert [c.row for c in pick_cutoffs(corpus.of("validation"), WINDOW, 40, seed=1)] == [c.row for c in cutoffs]


def test_a_split_without_room_for_a_window_has_no_cutoff(corpus: Corpus) -> None:
    assert pick_cutoffs(corpus.of("validation"), WindowConfig(lookback=400, horizon=4), 5, seed=0) == []
    assert pick_cutoffs(corpus.of("test"), WINDOW, 5, seed=0) == []


def test_every_forecaster_has_every_figure(corpus: Corpus, model: KronosPredictor) -> None:
    cutoffs = pick_cutoffs(corpus.of("validation"), WINDOW, 10, seed=0)
    steps: list[tuple[int, int]] = []
    found = judge({"tuned": model, "base": model}, cutoffs, CONFIG, seed=3, on_step=lambda *step: steps.append(step))
    assert steps == [(10, 10)]
    told = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    assert set(told["forecasters"]) == {"tuned", "base", *(one.name for one in BASELINES)}
    wanted = {"crps", "coverage_50", "coverage_80", "coverage_90", "mae", "rank_ic", "impossible"}
    assert all(wanted <= figures.keys() for figures in told["forecasters"].values())
    assert told["forecasters"]["ewma"]["crps"] > 0
    assert told["forecasters"]["ewma"]["rank_ic"] is None  # no opinion has no rank
    assert told["estimates"]["tuned"]["crps"]["value"] == told["forecasters"]["tuned"]["crps"]
    assert (told["cutoffs"], told["horizon"], told["lookback"], told["samples"]) == (10, 4, 20, 4)


def test_the_same_model_under_two_names_has_the_same_scores(corpus: Corpus, model: KronosPredictor) -> None:
    """Both share cutoffs and seeds: what differs otherwise is the models."""
    cutoffs = pick_cutoffs(corpus.of("validation"), WINDOW, 20, seed=0)
    found = judge({"tuned": model, "base": model}, cutoffs, CONFIG, seed=3)
    assert found.figures()["tuned"] == found.figures()["base"]
    assert found.to_base is not None
    assert (found.to_base.value, found.to_base.low, found.to_base.high) == (1.0, 1.0, 1.0)
    assert not found.worse
    assert "No significant improvement" in str(found.verdict)
    again = judge({"tuned": model, "base": model}, cutoffs[::-1], CONFIG, seed=3)
    assert again.forecasters["tuned"]["crps"].value == pytest.approx(
        found.forecasters["tuned"]["crps"].value, abs=1e-12
    )


def test_a_model_that_got_worse_is_said_to_be(monkeypatch: pytest.MonkeyPatch, model: KronosPredictor) -> None:
    found = judged(monkeypatch, model, tuned=4.0, base=1.0)
    assert found.worse
    assert found.to_base is not None
    assert found.to_base.low is not None
    assert found.to_base.low > 1
    assert str(found.verdict).startswith(
        f"Fine-tuning made the base model worse (CRPS ratio {found.to_base.value:.3f}, 95 % CI "
    )
    assert "worse than" in str(found.against_baselines)


def test_a_model_that_got_better_is_said_to_be(monkeypatch: pytest.MonkeyPatch, model: KronosPredictor) -> None:
    found = judged(monkeypatch, model, tuned=1.0, base=4.0)
    assert not found.worse
    assert str(found.verdict).startswith("Fine-tuning improved the base model (CRPS ratio 0.")
    assert found.forecasters["tuned"]["coverage_90"].value == pytest.approx(0.9, abs=0.06)
    assert found.forecasters["base"]["coverage_90"].value > 0.98
    assert "does not differ significantly from" in str(found.against_baselines)


def test_ranks_are_taken_across_symbols_where_five_share_a_time(
    monkeypatch: pytest.MonkeyPatch, model: KronosPredictor
) -> None:
    assert judged(monkeypatch, model, tuned=1.0, base=1.0).rank_ic_over == "symbols"
    cutoffs = spread([walk("A", 400)], lookback=20, horizon=4, count=30, seed=0)
    assert judge({"tuned": model}, cutoffs, CONFIG, seed=0).rank_ic_over == "cutoffs"


def test_one_cutoff_has_no_interval_and_no_conclusion(corpus: Corpus, model: KronosPredictor) -> None:
    cutoffs = pick_cutoffs(corpus.of("validation"), WINDOW, 1, seed=0)
    found = judge({"tuned": model, "base": model}, cutoffs, CONFIG, seed=0)
    assert found.to_base is not None
    assert found.to_base.low is None
    assert not found.worse
    assert "too few cutoff times" in str(found.verdict)
    assert [str(note) for note in found.notes] == ["Only one cutoff: no interval and no test is possible."]


def test_without_a_base_the_baselines_are_what_counts(corpus: Corpus, model: KronosPredictor) -> None:
    cutoffs = pick_cutoffs(corpus.of("validation"), WINDOW, 20, seed=0)
    found = judge({"mine": model}, cutoffs, CONFIG, seed=0)
    assert found.to_base is None
    assert found.verdict == found.against_baselines
    assert not found.worse


def test_examples_hold_what_is_drawn(corpus: Corpus, model: KronosPredictor) -> None:
    cutoffs = pick_cutoffs(corpus.of("validation"), WINDOW, 3, seed=0)
    shown = json.loads(json.dumps(examples({"tuned": model, "base": model}, cutoffs, CONFIG, seed=0)))
    assert [one["symbol"] for one in shown] == [c.symbol for c in cutoffs]
    for one, cutoff in zip(shown, cutoffs, strict=True):
        assert one["actual"] == cutoff.actual[:, 3].tolist()
        assert len(one["times"]) == len(one["close"]) <= 60
        assert one["times"][-1] < one["future_times"][0]
        assert list(one["quantiles"]) == ["0.05", "0.25", "0.5", "0.75", "0.95"]
        assert np.all(np.diff(list(one["quantiles"].values()), axis=0) >= 0)
        assert one["base"] == one["quantiles"]  # the same model
    alone = examples({"tuned": model}, cutoffs[:1], CONFIG, seed=0)[0]
    assert "base" not in alone
    assert alone["quantiles"] == shown[0]["quantiles"]

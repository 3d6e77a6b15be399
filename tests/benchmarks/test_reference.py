"""A checkout of the published package is given our weights and timed; a stand-in of its interface serves here."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.cases import Case
from benchmarks.reference import Comparison, compare, load_published
from engine.errors import KronosError
from engine.predictor import KronosPredictor
from engine.sampling import Sampling
from engine.tokenizer import KronosTokenizer

STAND_IN = "from model.kronos import Kronos, KronosTokenizer, KronosPredictor"
NETWORKS = '''
"""The published names and signatures, and its way to handle times; ours computes."""

import engine


class KronosTokenizer(engine.KronosTokenizer):
    def __init__(self, d_in, d_model, n_heads, ff_dim, n_enc_layers, n_dec_layers, ffn_dropout_p, attn_dropout_p,
                 resid_dropout_p, s1_bits, s2_bits, beta, gamma0, gamma, zeta, group_size):
        super().__init__(d_in, d_model, n_heads, ff_dim, n_enc_layers, n_dec_layers, ffn_dropout_p, attn_dropout_p,
                         resid_dropout_p, s1_bits, s2_bits, beta, gamma0, gamma, zeta, group_size)


class Kronos(engine.Kronos):
    def __init__(self, s1_bits, s2_bits, n_layers, d_model, n_heads, ff_dim, ffn_dropout_p, attn_dropout_p,
                 resid_dropout_p, token_dropout_p, learn_te):
        super().__init__(s1_bits, s2_bits, n_layers, d_model, n_heads, ff_dim, ffn_dropout_p, attn_dropout_p,
                         resid_dropout_p, token_dropout_p, learn_te)


class KronosPredictor:
    def __init__(self, model, tokenizer, device=None, max_context=512, clip=5):
        self.ours = engine.KronosPredictor(model, tokenizer, device, max_context, clip)

    def predict_batch(self, df_list, x_timestamp_list, y_timestamp_list, pred_len, T=1.0, top_k=0, top_p=0.9,
                      sample_count=1, verbose=True):
        assert all(times.dt.minute.notna().all() for times in (*x_timestamp_list, *y_timestamp_list))
        return self.ours.predict_batch(
            df_list, x_timestamp_list, y_timestamp_list, pred_len, T, top_k, top_p, sample_count, verbose
        )
'''


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    package = tmp_path / "model"
    package.mkdir()
    (package / "__init__.py").write_text(STAND_IN)
    (package / "kronos.py").write_text(NETWORKS)
    return tmp_path


def test_the_published_package_is_timed_beside_the_plain_loop(
    checkout: Path, predictor: KronosPredictor, case: Case
) -> None:
    published = load_published(checkout, predictor)
    found = compare(published, predictor, case, Sampling(top_p=0.9), rounds=2, steps=None)
    assert found.steps == case.horizon
    assert found.published > 0
    assert found.plain > 0
    assert found.difference < 1e-3


def test_only_so_many_steps_are_timed_as_were_asked_for(checkout: Path, predictor: KronosPredictor, case: Case) -> None:
    published = load_published(checkout, predictor)
    assert compare(published, predictor, case, Sampling(), rounds=1, steps=3).steps == 3


def test_another_package_of_that_name_stays_what_it_is(
    checkout: Path, predictor: KronosPredictor, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = type(sys)("model")
    monkeypatch.setitem(sys.modules, "model", other)
    load_published(checkout, predictor)
    assert sys.modules["model"] is other
    assert "model.kronos" not in sys.modules
    assert str(checkout) not in sys.path


def test_a_folder_without_the_package_is_named(tmp_path: Path, predictor: KronosPredictor) -> None:
    with pytest.raises(KronosError, match=str(tmp_path)):
        load_published(tmp_path, predictor)


def test_a_setting_that_the_package_does_not_know_is_named(checkout: Path, predictor: KronosPredictor) -> None:
    tokenizer = KronosTokenizer.from_config(replace(predictor.tokenizer.config, shared_deviation=True))
    with pytest.raises(KronosError, match="does not know shared_deviation"):
        load_published(checkout, KronosPredictor(predictor.model, tokenizer, "cpu", predictor.max_context))


def test_a_library_that_the_package_needs_is_named(checkout: Path, predictor: KronosPredictor) -> None:
    (checkout / "model" / "kronos.py").write_text("import no_such_library")
    with pytest.raises(KronosError, match="run `pip install no_such_library`"):
        load_published(checkout, predictor)


@pytest.mark.parametrize(
    ("plain", "words"),
    [(1.04, "as long as"), (1.2, "20.0% longer"), (0.8, "20.0% shorter")],
)
def test_a_difference_of_more_than_five_percent_is_said(plain: float, words: str) -> None:
    assert words in Comparison(steps=12, published=1.0, plain=plain, difference=0.0).remark()


def test_ratios_to_the_published_package_follow_from_those_to_the_plain_loop() -> None:
    found = Comparison(steps=12, published=2.0, plain=1.6, difference=0.0)
    assert found.ratio == 1.25
    assert "1.25 ×" in found.remark()

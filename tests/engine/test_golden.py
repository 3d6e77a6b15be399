"""Agreement with the published implementation, number by number."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
import torch
from torch import Tensor

from engine.candles import FEATURES, Normaliser, time_marks
from engine.predictor import KronosPredictor
from engine.tokenizer import KronosTokenizer
from engine.transformer import FixedEmbedding, Kronos
from tests.engine.conftest import GOLDEN

CASES = {case["name"]: case for case in json.loads((GOLDEN / "cases.json").read_text())}
BATCH = json.loads((GOLDEN / "batch.json").read_text())
COVERED = (
    {"tokenizer.input", "stamp", "time.marks", "time.model", "time.fixed"}
    | {f"tokenizer.{name}" for name in ("s1", "s2", "indices_full", "quantized", "recon", "recon_s1")}
    | {f"tokenizer.{name}" for name in ("decode", "decode_full", "bsq_loss.eval", "train_bsq_loss", "train_loss")}
    | {f"tokenizer.grad.{name}.weight" for name in ("embed", "quant_embed")}
    | {f"model.{name}" for name in ("s1_logits", "context", "s2_logits_last", "train_loss")}
    | {f"model.{mode}.{name}_logits" for mode in ("train", "forward_eval") for name in ("s1", "s2")}
    | {"model.grad.cross_attn.k_proj.weight", "model.grad.fusion_proj.weight"}
)


def agree(ours: Tensor, theirs: Tensor) -> None:
    """Within 1e-4 relative; numbers near zero within 1e-4 of what is usual in their tensor."""
    assert ours.shape == theirs.shape
    torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-4 * theirs.abs().mean().item())


def agree_candles(ours: pd.DataFrame, name: str) -> None:
    theirs = pd.read_csv(GOLDEN / name, parse_dates=["timestamps"], index_col="timestamps")
    assert list(ours.columns) == list(theirs.columns)
    assert list(ours.index) == list(theirs.index)
    for column in theirs:
        usual = theirs[column].abs().mean()
        np.testing.assert_allclose(ours[column], theirs[column], rtol=1e-3, atol=1e-4 * usual, err_msg=column)


def teacher_forced(model: Kronos, golden: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
    s1, s2, stamp = (golden[name] for name in ("tokenizer.s1", "tokenizer.s2", "stamp"))
    return model(s1[:, :-1], s2[:, :-1], stamp[:, :-1], use_teacher_forcing=True, s1_targets=s1[:, 1:])


def test_every_golden_tensor_is_compared(golden: dict[str, Tensor]) -> None:
    assert golden.keys() == COVERED


def test_candles_are_normalised_and_marked_as_published(golden: dict[str, Tensor], candles: pd.DataFrame) -> None:
    for row, start in enumerate((0, 64)):
        part = candles.iloc[start : start + 64]
        values = part[list(FEATURES)].to_numpy(np.float64)
        agree(torch.from_numpy(Normaliser.fit(values).apply(values)), golden["tokenizer.input"][row])
        marks = time_marks(pd.DatetimeIndex(part["timestamps"]))
        assert torch.equal(torch.from_numpy(marks).float(), golden["stamp"][row])


def test_token_ids_are_exactly_the_published_ones(golden: dict[str, Tensor], tokenizer: KronosTokenizer) -> None:
    s1, s2 = tokenizer.encode(golden["tokenizer.input"], half=True)
    assert torch.equal(s1, golden["tokenizer.s1"])
    assert torch.equal(s2, golden["tokenizer.s2"])
    assert torch.equal(tokenizer.encode(golden["tokenizer.input"]), golden["tokenizer.indices_full"])


def test_the_tokenizer_reconstructs_as_published(golden: dict[str, Tensor], tokenizer: KronosTokenizer) -> None:
    (coarse, full), loss, code, ids = tokenizer(golden["tokenizer.input"])
    agree(coarse, golden["tokenizer.recon_s1"])
    agree(full, golden["tokenizer.recon"])
    agree(code, golden["tokenizer.quantized"])
    agree(loss.view(1), golden["tokenizer.bsq_loss.eval"])
    assert torch.equal(ids, golden["tokenizer.indices_full"])


def test_tokens_decode_as_published(golden: dict[str, Tensor], tokenizer: KronosTokenizer) -> None:
    agree(tokenizer.decode((golden["tokenizer.s1"], golden["tokenizer.s2"]), half=True), golden["tokenizer.decode"])
    agree(tokenizer.decode(golden["tokenizer.indices_full"]), golden["tokenizer.decode_full"])
    agree(tokenizer.indices_to_bits(golden["tokenizer.indices_full"]), golden["tokenizer.quantized"])


def test_the_tokenizer_learns_as_published(golden: dict[str, Tensor], tokenizer: KronosTokenizer) -> None:
    x = golden["tokenizer.input"]
    (coarse, full), bsq, _, _ = tokenizer.train()(x)
    loss = ((coarse - x).pow(2).mean() + (full - x).pow(2).mean() + bsq) / 2
    loss.backward()
    agree(bsq.view(1), golden["tokenizer.train_bsq_loss"])
    agree(loss.view(1), golden["tokenizer.train_loss"])
    agree(tokenizer.embed.weight.grad, golden["tokenizer.grad.embed.weight"])
    agree(tokenizer.quant_embed.weight.grad, golden["tokenizer.grad.quant_embed.weight"])


def test_time_is_embedded_as_published(golden: dict[str, Tensor], model: Kronos) -> None:
    agree(model.time_emb(golden["time.marks"]), golden["time.model"])
    fixed = Kronos(**{**vars(model.config), "learn_te": False})
    assert isinstance(fixed.time_emb.minute_embed, FixedEmbedding)
    agree(fixed.time_emb(golden["time.marks"]), golden["time.fixed"])


def test_coarse_logits_and_context_are_the_published_ones(golden: dict[str, Tensor], model: Kronos) -> None:
    s1_logits, context = model.decode_s1(golden["tokenizer.s1"], golden["tokenizer.s2"], golden["stamp"])
    agree(s1_logits, golden["model.s1_logits"])
    agree(context, golden["model.context"])


def test_the_cross_attention_is_rotated_and_causal_in_training(golden: dict[str, Tensor], model: Kronos) -> None:
    s1_logits, s2_logits = teacher_forced(model.train(), golden)
    agree(s1_logits, golden["model.train.s1_logits"])
    agree(s2_logits, golden["model.train.s2_logits"])


def test_the_cross_attention_sees_the_future_in_forward_under_eval(golden: dict[str, Tensor], model: Kronos) -> None:
    s1, s2, stamp = (golden[name] for name in ("tokenizer.s1", "tokenizer.s2", "stamp"))
    s1_logits, s2_logits = model.eval()(s1, s2, stamp, use_teacher_forcing=True, s1_targets=s1.roll(-1, dims=1))
    agree(s1_logits, golden["model.forward_eval.s1_logits"])
    agree(s2_logits, golden["model.forward_eval.s2_logits"])


def test_the_cross_attention_is_not_rotated_in_generation(golden: dict[str, Tensor], model: Kronos) -> None:
    likeliest = golden["model.s1_logits"][:, -1:].argmax(-1)
    agree(model.decode_s2(golden["model.context"], likeliest), golden["model.s2_logits_last"])


def test_the_predictor_learns_as_published(golden: dict[str, Tensor], model: Kronos) -> None:
    s1_logits, s2_logits = teacher_forced(model.train(), golden)
    targets = golden["tokenizer.s1"][:, 1:], golden["tokenizer.s2"][:, 1:]
    losses = model.head.compute_loss(s1_logits, s2_logits, *targets)
    losses[0].backward()
    agree(torch.stack(losses), golden["model.train_loss"])
    agree(model.dep_layer.cross_attn.k_proj.weight.grad, golden["model.grad.cross_attn.k_proj.weight"])
    agree(model.embedding.fusion_proj.weight.grad, golden["model.grad.fusion_proj.weight"])


@pytest.mark.parametrize("name", CASES)
def test_forecasts_are_the_published_ones_draw_by_draw(
    name: str, model: Kronos, tokenizer: KronosTokenizer, candles: pd.DataFrame
) -> None:
    case = CASES[name]
    history, future = candles[: case["lookback"]], candles[case["lookback"] :][: case["pred_len"]]
    predictor = KronosPredictor(model, tokenizer, "cpu", max_context=case["max_context"])
    if case["torch_seed"] is not None:
        torch.manual_seed(case["torch_seed"])
    settings = {key: case[key] for key in ("pred_len", "T", "top_k", "top_p", "sample_count")}
    frame = predictor.predict(
        history[case["columns"]], history["timestamps"], future["timestamps"], **settings, verbose=False
    )
    agree_candles(frame, f"predict_{name}.csv")


def test_a_batch_is_the_published_one_draw_by_draw(
    model: Kronos, tokenizer: KronosTokenizer, candles: pd.DataFrame
) -> None:
    lookback, length = BATCH["lookback"], BATCH["pred_len"]
    histories = [candles[start : start + lookback] for start in BATCH["starts"]]
    futures = [candles[start + lookback : start + lookback + length]["timestamps"] for start in BATCH["starts"]]
    predictor = KronosPredictor(model, tokenizer, "cpu", max_context=BATCH["max_context"])
    torch.manual_seed(BATCH["torch_seed"])
    settings = {key: BATCH[key] for key in ("pred_len", "T", "top_k", "top_p", "sample_count")}
    frames = predictor.predict_batch(
        [h[list(FEATURES)] for h in histories], [h["timestamps"] for h in histories], futures, **settings, verbose=False
    )
    for index, frame in enumerate(frames):
        agree_candles(frame, f"batch_{index}.csv")

"""What the networks see and do not see; see test_golden.py for their numbers."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from engine.config import ModelConfig, TokenizerConfig
from engine.tokenizer import KronosTokenizer
from engine.transformer import Kronos

TINY = ModelConfig(s1_bits=4, s2_bits=5, n_layers=2, d_model=16, n_heads=2, ff_dim=32)


@pytest.fixture
def tokens(golden: dict[str, Tensor]) -> tuple[Tensor, Tensor, Tensor]:
    return golden["tokenizer.s1"][:1, :24], golden["tokenizer.s2"][:1, :24], golden["stamp"][:1, :24]


def change_from(ids: Tensor, position: int) -> Tensor:
    changed = ids.clone()
    changed[:, position:] = (changed[:, position:] + 7) % 64
    return changed


def test_causal_logits_do_not_see_the_future_but_forward_under_eval_does(
    model: Kronos, tokens: tuple[Tensor, Tensor, Tensor]
) -> None:
    s1, s2, stamp = tokens
    other = change_from(s1, 16), change_from(s2, 16), stamp
    targets, other_targets = s1.roll(-1, 1), other[0].roll(-1, 1)
    for ours, changed in zip(
        model.causal_logits(s1, s2, stamp, targets), model.causal_logits(*other, other_targets), strict=True
    ):
        torch.testing.assert_close(ours[:, :15], changed[:, :15])
        assert not torch.allclose(ours[:, 16:], changed[:, 16:])
    leaky = model(s1, s2, stamp, use_teacher_forcing=True, s1_targets=targets)[1]
    leaked = model(*other, use_teacher_forcing=True, s1_targets=other_targets)[1]
    assert not torch.allclose(leaky[:, :15], leaked[:, :15])


def test_causal_logits_are_what_generation_computes(model: Kronos, tokens: tuple[Tensor, Tensor, Tensor]) -> None:
    s1, s2, stamp = tokens
    coarse, fine = model.causal_logits(s1[:, :-1], s2[:, :-1], stamp[:, :-1], s1[:, 1:])
    for t in (1, 9, 23):
        s1_logits, context = model.decode_s1(s1[:, :t], s2[:, :t], stamp[:, :t])
        torch.testing.assert_close(coarse[:, t - 1], s1_logits[:, -1])
        torch.testing.assert_close(fine[:, t - 1], model.decode_s2(context, s1[:, t : t + 1])[:, -1])


@pytest.mark.parametrize("training", [True, False])
def test_padding_at_the_end_changes_nothing_before_it(
    training: bool, model: Kronos, tokens: tuple[Tensor, Tensor, Tensor]
) -> None:
    model.train(training)  # its dropout is zero
    s1, s2, stamp = tokens
    mask = torch.arange(24).expand(1, 24) >= 20
    short = model(s1[:, :20], s2[:, :20], stamp[:, :20], use_teacher_forcing=True, s1_targets=s1[:, :20])
    padded = model(s1, s2, stamp, padding_mask=mask, use_teacher_forcing=True, s1_targets=s1)
    for a, b in zip(short, padded, strict=True):
        torch.testing.assert_close(b[:, :20], a, rtol=1e-4, atol=1e-5)
    assert all(logits.isfinite().all() for logits in padded)


def test_padding_at_the_start_is_not_seen(model: Kronos, tokens: tuple[Tensor, Tensor, Tensor]) -> None:
    s1, s2, stamp = tokens
    mask = torch.arange(24).expand(1, 24) < 4
    other = (s1 + 1) % 64
    a, _ = model.decode_s1(s1, s2, stamp, padding_mask=mask)
    b, _ = model.decode_s1(torch.where(mask, other, s1), s2, stamp, padding_mask=mask)
    torch.testing.assert_close(a[:, 4:], b[:, 4:])
    assert a.isfinite().all()


def test_padded_targets_do_not_count_in_the_loss(model: Kronos) -> None:
    draw = torch.Generator().manual_seed(0)
    s1_logits, s2_logits = (torch.randn(2, 6, 64, generator=draw) for _ in range(2))
    s1, s2 = (torch.randint(0, 64, (2, 6), generator=draw) for _ in range(2))
    mask = torch.tensor([[False] * 6, [False, True, True, False, True, False]])
    loss, coarse, fine = model.head.compute_loss(s1_logits, s2_logits, s1, s2, padding_mask=mask)
    torch.testing.assert_close(coarse, F.cross_entropy(s1_logits[~mask], s1[~mask]))
    torch.testing.assert_close(fine, F.cross_entropy(s2_logits[~mask], s2[~mask]))
    torch.testing.assert_close(loss, (coarse + fine) / 2)
    whole = model.head.compute_loss(s1_logits, s2_logits, s1, s2)[1]
    torch.testing.assert_close(whole, F.cross_entropy(s1_logits.flatten(0, 1), s1.flatten()))


def test_without_teacher_forcing_the_coarse_token_is_drawn(
    model: Kronos, tokens: tuple[Tensor, Tensor, Tensor]
) -> None:
    torch.manual_seed(0)
    s1_logits, s2_logits = model(*tokens)
    torch.manual_seed(0)
    given = torch.multinomial(s1_logits.detach().softmax(-1).flatten(0, 1), 1).view(1, -1)
    expected = model(*tokens, use_teacher_forcing=True, s1_targets=given)[1]
    torch.testing.assert_close(s2_logits, expected)


def test_teacher_forcing_without_targets_is_refused(model: Kronos, tokens: tuple[Tensor, Tensor, Tensor]) -> None:
    with pytest.raises(ValueError, match="s1_targets"):
        model(*tokens, use_teacher_forcing=True)


def test_dropout_acts_in_training_only() -> None:
    torch.manual_seed(0)
    model = Kronos.from_config(replace(TINY, token_dropout_p=0.5, attn_dropout_p=0.5))
    ids = torch.zeros(1, 8, dtype=torch.int64)
    assert not torch.equal(model.train().decode_s1(ids, ids)[0], model.decode_s1(ids, ids)[0])
    assert torch.equal(model.eval().decode_s1(ids, ids)[0], model.decode_s1(ids, ids)[0])


def test_fresh_predictor_weights_are_drawn_as_published() -> None:
    torch.manual_seed(1)
    model = Kronos.from_config(replace(TINY, s1_bits=10, d_model=64))
    linear = model.transformer[0].self_attn.q_proj
    assert linear.weight.std().item() == pytest.approx((2 / (64 + 64)) ** 0.5, rel=0.05)
    assert (linear.bias == 0).all()
    assert model.embedding.emb_s1.weight.std().item() == pytest.approx(64**-0.5, rel=0.05)
    norms = [module.weight for module in model.modules() if type(module).__name__ == "RMSNorm"]
    assert len(norms) == 2 * TINY.n_layers + 2
    assert all((weight == 1).all() for weight in norms)


def test_a_fixed_time_table_is_not_trained_nor_redrawn() -> None:
    model = Kronos.from_config(replace(TINY, learn_te=False))
    table = model.time_emb.hour_embed.emb.weight
    assert not table.requires_grad
    assert table[0].tolist() == [0.0, 1.0] * 8
    torch.testing.assert_close(table[5, 2], torch.tensor(5 * 10000 ** (-2 / 16)).sin())
    torch.testing.assert_close(table[5, 3], torch.tensor(5 * 10000 ** (-2 / 16)).cos())


def test_fresh_tokenizer_weights_are_pytorchs_own() -> None:
    config = TokenizerConfig(d_model=16, n_heads=2, ff_dim=32)
    torch.manual_seed(2)
    tokenizer = KronosTokenizer.from_config(config)
    torch.manual_seed(2)
    assert torch.equal(tokenizer.embed.weight, nn.Linear(6, 16).weight)


def test_the_tokenizer_holds_one_block_fewer_than_its_config_says() -> None:
    tokenizer = KronosTokenizer.from_config(TokenizerConfig(d_model=16, n_heads=2, n_enc_layers=3, n_dec_layers=1))
    assert (len(tokenizer.encoder), len(tokenizer.decoder)) == (2, 0)


def test_the_tokenizer_does_not_see_the_future(tokenizer: KronosTokenizer, golden: dict[str, Tensor]) -> None:
    x = golden["tokenizer.input"]
    ids = tokenizer.encode(x)
    changed = x.clone()
    changed[:, 40:] = -changed[:, 40:]
    assert torch.equal(tokenizer.encode(changed)[:, :40], ids[:, :40])
    ids_after = ids.clone()
    ids_after[:, 40:] = 0
    torch.testing.assert_close(tokenizer.decode(ids_after)[:, :40], tokenizer.decode(ids)[:, :40])

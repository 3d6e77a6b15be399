"""What is frozen stays as it was, adapters fold into plain weights, and recomputed activations change nothing."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from engine.config import ModelConfig
from engine.loading.checkpoint import digest, save_checkpoint
from engine.tokenizer import KronosTokenizer
from engine.transformer import Kronos
from tests.training.conftest import PREDICTOR
from training.errors import ConfigError
from training.fit.adaptation import adapt, blocks, checkpoint_activations, merge_adapters, trained_parameters
from training.run.config import MethodConfig, StageName

FULL = MethodConfig()
LORA = MethodConfig.model_validate({"kind": "lora", "lora": {"rank": 3, "alpha": 6}})
EVERYWHERE = MethodConfig.model_validate(
    {"kind": "lora", "lora": {"targets": ["q_proj", "w1", "w2", "fusion_proj", "proj_s1", "proj_s2"]}}
)


def frozen(layers: int) -> MethodConfig:
    return MethodConfig(kind="frozen", frozen_layers=layers)


def loss_of(model: Kronos | KronosTokenizer) -> Tensor:
    torch.manual_seed(1)
    if isinstance(model, KronosTokenizer):
        x = torch.randn(3, 9, 6)
        (coarse, full), quantizer, _, _ = model(x)
        return (coarse - x).pow(2).mean() + (full - x).pow(2).mean() + quantizer
    s1, s2 = torch.randint(0, 16, (2, 3, 9))
    stamp = torch.ones(3, 9, 5, dtype=torch.int64)
    logits = model.causal_logits(s1[:, :-1], s2[:, :-1], stamp[:, :-1], s1[:, 1:])
    return model.head.compute_loss(*logits, s1[:, 1:], s2[:, 1:])[0]


def learn(model: Kronos | KronosTokenizer, steps: int = 3) -> None:
    optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=0.05)
    for _ in range(steps):
        optimizer.zero_grad()
        loss_of(model).backward()
        optimizer.step()


def changed(model: nn.Module, before: dict[str, Tensor]) -> set[str]:
    return {name for name, tensor in model.state_dict().items() if not torch.equal(tensor, before[name])}


def copied(model: nn.Module) -> dict[str, Tensor]:
    return {name: tensor.clone() for name, tensor in model.state_dict().items()}


def test_all_parameters_are_trained_unasked_even_of_a_network_that_was_frozen(predictor: Kronos) -> None:
    model = adapt(predictor.requires_grad_(False), FULL, "predictor")
    total = sum(parameter.numel() for parameter in predictor.parameters())
    assert trained_parameters(model) == (total, total)


def test_fixed_time_tables_stay_fixed() -> None:
    model = adapt(Kronos.from_config(ModelConfig(**PREDICTOR | {"learn_te": False})), FULL, "predictor")
    trained, total = trained_parameters(model)
    assert total - trained == sum(p.numel() for p in model.time_emb.parameters()) > 0


def test_embeddings_and_the_lowest_blocks_stay_put(predictor: Kronos) -> None:
    before = copied(predictor)
    model = adapt(predictor, frozen(1), "predictor")
    learn(model)
    moved = changed(model, before)
    assert not any(name.startswith(("embedding.", "time_emb.", "transformer.0.")) for name in moved)
    assert {name.partition(".")[0] for name in moved} == {"transformer", "norm", "dep_layer", "head"}


def test_the_lowest_blocks_of_the_tokenizer_are_those_of_its_encoder(tokenizer: KronosTokenizer) -> None:
    before = copied(tokenizer)
    learn(adapt(tokenizer, frozen(1), "tokenizer"))
    moved = changed(tokenizer, before)
    assert not any(name.startswith(("embed.", "encoder.0.")) for name in moved)
    assert any(name.startswith("decoder.0.") for name in moved)


def test_a_tokenizer_whose_encoder_stays_put_keeps_its_tokens(tokenizer: KronosTokenizer) -> None:
    x = torch.randn(2, 30, 6, generator=torch.Generator().manual_seed(1))
    tokens, before = tokenizer.encode(x), copied(tokenizer)
    learn(adapt(tokenizer, frozen(1), "tokenizer"))
    assert torch.equal(tokenizer.encode(x), tokens)
    assert {name.partition(".")[0] for name in changed(tokenizer, before)} == {
        "post_quant_embed_pre",
        "post_quant_embed",
        "decoder",
        "head",
    }


@pytest.mark.parametrize(("stage", "there"), [("predictor", 2), ("tokenizer", 1)])
def test_more_frozen_layers_than_there_are_is_an_error(
    stage: StageName, there: int, predictor: Kronos, tokenizer: KronosTokenizer
) -> None:
    model = predictor if stage == "predictor" else tokenizer
    message = f"method.frozen_layers is 3, but the {stage} has only {there} blocks"
    with pytest.raises(ConfigError, match=message):
        adapt(model, frozen(3), stage)


def test_only_adapters_are_trained_beside_frozen_weights(predictor: Kronos) -> None:
    plain = digest(predictor)
    model = adapt(predictor, LORA, "predictor")
    before = copied(model)
    assert digest(merge_adapters(model)) == plain  # adapters begin at zero
    learn(model)
    moved = changed(model, before)
    assert moved
    assert all(".lora_" in name for name in moved)
    attentions = 2 + 1  # blocks and the dependency-aware layer
    assert trained_parameters(model)[0] == attentions * 4 * 2 * 3 * 16


@pytest.mark.parametrize("method", [LORA, EVERYWHERE, FULL, frozen(1)])
def test_merging_gives_a_plain_network_with_the_same_outputs(
    method: MethodConfig, predictor: Kronos, tmp_path: Path
) -> None:
    model = adapt(predictor, method, "predictor")
    start = loss_of(model.eval()).item()
    learn(model.train())
    model.eval()
    plain = merge_adapters(model)
    assert abs(loss_of(model).item() - start) > 0.01
    assert [*plain.state_dict()] == [*Kronos.from_config(ModelConfig(**PREDICTOR)).state_dict()]
    inputs = torch.randint(0, 16, (2, 4, 12))
    stamp = torch.ones(4, 12, 5, dtype=torch.int64)
    with torch.no_grad():
        for ours, theirs in zip(
            model.causal_logits(*inputs, stamp, inputs[0]), plain.causal_logits(*inputs, stamp, inputs[0]), strict=True
        ):
            torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-5)
    save_checkpoint(tmp_path, plain.config, plain)
    assert digest(Kronos.from_pretrained(tmp_path)) == digest(plain)


def test_the_tokenizer_takes_adapters_too(tokenizer: KronosTokenizer, tmp_path: Path) -> None:
    model = adapt(tokenizer, LORA, "tokenizer")
    learn(model)
    plain = merge_adapters(model)
    x = torch.randn(4, 12, 6)
    with torch.no_grad():
        for ours, theirs in zip(model.eval()(x)[0], plain(x)[0], strict=True):
            torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-5)
    save_checkpoint(tmp_path, plain.config, plain)
    assert digest(KronosTokenizer.from_pretrained(tmp_path)) == digest(plain)


def test_merging_leaves_the_network_in_training(predictor: Kronos) -> None:
    model = adapt(predictor, LORA, "predictor")
    learn(model)
    before = digest(model)
    plain = merge_adapters(model)
    learn(plain)  # shares no memory
    assert digest(model) == before
    assert model.training


def test_adapters_begin_the_same_for_the_same_seed_and_leave_other_draws_alone() -> None:
    def first(seed: int) -> str:
        torch.manual_seed(4)
        model = adapt(Kronos.from_config(ModelConfig(**PREDICTOR)), LORA, "predictor", seed)
        draws.append(torch.rand(1).item())
        return digest(model)

    draws: list[float] = []
    assert first(1) == first(1) != first(2)
    assert len(set(draws)) == 1


def test_targets_that_match_nothing_are_an_error_that_names_what_there_is(predictor: Kronos) -> None:
    method = MethodConfig.model_validate({"kind": "lora", "lora": {"targets": ["q_proj", "query"]}})
    with pytest.raises(ConfigError, match=r"no linear layer named query; there are .*k_proj, .*w1, w2, w3"):
        adapt(predictor, method, "predictor")
    method = MethodConfig.model_validate({"kind": "lora", "lora": {"targets": ["emb_s1"]}})  # no linear layer
    with pytest.raises(ConfigError, match="no linear layer named emb_s1"):
        adapt(predictor, method, "predictor")


def test_adapters_of_the_published_small_are_at_most_a_twentieth_of_its_parameters() -> None:
    with torch.device("meta"):
        small = Kronos.from_config(ModelConfig())
    trained, total = trained_parameters(adapt(small, MethodConfig(kind="lora"), "predictor"))
    assert trained == 9 * 4 * 2 * 8 * 512
    assert total == 24_741_376 + trained
    assert trained <= 0.05 * total


@pytest.mark.parametrize("method", [FULL, LORA])
def test_recomputed_activations_give_the_same_gradients_with_dropout(method: MethodConfig, predictor: Kronos) -> None:
    model = adapt(predictor, method, "predictor").train()
    gradients: list[dict[str, Tensor]] = []
    for change in (lambda _: None, checkpoint_activations):
        change(model)
        model.zero_grad()
        loss_of(model).backward()
        gradients.append({name: p.grad.clone() for name, p in model.named_parameters() if p.grad is not None})
    kept, recomputed = gradients
    assert kept.keys() == recomputed.keys()
    for name, gradient in kept.items():
        torch.testing.assert_close(recomputed[name], gradient, rtol=0, atol=0)


def saved_bytes(work: Callable[[], object]) -> int:
    """Return the bytes of different tensors that are kept for gradients."""
    seen: dict[int, int] = {}

    def keep(tensor: Tensor) -> Tensor:
        seen[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        held = work()
    assert held is not None
    return sum(seen.values())


def test_recomputed_activations_are_not_kept_and_names_stay(predictor: Kronos, tokenizer: KronosTokenizer) -> None:
    for model in (predictor, tokenizer):
        names = [*model.state_dict()]
        before = saved_bytes(lambda model=model: loss_of(model))
        checkpoint_activations(model)
        checkpoint_activations(model)  # once is enough
        assert saved_bytes(lambda model=model: loss_of(model)) < 0.6 * before
        assert [*model.state_dict()] == names
        plain = merge_adapters(model)
        assert not any("forward" in vars(block) for block in blocks(plain))
        with torch.no_grad():
            torch.testing.assert_close(loss_of(model.eval()), loss_of(plain))

"""Memory of a run is known before anything is loaded, and what does not fit is refused."""

from typing import Any

import pytest
import torch

from engine.config import ModelConfig, TokenizerConfig
from engine.tokenizer import KronosTokenizer
from engine.transformer import Kronos
from training.__main__ import main
from training.errors import ConfigError
from training.fit.stages import TokenizerStage, cross_entropies
from training.run import footprint as module
from training.run.config import ReconstructionConfig, RunConfig
from training.run.footprint import check_memory, footprint

GB = 1_000_000_000
SHAPE = {"n_layers": 2, "d_model": 128, "ff_dim": 256, "n_heads": 4}


def config(base: dict[str, Any] | None = None, **sections: Any) -> RunConfig:
    scratch = {"model": None, "shape": SHAPE, "tokenizer_shape": {"d_model": 64, "ff_dim": 128}}
    data = {"source": "files", "paths": ["a.csv"]}
    return RunConfig.model_validate({"data": data, "base": base or scratch, **sections})


def kept(network: torch.nn.Module, loss: Any) -> int:
    """Return the numbers that torch keeps for the backward pass, weights not counted."""
    sizes: dict[int, int] = {}

    def pack(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        sizes[storage.data_ptr()] = storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        result = loss()
    assert result is not None
    own = {parameter.untyped_storage().data_ptr() for parameter in network.parameters()}
    return sum(size for place, size in sizes.items() if place not in own) // 4


@pytest.mark.parametrize("dropout", [0.0, 0.1])
@pytest.mark.parametrize("shape", [SHAPE, SHAPE | {"n_layers": 3, "d_model": 256, "ff_dim": 512}])
def test_activations_of_the_predictor_are_those_that_torch_keeps(shape: dict[str, int], dropout: float) -> None:
    drops = {f"{part}_dropout_p": dropout for part in ("ffn", "attn", "resid", "token")}
    settings = ModelConfig(**shape, **drops)
    network = Kronos(**vars(settings)).train()
    rows, size = 2, 128
    s1, s2 = (torch.randint(0, 1024, (rows, size)) for _ in range(2))
    stamp, places = torch.zeros(rows, size, 5, dtype=torch.long), torch.arange(rows * (size - 1))
    real = kept(network, lambda: cross_entropies(network, s1, s2, stamp, places))
    window = {"lookback": size - 24, "horizon": 24}
    # Logits count three times: their gradients, and what the cross-entropy works with, come on top.
    estimated = rows * size * (module._predictor_floats(settings, config(window=window)) - 2 * module._codes(settings))
    assert 0.95 * real < estimated < 1.3 * real


def test_activations_of_the_tokenizer_are_those_that_torch_keeps() -> None:
    settings = TokenizerConfig(d_model=128, ff_dim=256, n_enc_layers=2, n_dec_layers=2)
    network = KronosTokenizer(**{name: value for name, value in vars(settings).items() if name != "shared_deviation"})
    stage = TokenizerStage(network.train(), ReconstructionConfig())
    x, ones = torch.randn(2, 128, 6), torch.ones(2, 6)
    real = kept(network, lambda: stage.objective(x, ones, ones, torch.tensor(2.0)))
    estimated = 2 * 128 * module._tokenizer_floats(settings, config())
    assert real < 1.1 * estimated
    assert estimated < 1.3 * real


def test_parameters_are_counted() -> None:
    settings = ModelConfig()
    real = sum(parameter.numel() for parameter in Kronos(**vars(settings)).parameters())
    assert module._parameters(settings) == pytest.approx(real, rel=0.02)


@pytest.mark.parametrize(
    ("sections", "words"),
    [
        ({"base": {"model": None, "shape": SHAPE | {"n_layers": 64, "d_model": 16384, "ff_dim": 49152},
                   "tokenizer_shape": {}}}, ("GB", "weights", "d_model")),
        ({"predictor": {"batch": 4096}, "window": {"lookback": 400, "horizon": 100}}, ("GB", "predictor.batch")),
        ({"predictor": None, "tokenizer": {"batch": 4096}, "window": {"lookback": 400, "horizon": 100}},
         ("GB", "tokenizer.batch", "tokenizer.accumulate")),
        ({"base": {"model": "kronos-nano"}, "predictor": {"batch": 4096}, "window": {"lookback": 400, "horizon": 100}},
         ("GB", "predictor.batch")),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_refused_with_the_estimate_and_a_remedy(
    sections: dict[str, Any], words: tuple[str, ...]
) -> None:
    with pytest.raises(ConfigError) as caught:
        check_memory(config(**sections), 8 * GB)
    assert "limit is 8.0 GB" in str(caught.value)
    for word in words:
        assert word in str(caught.value)


@pytest.mark.parametrize(
    "sections",
    [
        {"base": {"model": "kronos-nano"}},
        {"base": {"model": "kronos-nano"}, "tokenizer": {}},
        {"predictor": {"batch": 4096, "accumulate": 256}, "window": {"lookback": 400, "horizon": 100}},
    ],
)
def test_what_fits_is_let_through(sections: dict[str, Any]) -> None:
    check_memory(config(**sections), 8 * GB)


def test_a_model_that_is_not_on_this_machine_is_not_judged(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    base = {"model": "nobody/nothing", "tokenizer": "nobody/nothing"}
    assert footprint(config(base=base), "predictor") is None


def test_the_command_line_refuses_it_as_well(
    tmp_path: Any, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KRONOS_RUN_MEMORY_MB", "1000")
    (tmp_path / "run.yaml").write_text("data: {source: files, paths: [a.csv]}\npredictor: {batch: 4096}\n")
    with pytest.raises(SystemExit) as ended:
        main(["all", str(tmp_path / "run.yaml"), "--out", str(tmp_path / "run")])
    assert ended.value.code == 2
    assert "the limit is 1.0 GB" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()

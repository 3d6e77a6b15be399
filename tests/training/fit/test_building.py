"""What training begins with: found, made, and refused in words."""

from __future__ import annotations

import json
from datetime import date, datetime
from pathlib import Path
from typing import Any

import pytest
import torch

from engine.errors import CheckpointError
from engine.loading.checkpoint import digest
from engine.loading.registry import REGISTRY
from engine.tokenizer import KronosTokenizer
from engine.transformer import Kronos
from tests.training.conftest import PREDICTOR, TOKENIZER
from training.errors import ConfigError
from training.fit.building import build_base
from training.run.config import RunConfig


def beginning(**base: Any) -> RunConfig:
    data = {"source": "files", "paths": ["candles.csv"]}
    return RunConfig.model_validate({"name": "my run", "data": data, "base": base, "seed": 5})


@pytest.fixture
def folders(tmp_path: Path, predictor: Kronos, tokenizer: KronosTokenizer) -> Path:
    """An exported run: a folder of both networks."""
    predictor.save_pretrained(tmp_path / "export" / "model")
    tokenizer.save_pretrained(tmp_path / "export" / "tokenizer")
    return tmp_path / "export"


def test_a_registry_model_brings_its_tokenizer_and_context() -> None:
    base = build_base(beginning(model="kronos-nano"))
    assert (base.name, base.max_context, base.spec) == ("kronos-nano", 512, REGISTRY["kronos-nano"])
    assert base.digest == digest(base.predictor, base.tokenizer)
    assert (base.predictor.s1_bits, base.predictor.s2_bits) == (base.tokenizer.s1_bits, base.tokenizer.s2_bits)
    assert base.trained_until is None


@pytest.mark.parametrize("asked", [None, False, True])
def test_one_deviation_of_all_prices_is_asked_for_or_left_as_it_is(folders: Path, asked: bool | None) -> None:
    tokenizer = build_base(beginning(model=str(folders), shared_deviation=asked)).tokenizer
    assert tokenizer.config.shared_deviation is bool(asked)
    tokenizer.save_pretrained(folders / "tokenizer")
    again = build_base(beginning(model=str(folders))).tokenizer
    assert again.config.shared_deviation is bool(asked)


def test_fresh_networks_follow_from_shape_and_seed() -> None:
    config = beginning(model=None, shape=PREDICTOR, tokenizer_shape=TOKENIZER, trained_until=datetime(2024, 2, 29))
    one = build_base(config)
    torch.manual_seed(99)
    before = torch.get_rng_state()
    again = build_base(config)
    assert torch.equal(torch.get_rng_state(), before)
    other = build_base(config.model_copy(update={"seed": 6}))
    assert one.digest == again.digest != other.digest
    assert (one.name, one.spec, one.trained_until) == ("my run", None, date(2024, 2, 29))


def test_codes_may_begin_as_sums_over_their_bits() -> None:
    shape = PREDICTOR | {"d_model": 64, "n_heads": 4, "s1_bits": 6, "s2_bits": 5}
    tokenizer = TOKENIZER | {"s1_bits": 6, "s2_bits": 5}
    plain = build_base(beginning(model=None, shape=shape, tokenizer_shape=tokenizer)).predictor
    begun = build_base(beginning(model=None, shape=shape, tokenizer_shape=tokenizer, by_bits=True)).predictor
    for table in ("embedding.emb_s1", "embedding.emb_s2", "head.proj_s1", "head.proj_s2"):
        before, after = (model.get_submodule(table).weight for model in (plain, begun))
        assert after.std().item() == pytest.approx(before.std().item(), rel=0.2)
        # Codes 0 and 1 differ in the lowest bit alone, and so do 2 and 3: the step between them is the same.
        torch.testing.assert_close(after[1] - after[0], after[3] - after[2])
        assert not torch.allclose(before[1] - before[0], before[3] - before[2])
    assert torch.equal(begun.embedding.fusion_proj.weight, plain.embedding.fusion_proj.weight)


def test_a_fresh_predictor_may_use_a_known_tokenizer() -> None:
    shape = PREDICTOR | {"s1_bits": 10, "s2_bits": 10}
    base = build_base(beginning(model="kronos-nano", shape=shape))
    known = KronosTokenizer.from_pretrained(REGISTRY["kronos-nano"].tokenizer_id)
    assert digest(base.tokenizer) == digest(known)
    assert (base.name, base.spec, base.predictor.config.d_model) == ("my run", None, 16)


def test_folders_of_networks_are_loaded(folders: Path, predictor: Kronos, tokenizer: KronosTokenizer) -> None:
    base = build_base(beginning(model=str(folders / "model"), tokenizer=str(folders / "tokenizer")))
    assert base.digest == digest(predictor, tokenizer)
    assert (base.name, base.max_context) == ("model", 512)


def test_an_exported_run_is_one_folder(folders: Path, predictor: Kronos, tokenizer: KronosTokenizer) -> None:
    about = {"name": "first try", "max_context": 96, "trained_until": "2023-05-31T00:00:00"}
    (folders / "kronos.json").write_text(json.dumps(about))
    base = build_base(beginning(model=str(folders)))
    assert base.digest == digest(predictor, tokenizer)
    assert (base.name, base.max_context, base.trained_until) == ("first try", 96, date(2023, 5, 31))
    (folders / "kronos.json").write_text("{")
    with pytest.raises(ConfigError, match=r"kronos\.json cannot be read"):
        build_base(beginning(model=str(folders)))


def test_networks_of_different_bits_are_refused(folders: Path) -> None:
    with pytest.raises(ConfigError, match=r"reads tokens of 10 \+ 10 bits and the tokenizer writes 4 \+ 4"):
        build_base(beginning(model="kronos-nano", tokenizer=str(folders / "tokenizer")))


def test_a_missing_model_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="The tokenizer of no-such-model is unknown"):
        build_base(beginning(model="no-such-model"))
    with pytest.raises(CheckpointError, match="'no-such-model' is neither an existing folder nor a Hub id"):
        build_base(beginning(model="no-such-model", tokenizer_shape=TOKENIZER))
    with pytest.raises(ConfigError, match=r"There is no tokenizer: set base\.tokenizer"):
        build_base(beginning(model=None, shape=PREDICTOR))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"n_layer": 2}, r"base\.shape is not a valid network: .*unknown n_layer"),
        ({"d_model": "wide"}, "d_model is 'wide', but must be of type int"),
        ({"d_model": 18}, "d_model=18 must be a multiple of"),
        ({"n_layers": 0}, "n_layers=0 must be at least 1"),
    ],
)
def test_an_impossible_shape_is_named(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        build_base(beginning(model=None, shape=PREDICTOR | change, tokenizer_shape=TOKENIZER))


def test_missing_entries_of_a_shape_are_named() -> None:
    shape = {name: value for name, value in TOKENIZER.items() if name not in {"zeta", "d_in"}}
    with pytest.raises(ConfigError, match=r"base\.tokenizer_shape .*lacks d_in, zeta"):
        build_base(beginning(model=None, shape=PREDICTOR, tokenizer_shape=shape))

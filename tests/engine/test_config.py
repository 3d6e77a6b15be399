"""Defaults are promises: checkpoints and scripts rely on them."""

from __future__ import annotations

import inspect
import json
from dataclasses import asdict, fields
from typing import Any

import pytest

from engine.config import UNPUBLISHED, ModelConfig, TokenizerConfig
from engine.errors import CheckpointError
from engine.predictor import KronosPredictor
from engine.sampling import Settings
from engine.tokenizer import KronosTokenizer
from engine.transformer import Kronos
from tests.engine.conftest import GOLDEN

PUBLISHED = json.loads((GOLDEN / "published_checkpoints.json").read_text())


@pytest.mark.parametrize(
    ("config", "repository"),
    [(TokenizerConfig(), "NeoQuasar/Kronos-Tokenizer-base"), (ModelConfig(), "NeoQuasar/Kronos-small")],
)
def test_defaults_are_those_of_a_published_checkpoint(config: Any, repository: str) -> None:
    ours = {name: value for name, value in asdict(config).items() if name in UNPUBLISHED}
    assert asdict(config) == PUBLISHED[repository]["config"] | ours
    assert not any(ours.values())


@pytest.mark.parametrize(("network", "config"), [(Kronos, ModelConfig), (KronosTokenizer, TokenizerConfig)])
def test_a_network_takes_the_fields_of_its_config_in_the_published_order(network: Any, config: Any) -> None:
    assert list(inspect.signature(network).parameters) == [field.name for field in fields(config)]


def test_the_published_arguments_of_predict_keep_their_names_order_and_defaults() -> None:
    def defaults(method: Any) -> dict[str, Any]:
        return {name: p.default for name, p in inspect.signature(method).parameters.items() if p.default is not p.empty}

    expected = {"T": 1.0, "top_k": 0, "top_p": 0.9, "sample_count": 1, "verbose": True}
    assert defaults(KronosPredictor.predict) == defaults(KronosPredictor.predict_batch) == expected
    assert list(inspect.signature(KronosPredictor.predict).parameters)[1:5] == [
        "df",
        "x_timestamp",
        "y_timestamp",
        "pred_len",
    ]
    assert list(inspect.signature(KronosPredictor.predict_batch).parameters)[1:5] == [
        "df_list",
        "x_timestamp_list",
        "y_timestamp_list",
        "pred_len",
    ]
    assert list(inspect.signature(KronosPredictor).parameters)[:5] == [
        "model",
        "tokenizer",
        "device",
        "max_context",
        "clip",
    ]
    assert {field.name: field.default for field in fields(Settings)} == {
        "samples": 100,
        "temperature": 1.0,
        "top_k": 0,
        "top_p": 1.0,
        "seed": None,
        "window": "fit",
        "stride": 64,
    }


@pytest.mark.parametrize(
    ("config", "values", "message"),
    [
        (ModelConfig, {"n_layers": 0}, "n_layers=0 must be at least 1"),
        (ModelConfig, {"n_layers": 10_000}, "n_layers=10000 must be at most"),
        (ModelConfig, {"s1_bits": 0}, "s1_bits=0 must lie between 1 and 20"),
        (ModelConfig, {"s2_bits": 40}, "s2_bits=40"),
        (ModelConfig, {"ffn_dropout_p": 1.0}, r"ffn_dropout_p=1\.0 must lie in \[0, 1\)"),
        (ModelConfig, {"d_model": 36, "n_heads": 1}, "d_model=36 must be a multiple of 8"),
        (ModelConfig, {"d_model": 40, "n_heads": 8}, "2 x n_heads=16"),
        (TokenizerConfig, {"n_enc_layers": 0}, "n_enc_layers=0"),
        (TokenizerConfig, {"group_size": 0}, "group_size=0"),
        (TokenizerConfig, {"d_model": 30, "n_heads": 2}, "d_model=30"),
    ],
)
def test_a_shape_that_cannot_be_built_names_its_field(config: Any, values: dict[str, Any], message: str) -> None:
    with pytest.raises(CheckpointError, match=message):
        config(**values)

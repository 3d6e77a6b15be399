"""Compiling is an option: it changes nothing, and nothing fails where it cannot."""

from __future__ import annotations

import logging
import shutil

import numpy as np
import pandas as pd
import pytest
import torch

from engine.predictor import KronosPredictor
from engine.tokenizer import KronosTokenizer
from engine.transformer import Kronos


def closes(predictor: KronosPredictor, candles: pd.DataFrame) -> np.ndarray:
    times = candles["timestamps"]
    df = candles.drop(columns="timestamps")[:40]
    return predictor.forecast(df, times[:40], times[40:44], samples=2, seed=1).paths


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of what torch.compile imports
@pytest.mark.skipif(shutil.which("g++") is None, reason="needs a C++ compiler")
def test_a_compiled_model_forecasts_the_same(model: Kronos, tokenizer: KronosTokenizer, candles: pd.DataFrame) -> None:
    plain, compiled = (KronosPredictor(model, tokenizer, "cpu", max_context=64, compiled=on) for on in (False, True))
    np.testing.assert_allclose(closes(compiled, candles), closes(plain, candles), rtol=1e-4)


def test_without_a_compiler_the_forecast_goes_on_and_says_so(
    model: Kronos, tokenizer: KronosTokenizer, candles: pd.DataFrame, monkeypatch, caplog
) -> None:
    def broken(function: object, **_: object) -> object:
        def fail(*args: object) -> object:
            raise RuntimeError("no C++ compiler was found")

        return fail

    monkeypatch.setattr(torch, "compile", broken)
    predictor = KronosPredictor(model, tokenizer, "cpu", max_context=64, compiled=True)
    with caplog.at_level(logging.WARNING, "engine.compiling"):
        paths = closes(predictor, candles)
    monkeypatch.undo()
    assert [record.getMessage() for record in caplog.records] == [
        "torch.compile failed, continuing without it: no C++ compiler was found"
    ] * 2
    expected = closes(KronosPredictor(model, tokenizer, "cpu", max_context=64), candles)
    np.testing.assert_allclose(paths, expected, rtol=1e-4)

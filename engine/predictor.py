"""The public predictor: loading, the published interface, and forecasts that keep every path."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from tqdm.auto import tqdm

from engine.arguments import check_callback, check_count, check_number
from engine.base import DEFAULT_CONTEXT, BasePredictor
from engine.batch import Batch, Task
from engine.candles import FEATURES
from engine.device import resolve_device
from engine.errors import CheckpointError, InputError
from engine.forecast import Forecast
from engine.generate import OnStep
from engine.inputs import Times, check_all_series, check_series
from engine.loading.registry import REGISTRY, find_spec
from engine.packed import Precision
from engine.sampling import MAX_SAMPLES, Settings
from engine.tokenizer import KronosTokenizer
from engine.transformer import Kronos

DEFAULT_MODEL = "kronos-nano"


class KronosPredictor(BasePredictor):
    """A tokenizer and a predictor, ready to forecast; for its constructor see `BasePredictor`.

    `predict` and `predict_batch` are the published package's; `forecast` and `forecast_batch` keep every path.
    """

    @classmethod
    def from_pretrained(
        cls,
        name: str | Path | None = None,
        *,
        tokenizer: str | Path | None = None,
        revision: str | None = None,
        device: str | torch.device | int | None = None,
        max_context: int | None = None,
        weights: Precision = "float32",
        compiled: bool = False,
    ) -> KronosPredictor:
        """Load a model with its tokenizer.

        Parameters
        ----------
        name
            A registry name (`kronos-nano`, `kronos-mini`, `kronos-small`, `kronos-base`), a Hub id or a folder; None is
            the bundled kronos-nano.
        tokenizer
            Hub id or folder; required for a model that is not in the registry.
        revision
            Branch, tag or commit of the model's repository.
        max_context
            None takes the registry's value, or 512 for a model that is not in the registry.
        device, weights, compiled
            See `KronosPredictor`.

        Raises
        ------
        InputError
            A setting is invalid, or this machine does not have the device.
        HubError
            A checkpoint cannot be downloaded.
        CheckpointError
            A checkpoint is damaged, or model and tokenizer do not fit together.
        """
        device = resolve_device(device)  # before anything is downloaded
        name = DEFAULT_MODEL if name is None else name
        spec = find_spec(name)
        if spec is None and tokenizer is None:
            names = ", ".join(REGISTRY)
            raise CheckpointError(f"No tokenizer is known for {name}: pass tokenizer=..., or use one of {names}.")
        tokenizer_revision = None
        if spec is not None:
            revision = spec.revision if revision is None else revision
            if tokenizer is None:
                tokenizer, tokenizer_revision = spec.tokenizer_id, spec.tokenizer_revision
            max_context = spec.max_context if max_context is None else max_context
        assert tokenizer is not None
        return cls(
            Kronos.from_pretrained(spec.model_id if spec else name, revision=revision),
            KronosTokenizer.from_pretrained(tokenizer, revision=tokenizer_revision),
            device,
            DEFAULT_CONTEXT if max_context is None else max_context,
            name=spec.name if spec else Path(name).name,
            weights=weights,
            compiled=compiled,
        )

    def predict(
        self,
        df: pd.DataFrame,
        x_timestamp: Times,
        y_timestamp: Times,
        pred_len: int,
        T: float = 1.0,
        top_k: int | None = 0,
        top_p: float = 0.9,
        sample_count: int = 1,
        verbose: bool = True,
    ) -> pd.DataFrame:
        """Return the mean of `sample_count` paths, as the published package's `predict` computes it.

        The mean is taken of unrepaired candles and loses their spread; `forecast` keeps both. Random numbers come from
        PyTorch's global generator (`torch.manual_seed`).

        Returns
        -------
        pandas.DataFrame
            `pred_len` rows of open, high, low, close, volume, amount, indexed by `y_timestamp`.

        Raises
        ------
        InputError
            Candles, timestamps or settings are invalid.
        """
        lists = [df], [x_timestamp], [y_timestamp]
        return self.predict_batch(*lists, pred_len, T, top_k, top_p, sample_count, verbose)[0]

    def predict_batch(
        self,
        df_list: Sequence[pd.DataFrame],
        x_timestamp_list: Sequence[Times],
        y_timestamp_list: Sequence[Times],
        pred_len: int,
        T: float = 1.0,
        top_k: int | None = 0,
        top_p: float = 0.9,
        sample_count: int = 1,
        verbose: bool = True,
    ) -> list[pd.DataFrame]:
        """Return `predict` of several series of equal length, drawn together."""
        pred_len = check_count(pred_len, "pred_len", 0)
        samples = check_count(sample_count, "sample_count", 1, MAX_SAMPLES)
        temperature = check_number(T, "T", 0)
        settings = Settings(
            samples=samples, temperature=temperature, top_k=top_k, top_p=top_p, seed=0, window="exact", stride=1
        )
        series = check_all_series(df_list, x_timestamp_list, y_timestamp_list)
        if not series:
            raise InputError("predict_batch needs at least one series.")
        if len({len(inputs.values) for inputs in series}) > 1:
            raise InputError("predict_batch needs series of equal length; forecast_batch takes any.")
        for inputs in series:
            if len(inputs.future) != pred_len:
                raise InputError(
                    f"pred_len={pred_len}, but y_timestamp has {len(inputs.future)} entries: give one for each candle."
                )
        batch = Batch(self, [self._plan(inputs, settings) for inputs in series], shared_generator=True)
        with tqdm(total=pred_len, disable=not verbose) as bar:
            while batch.active:
                batch.advance()
                bar.update()
        return [
            pd.DataFrame(batch.paths(i).mean(axis=0), index=inputs.future, columns=list(FEATURES))
            for i, inputs in enumerate(series)
        ]

    def forecast(
        self,
        df: pd.DataFrame,
        x_timestamp: Times,
        y_timestamp: Times,
        *,
        on_step: OnStep | None = None,
        **settings: Any,
    ) -> Forecast:
        """Draw paths of one series and return them all.

        Parameters
        ----------
        df
            History: columns open, high, low, close, optionally volume and amount; finite, prices above zero.
        x_timestamp, y_timestamp
            Times of the history and of the candles to forecast, ascending.
        on_step
            Called after each step with (done, total); may raise to cancel.
        settings
            See `Settings`: samples, temperature, top_k, top_p, seed, window, stride.

        Raises
        ------
        InputError
            Candles, timestamps or settings are invalid; raised before anything is computed.
        """
        check_callback(on_step)
        task = self.task(df, x_timestamp, y_timestamp, **settings)
        batch = self.begin([task])
        while batch.active:
            batch.advance()
            if on_step:
                on_step(batch.steps(0), task.horizon)
        return batch.result(0)

    def forecast_batch(
        self,
        df_list: Sequence[pd.DataFrame],
        x_timestamp_list: Sequence[Times],
        y_timestamp_list: Sequence[Times],
        *,
        on_step: OnStep | None = None,
        **settings: Any,
    ) -> list[Forecast]:
        """Return `forecast` of each series, of any lengths; each equals the forecast of the series alone with its seed.

        Series are drawn together in batches of nearly equal length within `memory_budget`.
        """
        check_callback(on_step)
        checked = Settings(**settings)
        series = check_all_series(df_list, x_timestamp_list, y_timestamp_list, positive=True)
        tasks = [self._plan(inputs, checked) for inputs in series]
        total, done = sum(task.horizon for task in tasks), 0
        forecasts: dict[int, Forecast] = {}
        for indices in self.group(tasks):
            batch = self.begin([tasks[i] for i in indices])
            while batch.active:
                done += len(batch.active)
                batch.advance()
                if on_step:
                    on_step(done, total)
            forecasts |= {index: batch.result(place) for place, index in enumerate(indices)}
        return [forecasts[i] for i in range(len(tasks))]

    def task(
        self, df: pd.DataFrame, x_timestamp: Times, y_timestamp: Times, *, name: str = "the series", **settings: Any
    ) -> Task:
        """Return the checked arguments of `forecast`, which `begin` takes; `name` is the series' name in errors."""
        checked = Settings(**settings)
        return self._plan(check_series(df, x_timestamp, y_timestamp, name=name, positive=True), checked)

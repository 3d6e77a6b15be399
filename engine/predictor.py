"""From candles to forecasts: the published predictor's interface, and one that keeps every path."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import NoReturn

import numpy as np
import pandas as pd
import torch
from torch import Tensor
from tqdm.auto import tqdm

from engine.candles import CLIP, CLOSE, FEATURES, LOW, PRICE_FLOOR, Normaliser, repair_paths, time_marks
from engine.checkpoint import digest
from engine.errors import CheckpointError, InputError
from engine.forecast import Forecast
from engine.generate import OnStep, decode_tail, generate
from engine.inputs import Series, Times, check_series
from engine.registry import REGISTRY, find_spec
from engine.sampling import Sampling
from engine.tokenizer import KronosTokenizer
from engine.transformer import Kronos

DEFAULT_MODEL = "kronos-nano"
DEFAULT_CONTEXT = 512
MAX_SAMPLES = 10_000
FEWEST_CANDLES = 2  # one alone has no deviation to scale by


class KronosPredictor:
    """A tokenizer and a predictor, ready to forecast. Threads may share one: no state of a call is kept on it.

    Parameters
    ----------
    model, tokenizer
        Networks whose `s1_bits` and `s2_bits` agree.
    device
        Where to compute; None picks CUDA, then MPS, then the CPU.
    max_context
        Most candles the model sees, history and forecast together.
    clip
        Bound of the normalised input.
    name
        Shown with forecasts.
    """

    def __init__(
        self,
        model: Kronos,
        tokenizer: KronosTokenizer,
        device: str | torch.device | None = None,
        max_context: int = DEFAULT_CONTEXT,
        clip: float = CLIP,
        *,
        name: str = "custom",
    ) -> None:
        for bits in ("s1_bits", "s2_bits"):
            if getattr(model, bits) != getattr(tokenizer, bits):
                raise CheckpointError(
                    f"The model has {bits}={getattr(model, bits)} and the tokenizer {bits}={getattr(tokenizer, bits)}: "
                    "they were not trained together."
                )
        if max_context < 2:
            raise InputError(
                f"max_context={max_context} must be at least 2: one candle of history and one of forecast."
            )
        self.device = torch.device(device) if device else best_device()
        self.model = model.to(self.device).eval()
        self.tokenizer = tokenizer.to(self.device).eval()
        self.max_context, self.clip, self.name = max_context, clip, name

    @classmethod
    def from_pretrained(
        cls,
        name: str | Path | None = None,
        *,
        tokenizer: str | Path | None = None,
        revision: str | None = None,
        device: str | torch.device | None = None,
        max_context: int | None = None,
    ) -> KronosPredictor:
        """Load a model with its tokenizer.

        Parameters
        ----------
        name
            A registry name (`kronos-nano`, `kronos-mini`, `kronos-small`, `kronos-base`), a Hub id or a folder; None
            is the bundled kronos-nano.
        tokenizer
            Hub id or folder; needed where the registry does not know the model's own.
        revision
            Branch, tag or commit of the model's repository.
        max_context
            Overrides the registry's; 512 for a model it does not know.

        Raises
        ------
        HubError
            Where a checkpoint cannot be fetched.
        CheckpointError
            Where one is damaged, or the two do not fit.
        """
        name = name or DEFAULT_MODEL
        spec = find_spec(name)
        if tokenizer is None and spec is None:
            known = ", ".join(REGISTRY)
            raise CheckpointError(f"No tokenizer is known for {name}: pass tokenizer=..., or use one of {known}.")
        model = Kronos.from_pretrained(
            spec.model_id if spec else name, revision=revision or (spec.revision if spec else None)
        )
        if tokenizer is None and spec is not None:
            codec = KronosTokenizer.from_pretrained(spec.tokenizer_id, revision=spec.tokenizer_revision)
        else:
            codec = KronosTokenizer.from_pretrained(str(tokenizer))
        context = max_context or (spec.max_context if spec else DEFAULT_CONTEXT)
        return cls(model, codec, device, context, name=spec.name if spec else Path(name).name)

    @cached_property
    def digest(self) -> str:
        """Return the SHA-256 of both networks' weights."""
        return digest(self.model, self.tokenizer)

    def predict(
        self,
        df: pd.DataFrame,
        x_timestamp: Times,
        y_timestamp: Times,
        pred_len: int,
        T: float = 1.0,
        top_k: int = 0,
        top_p: float = 0.9,
        sample_count: int = 1,
        verbose: bool = True,
    ) -> pd.DataFrame:
        """Return the mean over `sample_count` paths, as the published package's `predict` computes it.

        The mean is taken of unrepaired candles and its spread is lost: `forecast` keeps both. Draws come from PyTorch's
        global generator (`torch.manual_seed`).

        Returns
        -------
        pandas.DataFrame
            `pred_len` rows of open, high, low, close, volume, amount, indexed by `y_timestamp`.

        Raises
        ------
        InputError
            Where candles, timestamps or settings cannot be forecast.
        """
        return self.predict_batch([df], [x_timestamp], [y_timestamp], pred_len, T, top_k, top_p, sample_count, verbose)[
            0
        ]

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
        """Return `predict` of several series of one length, drawn together."""
        _check_lists(df_list, x_timestamp_list, y_timestamp_list)
        if not df_list:
            raise InputError("predict_batch needs at least one series.")
        how = Sampling(T, top_k or 0, top_p)
        series = [
            check_series(*one, name=f"series {i}" if len(df_list) > 1 else "the series")
            for i, one in enumerate(zip(df_list, x_timestamp_list, y_timestamp_list, strict=True))
        ]
        if len({len(s.values) for s in series}) > 1:
            raise InputError("predict_batch needs series of one length; forecast_batch takes any.")
        for s in series:
            if len(s.future) != pred_len:
                raise InputError(f"pred_len={pred_len}, but y_timestamp has {len(s.future)} entries.")
        self._check_horizon(pred_len, sample_count)
        with tqdm(total=pred_len, disable=not verbose) as bar:
            raw = self._paths(series, sample_count, how, None, lambda done, _: _move(bar, done))
        return [
            pd.DataFrame(paths.mean(axis=0), index=s.future, columns=list(FEATURES))
            for paths, s in zip(raw, series, strict=True)
        ]

    def forecast(
        self,
        df: pd.DataFrame,
        x_timestamp: Times,
        y_timestamp: Times,
        *,
        samples: int = 100,
        temperature: float = 1.0,
        top_k: int = 0,
        top_p: float = 1.0,
        seed: int | None = None,
        window: str = "fit",
        on_step: OnStep | None = None,
    ) -> Forecast:
        """Draw `samples` paths and keep them all.

        Parameters
        ----------
        df
            History: columns open, high, low, close, optionally volume and amount; finite, prices above zero.
        x_timestamp, y_timestamp
            Times of the history and of the candles to forecast, ascending.
        temperature, top_k, top_p
            See `Sampling`.
        seed
            The same seed gives the same paths, whatever else runs in the process; None draws one and records it.
        window
            `fit` cuts the history so that it fits the model's context together with the horizon; `exact` slides as the
            published implementation does, at the price of computing every window anew.
        on_step
            Called after each step with (done, total); may raise to cancel.

        Raises
        ------
        InputError
            Where candles, timestamps or settings cannot be forecast; before anything is computed.
        """
        how = Sampling(temperature, top_k or 0, top_p)
        series = self._prepare((df, x_timestamp, y_timestamp), "the series", samples, window)
        seed = _check_seed(seed)
        generator = torch.Generator(self.device).manual_seed(seed)
        raw = self._paths([series], samples, how, generator, on_step)[0]
        raw[..., [FEATURES.index(name) for name in series.absent]] = (
            0.0  # decoding leaves noise around a zero nobody gave
        )
        floor = PRICE_FLOOR * float(series.values[:, LOW].min())
        paths, repairs = repair_paths(raw, price_floor=floor)
        return Forecast(
            paths=paths,
            raw_paths=raw,
            timestamps=series.future,
            repairs=repairs,
            last_close=float(series.values[-1, CLOSE]),
            history_rows=len(series.values),
            model=self.name,
            digest=self.digest,
            seed=seed,
            settings={
                "samples": samples,
                "temperature": temperature,
                "top_k": how.top_k,
                "top_p": top_p,
                "window": window,
                "max_context": self.max_context,
                "clip": self.clip,
            },
        )

    def forecast_batch(
        self,
        df_list: Sequence[pd.DataFrame],
        x_timestamp_list: Sequence[Times],
        y_timestamp_list: Sequence[Times],
        *,
        samples: int = 100,
        temperature: float = 1.0,
        top_k: int = 0,
        top_p: float = 1.0,
        seed: int | None = None,
        window: str = "fit",
        on_step: OnStep | None = None,
    ) -> list[Forecast]:
        """Return `forecast` of each series, of any lengths; each is what it would be alone with this seed."""
        _check_lists(df_list, x_timestamp_list, y_timestamp_list)
        inputs = list(zip(df_list, x_timestamp_list, y_timestamp_list, strict=True))
        for i, one in enumerate(inputs):  # the last is refused before the first is computed
            self._prepare(one, f"series {i}", samples, window)
        seed = _check_seed(seed)
        total = sum(len(y) for y in y_timestamp_list)
        forecasts: list[Forecast] = []
        for one in inputs:
            before = sum(len(f.timestamps) for f in forecasts)

            def step(done: int, _: int, before: int = before) -> None:
                if on_step:
                    on_step(before + done, total)

            forecasts.append(
                self.forecast(
                    *one,
                    samples=samples,
                    temperature=temperature,
                    top_k=top_k,
                    top_p=top_p,
                    seed=seed,
                    window=window,
                    on_step=step,
                )
            )
        return forecasts

    def _prepare(self, one: tuple[pd.DataFrame, Times, Times], name: str, samples: int, window: str) -> Series:
        """Return one checked series with the history rows that `window` allows."""
        series = check_series(*one, name=name, positive=True)
        self._check_horizon(len(series.future), samples)
        return series.last(self._history_rows(len(series.values), len(series.future), window))

    def _check_horizon(self, horizon: int, samples: int) -> None:
        if not 1 <= horizon <= self.max_context:
            raise InputError(f"The horizon is {horizon} candles; {self.name} can forecast 1 to {self.max_context}.")
        if not 1 <= samples <= MAX_SAMPLES:
            raise InputError(f"samples={samples} must lie between 1 and {MAX_SAMPLES}.")

    def _history_rows(self, rows: int, horizon: int, window: str) -> int:
        if window == "exact":
            return rows
        if window != "fit":
            raise InputError(f"window={window!r} must be 'fit' or 'exact'.")
        room = self.max_context - horizon
        if room < FEWEST_CANDLES:
            raise InputError(
                f"A horizon of {horizon} leaves no room for history in the context of {self.max_context} candles: "
                "shorten it, or pass window='exact'."
            )
        return min(rows, room)

    @torch.inference_mode()
    def _paths(
        self,
        series: Sequence[Series],
        samples: int,
        how: Sampling,
        generator: torch.Generator | None,
        on_step: OnStep | None,
    ) -> np.ndarray:
        """Return decoded candles (S, samples, N, 6) of series of one length and one horizon."""
        # Again at every call: a training loop may have gone on with the same networks, and would bring its dropout.
        self.model.eval()
        self.tokenizer.eval()
        values = np.stack([s.values for s in series])
        scale = Normaliser.fit(values)
        x = self._tensor(scale.apply(values, self.clip))
        stamp = self._tensor(np.stack([time_marks(pd.DatetimeIndex(s.times.append(s.future))) for s in series]))
        tokens = self.tokenizer.encode(x, half=True)
        assert isinstance(tokens, tuple)
        s1, s2 = generate(
            self.model,
            tokens,
            stamp,
            samples=samples,
            max_context=self.max_context,
            how=how,
            generator=generator,
            on_step=on_step,
        )
        horizon = len(series[0].future)
        decoded = decode_tail(self.tokenizer, s1, s2, max_context=self.max_context, horizon=horizon)
        decoded = decoded.view(len(series), samples, horizon, len(FEATURES))  # (R, N, 6) -> (S, samples, N, 6)
        per_series = Normaliser(scale.factor[:, None], scale.mean[:, None], scale.std[:, None])
        return per_series.invert(decoded.float().cpu().numpy())

    def _tensor(self, array: np.ndarray) -> Tensor:
        return torch.from_numpy(array).to(self.device)


def _check_seed(seed: object) -> int:
    if seed is None:
        return secrets.randbits(31)
    if not isinstance(seed, int | np.integer) or not 0 <= seed < 2**63:
        raise InputError(f"seed={seed!r} must be a whole number from 0 to 2**63 - 1.")
    return int(seed)


def _check_lists(*lists: Sequence[object]) -> None:
    if len({len(one) for one in lists}) > 1:
        frames, x, y = (len(one) for one in lists)
        raise InputError(
            f"{frames} data frames, {x} x_timestamp and {y} y_timestamp: give one of each for every series."
        )


def _move(bar: tqdm[NoReturn], done: int) -> None:
    bar.update(done - bar.n)


def best_device() -> torch.device:
    """Return CUDA where there is one, else MPS, else the CPU."""
    if torch.cuda.is_available():
        return torch.device("cuda")
    return torch.device("mps" if torch.backends.mps.is_available() else "cpu")

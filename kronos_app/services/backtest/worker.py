"""The job of a backtest: signals day by day, trades by the rule, random signals and benchmarks, then the report."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import fields, replace
from typing import TYPE_CHECKING, Any

import pandas as pd

from kronos_app.jobs import OnStep
from kronos_app.services.backtest.report import EQUAL, HOLD, MOMENTUM, compile_report, training_warnings
from kronos_app.services.backtest.universe import read_universe
from kronos_app.services.core.engine_errors import engine_errors
from kronos_app.services.core.redaction import Redaction
from kronos_app.services.core.training_errors import training_errors

if TYPE_CHECKING:
    from kronos_app.services.backtest.request import BacktestRequest
    from kronos_app.services.backtest.run import Backtest, BacktestFolders
    from kronos_app.services.backtest.universe import Universes
    from kronos_app.services.models.service import ModelService
    from kronos_app.settings import Settings
    from training.portfolio.days import WalkSettings
    from training.portfolio.luck import Luck
    from training.portfolio.market import Market
    from training.portfolio.records import Backtest as Result
    from training.portfolio.rules import Dealing, TopkRule

KIND = "backtest"
EVEN = 0.5  # P(up) without information
DEALING = ("account", "deal_price", "limit_threshold", "open_cost", "close_cost", "min_cost", "slippage")
Candles = Mapping[str, pd.DataFrame]
Outcome = tuple["Result", "Luck", dict[str, "pd.Series[float]"]]


class BacktestWorker:
    """Makes backtests; an interrupted one continues with the saved signals."""

    def __init__(
        self, settings: Settings, folders: BacktestFolders, models: ModelService, universes: Universes
    ) -> None:
        self._settings = settings
        self._folders = folders
        self._models = models
        self._universes = universes

    def run(self, job: Mapping[str, Any], on_step: OnStep) -> str:
        """Make the backtest and return its id; `on_step` may raise to cancel."""
        from training.portfolio.signals import pick
        from training.portfolio.walk import signals

        backtest = self._folders.get(str(job["backtest"]))
        request = backtest.request
        on_step(0, 0)
        with training_errors(Redaction(self._settings).redact_text), engine_errors(request.model):
            universe = read_universe(backtest.path / "candles", [member.name for member in backtest.members])
            predictor = self._models.get(request.model)
            folder, begun = backtest.path / "signals", time.perf_counter()
            measured = not any(folder.glob("*"))  # else some of the forecasts were made before
            panel = signals(
                predictor,
                universe,
                walk_settings(request),
                start=first_day(request, universe),
                end=last_time(request),
                folder=folder,
                on_step=on_step,
            )
            pace = (time.perf_counter() - begun) / max(len(panel), 1) if measured else None  # seconds of a forecast
            signal = pick(panel, request.signal)
            days = signal.index.get_level_values("datetime").unique()

            def check_cancelled(_done: int, _total: int) -> None:
                on_step(len(days), len(days))

            check_cancelled(0, 0)
            trade = self._trade_topk if request.rule == "topk" else self._trade_single
            result, luck, benchmarks = trade(backtest, universe, signal, check_cancelled)
            result = replace(result, settings={**result.settings, "account": request.account})
            ends = self._training_ends(backtest)
            warnings = training_warnings(request.model, ends, backtest.members, pd.Timestamp(days.min()))
            report = compile_report(result, luck, benchmarks, warnings=warnings, weights=predictor.digest)
            backtest.write_result(result, report | {"pace": pace})
        return backtest.id

    def _trade_topk(self, backtest: Backtest, universe: Candles, signal: pd.Series[float], on_step: OnStep) -> Outcome:
        from training.portfolio.luck import compared, equal_weight, luck
        from training.portfolio.market import closes
        from training.portfolio.rules import Dealing, TopkRule
        from training.portfolio.signals import momentum

        request = backtest.request
        rule = TopkRule(topk=request.topk, n_drop=request.n_drop, hold_thresh=request.hold_thresh)
        dealing = Dealing(**{name: getattr(request, name) for name in DEALING}, trade_unit=None)
        result, market = self._simulate(backtest, universe, signal, rule, dealing, on_step)
        random = luck(market, signal, rule, dealing, count=request.random_signals, seed=request.seed, on_step=on_step)
        rising = momentum(closes(universe))
        rising = rising[rising.index.isin(signal.index.get_level_values("datetime"), level="datetime")]
        traded = compared(market, rising, rule, dealing)
        after_costs = pd.Series(traded.returns[:, 0] - traded.costs[:, 0], index=traded.days)
        return result, random, {MOMENTUM: after_costs, EQUAL: equal_weight(market)}

    def _simulate(
        self,
        backtest: Backtest,
        universe: Candles,
        signal: pd.Series[float],
        rule: TopkRule,
        dealing: Dealing,
        on_step: OnStep,
    ) -> tuple[Result, Market]:
        """Return the days of the portfolio and the prices of its trades, by Qlib if it is installed."""
        from kronos_app.data.candle_frame import CandleFrame
        from kronos_app.data.qlib.export import write_folder
        from training.adapters.qlib_support import has_qlib
        from training.portfolio import topk

        request = backtest.request
        last = min(last_time(request) or pd.Timestamp.max, max(table["timestamp"].max() for table in universe.values()))
        options: dict[str, Any] = {"benchmark": request.benchmark, "end": last.normalize(), "on_step": on_step}
        benchmark = read_universe(backtest.path / "candles", [request.benchmark] if request.benchmark else [])
        candles = {**universe, **benchmark}
        if not has_qlib():
            return topk.backtest_candles(candles, signal, rule, dealing, **options)
        if request.data.kind == "qlib":
            folder = self._universes.qlib_folder(request.data)
        else:
            folder = backtest.path / "qlib"
            if not folder.is_dir():
                write_folder(folder, {name: CandleFrame(frame, name, "backtest") for name, frame in candles.items()})
        return topk.backtest(folder, signal, rule, dealing, **options)

    def _trade_single(
        self, backtest: Backtest, universe: Candles, signal: pd.Series[float], on_step: OnStep
    ) -> Outcome:
        from training.portfolio.luck import single_luck
        from training.portfolio.rules import SingleRule
        from training.portfolio.single import trade

        request = backtest.request
        [(name, candles)] = universe.items()
        last = last_time(request)
        candles = candles if last is None else candles[candles["timestamp"] <= last]
        score = signal.droplevel("instrument") - (EVEN if request.signal == "probability_up" else 0.0)
        rule = SingleRule(
            threshold=request.threshold,
            short=request.short,
            account=request.account,
            cost=(request.open_cost + request.close_cost) / 2,
            slippage=request.slippage,
        )
        result = trade(candles, score, rule, name)
        random = single_luck(
            candles, score, rule, result, count=request.random_signals, seed=request.seed, on_step=on_step
        )
        return result, random, {HOLD: result.daily["bench"].fillna(0.0)}

    def _training_ends(self, backtest: Backtest) -> dict[str, pd.Timestamp | None]:
        spec = self._models.spec(backtest.request.model)
        days = {member.market: spec.seen_until(member.market) for member in backtest.members}
        return {market: None if day is None else pd.Timestamp(day) for market, day in days.items()}


def walk_settings(request: BacktestRequest) -> WalkSettings:
    """Return how the forecasts of a backtest are made."""
    from training.portfolio.days import WalkSettings

    return WalkSettings(**request.model_dump(include={field.name for field in fields(WalkSettings)}))


def first_day(request: BacktestRequest, universe: Candles) -> pd.Timestamp:
    """Return the first day on which an instrument has enough history for a signal."""
    enough = [
        table["timestamp"].iloc[request.lookback - 1] for table in universe.values() if len(table) >= request.lookback
    ]
    earliest = pd.Timestamp(min(enough)) if enough else pd.Timestamp.max
    return earliest if request.start is None else max(earliest, pd.Timestamp(request.start))


def last_time(request: BacktestRequest) -> pd.Timestamp | None:
    """Return the end of the last day, None for no end."""
    return None if request.end is None else pd.Timestamp(request.end) + pd.Timedelta(days=1) - pd.Timedelta(1)

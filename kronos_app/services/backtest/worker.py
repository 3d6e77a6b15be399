"""The job that backtests: signals day by day, the rule over them, luck and comparisons, then the report."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pandas as pd

from kronos_app.jobs import OnStep
from kronos_app.services.backtest.report import EQUAL, HOLD, MOMENTUM, compiled, training_warnings
from kronos_app.services.backtest.universe import exportable, read
from kronos_app.services.core.engine_errors import engine_errors
from kronos_app.services.core.redaction import Redaction
from kronos_app.services.core.training_errors import training_errors

if TYPE_CHECKING:
    from engine import KronosPredictor
    from kronos_app.services.backtest.folders import BacktestFolders, KeptBacktest
    from kronos_app.services.backtest.request import BacktestRequest
    from kronos_app.services.backtest.universe import Universes
    from kronos_app.services.models.service import ModelService
    from kronos_app.settings import Settings
    from training.portfolio.days import WalkSettings
    from training.portfolio.luck import Luck
    from training.portfolio.market import Market
    from training.portfolio.records import Backtest
    from training.portfolio.rules import Dealing, TopkRule

KIND = "backtest"
EVEN = 0.5  # a chance of a rise that says nothing
Outcome = tuple["Backtest", "Luck", dict[str, "pd.Series[float]"]]


class BacktestWorker:
    """Makes the backtests that `BacktestService` queued; signals that an earlier attempt made are not made again."""

    def __init__(
        self, settings: Settings, folders: BacktestFolders, models: ModelService, universes: Universes
    ) -> None:
        self._settings = settings
        self._folders = folders
        self._models = models
        self._universes = universes

    def run(self, job: Mapping[str, Any], on_step: OnStep) -> str:
        """Do it, keep the report, and return the backtest's id; `on_step` may raise to cancel."""
        backtest = self._folders.get(str(job["backtest"]))
        self._backtest(backtest, on_step)
        return backtest.id

    def _backtest(self, backtest: KeptBacktest, on_step: OnStep) -> None:
        from training.portfolio.signals import pick

        request = backtest.request
        on_step(0, 0)
        with training_errors(Redaction(self._settings).redact_text), engine_errors(request.model):
            universe = read(backtest.path / "candles", [one.name for one in backtest.members])
            predictor = self._models.get(request.model)
            panel = self._signals(backtest, predictor, universe, on_step)
            signal = pick(panel, request.signal)
            days = len(signal.index.get_level_values("datetime").unique())

            def still(_done: int, _total: int) -> None:
                on_step(days, days)

            still(0, 0)
            trade = self._topk if request.rule == "topk" else self._single
            result, chance, beside = trade(backtest, universe, signal, still)
            result = replace(result, settings={**result.settings, "account": request.account})
            warnings = training_warnings(
                request.model,
                self._training_ends(backtest),
                backtest.members,
                pd.Timestamp(signal.index.get_level_values("datetime").min()),
            )
            report = compiled(result, chance, beside, warnings=warnings, weights=predictor.digest)
            backtest.write(result, report)

    def _signals(
        self,
        backtest: KeptBacktest,
        predictor: KronosPredictor,
        universe: Mapping[str, pd.DataFrame],
        on_step: OnStep,
    ) -> pd.DataFrame:
        from training.portfolio.walk import signals

        request = backtest.request
        return signals(
            predictor,
            universe,
            walk_settings(request),
            start=first_day(request, universe),
            end=last_time(request),
            folder=backtest.path / "signals",
            on_step=on_step,
        )

    def _topk(
        self, backtest: KeptBacktest, universe: Mapping[str, pd.DataFrame], signal: pd.Series[float], still: OnStep
    ) -> Outcome:
        from training.portfolio.luck import compared, equal_weight, luck
        from training.portfolio.market import closes
        from training.portfolio.rules import Dealing, TopkRule
        from training.portfolio.signals import momentum

        request = backtest.request
        rule = TopkRule(topk=request.topk, n_drop=request.n_drop, hold_thresh=request.hold_thresh)
        dealing = Dealing(
            account=request.account,
            deal_price=request.deal_price,
            limit_threshold=request.limit_threshold,
            open_cost=request.open_cost,
            close_cost=request.close_cost,
            min_cost=request.min_cost,
            slippage=request.slippage,
            trade_unit=None,
        )
        result, market = self._portfolio(backtest, universe, signal, rule, dealing, still)
        chance = luck(market, signal, rule, dealing, count=request.random_signals, seed=request.seed, on_step=still)
        rising = momentum(closes(universe))
        rising = rising[rising.index.isin(signal.index.get_level_values("datetime"), level="datetime")]
        traded = compared(market, rising, rule, dealing)
        net = pd.Series(traded.returns[:, 0] - traded.costs[:, 0], index=traded.days)
        return result, chance, {MOMENTUM: net, EQUAL: equal_weight(market)}

    def _portfolio(
        self,
        backtest: KeptBacktest,
        universe: Mapping[str, pd.DataFrame],
        signal: pd.Series[float],
        rule: TopkRule,
        dealing: Dealing,
        still: OnStep,
    ) -> tuple[Backtest, Market]:
        """Return the portfolio's days and the quotes it dealt at, by Qlib where it is installed."""
        from kronos_app.data.qlib.export import write_folder
        from training.adapters.qlib_support import has_qlib
        from training.portfolio import topk

        request = backtest.request
        others = [request.benchmark] if request.benchmark else []
        last = min(last_time(request) or pd.Timestamp.max, max(one["timestamp"].max() for one in universe.values()))
        end = last.normalize()
        if not has_qlib():
            candles = {**universe, **read(backtest.path / "candles", others)}
            return topk.backtest_candles(
                candles, signal, rule, dealing, benchmark=request.benchmark, end=end, on_step=still
            )
        if request.data.kind == "qlib":
            folder = self._universes.qlib_folder(request.data)
        else:
            folder = backtest.path / "qlib"
            if not folder.is_dir():
                write_folder(folder, exportable({**universe, **read(backtest.path / "candles", others)}))
        return topk.backtest(folder, signal, rule, dealing, benchmark=request.benchmark, end=end, on_step=still)

    def _single(
        self, backtest: KeptBacktest, universe: Mapping[str, pd.DataFrame], signal: pd.Series[float], still: OnStep
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
        count, seed = request.random_signals, request.seed
        chance = single_luck(candles, score, rule, result, count=count, seed=seed, on_step=still)
        return result, chance, {HOLD: result.daily["bench"].fillna(0.0)}

    def _training_ends(self, backtest: KeptBacktest) -> dict[str, pd.Timestamp | None]:
        spec = self._models.spec(backtest.request.model)
        found = {one.market: spec.seen_until(one.market) for one in backtest.members}
        return {market: None if day is None else pd.Timestamp(day) for market, day in found.items()}


def walk_settings(request: BacktestRequest) -> WalkSettings:
    """Return how the forecasts of a backtest are made."""
    from training.portfolio.days import WalkSettings

    return WalkSettings(
        lookback=request.lookback,
        horizon=request.horizon,
        every=request.every,
        samples=request.samples,
        seed=request.seed,
    )


def first_day(request: BacktestRequest, universe: Mapping[str, pd.DataFrame]) -> pd.Timestamp:
    """Return the first day of a signal: none is before some instrument has enough history."""
    enough = [one["timestamp"].iloc[request.lookback - 1] for one in universe.values() if len(one) >= request.lookback]
    earliest = pd.Timestamp(min(enough)) if enough else pd.Timestamp.max
    return earliest if request.start is None else max(earliest, pd.Timestamp(request.start))


def last_time(request: BacktestRequest) -> pd.Timestamp | None:
    """Return the end of the last day, None for no end."""
    return None if request.end is None else pd.Timestamp(request.end) + pd.Timedelta(days=1) - pd.Timedelta(1)

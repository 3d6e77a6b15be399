"""Qlib's backtest in a separate process: `python -m training.portfolio.qlib_child FOLDER`.

Qlib's settings and data are process-global. FOLDER has `request.json` and `signal.parquet` and gets the results as
Parquet files; progress goes to standard output as lines `done total`.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pandas as pd
from qlib.backtest import backtest
from qlib.backtest.decision import Order
from qlib.backtest.executor import SimulatorExecutor
from qlib.config import C
from qlib.contrib.evaluate import risk_analysis
from qlib.contrib.strategy.signal_strategy import TopkDropoutStrategy
from qlib.data import D
from qlib.data.data import LocalCalendarProvider, register_all_wrappers
from qlib.data.ops import register_all_ops
from qlib.log import get_module_logger

from training.portfolio.records import HOLDING, ORDER


class OpenCalendar(LocalCalendarProvider):  # type: ignore[misc]
    """Qlib's calendar with one more day: Qlib cannot trade on the last one."""

    def load_calendar(self, freq: str, future: bool) -> list[pd.Timestamp]:
        """Return the days, with a future one if `future`."""
        days = list(super().load_calendar(freq, False))
        return [*days, days[-1] + pd.Timedelta(days=1)] if future else days


class Recorder(SimulatorExecutor):  # type: ignore[misc]
    """Qlib's executor, which also records every order and prints the progress."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        self.orders: list[tuple[Any, ...]] = []

    def _collect_data(self, trade_decision: Any, level: int = 0) -> Any:
        result, extra = super()._collect_data(trade_decision, level)
        day, _ = self.trade_calendar.get_step_time()
        for order, value, cost, price in result:
            side = "buy" if order.direction == Order.BUY else "sell"
            self.orders.append((day, order.stock_id, side, order.amount, order.deal_amount, price, value, cost))
        print(self.trade_calendar.get_trade_step() + 1, self.trade_calendar.get_trade_len(), flush=True)
        return result, extra


def start(folder: str) -> None:
    """Set Qlib's data folder, as `qlib.init` does but without its experiment tracker.

    The tracker needs a version of MLflow that does not work with newer protobufs, and is not used for the data.
    """
    # Region `us` has no default limit and no default lot size.
    C.set("client", provider_uri=folder, region="us", kernels=1, logging_level=40)
    storage = {"class": "FileCalendarStorage", "module_path": "qlib.data.storage.file_storage"}
    C["calendar_provider"] = {"class": "OpenCalendar", "module_path": __name__, "kwargs": {"backend": storage}}
    get_module_logger.setLevel(C.logging_level)
    register_all_ops(C)
    register_all_wrappers(C)
    C._registered = True


def main(folder: Path) -> None:
    """Run the request in `folder`."""
    request = json.loads((folder / "request.json").read_text(encoding="utf-8"))
    start(request["data"])
    signal = pd.read_parquet(folder / "signal.parquet").set_index(["datetime", "instrument"])["score"]
    facts = _facts(request, sorted(signal.index.get_level_values("instrument").unique()))
    (folder / "facts.json").write_text(json.dumps(facts), encoding="utf-8")
    if facts["instruments"] and facts["priced"]:
        known = signal.index.get_level_values("instrument").isin(facts["instruments"])
        _run(folder, request, facts, signal[known])


def _facts(request: dict[str, Any], names: list[str]) -> dict[str, Any]:
    """Return which of the requested instruments and fields exist on the traded days."""
    fields = ["$close", "$change", f"${request['price']}"]
    known = D.features(names, fields, *request["days"], freq="day").notna().groupby(level="instrument").any()
    present = known.index[known.iloc[:, 0]]
    return {
        "instruments": list(present),
        "change": bool(known.iloc[:, 1][present].all()),  # whether the folder has the day's move
        "priced": bool(known.iloc[:, 2].any()),
        "benchmark": bool(request["benchmark"]) and _has_close(request["benchmark"], request["days"]),
    }


def _has_close(name: str, days: list[str]) -> bool:
    return bool(D.features([name], ["$close"], *days, freq="day").notna().to_numpy().any())


def _run(folder: Path, request: dict[str, Any], facts: dict[str, Any], signal: pd.Series[float]) -> None:
    executor = Recorder(time_per_step="day", generate_portfolio_metrics=True)
    strategy = TopkDropoutStrategy(signal=signal, **request["rule"])
    exchange = request["exchange"]["change" if facts["change"] else "move"]
    exchange = {**exchange, "limit_threshold": tuple(exchange["limit_threshold"]), "codes": facts["instruments"]}
    first, last = request["days"]
    # Without a benchmark Qlib would use an index of its own.
    nothing = pd.Series(0.0, index=pd.DatetimeIndex(D.calendar(first, last, freq="day")))
    benchmark = request["benchmark"] if facts["benchmark"] else nothing
    portfolio, _ = backtest(
        start_time=first,
        end_time=last,
        strategy=strategy,
        executor=executor,
        benchmark=benchmark,
        account=request["account"],
        exchange_kwargs=exchange,
    )
    daily, positions = portfolio["1day"]
    daily.reset_index().to_parquet(folder / "daily.parquet")
    _positions(positions).to_parquet(folder / "positions.parquet")
    pd.DataFrame(executor.orders, columns=ORDER).to_parquet(folder / "trades.parquet")
    _quotes(executor.trade_exchange).to_parquet(folder / "quotes.parquet")
    (folder / "risk.json").write_text(json.dumps(_risk(daily, facts["benchmark"])), encoding="utf-8")


def _positions(positions: dict[pd.Timestamp, Any]) -> pd.DataFrame:
    rows = [
        (day, name, held["amount"], held["price"], held["weight"], held.get("count_day", 0))
        for day, position in positions.items()
        for name, held in sorted(position.position.items())
        if isinstance(held, dict)
    ]
    return pd.DataFrame(rows, columns=HOLDING)


def _quotes(exchange: Any) -> pd.DataFrame:
    quotes = exchange.quote_df
    fields = {"close": "$close", "price": exchange.buy_price, "volume": "$volume", "factor": "$factor"}
    limits = {name: quotes[name].astype(bool) for name in ("limit_buy", "limit_sell")}
    return pd.DataFrame({name: quotes[field] for name, field in fields.items()} | limits)


def _risk(daily: pd.DataFrame, benchmark: bool) -> dict[str, dict[str, float | None]]:
    """Return Qlib's risk analysis of the returns, and of the excess returns over the benchmark."""
    series = {"with_cost": daily["return"] - daily["cost"], "without_cost": daily["return"]}
    if benchmark:
        series |= {f"excess_{name}": returns - daily["bench"] for name, returns in series.items()}
    analyses = {name: risk_analysis(returns, freq="day")["risk"] for name, returns in series.items()}
    return {n: {k: float(v) if pd.notna(v) else None for k, v in risk.items()} for n, risk in analyses.items()}


if __name__ == "__main__":
    main(Path(sys.argv[1]))

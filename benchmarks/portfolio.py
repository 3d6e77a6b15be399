"""How fast backtests are: `python -m benchmarks.portfolio [--symbols 300] [--days 250] [--random 500]`.

Random walks are written as a Qlib folder and a random signal is backtested by Qlib itself and by our adapter, by turns,
each from a fresh process to its results: importing, loading and dealing count on both sides. Then random signals go
through the simulator, with Qlib's time for as many beside.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import pandas as pd

from kronos_app.data.candle_frame import CandleFrame
from kronos_app.data.qlib.export import write_folder
from training.portfolio.luck import luck
from training.portfolio.market import Market
from training.portfolio.records import Backtest
from training.portfolio.rules import Dealing, TopkRule
from training.portfolio.topk import backtest

ROOT = Path(__file__).parents[1]
TARGET = 2.0  # times Qlib's own time
WARM_UP = 20  # days before the first signal
DEALING = Dealing(trade_unit=None)

QLIB = """
import json, sys
import pandas as pd
from qlib.contrib.evaluate import backtest_daily
from qlib.contrib.strategy.signal_strategy import TopkDropoutStrategy
from training.portfolio.qlib_child import start
case = json.load(open(sys.argv[1]))
start(case["folder"])
signal = pd.read_parquet(case["signal"]).set_index(["datetime", "instrument"])["score"]
report, _ = backtest_daily(case["start"], case["end"], TopkDropoutStrategy(signal=signal, **case["rule"]),
                           account=case["account"], benchmark=case["benchmark"], exchange_kwargs=case["exchange"])
report.to_parquet(case["report"])
"""


def universe(symbols: int, days: int) -> dict[str, CandleFrame]:
    """Return random walks that share a part of their moves."""
    rng = np.random.default_rng(0)
    times = pd.bdate_range("2020-01-01", periods=days + WARM_UP + 1)
    moves = rng.normal(0, 0.01, (len(times), 1)) + rng.normal(0, 0.02, (len(times), symbols))
    close = 20 * np.exp(np.cumsum(moves, axis=0))
    found = {}
    for column in range(symbols):
        frame = pd.DataFrame({"timestamp": times, "close": close[:, column]})
        for name, factor in {"open": 0.999, "high": 1.01, "low": 0.99}.items():
            frame[name] = frame["close"] * factor
        frame["volume"] = rng.integers(10**6, 10**7, len(times)).astype(float)
        found[f"S{column:04}"] = CandleFrame(frame, f"S{column:04}", "benchmark")
    return found


def main(arguments: list[str] | None = None) -> None:
    """Measure, and say whether the target is met."""
    parser = argparse.ArgumentParser(prog="benchmarks.portfolio", description=__doc__)
    parser.add_argument("--symbols", type=int, default=300)
    parser.add_argument("--days", type=int, default=250)
    parser.add_argument("--topk", type=int, default=50)
    parser.add_argument("--drop", type=int, default=5)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--random", type=int, default=500, help="random signals through the simulator")
    parser.add_argument("--json", type=Path, metavar="FILE")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as name:
        found = _measure(options, Path(name))
    met = "met" if found["ratio"] <= TARGET else "MISSED"
    print(f"{options.symbols} symbols, {options.days} days, medians of {options.rounds} runs by turns")
    print(f"Qlib      {found['qlib']:7.1f} s")
    print(f"adapter   {found['adapter']:7.1f} s, {found['ratio']:.2f} times Qlib's, target {TARGET:.0f}: {met}")
    print(f"simulator {found['simulator']:7.1f} s for {options.random} random signals", end="; ")
    print(f"one by one Qlib's loop would take {found['loops'] / 60:.0f} minutes")
    print(f"accounts agree to {found['disagreement']:.1e}")
    if options.json:
        options.json.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


def _measure(options: argparse.Namespace, work: Path) -> dict[str, Any]:
    series = universe(options.symbols, options.days)
    folder = work / "qlib"
    write_folder(folder, series)
    days = next(iter(series.values())).timestamps
    signal = _signal(days[WARM_UP - 1 : -2], list(series))
    rule = TopkRule(options.topk, options.drop)
    case = _case(work, folder, signal, rule, days)
    seconds: dict[str, list[float]] = {"qlib": [], "adapter": [], "loop": []}
    for _ in range(options.rounds):
        begun = time.perf_counter()
        command = [sys.executable, "-W", "ignore", "-c", QLIB, str(case)]
        subprocess.run(command, check=True, capture_output=True, cwd=ROOT)
        seconds["qlib"].append(time.perf_counter() - begun)
        result, market, loop, whole = _ours(folder, signal, rule, next(iter(series)))
        seconds["loop"].append(loop)
        seconds["adapter"].append(whole)
    report = pd.read_parquet(work / "report.parquet")
    found: dict[str, Any] = {name: median(values) for name, values in seconds.items()}
    begun = time.perf_counter()
    luck(market, signal, rule, DEALING, count=options.random)
    return found | {
        "simulator": time.perf_counter() - begun,
        "ratio": found["adapter"] / found["qlib"],
        "loops": found["loop"] * options.random,
        "disagreement": float(np.abs(result.daily["account"] / report["account"] - 1).max()),
        "runs": seconds,
        "settings": {name: str(value) for name, value in vars(options).items()},
    }


def _ours(
    folder: Path, signal: pd.Series[float], rule: TopkRule, benchmark: str
) -> tuple[Backtest, Market, float, float]:
    """Return what our adapter makes of it, the seconds of Qlib's loop over the days, and all seconds."""
    steps: list[float] = []
    begun = time.perf_counter()
    result, market = backtest(
        folder, signal, rule, DEALING, benchmark=benchmark, on_step=lambda *_: steps.append(time.perf_counter())
    )
    return result, market, steps[-1] - steps[0], time.perf_counter() - begun


def _signal(days: pd.DatetimeIndex, names: list[str]) -> pd.Series[float]:
    index = pd.MultiIndex.from_product([days, names], names=["datetime", "instrument"])
    return pd.Series(np.random.default_rng(1).normal(size=len(index)), index=index, name="score")


def _case(work: Path, folder: Path, signal: pd.Series[float], rule: TopkRule, days: pd.DatetimeIndex) -> Path:
    signal.reset_index().to_parquet(work / "signal.parquet")
    exchange = {
        "limit_threshold": DEALING.limit_threshold,
        "deal_price": DEALING.deal_price,
        "open_cost": DEALING.open_cost,
        "close_cost": DEALING.close_cost,
        "min_cost": DEALING.min_cost,
        "trade_unit": DEALING.trade_unit,
    }
    case = {
        "folder": str(folder),
        "signal": str(work / "signal.parquet"),
        "report": str(work / "report.parquet"),
        "start": str(days[WARM_UP]),
        "end": str(days[-2]),
        "rule": asdict(rule),
        "account": DEALING.account,
        "exchange": exchange,
        "benchmark": str(signal.index.get_level_values("instrument")[0]),
    }
    (work / "case.json").write_text(json.dumps(case), encoding="utf-8")
    return work / "case.json"


if __name__ == "__main__":
    main()

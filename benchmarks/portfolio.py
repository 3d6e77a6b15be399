"""The speed of backtests: `python -m benchmarks.portfolio [--symbols 300] [--days 250] [--random 500]`.

Random walks are written as a Qlib folder. Qlib itself, in a new process, and our adapter backtest a random signal
alternately; import, loading and trading count. Then the simulator runs `random` random signals, and Qlib's time for as
many is estimated.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.measure import build_parser, format_verdict, settings_of, time_once, write_record
from kronos_app.data.candle_frame import CandleFrame
from kronos_app.data.qlib.export import write_folder
from training.portfolio.luck import luck
from training.portfolio.market import Market
from training.portfolio.records import Backtest
from training.portfolio.rules import Dealing, TopkRule
from training.portfolio.topk import backtest

ROOT = Path(__file__).parents[1]
TARGET = 2.0  # ratio to Qlib's own time
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


def make_universe(symbols: int, days: int) -> dict[str, CandleFrame]:
    """Return correlated random walks."""
    rng = np.random.default_rng(0)
    times = pd.bdate_range("2020-01-01", periods=days + WARM_UP + 1)
    moves = rng.normal(0, 0.01, (len(times), 1)) + rng.normal(0, 0.02, (len(times), symbols))
    close = 20 * np.exp(np.cumsum(moves, axis=0))
    series = {}
    for column in range(symbols):
        frame = pd.DataFrame({"timestamp": times, "close": close[:, column]})
        for name, factor in {"open": 0.999, "high": 1.01, "low": 0.99}.items():
            frame[name] = frame["close"] * factor
        frame["volume"] = rng.integers(10**6, 10**7, len(times)).astype(float)
        series[f"S{column:04}"] = CandleFrame(frame, f"S{column:04}", "benchmark")
    return series


def main(arguments: list[str] | None = None) -> None:
    """Measure, and print whether the target is reached."""
    options = build_parser(__doc__, symbols=300, days=250, topk=50, drop=5, rounds=3, random=500).parse_args(arguments)
    with tempfile.TemporaryDirectory() as name:
        record = _measure(options, Path(name))
    verdict = format_verdict(record["ratio"] <= TARGET, f"{TARGET:.0f} ×")
    print(f"{options.symbols} symbols, {options.days} days, medians of {options.rounds} alternate runs")
    print(f"Qlib      {record['qlib']:7.1f} s")
    print(f"adapter   {record['adapter']:7.1f} s, {record['ratio']:.2f} × Qlib's, {verdict}")
    print(f"simulator {record['simulator']:7.1f} s for {options.random} random signals", end="; ")
    print(f"one by one Qlib's loop would take {record['loops'] / 60:.0f} minutes")
    print(f"accounts agree to {record['disagreement']:.1e}")
    write_record(options, record)


def _measure(options: argparse.Namespace, work: Path) -> dict[str, Any]:
    series = make_universe(options.symbols, options.days)
    folder = work / "qlib"
    write_folder(folder, series)
    days = next(iter(series.values())).timestamps
    signal = _signal(days[WARM_UP - 1 : -2], list(series))
    rule = TopkRule(options.topk, options.drop)
    case = _case(work, folder, signal, rule, days)
    seconds: dict[str, list[float]] = {"qlib": [], "adapter": [], "loop": []}
    for _ in range(options.rounds):
        command = [sys.executable, "-W", "ignore", "-c", QLIB, str(case)]
        run = partial(subprocess.run, command, check=True, capture_output=True, cwd=ROOT)
        seconds["qlib"].append(time_once(run))
        result, market, loop, whole = _ours(folder, signal, rule, next(iter(series)))
        seconds["loop"].append(loop)
        seconds["adapter"].append(whole)
    report = pd.read_parquet(work / "report.parquet")
    medians: dict[str, Any] = {name: median(values) for name, values in seconds.items()}
    return medians | {
        "simulator": time_once(lambda: luck(market, signal, rule, DEALING, count=options.random)),
        "ratio": medians["adapter"] / medians["qlib"],
        "loops": medians["loop"] * options.random,
        "disagreement": float(np.abs(result.daily["account"] / report["account"] - 1).max()),
        "runs": seconds,
        "settings": settings_of(options),
    }


def _ours(
    folder: Path, signal: pd.Series[float], rule: TopkRule, benchmark: str
) -> tuple[Backtest, Market, float, float]:
    """Return the adapter's result, the seconds of Qlib's loop over the days, and all seconds."""
    steps: list[float] = []
    started = time.perf_counter()
    result, market = backtest(
        folder, signal, rule, DEALING, benchmark=benchmark, on_step=lambda *_: steps.append(time.perf_counter())
    )
    return result, market, steps[-1] - steps[0], time.perf_counter() - started


def _signal(days: pd.DatetimeIndex, names: list[str]) -> pd.Series[float]:
    index = pd.MultiIndex.from_product([days, names], names=["datetime", "instrument"])
    return pd.Series(np.random.default_rng(1).normal(size=len(index)), index=index, name="score")


def _case(work: Path, folder: Path, signal: pd.Series[float], rule: TopkRule, days: pd.DatetimeIndex) -> Path:
    signal.reset_index().to_parquet(work / "signal.parquet")
    names = ("limit_threshold", "deal_price", "open_cost", "close_cost", "min_cost", "trade_unit")
    case = {
        "folder": str(folder),
        "signal": str(work / "signal.parquet"),
        "report": str(work / "report.parquet"),
        "start": str(days[WARM_UP]),
        "end": str(days[-2]),
        "rule": asdict(rule),
        "account": DEALING.account,
        "exchange": {name: getattr(DEALING, name) for name in names},
        "benchmark": str(signal.index.get_level_values("instrument")[0]),
    }
    (work / "case.json").write_text(json.dumps(case), encoding="utf-8")
    return work / "case.json"


if __name__ == "__main__":
    main()

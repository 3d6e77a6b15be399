"""A folder of twelve instruments, signals over it, and what Qlib itself makes of them."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import asdict

import numpy as np
import pandas as pd
import pytest

from tests.qlib_writer import walk, write
from training.portfolio.rules import Dealing, TopkRule
from training.portfolio.topk import backtest

DAYS = pd.bdate_range("2020-01-01", periods=70)
NAMES = [f"SH{600000 + number}" for number in range(12)]
DEALING = Dealing(account=1e6, limit_threshold=0.04, deal_price="open")

# Rules, costs and signals by which our simulator and Qlib are compared; the market is the same.
CASES = [
    (TopkRule(4, 2), {}, 0),
    (TopkRule(5, 1, hold_thresh=4), {"open_cost": 0.003, "close_cost": 0.004, "min_cost": 50.0}, 1),
    (TopkRule(3, 3, risk_degree=1.0), {"account": 2e4, "trade_unit": 1, "min_cost": 20.0}, 2),
    (TopkRule(20, 4), {"trade_unit": None, "impact": 0.1}, 3),
]

# Qlib as its own documents run it. Its tracker of experiments, which no data passes through, needs an old protobuf.
DIRECT = """
import json, sys
from pathlib import Path
from unittest.mock import MagicMock
parts = ("", ".tracking", ".tracking.client", ".exceptions", ".entities", ".store", ".store.artifact",
         ".store.artifact.artifact_repository_registry", ".store.artifact.azure_blob_artifact_repo")
sys.modules.update({"mlflow" + part: MagicMock() for part in parts})
import pandas as pd
import qlib
from qlib.contrib.evaluate import backtest_daily, risk_analysis
from qlib.contrib.strategy.signal_strategy import TopkDropoutStrategy
folder, work = sys.argv[1], Path(sys.argv[2])
qlib.init(provider_uri=folder, region="cn", logging_level=50, kernels=1)
for number, case in enumerate(json.loads((work / "cases.json").read_text())):
    signal = pd.read_parquet(work / f"signal{number}.parquet").set_index(["datetime", "instrument"])["score"]
    report, positions = backtest_daily(
        case["start"], case["end"], TopkDropoutStrategy(signal=signal, **case["rule"]), account=case["account"],
        benchmark=case["benchmark"], exchange_kwargs=case["exchange"],
    )
    report.to_parquet(work / f"report{number}.parquet")
    risk = risk_analysis(report["return"] - report["bench"] - report["cost"], freq="day")["risk"]
    (work / f"risk{number}.json").write_text(risk.to_json(double_precision=15))
    held = {str(day)[:10]: {name: one["amount"] for name, one in position.position.items() if isinstance(one, dict)}
            for day, position in positions.items()}
    (work / f"held{number}.json").write_text(json.dumps(held))
"""


def panel(days, names, seed=0):
    """Return random scores of some names on some days."""
    index = pd.MultiIndex.from_product([days, names], names=["datetime", "instrument"])
    return pd.Series(np.random.default_rng(seed).normal(size=len(index)), index=index, name="score")


def signal_of(seed):
    return panel(DAYS[10:-2], NAMES, seed)


def dealing_of(changes):
    return Dealing(**{**asdict(DEALING), **changes})


@pytest.fixture(scope="session")
def folder(tmp_path_factory):
    """Write twelve random walks that go up or down by four percent now and then, so that limits hold some of them."""
    folder = tmp_path_factory.mktemp("qlib") / "cn_data"
    write(folder, {name: walk(DAYS, seed) for seed, name in enumerate(NAMES)}, DAYS)
    return folder


@pytest.fixture(scope="session")
def ours(qlib, folder):
    """Run the first case through our adapter; returns the backtest, its market and the progress that was told."""
    rule, changes, seed = CASES[0]
    told = []
    result, market = backtest(
        folder, signal_of(seed), rule, dealing_of(changes), benchmark=NAMES[0], on_step=lambda *step: told.append(step)
    )
    return result, market, told


@pytest.fixture(scope="session")
def direct(qlib, folder, tmp_path_factory):
    """Run every case through Qlib directly; returns report, risk and holdings of each."""
    work = tmp_path_factory.mktemp("direct")
    cases = []
    for number, (rule, changes, seed) in enumerate(CASES):
        signal_of(seed).reset_index().to_parquet(work / f"signal{number}.parquet")
        dealing = dealing_of(changes)
        exchange = {
            "limit_threshold": dealing.limit_threshold,
            "deal_price": dealing.deal_price,
            "open_cost": dealing.open_cost,
            "close_cost": dealing.close_cost,
            "min_cost": dealing.min_cost,
            "impact_cost": dealing.impact,
            "trade_unit": dealing.trade_unit,
        }
        case = {"rule": asdict(rule), "account": dealing.account, "exchange": exchange, "benchmark": NAMES[0]}
        cases.append(case | {"start": str(DAYS[11]), "end": str(DAYS[-2])})
    (work / "cases.json").write_text(json.dumps(cases))
    command = [sys.executable, "-W", "ignore", "-c", DIRECT, str(folder), str(work)]
    subprocess.run(command, check=True, capture_output=True, timeout=200, cwd=work)
    return [
        (
            pd.read_parquet(work / f"report{number}.parquet"),
            json.loads((work / f"risk{number}.json").read_text()),
            json.loads((work / f"held{number}.json").read_text()),
        )
        for number in range(len(CASES))
    ]

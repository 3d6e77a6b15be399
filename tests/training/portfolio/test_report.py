from __future__ import annotations

import json
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

from training.errors import DataError
from training.portfolio.records import Backtest
from training.portfolio.report import drawdowns, monthly, report, risk, round_trips
from training.portfolio.tearsheet import tearsheet

DAYS = pd.bdate_range("2020-01-20", periods=300)

# What quantstats makes of returns after costs and of those beyond the benchmark's.
ORACLE = """
import json, sys
import pandas as pd
import quantstats.stats as qs
frame = pd.read_parquet(sys.argv[1])
returns, active = frame["strategy"], frame["strategy"] - frame["bench"]
months = qs.monthly_returns(returns, eoy=True)
worst = qs.drawdown_details(qs.to_drawdown_series(returns)).sort_values("max drawdown").iloc[0]
print(json.dumps({
    "total_return": float(qs.comp(returns)), "annual_return": float(qs.cagr(returns)),
    "annual_volatility": float(qs.volatility(returns)), "sharpe": float(qs.sharpe(returns)),
    "sortino": float(qs.sortino(returns)), "calmar": float(qs.calmar(returns)),
    "max_drawdown": float(qs.max_drawdown(returns)), "hit_rate": float(qs.win_rate(returns)),
    "information_ratio": float(qs.sharpe(active)),
    "february": float(months.loc["2020" if "2020" in months.index else 2020, "FEB"]),
    "year": float(months.iloc[0]["EOY"]), "valley": str(worst["valley"])[:10],
}))
"""


def backtest(returns, *, cost=0.001, bench=None, days=DAYS):
    days = days[: len(returns)]
    account = 1e6 * np.cumprod(1 + np.asarray(returns) - cost)
    daily = pd.DataFrame(
        {
            "account": account, "cash": account / 4, "value": account * 3 / 4, "return": returns, "cost": cost,
            "turnover": 0.2, "bench": np.nan if bench is None else bench,
        },
        index=days.rename("day"),
    )  # fmt: skip
    trades = orders(
        ("A", "buy", 0, 10.0, 100.0, 1.0), ("B", "buy", 0, 20.0, 10.0, 1.0), ("A", "sell", 2, 11.0, 100.0, 2.0),
        ("B", "sell", 2, 18.0, 0.0, 0.0), ("B", "sell", 3, 18.0, 10.0, 2.0), ("A", "buy", 3, 12.0, 50.0, 1.0),
    )  # fmt: skip
    positions = pd.DataFrame(
        {"day": days[:1], "instrument": "A", "amount": 1.0, "price": 1.0, "weight": 1.0, "days": 1}
    )
    return Backtest(daily, positions, trades, {})


def orders(*rows):
    frame = pd.DataFrame(rows, columns=["instrument", "side", "day", "price", "amount", "cost"])
    frame["day"] = DAYS[frame["day"]]
    parts = {"commission": frame["cost"], "slippage": 0.0, "impact": 0.0}
    return frame.assign(value=frame["price"] * frame["amount"], ordered=frame["amount"], **parts)


@pytest.fixture(scope="module")
def random():
    rng = np.random.default_rng(3)
    return backtest(rng.normal(0.0015, 0.01, 300), bench=rng.normal(0.0005, 0.01, 300))


def test_the_figures_are_those_of_quantstats(random, tmp_path):
    daily = random.daily
    returns = pd.DataFrame({"strategy": daily["return"] - daily["cost"], "bench": daily["bench"]})
    returns.to_parquet(tmp_path / "returns.parquet")
    command = [sys.executable, "-W", "ignore", "-c", ORACLE, str(tmp_path / "returns.parquet")]
    told = subprocess.run(command, check=True, capture_output=True, text=True, timeout=200)
    expected = json.loads(told.stdout.splitlines()[-1])
    found = report(random)
    assert found.monthly.loc[2020, 2] == pytest.approx(expected.pop("february"), rel=1e-9)
    assert found.monthly.loc[2020, "year"] == pytest.approx(expected.pop("year"), rel=1e-9)
    assert found.figures["drawdown_lowest"][:10] == expected.pop("valley")
    assert {name: found.figures[name] for name in expected} == pytest.approx(expected, rel=1e-9)


def test_growth_beyond_the_benchmark_is_told_with_and_without_costs(random):
    found = report(random)
    daily = random.daily
    bench = np.prod(1 + daily["bench"])
    assert found.figures["bench_return"] == pytest.approx(bench - 1)
    assert found.figures["excess_return"] == pytest.approx(daily["account"].iloc[-1] / 1e6 / bench - 1)
    assert found.figures["excess_return_without_cost"] == pytest.approx(np.prod(1 + daily["return"]) / bench - 1)
    assert found.figures["total_return"] == pytest.approx(daily["account"].iloc[-1] / 1e6 - 1)
    assert found.curves["excess"].iloc[-1] == found.figures["excess_return"]
    assert found.figures["exposure"] == pytest.approx(0.75)
    assert found.figures["turnover"] == pytest.approx(0.2)


def test_returns_alone_tell_their_risk(random):
    found = report(random)
    alone = risk(random.daily["return"] - random.daily["cost"], random.daily["bench"])
    assert alone == pytest.approx({name: found.figures[name] for name in alone})


def test_drawdowns_have_their_days_and_one_that_is_not_over_has_no_last():
    returns = pd.Series([-0.1, 0.2, -0.5, 0.0, 1.5, -0.2], index=DAYS[:6])
    found = drawdowns(returns)
    assert found["depth"].tolist() == pytest.approx([-0.5, -0.2, -0.1])
    assert found["first"].tolist() == [DAYS[2], DAYS[5], DAYS[0]]
    assert found["lowest"].tolist() == [DAYS[2], DAYS[5], DAYS[0]]
    assert found["last"].tolist() == [DAYS[3], pd.NaT, DAYS[0]]
    assert found["days"].tolist() == [2, 1, 1]


def test_months_are_compounded():
    returns = pd.Series(0.1, index=pd.DatetimeIndex(["2020-01-30", "2020-01-31", "2020-03-02", "2021-05-03"]))
    found = monthly(returns)
    assert found.loc[2020, 1] == pytest.approx(0.21)
    assert np.isnan(found.loc[2020, 2])
    assert found.loc[2020, "year"] == pytest.approx(0.331)
    assert found.loc[2021, "year"] == pytest.approx(0.1)


def test_holdings_are_paired_from_purchase_to_sale(random):
    trips = round_trips(random.trades)
    assert trips["instrument"].tolist() == ["A", "B", "A"]
    assert trips["earned"].tolist() == pytest.approx([97 / 1000, -23 / 200, np.nan], nan_ok=True)
    assert trips["closed"].tolist() == [DAYS[2], DAYS[3], pd.NaT]
    short = round_trips(orders(("A", "sell", 0, 10.0, 10.0, 1.0), ("A", "buy", 1, 8.0, 10.0, 1.0)))
    assert short["side"].tolist() == ["short"]
    assert short["earned"].tolist() == pytest.approx([18 / 100])


def test_trades_and_costs_are_counted(random):
    figures = report(random).figures
    assert figures["trades"] == 5
    assert figures["failed"] == 1
    assert figures["cost"] == figures["commission"] == 7
    assert figures["cost_share"] == pytest.approx(7e-6)
    assert figures["trip_hit_rate"] == 0.5


@pytest.mark.parametrize(
    ("returns", "unknown"),
    [
        ([0.0] * 5, {"sharpe", "sortino", "calmar", "hit_rate", "information_ratio", "bench_return"}),
        ([0.01] * 5, {"sharpe", "sortino", "calmar", "information_ratio"}),
        ([0.01], {"sharpe", "annual_volatility"}),
    ],
    ids=["flat", "always the same", "one day"],
)
def test_what_cannot_be_told_is_none_and_all_goes_into_json(returns, unknown):
    found = report(backtest(returns, cost=0.0))
    assert {name for name, value in found.figures.items() if value is None} >= unknown
    kept = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    assert len(kept["curves"]["strategy"]) == len(returns)
    assert kept["monthly"]["2020"]["year"] == pytest.approx(np.prod(1 + np.array(returns)) - 1)
    assert kept["drawdowns"] == []
    assert kept["trips"][0]["opened"] == "2020-01-20T00:00:00"


def test_the_page_to_download_has_title_and_figures_and_loads_nothing(random):
    page = tearsheet(random, "Mine <script>")
    assert "Mine &lt;script&gt;" in page
    assert "Sharpe" in page
    assert page.count("<svg") > 5
    assert 'src="http' not in page
    assert '<link rel="shortcut icon"' not in page


def test_a_page_of_too_few_days_is_refused():
    with pytest.raises(DataError, match="needs 10 days or more; there are 3"):
        tearsheet(backtest([0.0] * 3), "x")

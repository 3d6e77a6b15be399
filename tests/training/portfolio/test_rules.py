from __future__ import annotations

from dataclasses import asdict

import pytest

from training.errors import ConfigError
from training.portfolio.days import WalkSettings
from training.portfolio.rules import Dealing, SingleRule, TopkRule


def test_the_defaults_are_those_of_qlibs_examples():
    assert asdict(TopkRule()) == {"topk": 50, "n_drop": 5, "hold_thresh": 1, "risk_degree": 0.95}
    assert asdict(Dealing()) == {
        "account": 1e8, "deal_price": "close", "limit_threshold": 0.095, "open_cost": 0.0005, "close_cost": 0.0015,
        "min_cost": 5.0, "slippage": 0.0, "impact": 0.0, "trade_unit": 100,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "wrong", "said"),
    [
        (TopkRule, {"topk": 0}, "topk=0 must be a whole number from 1 on"),
        (TopkRule, {"n_drop": 0}, "n_drop=0"),
        (TopkRule, {"hold_thresh": 1.5}, "hold_thresh=1.5"),
        (TopkRule, {"topk": True}, "topk=True"),
        (TopkRule, {"topk": 3, "n_drop": 4}, "n_drop=4 must not exceed topk=3"),
        (TopkRule, {"risk_degree": 0}, "risk_degree=0 must lie between 0 and 1"),
        (TopkRule, {"risk_degree": float("nan")}, "risk_degree=nan"),
        (Dealing, {"account": -1}, "account=-1 must be above 0"),
        (Dealing, {"account": "much"}, "account='much'"),
        (Dealing, {"deal_price": "$open+__import__('os')"}, "must be the name of a field"),
        (Dealing, {"limit_threshold": 0}, "limit_threshold=0"),
        (Dealing, {"open_cost": 0.6}, "open_cost=0.6 must lie between 0 and 0.5"),
        (Dealing, {"min_cost": -5}, "min_cost=-5 must be 0 or more"),
        (Dealing, {"impact": float("inf")}, "impact=inf"),
        (Dealing, {"trade_unit": 0}, "trade_unit=0"),
        (SingleRule, {"threshold": -1}, "threshold=-1"),
        (SingleRule, {"account": 0}, "account=0"),
        (SingleRule, {"cost": 0.5}, "cost=0.5"),
        (SingleRule, {"slippage": float("nan")}, "slippage=nan"),
        (WalkSettings, {"lookback": 1}, "lookback=1 must be 2 or more"),
        (WalkSettings, {"every": 0}, "every=0 must be 1 or more"),
    ],
)
def test_a_value_out_of_range_is_refused_by_name(kind, wrong, said):
    with pytest.raises(ConfigError) as caught:
        kind(**wrong)
    assert said in str(caught.value)

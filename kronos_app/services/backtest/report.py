"""The report of a backtest, JSON-ready, and its verdict."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from kronos_app.i18n import Text, text
from kronos_app.services.core.training_errors import to_text
from kronos_app.services.selection.context import unknown_training_end

if TYPE_CHECKING:
    from kronos_app.services.backtest.universe import Member
    from training.portfolio.luck import Luck
    from training.portfolio.records import Backtest

STOCK_YEAR, WHOLE_YEAR = 252, 365  # days
DAY, YEAR = pd.Timedelta(days=1), pd.Timedelta(days=365.25)
EQUAL, MOMENTUM, HOLD, BENCH = "equal_weight", "momentum", "buy_and_hold", "bench"


def periods(times: pd.DatetimeIndex) -> int:
    """Return the candles of a year: 252 days, 365 if weekends are traded, else the average number."""
    step = pd.Series(times).diff().mode()
    if len(step) and step.iloc[0] == DAY:
        return WHOLE_YEAR if (times.day_of_week >= 5).any() else STOCK_YEAR
    return max(1, round((len(times) - 1) / max((times[-1] - times[0]) / YEAR, 1e-9)))


def compile_report(
    result: Backtest,
    luck: Luck,
    benchmarks: dict[str, pd.Series[float]],
    *,
    warnings: Sequence[Text],
    weights: str,
) -> dict[str, Any]:
    """Return the report.

    Parameters
    ----------
    benchmarks
        Daily returns of what the strategy is compared with.
    warnings
        Why the result may look better than it is.
    weights
        Digest of the model.
    """
    from training.portfolio.report import report, risk

    if result.has_benchmark and HOLD not in benchmarks:
        benchmarks = {BENCH: result.daily["bench"].fillna(0.0), **benchmarks}
    a_year = periods(pd.DatetimeIndex(result.daily.index))
    fields = report(result, a_year).to_dict()
    risks = {
        name: risk(returns, None, a_year) | {"total_return": float(np.prod(1 + returns.to_numpy())) - 1}
        for name, returns in benchmarks.items()
    }
    start = float(result.settings["account"])
    return fields | {
        "verdict": _verdict(luck, fields["figures"], risks).to_dict(),
        "weights": weights,
        "percentile": luck.percentile,
        "random_signals": len(luck.earned),
        "luck": {str(level): _numbers(column / start - 1) for level, column in luck.account.items()},
        "beside": {name: {n: _number(v) for n, v in figures.items()} for name, figures in risks.items()},
        "beside_curves": {name: _numbers((1 + returns).cumprod() - 1) for name, returns in benchmarks.items()},
        "has_benchmark": result.has_benchmark,
        "qlib_risk": result.risk,
        "notes": [to_text(note).to_dict() for note in result.notes],
        "warnings": [warning.to_dict() for warning in warnings],
    }


def grade(report: dict[str, Any]) -> int:
    """Return 1 if it beat 95 % of random signals and every benchmark, -1 if less than half of them, else 0."""
    own = report["figures"]["total_return"]
    beaten = all(own > figures["total_return"] for figures in report["beside"].values())
    if report["percentile"] >= 0.95 and beaten:
        return 1
    return -1 if report["percentile"] < 0.5 else 0


def training_warnings(
    model: str, ends: dict[str, pd.Timestamp | None], members: Sequence[Member], first: pd.Timestamp
) -> list[Text]:
    """Return whether the period lies in the training period of the model, or that period is unknown.

    Parameters
    ----------
    ends
        Last day of the training by market.
    first
        Day of the first signal.
    """
    markets = {member.market for member in members}
    days = [end for market in markets if (end := ends[market]) is not None]
    warnings = []
    if days and first <= max(days):
        warning = text(
            "The period starts on {first}, before the training data of {model} ends ({end}): look-ahead is possible, "
            "so the result is no evidence for the model.",
            first=f"{first:%Y-%m-%d}",
            model=model,
            end=f"{max(days):%Y-%m-%d}",
        )
        warnings.append(warning)
    if any(ends[market] is None for market in markets):
        warnings.append(unknown_training_end(model))
    return warnings


def _verdict(luck: Luck, figures: dict[str, Any], risks: dict[str, dict[str, float]]) -> Text:
    own = _signed(figures["annual_return"])
    if HOLD in risks:
        return text(
            "{luck} Annualized return after costs {own}; buy and hold {hold}.",
            luck=to_text(luck.verdict),
            own=own,
            hold=_signed(risks[HOLD]["annual_return"]),
        )
    return text(
        "{luck} Annualized return after costs {own}; momentum by the same rule {momentum}; equal-weight portfolio "
        "without costs {equal}.",
        luck=to_text(luck.verdict),
        own=own,
        momentum=_signed(risks[MOMENTUM]["annual_return"]),
        equal=_signed(risks[EQUAL]["annual_return"]),
    )


def _signed(value: float | None) -> str:
    return "–" if value is None or not np.isfinite(value) else f"{value:+.1%}"


def _number(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


def _numbers(values: pd.Series[float]) -> list[float | None]:
    return [_number(value) for value in values]

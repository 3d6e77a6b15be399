"""What came of a backtest, JSON-ready, with one plain sentence first."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from kronos_app.i18n import Text, text
from kronos_app.services.core.training_errors import to_text

if TYPE_CHECKING:
    from kronos_app.services.backtest.universe import Member
    from training.portfolio.luck import Luck
    from training.portfolio.records import Backtest

STOCK_YEAR, WHOLE_YEAR = 252, 365  # days
DAY, YEAR = pd.Timedelta(days=1), pd.Timedelta(days=365.25)
LEVELS = ("0.05", "0.25", "0.5", "0.75", "0.95")  # quantiles of what luck reaches
EQUAL, MOMENTUM, HOLD, BENCH = "equal_weight", "momentum", "buy_and_hold", "bench"


def periods(times: pd.DatetimeIndex) -> int:
    """Return the candles of a year: 252 days, 365 where weekends are traded, else as many as there were."""
    step = pd.Series(times).diff().mode()
    if len(step) and step.iloc[0] == DAY:
        return WHOLE_YEAR if (times.day_of_week >= 5).any() else STOCK_YEAR
    return max(1, round((len(times) - 1) / max((times[-1] - times[0]) / YEAR, 1e-9)))


def compiled(
    result: Backtest,
    chance: Luck,
    beside: dict[str, pd.Series[float]],
    *,
    warnings: Sequence[Text],
    weights: str,
) -> dict[str, Any]:
    """Return the report of a backtest.

    Parameters
    ----------
    beside
        Returns by day of what it is compared with.
    warnings
        Why it may look better than it is.
    weights
        Digest of the model.
    """
    from training.portfolio.report import report, risk

    if result.has_benchmark and HOLD not in beside:
        beside = {BENCH: result.daily["bench"].fillna(0.0), **beside}
    a_year = periods(pd.DatetimeIndex(result.daily.index))
    found = report(result, a_year)
    told = found.to_dict()
    others = {
        name: risk(returns, None, a_year) | {"total_return": float(np.prod(1 + returns.to_numpy())) - 1}
        for name, returns in beside.items()
    }
    start = float(result.settings["account"])
    luck = {str(level): _numbers(column / start - 1) for level, column in chance.account.items()}
    return told | {
        "verdict": _verdict(chance, told["figures"], others).to_dict(),
        "weights": weights,
        "percentile": chance.percentile,
        "random_signals": len(chance.earned),
        "luck": luck,
        "beside": {name: {n: _number(v) for n, v in one.items()} for name, one in others.items()},
        "beside_curves": {name: _numbers((1 + returns).cumprod() - 1) for name, returns in beside.items()},
        "has_benchmark": result.has_benchmark,
        "qlib_risk": result.risk,
        "notes": [to_text(note).to_dict() for note in result.notes],
        "warnings": [warning.to_dict() for warning in warnings],
    }


def standing(report: dict[str, Any]) -> int:
    """Return 1 where it beat nearly all of luck and all it is compared with, -1 where it lost to half, else 0."""
    own = report["figures"]["total_return"]
    beaten = all(own > one["total_return"] for one in report["beside"].values())
    if report["percentile"] >= 0.95 and beaten:
        return 1
    return -1 if report["percentile"] < 0.5 else 0


def training_warnings(
    model: str, ends: dict[str, pd.Timestamp | None], members: Sequence[Member], first: pd.Timestamp
) -> list[Text]:
    """Return where the model may have learned what it trades on, or nobody knows.

    Parameters
    ----------
    ends
        Last day of the training by market.
    first
        Day of the first signal.
    """
    markets = {one.market for one in members}
    known = [end for market in markets if (end := ends[market]) is not None]
    told = []
    if known and first <= max(known):
        told.append(
            text(
                "The period begins on {first}, before the training of {model} ends ({end}): it may have learned what "
                "came, so this proves nothing in its favour.",
                first=f"{first:%Y-%m-%d}",
                model=model,
                end=f"{max(known):%Y-%m-%d}",
            )
        )
    if any(ends[market] is None for market in markets):
        told.append(text("Nobody stated up to when {model} learned from such markets.", model=model))
    return told


def _verdict(chance: Luck, figures: dict[str, Any], others: dict[str, dict[str, float]]) -> Text:
    own = _signed(figures["annual_return"])
    luck = to_text(chance.verdict)
    if HOLD in others:
        return text(
            "{luck} After costs it made {own} a year; holding the instrument made {hold}.",
            luck=luck,
            own=own,
            hold=_signed(others[HOLD]["annual_return"]),
        )
    return text(
        "{luck} After costs it made {own} a year, momentum by the same rule {momentum}, all instruments in equal parts "
        "without costs {equal}.",
        luck=luck,
        own=own,
        momentum=_signed(others[MOMENTUM]["annual_return"]),
        equal=_signed(others[EQUAL]["annual_return"]),
    )


def _signed(value: float | None) -> str:
    return "–" if value is None or not np.isfinite(value) else f"{value:+.1%}"


def _number(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


def _numbers(values: pd.Series[float]) -> list[float | None]:
    return [_number(value) for value in values]

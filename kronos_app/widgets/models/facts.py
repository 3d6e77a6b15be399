"""Facts below a model's figures: precisions, revision, and the period it was trained and chosen on."""

from __future__ import annotations

from datetime import date

from kronos_app.services.models.precision import IN_USE, MEASURED_ON, PrecisionFacts
from kronos_app.services.models.service import ModelStatus
from kronos_app.state import gettext as _
from kronos_app.widgets.kit import formats


def describe_precisions(status: ModelStatus) -> str:
    """Return memory of the predictor's weights and change of CRPS for each precision."""
    parts = " · ".join(map(_describe_precision, status.precisions))
    return _("Weights of the predictor by precision: {parts}. CRPS measured on {model}.").format(
        parts=parts, model=MEASURED_ON
    )


def _describe_precision(facts: PrecisionFacts) -> str:
    size = f"{facts.precision} {formats.size(facts.memory_bytes)}"
    if facts.crps_change is None:
        return _("{precision} (in use)").format(precision=size) if facts.precision == IN_USE else size
    change = formats.percent(facts.crps_change, 2, signed=True)
    return _("{precision} (CRPS {change} ± {error})").format(
        precision=size, change=change, error=formats.percent(facts.crps_error, 2)
    )


def describe_revision(status: ModelStatus) -> str:
    """Return the commit that the files of a model are pinned to, or where else they are from."""
    if status.revision is not None:
        return _("Pinned revision: `{revision}`.").format(revision=status.revision[:12])
    if status.bundled:
        return _("Revision: comes with this version of Kronos Desk.")
    return _("Revision: not pinned, files of this machine.")


def describe_period(status: ModelStatus) -> str:
    """Return the period of the candles that a model was trained and chosen on."""
    if not status.trained_until:
        return _("Period of training and selection: not published.")
    days = set(status.trained_until.values())
    if status.chosen_from is not None:
        return _("Trained on candles before {chosen}; chosen on those from {chosen} to {last}.").format(
            chosen=_day(status.chosen_from), last=_day(max(days))
        )
    parts = ", ".join(
        f"{_market_name(market)} {_day(day)}".strip()
        for market, day in status.trained_until.items()
        if market or len(status.trained_until) == 1
    )
    return _("Trained and chosen on candles up to: {parts}.").format(parts=parts)


def _day(day: date) -> str:
    return f"{day:%Y-%m-%d}"


def _market_name(market: str) -> str:
    names = {
        "us_equity": _("US shares"),
        "cn_equity": _("Chinese A-shares"),
        "index": _("indices"),
        "crypto": _("crypto"),
        "fx": _("currencies"),
    }
    return names.get(market, market)

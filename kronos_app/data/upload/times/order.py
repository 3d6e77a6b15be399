"""Which part of a written date is the day, the month and the year, decided from the whole column."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import numpy as np

from kronos_app.data.draft import Finding
from kronos_app.data.upload.cells import Integers
from kronos_app.data.upload.times.values import DAY, Times, latest_plausible
from kronos_app.i18n import text

Order = Literal["day_first", "month_first", "year_first", "year_month"]

FIRST_MONDAY = 4 * DAY  # 1970-01-05
HOLE = 6  # a step of so many usual ones is a hole
YEARLY = 300 * DAY  # candles are not so long
CLEAR = 3  # so many turns or holes more make another order wrong beyond doubt


def choose(readings: Mapping[Order, Times], example: str) -> tuple[Order, tuple[Finding, ...]]:
    """Return the order that makes the best series, with a warning where another would do as well.

    A date that does not exist decides; then one in the future, steps of a year, times that go back and forth,
    holes, the shorter range, weekends, the later year, and at last the order of `readings`.

    Parameters
    ----------
    readings
        The times of the same cells in each order that may be, NaT where a cell is no date in that order.
    example
        A cell for the message.
    """
    costs = {order: _cost(times) for order, times in readings.items()}
    best = min(costs, key=lambda order: costs[order])
    clear = [
        cost[:3] > costs[best][:3] or any(cost[at] >= costs[best][at] + CLEAR for at in (3, 4))
        for order, cost in costs.items()
        if order != best
    ]
    return best, () if all(clear) else (_ambiguous(best, example),)


def disorder(times: Times) -> tuple[int, int]:
    """Return how often times go back and how long all steps are together, in seconds."""
    steps = np.diff(times).astype(np.int64)
    return min(int((steps < 0).sum()), int((steps > 0).sum())), int(np.abs(steps // 1_000_000_000).sum())


def _cost(times: Times) -> tuple[int, ...]:
    good = times[~np.isnat(times)]
    invalid = len(times) - len(good)
    if not len(good):
        return (invalid, 0, 0, 0, 0, 0, 0, 0)
    turns, length = disorder(good)
    steps = np.abs(np.diff(good).astype(np.int64))
    steps = steps[steps > 0]
    median = float(np.median(steps)) if len(steps) else 0.0
    holes = int((steps > HOLE * median).sum())
    yearly = int(len(steps) > 1 and median >= YEARLY)
    weekend = (good.astype(np.int64) - FIRST_MONDAY) // DAY % 7 >= 5
    newest = int(good.max().astype("datetime64[Y]").astype(np.int64))
    future = int((good > latest_plausible()).sum())
    return (invalid, future, yearly, turns, holes, length, int(weekend.any()), -newest)


def _ambiguous(order: Order, example: str) -> Finding:
    day, month, year, year_month = (
        text("Dates such as {example} do not say which part is the day; they were read as day first.", example=example),
        text(
            "Dates such as {example} do not say which part is the day; they were read as month first.", example=example
        ),
        text(
            "Dates such as {example} do not say which part is the year; they were read as year first.", example=example
        ),
        text("Dates such as {example} may be days or months; they were read as year and month.", example=example),
    )
    messages = {"day_first": day, "month_first": month, "year_first": year, "year_month": year_month}
    return Finding("ambiguous_dates", "warning", messages[order])


def to_year(number: Integers) -> Integers:
    """Return the year that two digits stand for: 70 to 99 is last century."""
    return np.where(number < 70, 2000, 1900) + number

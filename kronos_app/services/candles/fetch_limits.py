"""Limits of a fetch: how many candles, and how long."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from kronos_app.data.source import OnPage
from kronos_app.errors import TooLarge, Unavailable
from kronos_app.i18n import text

if TYPE_CHECKING:
    from kronos_app.settings import Settings


@dataclass(frozen=True)
class FetchLimits:
    """Limits of a fetch by the settings."""

    settings: Settings

    def on_page(self, report: Callable[[int], None]) -> OnPage:
        """Return a callback for each page that reports the count, and raises beyond a limit."""
        minutes = self.settings.fetch_minutes
        end = time.monotonic() + 60 * minutes

        def on_page(count: int) -> None:
            report(count)
            self.check_rows(count)
            if time.monotonic() > end:
                raise Unavailable(
                    "fetch_too_slow",
                    text(
                        "The fetch took longer than {minutes} minutes and was stopped after {count} candles.",
                        minutes=minutes,
                        count=count,
                    ),
                    text("Choose a shorter range or a longer interval; KRONOS_FETCH_MINUTES sets the limit."),
                )

        return on_page

    def check_rows(self, count: int) -> None:
        """Raise `TooLarge` for more candles than allowed."""
        if count > self.settings.max_rows:
            raise TooLarge(
                "too_many_candles",
                text("The range has more than {limit} candles.", limit=self.settings.max_rows),
                text("Choose a shorter range or a longer interval; KRONOS_MAX_ROWS sets the limit."),
            )

"""The candles of a backtest, copied to its folder so that the store may change."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from kronos_app.data.qlib.export import qlib_name
from kronos_app.errors import InvalidInput, NotFound
from kronos_app.i18n import text
from kronos_app.services.candles.market import market_of
from kronos_app.services.selection.series import Notes, Parts, SeriesSelector

if TYPE_CHECKING:
    from kronos_app.data.candle_frame import CandleFrame
    from kronos_app.services.backtest.request import BacktestRequest
    from kronos_app.services.candles.series import SeriesService
    from kronos_app.services.candles.service import CandleService
    from kronos_app.services.selection.request import CandleSelection
    from kronos_app.settings import Settings

DAY = pd.Timedelta(days=1)
FILE_ENDING = re.compile(r"(?i)\.(csv|txt|feather|arrow|parquet|pq)(\.gz)?$")  # of an uploaded file
Names = list[str]


@dataclass(frozen=True)
class Member:
    """An instrument that is traded or the benchmark.

    Attributes
    ----------
    name
        A valid instrument name in Qlib.
    market
        As models name the markets of their training data.
    rows
        Number of candles.
    """

    name: str
    market: str
    rows: int


class Universes:
    """Finds and copies the candles of a backtest."""

    def __init__(self, settings: Settings, candles: CandleService, series: SeriesService) -> None:
        self._selector = SeriesSelector(settings, candles, series)

    def find(self, request: BacktestRequest) -> tuple[Parts, Notes]:
        """Return the instruments, whose candles are not read yet, and what to know about them.

        Raises InvalidInput or NotFound (nothing was chosen, or something does not exist).
        """
        parts, notes = self._find(request.data, request.benchmark)
        names = [part.name for part in parts]
        lower = [name.lower() for name in names]
        twice = next((name for name in names if lower.count(name.lower()) > 1), None)
        if twice is not None:
            raise InvalidInput(
                "same_name",
                text("Two of the chosen series would be called {symbol}.", symbol=twice),
                text("Leave one of them out."),
            )
        if request.benchmark is not None and request.benchmark not in names:
            raise InvalidInput(
                "unknown_benchmark",
                text("{symbol} is not among the chosen candles and cannot be the benchmark.", symbol=request.benchmark),
                text("Choose its candles as well, or go without."),
            )
        traded = len(parts) - (request.benchmark is not None)
        if not traded or (request.rule == "single" and traded != 1):
            raise InvalidInput(
                "no_backtest_data",
                text("The rule trades exactly one instrument; {count} are chosen.", count=traded)
                if request.rule == "single"
                else text("No candles were chosen to trade."),
                text("Choose data sets, stored series, a watchlist or a Qlib folder."),
            )
        return parts, notes

    def names(self, selection: CandleSelection) -> Names:
        """Return the instruments that can be the benchmark.

        Raises InvalidInput or NotFound (as `find`).
        """
        if selection.kind == "qlib":
            return [instrument.symbol for instrument in self._selector.open_qlib(selection).instruments()]
        return [part.name for part in self._find(selection)[0]]

    def copy(self, parts: Parts, request: BacktestRequest, folder: Path) -> list[Member]:
        """Write the candles of each instrument to `folder/NAME.parquet`; one is in memory at a time.

        Instruments of a Qlib folder that have no candles are left out.

        Raises InvalidInput (candles are not daily, but the rule is TopkDropout) or OSError (the folder cannot be
        written to).
        """
        folder.mkdir(parents=True)
        members = []
        for part in parts:
            try:
                candles = part.read()
            except NotFound:
                if request.data.kind != "qlib":
                    raise
                continue
            if request.rule == "topk" and not _is_daily(candles):
                raise InvalidInput(
                    "not_daily",
                    text("{symbol}: TopkDropout needs daily candles.", symbol=part.name),
                    text("Choose daily candles, or the rule for one instrument."),
                )
            candles.frame.to_parquet(folder / f"{part.name}.parquet")
            members.append(Member(part.name, market_of(candles), len(candles)))
        return members

    def qlib_folder(self, selection: CandleSelection) -> Path:
        """Return the path of the Qlib folder of a selection.

        Raises NotFound (there is no folder of this name).
        """
        return self._selector.qlib_folder(selection.qlib_folder)

    def _find(self, selection: CandleSelection, benchmark: str | None = None) -> tuple[Parts, Notes]:
        parts, notes = self._selector.find(selection, benchmark)
        if selection.kind != "qlib":
            parts = [replace(part, name=qlib_name(FILE_ENDING.sub("", part.name))) for part in parts]
        return parts, notes


def read_universe(folder: Path, names: Sequence[str]) -> Mapping[str, pd.DataFrame]:
    """Return the candles that `Universes.copy` wrote, by instrument."""
    return {name: pd.read_parquet(folder / f"{name}.parquet") for name in names}


def _is_daily(candles: CandleFrame) -> bool:
    times = candles.timestamps
    return candles.interval == DAY and bool((times == times.normalize()).all())

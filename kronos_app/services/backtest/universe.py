"""The candles of a backtest: which there are, read once, and kept in its folder so that they may change or go."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from kronos_app.data.qlib.export import qlib_name
from kronos_app.errors import InvalidInput, NotFound
from kronos_app.i18n import Text, text
from kronos_app.services.candles.market import MARKETS, UNKNOWN_MARKET
from kronos_app.services.selection.candles import qlib_parts, qlib_path
from kronos_app.services.selection.store_files import TuningData
from kronos_app.services.selection.training_files import Part

if TYPE_CHECKING:
    from kronos_app.data.candle_frame import CandleFrame
    from kronos_app.services.backtest.request import BacktestData, BacktestRequest
    from kronos_app.services.candles.series import SeriesService
    from kronos_app.services.candles.service import CandleService
    from kronos_app.settings import Settings

DAY = pd.Timedelta(days=1)
ENDING = re.compile(r"(?i)\.(csv|txt|feather|arrow|parquet|pq)(\.gz)?$")  # of an uploaded file


@dataclass(frozen=True)
class Member:
    """An instrument that is traded or compared with.

    Attributes
    ----------
    name
        As Qlib can name it.
    market
        What a model knows the end of its training by.
    rows
        Candles.
    """

    name: str
    market: str
    rows: int


class Universes:
    """Finds and copies the candles that a request names."""

    def __init__(self, settings: Settings, candles: CandleService, series: SeriesService) -> None:
        self._settings = settings
        self._data = TuningData(settings, candles, series)

    def parts(self, request: BacktestRequest) -> tuple[list[Part], list[Text]]:
        """Return the instruments, nothing read yet, and what to know about them.

        Raises
        ------
        InvalidInput, NotFound
            Nothing was chosen, or something is not there.
        """
        data = request.data
        of_qlib = data.kind == "qlib"
        parts, notes = (qlib_parts(self._settings, data, request.benchmark), []) if of_qlib else self._stored(data)
        names = [part.name for part in parts]
        twice = next((name for name in names if [one.lower() for one in names].count(name.lower()) > 1), None)
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

    def names(self, data: BacktestData) -> list[str]:
        """Return the instruments of the data; of a Qlib folder all there are."""
        if data.kind == "qlib":
            from kronos_app.data.qlib.source import QlibFolder

            return [one.symbol for one in QlibFolder(data.qlib_folder or "", self.qlib_folder(data)).instruments()]
        return [part.name for part in self._stored(data)[0]]

    def copy(self, parts: list[Part], request: BacktestRequest, folder: Path) -> list[Member]:
        """Write the candles of each instrument to `folder/NAME.parquet`; one is in memory at a time.

        What a Qlib folder lists and has no candles of is left out.

        Raises
        ------
        InvalidInput
            Candles are not daily though the rule is TopkDropout.
        OSError
            The folder cannot be written to.
        """
        folder.mkdir(parents=True)
        found = []
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
                    text("{symbol}: TopkDropout trades daily candles, and these are no such.", symbol=part.name),
                    text("Choose daily candles, or the rule for one instrument."),
                )
            candles.frame.to_parquet(folder / f"{part.name}.parquet")
            market = MARKETS.get(candles.about.calendar, UNKNOWN_MARKET) if candles.about.calendar else UNKNOWN_MARKET
            found.append(Member(part.name, market, len(candles)))
        return found

    def qlib_folder(self, data: BacktestData) -> Path:
        """Return the Qlib folder that a request names.

        Raises
        ------
        NotFound
            There is none of that name.
        """
        return qlib_path(self._settings, data.qlib_folder)

    def _stored(self, data: BacktestData) -> tuple[list[Part], list[Text]]:
        found, notes = self._data.parts(data.choice)
        return [Part(qlib_name(ENDING.sub("", part.name)), part.rows, part.state, part.read) for part in found], notes


def read(folder: Path, names: Sequence[str]) -> Mapping[str, pd.DataFrame]:
    """Return the candles that `Universes.copy` wrote."""
    return {name: pd.read_parquet(folder / f"{name}.parquet") for name in names}


def exportable(universe: Mapping[str, pd.DataFrame]) -> Mapping[str, CandleFrame]:
    """Return candles as an export takes them."""
    from kronos_app.data.candle_frame import CandleFrame

    return {name: CandleFrame(frame, name, "backtest") for name, frame in universe.items()}


def _is_daily(candles: CandleFrame) -> bool:
    times = candles.timestamps
    return candles.interval == DAY and bool((times == times.normalize()).all())

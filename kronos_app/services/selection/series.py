"""The series of a selection of candles: names, lengths and how to read each."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from kronos_app.data.qlib.files import QlibFiles, find_folders
from kronos_app.errors import InvalidInput, NotFound, TooLarge
from kronos_app.i18n import Text, text
from kronos_app.services.selection.request import MOST_SERIES, CandleSelection
from kronos_app.services.selection.training_files import Part
from kronos_app.store.series import SeriesKey

if TYPE_CHECKING:
    from kronos_app.data.candle_frame import CandleFrame
    from kronos_app.data.qlib.source import QlibFolder
    from kronos_app.services.candles.series import SeriesService
    from kronos_app.services.candles.service import CandleService
    from kronos_app.settings import Settings

NAMED = 5  # series that a message names
Parts = list[Part]
Notes = list[Text]


class SeriesSelector:
    """Finds the series of a selection; every thread may use it."""

    def __init__(self, settings: Settings, candles: CandleService, series: SeriesService) -> None:
        self.settings = settings
        self._candles = candles
        self._series = series

    def find(self, selection: CandleSelection, also: str | None = None) -> tuple[Parts, Notes]:
        """Return the series, whose candles are not read yet, and what to know about them.

        Parameters
        ----------
        also
            An instrument of a Qlib folder that is taken even if it is not in the market.

        Raises InvalidInput (nothing on the watchlist is stored), NotFound (A data set, series, watchlist, Qlib folder
        or market does not exist) or TooLarge (the market has too many instruments).
        """
        if selection.kind == "candle_sets":
            return list(self._data_sets(selection.candle_sets)), []
        if selection.kind == "series":
            keys = dict.fromkeys(SeriesKey(**choice.model_dump()) for choice in selection.series)
            return [self._stored_series(key) for key in keys], []
        if selection.kind == "watchlist":
            return self._watchlist(selection.watchlist or "")
        return self._qlib_instruments(selection, also), []

    def qlib_folder(self, name: str | None) -> Path:
        """Return the path of a Qlib folder.

        Raises NotFound (there is no folder of this name).
        """
        folders = find_folders(self.settings.qlib_folders)
        if name is None or name not in folders:
            raise NotFound(
                "unknown_qlib_folder",
                text("There is no Qlib folder “{name}”.", name=(name or "")[:60]),
                text("There are: {names}.", names=", ".join(folders))
                if folders
                else text("Name one in KRONOS_QLIB_FOLDERS, or download one as Qlib does."),
            )
        return folders[name]

    def open_qlib(self, selection: CandleSelection) -> QlibFolder:
        """Return the Qlib folder of a selection as a data source.

        Raises NotFound (there is no folder of this name).
        """
        from kronos_app.data.qlib.source import QlibFolder

        return QlibFolder(selection.qlib_folder or "", self.qlib_folder(selection.qlib_folder))

    def _data_sets(self, ids: Sequence[str]) -> Iterator[Part]:
        saved = {info.id: info for info in self._candles.list()}
        for candles_id in dict.fromkeys(ids):
            info = saved.get(candles_id)
            if info is None:
                self._candles.get(candles_id)  # raises NotFound
                raise AssertionError(candles_id)
            yield Part(info.title, info.rows, ("set", candles_id), partial(self._read_data_set, candles_id))

    def _read_data_set(self, candles_id: str) -> CandleFrame:
        return self._candles.get(candles_id).candles

    def _stored_series(self, key: SeriesKey) -> Part:
        info = self._series.get(key)
        state = ("series", *vars(key).values(), info.rows, str(info.first), str(info.last), str(info.state.checked))
        return Part(key.symbol, info.rows, state, partial(self._series.read, key))

    def _watchlist(self, name: str) -> tuple[Parts, Notes]:
        stored = self._series.list()
        pairs = [(entry, self._series.stored(entry, stored)) for entry in self._series.watchlist(name).entries]
        parts = [self._stored_series(info.key) for _entry, info in pairs if info is not None]
        missing = [entry.symbol for entry, info in pairs if info is None]
        if not parts:
            raise InvalidInput(
                "watchlist_not_stored",
                text("Nothing on the watchlist “{name}” is stored yet.", name=name),
                text("Update the watchlist first: this fetches its series."),
            )
        if not missing:
            return parts, []
        note = text(
            "{count} series of the watchlist are not stored and left out: {symbols}.",
            count=len(missing),
            symbols=", ".join(missing[:NAMED]),
        )
        return parts, [note]

    def _qlib_instruments(self, selection: CandleSelection, also: str | None) -> Parts:
        """Return the instruments of a market that have daily candles; only their closes are read."""
        source = self.open_qlib(selection)
        names = [instrument.symbol for instrument in source.instruments(selection.qlib_market)]
        if also is not None and also not in names:
            names += [instrument.symbol for instrument in source.instruments() if instrument.symbol == also]
        if len(names) > MOST_SERIES:
            raise TooLarge(
                "too_many_instruments",
                text("The market has {count} instruments; at most {most} can be used.",
                     count=len(names), most=MOST_SERIES),
                text("Choose a smaller market of the folder."),
            )  # fmt: skip
        files = QlibFiles(source.name, self.qlib_folder(selection.qlib_folder))
        days = len(files.calendar("day"))
        rows = {name: _count_closes(files, name, days) for name in names}
        return [Part(name, rows[name], (name,), partial(_read_daily, source, name)) for name in names if rows[name]]


def _count_closes(files: QlibFiles, name: str, days: int) -> int:
    close = files.field(name, "close", "day", days)
    return 0 if close is None else int(np.isfinite(close).sum())


def _read_daily(source: QlibFolder, name: str) -> CandleFrame:
    from kronos_app.data.checks import repair
    from kronos_app.data.source import FetchRequest

    return repair.apply(source.fetch(FetchRequest(name, "1d")), "drop").candles

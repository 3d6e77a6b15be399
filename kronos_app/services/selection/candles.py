"""Which candles to evaluate on or trade, as a request names them; and the instruments of a Qlib folder among them."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from kronos_app.data.qlib.files import QlibFiles, find_folders
from kronos_app.errors import NotFound, TooLarge
from kronos_app.i18n import text
from kronos_app.services.selection.request import MOST_SERIES, DataChoice, SeriesChoice
from kronos_app.services.selection.training_files import Part

if TYPE_CHECKING:
    from kronos_app.data.candle_frame import CandleFrame
    from kronos_app.data.qlib.source import QlibFolder
    from kronos_app.settings import Settings


class WorkData(BaseModel):
    """Which candles to take; a folder is known by its name alone."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["candle_sets", "series", "watchlist", "qlib"] = Field(
        description="Where the candles are: data sets, stored series, a watchlist, a Qlib folder."
    )
    candle_sets: list[str] = Field(default_factory=list, max_length=MOST_SERIES, description="Ids of data sets.")
    series: list[SeriesChoice] = Field(default_factory=list, max_length=MOST_SERIES, description="Stored series.")
    watchlist: str | None = Field(None, max_length=60, description="Name of a watchlist; its stored series are taken.")
    qlib_folder: str | None = Field(None, max_length=60, description="Name of a Qlib folder; its daily candles.")
    qlib_market: str = Field("all", max_length=60, description="Instrument set, such as csi300.")

    @property
    def choice(self) -> DataChoice:
        """Return the same as fine-tuning knows it."""
        return DataChoice.model_validate(self.model_dump())


def qlib_path(settings: Settings, name: str | None) -> Path:
    """Return the Qlib folder of that name.

    Raises
    ------
    NotFound
        There is none.
    """
    folders = find_folders(settings.qlib_folders)
    if name is None or name not in folders:
        raise NotFound(
            "unknown_qlib_folder",
            text("There is no Qlib folder “{name}”.", name=(name or "")[:60]),
            text("There are: {names}.", names=", ".join(folders))
            if folders
            else text("Name one in KRONOS_QLIB_FOLDERS, or download one as Qlib does."),
        )
    return folders[name]


def qlib_parts(settings: Settings, data: WorkData, also: str | None = None) -> list[Part]:
    """Return the instruments of a market that have daily candles; of each nothing but its closes is read.

    Parameters
    ----------
    also
        An instrument of the folder that is taken even where it is not of the market.

    Raises
    ------
    NotFound
        There is no such folder or market.
    TooLarge
        The market has more instruments than are taken at once.
    """
    from kronos_app.data.qlib.source import QlibFolder

    path = qlib_path(settings, data.qlib_folder)
    source = QlibFolder(data.qlib_folder or "", path)
    names = [one.symbol for one in source.instruments(data.qlib_market)]
    if also is not None and also not in names:
        names += [one.symbol for one in source.instruments() if one.symbol == also]
    if len(names) > MOST_SERIES:
        raise TooLarge(
            "too_many_instruments",
            text("{count} instruments are more than the {most} that are taken at once.",
                 count=len(names), most=MOST_SERIES),
            text("Choose a smaller market of the folder."),
        )  # fmt: skip
    files = QlibFiles(source.name, path)
    days = len(files.calendar("day"))
    rows = {name: _traded(files, name, days) for name in names}
    return [Part(name, rows[name], (name,), partial(_fetched, source, name)) for name in names if rows[name]]


def _traded(files: QlibFiles, name: str, days: int) -> int:
    close = files.field(name, "close", "day", days)
    return 0 if close is None else int(np.isfinite(close).sum())


def _fetched(source: QlibFolder, name: str) -> CandleFrame:
    from kronos_app.data.checks import repair
    from kronos_app.data.source import FetchRequest

    return repair.apply(source.fetch(FetchRequest(name, "1d")), "drop").candles

"""Market data that lies in folders of this machine: what there is, and many series read at once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, cast

from kronos_app.data.source import FetchRequest, Instrument
from kronos_app.errors import AppError, InvalidInput
from kronos_app.i18n import text

if TYPE_CHECKING:
    from kronos_app.data.draft import Draft
    from kronos_app.data.qlib.source import QlibFolder
    from kronos_app.services.candles.sources import Sources

MOST_SERIES = 500


class FolderService:
    """Qlib folders, which need no network and no waiting: what is asked for is read at once."""

    def __init__(self, sources: Sources) -> None:
        self._sources = sources

    def markets(self, key: str) -> list[str]:
        """Return the markets of a folder.

        Raises
        ------
        NotFound
            There is no such folder.
        Unavailable
            It is not there, or not in Qlib's layout.
        """
        return self._folder(key).markets()

    def instruments(self, key: str, market: str) -> list[Instrument]:
        """Return the instruments of a market.

        Raises
        ------
        NotFound
            There is no such folder or market.
        Unavailable
            As `markets`.
        """
        return self._folder(key).instruments(market)

    def read(
        self, key: str, requests: Sequence[FetchRequest], on_read: Callable[[int], None] | None = None
    ) -> tuple[list[Draft], list[AppError]]:
        """Return the series asked for, and for those that cannot be had the reasons.

        Raises
        ------
        InvalidInput
            More series than `MOST_SERIES`.
        NotFound
            There is no such folder.
        """
        if len(requests) > MOST_SERIES:
            raise InvalidInput(
                "too_many_symbols",
                text("{count} series are more than can be read at once.", count=len(requests)),
                text("Choose {most} instruments or fewer.", most=MOST_SERIES),
            )
        folder = self._folder(key)
        drafts: list[Draft] = []
        failed: list[AppError] = []
        for count, request in enumerate(requests, start=1):
            try:
                drafts.append(folder.fetch(request))
            except AppError as error:
                failed.append(error)
            if on_read is not None:
                on_read(count)
        return drafts, failed

    def _folder(self, key: str) -> QlibFolder:
        return cast("QlibFolder", self._sources.get(key))

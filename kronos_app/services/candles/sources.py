"""The market sources of this process."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from threading import Lock
from typing import TYPE_CHECKING, cast

from kronos_app.data.source import LONGEST_SYMBOL, CandleSource, FetchRequest, Instrument, ListedSource
from kronos_app.data.sources import FAMILIES, SourceFamily
from kronos_app.errors import AppError, InvalidInput, NotFound
from kronos_app.i18n import text

if TYPE_CHECKING:
    from kronos_app.data.draft import Draft
    from kronos_app.settings import Settings

MOST_SERIES = 500  # read at once


class Sources:
    """The sources of this process, each created on first use and then shared.

    Methods with a key raise `NotFound` where no source has it.
    """

    def __init__(self, settings: Settings, families: Sequence[SourceFamily] = FAMILIES) -> None:
        self.families = tuple(families)
        self._settings = settings
        self._created: dict[str, CandleSource] = {}
        self._lock = Lock()

    def get(self, key: str) -> CandleSource:
        """Return a source."""
        with self._lock:
            if key not in self._created:
                self._created[key] = self.family(key).make(self._settings, key)
            return self._created[key]

    def listed(self, key: str) -> ListedSource:
        """Return a source of a family that has lists of instruments."""
        return cast("ListedSource", self.get(key))

    def names(self, family: SourceFamily) -> Sequence[str]:
        """Return the keys of the sources of a family."""
        return family.names(self._settings)

    def family(self, key: str) -> SourceFamily:
        """Return the family of a source."""
        for family in self.families:
            if key in self.names(family):
                return family
        examples = (family.suggested or next(iter(self.names(family)), "") for family in self.families)
        raise NotFound(
            "unknown_source",
            text("There is no source “{key}”.", key=key[:LONGEST_SYMBOL]),
            text("Use the key of a source, such as {keys}.", keys=", ".join(filter(None, examples))),
        )

    def has(self, key: str) -> bool:
        """Return whether there is a source with this key."""
        return any(key in self.names(family) for family in self.families)

    def search(self, key: str, query: str) -> list[Instrument]:
        """Return the instruments of a source that match a query, the likeliest first."""
        query = query.strip()[:LONGEST_SYMBOL]
        return self.get(key).search(query) if query else []

    def read_all(
        self, key: str, requests: Sequence[FetchRequest], on_read: Callable[[int], None] = lambda _: None
    ) -> tuple[list[Draft], list[AppError]]:
        """Return the requested series, and the errors of those that cannot be read.

        Raises `InvalidInput` for more than `MOST_SERIES`.
        """
        if len(requests) > MOST_SERIES:
            raise InvalidInput(
                "too_many_symbols",
                text("{count} series are too many to read at once.", count=len(requests)),
                text("Choose {most} instruments or fewer.", most=MOST_SERIES),
            )
        source = self.get(key)
        drafts: list[Draft] = []
        failed: list[AppError] = []
        for count, request in enumerate(requests, start=1):
            try:
                drafts.append(source.fetch(request))
            except AppError as error:
                failed.append(error)
            on_read(count)
        return drafts, failed

"""The market sources of this process."""

from __future__ import annotations

from collections.abc import Sequence
from threading import Lock
from typing import TYPE_CHECKING

from kronos_app.data.source import LONGEST_SYMBOL, CandleSource
from kronos_app.data.sources import FAMILIES, SourceFamily
from kronos_app.errors import NotFound
from kronos_app.i18n import text

if TYPE_CHECKING:
    from kronos_app.settings import Settings


class Sources:
    """The sources of this process, each made when it is first asked for and shared from then on."""

    def __init__(self, settings: Settings, families: Sequence[SourceFamily] = FAMILIES) -> None:
        self.families = tuple(families)
        self._settings = settings
        self._made: dict[str, CandleSource] = {}
        self._lock = Lock()

    def get(self, key: str) -> CandleSource:
        """Return a source.

        Raises
        ------
        NotFound
            There is no source of this key.
        """
        with self._lock:
            if key not in self._made:
                self._made[key] = self.family(key).make(self._settings, key)
            return self._made[key]

    def names(self, family: SourceFamily) -> Sequence[str]:
        """Return the keys of the sources of a family: one, or one for each exchange or folder."""
        return family.names(self._settings)

    def family(self, key: str) -> SourceFamily:
        """Return the family that a source belongs to.

        Raises
        ------
        NotFound
            There is no source of this key.
        """
        for family in self.families:
            if key in family.names(self._settings):
                return family
        raise NotFound(
            "unknown_source",
            text("There is no source “{key}”.", key=key[:LONGEST_SYMBOL]),
            text("Use yahoo, the name of a crypto exchange, such as binance, or qlib: and the name of a folder."),
        )

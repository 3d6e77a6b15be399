"""What candles are of, apart from their values: told by the source, corrected by the user, kept wherever they go."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Self


@dataclass(frozen=True)
class About:
    """What is known about a series besides its candles; None where nobody has said.

    Attributes
    ----------
    symbol, interval
        As the source writes them, such as `600519.SS` and `15m`.
    adjustment
        What prices were adjusted for, by the source's own word, such as `adjusted` or `none`.
    currency
        ISO 4217 code, or a coin such as `USDT`.
    calendar
        Key of the calendar that says when candles fall due (`kronos_app.data.calendars`), such as `XNYS`; None to
        learn it from the candles.
    origin
        Where the candles were read: the host that answered, the table, the folder, the file.
    """

    symbol: str | None = None
    interval: str | None = None
    adjustment: str | None = None
    currency: str | None = None
    calendar: str | None = None
    origin: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return what is known, JSON-ready."""
        return {name: value for name, value in asdict(self).items() if value is not None}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Rebuild what `to_dict` returned; what a later version added is left out."""
        return cls(**{field.name: data[field.name] for field in fields(cls) if field.name in data})

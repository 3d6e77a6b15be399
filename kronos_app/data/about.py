"""Facts about a series besides its candles: from the source, corrected by the user, saved with the candles."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Self


@dataclass(frozen=True)
class About:
    """What is known about a series besides its candles; None where unknown."""

    symbol: str | None = None  # as the source writes it, such as `600519.SS`
    interval: str | None = None  # as the source writes it, such as `15m`
    adjustment: str | None = None  # in the source's word, such as `adjusted` or `none`
    currency: str | None = None  # ISO 4217 code, or a coin such as `USDT`
    calendar: str | None = None  # key of the calendar by which candles fall due, such as `XNYS`; None to learn it
    origin: str | None = None  # host, table, folder or file that the candles were read from

    def to_dict(self) -> dict[str, Any]:
        """Return what is known, JSON-ready."""
        return {name: value for name, value in asdict(self).items() if value is not None}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Rebuild what `to_dict` returned; what a later version added is left out."""
        return cls(**{field.name: data[field.name] for field in fields(cls) if field.name in data})

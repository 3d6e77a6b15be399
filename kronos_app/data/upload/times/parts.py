"""The parts of written times that a pattern matches."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from kronos_app.data.upload.cells import Integers, Mask, to_mask
from kronos_app.data.upload.times.values import Clock

NO_HOUR = 99


class Parts:
    """Named groups of a pattern in the cells that match it, by the letters that `forms` explains."""

    def __init__(self, groups: pa.StructArray) -> None:
        self._groups = groups
        self.names = {field.name for field in groups.type}

    def column(self, name: str) -> pa.Array:
        """Return a part as text, empty where a cell lacks it."""
        return pc.fill_null(self._groups.field(name), "")

    def number(self, name: str, width: int = 0) -> Integers:
        """Return a part as integers, zeros added up to a width; 0 where a cell lacks it, or 1 for the day."""
        if name not in self.names:
            return np.full(len(self._groups), 1 if name == "d" else 0, dtype=np.int64)
        digits = self.column(name)
        digits = pc.utf8_rpad(digits, width=width, padding="0") if width else digits
        numbers = pc.cast(pc.if_else(pc.equal(digits, ""), "0", digits), pa.int64())
        return np.asarray(numbers.to_numpy(zero_copy_only=False))

    def width(self, name: str) -> Integers:
        """Return how long a part is."""
        return np.asarray(pc.utf8_length(self.column(name)).to_numpy(zero_copy_only=False), dtype=np.int64)

    def equals(self, name: str, value: str) -> Mask:
        """Return in which cells a part is this text."""
        return to_mask(pc.equal(self.column(name), value))

    def clock(self) -> Clock:
        """Return the time of day; an hour that does not go with AM or PM as `NO_HOUR`."""
        hour = self.number("H")
        if "p" in self.names:
            half = pc.replace_substring(pc.utf8_lower(self.column("p")), ".", "")
            morning, afternoon = (to_mask(pc.equal(half, name)) for name in ("am", "pm"))
            either = morning | afternoon
            hour = np.where(either & ((hour < 1) | (hour > 12)), NO_HOUR, hour)
            hour = np.where(either & (hour == 12), 0, hour) + 12 * afternoon
        return hour, self.number("M"), self.number("S"), self.number("f", width=9)

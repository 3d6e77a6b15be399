"""Repairing a draft the way the user chose, with a table of everything that was changed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from kronos_app.data import quality
from kronos_app.data.candle_frame import FEATURES, PRICES, CandleFrame
from kronos_app.data.draft import Draft
from kronos_app.errors import InvalidInput
from kronos_app.i18n import Text, text

REPAIRS = ("drop", "ffill", "keep")


@dataclass(frozen=True)
class Repaired:
    """Candles ready for use and what was done to them.

    Attributes
    ----------
    choice
        `drop`, `ffill` or `keep`; None where the data needed none.
    dropped, filled, kept
        Rows left out (exact duplicates included), rows filled from the candle before, impossible candles left as they are.
    sorted
        Whether the rows had to be brought into the order of time.
    changes
        One line a changed cell: `row` (in the file), `timestamp`, `action` (`drop` or `fill`), `column`, `before`, `after` (text).
    """

    candles: CandleFrame
    choice: str | None
    dropped: int
    filled: int
    kept: int
    sorted: bool
    changes: pd.DataFrame

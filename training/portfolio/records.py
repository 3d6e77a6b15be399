"""Results of a backtest: tables, settings and notes, and their files."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from training.errors import DataError, Message
from training.evaluation.files import to_json
from training.run.folder import write_json

TABLES = ("daily", "positions", "trades")
ORDER = ["day", "instrument", "side", "ordered", "amount", "price", "value", "cost"]
HOLDING = ["day", "instrument", "amount", "price", "weight", "days"]


@dataclass(frozen=True, eq=False)
class Backtest:
    """A backtest of a strategy."""

    # By day: account, cash, value (of holdings), return (before costs), cost and turnover as shares of the previous
    # day's account, bench (the benchmark's return; NaN without one).
    daily: pd.DataFrame
    positions: pd.DataFrame  # a row a day and holding, columns `HOLDING`; `days` is how long it has been held
    # A row an order, columns `ORDER` (side is `buy` or `sell`), and the parts of the cost: commission, slippage,
    # impact. An order that was not executed has amount 0.
    trades: pd.DataFrame
    settings: Mapping[str, Any]  # rule, execution and all else that reproduces it; JSON-ready
    risk: Mapping[str, Mapping[str, float | None]] = field(default_factory=dict)  # Qlib's analysis; empty without Qlib
    notes: tuple[Message, ...] = ()  # what the reader should know: instruments without candles, a missing benchmark,

    @property
    def has_benchmark(self) -> bool:
        """Return whether there is a benchmark."""
        return bool(self.daily["bench"].notna().any())

    def save(self, folder: Path) -> None:
        """Write the tables and `backtest.json` to a folder, which is created; raises RunError if it is not writable."""
        folder.mkdir(parents=True, exist_ok=True)
        for name in TABLES:
            getattr(self, name).to_parquet(folder / f"{name}.parquet")
        write_json(
            folder / "backtest.json", {"settings": self.settings, "risk": self.risk, "notes": to_json(self.notes)}
        )

    @classmethod
    def load(cls, folder: Path) -> Backtest:
        """Return a saved backtest; raises DataError if the folder has none."""
        try:
            stored = json.loads((folder / "backtest.json").read_text(encoding="utf-8"))
            tables = {name: pd.read_parquet(folder / f"{name}.parquet") for name in TABLES}
            notes = tuple(Message.from_dict(note) for note in stored["notes"])
            return cls(**tables, settings=stored["settings"], risk=stored["risk"], notes=notes)
        except (OSError, ValueError, KeyError) as error:
            raise DataError("{folder} holds no backtest that can be read.", folder=str(folder)) from error

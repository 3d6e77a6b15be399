"""What a backtest leaves behind: tables that Parquet takes, and what was noticed."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from training.errors import DataError, Message, message
from training.run.folder import write_json

TABLES = ("daily", "positions", "trades")


@dataclass(frozen=True, eq=False)
class Backtest:
    """A strategy's days.

    Attributes
    ----------
    daily
        By day: account, cash, value (of what is held), return (before costs), cost and turnover as shares of the
        account of the day before, bench (the benchmark's return; NaN where there is none).
    positions
        A row a day and holding: day, instrument, amount, price, weight, days (it was held).
    trades
        A row an order: day, instrument, side (`buy` or `sell`), ordered, amount, price, value, cost, and what the cost
        is made of: commission, slippage, impact. An order that could not be dealt has amount 0.
    settings
        Rule, dealing and whatever else makes the same come out again; JSON-ready.
    risk
        Qlib's risk analysis with and without costs, of the whole and of what is beyond the benchmark; empty where Qlib
        did not run.
    notes
        What the reader must know: instruments without candles, a missing benchmark, ...
    """

    daily: pd.DataFrame
    positions: pd.DataFrame
    trades: pd.DataFrame
    settings: Mapping[str, Any]
    risk: Mapping[str, Mapping[str, float | None]] = field(default_factory=dict)
    notes: tuple[Message, ...] = ()

    @property
    def has_benchmark(self) -> bool:
        """Return whether there is something to compare with."""
        return bool(self.daily["bench"].notna().any())

    def save(self, folder: Path) -> None:
        """Write the tables and `backtest.json` to a folder, which is made.

        Raises
        ------
        RunError
            It cannot be written to.
        """
        folder.mkdir(parents=True, exist_ok=True)
        for name in TABLES:
            getattr(self, name).to_parquet(folder / f"{name}.parquet")
        notes = [note.to_dict() for note in self.notes]
        write_json(folder / "backtest.json", {"settings": self.settings, "risk": self.risk, "notes": notes})

    @classmethod
    def load(cls, folder: Path) -> Backtest:
        """Return what `save` wrote.

        Raises
        ------
        DataError
            There is none in the folder.
        """
        try:
            kept = json.loads((folder / "backtest.json").read_text(encoding="utf-8"))
            tables = {name: pd.read_parquet(folder / f"{name}.parquet") for name in TABLES}
            notes = tuple(Message(note["msgid"], note["params"]) for note in kept["notes"])
            return cls(**tables, settings=kept["settings"], risk=kept["risk"], notes=notes)
        except (OSError, ValueError, KeyError) as error:
            raise DataError(message("{folder} holds no backtest that can be read.", folder=str(folder))) from error

"""In which units the numbers of a table count: by headers, by amount and price, or as a vendor writes them."""

from __future__ import annotations

import re

import numpy as np
import pyarrow as pa

from kronos_app.data.candle_frame import PRICES
from kronos_app.data.upload.cells import is_text
from kronos_app.data.upload.choice import Choice, power_of_ten, unit_names
from kronos_app.data.upload.columns import in_group
from kronos_app.data.upload.units import LOT, LOTS, simplify, split_unit, strip_marks
from kronos_app.i18n import text


def choose_units(choice: Choice) -> None:
    """Add the units that prices and amounts imply, and those that headers name."""
    _choose_fixed_point(choice)
    _choose_implied(choice)
    for role in ("volume", "amount", *PRICES):
        if role not in choice.roles or role in choice.stated.units:
            continue
        header = choice.field_of(role)
        name, unit = split_unit(header)
        if unit is None:
            continue
        if unit in LOTS and role == "volume":
            _choose_lots(choice, unit)
        elif unit not in LOTS and not (role in PRICES and _is_letter(name, header)):
            choice.units[role] = unit


def _choose_fixed_point(choice: Choice) -> None:
    """Recognise whole prices that count billionths, as Databento's files have them."""
    cells = [choice.table.cells.get(choice.roles.get(role, -1)) for role in PRICES]
    if set(PRICES) & set(choice.stated.units) or not all(_first_is_whole(column, 1_000_000) for column in cells):
        return
    values = np.concatenate([choice.values(choice.roles[role]) for role in PRICES])
    values = values[np.isfinite(values) & (values != 0)]
    if not len(values) or (values % 1).any() or np.abs(values).min() < 1e6:
        return
    least = np.abs(values).min()
    marked = sum(in_group(header, "fixed_point_markers") for header in choice.table.fields) > 1
    if marked or (least >= 1e9 and not (values % 1e5).any()):
        choice.units |= dict.fromkeys(PRICES, 1e-9)
        choice.add("fixed_point", "warning", text(
            "Prices are whole numbers such as {value}, read as billionths. State the unit 1 to change that.",
            value=f"{values[0]:.0f}",
        ))  # fmt: skip
    elif least >= 1e10:
        choice.add("fixed_point", "warning", text(
            "Prices are whole numbers such as {value}. If they count billionths, state the unit 1e-9.",
            value=f"{values[0]:.0f}",
        ))  # fmt: skip


def _choose_implied(choice: Choice) -> None:
    """Add lots and thousands that amount, price and volume imply where no header names a unit."""
    if not {"volume", "amount"} <= choice.roles.keys():
        return
    if {"volume", "amount", *PRICES} & {*choice.stated.units, *choice.units}:
        return
    volume, amount = choice.roles["volume"], choice.roles["amount"]
    units = unit_names(choice, [volume, amount])
    if units & set(LOTS) or _has_column(choice, "open_interest"):
        return
    power = power_of_ten(choice.amount_ratios(amount, volume))
    name = choice.field_of("volume")
    shares = in_group(name, "pieces") or "股" in name
    if power == 2 and None in units and not shares:
        choice.units["volume"] = "lots"
    elif power == 3 and "張" in name:
        choice.units["volume"] = "thousand"
    elif power == -1 and _has_column(choice, "lots_and_thousands_markers"):
        choice.units |= {"volume": "lots", "amount": "thousand"}
    elif power and "doubtful_amount" not in {finding.code for finding in choice.findings}:
        choice.add("doubtful_amount", "warning", text(
            "“{amount}” is {ratio} times price times “{volume}”: one of them counts in another unit. State that unit.",
            amount=choice.header(amount), volume=choice.header(volume), ratio=f"{10.0**power:g}",
        ))  # fmt: skip


def _choose_lots(choice: Choice, unit: str) -> None:
    """Decide how many shares a lot has: 100, unless amount or open interest show that lots are contracts."""
    volume = choice.roles["volume"]
    ratio = choice.amount_ratio(choice.roles.get("amount"), volume)
    unconfirmed = ratio is None and not _has_column(choice, "open_interest")
    if unconfirmed or (ratio is not None and 0.5 * LOT < ratio < 2 * LOT):
        choice.units["volume"] = unit
    elif LOTS[unit] != 1:
        choice.units["volume"] = LOTS[unit]
    if unconfirmed:
        choice.add("unit", "warning", text(
            "Column “{column}” counts lots; each was read as {count} shares. State another unit if it has more or "
            "fewer.", column=choice.header(volume), count=LOT,
        ))  # fmt: skip
    elif choice.units.get("volume") != unit:
        choice.add("unit", "warning", text(
            "Column “{column}” counts lots of unknown size; its numbers are lots. State the unit to change that.",
            column=choice.header(volume),
        ))  # fmt: skip


def _has_column(choice: Choice, group: str) -> bool:
    return any(in_group(header, group) for header in choice.table.fields)


def _is_letter(name: str, header: str) -> bool:
    """Return whether the unit of a header is one letter: after a price it means something else, such as a bid."""
    return len(re.sub(r"[\W_]", "", strip_marks(simplify(header))[len(name) :])) == 1


def _first_is_whole(cells: pa.ChunkedArray | None, least: int) -> bool:
    """Return whether the first cell that is not empty is a large whole number."""
    if cells is None or not (is_text(cells) or pa.types.is_integer(cells.type)):
        return False
    digits = next((str(cell).strip() for cell in cells.slice(0, 50).to_pylist() if cell not in {None, ""}), "")
    return digits.isdecimal() and float(digits) >= least  # of any length, as `int` is not

"""How a file is read: the role of each column, format and zone of its times, units of its numbers."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self, get_args

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from kronos_app.data.candle_frame import FEATURES
from kronos_app.data.upload.columns import shorten, shorten_list
from kronos_app.data.upload.times import zone_names
from kronos_app.data.upload.units import UNITS
from kronos_app.errors import InvalidInput
from kronos_app.i18n import Text, text

Role = Literal[
    "timestamp", "date", "clock", "open", "high", "low", "close", "volume", "amount", "symbol", "ignore"
]  # fmt: skip
ROLES: tuple[Role, ...] = get_args(Role)
MOST_COLUMNS = 200
_REPEATABLE = frozenset({"symbol", "ignore"})


def _roles(value: Any) -> dict[str, str]:
    for header, role in _object(value, "columns").items():
        if role not in ROLES:
            raise _invalid(
                text("columns: “{header}” has the unknown role “{role}”.", header=shorten(header), role=_shown(role)),
                text("The roles are {names}.", names=", ".join(ROLES)),
            )
    return dict(value)


def _units(value: Any) -> dict[str, str | float]:
    for role, unit in _object(value, "units").items():
        if role not in FEATURES:
            raise _invalid(
                text("units: “{role}” is no role that has a unit.", role=shorten(role)),
                text("The roles are {names}.", names=", ".join(FEATURES)),
            )
        number = isinstance(unit, int | float) and not isinstance(unit, bool)
        if not (unit in UNITS if isinstance(unit, str) else number and 0 < unit <= 1e15 and math.isfinite(unit)):
            raise _invalid(
                text("units: “{unit}” of “{role}” is no unit.", unit=_shown(unit), role=role),
                text("Use a positive number, or one of {names}.", names=", ".join(UNITS)),
            )
    return dict(value)


def _zone(value: Any) -> str | None:
    name = None if value is None else _shown(value)
    zone_names.check_iana(name)
    return name


class ColumnMapping(BaseModel):
    """What is stated about a file, or after `infer` all that reading it needs.

    Attributes
    ----------
    columns
        Header to role. A header that occurs several times is called `Close (2)` and so on, one without a name by its
        place: `column 3`. Several columns may have the role `symbol`: together they name a series.
    time_format
        As `timestamps.parse` takes it; None to detect it.
    timezone
        IANA name of the zone that the times are local to; None for what the file says.
    units
        Role to a name of `units.UNITS`, or to a factor.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    columns: Annotated[Mapping[str, Role], BeforeValidator(_roles)] = Field(default_factory=dict)
    time_format: str | None = Field(None, min_length=1, max_length=100)
    timezone: Annotated[str | None, BeforeValidator(_zone)] = None
    units: Annotated[Mapping[str, str | float], BeforeValidator(_units)] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _one_column_a_role(self) -> Self:
        counts = Counter(self.columns.values())
        for role, count in counts.items():
            if count > 1 and role not in _REPEATABLE:
                headers = [header for header, of in self.columns.items() if of == role]
                raise _invalid(
                    text("columns: several columns have the role {role}: {headers}.", role=role,
                         headers=shorten_list(headers)),
                    text("Give the role to one of them; the others can be “ignore”."),
                )  # fmt: skip
        if counts["timestamp"] and (counts["date"] or counts["clock"]):
            raise _invalid(
                text("columns: the role timestamp cannot be combined with date or clock."),
                text("Use timestamp for a column with date and time, or date and clock for two columns."),
            )
        return self

    @classmethod
    def from_form(
        cls, columns: str | None, time_format: str | None, timezone: str | None, units: str | None
    ) -> ColumnMapping:
        """Return the mapping that form fields state; `columns` and `units` are JSON, an empty field states nothing.

        Raises InvalidInput, which names the field, and the header or role in it.
        """
        return cls(
            columns=_from_json(columns, "columns"), time_format=time_format or None, timezone=timezone or None,
            units=_from_json(units, "units"),
        )  # fmt: skip

    def headers(self, role: Role) -> list[str]:
        """Return the headers that have a role, in order."""
        return [header for header, of in self.columns.items() if of == role]

    def factor(self, role: str) -> float:
        """Return what the numbers of a role are multiplied by."""
        unit = self.units.get(role, 1.0)
        return UNITS[unit] if isinstance(unit, str) else float(unit)


def _from_json(value: str | None, field: str) -> dict[str, Any]:
    if value is None or not value.strip():
        return {}
    try:
        return _object(json.loads(value), field)
    except (ValueError, RecursionError) as error:
        raise _not_an_object(field) from error


def _object(value: Any, field: str) -> dict[str, Any]:
    if not isinstance(value, Mapping) or len(value) > MOST_COLUMNS:
        raise _not_an_object(field)
    return dict(value)


def _not_an_object(field: str) -> InvalidInput:
    example = '{"Last": "close", "Vol": "volume"}' if field == "columns" else '{"volume": "lots", "amount": "million"}'
    return _invalid(
        text("{field} is not a JSON object.", field=field),
        text("Send an object of up to {count} entries, such as {example}.", count=MOST_COLUMNS, example=example),
    )


def _shown(value: Any) -> str:
    return shorten(value if isinstance(value, str) else json.dumps(value, default=str))


def _invalid(message: Text, hint: Text) -> InvalidInput:
    return InvalidInput("invalid_mapping", message, hint)

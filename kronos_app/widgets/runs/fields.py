"""Widgets for the fields of a request, with the defaults and limits of its pydantic model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

import annotated_types as limits
import streamlit as st
from pydantic import BaseModel
from pydantic.fields import FieldInfo
from streamlit.delta_generator import DeltaGenerator

from kronos_app import state
from kronos_app.i18n import Text
from kronos_app.state import gettext as _

EARLIEST = date(1970, 1, 1)
DIGITS = 12  # of a scaled number: more are errors of floating point


@dataclass(frozen=True)
class RequestFields:
    """The widgets of a form; their session keys are `PREFIX.FIELD`.

    Attributes
    ----------
    units
        Units by field, which follow the labels.
    scales
        By which the value of a field is multiplied for the form: 10,000 shows a share in basis points.
    """

    model: type[BaseModel]
    prefix: str
    labels: Mapping[str, Text]
    units: Mapping[str, Text] = field(default_factory=dict)
    scales: Mapping[str, float] = field(default_factory=dict)

    def label(self, field: str) -> str:
        """Return the label of a field, with its unit."""
        label = state.say(self.labels[field])
        if field not in self.units:
            return label
        return _("{label} ({unit})").format(label=label, unit=state.say(self.units[field]))

    def adopt(self, values: Mapping[str, Any]) -> None:
        """Set the widgets to the values of a request."""
        st.session_state.update({self.key(field): self._shown(field, value) for field, value in values.items()})

    def key(self, field: str) -> str:
        """Return the session key of a field."""
        return f"{self.prefix}.{field}"

    def number(
        self,
        place: DeltaGenerator,
        field: str,
        step: float = 1,
        *,
        low: float | None = None,
        **options: Any,
    ) -> Any:
        """Render a number and return it.

        Parameters
        ----------
        step
            In the unit of the form; an int for whole numbers.
        low
            The least value, where it is not that of the model; not scaled.
        options
            Passed to `st.number_input`.
        """
        info, number, key = self.model.model_fields[field], type(step), self.key(field)
        scale = self.scales.get(field, 1)
        least, most = find_limits(info, step / scale)
        if info.default is None:
            options["value"] = None
        else:
            state.default(key, number(self._shown(field, info.default)))
        least, most = (
            None if limit is None else number(limit * scale) for limit in (least if low is None else low, most)
        )
        value = place.number_input(
            self.label(field), least, most, step=step, key=key, persist_state="session", **options
        )
        return value if value is None or scale == 1 else round(value / scale, DIGITS)

    def choice(self, place: DeltaGenerator, field: str, names: Mapping[Any, str], **options: Any) -> Any:
        """Render a choice among `names`, labels by value, and return the value."""
        state.default(self.key(field), self.model.model_fields[field].default)
        options |= {"format_func": names.__getitem__, "key": self.key(field), "persist_state": "session"}
        return place.selectbox(self.label(field), list(names), **options)

    def datetime(self, place: DeltaGenerator, field: str, **options: Any) -> datetime | None:
        """Render a day and a time, which may be empty, and return it."""
        options |= {"key": self.key(field), "persist_state": "session"}
        return place.datetime_input(self.label(field), None, EARLIEST, **options)

    def checkbox(self, place: DeltaGenerator, field: str, **options: Any) -> bool:
        """Render a checkbox and return whether it is checked."""
        state.default(self.key(field), self.model.model_fields[field].default)
        return bool(place.checkbox(self.label(field), key=self.key(field), persist_state="session", **options))

    def _shown(self, field: str, value: Any) -> Any:
        """Return a value as the form shows it."""
        return round(value * self.scales[field], DIGITS) if field in self.scales and value is not None else value


def find_limits(info: FieldInfo, step: float) -> tuple[float | None, float | None]:
    """Return the least and the greatest value of a field, None where there is no limit."""
    least: float | None = None
    most: float | None = None
    for limit in info.metadata:
        match limit:
            case limits.Ge(ge=int() | float() as value):
                least = value
            case limits.Gt(gt=int() | float() as value):
                least = value + step
            case limits.Le(le=int() | float() as value):
                most = value
            case limits.Lt(lt=int() | float() as value):
                most = value - step
    return least, most

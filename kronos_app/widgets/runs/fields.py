"""Widgets for the fields of a request, with the defaults and limits of its pydantic model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import annotated_types as limits
from pydantic import BaseModel
from pydantic.fields import FieldInfo
from streamlit.delta_generator import DeltaGenerator

from kronos_app import state


@dataclass(frozen=True)
class RequestFields:
    """The widgets of a form; their session keys are `PREFIX.FIELD`."""

    model: type[BaseModel]
    prefix: str

    def key(self, field: str) -> str:
        """Return the session key of a field."""
        return f"{self.prefix}.{field}"

    def number(
        self,
        place: DeltaGenerator,
        field: str,
        label: str,
        step: float = 1,
        *,
        low: float | None = None,
        **options: Any,
    ) -> Any:
        """Render a number and return it.

        Parameters
        ----------
        step
            An int for whole numbers.
        low
            The least value, where it is not that of the model.
        options
            Passed to `st.number_input`.
        """
        info, number, key = self.model.model_fields[field], type(step), self.key(field)
        least, most = _limits(info, step)
        if info.default is None:
            options["value"] = None
        else:
            state.default(key, number(info.default))
        least, most = (None if limit is None else number(limit) for limit in (least if low is None else low, most))
        return place.number_input(label, least, most, step=step, key=key, persist_state="session", **options)

    def choice(self, place: DeltaGenerator, field: str, label: str, names: Mapping[str, str], **options: Any) -> Any:
        """Render a choice among `names`, labels by value, and return the value."""
        state.default(self.key(field), self.model.model_fields[field].default)
        return place.selectbox(
            label, list(names), format_func=names.__getitem__, key=self.key(field), persist_state="session", **options
        )

    def checkbox(self, place: DeltaGenerator, field: str, label: str, **options: Any) -> bool:
        """Render a checkbox and return whether it is checked."""
        state.default(self.key(field), self.model.model_fields[field].default)
        return bool(place.checkbox(label, key=self.key(field), persist_state="session", **options))


def _limits(info: FieldInfo, step: float) -> tuple[Any, Any]:
    """Return the least and the greatest value of a field, None where there is no limit."""
    least: Any = None
    most: Any = None
    for limit in info.metadata:
        match limit:
            case limits.Ge(ge=value):
                least = value
            case limits.Gt(gt=value):
                least = float(str(value)) + step
            case limits.Le(le=value):
                most = value
            case limits.Lt(lt=value):
                most = float(str(value)) - step
    return least, most

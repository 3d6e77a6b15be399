"""Errors of pydantic as errors for users."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from kronos_app.errors import InvalidInput
from kronos_app.i18n import Text, text

_WHOLE = text("Give a whole number.")
_NUMBER = text("Give a finite number.")
_TIME = text("Give a time such as 2024-05-31T15:00:00.")

_KINDS: dict[str, tuple[Text, Text]] = {
    "missing": (text("{field} is missing."), text("Add the field {field}.")),
    "extra_forbidden": (text("{field} is not a known field."), text("Check the spelling, or leave it out.")),
    "greater_than_equal": (text("{field} is too small."), text("The least allowed is {ge}.")),
    "greater_than": (text("{field} is too small."), text("It must be above {gt}.")),
    "less_than_equal": (text("{field} is too large."), text("The most allowed is {le}.")),
    "less_than": (text("{field} is too large."), text("It must be below {lt}.")),
    "finite_number": (text("{field} is not a finite number."), _NUMBER),
    "float_parsing": (text("{field} is not a number."), _NUMBER),
    "float_type": (text("{field} is not a number."), _NUMBER),
    "int_parsing": (text("{field} is not a whole number."), _WHOLE),
    "int_parsing_size": (text("{field} is too large."), _WHOLE),
    "int_from_float": (text("{field} is not a whole number."), _WHOLE),
    "int_type": (text("{field} is not a whole number."), _WHOLE),
    "datetime_parsing": (text("{field} is not a time."), _TIME),
    "datetime_from_date_parsing": (text("{field} is not a time."), _TIME),
    "datetime_type": (text("{field} is not a time."), _TIME),
    "literal_error": (text("{field} has an unknown value."), text("Choose {expected}.")),
    "string_type": (text("{field} is not text."), text("Put the value in quotes.")),
    "string_too_long": (text("{field} is too long."), text("At most {max_length} characters are allowed.")),
    "string_too_short": (text("{field} is empty."), text("At least {min_length} character(s) are needed.")),
    "too_long": (text("{field} has too many values."), text("At most {max_length} are allowed.")),
    "too_short": (text("{field} has too few values."), text("At least {min_length} must be given.")),
    "json_invalid": (text("The request body is not valid JSON."), text("Send one JSON object.")),
    "model_attributes_type": (text("The request body is not a JSON object."), text("Send one JSON object.")),
}


def from_pydantic(errors: Sequence[Mapping[str, Any]]) -> InvalidInput:
    """Return the first of pydantic's `errors` as an `InvalidInput` that names the field.

    Parameters
    ----------
    errors
        Those of `ValidationError.errors()`; a leading `body`, `query` or `path` of a location is left out.
    """
    error = errors[0]
    where = [str(part) for part in error.get("loc", ()) if part not in {"body", "query", "path", "header"}]
    values = {"field": ".".join(where) or "body", **_limits(error.get("ctx") or {})}
    generic = (text("{field} is not valid: {detail}.", detail=str(error.get("msg", ""))), text(""))
    kind = str(error.get("type"))
    # A missing body has no field name.
    message, hint = _KINDS.get("json_invalid" if kind == "missing" and not where else kind, generic)
    return InvalidInput("invalid_field", _filled(message, values), _filled(hint, values))


def _filled(template: Text, values: Mapping[str, Any]) -> Text:
    return Text(template.msgid, {**template.params, **values}) if template.msgid else template


def _limits(context: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in context.items() if isinstance(value, int | float | str)}

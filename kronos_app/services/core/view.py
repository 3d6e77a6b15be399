"""Base of view models: the one shape of a result for the page, the API answer and the file."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Self

import pandas as pd
from pydantic import BaseModel, ConfigDict, PlainSerializer, SerializationInfo
from pydantic_core import from_json

from kronos_app.i18n import Text


def _render(message: Text, info: SerializationInfo) -> str:
    return message.render((info.context or {}).get("language", "en"))


Message = Annotated[Text, PlainSerializer(_render, return_type=str)]
"""A message that is translated when the view is written as JSON."""


Moment = Annotated[pd.Timestamp, PlainSerializer(pd.Timestamp.isoformat, return_type=str)]
"""The time of a candle, to the nanosecond."""


class View(BaseModel):
    """A result, read from a record's attributes or from a mapping."""

    model_config = ConfigDict(frozen=True, from_attributes=True, arbitrary_types_allowed=True)

    def to_json(self, language: str = "en") -> dict[str, Any]:
        """Return the JSON form with messages in `language`; numbers that are not finite are null."""
        written = self.model_dump_json(context={"language": language}, by_alias=True)
        result: dict[str, Any] = from_json(written)
        return result


class ErrorView(View):
    """What went wrong and what to do."""

    code: str
    message: Message
    hint: Message

    @classmethod
    def read(cls, saved: Mapping[str, Any]) -> Self:
        """Return the error of `AppError.to_dict`."""
        message, hint = (Text.from_dict(saved[name]) for name in ("message", "hint"))
        return cls(code=saved["code"], message=message, hint=hint)

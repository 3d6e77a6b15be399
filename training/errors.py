"""The errors of training, and messages that the interface can translate.

TrainingError
├── ConfigError     a setting cannot be used; names the field, and the line of the file
├── DataError       candles cannot be used; names the symbol
├── RunError        a run's folder is locked, read-only, full or damaged
├── Unreadable      a saved record is damaged, or of a version that this one does not understand
└── Diverged        a loss or a gradient is not finite; names the step and the windows
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic import GetCoreSchemaHandler
from pydantic_core import CoreSchema, core_schema


@dataclass(frozen=True)
class Message:
    """An English sentence and the values of its `{fields}`, which may be messages; pydantic models may contain it."""

    msgid: str
    params: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def from_dict(cls, stored: Mapping[str, Any]) -> Message:
        """Return the message that `to_dict` returned."""
        params = {
            name: cls.from_dict(value) if isinstance(value, Mapping) and "msgid" in value else value
            for name, value in stored["params"].items()
        }
        return cls(stored["msgid"], params)

    def to_dict(self) -> dict[str, Any]:
        """Return msgid and params, JSON-ready, as status and reports store them."""
        params = {name: value.to_dict() if isinstance(value, Message) else value for name, value in self.params.items()}
        return {"msgid": self.msgid, "params": params}

    def render(self, quote: Callable[[str], str] = str) -> str:
        """Return the sentence in English; `quote` is applied to each text that is filled in."""
        values: dict[str, Any] = {}
        for name, value in self.params.items():
            nested = value.render(quote) if isinstance(value, Message) else value
            values[name] = quote(value) if isinstance(value, str) else nested
        return self.msgid.format(**values) if values else self.msgid

    def __str__(self) -> str:
        """Return the sentence in English."""
        return self.render()

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        def validate(value: Any) -> Message:
            try:
                return value if isinstance(value, cls) else cls.from_dict(value)
            except (KeyError, TypeError, AttributeError) as error:
                raise ValueError("this is not a message") from error

        return core_schema.no_info_plain_validator_function(
            validate,
            serialization=core_schema.plain_serializer_function_ser_schema(cls.to_dict),
        )


def message(msgid: str, /, **params: Any) -> Message:
    """Mark `msgid` for translation and return it with its parameters."""
    return Message(msgid, params)


class TrainingError(Exception):
    """Base of everything that training raises on purpose: takes a message, or its msgid and params."""

    def __init__(self, message: str | Message, /, **params: Any) -> None:
        self.message = Message(message, params) if isinstance(message, str) else message
        super().__init__(str(self.message))


class ConfigError(TrainingError, ValueError):
    """A setting cannot be used."""


class DataError(TrainingError, ValueError):
    """Candles cannot be used."""


class RunError(TrainingError, OSError):
    """A run's folder cannot be used."""


class Unreadable(TrainingError, ValueError):
    """A saved record cannot be read."""


class Diverged(TrainingError, FloatingPointError):
    """A loss or a gradient is not finite."""

"""What training raises, and the remarks it makes: sentences that whoever shows them can translate.

TrainingError
├── ConfigError     settings that cannot be used; names the field, and the line of the file
├── DataError       candles that cannot be trained on; names the symbol
├── RunError        a run's folder that cannot be used: taken, read-only, full, damaged
└── Diverged        a loss or a gradient that is not finite; names the step and the windows
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Message:
    """An English sentence and the values that go into its `{fields}`; JSON-ready by `to_dict`."""

    msgid: str
    params: Mapping[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        """Return the sentence in English."""
        return self.msgid.format(**self.params) if self.params else self.msgid

    def to_dict(self) -> dict[str, Any]:
        """Return the form that status and reports keep."""
        params = {name: value.to_dict() if isinstance(value, Message) else value for name, value in self.params.items()}
        return {"msgid": self.msgid, "params": params}


def message(msgid: str, /, **params: Any) -> Message:
    """Mark `msgid` for translation and return it with its parameters."""
    return Message(msgid, params)


class TrainingError(Exception):
    """Base of everything that training raises on purpose."""

    def __init__(self, message: Message) -> None:
        super().__init__(str(message))
        self.message = message


class ConfigError(TrainingError, ValueError):
    """Settings that cannot be used."""


class DataError(TrainingError, ValueError):
    """Candles that cannot be trained on."""


class RunError(TrainingError, OSError):
    """A run's folder that cannot be used."""


class Diverged(TrainingError, FloatingPointError):
    """A loss or a gradient that is not finite."""

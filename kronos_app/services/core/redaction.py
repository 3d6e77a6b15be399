"""Messages of the trainer without paths of this machine, which only the administrator may see."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kronos_app.data.qlib.files import find_folders
from kronos_app.i18n import Text

if TYPE_CHECKING:
    from kronos_app.settings import Settings

ROOT = Path(__file__).resolve().parents[3]


class Redaction:
    """Replaces paths by names.

    Parameters
    ----------
    base
        `base` of the run's config, and the name of the base model.
    """

    def __init__(self, settings: Settings, base: Mapping[str, Any] | None = None, name: str | None = None) -> None:
        places = {str(settings.home): "KRONOS_HOME", str(ROOT): "."}
        places |= {str(path): f"qlib:{key}" for key, path in find_folders(settings.qlib_folders).items()}
        for field in ("model", "tokenizer"):
            path = (base or {}).get(field)
            if path and name and Path(str(path)).is_absolute():
                places[str(path)] = name
        self._places = sorted(places.items(), key=lambda place: -len(place[0]))

    def redact(self, message: str) -> str:
        """Return text with paths replaced."""
        for path, name in self._places:
            message = message.replace(path, name)
        return message

    def redact_text(self, message: Text) -> Text:
        """Return a message with paths in its values replaced."""
        return Text(message.msgid, {name: self._value(value) for name, value in message.params.items()})

    def _value(self, value: Any) -> Any:
        if isinstance(value, Text):
            return self.redact_text(value)
        return self.redact(value) if isinstance(value, str) else value

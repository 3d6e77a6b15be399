"""Words of the trainer without where things lie on this machine, which is nobody's business but the administrator's."""

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
        What `base` of the run's config holds, and the name its reader knows it by.
    """

    def __init__(self, settings: Settings, base: Mapping[str, Any] | None = None, name: str | None = None) -> None:
        places = {str(settings.home): "KRONOS_HOME", str(ROOT): "."}
        places |= {str(path): f"qlib:{key}" for key, path in find_folders(settings.qlib_folders).items()}
        for field in ("model", "tokenizer"):
            path = (base or {}).get(field)
            if path and name and Path(str(path)).is_absolute():
                places[str(path)] = name
        self._places = sorted(places.items(), key=lambda place: -len(place[0]))

    def redact(self, told: str) -> str:
        """Return words without paths."""
        for path, name in self._places:
            told = told.replace(path, name)
        return told

    def redact_text(self, told: Text) -> Text:
        """Return a sentence whose values have no paths."""
        return Text(told.msgid, {name: self._value(value) for name, value in told.params.items()})

    def _value(self, value: Any) -> Any:
        if isinstance(value, Text):
            return self.redact_text(value)
        return self.redact(value) if isinstance(value, str) else value

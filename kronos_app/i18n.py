"""Messages in English and 简体中文, translated where they are shown.

Source strings are English. Data, store, services and jobs build a `Text`; the page or the API route renders it in the
user's language. Catalogs are gettext `.po` files, read with Babel.
"""

from __future__ import annotations

import gettext
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from io import BytesIO
from pathlib import Path
from typing import Any

LANGUAGES: dict[str, str] = {"en": "English", "zh_CN": "简体中文"}
LOCALES = Path(__file__).with_name("locales")


@dataclass(frozen=True)
class Text:
    """A message: an English source string and the values of its `{fields}`."""

    msgid: str
    params: Mapping[str, Any] = field(default_factory=dict)

    def render(self, language: str = "en") -> str:
        """Return the message in `language`; values that are `Text` are rendered, too."""
        values = {name: v.render(language) if isinstance(v, Text) else v for name, v in self.params.items()}
        return translate(self.msgid, language).format(**values) if values else translate(self.msgid, language)

    def __add__(self, other: Text) -> Text:
        """Return both sentences as one message."""
        return text("{one} {other}", one=self, other=other) if self.msgid else other

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON-ready form that can be rendered in any language later."""
        params = {name: v.to_dict() if isinstance(v, Text) else v for name, v in self.params.items()}
        return {"msgid": self.msgid, "params": params}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Text:
        """Return the message of `to_dict`."""
        params = {n: cls.from_dict(v) if isinstance(v, dict) and "msgid" in v else v for n, v in data["params"].items()}
        return cls(data["msgid"], params)

    @classmethod
    def __get_pydantic_core_schema__(cls, _source: Any, _handler: Any) -> Any:
        """Return the pydantic schema: read from `to_dict`, written as `to_dict` or in `context["language"]`."""
        from pydantic_core import core_schema

        def write(value: Text, info: core_schema.SerializationInfo) -> Any:
            return value.render(info.context["language"]) if info.context else value.to_dict()

        serialization = core_schema.plain_serializer_function_ser_schema(write, info_arg=True)
        return core_schema.no_info_plain_validator_function(cls._validate, serialization=serialization)

    @classmethod
    def __get_pydantic_json_schema__(cls, _schema: Any, _handler: Any) -> dict[str, Any]:
        return {"type": "string"}

    @classmethod
    def _validate(cls, value: Any) -> Text:
        if isinstance(value, Text):
            return value
        try:
            return cls.from_dict(value)
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError("no sentence") from error


def text(msgid: str, /, **params: Any) -> Text:
    """Mark `msgid` for extraction and return it with its parameters."""
    return Text(msgid, params)


def translate(msgid: str, language: str) -> str:
    """Return `msgid` in `language`, or unchanged if the catalog does not contain it."""
    return msgid if language == "en" or not msgid else _catalog(language).gettext(msgid)


@cache
def _catalog(language: str) -> gettext.NullTranslations:
    from babel.messages.mofile import write_mo
    from babel.messages.pofile import read_po

    path = LOCALES / language / "LC_MESSAGES" / "kronos.po"
    if language not in LANGUAGES or not path.exists():
        return gettext.NullTranslations()
    with path.open("rb") as source:
        catalog = read_po(source, locale=language)
    compiled = BytesIO()
    write_mo(compiled, catalog)
    compiled.seek(0)
    return gettext.GNUTranslations(compiled)

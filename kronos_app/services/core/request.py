"""Base of the requests to services."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, ValidationError

from kronos_app.services.core.training_errors import training_errors
from kronos_app.services.core.validation import from_pydantic
from training.saved import parse_saved


class Request(BaseModel):
    """Fields of a request from a page or the API; their descriptions are part of the API's documentation."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    @classmethod
    def build(cls, fields: Mapping[str, Any]) -> Self:
        """Return the request made of `fields`.

        Raises InvalidInput, which names the first wrong field and its limits.
        """
        try:
            return cls.model_validate(dict(fields))
        except ValidationError as error:
            raise from_pydantic(error.errors()) from None

    @classmethod
    def read(cls, saved: Mapping[str, Any], place: str) -> Self:
        """Return the request that was saved at `place`, possibly by another version: see `parse_saved`.

        Raises InvalidInput: this version cannot read it.
        """
        with training_errors():
            return parse_saved(cls, saved, place)

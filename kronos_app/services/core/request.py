"""What is asked of a service."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, ValidationError

from kronos_app.services.core.training_errors import training_errors
from kronos_app.services.core.validation import from_pydantic
from training.saved import parse_saved


class Request(BaseModel):
    """Fields checked where they come in, from a page as from the API; the descriptions are what the API documents."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    @classmethod
    def build(cls, fields: Mapping[str, Any]) -> Self:
        """Return the request made of `fields`.

        Raises
        ------
        InvalidInput
            Names the first field that does not fit and its limits.
        """
        try:
            return cls.model_validate(dict(fields))
        except ValidationError as error:
            raise from_pydantic(error.errors()) from None

    @classmethod
    def read(cls, saved: Mapping[str, Any], place: str) -> Self:
        """Return the request that was saved at `place`, maybe by another version: see `parse_saved`.

        Raises
        ------
        InvalidInput
            This version cannot read it.
        """
        with training_errors():
            return parse_saved(cls, saved, place)

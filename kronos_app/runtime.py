"""How pages reach the desk: the one set of services in this process, shared with the API."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kronos_app.services.desk import Desk


def desk() -> Desk:
    """Return the desk, opening it on first use; the import waits until then so that the first page need not."""
    from kronos_app.services.desk import get_desk

    return get_desk()


def loaded_device(model: str) -> str | None:
    """Return where a model is in memory, None while it is not.

    Before torch was imported none can be, and asking would import it: the first page must not wait for that.
    """
    if "torch" not in sys.modules:
        return None
    return next((status.device for status in desk().models.list() if status.name == model), None)

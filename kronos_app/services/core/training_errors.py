"""Errors and messages of training as those of the app."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from kronos_app.errors import AppError, Conflict, InvalidInput, Unavailable
from kronos_app.i18n import Text, text

if TYPE_CHECKING:
    from training.errors import Message


@contextmanager
def training_errors(words: Callable[[Text], Text] = lambda sentence: sentence) -> Iterator[None]:
    """Turn training's errors into `AppError`; the sentences stay as they are but for what `words` changes in them."""
    from training.errors import ConfigError, DataError, RunError, TrainingError, Unreadable

    kinds: dict[type[TrainingError], tuple[type[AppError], str, Text]] = {
        ConfigError: (InvalidInput, "run_config", text("Change this setting and try again.")),
        DataError: (
            InvalidInput,
            "training_data",
            text("Choose other candles, or change the settings that they do not fit."),
        ),
        Unreadable: (InvalidInput, "record_unreadable", text("It was saved by another version: make it again.")),
        RunError: (Unavailable, "run_folder", text("Check the free space and the permissions of the app's home.")),
    }
    try:
        yield
    except TrainingError as error:
        kind, code, hint = next(
            (kinds[known] for known in kinds if isinstance(error, known)), (AppError, "training_failed", text(""))
        )
        raise kind(code, words(to_text(error.message)), hint) from error


def unreadable_error(record_id: str, reason: Text) -> Conflict:
    """Return the error of a saved record that this version cannot read."""
    return Conflict(
        "record_unreadable",
        text("{id} cannot be read: {reason}", id=record_id, reason=reason),
        text("Delete it, or open it with the version of Kronos Desk that saved it."),
    )


def to_text(message: Message) -> Text:
    """Return a message of training as a text that is translated where it is shown."""
    return Text.from_dict(message.to_dict())

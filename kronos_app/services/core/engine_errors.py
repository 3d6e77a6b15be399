"""What the engine raises, told to people: which model, what is wrong and what to do about it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from kronos_app.errors import AppError, InvalidInput, NotFound, TooLarge, Unavailable
from kronos_app.i18n import text


@contextmanager
def engine_errors(model: str) -> Iterator[None]:
    """Turn the engine's errors, met while using `model`, into `AppError`."""
    from engine.errors import KronosError

    try:
        yield
    except KronosError as error:
        raise _translated(error, model) from error
    except MemoryError as error:
        raise TooLarge(
            "out_of_memory",
            text("There is not enough memory for this with {model}.", model=model),
            text("Ask for fewer samples, a shorter lookback or a smaller model."),
        ) from error


def _translated(error: Exception, model: str) -> AppError:
    from engine import errors

    detail = str(error)
    if isinstance(error, errors.HubUnreachable):
        return Unavailable(
            "hub_unreachable",
            text("{model} is not on this machine, and the Hugging Face Hub cannot be reached.", model=model),
            text(
                "Set HF_ENDPOINT to a mirror and restart, put the files in the folders models/{model}/model and "
                "models/{model}/tokenizer of the app's home, or use kronos-nano, which needs no network.",
                model=model,
            ),
        )
    if isinstance(error, errors.HubNotFound):
        return NotFound(
            "hub_not_found",
            text("The Hugging Face Hub does not have {model}: {detail}", model=model, detail=detail),
            text("Check the name, or the mirror that HF_ENDPOINT names."),
        )
    if isinstance(error, errors.HubUnauthorized):
        return Unavailable(
            "hub_unauthorized",
            text("The Hugging Face Hub refuses access to {model}.", model=model),
            text("Set HF_TOKEN to a token that may read it and restart."),
        )
    if isinstance(error, errors.CheckpointError):
        return Unavailable(
            "checkpoint_unusable",
            text("The files of {model} cannot be used: {detail}", model=model, detail=detail),
            text("Delete them and load the model again; files of your own need to be a matching model and tokenizer."),
        )
    if isinstance(error, errors.InputError):
        return InvalidInput("engine_input", text("{model} cannot forecast this: {detail}", model=model, detail=detail))
    return Unavailable("model_unavailable", text("{model} cannot be used now: {detail}", model=model, detail=detail))

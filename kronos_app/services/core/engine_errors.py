"""Errors of the engine as `AppError`: which model, what is wrong and what to do."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from kronos_app.errors import AppError, InvalidInput, NotFound, TooLarge, Unavailable
from kronos_app.i18n import text


@contextmanager
def engine_errors(model: str) -> Iterator[None]:
    """Turn errors of the engine, raised while `model` is used, into `AppError`."""
    from engine.errors import KronosError

    try:
        yield
    except KronosError as error:
        raise _translate(error, model) from error
    except MemoryError as error:
        raise TooLarge(
            "out_of_memory",
            text("There is not enough memory for this request with {model}.", model=model),
            text("Choose fewer samples, a shorter lookback or a smaller model."),
        ) from error


def _translate(error: Exception, model: str) -> AppError:
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
            text("Check the name, or the mirror in HF_ENDPOINT."),
        )
    if isinstance(error, errors.HubUnauthorized):
        return Unavailable(
            "hub_unauthorized",
            text("The Hugging Face Hub refuses access to {model}.", model=model),
            text("Set HF_TOKEN to a token with read access and restart."),
        )
    if isinstance(error, errors.CheckpointError):
        return Unavailable(
            "checkpoint_unusable",
            text("The files of {model} cannot be used: {detail}", model=model, detail=detail),
            text("Delete them and load the model again; your own files must be a matching model and tokenizer."),
        )
    if isinstance(error, errors.InputError):
        return InvalidInput("engine_input", text("{model} cannot forecast this: {detail}", model=model, detail=detail))
    return Unavailable("model_unavailable", text("{model} cannot be used now: {detail}", model=model, detail=detail))

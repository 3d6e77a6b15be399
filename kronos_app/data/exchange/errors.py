"""Errors of ccxt as messages that say what to do."""

from __future__ import annotations

import math

from kronos_app.data.source_messages import unavailable
from kronos_app.errors import AppError, InvalidInput
from kronos_app.i18n import text


def is_temporary(failure: Exception) -> bool:
    """Return whether a retry may help."""
    import ccxt

    if isinstance(failure, ccxt.BaseError):
        return isinstance(failure, ccxt.NetworkError | ccxt.BadResponse) and not isinstance(failure, ccxt.InvalidNonce)
    return True  # an answer that ccxt could not parse


def explain(failure: Exception, exchange: str, *, timeout: float, wait: float = 0.0) -> AppError:
    """Return the error to raise for a failure of ccxt, without its message, which quotes addresses and answers.

    Parameters
    ----------
    failure
        What ccxt raised; an exception of another library means an answer that it could not parse.
    exchange
        The exchange's name for display.
    timeout, wait
        Seconds after which a request is cancelled, and seconds that the exchange asked to wait.
    """
    import ccxt

    if isinstance(failure, ccxt.BadSymbol):
        return InvalidInput(
            "unknown_symbol",
            text("{exchange} does not know this symbol.", exchange=exchange),
            text("Search for it: symbols are written BTC/USDT, swaps BTC/USDT:USDT."),
        )
    if isinstance(failure, ccxt.BadRequest | ccxt.NotSupported | ccxt.ArgumentsRequired):
        return InvalidInput(
            "source_rejected",
            text("{exchange} has no candles of this symbol at this interval and range.", exchange=exchange),
            text("Choose another interval or a later start."),
        )
    # The first class that fits counts: ccxt derives them from one another.
    for kinds, code in (
        (ccxt.AuthenticationError | ccxt.RestrictedLocation, "source_refused"),
        (ccxt.RateLimitExceeded | ccxt.DDoSProtection, "rate_limited"),
        (ccxt.RequestTimeout, "timed_out"),
        (ccxt.ExchangeNotAvailable, "source_fault"),
        (ccxt.InvalidNonce, "clock_off"),
        (ccxt.NetworkError, "unreachable"),
        (ccxt.BadResponse, "malformed_answer"),
        (ccxt.BaseError, "source_fault"),
    ):
        if isinstance(failure, kinds):
            seconds = f"{timeout:g}" if code == "timed_out" else max(60, math.ceil(wait))
            return unavailable(code, exchange, seconds=seconds, detail=type(failure).__name__)
    return unavailable("malformed_answer", exchange)

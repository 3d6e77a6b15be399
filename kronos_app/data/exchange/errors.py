"""What ccxt raises, told apart for people: what went wrong and what to do about it."""

from __future__ import annotations

import math

from kronos_app.errors import AppError, InvalidInput, Unavailable
from kronos_app.i18n import text


def is_temporary(failure: Exception) -> bool:
    """Return whether asking again may help."""
    import ccxt

    if isinstance(failure, ccxt.BaseError):
        return isinstance(failure, ccxt.NetworkError | ccxt.BadResponse) and not isinstance(failure, ccxt.InvalidNonce)
    return True  # an answer that ccxt could not read


def explain(failure: Exception, exchange: str, *, timeout: float, wait: float = 0.0) -> AppError:
    """Return the error to raise for one of ccxt's, without its message: that quotes addresses and answers.

    Parameters
    ----------
    failure
        What ccxt raised; an exception not its own means an answer that it could not read.
    exchange
        The exchange's name for people.
    timeout
        Seconds after which requests were given up.
    wait
        Seconds that the exchange asked to wait.
    """
    import ccxt

    if isinstance(failure, ccxt.BadSymbol):
        return InvalidInput(
            "unknown_symbol",
            text("{exchange} does not know this symbol.", exchange=exchange),
            text("Search for it: symbols are written BTC/USDT, swaps BTC/USDT:USDT."),
        )
    if isinstance(failure, ccxt.AuthenticationError):
        return Unavailable(
            "source_refused",
            text("{exchange} refuses access.", exchange=exchange),
            text("Check the API key in the secrets; without one, the exchange may refuse this network or country."),
        )
    if isinstance(failure, ccxt.RestrictedLocation):
        return Unavailable(
            "source_refused",
            text("{exchange} does not serve this location.", exchange=exchange),
            text("Use another exchange, or a proxy where that is allowed."),
        )
    if isinstance(failure, ccxt.RateLimitExceeded | ccxt.DDoSProtection):
        return Unavailable(
            "rate_limited",
            text("{exchange} has had too many requests from here.", exchange=exchange),
            text("Wait {seconds} seconds, then fetch again.", seconds=max(60, math.ceil(wait))),
        )
    return _of_the_connection(failure, exchange, timeout) or _of_the_answer(failure, exchange)


def _of_the_connection(failure: Exception, exchange: str, timeout: float) -> Unavailable | None:
    import ccxt

    if isinstance(failure, ccxt.RequestTimeout):
        return Unavailable(
            "timed_out",
            text("{exchange} did not answer within {seconds} seconds.", exchange=exchange, seconds=f"{timeout:g}"),
            text("Try again later, or raise the time limit."),
        )
    if isinstance(failure, ccxt.ExchangeNotAvailable):
        return Unavailable(
            "source_fault",
            text("{exchange} is out of service or under maintenance.", exchange=exchange),
            text("Try again later; the exchange's status page may say when."),
        )
    if isinstance(failure, ccxt.InvalidNonce):
        return Unavailable(
            "clock_off",
            text("{exchange} refuses requests with the time of this machine.", exchange=exchange),
            text("Set the clock of this machine."),
        )
    if isinstance(failure, ccxt.NetworkError):
        return Unavailable(
            "unreachable",
            text("{exchange} cannot be reached, or the connection broke.", exchange=exchange),
            text("Check the network and the proxy, then try again."),
        )
    return None


def _of_the_answer(failure: Exception, exchange: str) -> AppError:
    import ccxt

    if isinstance(failure, ccxt.BadRequest | ccxt.NotSupported | ccxt.ArgumentsRequired):
        return InvalidInput(
            "source_rejected",
            text("{exchange} has no candles of this symbol at this interval and range.", exchange=exchange),
            text("Choose another interval or a later start."),
        )
    if isinstance(failure, ccxt.BaseError) and not isinstance(failure, ccxt.BadResponse):
        return Unavailable(
            "source_fault",
            text("{exchange} reports an error ({kind}).", exchange=exchange, kind=type(failure).__name__),
            text("Try again later, or another symbol or interval."),
        )
    return Unavailable(
        "malformed_answer",
        text("{exchange} answered with something that makes no sense.", exchange=exchange),
        text("Try again later; a proxy or a login page of the network may be in between."),
    )

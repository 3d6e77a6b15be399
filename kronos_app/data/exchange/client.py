"""A ccxt client shared by threads, with retries, whose errors and logs contain no secret."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from threading import Lock
from typing import Any, TypeVar
from urllib.parse import quote, urlsplit

from kronos_app.data.exchange.errors import explain, is_temporary
from kronos_app.errors import InvalidInput
from kronos_app.i18n import text
from kronos_app.settings import ExchangeSettings

T = TypeVar("T")

LONGEST_WAIT = 60.0  # seconds that a fetch waits at most when an exchange asks for a pause
_SLICE = 0.2  # seconds between checks for a cancellation
_log = logging.getLogger(__name__)
# ccxt logs whole requests with their headers, including API keys.
_SILENT = logging.getLogger(f"{__name__}.ccxt")
_SILENT.disabled = True


class _Redact(logging.Filter):
    """Removes credentials from log records; some exchanges require a key in the URL."""

    def __init__(self) -> None:
        super().__init__()
        self.secrets: set[str] = set()

    def filter(self, record: logging.LogRecord) -> bool:
        message = record.getMessage()
        for secret in self.secrets:
            if secret in message:
                message = message.replace(secret, "***")
                record.msg, record.args = message, ()
        return True


_REDACT = _Redact()


@dataclass
class ExchangeClient:
    """One exchange through ccxt, which is imported by the first call.

    Attributes
    ----------
    name
        ccxt's id of the exchange.
    settings
        Address, proxies, options and credentials of the exchange.
    timeout
        Seconds after which a request is cancelled.
    retries, backoff
        Retries after a temporary failure, and seconds before the first; each further pause is twice as long.
    pause
        Seconds between requests; None for what the exchange asks for.
    """

    name: str
    settings: ExchangeSettings
    timeout: float = 20.0
    retries: int = 3
    backoff: float = 1.0
    pause: float | None = None
    _lock: Lock = field(default_factory=Lock, init=False)
    _client: Any = field(default=None, init=False)

    def call(self, ask: Callable[[Any], T], while_waiting: Callable[[], None] = lambda: None) -> T:
        """Return the result of `ask(client)`, retried after a temporary failure.

        Parameters
        ----------
        ask
            Called under a lock, so that all threads together respect the rate limit.
        while_waiting
            Called repeatedly before a retry; may raise to cancel.

        Raises
        ------
        InvalidInput, Unavailable
            See `explain`; nothing in them comes from the request or the answer.
        """
        import ccxt

        for attempt in range(self.retries + 1):
            failure: Exception
            with self._lock:
                client = self._open()
                try:
                    return ask(client)
                except (ccxt.BaseError, TypeError, ValueError, LookupError, AttributeError) as error:
                    # ccxt raises errors of Python for answers of an unexpected shape.
                    failure = error
                wait = max(self.backoff * 2**attempt, _asked_to_wait(client, failure))
            _log.warning("%s: %s", self.name, type(failure).__name__)
            if attempt == self.retries or not is_temporary(failure) or wait > LONGEST_WAIT:
                break
            _sleep(wait, while_waiting)
        # Outside the except clause: the context would carry ccxt's message, which contains addresses.
        raise explain(failure, str(client.name), timeout=self.timeout, wait=wait)

    def _open(self) -> Any:
        import ccxt

        if self._client is None:
            if self.name not in ccxt.exchanges:
                raise InvalidInput(
                    "unknown_exchange",
                    text("There is no exchange “{name}”.", name=self.name),
                    text("Use one of the ids that ccxt lists, such as binance, kraken or okx."),
                )
            self._client = self._make(getattr(ccxt, self.name))
        return self._client

    def _make(self, kind: Any) -> Any:
        import ccxt

        secrets = {name: secret.get_secret_value() for name, secret in (self.settings.credentials or {}).items()}
        options = self.settings.options or {}
        config: dict[str, Any] = {
            "enableRateLimit": True,
            "timeout": int(self.timeout * 1000),
            "options": dict(options),
        }
        if self.settings.proxies:
            config["proxies"] = dict(self.settings.proxies)
        client = kind(secrets | config)
        unknown = set(secrets) - set(client.requiredCredentials)
        if unknown:
            raise ValueError(f"{self.name} has no credentials called {', '.join(sorted(unknown))}")
        if secrets:
            _REDACT.secrets.update(form for value in secrets.values() if value for form in (value, quote(value, "")))
            logging.getLogger("urllib3.connectionpool").addFilter(_REDACT)
        client.logger = _SILENT
        for private in ("fetchCurrencies", "fetchMargins"):  # with a key, ccxt requests these from Binance, too
            if client.options.get(private) is True and private not in options:
                client.options[private] = False
        # By default ccxt takes both for an exchange that is down.
        client.httpExceptions = client.httpExceptions | {"403": ccxt.PermissionDenied, "451": ccxt.RestrictedLocation}
        if self.name == "kraken":  # its message for a delisted pair, which ccxt does not know
            client.exceptions["broad"]["EQuery:Unknown asset pair"] = ccxt.BadSymbol
        client.fetch = _only_json(client.fetch)
        if self.pause is not None:
            client.rateLimit = self.pause * 1000
        if self.settings.base_url is not None:
            client.urls["api"] = _moved(client.urls["api"], self.settings.base_url.rstrip("/"))
        return client


def _only_json(fetch: Callable[..., Any]) -> Callable[..., Any]:
    """Return ccxt's `fetch`, which accepts text that is not JSON, with an error for it."""
    import ccxt

    def strict(*args: Any, **kwargs: Any) -> Any:
        answer = fetch(*args, **kwargs)
        if not isinstance(answer, dict | list):
            raise ccxt.BadResponse("not JSON")
        return answer

    return strict


def _moved(urls: Any, base_url: str) -> Any:
    """Return ccxt's tree of URLs with another scheme and host and the same paths."""
    if isinstance(urls, dict):
        return {name: _moved(url, base_url) for name, url in urls.items()}
    return base_url + urlsplit(urls).path if isinstance(urls, str) else urls


def _asked_to_wait(client: Any, failure: Exception) -> float:
    """Return the seconds that a rate-limited answer asks to wait, 0 where it does not say."""
    import ccxt

    if isinstance(failure, ccxt.DDoSProtection | ccxt.RateLimitExceeded):
        with suppress(KeyError, ValueError):
            return max(0.0, float((client.last_response_headers or {})["Retry-After"]))
    return 0.0


def _sleep(seconds: float, while_waiting: Callable[[], None]) -> None:
    until = time.monotonic() + seconds
    while True:
        while_waiting()
        left = until - time.monotonic()
        if left <= 0:
            return
        time.sleep(min(left, _SLICE))

"""A ccxt client that threads share, that asks again where that helps, and whose errors name no secret."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from threading import Lock
from typing import Any, TypeVar
from urllib.parse import quote, urlsplit

from pydantic import SecretStr

from kronos_app.data.exchange.errors import explain, is_temporary
from kronos_app.errors import InvalidInput
from kronos_app.i18n import text

T = TypeVar("T")

LONGEST_WAIT = 60.0  # seconds that a fetch waits because an exchange asks for it
_SLICE = 0.2  # seconds until a waiting fetch notices that it was cancelled
_log = logging.getLogger(__name__)
# ccxt logs whole requests with their headers, keys included.
_SILENT = logging.getLogger(f"{__name__}.ccxt")
_SILENT.disabled = True


class _Redact(logging.Filter):
    """Takes credentials out of what is logged; some exchanges want a key in the address."""

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


class ExchangeClient:
    """One exchange through ccxt, which is imported when the first call needs it.

    Parameters
    ----------
    name
        ccxt's id of the exchange.
    timeout
        Seconds until a request is given up.
    retries, backoff
        How often a request is repeated after what is temporary, and the seconds before the first repetition; each
        further one waits twice as long.
    pause
        Seconds between requests; None for what the exchange asks for.
    proxies
        Proxy by scheme, such as `{"https": "http://proxy:3128"}`.
    options
        ccxt's options of this exchange.
    credentials
        ccxt's names (`apiKey`, `secret`, ...) to their values.
    base_url
        Scheme and host to ask instead of the exchange's own.
    """

    def __init__(
        self,
        name: str,
        *,
        timeout: float,
        retries: int,
        backoff: float,
        pause: float | None,
        proxies: Mapping[str, str] | None,
        options: Mapping[str, Any] | None,
        credentials: Mapping[str, SecretStr] | None,
        base_url: str | None,
    ) -> None:
        self.name = name
        self.timeout = timeout
        self.retries = retries
        self.backoff = backoff
        self._pause = pause
        self._proxies = {scheme: SecretStr(url) for scheme, url in (proxies or {}).items()}
        self._options = dict(options or {})
        self._credentials = dict(credentials or {})
        self._base_url = base_url
        self._lock = Lock()
        self._client: Any = None

    def call(self, ask: Callable[[Any], T], while_waiting: Callable[[], None] = lambda: None) -> T:
        """Return what `ask` makes of the ccxt client, repeated where the failure is temporary.

        Parameters
        ----------
        ask
            Called under a lock, so that the pace the exchange asks for holds for all threads together.
        while_waiting
            Called again and again before a repetition; may raise to cancel.

        Raises
        ------
        InvalidInput, Unavailable
            See `explain`; nothing in it comes from the request or the answer.
        """
        import ccxt

        for attempt in range(self.retries + 1):
            failure: Exception
            with self._lock:
                client = self._open()
                try:
                    return ask(client)
                except (ccxt.BaseError, TypeError, ValueError, LookupError, AttributeError) as error:
                    # ccxt itself stumbles over answers of another shape than it expects.
                    failure = error
                wait = max(self.backoff * 2**attempt, _asked_to_wait(client, failure))
            _log.warning("%s: %s", self.name, type(failure).__name__)
            if attempt == self.retries or not is_temporary(failure) or wait > LONGEST_WAIT:
                break
            _sleep(wait, while_waiting)
        # Outside of the except clause, so that no context brings along addresses that ccxt put into its message.
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

        secrets = {name: secret.get_secret_value() for name, secret in self._credentials.items()}
        config: dict[str, Any] = {
            "enableRateLimit": True,
            "timeout": int(self.timeout * 1000),
            "options": self._options,
        }
        if self._proxies:
            config["proxies"] = {scheme: url.get_secret_value() for scheme, url in self._proxies.items()}
        client = kind(secrets | config)
        unknown = set(secrets) - set(client.requiredCredentials)
        if unknown:
            raise ValueError(f"{self.name} has no credentials called {', '.join(sorted(unknown))}")
        if secrets:
            _REDACT.secrets.update(form for value in secrets.values() if value for form in (value, quote(value, "")))
            logging.getLogger("urllib3.connectionpool").addFilter(_REDACT)
        client.logger = _SILENT
        for private in ("fetchCurrencies", "fetchMargins"):  # with a key, Binance is asked for these beside its markets
            if client.options.get(private) is True and private not in self._options:
                client.options[private] = False
        # By default both mean that the exchange is down.
        client.httpExceptions = client.httpExceptions | {"403": ccxt.PermissionDenied, "451": ccxt.RestrictedLocation}
        if self.name == "kraken":  # said of a pair that was dropped; ccxt does not know the words
            client.exceptions["broad"]["EQuery:Unknown asset pair"] = ccxt.BadSymbol
        client.fetch = _only_json(client.fetch)
        if self._pause is not None:
            client.rateLimit = self._pause * 1000
        if self._base_url is not None:
            client.urls["api"] = _moved(client.urls["api"], self._base_url.rstrip("/"))
        return client


def _only_json(fetch: Callable[..., Any]) -> Callable[..., Any]:
    """Return ccxt's `fetch` made strict: text that is no JSON passes it, and reads like an empty answer later."""
    import ccxt

    def strict(*args: Any, **kwargs: Any) -> Any:
        answer = fetch(*args, **kwargs)
        if not isinstance(answer, dict | list):
            raise ccxt.BadResponse("not JSON")
        return answer

    return strict


def _moved(urls: Any, base_url: str) -> Any:
    """Return ccxt's tree of addresses with another scheme and host, paths kept."""
    if isinstance(urls, dict):
        return {name: _moved(url, base_url) for name, url in urls.items()}
    return base_url + urlsplit(urls).path if isinstance(urls, str) else urls


def _asked_to_wait(client: Any, failure: Exception) -> float:
    """Return the seconds that the answer to a request too many asks to wait; 0 where it does not say."""
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

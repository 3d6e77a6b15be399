"""Limit on wrong passwords and tokens, for each address and overall."""

from __future__ import annotations

import hmac
import logging
import math
import time
from collections import OrderedDict

from limits import RateLimitItem, parse
from limits.storage import MemoryStorage
from limits.strategies import FixedWindowRateLimiter

from kronos_app.errors import TooManyRequests
from kronos_app.i18n import text

log = logging.getLogger(__name__)

# Short windows: a user who shares an address with an attacker waits a minute at most.
PER_ADDRESS = parse("10/minute")
OVERALL = parse("100/minute")
MAX_KNOWN = 10_000


class Attempts:
    """Counts wrong guesses of one secret.

    Clients that were right before are exempt from the overall limit: attackers at other addresses cannot lock them out.
    """

    def __init__(self, secret: str) -> None:
        self._secret = secret
        self._limiter = FixedWindowRateLimiter(MemoryStorage())
        self._known: OrderedDict[str, None] = OrderedDict()

    def check(self, client: str) -> None:
        """Raise if a client may not guess now.

        Raises TooManyRequests: too many wrong guesses from this client, or from all clients that were never right.
        """
        limits = [(PER_ADDRESS, client)] + ([] if client in self._known else [(OVERALL, "")])
        for limit, key in limits:
            if not self._limiter.test(limit, key):
                seconds = self._seconds(limit, key)
                raise TooManyRequests(
                    "too_many_attempts",
                    text("Too many wrong attempts."),
                    text("Wait {seconds} seconds, then try again.", seconds=seconds),
                    retry_after=seconds,
                )

    def count_failure(self, client: str) -> None:
        """Count and log a wrong guess."""
        log.warning("Wrong %s from %s", self._secret, client)
        self._limiter.hit(PER_ADDRESS, client)
        if client not in self._known:
            self._limiter.hit(OVERALL, "")

    def remember(self, client: str) -> None:
        """Record that the client was right."""
        self._known[client] = None
        self._known.move_to_end(client)
        while len(self._known) > MAX_KNOWN:
            self._known.popitem(last=False)

    def _seconds(self, limit: RateLimitItem, key: str) -> int:
        return max(1, math.ceil(self._limiter.get_window_stats(limit, key).reset_time - time.time()))


def same_secret(sent: bytes, expected: bytes) -> bool:
    """Return whether two secrets are equal, in a time that depends neither on their content nor on their length."""
    return hmac.compare_digest(hmac.digest(b"secret", sent, "sha256"), hmac.digest(b"secret", expected, "sha256"))

"""Limit on wrong passwords and tokens, for each address and overall."""

from __future__ import annotations

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

# Windows are short: whoever shares an address with a stranger who guesses waits a minute at most.
PER_ADDRESS = parse("10/minute")
OVERALL = parse("100/minute")
MAX_KNOWN = 10_000


class Attempts:
    """Counts wrong guesses; one object for each secret.

    Clients that were right before are exempt from the overall limit: strangers at other addresses cannot lock them out.
    """

    def __init__(self, secret: str) -> None:
        self._secret = secret
        self._limiter = FixedWindowRateLimiter(MemoryStorage())
        self._known: OrderedDict[str, None] = OrderedDict()

    def check(self, client: str) -> None:
        """Refuse a client that may not guess now.

        Raises
        ------
        TooManyRequests
            Too many wrong guesses from this client, or from all that were never right; `retry_after` says how long.
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
        """Note that the client was right."""
        self._known[client] = None
        self._known.move_to_end(client)
        while len(self._known) > MAX_KNOWN:
            self._known.popitem(last=False)

    def _seconds(self, limit: RateLimitItem, key: str) -> int:
        return max(1, math.ceil(self._limiter.get_window_stats(limit, key).reset_time - time.time()))

"""The market data sources there are: one line a family, and the modules behind them imported when one is asked for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from kronos_app.data.source import CandleSource
from kronos_app.i18n import Text, text
from kronos_app.settings import ExchangeSettings, Settings


@dataclass(frozen=True)
class SourceFamily:
    """Sources that are asked for in the same way.

    Attributes
    ----------
    key, title
        Its name here, and its name for people.
    names
        Returns the keys of its sources: one, or one for each exchange.
    make
        Returns the source of a key.
    """

    key: str
    title: Text
    names: Callable[[], Sequence[str]]
    make: Callable[[Settings, str], CandleSource]


def _yahoo(settings: Settings, _key: str) -> CandleSource:
    from kronos_app.data.yahoo import YahooSource

    return YahooSource(settings.yahoo_url)


def _exchange_names() -> Sequence[str]:
    from kronos_app.data.exchange import exchange_names

    return exchange_names()


def _exchange(settings: Settings, key: str) -> CandleSource:
    from kronos_app.data.exchange import ExchangeSource

    how = settings.exchanges.get(key, ExchangeSettings())
    return ExchangeSource(
        key,
        max_rows=settings.max_rows,
        proxies=how.proxies,
        options=how.options,
        credentials=how.credentials,
        base_url=how.base_url,
    )


FAMILIES: tuple[SourceFamily, ...] = (
    SourceFamily("yahoo", text("Yahoo Finance"), lambda: ("yahoo",), _yahoo),
    SourceFamily("exchange", text("Crypto exchange"), _exchange_names, _exchange),
)

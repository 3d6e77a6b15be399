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
        Returns the keys of its sources: one, or one for each exchange or folder.
    make
        Returns the source of a key.
    """

    key: str
    title: Text
    names: Callable[[Settings], Sequence[str]]
    make: Callable[[Settings, str], CandleSource]


def _yahoo(settings: Settings, _key: str) -> CandleSource:
    from kronos_app.data.yahoo.source import YahooSource

    return YahooSource(settings.yahoo_url)


def _exchange_names(_settings: Settings) -> Sequence[str]:
    from kronos_app.data.exchange.source import exchange_names

    return exchange_names()


def _exchange(settings: Settings, key: str) -> CandleSource:
    from kronos_app.data.exchange.source import ExchangeSource

    how = settings.exchanges.get(key, ExchangeSettings())
    return ExchangeSource(
        key,
        max_rows=settings.max_rows,
        proxies=how.proxies,
        options=how.options,
        credentials=how.credentials,
        base_url=how.base_url,
    )


def _qlib_names(settings: Settings) -> Sequence[str]:
    from kronos_app.data.qlib.files import find_folders
    from kronos_app.data.qlib.source import PREFIX

    return [PREFIX + name for name in find_folders(settings.qlib_folders)]


def _qlib(settings: Settings, key: str) -> CandleSource:
    from kronos_app.data.qlib.files import find_folders
    from kronos_app.data.qlib.source import PREFIX, QlibFolder

    name = key.removeprefix(PREFIX)
    return QlibFolder(name, find_folders(settings.qlib_folders)[name])


FAMILIES: tuple[SourceFamily, ...] = (
    SourceFamily("yahoo", text("Yahoo Finance"), lambda _settings: ("yahoo",), _yahoo),
    SourceFamily("qlib", text("Qlib folder"), _qlib_names, _qlib),
    SourceFamily("exchange", text("Crypto exchange"), _exchange_names, _exchange),
)

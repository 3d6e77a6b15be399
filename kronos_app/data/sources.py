"""The registry of market data sources: one entry per family, its module imported when a source is first used."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from kronos_app.data.source import CandleSource, SourceOption
from kronos_app.data.source_options import QLIB_OPTIONS, YAHOO_OPTIONS
from kronos_app.i18n import Text, text
from kronos_app.settings import ExchangeSettings, Settings


@dataclass(frozen=True)
class SourceFamily:
    """Sources with the same form.

    Attributes
    ----------
    key, title
        Its name in the registry and for display.
    names
        Returns the keys of its sources: one, or one per exchange or folder.
    make
        Returns the source of a key.
    options
        Options of its requests.
    placeholder
        Example of what to type into the search.
    suggested
        Key of the source that forms suggest; default the first.
    always_open
        Its markets trade 24 hours a day, seven days a week.
    listed
        Its sources are `ListedSource`: forms offer lists of instruments instead of a search.
    setup
        How the administrator adds a source, shown where there is none.
    """

    key: str
    title: Text
    names: Callable[[Settings], Sequence[str]]
    make: Callable[[Settings, str], CandleSource]
    options: tuple[SourceOption, ...] = ()
    placeholder: str = ""
    suggested: str | None = None
    always_open: bool = False
    listed: bool = False
    setup: Text | None = None


def _yahoo(settings: Settings, _key: str) -> CandleSource:
    from kronos_app.data.yahoo.source import YahooSource

    return YahooSource(settings.yahoo_url)


def _exchange_names(_settings: Settings) -> Sequence[str]:
    from kronos_app.data.exchange.source import exchange_names

    return exchange_names()


def _exchange(settings: Settings, key: str) -> CandleSource:
    from kronos_app.data.exchange.source import ExchangeSource

    return ExchangeSource(key, settings.exchanges.get(key, ExchangeSettings()), max_rows=settings.max_rows)


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
    SourceFamily("yahoo", text("Yahoo Finance"), lambda _: ("yahoo",), _yahoo, YAHOO_OPTIONS, "AAPL, Apple, 600519.SS"),
    SourceFamily(
        "qlib",
        text("Qlib folder"),
        _qlib_names,
        _qlib,
        QLIB_OPTIONS,
        listed=True,
        setup=text("The administrator must set KRONOS_QLIB_FOLDERS to Qlib's provider_uri; see docs/qlib.md."),
    ),
    SourceFamily(
        "exchange", text("Crypto exchange"), _exchange_names, _exchange, (), "BTC/USDT", "binance", always_open=True
    ),
)

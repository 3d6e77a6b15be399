"""Options of the requests to each family of sources."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from kronos_app.data.source import SourceOption
from kronos_app.errors import InvalidInput
from kronos_app.i18n import Text, text


def _adjustment(help_: Text) -> SourceOption:
    return SourceOption("adjustment", "adjusted", "none", text("Adjusted for splits and dividends"), help_)


YAHOO_OPTIONS = (_adjustment(text("Off: adjusted only for splits, as intraday prices always are.")),)
QLIB_OPTIONS = (_adjustment(text("Off: prices as traded, without the adjustment factor of the folder.")),)


def read_options(source: Text, options: Sequence[SourceOption], values: Mapping[str, str]) -> dict[str, str]:
    """Return the value of every option, the default where none is set; raise `InvalidInput` for any other."""
    allowed = {option.name: (option.on, option.off) for option in options}
    for name, value in values.items():
        if value not in allowed.get(name, ()):
            listed = "; ".join(f"{option}: {', '.join(pair)}" for option, pair in allowed.items())
            raise InvalidInput(
                "unknown_option",
                text("{source} has no option “{option}”.", source=source, option=f"{name}={value}"[:40]),
                text("Its options: {options}.", options=listed) if listed else text("It has no options."),
            )
    return {option.name: values.get(option.name, option.on) for option in options}

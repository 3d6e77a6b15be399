"""Real series from installed Python packages, so that the first forecast needs no upload and no network."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from importlib.resources import files
from typing import TYPE_CHECKING

from kronos_app.data.about import About
from kronos_app.data.draft import Draft
from kronos_app.errors import NotFound
from kronos_app.i18n import Text, text

if TYPE_CHECKING:
    import pandas as pd

CALENDAR = "XNYS"  # all of them are traded in New York


@dataclass(frozen=True)
class SampleInfo:
    """One sample: id, title, candle length, the package it comes from and its licence."""

    name: str
    title: Text
    interval: str
    source: str
    licence: str


_ARCH = partial(SampleInfo, interval="1d", source="arch.data", licence="NCSA")
_BOKEH = partial(
    SampleInfo, interval="1d", source="bokeh_sampledata", licence="BSD-3-Clause, data in the public domain"
)
_ALL = (
    _ARCH("sp500", text("S&P 500 index, daily 1999–2018")),
    _ARCH("nasdaq", text("NASDAQ Composite index, daily 1999–2018")),
    _BOKEH("AAPL", text("Apple shares, daily 2000–2013, not adjusted for splits")),
    _BOKEH("GOOG", text("Google shares, daily 2004–2013, not adjusted for splits")),
    _BOKEH("IBM", text("IBM shares, daily 2000–2013, not adjusted for splits")),
    _BOKEH("MSFT", text("Microsoft shares, daily 2000–2013, not adjusted for splits")),
)
SAMPLES: dict[str, SampleInfo] = {info.name: info for info in _ALL}


def load(name: str) -> Draft:
    """Return the sample as a draft; raise `NotFound` for an unknown name."""
    if name not in SAMPLES:
        raise NotFound(
            "unknown_sample",
            text("There is no sample “{name}”.", name=name),
            text("Samples: {names}.", names=", ".join(SAMPLES)),
        )
    info = SAMPLES[name]
    raw = _read_arch(name) if info.source == "arch.data" else _read_stocks(name)
    import pandas as pd

    columns = {"timestamp": "Date"} | {c.lower(): c for c in ("Open", "High", "Low", "Close", "Volume")}
    frame = pd.DataFrame({to: raw[header] for to, header in columns.items()}).astype(
        dict.fromkeys(list(columns)[1:], "float64")
    )
    frame["timestamp"] = pd.to_datetime(frame["timestamp"]).astype("datetime64[ns]")
    frame.index = pd.RangeIndex(2, len(frame) + 2, name="row")
    about = About(symbol=name, interval=info.interval, currency="USD", calendar=CALENDAR, origin=info.source)
    return Draft(frame, name=name, source="sample", columns=columns, about=about)


def _read_arch(name: str) -> pd.DataFrame:
    import pandas as pd

    with files("arch.data").joinpath(name, f"{name}.csv.gz").open("rb") as source:
        return pd.read_csv(source, compression="gzip").assign(
            Date=lambda raw: pd.to_datetime(raw["Date"], format="%m/%d/%Y")
        )


def _read_stocks(name: str) -> pd.DataFrame:
    import pandas as pd

    with files("bokeh_sampledata").joinpath("_data", "stocks.csv.gz").open("rb") as source:
        stocks = pd.read_csv(source, compression="gzip")
    return stocks[stocks["Ticker"] == name].reset_index(drop=True)

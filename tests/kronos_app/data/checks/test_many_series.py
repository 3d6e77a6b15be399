"""Series that are inspected together have the reports, repairs and ids that each has alone."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from kronos_app.data.about import About
from kronos_app.data.calendars import guessing, with_calendar, with_calendars
from kronos_app.data.checks import quality, repair
from kronos_app.data.draft import Draft
from kronos_app.data.time_axis import TimeAxes

NOW = pd.Timestamp("2024-06-03 10:00", tz="UTC")
PRICES = ["open", "high", "low", "close"]
CLOCKS = (
    (None, None), (None, "XSHG"), ("UTC", "24/7"), ("UTC", "24/5"),
    ("America/New_York", "XNYS"), ("Asia/Shanghai", None),
)  # fmt: skip


def spoil(frame, fault, at):
    """Change the candles about row `at` as files of vendors have it."""
    rows, prices = frame.index[at : at + 9], frame.columns.get_indexer(PRICES)
    if fault == "spike":
        frame.loc[frame.index[at], ["high", "close"]] *= 5
    elif fault == "split":
        frame.loc[frame.index[at] :, PRICES] /= 10
    elif fault == "stale":
        frame.loc[rows, PRICES] = frame.iloc[at, prices].to_numpy()
        frame.loc[rows, "volume"] = 0.0
    elif fault == "silent":
        frame.loc[rows, "volume"] = 0.0
    elif fault == "missing rows":
        frame = frame.drop(index=rows[::2])
    elif fault == "unsorted":
        frame = pd.concat([frame.iloc[at:], frame.iloc[:at]])
    elif fault == "repeated":
        frame = pd.concat([frame, frame.iloc[[at]].assign(close=frame["open"].iloc[at])])
    elif fault == "no time":
        frame.loc[frame.index[at], "timestamp"] = pd.NaT
    elif fault is not None:
        frame.loc[frame.index[at], "close"] = {"empty": np.nan, "infinite": np.inf, "negative": -1.0}[fault]
    return frame


FAULTS = (
    None, "spike", "split", "stale", "silent", "missing rows", "unsorted", "repeated", "no time", "empty", "infinite",
    "negative",
)  # fmt: skip


def make_drafts(freq, count, fault):
    """Return drafts of random walks at the same times, by every clock and calendar, and a short one."""
    times = pd.date_range("2024-01-02", periods=count, freq=freq).as_unit("ns")
    drafts = []
    for number, (zone, calendar) in enumerate(CLOCKS):
        random = np.random.default_rng(number)
        close = 100 * np.exp(np.cumsum(random.normal(0, 0.01, count)))
        opened = np.r_[close[:1], close[:-1]]
        frame = pd.DataFrame({
            "timestamp": times,
            "open": opened,
            "high": np.maximum(opened, close) * 1.001,
            "low": np.minimum(opened, close) * 0.999,
            "close": close,
            "volume": random.integers(10, 1000, count).astype(float),
        })  # fmt: skip
        frame = spoil(frame, fault, 30 + number)
        frame.index = pd.RangeIndex(2, len(frame) + 2, name="row")
        name = ("600519", "000020", "500325", "BTCUSDT", "S1")[number % 5]
        drafts.append(Draft(frame, name, "upload", zone, about=About(calendar=calendar)))
    return [*drafts, *(replace(drafts[0], frame=drafts[0].frame.iloc[:rows]) for rows in range(4))]


@pytest.mark.parametrize(("freq", "count"), [("B", 109), ("h", 300), ("15min", 200), ("W", 80)])
def test_reports_of_series_inspected_together_are_those_of_each_alone(freq, count):
    drafts = [draft for fault in FAULTS for draft in make_drafts(freq, count, fault)]
    axes = TimeAxes(NOW)
    together = [quality.inspect(draft, axes=axes) for draft in drafts]
    for draft, report in zip(drafts, together, strict=True):
        assert report.to_dict() == quality.inspect(draft, NOW).to_dict()
    codes = {finding.code for report in together for finding in report.findings}
    assert codes >= {"conflicts", "infinite", "missing", "non_positive", "outliers", "splits", "stale", "unsorted"}


def test_repairs_and_ids_of_series_saved_together_are_those_of_each_alone(desk):
    drafts = [draft for fault in FAULTS for draft in make_drafts("B", 109, fault)[:-4]]
    together = desk.candles.prepare_all(drafts, "drop")
    for draft, (result, _report) in zip(drafts, together, strict=True):
        alone = repair.apply(draft, "drop")
        assert (result.record, result.candles.digest) == (alone.record, alone.candles.digest)
        pd.testing.assert_frame_equal(result.changes, alone.changes)
        pd.testing.assert_frame_equal(result.candles.frame, alone.candles.frame)


@pytest.mark.parametrize("freq", ["B", "h"])
def test_calendars_guessed_together_are_those_guessed_alone_and_compared_once(freq, monkeypatch):
    compared = []

    def agreement(times, timezone, calendar, least):
        compared.append((times.tobytes(), timezone, calendar.key, least))
        return real(times, timezone, calendar, least)

    real = guessing.agreement
    monkeypatch.setattr(guessing, "agreement", agreement)
    drafts = [replace(draft, about=About()) for draft in make_drafts(freq, 100, None)]
    together = with_calendars(drafts)
    assert len(set(compared)) == len(compared)
    assert [draft.about.calendar for draft in together] == [with_calendar(draft).about.calendar for draft in drafts]
    assert {draft.about.calendar for draft in together} >= {"XSHG"}

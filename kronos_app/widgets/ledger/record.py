"""What forecasts were worth: the record in words, numbers and over time, and each forecast with its grade."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import urlencode

import pandas as pd
import streamlit as st

from kronos_app import nav, state
from kronos_app.charts.ledger import LedgerWords, ledger_chart
from kronos_app.runtime import desk
from kronos_app.services.ledger.comparison import COVERAGE_LEVELS, NAMES
from kronos_app.services.ledger.record import FEWEST_APART, RECENT_APART, Record, Skill
from kronos_app.state import gettext as _
from kronos_app.store.ledger import LedgerEntry
from kronos_app.widgets.candles.last_candles import CHART_CONFIG
from kronos_app.widgets.kit import formats
from kronos_app.widgets.kit.errors import escape

AHEAD, REPLAY, ALL = "ahead", "replay", "all"
ANY = ""
# Of the newest so many the record is made, and so many are listed.
NEWEST, SHOWN = 5_000, 1_000
REFERENCE = "ewma"


def draw() -> None:
    """Draw it."""
    st.subheader(_("Ledger"))
    st.caption(
        _(
            "Every forecast made on this desk, by whomever, is entered here and graded when its candles have come. "
            "Entries stay when forecasts are deleted."
        )
    )
    every = desk().ledger.list(limit=NEWEST)
    if not every:
        st.info(_("Nothing is entered yet. New forecasts are, within a minute."), icon=":material/grading:")
        return
    if len(every) == NEWEST:
        st.caption(_("Only the newest {count} forecasts are looked at.").format(count=formats.number(NEWEST, 0)))
    entries = _filtered(every)
    summary = desk().ledger.summary(entries)
    if summary.total is None or summary.running is None:
        st.info(
            _("{count} forecasts wait for their candles; none is graded yet.").format(count=summary.waiting),
            icon=":material/hourglass_top:",
        )
    else:
        _headline(summary.total, summary.waiting)
        _running(summary.running)
        _groups(summary.groups)
    _entries(entries)


def _filtered(every: Sequence[LedgerEntry]) -> Sequence[LedgerEntry]:
    everything = _("All")
    kinds = {AHEAD: _("Made ahead"), REPLAY: _("Replays"), ALL: everything}
    first, second, third = st.columns([2, 1, 1], vertical_alignment="bottom")
    state.default(state.LIVE_KIND, AHEAD if any(entry.ahead for entry in every) else ALL)
    with first:
        kind = st.segmented_control(
            _("Which forecasts"),
            list(kinds),
            format_func=kinds.__getitem__,
            required=True,
            key=state.LIVE_KIND,
            persist_state="session",
            help=_(
                "Made ahead: before the first of their candles had ended, so nobody could know. Replays: of the past, "
                "which the model may have been trained on."
            ),
        )
    with second:
        model = _choice(_("Model"), state.LIVE_LEDGER_MODEL, {entry.model for entry in every})
    with third:
        symbol = _choice(_("Symbol"), state.LIVE_LEDGER_SYMBOL, {entry.symbol or entry.name for entry in every})
    return [
        entry
        for entry in every
        if kind in {ALL, AHEAD if entry.ahead else REPLAY}
        and model in {None, entry.model}
        and symbol in {None, entry.symbol or entry.name}
    ]


def _choice(label: str, key: str, names: set[str]) -> str | None:
    everything = _("All")
    if st.session_state.get(key) not in names:
        st.session_state[key] = ANY
    chosen = st.selectbox(
        label,
        [ANY, *sorted(names)],
        format_func=lambda name: everything if name == ANY else name,
        key=key,
        persist_state="session",
    )
    return None if chosen == ANY else chosen


def _headline(total: Record, waiting: int) -> None:
    st.markdown(escape(state.say(total.verdict)))
    with st.container(horizontal=True, gap="small"):
        st.metric(_("Graded"), formats.number(total.forecasts, 0), width=90)
        st.metric(
            _("Not overlapping"),
            formats.number(total.apart, 0),
            width=140,
            help=_("Forecasts that overlap tell the same story again: how sure a figure is depends on these."),
        )
        st.metric(_("Waiting"), formats.number(waiting, 0), width=90)
        for level in COVERAGE_LEVELS:
            name = _("Coverage {level} %").format(level=round(level * 100))
            st.metric(name, formats.percent(total.coverage[level], 0), width=120)
        st.metric(
            _("CRPS against {baseline}").format(baseline=state.say(NAMES[REFERENCE])),
            formats.number(total.skill[REFERENCE].ratio),
            width=230,
            help=_("Below 1 the model was better, above 1 worse."),
        )
    for level, share in total.alarms.items():
        st.warning(
            _(
                "The {level} % band lately held {share} of the closes: more or fewer than a band of that width should, "
                "even allowing for chance. The model's bands do not fit this market at present."
            ).format(level=round(level * 100), share=escape(formats.percent(share, 0))),
            icon=":material/notification_important:",
        )


def _running(running: pd.DataFrame) -> None:
    state.default(state.LIVE_LEVEL, 0.8)
    chosen = st.segmented_control(
        _("Band"),
        list(COVERAGE_LEVELS),
        format_func=lambda level: f"{round(level * 100)} %",
        required=True,
        key=state.LIVE_LEVEL,
        persist_state="session",
    )
    level = chosen or COVERAGE_LEVELS[0]
    words = LedgerWords(
        coverage=_("Closes inside the {level} % band").format(level=round(level * 100)),
        promised=_("What the band promises"),
        allowed=_("What chance allows for"),
        ratio=_("CRPS against {baseline}").format(baseline=state.say(NAMES[REFERENCE])),
        even=_("As good as it"),
    )
    st.plotly_chart(
        ledger_chart(running, level, words),
        key="live.running",
        config=CHART_CONFIG,
        alt=_("Coverage and CRPS of the latest forecasts over time"),
    )
    st.caption(
        _(
            "Each point looks back over the last {recent} forecasts that do not overlap, and those between them; with "
            "fewer than {fewest} nothing is certain."
        ).format(recent=RECENT_APART, fewest=FEWEST_APART)
    )


def _groups(records: Sequence[Record]) -> None:
    st.markdown("**" + _("By model and symbol") + "**")
    levels = _("Coverage {levels} %").format(levels=" / ".join(f"{level * 100:g}" for level in COVERAGE_LEVELS))
    rows = [
        {
            _("Model"): record.model,
            _("Symbol"): record.symbol,
            _("Graded"): formats.number(record.forecasts, 0),
            _("Not overlapping"): formats.number(record.apart, 0),
            levels: " / ".join(
                formats.percent(share, 0) + (" ⚠" if level in record.alarms else "")
                for level, share in record.coverage.items()
            ),
            _("CRPS"): formats.percent(record.crps, 2),
            **{
                _("against {baseline}").format(baseline=state.say(NAMES[name])): _interval(skill)
                for name, skill in record.skill.items()
            },
        }
        for record in records
    ]
    st.dataframe(pd.DataFrame(rows), hide_index=True, alt=_("Record by model and symbol"))
    st.caption(
        _(
            "CRPS as a share of the last close. Against a random walk: CRPS as a share of its, below 1 better, with "
            "the 95 % interval where enough forecasts do not overlap."
        )
    )


def _interval(skill: Skill) -> str:
    told = formats.number(skill.ratio)
    return told if skill.low is None else f"{told} ({formats.number(skill.low)}–{formats.number(skill.high)})"


def _entries(entries: Sequence[LedgerEntry]) -> None:
    st.markdown("**" + _("Forecasts and grades") + "**")
    states = {
        "pending": _("waiting"),
        "partial": _("in part"),
        "graded": _("graded"),
        "lost": _("deleted before it was graded"),
    }
    rows = [
        {
            "open": None if entry.state == "lost" else _address(entry.id),
            _("Cutoff"): formats.time(entry.cutoff),
            _("Series"): f"{entry.symbol or entry.name} · {entry.interval or formats.span(entry.step.total_seconds())}",
            _("Model"): entry.model,
            _("State"): states[entry.state],
            _("Candles"): f"{entry.matched} / {entry.horizon}",
            **_grade(entry),
            _("Made"): formats.moment(entry.created),
        }
        for entry in entries[:SHOWN]
    ]
    st.dataframe(
        pd.DataFrame(rows),
        hide_index=True,
        height=360 if len(rows) > 9 else "auto",
        column_config={"open": st.column_config.LinkColumn("", display_text=_("Open"), width="small")},
        alt=_("Forecasts and grades"),
    )
    if len(entries) > SHOWN:
        st.caption(_("The newest {shown} of {count}.").format(shown=SHOWN, count=formats.number(len(entries), 0)))


def _address(forecast_id: str) -> str:
    return "/forecast?" + urlencode({"forecast": forecast_id, **nav.language_parameter()})


def _grade(entry: LedgerEntry) -> dict[str, str]:
    names = (_("Coverage {level} %").format(level=80), _("MAPE"), _("CRPS"), _("against {baseline}"))
    last = names[3].format(baseline=state.say(NAMES[REFERENCE]))
    if entry.grade is None:
        return dict.fromkeys((*names[:3], last), formats.MISSING)
    model, reference = entry.grade["scores"]["model"], entry.grade["scores"][REFERENCE]
    ratio = model["crps"] / reference["crps"] if reference["crps"] else None
    return {
        names[0]: formats.percent(model["coverage"]["0.8"], 0),
        names[1]: formats.percent(model["mape"], 2),
        names[2]: formats.percent(model["crps"] / abs(entry.last_close), 2),
        last: formats.number(ratio),
    }

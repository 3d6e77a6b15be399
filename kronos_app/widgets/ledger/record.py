"""The ledger on the Live page: the record in figures, over time and by model, and each forecast with its grade."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import urlencode

import pandas as pd
import streamlit as st

from kronos_app import nav, state
from kronos_app.charts.ledger import LedgerWords, ledger_chart
from kronos_app.runtime import desk
from kronos_app.services.ledger.comparison import COVERAGE_LEVELS, MODEL, forecaster_name
from kronos_app.services.ledger.record import FEWEST_APART, RECENT_APART, Record, Skill, is_counted
from kronos_app.state import gettext as _
from kronos_app.store.ledger import LedgerEntry
from kronos_app.widgets.kit import formats
from kronos_app.widgets.kit.errors import escape
from kronos_app.widgets.kit.fields import render_segments, render_select
from kronos_app.widgets.kit.figure import render_figure
from kronos_app.widgets.ledger import keys

AHEAD, REPLAY, ALL = "ahead", "replay", "all"
ANY = ""
NEWEST, SHOWN = 5_000, 1_000  # entries of the record, and of the list
REFERENCE = "ewma"


def render_ledger() -> None:
    """Render the ledger."""
    st.subheader(_("Ledger"))
    st.caption(
        _(
            "Every forecast is entered here and graded when its actual candles are known. Entries stay when forecasts "
            "are deleted."
        )
    )
    newest = desk().ledger.list(limit=NEWEST)
    if not newest:
        st.info(_("No entries yet. A new forecast is entered within a minute."), icon=":material/grading:")
        return
    if len(newest) == NEWEST:
        st.caption(_("The record covers the newest {count} forecasts.").format(count=formats.number(NEWEST, 0)))
    entries = _render_filter(newest)
    summary = desk().ledger.summary(entries)
    if summary.total is None or summary.running is None:
        st.info(
            _("Forecasts waiting for their actual candles: {count}. None is graded yet.").format(
                count=formats.number(summary.waiting, 0)
            ),
            icon=":material/hourglass_top:",
        )
    else:
        _render_figures(summary.total, summary.waiting)
        _render_running(summary.running)
        _render_groups(summary.groups)
    if summary.static:
        st.caption(
            _(
                "Forecasts of files that end too early: {count}. No source continues these series, so no new candles "
                "will come. To grade them, upload a longer file of the same name."
            ).format(count=formats.number(summary.static, 0))
        )
    _render_entries(entries)


def _render_filter(entries: Sequence[LedgerEntry]) -> Sequence[LedgerEntry]:
    kinds = {AHEAD: _("Live forecasts"), REPLAY: _("Replays"), ALL: _("All")}
    first, second, third = st.columns([2, 1, 1], vertical_alignment="bottom")
    state.default(keys.KIND, AHEAD if any(entry.ahead for entry in entries) else ALL)
    with first:
        kind = render_segments(
            keys.KIND,
            _("Which forecasts"),
            kinds,
            help=_(
                "Live forecasts were made before their first candle had ended. Replays are of the past, which the "
                "model may have been trained on."
            ),
        )
    with second:
        model = _render_choice(_("Model"), keys.MODEL, {entry.model for entry in entries})
    with third:
        symbol = _render_choice(_("Symbol"), keys.SYMBOL, {_symbol(entry) for entry in entries})
    return [
        entry
        for entry in entries
        if kind in {ALL, AHEAD if entry.ahead else REPLAY}
        and model in {None, entry.model}
        and symbol in {None, _symbol(entry)}
    ]


def _symbol(entry: LedgerEntry) -> str:
    return entry.symbol or entry.name


def _render_choice(label: str, key: str, names: set[str]) -> str | None:
    if st.session_state.get(key) not in names:
        st.session_state[key] = ANY
    return render_select(key, label, {ANY: _("All"), **{name: name for name in sorted(names)}}) or None


def _level_name(level: float) -> str:
    return _("Coverage {level} %").format(level=round(level * 100))


def _ratio_name(baseline: str) -> str:
    return _("CRPS ratio to {baseline}").format(baseline=state.say(forecaster_name(baseline)))


def _render_figures(total: Record, waiting: int) -> None:
    st.markdown(escape(state.say(total.verdict)))
    with st.container(horizontal=True, gap="small"):
        st.metric(_("Graded"), formats.number(total.forecasts, 0), width=90)
        st.metric(
            _("Not overlapping"),
            formats.number(total.apart, 0),
            width=140,
            help=_("Overlapping forecasts are not independent evidence: confidence intervals count only these."),
        )
        st.metric(_("Waiting"), formats.number(waiting, 0), width=90)
        for level in COVERAGE_LEVELS:
            st.metric(_level_name(level), formats.percent(total.coverage[level], 0), width=120)
        ratio = formats.number(total.skill[REFERENCE].ratio)
        st.metric(_ratio_name(REFERENCE), ratio, width=230, help=_("Below 1 the model is better, above 1 worse."))
    for level, share in total.alarms.items():
        st.warning(
            _(
                "Recent coverage of the {level} % band is {share}, significantly different from nominal. The model's "
                "bands do not fit this market at present."
            ).format(level=round(level * 100), share=escape(formats.percent(share, 0))),
            icon=":material/notification_important:",
        )


def _render_running(running: pd.DataFrame) -> None:
    state.default(keys.LEVEL, 0.8)
    level = render_segments(keys.LEVEL, _("Band"), {level: f"{round(level * 100)} %" for level in COVERAGE_LEVELS})
    words = LedgerWords(
        coverage=_("Observed coverage of the {level} % band").format(level=round(level * 100)),
        nominal=_("Nominal coverage"),
        chance=_("95 % range by chance"),
        ratio=_ratio_name(REFERENCE),
        equal=_("Equal"),
    )
    alt = _("Coverage and CRPS of the latest forecasts over time")
    render_figure(ledger_chart(running, level, words), "live.running", alt, "ledger")
    st.caption(
        _(
            "Each point covers the last {recent} forecasts that do not overlap, and those between them; fewer than "
            "{fewest} are not significant."
        ).format(recent=RECENT_APART, fewest=FEWEST_APART)
    )


def _render_groups(records: Sequence[Record]) -> None:
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
            **{_ratio_name(name): _describe_skill(skill) for name, skill in record.skill.items()},
        }
        for record in records
    ]
    st.dataframe(pd.DataFrame(rows), hide_index=True, alt=_("Record by model and symbol"))
    st.caption(
        _(
            "CRPS as a share of the last close. CRPS ratio: below 1 is better; with its 95 % confidence interval if "
            "enough forecasts do not overlap."
        )
    )


def _describe_skill(skill: Skill) -> str:
    ratio = formats.number(skill.ratio)
    return ratio if skill.low is None else f"{ratio} ({formats.number(skill.low)}–{formats.number(skill.high)})"


def _render_entries(entries: Sequence[LedgerEntry]) -> None:
    st.markdown("**" + _("Forecasts and grades") + "**")
    rows = [
        {
            "open": None if entry.state == "lost" else _address(entry.id),
            _("Cutoff"): formats.time(entry.cutoff),
            _("Series"): f"{_symbol(entry)} · {entry.interval or formats.span(entry.step.total_seconds())}",
            _("Model"): entry.model,
            _("State"): _describe_state(entry),
            _("Candles"): f"{entry.matched} / {entry.horizon}",
            **_describe_grade(entry),
            _("Created"): formats.moment(entry.created),
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


def _describe_state(entry: LedgerEntry) -> str:
    if entry.state == "graded" and not is_counted(entry):
        return _("no matching candles")
    states = {
        "pending": _("waiting"),
        "partial": _("in part"),
        "graded": _("graded"),
        "lost": _("deleted before it was graded"),
    }
    state_name = states[entry.state]
    return _("{state}, no new candles").format(state=state_name) if desk().ledger.is_static(entry) else state_name


def _address(forecast_id: str) -> str:
    return "/forecast?" + urlencode({"forecast": forecast_id, **nav.shared_parameters()})


def _describe_grade(entry: LedgerEntry) -> dict[str, str]:
    names = (_level_name(0.8), _("MAPE"), _("CRPS"), _ratio_name(REFERENCE))
    if entry.grade is None:
        return dict.fromkeys(names, formats.MISSING)
    model, reference = entry.grade["scores"][MODEL], entry.grade["scores"][REFERENCE]
    ratio = model["crps"] / reference["crps"] if reference["crps"] else None
    values = (
        formats.percent(model["coverage"]["0.8"], 0),
        formats.percent(model["mape"], 2),
        formats.percent(model["crps"] / abs(entry.last_close), 2),
        formats.number(ratio),
    )
    return dict(zip(names, values, strict=True))

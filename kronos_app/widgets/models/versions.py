"""Models made here: their versions, what each is worth, and which one their name stands for."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import pandas as pd
import streamlit as st

from kronos_app import nav, state
from kronos_app.runtime import desk
from kronos_app.services.models.registry import RegisteredModel
from kronos_app.state import gettext as _
from kronos_app.widgets.finetune import words as tuning_words
from kronos_app.widgets.kit import errors, formats
from kronos_app.widgets.kit.confirm import confirm
from kronos_app.widgets.kit.errors import escape
from kronos_app.widgets.kit.unreadable import render_unreadable

COLOURS = {"candidate": "blue", "promoted": "green", "retired": "gray"}
OWN = ("tuned", "base")


def draw_versions(versions: Sequence[RegisteredModel]) -> None:
    """Draw one line a version of one model."""
    for version in versions:
        with st.container(border=True):
            words, actions = st.columns([5, 2], vertical_alignment="center")
            words.markdown(f"**{version.label}** {_badges(version)}  \n:small[{escape(_details(version))}]")
            if version.note:
                words.caption(escape(version.note))
            with actions.container(horizontal=True, horizontal_alignment="right", vertical_alignment="center"):
                _actions(version)


def render_unreadable_versions() -> None:
    """Render the versions that cannot be read."""

    def delete(label: str) -> None:
        name, version = label.split("@")
        desk().registry.delete(name, int(version))

    render_unreadable(desk().registry.unreadable(), "models", delete)


def _badges(version: RegisteredModel) -> str:
    names = {"candidate": _("candidate"), "promoted": _("promoted"), "retired": _("retired")}
    badges = [(COLOURS[version.state], names[version.state])]
    if version.worse:
        badges.append(("red", _("worse than its base")))
    if version.label == state.model():
        badges.append(("green", _("in use")))
    return " ".join(f":{colour}-badge[{word}]" for colour, word in badges)


def _details(version: RegisteredModel) -> str:
    parts = [
        _("from {base}").format(base=version.base or _("scratch")),
        tuning_words.method_name(version.method),
        _("registered {moment}").format(moment=formats.moment(version.created)),
    ]
    if version.trained_until is not None:
        parts.append(_("learned up to {time}").format(time=f"{version.trained_until:%Y-%m-%d}"))
    tuned, base = ((version.scores or {}).get(name) or {} for name in OWN)
    if tuned.get("crps") is not None and base.get("crps"):
        ratio = formats.number(tuned["crps"] / base["crps"], 3)
        parts.append(_("CRPS against its base: {ratio}").format(ratio=ratio))
    return " · ".join(parts)


def _actions(version: RegisteredModel) -> None:
    one = (version.name, version.version)
    if version.state == "candidate":
        about = _("From now on the name alone stands for this version.")
        if st.button(_("Promote"), key=f"models.promote.{version.label}", icon=":material/verified:", help=about):
            with errors.shown():
                desk().registry.promote(*one)
                st.rerun()
    if version.state == "retired" and st.button(
        _("Restore"), key=f"models.restore.{version.label}", icon=":material/unarchive:"
    ):
        with errors.shown():
            desk().registry.restore(*one)
            st.rerun()
    with st.popover("", icon=":material/more_vert:", key=f"models.more.{version.label}", help=_("More")):
        _more(version)


def _more(version: RegisteredModel) -> None:
    one = (version.name, version.version)
    if version.state != "retired":
        pin = _("Use exactly this version")
        if st.button(pin, key=f"models.pin.{version.label}", icon=":material/push_pin:", width="stretch"):
            state.use_model(version.label)
            st.rerun()
        about = _("It is not on offer any more; forecasts made with it still name it.")
        if st.button(
            _("Retire"), key=f"models.retire.{version.label}", icon=":material/archive:", help=about, width="stretch"
        ):
            with errors.shown():
                desk().registry.retire(*one)
                st.rerun()
    st.download_button(
        _("Model card"),
        lambda: desk().registry.card(*one) or "",
        file_name=f"{version.name}-{version.version}.md",
        on_click="ignore",
        key=f"models.card.{version.label}",
        icon=":material/description:",
        width="stretch",
    )
    nav.link("finetune", _("Its run"), icon=":material/model_training:", run=version.run_id)
    if st.button(_("Delete"), key=f"models.delete.{version.label}", icon=":material/delete:", width="stretch"):
        confirm(
            _("Delete {name}?").format(name=version.label),
            _("Its files go too. Forecasts made with it stay and still name it."),
            lambda: desk().registry.delete(*one),
        )


def draw_compare(versions: Sequence[RegisteredModel]) -> None:
    """Draw the choice of two versions and, once made, what differs and their scores."""
    if len(versions) < 2:
        return
    labels = {one.label: one for one in versions}
    with st.expander(_("Compare two versions"), icon=":material/compare_arrows:", key="models.compare"):
        first, second = st.columns(2)
        one = _choose(first, _("First version"), state.MODELS_FIRST, list(labels))
        other = _choose(second, _("Second version"), state.MODELS_SECOND, list(labels))
        if one is None or other is None:
            return
        if one == other:
            st.info(_("Choose two different versions."))
            return
        _compared(labels[one], labels[other])


def _choose(place: Any, name: str, key: str, labels: list[str]) -> str | None:
    if st.session_state.get(key) not in labels:
        st.session_state[key] = None
    chosen: str | None = place.selectbox(name, labels, None, key=key, placeholder=_("Choose a version"))
    return chosen


def _compared(one: RegisteredModel, other: RegisteredModel) -> None:
    found = desk().registry.compare((one.name, one.version), (other.name, other.version))
    names = {
        "base": _("Model to begin with"),
        "method": _("Method"),
        "parameters": _("Parameters"),
        "context": _("Context"),
        "trained_until": _("Learned up to"),
        "worse": _("worse than its base"),
        "state": _("State"),
        "created": _("Registered"),
        "run_id": _("Run"),
        "note": _("Note"),
    }
    rows = {names[field]: [_shown(value) for value in values] for field, values in found.differences}
    wanted = {f"{who}.{score}": title for who in OWN for score, title in _scores(who).items()}
    rows |= {
        wanted[name]: [formats.number(value, 4) for value in values] for name, values in found.scores if name in wanted
    }
    st.table(pd.DataFrame(rows, index=[one.label, other.label]).T)


def _scores(who: str) -> dict[str, str]:
    name = tuning_words.forecaster_name(who)
    titles = {"crps": _("CRPS"), "coverage_90": _("Coverage {level} %").format(level=90), "rank_ic": _("Rank IC")}
    return {score: f"{title} · {name}" for score, title in titles.items()}


def _shown(value: Any) -> str:
    if isinstance(value, bool):
        return _("yes") if value else _("no")
    if isinstance(value, datetime):
        return formats.moment(value)
    return formats.MISSING if value in {None, ""} else str(value)

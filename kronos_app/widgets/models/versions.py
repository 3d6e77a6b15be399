"""Registered models: their versions with state and scores, and two versions side by side."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import pandas as pd
import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from kronos_app import nav, state
from kronos_app.runtime import desk
from kronos_app.services.models.service import ModelStatus
from kronos_app.state import gettext as _
from kronos_app.store.registry import ModelState, RegisteredModel
from kronos_app.widgets.kit import errors, formats
from kronos_app.widgets.kit.confirm import confirm
from kronos_app.widgets.kit.errors import escape
from kronos_app.widgets.kit.unreadable import render_unreadable
from kronos_app.widgets.models import cards
from kronos_app.widgets.models import keys as models_keys
from kronos_app.widgets.models.names import method_name, own_name

COLOURS = {"candidate": "blue", "promoted": "green", "retired": "gray"}
KEYS: dict[ModelState, str] = {"candidate": "restore", "promoted": "promote", "retired": "retire"}
OWN = ("tuned", "base")


def render_registered(statuses: Sequence[ModelStatus], device: str | None) -> None:
    """Render the registered models with their versions; names with retired versions only come last."""
    render_unreadable(desk().registry.unreadable(), "models", _delete_unreadable)
    versions = desk().registry.list()
    if not versions:
        return
    st.subheader(_("Registered models"))
    for status in statuses:
        cards.render_card(status, device)
        _render_versions([version for version in versions if version.name == status.name])
    offered = {status.name for status in statuses}
    for name in sorted({version.name for version in versions} - offered):
        st.markdown(f"#### {name}")
        _render_versions([version for version in versions if version.name == name])
    if len(versions) > 1:
        with st.expander(_("Compare two versions"), icon=":material/compare_arrows:", key="models.compare"):
            _render_comparison({version.label: version for version in versions})


def _delete_unreadable(label: str) -> None:
    name, version = label.split("@")
    desk().registry.delete(name, int(version))


def _render_versions(versions: Sequence[RegisteredModel]) -> None:
    for version in versions:
        with st.container(border=True):
            words, actions = st.columns([5, 2], vertical_alignment="center")
            words.markdown(f"**{version.label}** {_badges(version)}  \n:small[{escape(_describe(version))}]")
            if version.note:
                words.caption(escape(version.note))
            with actions.container(horizontal=True, horizontal_alignment="right", vertical_alignment="center"):
                _render_actions(version)


def _badges(version: RegisteredModel) -> str:
    names = {"candidate": _("candidate"), "promoted": _("promoted"), "retired": _("retired")}
    badges = [(COLOURS[version.state], names[version.state])]
    if version.worse:
        badges.append(("red", _("worse than the base model")))
    if version.label == state.model():
        badges.append(("green", _("in use")))
    return " ".join(f":{colour}-badge[{word}]" for colour, word in badges)


def _describe(version: RegisteredModel) -> str:
    parts = [
        _("base {base}").format(base=version.base or _("scratch")),
        method_name(version.method),
        _("registered {moment}").format(moment=formats.moment(version.created)),
    ]
    if version.trained_until is not None:
        parts.append(_("trained up to {time}").format(time=f"{version.trained_until:%Y-%m-%d}"))
    tuned, base = ((version.scores or {}).get(name) or {} for name in OWN)
    if tuned.get("crps") is not None and base.get("crps"):
        ratio = formats.number(tuned["crps"] / base["crps"], 3)
        parts.append(_("CRPS ratio to its base {ratio}").format(ratio=ratio))
    return " · ".join(parts)


def _render_actions(version: RegisteredModel) -> None:
    if version.state == "candidate":
        help_ = _("The name alone refers to this version from now on.")
        _render_state_button(version, "promoted", _("Promote"), "verified", help=help_)
    if version.state == "retired":
        _render_state_button(version, "candidate", _("Restore"), "unarchive")
    with st.popover("", icon=":material/more_vert:", key=f"models.more.{version.label}", help=_("More")):
        _render_menu(version)


def _render_state_button(version: RegisteredModel, new: ModelState, label: str, icon: str, **options: Any) -> None:
    if st.button(label, key=f"models.{KEYS[new]}.{version.label}", icon=f":material/{icon}:", **options):
        with errors.render_errors():
            desk().registry.change_state(version.name, version.version, new)
            st.rerun()


def _render_menu(version: RegisteredModel) -> None:
    key = (version.name, version.version)
    if version.state != "retired":
        pin = _("Use exactly this version")
        if st.button(pin, key=f"models.pin.{version.label}", icon=":material/push_pin:", width="stretch"):
            state.use_model(version.label)
            st.rerun()
        help_ = _("No longer on offer; forecasts made with it still name it.")
        _render_state_button(version, "retired", _("Retire"), "archive", help=help_, width="stretch")
    st.download_button(
        _("Model card"),
        lambda: desk().registry.card(*key) or "",
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
            _("Its files are deleted too. Forecasts made with it stay and still name it."),
            lambda: desk().registry.delete(*key),
        )


def _render_comparison(versions: dict[str, RegisteredModel]) -> None:
    """Render the choice of two versions, then the fields in which they differ and their scores."""
    first, second = st.columns(2)
    one = _choose(first, _("First version"), models_keys.FIRST, list(versions))
    other = _choose(second, _("Second version"), models_keys.SECOND, list(versions))
    if one is None or other is None:
        return
    if one == other:
        st.info(_("Choose two different versions."))
        return
    keys = [(versions[label].name, versions[label].version) for label in (one, other)]
    comparison = desk().registry.compare(*keys)
    fields, scores = _field_names(), _score_names()
    rows = {fields[name]: [_describe_value(value) for value in pair] for name, pair in comparison.differences.items()}
    rows |= {
        scores[name]: [formats.number(value, 4) for value in pair]
        for name, pair in comparison.scores.items()
        if name in scores
    }
    st.table(pd.DataFrame(rows, index=[one, other]).T)


def _choose(place: DeltaGenerator, name: str, key: str, labels: list[str]) -> str | None:
    if st.session_state.get(key) not in labels:
        st.session_state[key] = None
    return place.selectbox(name, labels, None, key=key, placeholder=_("Choose a version"))


def _field_names() -> dict[str, str]:
    return {
        "base": _("Base model"),
        "method": _("Method"),
        "parameters": _("Parameters"),
        "context": _("Context"),
        "trained_until": _("Trained up to"),
        "worse": _("worse than the base model"),
        "state": _("State"),
        "created": _("Registered"),
        "run_id": _("Run"),
        "note": _("Note"),
    }


def _score_names() -> dict[str, str]:
    titles = {"crps": _("CRPS"), "coverage_90": _("Coverage {level} %").format(level=90), "rank_ic": _("Rank IC")}
    return {f"{who}.{score}": f"{title} · {own_name(who)}" for who in OWN for score, title in titles.items()}


def _describe_value(value: Any) -> str:
    if isinstance(value, bool):
        return _("yes") if value else _("no")
    if isinstance(value, datetime):
        return formats.moment(value)
    return formats.MISSING if value in {None, ""} else str(value)

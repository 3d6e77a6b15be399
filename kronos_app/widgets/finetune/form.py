"""The form of a new run, and its plan."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import streamlit as st

from kronos_app import state
from kronos_app.runtime import desk
from kronos_app.services.finetune.request import TuneRequest, flatten_settings
from kronos_app.services.finetune.service import DEFAULT_NAME
from kronos_app.services.models.limits import DEFAULT_MODEL
from kronos_app.services.selection.request import DataChoice
from kronos_app.state import gettext as _
from kronos_app.widgets.finetune import fields, keys, sources, words
from kronos_app.widgets.finetune.plan import render_plan
from kronos_app.widgets.kit.errors import render_errors
from kronos_app.widgets.models import choice

STAGES = {"predictor": ("predictor",), "both": ("tokenizer", "predictor"), "tokenizer": ("tokenizer",)}
BY_SHARE, BY_DATE = "share", "date"
NARROWEST_COLUMN = 380  # pixels
EARLIEST = date(1900, 1, 1)
WINDOW = ("window.lookback", "window.horizon")
MORE_WINDOW = (
    "window.lookback_min", "window.stride", "window.balance", "window.volume_dropout", "window.mirrored",
    "window.turning", "window.moved",
)  # fmt: skip
MORE_SPLIT = ("split.embargo", "split.holdout_symbols")
LORA = ("method.lora.rank", "method.lora.alpha", "method.lora.dropout")
JUDGE = ("judge.cutoffs", "judge.final_cutoffs", "judge.samples")
MACHINE = (
    "machine.precision", "machine.threads", "machine.processes", "machine.compile", "machine.checkpoint_activations",
)  # fmt: skip


def render_form() -> None:
    """Render the settings and the plan; the address names the run once it is started."""
    places = st.grid(2, min_column_width=NARROWEST_COLUMN, gap="large")
    settings, outcome = places.container(), places.container()
    data: DataChoice | None = None
    with settings, render_errors():
        key = fields.key("name")
        st.session_state[key] = desk().tuning.free_name(st.session_state.get(key) or DEFAULT_NAME)
        data = sources.render_sources()
        _base()
        _method()
        _stages()
        fields.render_fields(("name",), columns=1)
        fields.render_fields(WINDOW, columns=2)
        for stage in STAGES[st.session_state[keys.STAGES]]:
            _stage(stage)
        with st.expander(_("More settings"), icon=":material/tune:", key="finetune.more"):
            _more()
    with outcome, render_errors():
        st.subheader(_("Plan"))
        if data is None:
            st.info(_("Choose training candles to see the plan of the run."), icon=":material/info:")
            return
        render_plan(TuneRequest(data=data, config=_config()))


def _base() -> None:
    statuses = {status.name: status for status in desk().models.list()}
    key = fields.key("base.model")
    if st.session_state.get(key) not in statuses:
        st.session_state[key] = DEFAULT_MODEL if DEFAULT_MODEL in statuses else next(iter(statuses))
    st.selectbox(
        _("Base model"),
        list(statuses),
        format_func=choice.label_names(statuses),
        key=key,
        persist_state="session",
        help=_("A copy is trained; this model does not change. Larger models learn more and take longer."),
    )


def _method() -> None:
    methods = {
        "full": (_("All parameters"), _("All parameters are trained: most capacity, highest risk of overfitting.")),
        "frozen": (_("Upper layers"), _("The lowest layers are frozen: less forgetting, less memory.")),
        "lora": (
            _("Adapters (LoRA)"),
            _("Small additions learn beside frozen weights: least memory, with “Save memory” on."),
        ),
    }  # fmt: skip
    key = fields.key("method.kind")
    state.default(key, "full")
    kind = st.radio(
        _("Method"),
        list(methods),
        format_func=lambda name: methods[name][0],
        captions=[caption for _name, caption in methods.values()],
        key=key,
        persist_state="session",
    )
    if kind == "frozen":
        fields.render_fields(("method.frozen_layers",), columns=2)
    if kind == "lora":
        fields.render_fields(LORA)


def _stages() -> None:
    labels = {"predictor": _("Predictor"), "both": _("Tokenizer, then predictor"), "tokenizer": _("Tokenizer")}
    state.default(keys.STAGES, "predictor")
    st.segmented_control(
        _("Networks to train"),
        list(STAGES),
        format_func=labels.__getitem__,
        required=True,
        key=keys.STAGES,
        persist_state="session",
        width="stretch",
        wrap=True,
        help=_(
            "The tokenizer turns candles into tokens, and the predictor continues them. The "
            "tokenizer of the model is usually sufficient; train it too if your candles differ from "
            "stocks, indices and crypto."
        ),
    )


def _stage(stage: str) -> None:
    if st.session_state[keys.STAGES] == "both":
        st.markdown(f"**{state.say(words.STAGES[stage])}**")
    fields.render_fields((f"{stage}.steps", f"{stage}.batch", f"{stage}.learning_rate"))


def _more() -> None:
    st.markdown("**" + _("Train/validation/test split") + "**")
    _split()
    fields.render_fields(MORE_SPLIT, columns=2)
    st.markdown("**" + _("Windows") + "**")
    fields.render_fields(MORE_WINDOW, columns=2)
    names = {"tokenizer": _("Training of the tokenizer"), "predictor": _("Training of the predictor")}
    for stage in STAGES[st.session_state[keys.STAGES]]:
        st.markdown(f"**{names[stage]}**")
        fields.render_fields(_more_of(stage), columns=2)
    st.markdown("**" + _("Scoring") + "**")
    fields.render_fields(JUDGE, columns=2)
    st.markdown("**" + _("Machine") + "**")
    fields.render_fields(("seed", *MACHINE), columns=2)


def _more_of(stage: str) -> tuple[str, ...]:
    return tuple(f"{stage}.{name}" for name in fields.STAGE_LABELS if name != "batch")


def _split() -> None:
    labels = {BY_SHARE: _("By share"), BY_DATE: _("By date")}
    state.default(keys.SPLIT, BY_SHARE)
    by = st.segmented_control(
        _("Split"),
        list(labels),
        format_func=labels.__getitem__,
        required=True,
        key=keys.SPLIT,
        persist_state="session",
        help=_("The oldest candles train the model, later ones choose the best checkpoint, the latest ones score it."),
    )
    first, second = st.columns(2)
    if by == BY_DATE:
        today = datetime.now(UTC).date()
        first.date_input(_("Validation begins"), None, EARLIEST, today, key=keys.VALIDATION, persist_state="session")
        second.date_input(_("Test begins"), None, EARLIEST, today, key=keys.TEST, persist_state="session")
        return
    for place, key, label in (
        (first, keys.VALIDATION, _("Validation, % of the candles")),
        (second, keys.TEST, _("Test, % of the candles")),
    ):
        state.default(key + BY_SHARE, 10)
        place.number_input(label, 0, 45, step=1, key=key + BY_SHARE, persist_state="session")


def _config() -> dict[str, Any]:
    """Return the current settings as a config."""
    stages = STAGES[st.session_state[keys.STAGES]]
    kind = st.session_state[fields.key("method.kind")]
    paths = ["name", "seed", "base.model", "method.kind", *WINDOW, *MORE_WINDOW, *MORE_SPLIT, *JUDGE, *MACHINE]
    paths += {"full": [], "frozen": ["method.frozen_layers"], "lora": list(LORA)}[kind]
    for stage in stages:
        paths += [f"{stage}.{name}" for name in (*fields.MAIN_LABELS, *fields.STAGE_LABELS, "log_every")]
    config = {"tokenizer": None, "predictor": None} | fields.values(paths)
    config["split"] |= _split_values()
    return config


def _split_values() -> dict[str, Any]:
    values = st.session_state
    if values.get(keys.SPLIT) != BY_DATE:
        validation, test = (values[key + BY_SHARE] / 100 for key in (keys.VALIDATION, keys.TEST))
        return {"fractions": [round(1 - validation - test, 4), validation, test]}
    begins, tested = values.get(keys.VALIDATION), values.get(keys.TEST)
    if begins is None:
        return {}
    before = _midnight(begins) - timedelta(seconds=1)
    ranges: dict[str, Any] = {"train": [None, before.isoformat()], "validation": [_midnight(begins).isoformat(), None]}
    if tested is not None:
        ranges["validation"][1] = (_midnight(tested) - timedelta(seconds=1)).isoformat()
        ranges["test"] = [_midnight(tested).isoformat(), None]
    return ranges


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time())


def adopt(request: TuneRequest) -> None:
    """Fill in the request of a run; the form chooses a free name."""
    sources.adopt(request.data)
    config = request.config
    trained = tuple(stage for stage in ("tokenizer", "predictor") if _is_trained(config, stage))
    st.session_state[keys.STAGES] = next((name for name, stages in STAGES.items() if stages == trained), "both")
    for path, value in flatten_settings(config).items():
        if path in fields.LABELS and not path.startswith("split.fractions"):
            st.session_state[fields.key(path)] = value
    split = config.get("split") or {}
    if split.get("validation"):
        st.session_state[keys.SPLIT] = BY_DATE
        for key, name in ((keys.VALIDATION, "validation"), (keys.TEST, "test")):
            begins = (split.get(name) or [None])[0]
            st.session_state[key] = None if begins is None else datetime.fromisoformat(str(begins)).date()
    elif split.get("fractions"):
        st.session_state[keys.SPLIT] = BY_SHARE
        for key, share in zip((keys.VALIDATION, keys.TEST), split["fractions"][1:], strict=True):
            st.session_state[key + BY_SHARE] = round(share * 100)


def _is_trained(config: Mapping[str, Any], stage: str) -> bool:
    """Return whether a config trains a stage; by default the predictor."""
    return config[stage] is not None if stage in config else stage == "predictor"

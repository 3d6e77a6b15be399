"""Settings of a run as widgets; kind, bounds, default and help come from the fields of its config."""

from __future__ import annotations

import types
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, Union, get_args, get_origin

import streamlit as st

from kronos_app import state
from kronos_app.i18n import Text, text
from kronos_app.state import gettext as _
from kronos_app.widgets.finetune import keys

if TYPE_CHECKING:
    from pydantic.fields import FieldInfo

NARROWEST_FIELD = 125  # pixels
SMALLEST_RATE = 1e-9

# Defaults of the page that differ from the config's: a first run should take a minute, not an hour.
FIRST: Mapping[str, Any] = {
    "predictor.steps": 100,
    "tokenizer.steps": 100,
    "predictor.batch": 16,
    "tokenizer.batch": 16,
    "predictor.validation_windows": 64,
    "tokenizer.validation_windows": 64,
    "method.frozen_layers": 2,
    "judge.cutoffs": 16,
    "judge.final_cutoffs": 60,
    "judge.samples": 30,
}
# If empty, these are the steps divided by this number.
FOLLOWING: Mapping[str, int] = {"validate_every": 10, "checkpoint_every": 10, "log_every": 100}

STAGE_LABELS: Mapping[str, Text] = {
    "batch": text("Batch size"),
    "schedule": text("Learning rate schedule"),
    "warmup": text("Warm-up"),
    "weight_decay": text("Weight decay"),
    "clip": text("Gradient clipping"),
    "ema": text("Weight averaging (EMA)"),
    "patience": text("Stop early after"),
    "validate_every": text("Steps between validations"),
    "validation_windows": text("Validation windows"),
    "checkpoint_every": text("Steps between checkpoints"),
    "accumulate": text("Gradient accumulation"),
}
MAIN_LABELS: Mapping[str, Text] = {
    "steps": text("Steps"),
    "learning_rate": text("Learning rate"),
}
# In no form, but a difference between two runs may lie in them.
OTHER_LABELS: Mapping[str, Text] = {
    "log_every": text("Steps between log lines"),
    "decay": text("Decay phase"),
    "betas": text("AdamW's betas"),
}
LABELS: Mapping[str, Text] = {
    "name": text("Name of the run"),
    "seed": text("Seed"),
    "window.lookback": text("Lookback"),
    "window.horizon": text("Horizon"),
    "window.lookback_min": text("Shortest lookback"),
    "window.stride": text("Step between windows"),
    "window.balance": text("Balance between markets"),
    "window.volume_dropout": text("Windows without volume"),
    "window.mirrored": text("Mirrored windows"),
    "window.turning": text("Zero-drift windows"),
    "window.moved": text("Shifted dates"),
    "split.embargo": text("Embargo (candles)"),
    "split.holdout_symbols": text("Held-out symbols"),
    "split.fractions": text("Shares of train, validation, test"),
    "base.model": text("Base model"),
    "method.kind": text("Method"),
    "method.frozen_layers": text("Frozen layers"),
    "method.lora.rank": text("Adapter rank"),
    "method.lora.alpha": text("Adapter weight"),
    "method.lora.dropout": text("Adapter dropout"),
    "judge.cutoffs": text("Cutoffs while training"),
    "judge.final_cutoffs": text("Cutoffs of the final scores"),
    "judge.samples": text("Paths a forecast"),
    "machine.device": text("Device"),
    "machine.precision": text("Precision"),
    "machine.compile": text("Compile first"),
    "machine.checkpoint_activations": text("Save memory"),
    "machine.threads": text("CPU threads"),
    "machine.processes": text("Processes"),
    **{
        f"{stage}.{name}": label
        for stage in ("tokenizer", "predictor")
        for name, label in {**MAIN_LABELS, **STAGE_LABELS, **OTHER_LABELS}.items()
    },
}
OPTIONS: Mapping[str, Text] = {
    "onecycle": text("One cycle"),
    "cosine": text("Cosine"),
    "trapezoid": text("Trapezoid"),
    "float32": text("32 bits"),
    "bfloat16": text("16 bits"),
}


def key(path: str) -> str:
    """Return the key of a setting's widget."""
    return f"{keys.FIELD}.{path}"


def render_fields(paths: Sequence[str], *, columns: int = 3) -> None:
    """Render the widgets of settings, side by side if there is space; `values` returns their values."""
    places = st.grid(columns, min_column_width=NARROWEST_FIELD)
    for path in paths:
        with places.container():
            _widget(path)


def values(paths: Sequence[str]) -> dict[str, Any]:
    """Return the settings as the nested mapping that a config is made from."""
    settings: dict[str, Any] = {}
    for path in paths:
        *sections, name = path.split(".")
        inner = settings
        for section in sections:
            inner = inner.setdefault(section, {})
        value = st.session_state.get(key(path), first(path))
        if name in FOLLOWING and value is None:
            value = max(int(st.session_state.get(key(f"{sections[0]}.steps"), 0)) // FOLLOWING[name], 1)
        inner[name] = value
    return settings


def label(path: str) -> str:
    """Return the label of a setting, or its path if it has none."""
    return state.say(LABELS[path]) if path in LABELS else path


def first(path: str) -> Any:
    """Return the default of a setting."""
    if path in FIRST:
        return FIRST[path]
    return None if path.rpartition(".")[2] in FOLLOWING else field_of(path).get_default(call_default_factory=True)


def field_of(path: str) -> FieldInfo:
    """Return the config's field at `path`, such as `predictor.steps`."""
    from training.run.config import RunConfig

    *sections, name = path.split(".")
    model: Any = RunConfig
    for section in sections:
        annotation = model.model_fields[section].annotation
        model = _kind(annotation)[0]
    field: FieldInfo = model.model_fields[name]
    return field


def _widget(path: str) -> None:
    field = field_of(path)
    kind, optional = _kind(field.annotation)
    about: dict[str, Any] = {
        "label": label(path),
        "key": key(path),
        "help": _(field.description) if field.description else None,
        "persist_state": "session",
    }
    state.default(key(path), first(path))
    if kind is bool:
        st.toggle(**about)
    elif get_origin(kind) is Literal:
        names = {name: state.say(OPTIONS[name]) if name in OPTIONS else name for name in get_args(kind)}
        st.selectbox(options=list(names), format_func=names.__getitem__, **about)
    elif kind is str:
        st.text_input(**about)
    else:
        follows = path.rpartition(".")[2] in FOLLOWING
        _number(path, field, kind, about, empty=optional or follows)


def _number(path: str, field: FieldInfo, kind: type, about: dict[str, Any], *, empty: bool) -> None:
    rate = path.endswith("learning_rate")
    low, high = _bounds(field, 1 if kind is int else SMALLEST_RATE if rate else 0.05)
    state.clamp(key(path), -float("inf") if low is None else low, float("inf") if high is None else high)
    # Streamlit takes whole or broken numbers, never both.
    about |= {"min_value": low if low is None else kind(low), "max_value": high if high is None else kind(high)}
    about["step"] = kind(1) if kind is int else 0.05
    if empty:
        about |= {"value": None, "placeholder": _("auto")}
    if rate:
        about |= {"step": 1e-6, "format": "%.1e"}
    if st.session_state[key(path)] is not None:
        st.session_state[key(path)] = kind(st.session_state[key(path)])
    st.number_input(**about)


def _kind(annotation: Any) -> tuple[Any, bool]:
    """Return the type of a field without None, and whether None is among its values."""
    if get_origin(annotation) in {Union, types.UnionType}:
        return next(kind for kind in get_args(annotation) if kind is not types.NoneType), True
    return annotation, False


def _bounds(field: FieldInfo, step: float) -> tuple[float | None, float | None]:
    low: float | None = None
    high: float | None = None
    for bound in field.metadata:
        low = getattr(bound, "ge", low)
        high = getattr(bound, "le", high)
        if (over := getattr(bound, "gt", None)) is not None:
            low = over + step
        if (under := getattr(bound, "lt", None)) is not None:
            high = under - step
    return low, high

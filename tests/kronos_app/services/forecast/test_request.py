import math
from dataclasses import replace

import pytest

from engine.loading.registry import ModelSpec
from engine.usage import GENERAL, Recommended
from kronos_app.errors import InvalidInput
from kronos_app.services.forecast.request import PRESETS, ForecastRequest
from kronos_app.services.forecast.sampling import describe_origin
from kronos_app.services.selection.setup import fill_in


def test_the_defaults_are_those_of_the_documentation():
    request = ForecastRequest.build({"candles_id": "a"})
    assert (request.model, request.lookback, request.horizon) == ("kronos-nano", 400, 24)
    assert (request.top_k, request.seed, request.cutoff, request.window, request.recalibrate) == (
        0,
        None,
        None,
        "fit",
        False,
    )
    assert request.driftless is None
    assert request.levels == (0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95)


def test_what_is_left_open_is_what_the_model_recommends_for_bands():
    advice = {"point": Recommended(0.6, 0.9, 5, "published"), "bands": Recommended(0.95, 0.97, 80, "model")}
    spec = ModelSpec("mine@2", "a", "b", max_context=64, parameters=1, licence="MIT", sampling=advice)
    request = fill_in(ForecastRequest.build({"candles_id": "a", "model": "mine", "top_p": 0.5}), spec)
    assert (request.model, request.temperature, request.top_p, request.samples) == ("mine@2", 0.95, 0.5, 80)
    assert fill_in(request, replace(spec, sampling=GENERAL)) == request
    assert describe_origin(spec, "bands").render() == "Recommended by the developers of mine@2."
    assert "published backtest" in describe_origin(spec, "point").render()
    assert "nothing was measured" in describe_origin(replace(spec, sampling=GENERAL), "bands").render()


def test_the_drift_is_taken_out_where_the_model_recommends_it_and_one_path_keeps_its_own():
    advice = {use: Recommended(1.0, 1.0, 80, "model", driftless=True) for use in ("point", "bands")}
    spec = ModelSpec("mine", "a", "b", max_context=64, parameters=1, licence="MIT", sampling=advice)

    def made(**fields):
        return fill_in(ForecastRequest.build({"candles_id": "a", **fields}), spec).driftless

    assert (made(), made(driftless=False), made(samples=1)) == (True, False, False)
    with pytest.raises(InvalidInput, match="driftless") as caught:
        made(samples=1, driftless=True)
    assert "Set samples to 2" in caught.value.hint.render()


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("driftless", "perhaps"),
        ("samples", 0),
        ("samples", 10**9),
        ("samples", 2.5),
        ("samples", "many"),
        ("temperature", math.nan),
        ("temperature", math.inf),
        ("temperature", 0),
        ("temperature", 2.1),
        ("top_p", 0.05),
        ("top_p", math.nan),
        ("top_k", -1),
        ("lookback", 1),
        ("horizon", 0),
        ("seed", -1),
        ("seed", 2**53),
        ("cutoff", "yesterday"),
        ("candles_id", ""),
        ("model", 7),
        ("levels", ()),
        ("window", "sliding"),
        ("unheard_of", 1),
    ],
)
@pytest.mark.parametrize("language", ["en", "zh_CN"])
def test_a_value_out_of_its_limits_is_refused_by_name(field, value, language):
    with pytest.raises(InvalidInput) as caught:
        ForecastRequest.build({"candles_id": "a", field: value})
    assert field in caught.value.message.render(language)
    caught.value.hint.render(language)


@pytest.mark.parametrize("level", [0, 1, math.nan, -0.1])
def test_a_level_outside_0_and_1_is_refused(level):
    with pytest.raises(InvalidInput, match="levels"):
        ForecastRequest.build({"candles_id": "a", "levels": (0.5, level)})


def test_a_limit_is_told_in_the_hint():
    with pytest.raises(InvalidInput) as caught:
        ForecastRequest.build({"candles_id": "a", "samples": 10**9})
    assert "500" in caught.value.hint.render()


def test_a_missing_field_is_named():
    with pytest.raises(InvalidInput, match="candles_id is missing"):
        ForecastRequest.build({})


def test_levels_are_sorted_and_unique():
    assert ForecastRequest.build({"candles_id": "a", "levels": (0.9, 0.1, 0.9)}).levels == (0.1, 0.9)


@pytest.mark.parametrize("preset", PRESETS.values(), ids=PRESETS.keys())
def test_every_preset_is_a_valid_request(preset):
    fields = {name: getattr(preset, name) for name in ("temperature", "top_p", "top_k")}
    assert ForecastRequest.build({"candles_id": "a", **fields}).temperature == preset.temperature
    assert preset.label.render()
    assert preset.description.render()

"""The registry says of each model what its checkpoint says."""

from __future__ import annotations

import json
import re
from datetime import date
from pathlib import Path

import pytest

from engine.loading.registry import PINS, REGISTRY, ModelSpec, find_spec
from engine.usage import GENERAL, USES

PUBLISHED = json.loads((Path(__file__).parents[2] / "golden" / "published_checkpoints.json").read_text())
NAMES = {"kronos-mini": "Kronos-mini", "kronos-small": "Kronos-small", "kronos-base": "Kronos-base"}


def test_the_bundled_model_and_the_published_ones_are_known() -> None:
    assert list(REGISTRY) == ["kronos-nano", *NAMES]
    assert all(spec.name == name for name, spec in REGISTRY.items())
    assert [spec.name for spec in REGISTRY.values() if spec.bundled] == ["kronos-nano"]


@pytest.mark.parametrize(("name", "repository"), NAMES.items())
def test_a_published_model_is_described_as_its_checkpoint_is(name: str, repository: str) -> None:
    spec, published = REGISTRY[name], PUBLISHED[f"NeoQuasar/{repository}"]
    assert spec.model_id == f"NeoQuasar/{repository}"
    assert spec.tokenizer_id == published["tokenizer"]
    assert spec.max_context == published["max_context"]
    assert spec.parameters == published["parameters"]


@pytest.mark.parametrize("repository", PUBLISHED)
def test_a_published_repository_is_pinned_to_a_whole_commit_and_to_its_weights(repository: str) -> None:
    pin = PINS[repository]
    assert re.fullmatch(r"[0-9a-f]{40}", pin.revision)
    assert re.fullmatch(r"[0-9a-f]{64}", pin.weights)
    assert PUBLISHED[repository].get("revision", pin.revision) == pin.revision


def test_model_and_tokenizer_of_each_published_model_are_pinned() -> None:
    specs = [REGISTRY[name] for name in NAMES]
    assert {repo for spec in specs for repo in (spec.model_id, spec.tokenizer_id)} == set(PINS)


def test_a_model_is_found_by_name_and_by_hub_id_but_not_by_its_tokenizer() -> None:
    assert find_spec("kronos-small") is REGISTRY["kronos-small"]
    assert find_spec("NeoQuasar/Kronos-small") is REGISTRY["kronos-small"]
    assert find_spec(Path(REGISTRY["kronos-nano"].model_id)) is REGISTRY["kronos-nano"]
    assert find_spec("NeoQuasar/Kronos-Tokenizer-base") is None
    assert find_spec("kronos-large") is None


def test_it_is_known_until_when_a_model_was_trained() -> None:
    nano, small = REGISTRY["kronos-nano"], REGISTRY["kronos-small"]
    assert nano.seen_until("us_equity") == date(2016, 3, 31)
    assert nano.seen_until("crypto") == date(2024, 6, 13)
    assert nano.seen_until("tea") == max(nano.trained_until.values())
    assert small.seen_until("us_equity") == small.seen_until("tea") == date(2024, 5, 31)


def test_of_a_model_that_nobody_described_it_is_not_known() -> None:
    spec = ModelSpec("other", "acme/other", "acme/tokenizer", max_context=64, parameters=1, licence="MIT")
    assert spec.seen_until("crypto") is None
    assert len({spec, REGISTRY["kronos-nano"]}) == 2


def test_every_model_says_how_it_is_best_drawn_from_and_who_says_so() -> None:
    origins = {name: {use: REGISTRY[name].sampling[use].origin for use in USES} for name in REGISTRY}
    assert origins["kronos-nano"] == {"point": "model", "bands": "model"}
    assert all(origins[name] == {"point": "published", "bands": "general"} for name in NAMES)
    assert ModelSpec("a", "b", "c", max_context=64, parameters=1, licence="").sampling == GENERAL


def test_the_factors_of_the_bundled_model_are_of_what_it_was_recommended_for() -> None:
    nano = REGISTRY["kronos-nano"]
    bands = nano.sampling["bands"]
    recommended = bands.temperature, bands.top_p, bands.driftless
    assert all((f.temperature, f.top_p, f.driftless) == recommended for f in nano.recalibration.values())
    assert REGISTRY["kronos-small"].recalibration == {}


def test_what_is_known_of_a_model_cannot_be_changed() -> None:
    with pytest.raises(TypeError, match="does not support item assignment"):
        REGISTRY["kronos-nano"].trained_until["crypto"] = date(2030, 1, 1)  # type: ignore[index]

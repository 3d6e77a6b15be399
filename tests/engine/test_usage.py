"""What is known about using a model is read strictly."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from engine.errors import CheckpointError
from engine.usage import GENERAL, USES, Recommended, SpreadFactor, read_recalibration, read_sampling

DRAW = {"temperature": 0.9, "top_p": 0.95, "samples": 50, "driftless": True}
FACTOR = {"scale": 1.2, "cutoffs": 60, "until": "2024-06-30", "temperature": 1.0, "top_p": 1.0, "driftless": True}


def kept(folder: Path, value: Any) -> Path:
    path = folder / "file.json"
    path.write_text(json.dumps(value), encoding="utf-8")
    return path


def test_recommendations_are_read_and_say_whose_they_are(tmp_path: Path) -> None:
    found = read_sampling(kept(tmp_path, {"point": DRAW, "bands": DRAW | {"samples": 100}}))
    assert found["point"] == Recommended(0.9, 0.95, 50, origin="model", driftless=True)
    assert found["bands"].samples == 100
    assert set(GENERAL) == set(USES)


def test_factors_are_read_by_market_and_interval(tmp_path: Path) -> None:
    found = read_recalibration(kept(tmp_path, {"crypto/1h": FACTOR}))
    assert found == {"crypto/1h": SpreadFactor(1.2, 60, date(2024, 6, 30), 1.0, 1.0, driftless=True)}
    assert found["crypto/1h"].to_dict() == FACTOR


def test_without_a_file_no_factor_is_known(tmp_path: Path) -> None:
    assert read_recalibration(tmp_path / "none.json") == {}


@pytest.mark.parametrize(
    ("told", "reason"),
    [
        ([], "object"),
        ({"point": DRAW}, "exactly point, bands"),
        ({"point": DRAW, "bands": 1}, "object of objects"),
        ({"point": DRAW, "bands": {"temperature": 1.0}}, "bands: .* driftless, samples, top_p"),
        ({"point": DRAW, "bands": DRAW | {"top_k": 5}}, "top_k"),
        ({"point": DRAW, "bands": DRAW | {"temperature": 0}}, "bands: temperature=0"),
        ({"point": DRAW, "bands": DRAW | {"top_p": "all"}}, "bands"),
        ({"point": DRAW, "bands": DRAW | {"samples": 2.5}}, "samples=2.5 must be a whole number"),
        ({"point": DRAW, "bands": DRAW | {"samples": 1000}}, "samples=1000"),
        ({"point": DRAW, "bands": DRAW | {"driftless": 1}}, "driftless=1 must be True or False"),
    ],
)
def test_a_recommendation_that_cannot_be_is_refused(tmp_path: Path, told: Any, reason: str) -> None:
    with pytest.raises(CheckpointError, match=reason):
        read_sampling(kept(tmp_path, told))


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"scale": 0}, "crypto/1h: scale=0"),
        ({"scale": float("nan")}, "scale=nan"),
        ({"cutoffs": 0}, "cutoffs=0"),
        ({"until": "soon"}, "until must be a day"),
        ({"until": None}, "until must be a day"),
        ({"top_p": 2}, "top_p=2"),
        ({"driftless": None}, "driftless=None must be True or False"),
        ({"note": "mine"}, "note"),
    ],
)
def test_a_factor_that_cannot_be_is_refused(tmp_path: Path, changed: dict[str, Any], reason: str) -> None:
    with pytest.raises(CheckpointError, match=reason):
        read_recalibration(kept(tmp_path, {"crypto/1h": FACTOR | changed}))


def test_a_file_that_is_no_json_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "sampling.json"
    with pytest.raises(CheckpointError, match="cannot be read"):
        read_sampling(path)
    path.write_bytes(b"\xff{")
    with pytest.raises(CheckpointError, match="cannot be read"):
        read_sampling(path)

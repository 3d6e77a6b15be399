"""What is known about using a model: how to draw from it, and by how much its bands should be wider or narrower.

A bundled model brings both as small JSON files beside its weights. Reading is strict, as it is for checkpoints.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from datetime import date
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal, TypeVar, get_args

from engine.errors import CheckpointError

SAMPLING, RECALIBRATION = "sampling.json", "recalibration.json"  # beside a bundled model's folders of weights

Use = Literal["point", "bands"]
Origin = Literal["model", "published", "general"]
USES: tuple[Use, ...] = get_args(Use)
MOST_SAMPLES = 200


@dataclass(frozen=True)
class Recommended:
    """Settings that suit a use of a model, checked when built.

    Attributes
    ----------
    temperature, top_p, samples
        As a forecast takes them.
    driftless
        Whether its paths are better without their drift, see `Forecast.driftless`.
    origin
        Who says so: whoever trained the model (`model`), the authors' code (`published`), or nobody in particular
        (`general`).
    """

    temperature: float
    top_p: float
    samples: int
    origin: Origin = "general"
    driftless: bool = False

    def __post_init__(self) -> None:
        _check_draw(self.temperature, self.top_p)
        _check_whole("samples", self.samples, MOST_SAMPLES)
        _check_flag("driftless", self.driftless)


@dataclass(frozen=True)
class SpreadFactor:
    """What the deviations of paths from their median are multiplied by in one market and interval, checked when built.

    Attributes
    ----------
    scale
        Above 1 where bands were too narrow.
    cutoffs
        How many forecasts it was learned from.
    until
        Day of the last candle among them: before it ends, the factor could not be known.
    temperature, top_p, driftless
        How they were made; it holds for no others.
    """

    scale: float
    cutoffs: int
    until: date
    temperature: float
    top_p: float
    driftless: bool = False

    def __post_init__(self) -> None:
        _check("scale", self.scale, 0.1, 10)
        _check_draw(self.temperature, self.top_p)
        _check_whole("cutoffs", self.cutoffs, 10**9)
        _check_flag("driftless", self.driftless)

    def to_dict(self) -> dict[str, Any]:
        """Return what `read_recalibration` reads."""
        return asdict(self) | {"until": self.until.isoformat()}


T = TypeVar("T", Recommended, SpreadFactor)


def read_sampling(path: Path) -> Mapping[Use, Recommended]:
    """Return what a model's own file recommends for each use.

    Raises
    ------
    CheckpointError
        The file is missing or damaged, lacks a use, or says what cannot be.
    """
    told = _object(path)
    if set(told) != set(USES):
        raise CheckpointError(f"{path} must have exactly {', '.join(USES)}; it has {', '.join(told) or 'nothing'}.")
    return MappingProxyType({use: _built(path, Recommended, told[use] | {"origin": "model"}, use) for use in USES})


def read_recalibration(path: Path) -> Mapping[str, SpreadFactor]:
    """Return the factors of a model's own file by market and interval, as in `crypto/1h`; none where there is no file.

    Raises
    ------
    CheckpointError
        The file is damaged or says what cannot be.
    """
    if not path.exists():
        return MappingProxyType({})
    return MappingProxyType({group: _factor(path, group, told) for group, told in _object(path).items()})


def _factor(path: Path, group: str, told: dict[str, Any]) -> SpreadFactor:
    try:
        until = date.fromisoformat(told["until"])
    except (KeyError, TypeError, ValueError) as error:
        raise CheckpointError(f"{path}, {group}: until must be a day such as 2024-06-30.") from error
    return _built(path, SpreadFactor, told | {"until": until}, group)


def _object(path: Path) -> dict[str, dict[str, Any]]:
    try:
        told = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise CheckpointError(f"{path} cannot be read: {error}") from error
    if not isinstance(told, dict) or not all(isinstance(value, dict) for value in told.values()):
        raise CheckpointError(f"{path} must be a JSON object of objects.")
    return told


def _built(path: Path, kind: type[T], told: dict[str, Any], part: str) -> T:
    names = {field.name for field in fields(kind)}
    if set(told) != names:
        wrong = ", ".join(sorted(set(told) ^ names))
        raise CheckpointError(f"{path}, {part}: these fields are missing or unknown: {wrong}.")
    try:
        return kind(**told)
    except (CheckpointError, TypeError) as error:
        raise CheckpointError(f"{path}, {part}: {error}") from error


def _check_draw(temperature: float, top_p: float) -> None:
    _check("temperature", temperature, 0.1, 2)
    _check("top_p", top_p, 0.1, 1)


def _check_whole(name: str, value: int, most: int) -> None:
    if not isinstance(value, int):
        raise CheckpointError(f"{name}={value} must be a whole number.")
    _check(name, value, 1, most)


def _check_flag(name: str, value: object) -> None:
    if not isinstance(value, bool):
        raise CheckpointError(f"{name}={value} must be true or false.")


def _check(name: str, value: float, low: float, high: float) -> None:
    if not low <= value <= high:
        raise CheckpointError(f"{name}={value} must lie between {low:g} and {high:g}.")


GENERAL: Mapping[Use, Recommended] = MappingProxyType(
    {"point": Recommended(1.0, 1.0, 30), "bands": Recommended(1.0, 1.0, 100)}
)

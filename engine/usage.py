"""Recommended sampling of a model, and the factors that calibrate its bands.

A bundled model has both in small JSON files beside its weights. They are read strictly, like checkpoints.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from datetime import date
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal, TypeVar, get_args

from engine.arguments import check_count, check_flag, check_number
from engine.errors import CheckpointError, InputError

SAMPLING, RECALIBRATION = "sampling.json", "recalibration.json"  # beside a bundled model's folders of weights

Use = Literal["point", "bands"]
Origin = Literal["model", "published", "general"]
USES: tuple[Use, ...] = get_args(Use)
MAX_SAMPLES = 200


@dataclass(frozen=True)
class Recommended:
    """Recommended settings for one use of a model, checked when built.

    Attributes
    ----------
    temperature, top_p, samples
        Settings of a forecast.
    origin
        Source of the recommendation: the model's own file (`model`), the authors' code (`published`), or none
        (`general`).
    driftless
        Whether to set the drift of the paths to zero, see `Forecast.driftless`.
    """

    temperature: float
    top_p: float
    samples: int
    origin: Origin = "general"
    driftless: bool = False

    def __post_init__(self) -> None:
        _check_draw(self)
        check_count(self.samples, "samples", 1, MAX_SAMPLES)


@dataclass(frozen=True)
class SpreadFactor:
    """Factor for the deviations of paths from their median in one market and interval, checked when built.

    Attributes
    ----------
    scale
        The factor; above 1 if bands were too narrow.
    cutoffs
        Number of forecasts that it was estimated from.
    until
        Day of their last candle; the factor must not be used for earlier cutoffs.
    temperature, top_p, driftless
        Settings of these forecasts; the factor is valid for no others.
    """

    scale: float
    cutoffs: int
    until: date
    temperature: float
    top_p: float
    driftless: bool = False

    def __post_init__(self) -> None:
        _check_draw(self)
        check_number(self.scale, "scale", 0.1, 10)
        check_count(self.cutoffs, "cutoffs", 1)

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON object that `read_recalibration` reads."""
        return asdict(self) | {"until": self.until.isoformat()}


T = TypeVar("T", Recommended, SpreadFactor)


def read_sampling(path: Path) -> Mapping[Use, Recommended]:
    """Return the recommendation for each use from a model's own file.

    Raises
    ------
    CheckpointError
        The file is missing or damaged, lacks a use, or has an invalid value.
    """
    parts = _read_objects(path)
    if set(parts) != set(USES):
        raise CheckpointError(f"{path} must have exactly {', '.join(USES)}; it has {', '.join(parts) or 'nothing'}.")
    return MappingProxyType({use: _build(path, Recommended, parts[use] | {"origin": "model"}, use) for use in USES})


def read_recalibration(path: Path) -> Mapping[str, SpreadFactor]:
    """Return the factors from a model's own file by market and interval, such as `crypto/1h`; none without a file.

    Raises
    ------
    CheckpointError
        The file is damaged or has an invalid value.
    """
    factors = {}
    for group, values in (_read_objects(path) if path.exists() else {}).items():
        try:
            until = date.fromisoformat(values["until"])
        except (KeyError, TypeError, ValueError) as error:
            raise CheckpointError(f"{path}, {group}: until must be a day such as 2024-06-30.") from error
        factors[group] = _build(path, SpreadFactor, values | {"until": until}, group)
    return MappingProxyType(factors)


def _read_objects(path: Path) -> dict[str, dict[str, Any]]:
    try:
        parts = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise CheckpointError(f"{path} cannot be read: {error}") from error
    if not isinstance(parts, dict) or not all(isinstance(values, dict) for values in parts.values()):
        raise CheckpointError(f"{path} must be a JSON object of objects.")
    return parts


def _build(path: Path, kind: type[T], values: dict[str, Any], part: str) -> T:
    wrong = set(values) ^ {field.name for field in fields(kind)}
    if wrong:
        raise CheckpointError(f"{path}, {part}: these fields are missing or unknown: {', '.join(sorted(wrong))}.")
    try:
        return kind(**values)
    except InputError as error:
        raise CheckpointError(f"{path}, {part}: {error}") from error


def _check_draw(record: Recommended | SpreadFactor) -> None:
    check_number(record.temperature, "temperature", 0.1, 2)
    check_number(record.top_p, "top_p", 0.1, 1)
    check_flag(record.driftless, "driftless")


GENERAL: Mapping[Use, Recommended] = MappingProxyType(
    {"point": Recommended(1.0, 1.0, 30), "bands": Recommended(1.0, 1.0, 100)}
)

"""The models by name, with facts that no checkpoint holds: context, licence, training period, sampling."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from types import MappingProxyType as Frozen

from engine import usage
from engine.usage import GENERAL, Recommended, SpreadFactor, Use

BUNDLED = Path(__file__).parents[1] / "bundled"
NANO = BUNDLED / "kronos-nano"


@dataclass(frozen=True)
class ModelSpec:
    """A predictor and its tokenizer, as known before they are loaded."""

    name: str
    model_id: str  # a Hub id, or a local folder when bundled
    tokenizer_id: str
    max_context: int  # candles, history and forecast together
    parameters: int  # of the predictor, without its tokenizer
    licence: str
    bundled: bool = False
    description: str = ""
    revision: str | None = None  # None: the pinned commit, or the main branch
    tokenizer_revision: str | None = None
    # Last day of the training and validation candles, by market; "" is for every other market.
    trained_until: Mapping[str, date] = field(default_factory=lambda: Frozen({}), hash=False)
    chosen_from: date | None = None  # first day of the candles that chose the checkpoint, if they are later ones
    sampling: Mapping[Use, Recommended] = field(default_factory=lambda: GENERAL, hash=False)
    # Calibration of its bands by market and interval, such as "crypto/1h", where it was estimated.
    recalibration: Mapping[str, SpreadFactor] = field(default_factory=lambda: Frozen({}), hash=False)

    def seen_until(self, market: str) -> date | None:
        """Return the last day of a market that training or checkpoint selection used; None if unknown."""
        return self.trained_until.get(market, self.trained_until.get(""))


# Point forecasts as in the authors' backtest (finetune/config.py of shiyu-coder/Kronos), which has no bands.
_PUBLISHED_SAMPLING: Mapping[Use, Recommended] = Frozen(
    {**GENERAL, "point": Recommended(temperature=0.6, top_p=0.9, samples=5, origin="published")}
)


@dataclass(frozen=True)
class Pin:
    """One commit of a repository on the Hub, and the SHA-256 of its `model.safetensors`."""

    revision: str
    weights: str


# The published checkpoints by Hub id: the commit that is loaded unless another revision is given.
PINS: Mapping[str, Pin] = Frozen(
    {
        "NeoQuasar/Kronos-mini": Pin(
            "f4e68697d9d5aed55cef5c96aabc3376bcad9f81",
            "a7d5f37e2e9fbd9891f7d7d4f72574512dd1f704fee14223e0a8cd0fbf54197c",
        ),
        "NeoQuasar/Kronos-small": Pin(
            "901c26c1332695a2a8f243eb2f37243a37bea320",
            "b082dfcbd8e8c142a725c8bbb99781802f38fec81210e13479effb32b3c3e020",
        ),
        "NeoQuasar/Kronos-base": Pin(
            "2b554741eca47781b64468546e77fef3e85130e6",
            "abff193acab6db1a0368e9773e75799d11403b6d054ee6d5f0a11aeabc5f4b83",
        ),
        "NeoQuasar/Kronos-Tokenizer-2k": Pin(
            "26966d0035065a0cae0ebad7af8ece35bc1fb51c",
            "b97ec46b3b72160509e289183eaf7bdf5f0dac5bb9b49522f6d46638a99a8717",
        ),
        "NeoQuasar/Kronos-Tokenizer-base": Pin(
            "0e0117387f39004a9016484a186a908917e22426",
            "59d85f6af76a2c3b8240ea06cb21db4213b4eeca053f246b23e29cf832fc6bee",
        ),
    }
)


def _published(size: str, tokenizer: str, max_context: int, parameters: int, description: str) -> ModelSpec:
    return ModelSpec(
        name=f"kronos-{size}",
        model_id=f"NeoQuasar/Kronos-{size}",
        tokenizer_id=f"NeoQuasar/Kronos-Tokenizer-{tokenizer}",
        max_context=max_context,
        parameters=parameters,
        licence="MIT",
        description=description,
        # Trained through February 2024, validated on March to May 2024: the author in issue 204 of shiyu-coder/Kronos.
        trained_until=Frozen({"": date(2024, 5, 31)}),
        chosen_from=date(2024, 3, 1),
        sampling=_PUBLISHED_SAMPLING,
    )


_SPECS = (
    ModelSpec(
        name="kronos-nano",
        model_id=str(NANO / "model"),
        tokenizer_id=str(NANO / "tokenizer"),
        max_context=512,
        parameters=2_811_200,
        licence="MIT",
        bundled=True,
        description="Small model trained by this project; comes with it and works offline.",
        trained_until=Frozen(
            {
                "us_equity": date(2016, 3, 31),
                "index": date(2015, 3, 17),
                "crypto": date(2024, 6, 13),
                "fx": date(2019, 9, 26),
                "cn_equity": date(2025, 11, 27),
                "": date(2025, 11, 27),  # a market of another name may be any of them
            }
        ),
        sampling=usage.read_sampling(NANO / usage.SAMPLING),
        recalibration=usage.read_recalibration(NANO / usage.RECALIBRATION),
    ),
    _published("mini", "2k", 2048, 4_108_032, "Smallest published model, with the longest context."),
    _published("small", "base", 512, 24_741_376, "Published model that balances speed and size."),
    _published("base", "base", 512, 102_310_592, "Largest published model; slow without a GPU."),
)

REGISTRY: Mapping[str, ModelSpec] = Frozen({spec.name: spec for spec in _SPECS})


def find_spec(name: str | Path) -> ModelSpec | None:
    """Return the model with a registry name or a predictor's Hub id; None if there is none."""
    return next((spec for spec in _SPECS if str(name) in (spec.name, spec.model_id)), None)

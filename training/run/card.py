"""The model card of a run: what it learned from and how, and first of all whether it got better."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import numpy as np
import yaml

from engine.config import UNPUBLISHED_NOTE
from engine.registry import find_spec
from training.fit.corpus import Corpus
from training.fit.log import LOG, read_log
from training.run.config import SPLITS, FileData, QlibData, RunConfig
from training.run.folder import RunFolder
from training.run.markdown import Markup, code, code_block, escape, table
from training.run.report import Report, interval, judged, said, score_rows, verdicts, worse

if TYPE_CHECKING:
    from training.fit.building import Base

MODEL, TOKENIZER, CARD, FACTS, REPORT = "model", "tokenizer", "README.md", "kronos.json", "report.json"
TAGS = ["kronos", "candlesticks", "finance", "time-series"]
LISTED_SYMBOLS = 5  # of a group, by name
LIMITS = """\
- For research, not advice: nothing here says that a trade will pay.
- Scores hold for the markets, intervals and periods above; elsewhere the model was not tried.
- The checkpoint was chosen by the validation split, so its scores there flatter the model; only the test split is new
  to it, and neither is new if the base model had learned from those candles."""

PRIVATE = {"data", "machine", "track"}  # sections that may name folders, servers or passwords


@dataclass(frozen=True)
class Facts:
    """What an export tells a registry: `kronos.json`.

    Attributes
    ----------
    name
        Of the run.
    max_context
        Candles the model sees, history and forecast together.
    parameters
        Of the predictor.
    trained_until
        Day of the last candle that the run learned from, or its base where that is known and later; ISO.
    base, base_digest
        What training began with.
    digest
        SHA-256 of both networks' weights, as `KronosPredictor.digest` has it.
    """

    name: str
    max_context: int
    parameters: int
    trained_until: str
    base: str
    base_digest: str
    digest: str


def trained_until(corpus: Corpus, base: Base) -> date:
    """Return the day of the last candle that the run learned from, or its base where that is known and later."""
    days = [_day(int(corpus.times[segment.stop - 1])) for segment in corpus.of("train").segments]
    if base.trained_until is not None:
        days.append(base.trained_until)
    elif base.spec is not None:
        days += base.spec.trained_until.values()
    return max(days)


def model_card(
    run: RunFolder,
    config: RunConfig,
    facts: Facts,
    corpus: Corpus,
    provenance: Mapping[str, Any],
    report: Report | None,
    *,
    shared_deviation: bool = False,
) -> str:
    """Return the card of a run as Markdown, with the front matter that the Hub reads.

    Parameters
    ----------
    provenance, report
        What `provenance.json` and `report.json` hold; None where the run was not judged.
    shared_deviation
        Whether the tokenizer divides all prices by the deviation of the close, which the published package does not do.
    """
    parts = [
        _front_matter(config),
        f"# {escape(facts.name)}",
        _opening(report),
        table(("", ""), _summary(config, facts)),
        *_scores(report),
        "## Data",
        _source(config),
        table(("group", "split", "symbols", "candles", "windows", "from", "to"), _data(config, corpus)),
        _split_note(config),
        "\n".join(f"- {said(note, escape)}" for note in run.status().notes),
        "## Training",
        table(("", *config.stages), _training(run, config)),
        *_reproduction(config, provenance),
        "## Use",
        _use(facts, shared_deviation=shared_deviation),
        "## Limits",
        LIMITS,
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def tokenizer_card(facts: Facts, model: str, *, shared_deviation: bool = False) -> str:
    """Return the card of the tokenizer of a result that was pushed as `model`."""
    parts = [
        _yaml({"library_name": "kronos", "tags": TAGS}),
        f"# Tokenizer of {escape(facts.name)}",
        f"Belongs to [{escape(model)}](https://huggingface.co/{quote(model)}): see there.",
        *([UNPUBLISHED_NOTE] if shared_deviation else []),
    ]
    return "\n\n".join(parts) + "\n"


def _opening(report: Report | None) -> str:
    """Return the verdicts; worse is said first of all, not hidden."""
    if not judged(report):
        return "**Not judged**: nobody knows whether it forecasts better than what it began with."
    return "\n\n".join([*(["**Worse than its base model.**"] if worse(report) else []), *verdicts(report, escape)])


def _scores(report: Report | None) -> Iterable[str]:
    for split, one in judged(report).items():
        yield f"## Scores on the {split} split"
        yield (
            f"{one['cutoffs']:,} cutoffs at {one['times']:,} times, {one['symbols']:,} symbols; lookback "
            f"{one['lookback']}, horizon {one['horizon']}, {one['samples']} paths. CRPS is of the log close, in units "
            "of the history's volatility; lower is better. Coverage is the share of closes inside a band; best is the "
            f"band's own level. Rank IC is taken over {one['rank_ic_over']}. Brackets hold 95 % intervals."
        )
        base = one["to_base"]
        lines = [f"- CRPS ÷ base model: {interval(base)}"] if base else []
        lines.append(f"- CRPS ÷ best baseline ({one['best_baseline']}): {interval(one['to_baseline'])}")
        yield "\n".join([*lines, *(f"- {said(note, escape)}" for note in one["notes"])])
        head, *rows = score_rows(one)
        yield table(head, [(name, *map(Markup, figures)) for name, *figures in rows])


def _front_matter(config: RunConfig) -> str:
    base = config.base.model
    spec = find_spec(base) if base else None
    values: dict[str, Any] = {"library_name": "kronos", "pipeline_tag": "time-series-forecasting", "tags": TAGS}
    if spec is not None:
        values["license"] = spec.licence.lower()
    model = spec.model_id if spec else base
    if model and (spec is None or not spec.bundled) and not Path(model).exists():
        values["base_model"] = model
    return _yaml(values)


def _yaml(values: Mapping[str, Any]) -> str:
    return f"---\n{yaml.safe_dump(dict(values), sort_keys=False)}---"


def _summary(config: RunConfig, facts: Facts) -> Iterable[Sequence[object]]:
    digest = code(facts.base_digest[:16])
    base = Markup(f"{escape(facts.base)} ({digest})") if config.base.model else "none: trained from scratch"
    yield "base model", base
    yield "method", _method(config)
    yield "parameters", f"{facts.parameters / 1e6:.2f} M"
    yield "context", f"{facts.max_context} candles, history and forecast together"
    yield "learned from candles until", facts.trained_until
    yield "weights", code(facts.digest[:16])


def _method(config: RunConfig) -> str:
    method, lora = config.method, config.method.lora
    if method.kind == "lora":
        return f"LoRA, rank {lora.rank}, alpha {lora.alpha:g}, on {', '.join(lora.targets)}; merged into the weights"
    if method.kind == "frozen":
        return f"the {method.frozen_layers} lowest blocks and the embeddings frozen, the rest trained"
    return "every parameter trained"


def _source(config: RunConfig) -> str:
    data = config.data
    if isinstance(data, QlibData):
        return f"Qlib instruments of the set {code(data.market)}, candle length {code(data.frequency)}."
    if isinstance(data, FileData):
        return escape(data.origin) or "Candles in files; where they came from was not said."
    return f"Series of a Kronos Desk store{f', watchlist {escape(data.watchlist)}' if data.watchlist else ''}."


def _data(config: RunConfig, corpus: Corpus) -> Iterable[Sequence[object]]:
    for group in corpus.groups:
        for split in SPLITS:
            segments = [one for one in corpus.segments if (one.group, one.split) == (group, split)]
            if not segments:
                continue
            symbols = sorted({one.symbol for one in segments})
            more = f" and {len(symbols) - LISTED_SYMBOLS} more" if len(symbols) > LISTED_SYMBOLS else ""
            yield (
                group,
                split,
                ", ".join(symbols[:LISTED_SYMBOLS]) + more,
                f"{sum(len(one) for one in segments):,}",
                f"{sum(one.windows(config.window.size, config.window.stride) for one in segments):,}",
                _day(min(int(corpus.times[one.start]) for one in segments)),
                _day(max(int(corpus.times[one.stop - 1]) for one in segments)),
            )


def _split_note(config: RunConfig) -> str:
    window, split = config.window, config.split
    embargo = f"{split.embargo} candles" if split.embargo is not None else "a whole window"
    held = f", and {split.holdout_symbols:.0%} of the symbols were never learned from" if split.holdout_symbols else ""
    return (
        f"A window is up to {window.lookback} candles of history, by whose statistics alone it is scaled, and what "
        f"follows, {window.size} candles in all, {window.stride} apart. Between two splits {embargo} of each series "
        f"was left out{held}."
    )


def _training(run: RunFolder, config: RunConfig) -> Iterable[Sequence[object]]:
    logs = [read_log(run.stage(name) / LOG) for name in config.stages]
    stages = [config.stage(name) for name in config.stages]
    yield "steps", *(f"{rows[-1]['step']:,} of {stage.steps:,}" for rows, stage in zip(logs, stages, strict=True))
    yield "windows a step", *(stage.batch for stage in stages)
    rates = [[row["learning_rate"] for row in rows if "learning_rate" in row] for rows in logs]
    yield "highest learning rate", *(f"{max(rate):.2g}" if rate else "" for rate in rates)
    yield "schedule", *(f"{stage.schedule}, warm-up {stage.warmup:.0%}" for stage in stages)
    yield "weight decay", *(f"{stage.weight_decay:g}" for stage in stages)
    best = [
        min(((row["validation_loss"], row["step"]) for row in rows if "validation_loss" in row), default=None)
        for rows in logs
    ]
    yield "lowest validation loss", *(f"{one[0]:.4f} at step {one[1]:,}" if one else "" for one in best)
    yield "minutes", *(f"{rows[-1]['seconds'] / 60:.1f}" for rows in logs)


def _reproduction(config: RunConfig, provenance: Mapping[str, Any]) -> Iterable[str]:
    packages = ", ".join(f"{name} {version}" for name, version in provenance.get("packages", {}).items())
    rows = (
        ("seed", config.seed),
        ("code", code(str(provenance.get("code", ""))[:16])),
        ("candles", code(str(provenance.get("data", ""))[:16])),
        ("libraries", packages),
    )
    settings = config.model_dump(mode="json", exclude_defaults=True, exclude=PRIVATE)
    yield code_block(yaml.safe_dump(settings, sort_keys=False), "yaml")
    yield "The same settings, seed, code and candles give the same losses."
    yield table(("", ""), rows)


def _use(facts: Facts, *, shared_deviation: bool) -> str:
    call = f'KronosPredictor.from_pretrained("model", tokenizer="tokenizer", max_context={facts.max_context})'
    lines = ["```python", "from engine import KronosPredictor", "", f"predictor = {call}", "```", ""]
    published = UNPUBLISHED_NOTE if shared_deviation else "The published Kronos package loads both folders as well."
    return "\n".join([*lines, published])


def _day(nanoseconds: int) -> date:
    day: date = np.datetime64(nanoseconds, "ns").astype("datetime64[D]").astype(date)
    return day

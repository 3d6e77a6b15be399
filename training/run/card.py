"""The model card of a run: first whether it improved on its base model, then data, training and use."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import yaml

from engine.config import UNPUBLISHED_NOTE
from engine.loading.registry import find_spec
from training.errors import Message
from training.fit.corpus import Corpus
from training.run.card_data import describe_source, describe_windows, periods, split_rows
from training.run.config import RunConfig
from training.run.folder import RunFolder
from training.run.markdown import Markup, code, code_block, escape, table
from training.run.report import Report, interval, is_worse, judgements, score_rows, verdicts
from training.saved import load_rows

CARD = "README.md"
TAGS = ["kronos", "candlesticks", "finance", "time-series"]
LIMITS = """\
- For research, not advice: nothing here says that a trade will be profitable.
- Scores hold for the markets, intervals and periods above; others were not tested.
- The checkpoint was chosen by the validation split, so its scores there flatter the model; only the test split is new
  to it, and neither is new if the base model was trained on those candles."""

PRIVATE = {"data", "machine", "track"}  # sections that may name folders, servers or passwords


@dataclass(frozen=True)
class Facts:
    """The facts of an export that a registry needs: `kronos.json`."""

    name: str  # of the run
    max_context: int  # candles, history and forecast together
    parameters: int  # of the predictor
    trained_until: str  # ISO day of the last training candle of the run, or of its base if that is known and later
    base: str
    base_digest: str
    digest: str  # SHA-256 of both networks' weights, as in `KronosPredictor.digest`


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
    """Return the card of a run as Markdown, with the Hub's front matter.

    Parameters
    ----------
    provenance, report
        The contents of `provenance.json` and `report.json`; None if the run was not scored.
    shared_deviation
        Whether the tokenizer divides all prices by the deviation of the close, unlike the published package.
    """
    parts = [
        _front_matter(config),
        f"# {escape(facts.name)}",
        _verdict(report),
        table(("", ""), _summary(config, facts, corpus)),
        *_scores(report),
        "## Data",
        describe_source(config),
        table(("group", "split", "symbols", "candles", "windows", "from", "to"), split_rows(config, corpus)),
        describe_windows(config),
        "\n".join(f"- {note.render(escape)}" for note in run.status().notes),
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


def _verdict(report: Report | None) -> str:
    if not judgements(report):
        return "**Not scored**: whether it forecasts better than its base model is unknown."
    warning = ["**Worse than its base model.**"] if is_worse(report) else []
    return "\n\n".join([*warning, *verdicts(report, escape)])


def _scores(report: Report | None) -> Iterable[str]:
    for split, scores in judgements(report).items():
        yield f"## Scores on the {split} split"
        yield (
            f"{scores['cutoffs']:,} cutoffs at {scores['times']:,} times, {scores['symbols']:,} symbols; lookback "
            f"{scores['lookback']}, horizon {scores['horizon']}, {scores['samples']} paths. CRPS is of the log close, "
            "in units of the history's volatility; lower is better. Coverage is the share of closes inside a band; the "
            f"ideal is the band's own level. Rank IC is computed over {scores['rank_ic_over']}. Brackets are 95 % "
            "confidence intervals."
        )
        lines = [f"- CRPS ÷ base model: {interval(scores['to_base'])}"] if scores["to_base"] else []
        lines.append(f"- CRPS ÷ best baseline ({scores['best_baseline']}): {interval(scores['to_baseline'])}")
        lines += [f"- {Message.from_dict(note).render(escape)}" for note in scores["notes"]]
        yield "\n".join(lines)
        head, *rows = score_rows(scores)
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


def _summary(config: RunConfig, facts: Facts, corpus: Corpus) -> Iterable[Sequence[object]]:
    digest = code(facts.base_digest[:16])
    base = Markup(f"{escape(facts.base)} ({digest})") if config.base.model else "none: trained from scratch"
    yield "base model", base
    yield "method", _method(config)
    yield "parameters", f"{facts.parameters / 1e6:.2f} M"
    yield "context", f"{facts.max_context} candles, history and forecast together"
    yield from periods(corpus)
    yield "trained on candles until, with its base model where that is known", facts.trained_until
    yield "weights", code(facts.digest[:16])


def _method(config: RunConfig) -> str:
    method, lora = config.method, config.method.lora
    if method.kind == "lora":
        return f"LoRA, rank {lora.rank}, alpha {lora.alpha:g}, on {', '.join(lora.targets)}; merged into the weights"
    if method.kind == "frozen":
        return f"the {method.frozen_layers} lowest blocks and the embeddings frozen, the rest trained"
    return "every parameter trained"


def _training(run: RunFolder, config: RunConfig) -> Iterable[Sequence[object]]:
    logs = [load_rows(run.stage_log(name)) for name in config.stages]
    stages = [config.stage(name) for name in config.stages]
    yield "steps", *(f"{rows[-1]['step']:,} of {stage.steps:,}" for rows, stage in zip(logs, stages, strict=True))
    yield "batch size", *(stage.batch for stage in stages)
    rates = [[row["learning_rate"] for row in rows if "learning_rate" in row] for rows in logs]
    yield "peak learning rate", *(f"{max(rate):.2g}" if rate else "" for rate in rates)
    yield "schedule", *(f"{stage.schedule}, warm-up {stage.warmup:.0%}" for stage in stages)
    yield "weight decay", *(f"{stage.weight_decay:g}" for stage in stages)
    best = [
        min(((row["validation_loss"], row["step"]) for row in rows if "validation_loss" in row), default=None)
        for rows in logs
    ]
    yield "lowest validation loss", *(f"{loss[0]:.4f} at step {loss[1]:,}" if loss else "" for loss in best)
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
    return "\n".join(
        [*lines, UNPUBLISHED_NOTE if shared_deviation else "The published Kronos package loads both folders, too."]
    )
